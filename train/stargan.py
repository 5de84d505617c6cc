"""Train a translator of expressions: `python -m train.stargan --data PATH --teacher weights/teacher`.

A face, read softly by the teacher, is changed towards the emotion of another face, wholly or by a part. The
discriminator compares it with real faces of what was asked for; there and back again must be the face.
"""

from dataclasses import dataclass, field
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from fergan import checkpoint, data, losses
from fergan.emotions import EMOTIONS, index, one_hot
from fergan.images import sheet, to_array, to_model, to_pixels
from fergan.models import draw_noise, preset, stargan
from fergan.models.classifier import Teacher
from fergan.models.layers import Verdict
from fergan.moments import Drawer
from train import run
from train.helpers import helper
from train.pairs import Changed, Drawn, Pair, Pairs, Source
from train.players import Players
from train.processes import share_of
from train.push import SharingFlags
from train.recipes import TRANSLATORS, TranslatorRecipe
from train.record import Session, identity, recipe_changes, told

SHOWN = 6  # faces of a grid
SEVEN = len(EMOTIONS)


@dataclass(frozen=True)
class TrainConfig(SharingFlags):
    """The flags of `python -m train.stargan`."""

    preset: str = field(default="fixed", metadata={"help": "fixed (ours) or published (the paper's)"})
    teacher: str = field(
        default="weights/teacher",
        metadata={
            "help": "checkpoint of the classifier that reads faces before they are changed; never the judge"
        },
    )
    guide: str = field(
        default="weights/guided",
        metadata={
            "help": "checkpoint of a guide, or of a guided translator: who is to be convinced; never the judge"
        },
    )
    embedder: str = field(
        default="weights/identity", metadata={"help": "checkpoint of the network that tells faces apart"}
    )
    pairs: str = field(
        default="weights/guided",
        metadata={"help": "translator, or generator that draws one person with two emotions, to learn from"},
    )
    examples: str = field(
        default="weights/acgan",
        metadata={"help": "generator whose faces the grids show; empty: test faces, for your eyes alone"},
    )
    emotions: str = field(default="", metadata={"help": "as happy,neutral,sad,surprise; empty: all seven"})
    images: int = field(default=1_000_000, metadata={"help": "stop after this many images seen"})
    keep: int = field(default=50_000, metadata={"help": "images between kept checkpoints"})

    def __post_init__(self) -> None:
        super().__post_init__()
        preset("stargan", self.preset)
        if self.images < 1 or self.keep < 1:
            raise ValueError(f"--images and --keep must be above 0, got {self.images} and {self.keep}.")
        self.known()

    def known(self) -> list[int]:
        """Labels of the emotions that are learnt, rising.

        Raises:
            ValueError: an unknown name, or fewer than two.
        """
        names = self.emotions.split(",") if self.emotions else list(EMOTIONS)
        labels = sorted({index(name) for name in names})
        if len(labels) < 2:
            raise ValueError(f"--emotions needs two names or more; got {self.emotions!r}.")
        return labels

    @property
    def folder(self) -> Path:
        """Where the run's files go."""
        return Path(self.out or f"runs/stargan-{self.preset}")


class Translation(Players):
    """The translator and its critic: the gradients of one step of each."""

    def __init__(
        self,
        preset_name: str,
        config: Any,
        recipe: TranslatorRecipe,
        seed: int,
        device: torch.device,
        teacher: nn.Module | None = None,
        guide: nn.Module | None = None,
        embedder: nn.Module | None = None,
    ) -> None:
        super().__init__("stargan", preset_name, config, recipe, seed, device)
        self.recipe, self.teacher, self.guide, self.embedder = recipe, teacher, guide, embedder
        self.pairs: Pairs | None = None
        """What it is shown, where the recipe has pairs."""

    def read(self, images: Tensor, labels: Tensor) -> Tensor:
        """What a face shows before it is changed, [B, 7]: the teacher's soft reading, else its label."""
        if self.teacher is None:
            return labels
        with torch.no_grad(), self.autocast():
            return torch.softmax(self.teacher(images).float(), dim=1)

    def readings(self, faces: Tensor) -> Tensor:
        """What the teacher sees in faces, uint8 [N, C, H, W] -> [N, 7], on the CPU."""
        blank = torch.empty(0)  # nobody asks for labels where there is a teacher
        parts = tqdm(faces.split(256), desc="reading faces", unit="batch", leave=False)
        return torch.cat([self.read(to_model(part.to(self.device)), blank).cpu() for part in parts])

    def relight(self, images: Tensor) -> Tensor:
        """Brightness and contrast, each face its own: photos are not lit as FER2013 is. Channels are lit alike."""
        light = self.recipe.light
        if not light:
            return images
        shift, gain = self.rand(2, len(images), 1, 1, 1, dim=1) * 2 - 1
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        return (mean + (images - mean) * (1 + light * gain) + light * shift).clamp(-1, 1)

    def roughen(self, images: Tensor) -> Tensor:
        """Faces with noise on them, each with its own amount."""
        if not (most := self.recipe.guide_noise):
            return images
        amount = most * self.rand(len(images), 1, 1, 1)
        return images + amount * self.randn(*images.shape)

    def ask(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """How far each face goes, [B], and what it should show there, [B, 7]."""
        amount = self.rand(2, len(source), dim=1)
        intensity = torch.where(amount[0] < self.recipe.partial, amount[1], torch.ones_like(amount[1]))
        return intensity, torch.lerp(source, target, intensity[:, None])

    def compare(self, real: Verdict, fake: Verdict) -> Tensor:
        """The discriminator's loss."""
        if self.recipe.loss == "relativistic":
            return losses.relativistic(real.realness, fake.realness)
        rule = losses.wasserstein if self.recipe.loss == "wasserstein" else losses.logistic
        return rule(real.realness, True) + rule(fake.realness, False)

    def discriminator_gradients(
        self, real: Tensor, emotion: Tensor, source: Tensor, target: Tensor, *, penalise: bool
    ) -> dict[str, Tensor]:
        """On real faces [B, C, H, W] with their emotion, and on what becomes of them; returns the parts."""
        recipe = self.recipe
        self.discriminator.requires_grad_(True)
        intensity, asked = self.ask(source, target)
        with torch.no_grad(), self.autocast():
            fake = self.generator(self.relight(real), source, target, intensity)
        shown, fake = self.augment(self.relight(real)), self.augment(fake)  # lit alike: light tells nothing
        with self.autocast():
            on_real, on_fake = self.discriminator(shown, emotion), self.discriminator(fake, asked)
        assert on_real.emotion is not None
        parts = {"d_loss": self.compare(on_real, on_fake)}
        parts["d_margin"] = on_real.realness.mean() - on_fake.realness.mean()
        parts["d_class"] = losses.soft_cross_entropy(on_real.emotion, emotion)
        loss = parts["d_loss"] + recipe.class_weight * parts["d_class"]
        if recipe.slope_weight:
            share = self.rand(len(real), 1, 1, 1)
            between = torch.lerp(fake, shown, share).requires_grad_(True)
            parts["d_slope"] = losses.slope_penalty(self.discriminator(between, emotion).realness, between)
            loss = loss + recipe.slope_weight * parts["d_slope"]
        if penalise:
            leaf = shown.detach().requires_grad_(True)
            parts["r1"] = losses.gradient_penalty(self.discriminator(leaf, emotion).realness, leaf)
            loss = loss + recipe.gamma / 2 * recipe.penalty_every * parts["r1"]
        loss.backward()
        return parts

    def generator_gradients(
        self, real: Tensor, emotion: Tensor, source: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """On faces [B, C, H, W] that show `source` and are to show `target`; returns the parts of the loss."""
        recipe = self.recipe
        self.discriminator.requires_grad_(False)
        intensity, asked = self.ask(source, target)
        whole, lit = torch.ones_like(intensity), self.relight(real)
        with self.autocast():
            fake, change = self.translate(lit, source, target, intensity)
            on_fake = self.discriminator(self.augment(fake), asked)
            back, _ = self.translate(fake, asked, source, whole)
            on_real = None
            if recipe.loss == "relativistic":
                on_real = self.discriminator(self.augment(self.relight(real)), emotion)
        parts = {"g_loss": self.fool(on_fake, on_real), "g_cycle": F.l1_loss(back, lit)}
        assert on_fake.emotion is not None
        parts["g_class"] = losses.soft_cross_entropy(on_fake.emotion, asked)
        total = parts["g_loss"] + recipe.generator_class_weight * parts["g_class"]
        total = total + recipe.cycle * parts["g_cycle"]
        for name, weight, part in self.restraints(lit, emotion, source, fake, asked, change):
            parts[name] = part
            total = total + weight * part
        total.backward()
        return parts

    def translate(
        self, images: Tensor, source: Tensor, target: Tensor, intensity: Tensor
    ) -> tuple[Tensor, stargan.Change | None]:
        """The changed faces and, of ours, what was done to them."""
        if not isinstance(self.generator, stargan.Generator):
            return self.generator(images, source, target, intensity), None
        change = self.generator.change(images, source, target, intensity)
        return change.apply(images), change

    def fool(self, fake: Verdict, real: Verdict | None) -> Tensor:
        """The generator's adversarial loss."""
        if real is not None:
            return losses.relativistic(fake.realness, real.realness)
        rule = losses.wasserstein if self.recipe.loss == "wasserstein" else losses.logistic
        return rule(fake.realness, True)

    def restraints(
        self,
        images: Tensor,
        emotion: Tensor,
        source: Tensor,
        fake: Tensor,
        asked: Tensor,
        change: stargan.Change | None,
    ) -> list[tuple[str, float, Tensor]]:
        """What else is asked of a changed face: name, weight, part."""
        recipe, found = self.recipe, []
        with self.autocast():
            if self.guide is not None and recipe.guide_weight:
                read = self.guide(self.roughen(fake)).float()
                found.append(("g_guide", recipe.guide_weight, losses.soft_cross_entropy(read, asked)))
            if recipe.same:
                same, _ = self.translate(images, source, emotion, torch.ones(len(images), device=self.device))
                found.append(("g_same", recipe.same, self.unchanged(same, images, source, emotion)))
            if self.embedder is not None and recipe.identity:
                before, after = self.embedder(images), self.embedder(fake)
                found.append(("g_identity", recipe.identity, 1 - (before * after).sum(dim=1).mean()))
            if self.pairs is not None:
                pair = self.pairs.take(len(images) // 2, self.rng, self.share)
                found.append(("g_paired", recipe.paired, self.as_drawn(pair)[0]))
        if recipe.near_weight:
            moved = (fake.float() - images).square().mean(dim=(1, 2, 3)).add(
                1e-8
            ).sqrt() * 48  # any size, any channels
            found.append(("g_near", recipe.near_weight, F.relu(moved - recipe.near).mean()))
        if change is not None:
            over = F.relu(change.mask.mean(dim=(1, 2, 3)) - recipe.budget).mean()
            found.append(("g_mask", recipe.budget_weight, over))
            found.append(("g_flow", recipe.smooth, losses.unevenness(change.flow * images.shape[-1])))
        return found

    def as_drawn(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Distance from people to the same people as they were drawn again, by trust; and what became of them."""
        before, after = self.relight(torch.cat([pair.before, pair.after], dim=1)).chunk(2, dim=1)
        fake, _ = self.translate(before, pair.source, pair.target, pair.intensity)
        apart = (fake - after).abs().mean(dim=(1, 2, 3))
        if self.recipe.alike:
            assert isinstance(self.guide, Teacher)  # see prepare
            with torch.no_grad():
                due = self.guide.maps(after)
            apart = apart + self.recipe.alike * losses.unlikeness(self.guide.maps(fake), due)
        return (pair.trust * apart).mean(), fake

    def lesson_gradients(self, count: int) -> dict[str, Tensor]:
        """On pairs alone; returns the parts of the loss."""
        assert self.pairs is not None  # the recipe refuses a lesson without
        recipe, pair = self.recipe, self.pairs.take(count, self.rng, self.share)
        with self.autocast():
            apart, fake = self.as_drawn(pair)
            parts = {"g_paired": apart}
            if recipe.lesson_reads:
                assert self.guide is not None  # see prepare
                asked = torch.lerp(pair.source, pair.target, pair.intensity[:, None])
                parts["g_guide"] = losses.soft_cross_entropy(self.guide(fake).float(), asked)
        total = recipe.paired * apart
        if recipe.lesson_reads:
            total = total + recipe.lesson_reads * parts["g_guide"]
        total.backward()
        return parts

    @staticmethod
    def unchanged(same: Tensor, images: Tensor, source: Tensor, emotion: Tensor) -> Tensor:
        """Distance of faces asked to show their own emotion, by how much they are seen to show it already."""
        agreement = (source * emotion).sum(dim=1)
        return (agreement * (same - images).abs().mean(dim=(1, 2, 3))).mean()

    def slow(self, progress: float) -> None:
        """Sets the learning rate at a share of the planned images: from the second half on it falls to 0."""
        factor = min(1.0, 2 * (1 - progress)) if self.recipe.decay else 1.0
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = self.recipe.learning_rate * max(factor, 0.0)


def examples(config: TrainConfig, faces: data.Faces, truncation: float) -> tuple[Tensor, Tensor]:
    """Faces of the grids, uint8 [N, C, H, W], and what they show, [N, 7]: drawn ones, plain, else test faces.

    Raises:
        FileNotFoundError, ValueError: no generator there, or of another size.
    """
    if not config.examples:
        test = faces.split("PublicTest")
        return test.images[:SHOWN], one_hot(test.labels[:SHOWN])
    described, network = checkpoint.load(Path(config.examples))
    own = described.build_config()
    if (own.image_size, own.channels) != (config.size, config.channels):
        raise ValueError(
            f"{config.examples} draws {own.channels} x {own.image_size}, faces here are"
            f" {config.channels} x {config.size}: name another with --examples, or none with --examples ''."
        )
    rows = torch.eye(len(EMOTIONS))[[6, 3, 4, 0, 5, 6]]
    with torch.inference_mode():
        noise = draw_noise(list(range(len(rows))), own.noise_dim)
        drawn = Drawer(network, own.noise_dim, torch.device("cpu")).faces(noise, rows, truncation)
    return to_pixels(drawn).clone(), rows


def paint(game: Translation, faces: Tensor, rows: Tensor) -> Image.Image:
    """A row for each face, uint8 [N, C, H, W]: itself, then all seven emotions."""
    images, eye = to_model(faces).to(game.device), torch.eye(len(EMOTIONS), device=game.device)
    source, drawn = game.read(images, rows.to(game.device)), []
    with torch.no_grad():
        for image, row in zip(images.split(1), source.split(1), strict=True):
            seven = image.expand(len(EMOTIONS), -1, -1, -1)
            whole = torch.ones(len(EMOTIONS), device=game.device)
            drawn += [image, game.average(seven, row.expand(len(EMOTIONS), -1), eye, whole)]
    return sheet(to_array(torch.cat(drawn)), columns=len(EMOTIONS) + 1)


def pair_source(
    config: TrainConfig, network: Any, training: data.Faces, truncation: float, game: Translation
) -> Source:
    """A generator's people, or photos that another translator changed: what --pairs names.

    Raises:
        FileNotFoundError, ValueError: none there, of another kind or size, or no photo of an emotion to change.
    """
    described = checkpoint.describe(Path(config.pairs))
    if preset(described.model, described.preset).kind == "translator":
        if missing := [EMOTIONS[label] for label in config.known() if not (training.labels == label).any()]:
            raise ValueError(
                f"No photo of Training shows {', '.join(missing)}: name the others with --emotions, or a generator"
                " with --pairs."
            )
        changer = helper(config.pairs, "translator", network, game.device, "paired=0")
        return Changed(training, changer.to(memory_format=torch.channels_last), game.device, game.dtype)  # type: ignore[call-overload]
    drawer = helper(config.pairs, "generator", network, game.device, "paired=0")
    return Drawn(Drawer(drawer, described.build_config().noise_dim, game.device), truncation)


def prepare(
    config: TrainConfig, accelerator: Accelerator
) -> tuple[Translation, data.Batches, tuple[Tensor, Tensor], dict[str, Any]]:
    """The networks, the batches, those of all processes, the faces of the grids, and what makes the run itself.

    Raises:
        ValueError, FileNotFoundError: data, helpers or settings that do not fit, in a sentence.
    """
    device = accelerator.device
    faces = data.load(config.data, size=config.size, channels=config.channels)
    faces = faces.subset(torch.isin(faces.labels, torch.tensor(config.known())))
    training = faces.split("Training")
    recipe = TRANSLATORS[config.preset]
    if training.votes is None and recipe.conditions != "onehot":
        recipe = replaced(recipe, conditions="onehot")
    network, recipe = run.override(
        config.set,
        preset("stargan", config.preset).config(image_size=config.size, channels=config.channels),
        recipe,
    )
    if recipe.conditions != "onehot" and len(config.known()) < len(EMOTIONS):
        recipe = replaced(recipe, conditions="onehot")  # votes know all seven
    teacher = helper(config.teacher, "classifier", network, device, "reads=false") if recipe.reads else None
    mapped, guide = bool(recipe.paired and recipe.alike), None
    if recipe.guide_weight or (recipe.lesson and recipe.lesson_reads) or mapped:
        guide = helper(config.guide, "classifier", network, device, "guide_weight=0")
    if mapped and not isinstance(guide, Teacher):
        raise ValueError(f"{config.guide} has no maps to compare faces by: name a guide, or --set alike=0.")
    embedder = helper(config.embedder, "embedder", network, device, "identity=0") if recipe.identity else None
    game = Translation(config.preset, network, recipe, config.seed, device, teacher, guide, embedder)
    if config.precision != "auto":
        game.dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
    if recipe.paired:
        game.pairs = Pairs(
            pair_source(config, network, training, recipe.typical, game),
            config.known(),
            count=recipe.pairs,
            partial=recipe.partial,
            trusted=recipe.trusted,
            read=game.read,
            seed=config.seed,
        )
        if game.pairs.short:
            few = ", ".join(f"{way} ({missing} missing)" for way, missing in game.pairs.short.items())
            accelerator.print(f"Too few pairs that the teacher trusts: {few}.")
    game.share = share_of(accelerator, recipe.batch)
    rows = data.conditions(training, recipe.conditions)
    if teacher is not None:  # once, rather than each time that a face is drawn
        rows = torch.cat([rows, game.readings(training.images).expand(*rows.shape)], dim=-1)
    batches = data.Batches(training.to(device), rows, recipe.batch, config.seed, recipe.power, recipe.flip)
    own = identity("stargan", config.preset, network, recipe, faces.fingerprint)
    return game, batches, examples(config, faces, recipe.typical), own


def train(config: TrainConfig, accelerator: Accelerator) -> str:
    """Runs until images, minutes or a signal say stop, and says which; see Recorder for what it writes."""
    game, batches, shown, own = prepare(config, accelerator)
    recipe, share, last = game.recipe, game.share, {}
    if config.resume:
        path = config.folder / run.STATE
        tensors, facts = run.load_state(path)
        last = recipe_changes(path, facts, own)
        batches.load_state(tensors.pop("rng.batches"))
        game.restore(tensors)
    session = Session(
        config,
        own,
        told(game.device, share.of, game.dtype, config.seed),
        last,
        accelerator,
        paint=lambda _: paint(game, *shown),
        average=game.average,
        state=lambda: game.state() | {"rng.batches": batches.state()},
        public=bool(config.examples),
    )
    with session, share.together():
        while session.going():
            if session.seen < recipe.lesson:
                session.add(game.lesson_gradients(recipe.batch // share.of))
                game.update("generator", accelerator)
                game.update_average(recipe.batch, session.seen + recipe.batch)
                session.advance(recipe.batch)
                continue
            real, named = map(share.rows, next(batches))
            real = real.contiguous(memory_format=torch.channels_last)
            emotion, source = named[:, :SEVEN], named[:, -SEVEN:]  # named, and read where there is a teacher
            target = share.rows(batches.draw_emotion(recipe.batch))[:, :SEVEN]
            game.slow(session.seen / config.images)
            penalise = recipe.gamma > 0 and session.step % recipe.penalty_every == 0
            session.add(game.discriminator_gradients(real, emotion, source, target, penalise=penalise))
            game.update("discriminator", accelerator)
            if (session.step + 1) % recipe.critics == 0:
                session.add(game.generator_gradients(real, emotion, source, target))
                game.update("generator", accelerator)
                game.update_average(recipe.batch * recipe.critics, session.seen + recipe.batch)
            session.advance(recipe.batch)
    session.finish()
    return session.sentence


def main() -> None:
    """The command line."""
    run.launch(TrainConfig, (__doc__ or "").splitlines()[0], train)


if __name__ == "__main__":
    main()
