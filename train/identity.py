"""Train the embedder that tells people apart: `python -m train.identity --data PATH`. No emotion's label is read."""

import copy
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor
from tqdm import tqdm

from fergan import checkpoint, data, losses
from fergan.augment import bend_faces, lend_features, vary_faces
from fergan.card import write_card
from fergan.checkpoint import Checkpoint, replace_file
from fergan.images import to_model
from fergan.metrics import accuracy, verification
from fergan.models import preset
from fergan.models.identity import Config, Embedder
from train import run, states
from train.folds import same_faces
from train.learner import TEST_BATCH, Shuffle
from train.processes import ALONE, Share, gather, share_of

LOG_EVERY = 10  # steps
WATCHED = 1000  # test faces on which each epoch is measured, to be seen alone; retrieval falls as they grow


@dataclass(frozen=True)
class IdentityRecipe:
    """Everything of a training that is neither the network nor the run."""

    epochs: int = 40
    batch: int = 256
    """Faces, of each of which there are two views; all others are what it must be told from."""
    learning_rate: float = 1e-3
    """Where the cosine begins, after a warm-up; of AdamW."""
    weight_decay: float = 0.05
    temperature: float = 0.1
    """Of the loss; after an epoch 16 % of the test faces were found again, 12 % with 0.2."""
    augment: float = 1.3
    """Strength of fergan.augment.vary_faces, on both views."""
    erase: float = 0.5
    """Share of views that lose a rectangle."""
    bend: float = 0.05
    """How far fergan.augment.bend_faces moves a point, as a share of the side, in both views."""
    lend: float = 0.5
    """Share of second views that have another face's mouth, or brows and eyes."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2:
            raise ValueError(f"epochs must be 1 or more, batch 2 or more; got {self.epochs}, {self.batch}.")
        for name in ("learning_rate", "temperature"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}.")
        for name in ("erase", "bend", "lend"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}.")
        for name in ("weight_decay", "augment"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}.")


@dataclass(frozen=True)
class TrainConfig(run.TrainFlags):
    """The flags of `python -m train.identity`."""

    out: str = field(default="runs/identity", metadata={"help": "folder of the run"})

    def settings(self) -> tuple[Config, IdentityRecipe]:
        """The network's config and the recipe, with the flags' changes.

        Raises:
            ValueError: a change that does not fit.
        """
        network = Config(image_size=self.size, channels=self.channels)
        network, recipe = run.override(self.set, network, IdentityRecipe())
        return network, recipe


def distinct(faces: data.Faces) -> data.Faces:
    """The faces without those whose pixels a row before has: one face twice is no pair of different people."""
    groups = same_faces(faces.images)
    first = torch.full((int(groups.max()) + 1 if len(groups) else 0,), len(groups))
    return faces.subset(first.scatter_reduce(0, groups, torch.arange(len(groups)), "amin"))


class Parts(NamedTuple):
    """What the network learns from, and what it is measured on; in each, every face once."""

    training: data.Faces
    tests: data.Faces
    """PublicTest and PrivateTest, without what stands in Training."""


def split(faces: data.Faces) -> Parts:
    """FER2013's own parts; nothing is chosen by a test, so both may be told.

    Raises:
        ValueError: a part with fewer than two faces.
    """
    tests = faces.subset((faces.splits != data.SPLITS.index("Training")) & ~faces.duplicate)
    parts = Parts(distinct(faces.split("Training")), distinct(tests))
    for name, part in parts._asdict().items():
        if len(part) < 2:
            raise ValueError(f"{faces.source} has {len(part)} different faces for {name}; 2 are needed.")
    return parts


def draw_views(images: Tensor, recipe: IdentityRecipe, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images [B, C, H, W] in [-1, 1] -> two views of each, as another photo and another expression would differ."""
    both = torch.cat([images, lend_features(images, rng, recipe.lend)])
    mirrored = torch.rand(len(both), 1, 1, 1, generator=rng) < 0.5
    both = torch.where(mirrored.to(both.device, non_blocking=True), both.flip(-1), both)
    both = vary_faces(bend_faces(both, rng, recipe.bend), rng, recipe.augment, recipe.erase)
    first, second = both.chunk(2)
    return first, second


class Learner:
    """The network, its optimizer and its random numbers: one step, and the whole state."""

    def __init__(
        self, network: Embedder, recipe: IdentityRecipe, seed: int, device: torch.device, precision: str
    ) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe, self.device = recipe, device
        fixed = {"bf16": torch.bfloat16, "fp32": torch.float32}
        self.dtype = fixed[precision] if precision in fixed else run.fast_precision(device)
        self.rng = torch.Generator().manual_seed(seed)
        self.optimizer = torch.optim.AdamW(
            network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        self.steps, self.seen = 0, 0
        self.share: Share = ALONE
        """Of each batch; where several processes train, the rows of this one."""
        self.accelerator: Accelerator | None = None
        """By which they exchange gradients."""

    def embed(self, network: Embedder, images: Tensor) -> Tensor:
        """A network's rows, float32 [B, F]; convolutions in bf16 where the run uses it."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            return network(images.contiguous(memory_format=torch.channels_last))

    def step(self, pixels: Tensor, rate: float) -> dict[str, Tensor]:
        """One update from faces, uint8 [B, C, H, W], at a learning rate: the loss, and how alike the views are.

        Several processes are given the same batch; each draws all views, as faces lend to each other, embeds its
        share of them and tells those from all others.
        """
        views = map(self.share.rows, draw_views(to_model(pixels), self.recipe, self.rng))
        both = self.embed(self.network, torch.cat(list(views))).chunk(2)
        first, second = (gather(rows, self.share) for rows in both)
        loss = losses.contrastive(first, second, self.recipe.temperature)
        (self.share.of * loss).backward()  # each has the gradient of its own rows, and their mean is taken
        if self.accelerator is not None:
            run.average_gradients(self.network, self.accelerator)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps, self.seen = self.steps + 1, self.seen + len(pixels)
        return {"loss": loss, "same": (first * second).sum(1).mean()}

    @torch.inference_mode()
    def measure(self, network: Embedder, faces: data.Faces) -> dict[str, float]:
        """How well each face as it is and a second view of it find each other (see metrics.verification).

        `nearest_emotion` is the share of faces whose nearest other face has the same label, and
        `chance_emotion` that of a random other face: the nearer these are, the less a row tells of emotion.
        Labels are read here alone. Views are the same each time.
        """
        rng, parts = torch.Generator().manual_seed(0), []
        for pixels in faces.images.split(TEST_BATCH):
            images = to_model(pixels.to(self.device))
            views = (images, draw_views(images, self.recipe, rng)[1])
            parts.append(torch.stack([self.embed(network, view).cpu() for view in views]))
        plain, second = torch.cat(parts, dim=1)
        nearest = [(rows @ plain.T).topk(2).indices[:, 1] for rows in plain.split(TEST_BATCH)]
        counts = faces.labels.bincount().double()
        found = verification(plain, second) | {
            "nearest_emotion": accuracy(faces.labels[torch.cat(nearest)], faces.labels),
            "chance_emotion": float((counts * (counts - 1)).sum() / (len(faces) * (len(faces) - 1))),
        }
        return {name: round(value, 5) for name, value in found.items()}

    def state(self) -> dict[str, Tensor]:
        """All tensors that the next step depends on."""
        tensors = {"rng.views": self.rng.get_state()} | states.of_module(self.network, "network")
        return tensors | states.of_optimizer(self.optimizer, "optimizer")

    def restore(self, tensors: dict[str, Tensor], steps: int, seen: int) -> None:
        """The reverse of state()."""
        states.to_module(self.network, "network", tensors)
        states.to_optimizer(self.optimizer, "optimizer", tensors)
        self.rng.set_state(tensors["rng.views"])
        self.steps, self.seen = steps, seen


def resume(path: Path, own: dict[str, Any], learner: Learner) -> float:
    """Puts a state file back; returns the minutes that the run has had.

    Raises:
        FileNotFoundError: no state there.
        ValueError: a state of another network, recipe or data.
    """
    tensors, facts = states.load(path)
    for key, value in own.items():
        if facts.get(key) != value:
            raise ValueError(f"{path} is of a run with {key} {facts.get(key)}; this one has {value}.")
    learner.restore(tensors, facts["step"], facts["seen"])
    return float(facts["minutes"])


def keep(
    folder: Path, own: dict[str, Any], learner: Learner, tests: data.Faces, training: dict[str, Any]
) -> dict[str, float]:
    """Measures the network as a checkpoint holds it, and writes that checkpoint with its card; the measures."""
    network = copy.deepcopy(learner.network).half().float()
    metrics = {"n": len(tests), **learner.measure(network, tests)}
    described = Checkpoint(
        model=own["model"],
        preset=own["preset"],
        config=own["config"],
        step=learner.steps,
        images_seen=learner.seen,
        data=own["data"],
        training={**training, **own["recipe"]},
        metrics=metrics,
    )
    checkpoint.save(folder, described, network.state_dict())
    replace_file(folder / "README.md", write_card(described).encode())
    return metrics


def train(config: TrainConfig, accelerator: Accelerator) -> str:
    """Runs until images, minutes or a signal say stop; says what came of it.

    A run that a signal broke off keeps its state alone, for --resume; any other is measured and leaves a
    checkpoint. Only the main process writes.

    Raises:
        ValueError, FileNotFoundError: data or settings that do not fit, in a sentence.
        FloatingPointError: a loss that is not finite.
    """
    if not config.resume:
        states.vacant(config.folder)
    network_config, recipe = config.settings()
    parts = split(data.load(config.data, size=config.size, channels=config.channels))
    own = {
        "model": "identity",
        "preset": "simclr",
        "kind": preset("identity", "simclr").kind,
        "config": dataclasses.asdict(network_config),
        "recipe": dataclasses.asdict(recipe),
        "data": parts.training.fingerprint,
    }
    torch.manual_seed(config.seed)
    learner = Learner(Embedder(network_config), recipe, config.seed, accelerator.device, config.precision)
    before = resume(config.folder / states.FILE, own, learner) if config.resume else 0.0
    config.folder.mkdir(parents=True, exist_ok=True)
    shuffle = Shuffle(len(parts.training), recipe.batch, config.seed)
    learner.share, learner.accelerator = share_of(accelerator, shuffle.batch), accelerator
    planned = recipe.epochs * shuffle.per_epoch * shuffle.batch
    pixels = parts.training.images.to(learner.device)
    watched = parts.tests.subset(torch.arange(min(WATCHED, len(parts.tests))))
    main, means, saved = accelerator.is_main_process, run.Means(), 0.0
    log = run.Log(config.folder, learner.seen) if main else None
    stopper = run.Stopper(min(planned, config.images or planned), config.minutes)

    def save() -> None:
        means.check()  # a broken state is never saved
        facts = {**own, "step": learner.steps, "seen": learner.seen, "minutes": before + stopper.elapsed}
        if main:
            states.save(config.folder / states.FILE, learner.state(), facts)

    bar = tqdm(total=planned, initial=learner.seen, unit="img", smoothing=0.05, disable=log is None)
    with bar, stopper.catching():
        while (reason := stopper.reason(learner.seen, accelerator)) is None:
            rows = shuffle.rows(learner.steps).to(learner.device, non_blocking=True)
            progress = (learner.seen + len(rows)) / planned
            means.add(learner.step(pixels[rows], run.cosine(recipe.learning_rate, progress)))
            bar.update(len(rows))
            if log and learner.steps % LOG_EVERY == 0:
                values = means.read()
                log.write(learner.seen, {**values, "images_per_second": bar.format_dict["rate"] or 0.0})
                bar.set_postfix({name: f"{value:.2f}" for name, value in values.items()})
            if log and learner.steps % shuffle.per_epoch == 0:
                means.check()
                epoch, found = learner.steps // shuffle.per_epoch, learner.measure(learner.network, watched)
                log.write(learner.seen, {"epoch": epoch, **found})
                bar.write(
                    f"epoch {epoch}: {found['retrieval']:.1%} of {len(watched):,} test faces found again"
                )
            if stopper.elapsed - saved >= config.save_minutes:
                save()
                saved = stopper.elapsed
    save()
    if log:
        log.close()
    if stopper.signal:
        return f"Stopped: {reason}, {learner.seen:,} images seen; go on with --resume."
    training = {
        "device": torch.cuda.get_device_name() if learner.device.type == "cuda" else learner.device.type,
        "processes": accelerator.num_processes,
        "precision": str(learner.dtype).removeprefix("torch."),
        "seed": config.seed,
        "faces": parts.training.name,
        "minutes": round(before + stopper.elapsed, 1),
        "command": run.command(
            "train.identity", config, without=("out", "resume", "minutes", "images", "save_minutes")
        ),
    }
    if not main:
        return ""
    metrics = keep(config.folder / "checkpoint", own, learner, parts.tests, training)
    return (
        f"Stopped: {reason}. Of {metrics['n']:,} test faces {metrics['retrieval']:.1%} are found again by another"
        f" view; cosine {metrics['same']:.2f} with it, {metrics['different']:.2f} with others, ROC AUC"
        f" {metrics['auc']:.4f}. The run is in {config.folder}."
    )


def main() -> None:
    """The command line."""
    run.launch(TrainConfig, (__doc__ or "").splitlines()[0], train)


if __name__ == "__main__":
    main()
