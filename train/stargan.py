"""Train a translator of expressions: `python -m train.stargan --data PATH --teacher weights/teacher`.

First a lesson: of pairs of one face with two emotions the second is made of the first. Then the game: a face, read
softly by the teacher, is changed towards another emotion, wholly or by a part; the discriminator compares it with real
faces, each under its own; there and back again must be the face. What ships has had the lesson alone.
"""

from dataclasses import dataclass, field
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from PIL import Image
from torch import Tensor

from fergan import checkpoint, data
from fergan.batches import Batches
from fergan.emotions import EMOTIONS, index, one_hot
from fergan.images import sheet, to_array, to_model, to_pixels
from fergan.models import draw_noise, preset
from fergan.models.classifier import Teacher
from fergan.models.layers import FaceGenerator
from fergan.moments import Drawer
from train import run, states
from train.helpers import helper
from train.pairs import Changed, Drawn, Pairs, Source
from train.processes import share_of
from train.recipes import TRANSLATORS
from train.record import identity, recipe_changes, told
from train.session import Session
from train.start import StartFlags, alone, start
from train.translator import Translation

SHOWN = 6  # faces of a grid
SEVEN = len(EMOTIONS)


@dataclass(frozen=True)
class TrainConfig(StartFlags):
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
    if not isinstance(network, FaceGenerator):
        raise ValueError(
            f"{config.examples} holds {described.model} {described.preset}, which draws no faces."
        )
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
    assert isinstance(drawer, FaceGenerator)
    return Drawn(Drawer(drawer, described.build_config().noise_dim, game.device), truncation)


def prepare(
    config: TrainConfig, accelerator: Accelerator
) -> tuple[Translation, Batches, tuple[Tensor, Tensor], dict[str, Any]]:
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
        if recipe.lesson and recipe.lesson_reads:
            game.hear(faces.split("PublicTest"))
        if game.pairs.short:
            few = ", ".join(f"{way} ({missing} missing)" for way, missing in game.pairs.short.items())
            accelerator.print(f"Too few pairs that the teacher trusts: {few}.")
    game.share = share_of(accelerator, recipe.batch)
    rows = data.conditions(training, recipe.conditions)
    if teacher is not None:  # once, rather than each time that a face is drawn
        rows = torch.cat([rows, game.readings(training.images).expand(*rows.shape)], dim=-1)
    batches = Batches(training.to(device), rows, recipe.batch, config.seed, recipe.power, recipe.flip)
    own = identity("stargan", config.preset, network, recipe, faces)
    own["emotions"] = ",".join(EMOTIONS[label] for label in config.known())
    return game, batches, examples(config, faces, recipe.typical), own


def train(config: TrainConfig, accelerator: Accelerator) -> str:
    """Runs until images, minutes or a signal say stop, and says which; see Recorder for what it writes.

    Raises:
        ValueError, FileNotFoundError: a folder, data or settings that do not fit, in a sentence.
    """
    if not config.resume:
        states.vacant(config.folder)
    game, batches, shown, own = prepare(config, accelerator)
    recipe, share = game.recipe, game.share
    if config.resume:
        path = config.folder / states.FILE
        tensors, facts = states.load(path)
        last = recipe_changes(path, facts, own)
        batches.load_state(tensors.pop("rng.batches"))
        game.restore(tensors)
    else:
        last = start(config, own, game, config.folder, accelerator)
    session = Session(
        config,
        own,
        told(game.device, share.of, game.dtype, config.seed) | {"emotions": own["emotions"]},
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
            if (session.step + 1) % recipe.critics == 0 and not alone(config, last, session.seen):
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
