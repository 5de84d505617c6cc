"""What learns in train.classifier: the data's parts, a schedule, a network with its optimizer."""

import copy
from typing import NamedTuple

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor

from fergan import data, losses
from fergan.augment import mix_faces, vary_faces
from fergan.emotions import one_hot
from fergan.images import to_model
from fergan.models.classifier import Classifier
from train import run, states
from train.classifier_recipes import ClassifierRecipe
from train.processes import ALONE, Share

TEST_BATCH = 512


class Parts(NamedTuple):
    """What a network learns from, what chooses its epoch and temperature, and what is told of it, once."""

    training: data.Faces
    target: Tensor
    """float32 [N, 7], a row for each face of `training`: see targets()."""
    validation: data.Faces
    tests: dict[str, data.Faces]


def split(faces: data.Faces, known: list[int], recipe: ClassifierRecipe) -> Parts:
    """FER2013's own parts: PublicTest chooses, PrivateTest is told, whole and without rows of Training.

    Raises:
        ValueError: a part without faces, or votes that the data has not.
    """
    faces = faces.subset(torch.isin(faces.labels, torch.tensor(known)))
    tests = {"private": faces.split("PrivateTest", clean=False), "private_clean": faces.split("PrivateTest")}
    training = faces.split("Training")
    parts = Parts(training, targets(training, known, recipe), faces.split("PublicTest"), tests)
    for name, part in {
        "Training": training,
        "PublicTest": parts.validation,
        "PrivateTest": tests["private_clean"],
    }.items():
        if len(part) == 0:
            raise ValueError(f"{faces.source} has no face in {name} that can be used.")
    return parts


def targets(faces: data.Faces, known: list[int], recipe: ClassifierRecipe) -> Tensor:
    """What the network should answer for each face, float32 [N, 7], over known emotions alone.

    Rows sum to 1; where the recipe balances, their sums differ and their mean is 1, so that a row's cross-entropy is
    weighted.
    """
    mask = one_hot(torch.tensor(known)).sum(dim=0)
    rows = data.conditions(faces, recipe.targets) * mask
    total = rows.sum(dim=1, keepdim=True)
    rows = torch.where(total > 0, rows / total.clamp_min(1e-6), one_hot(faces.labels))
    rows = (1 - recipe.smoothing) * rows + recipe.smoothing * mask / len(known)
    if not recipe.balance:
        return rows
    rows = (
        rows * rows.mean(dim=0).clamp_min(1e-6) ** -recipe.balance
    )  # an emotion that no face shows weighs nothing
    return rows * len(rows) / rows.sum()


def hold_out(parts: Parts, fold: Tensor, number: int) -> Parts:
    """The parts of one fold: the rest of Training to learn from, the fold to be told."""
    held = fold == number
    return Parts(
        parts.training.subset(~held),
        parts.target[~held],
        parts.validation,
        {"held_out": parts.training.subset(held)},
    )


class Shuffle:
    """Which rows a step takes: the step alone decides, so a resumed run goes on exactly.

    An epoch is every face once, in an order of its own, but for those that do not fill a batch.
    """

    def __init__(self, faces: int, batch: int, seed: int) -> None:
        self.faces, self.seed = faces, seed
        self.batch = min(batch, faces)
        self.per_epoch = faces // self.batch
        """Steps in an epoch."""
        self._epoch, self._order = -1, torch.empty(0)

    def rows(self, step: int) -> Tensor:
        """The rows of a step, int64 [batch]."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            shuffle = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self._epoch, self._order = epoch, torch.randperm(self.faces, generator=shuffle)
        return self._order[place * self.batch : (place + 1) * self.batch]


class Schedule(Shuffle):
    """A classifier's steps: their rows, and at what rate they learn."""

    def __init__(self, recipe: ClassifierRecipe, faces: int, seed: int) -> None:
        super().__init__(faces, recipe.batch, seed)
        self.recipe = recipe
        self.planned = recipe.epochs * self.per_epoch * self.batch
        """Images in all epochs."""

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        thawed = 0 < self.recipe.frozen_epochs <= step // self.per_epoch
        rate = self.recipe.rate((step + 1) * self.batch / self.planned)
        return rate * (self.recipe.unfrozen_rate if thawed else 1.0)


class Learner:
    """A network, its optimizer, its average and its random numbers: one step, and the whole state."""

    def __init__(
        self,
        network: Classifier,
        recipe: ClassifierRecipe,
        seed: int,
        device: torch.device,
        precision: str = "auto",
    ) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network) if recipe.ema_images else None
        self.recipe, self.device = recipe, device
        fixed = {"bf16": torch.bfloat16, "fp32": torch.float32}
        self.dtype = fixed[precision] if precision in fixed else run.fast_precision(device)
        self.rng = torch.Generator().manual_seed(seed)
        self.optimizer: torch.optim.Optimizer
        weights, rate, decay = network.parameters(), recipe.learning_rate, recipe.weight_decay
        if recipe.optimizer == "sgd":
            self.optimizer = torch.optim.SGD(
                weights, rate, 0.9, weight_decay=decay, nesterov=True, fused=True
            )
        else:
            self.optimizer = torch.optim.AdamW(weights, rate, weight_decay=decay, fused=True)
        self.steps, self.seen = 0, 0
        self.share: Share = ALONE
        """Of each batch; where several processes train, the rows of this one."""
        self.accelerator: Accelerator | None = None
        """By which they exchange gradients."""

    @property
    def tested(self) -> Classifier:
        """The network that counts: the average, where there is one."""
        return self.network if self.average is None else self.average

    def autocast(self) -> torch.autocast:
        """bf16 where the run uses it; the head stays in float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16)

    def begin(self, epoch: int) -> None:
        """Training mode; in frozen epochs the head alone learns, and the rest keeps its statistics."""
        frozen = epoch < self.recipe.frozen_epochs
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(not frozen or name.startswith("head."))
        self.network.train(not frozen)

    def step(self, pixels: Tensor, target: Tensor, rate: float) -> dict[str, Tensor]:
        """One update from faces, uint8 [B, C, H, W], and target [B, 7], at a learning rate; returns the loss.

        Several processes are given the same batch: each varies all of it, as faces are mixed, and puts its share
        through the network.
        """
        recipe = self.recipe
        if recipe.flip:
            mirrored = torch.rand(len(pixels), 1, 1, 1, generator=self.rng) < 0.5
            pixels = torch.where(mirrored.to(pixels.device, non_blocking=True), pixels.flip(-1), pixels)
        images = vary_faces(to_model(pixels), self.rng, recipe.augment, recipe.erase)
        images, target = mix_faces(images, target, self.rng, recipe.mixup)
        own = self.share.rows(images).contiguous(memory_format=torch.channels_last)
        target = self.share.rows(target)
        if recipe.radius:
            own = own + recipe.radius * self.against(own, target)
        with self.autocast(), self.share.together():
            logits = self.network(own)
        loss = losses.soft_cross_entropy(logits, target)
        loss.backward()
        if self.accelerator is not None:
            run.average_gradients(self.network, self.accelerator)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps, self.seen = self.steps + 1, self.seen + len(pixels)
        if self.average is not None:  # a young run forgets faster
            half_life = min(recipe.ema_images, 0.05 * self.seen)
            run.ema_update(self.average, self.network, 0.5 ** (len(pixels) / half_life))
        return {"loss": loss}

    def against(self, images: Tensor, target: Tensor) -> Tensor:
        """Where an answer worsens most: the loss's slope in images [B, C, H, W], each of norm 1 (Miyato et al. 2017).

        The network is asked as it is tested, so that moved faces leave no trace in its statistics.
        """
        training, leaf = self.network.training, images.detach().requires_grad_(True)
        self.network.eval()
        with self.autocast():
            loss = losses.soft_cross_entropy(self.network(leaf), target)
        self.network.train(training)
        (slope,) = torch.autograd.grad(loss * len(images), leaf)
        return F.normalize(slope.float().flatten(1), dim=1).view_as(images)

    @torch.inference_mode()
    def answers(self, network: Classifier, faces: data.Faces) -> Tensor:
        """A network's logits for faces, float32 [N, 7], on the CPU."""
        network.eval()
        logits = []
        for pixels in faces.images.split(TEST_BATCH):
            images = to_model(pixels.to(self.device)).contiguous(memory_format=torch.channels_last)
            with self.autocast():
                logits.append(network(images).cpu())
        return torch.cat(logits)

    def state(self) -> dict[str, Tensor]:
        """All tensors that the next step depends on."""
        tensors = {"rng.augment": self.rng.get_state(), "rng.torch": torch.get_rng_state()}  # dropout's
        if self.device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state(self.device)
        tensors |= states.of_module(self.network, "network")
        if self.average is not None:
            tensors |= states.of_module(self.average, "average")
        return tensors | states.of_optimizer(self.optimizer, "optimizer")

    def restore(self, tensors: dict[str, Tensor], steps: int, seen: int) -> None:
        """The reverse of state()."""
        states.to_module(self.network, "network", tensors)
        if self.average is not None:
            states.to_module(self.average, "average", tensors)
        states.to_optimizer(self.optimizer, "optimizer", tensors)
        self.rng.set_state(tensors["rng.augment"])
        torch.set_rng_state(tensors["rng.torch"])
        if self.device.type == "cuda" and "rng.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["rng.cuda"], self.device)
        self.steps, self.seen = steps, seen
