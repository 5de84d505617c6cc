"""Train a conditional GAN on faces: `python -m train.gan --model acgan --data PATH`."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from fergan import checkpoint, data
from fergan.batches import Batches
from fergan.emotions import EMOTIONS, index
from fergan.models import preset
from fergan.models.dcgan import ALL
from train import bank, run, states
from train.game import Game
from train.helpers import helper
from train.processes import share_of
from train.recipes import RECIPES, Recipe
from train.record import grid, identity, recipe_changes, told
from train.session import Session
from train.start import StartFlags, alone, begun, start

GANS = tuple(dict.fromkeys(model for model, _ in RECIPES))


@dataclass(frozen=True)
class TrainConfig(StartFlags):
    """The flags of `python -m train.gan`."""

    model: str = field(default="acgan", metadata={"help": "one of " + ", ".join(GANS)})
    preset: str = field(
        default="fixed", metadata={"help": "fixed (ours) or published (the student project's)"}
    )
    emotion: str = field(
        default="",
        metadata={
            "help": "dcgan: train the network of one emotion alone, or `all`: one for all; empty: first that, then seven"
        },
    )
    guide: str = field(
        default="weights/guided",
        metadata={
            "help": "checkpoint of a guide, or of a guided translator, that guide_weight asks; never the judge"
        },
    )
    keep: int = field(default=100_000, metadata={"help": "images between kept checkpoints"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.model, self.preset) not in RECIPES:
            preset(self.model, self.preset)
            raise ValueError(f"{self.model} is no GAN: train.gan trains {', '.join(GANS)}.")
        if self.keep < 1:
            raise ValueError(f"--keep must be above 0, got {self.keep}.")
        if self.emotion and self.model != "dcgan":
            raise ValueError(f"--emotion is for dcgan, a network for each; {self.model} knows all seven.")
        if self.emotion and self.emotion != ALL:
            index(self.emotion)
        if self.start and self.model == "dcgan" and not self.emotion:
            raise ValueError(
                "--start takes one network: name a dcgan's by --emotion, or train the bank anew."
            )
        if self.push_to and self.model == "dcgan" and not self.emotion:
            raise ValueError(
                "--push-to takes one network: push a dcgan's bank, once joined, with train.push."
            )

    @property
    def folder(self) -> Path:
        """Where the run's files go."""
        return Path(self.out or f"runs/{self.model}-{self.preset}")


def settings(config: TrainConfig, *, votes: bool = True, **known: str) -> tuple[Any, Recipe]:
    """The networks' config and the recipe, with the flags' changes; `known`: fields that no flag sets.

    Raises:
        ValueError: a change that does not fit.
    """
    recipe = RECIPES[config.model, config.preset]
    if not votes and recipe.conditions != "onehot":
        recipe = dataclasses.replace(recipe, conditions="onehot")
    network = preset(config.model, config.preset).config(
        image_size=config.size, channels=config.channels, **known
    )
    model_config, recipe = run.override(config.set, network, recipe)
    return model_config, recipe


def prepare(config: TrainConfig, accelerator: Accelerator) -> tuple[Game, Batches, dict[str, Any]]:
    """The networks, the batches on the device, those of all processes, and what makes the run itself.

    Raises:
        ValueError, FileNotFoundError: data or settings that do not fit, in a sentence.
    """
    faces = data.load(config.data, size=config.size, channels=config.channels)
    training, known = faces.split("Training"), {}
    if config.emotion and config.emotion != ALL:
        training = training.subset(training.labels == index(config.emotion))
    if config.emotion:
        known = {"emotions": config.emotion}
    model_config, recipe = settings(config, votes=training.votes is not None, **known)
    device, guide = accelerator.device, None
    if recipe.guide_weight and config.emotion != ALL:
        guide = helper(config.guide, "classifier", model_config, device, "guide_weight=0")
    game = Game(config.model, config.preset, model_config, recipe, config.seed, device, guide)
    game.share = share_of(accelerator, recipe.batch)
    if config.precision != "auto":
        game.dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
    rows = data.conditions(training, recipe.conditions)
    batches = Batches(
        training.to(accelerator.device),
        rows,
        recipe.batch,
        config.seed,
        recipe.power,
        recipe.flip,
        recipe.fake_power,
    )
    return game, batches, identity(config.model, config.preset, model_config, recipe, faces)


def resume(path: Path, own: dict[str, Any], game: Game, batches: Batches) -> dict[str, Any]:
    """Puts a state file back.

    The recipe may be another one, a lower learning rate say: the facts returned keep a list of such changes.

    Raises:
        FileNotFoundError: no state there.
        ValueError: a state of another model, config or data.
    """
    tensors, facts = states.load(path)
    facts = recipe_changes(path, facts, own)
    batches.load_state(tensors.pop("rng.batches"))
    game.restore(tensors)
    return facts


def train(config: TrainConfig, accelerator: Accelerator) -> str:
    """Runs until images, minutes or a signal say stop, and says which; see Recorder for what it writes.

    A model with a network for each emotion is trained one by one, the minutes shared out by images, and then joined.
    """
    if config.model != "dcgan" or config.emotion:
        return sit(config, accelerator).sentence
    return train_bank(config, accelerator)


def train_bank(config: TrainConfig, accelerator: Accelerator) -> str:
    """A network for all emotions, as long as the recipe says, then one for each that begins as it ended.

    Raises:
        ValueError: the folder holds networks that a new start would write over.
    """
    recipe = settings(config)[1]
    folders = {name: config.folder / name for name in EMOTIONS}
    base = config.folder / ALL if recipe.together else None
    begun = [folder for folder in folders.values() if (folder / states.FILE).is_file()]
    if not config.resume:
        for folder in folders.values():
            states.vacant(folder)
    own = config.images or recipe.images
    whole = own * len(folders) + recipe.together

    def seat(folder: Path, emotion: str, images: int, before: int = 0) -> Session:
        going_on = (folder / states.FILE).is_file() and (config.resume or before > 0)
        part = dataclasses.replace(
            config,
            emotion=emotion,
            out=str(folder),
            images=before + images,
            minutes=config.minutes * images / whole,
            resume=going_on,
            opponent="" if going_on else config.opponent,
        )
        session = sit(part, accelerator)
        accelerator.print(f"{emotion}: {session.sentence}")
        accelerator.wait_for_everyone()  # until its files are written
        return session

    stopped, before = "Stopped by a signal before all emotions were trained; go on with --resume.", 0
    if base:
        if not begun and seat(base, ALL, recipe.together).stopper.signal:
            return stopped
        before = checkpoint.describe(bank.last(base)).images_seen
    for name, folder in folders.items():
        if base and folder not in begun:
            if accelerator.is_main_process:
                bank.begin(base, folder, name)
            accelerator.wait_for_everyone()
        if seat(folder, name, own, before).stopper.signal:
            return stopped
    if accelerator.is_main_process:
        bank.join(list(folders.values()), config.folder / "bank", base)
    return f"The networks of all emotions are in {config.folder / 'bank'}."


def sit(config: TrainConfig, accelerator: Accelerator) -> Session:
    """One sitting at one run, to its end.

    Raises:
        ValueError, FileNotFoundError: a folder, data or settings that do not fit, in a sentence.
    """
    if not config.resume:
        states.vacant(config.folder)
    game, batches, own = prepare(config, accelerator)
    recipe, share = game.recipe, game.share
    if config.resume:
        last = resume(config.folder / states.FILE, own, game, batches)
    else:
        last = start(config, own, game, config.folder, accelerator)
    session = Session(
        dataclasses.replace(config, images=config.images or begun(last) + recipe.images),
        own,
        told(game.device, share.of, game.dtype, config.seed),
        last,
        accelerator,
        paint=lambda generator: grid(generator, game.noise_dim, game.device),
        average=game.average,
        state=lambda: game.state() | {"rng.batches": batches.state()},
        opponent=game.discriminator,
    )
    with session, share.together():
        while session.going():
            real, emotion = map(share.rows, next(batches))
            if recipe.unit_range:
                real = (real + 1) / 2
            real = real.contiguous(memory_format=torch.channels_last)
            if recipe.split_updates:
                fake_emotion = share.rows(batches.draw_emotion(recipe.batch))
                fake = game.draw_for_discriminator(fake_emotion)
                session.add(game.half_discriminator_gradients(real, emotion, real=True))
                game.update("discriminator", accelerator)
                session.add(game.half_discriminator_gradients(fake, fake_emotion, real=False))
                game.update("discriminator", accelerator)
                fake_emotion = share.rows(batches.draw_emotion(recipe.batch))
            else:  # a fake is compared with a real face of the same emotion
                fake_emotion = emotion
                penalise = recipe.gamma > 0 and session.step % recipe.penalty_every == 0
                session.add(game.discriminator_gradients(real, emotion, fake_emotion, penalise=penalise))
                game.update("discriminator", accelerator)
            if not alone(config, last, session.seen):
                session.add(game.generator_gradients(real, emotion, fake_emotion))
                game.update("generator", accelerator)
                game.update_average(recipe.batch, session.seen + recipe.batch)
            session.advance(recipe.batch)
    session.finish()
    return session


def main() -> None:
    """The command line."""
    run.launch(TrainConfig, (__doc__ or "").splitlines()[0], train)


if __name__ == "__main__":
    main()
