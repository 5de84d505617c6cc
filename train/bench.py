"""Images a second of our training step and data path, beside a plain loop: `python -m train.bench --data PATH`.

The plain loop is what one would write first: a Dataset that gives one face at a time, a DataLoader, float32,
the same network with the same losses, every row timed in this one process. A translator's (`--model stargan`) is the
paper's: our network, trained as Choi et al. 2018 do, five updates of the critic to one of the generator. What counts
is images that the generator learns from.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from fergan import data
from fergan.batches import Batches
from fergan.images import to_model
from fergan.models import preset
from train import run
from train.game import Game
from train.gan import GANS
from train.players import Players
from train.recipes import RECIPES, TRANSLATORS
from train.stargan import SEVEN, TrainConfig, prepare
from train.translator import Translation

Work = dict[str, Callable[[], int]]
"""What is timed, by name: a call does it once, and returns the images that it did."""


@dataclass(frozen=True)
class BenchConfig:
    """The flags of `python -m train.bench`."""

    data: str = field(metadata={"help": "FER2013: the CSV, the image folders or the packed form"})
    model: str = field(default="acgan", metadata={"help": "one of " + ", ".join([*GANS, "stargan"])})
    set: str = field(default="", metadata={"help": "changes to model and recipe, as 'width=48 batch=32'"})
    seconds: float = field(default=10.0, metadata={"help": "time for each row of the table"})
    cpu: bool = field(default=False, metadata={"help": "the CPU even where there is a GPU"})

    def __post_init__(self) -> None:
        if self.model != "stargan" and (self.model, "fixed") not in RECIPES:
            raise ValueError(f"train.bench knows {', '.join(GANS)} and stargan; got {self.model!r}.")
        if self.seconds <= 0:
            raise ValueError("--seconds must be above 0.")


class PlainFaces(Dataset[tuple[Tensor, Tensor]]):
    """One face at a time: cast, flip, range."""

    def __init__(self, faces: data.Faces, rows: Tensor) -> None:
        self.images, self.rows = faces.images.cpu(), rows.cpu()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = to_model(self.images[index])
        return image.flip(-1) if torch.rand(()) < 0.5 else image, self.rows[index]


def forever(loader: DataLoader[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """A loader's batches, epoch after epoch."""
    while True:
        yield from loader


def channels_last(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The batch with its images in the layout that train.gan gives them."""
    return batch[0].contiguous(memory_format=torch.channels_last), batch[1]


def rate(work: Callable[[], int], seconds: float, device: torch.device) -> float:
    """Images a second of `work`, which returns the images it did, after three calls to warm up."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    for _ in range(3):
        work()
    wait()
    images, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        images += work()
    wait()
    return images / (time.perf_counter() - began)


def stepper(
    game: Game, batches: Iterator[tuple[Tensor, Tensor]], accelerator: Accelerator
) -> Callable[[], int]:
    """One training step of both networks, as train.gan takes it, each time it is called."""
    steps = itertools.count()

    def step() -> int:
        real, emotion = (part.to(game.device) for part in next(batches))
        penalise = next(steps) % game.recipe.penalty_every == 0
        game.discriminator_gradients(real, emotion, emotion, penalise=penalise)
        game.update("discriminator", accelerator)
        game.generator_gradients(real, emotion, emotion)
        game.update("generator", accelerator)
        game.update_average(len(real), 10**9)
        return len(real)

    return step


def translation_stepper(
    game: Translation, batches: Iterator[tuple[Tensor, Tensor]], accelerator: Accelerator
) -> Callable[[], int]:
    """One step, as train.stargan takes it after the lesson, each time it is called."""
    steps, recipe = itertools.count(1), game.recipe

    def step() -> int:
        real, named = (part.to(game.device) for part in next(batches))
        number = next(steps)
        emotion, source = named[:, :SEVEN], named[:, -SEVEN:]
        target = emotion.roll(1, 0)
        penalise = recipe.gamma > 0 and number % recipe.penalty_every == 0
        game.discriminator_gradients(real, emotion, source, target, penalise=penalise)
        game.update("discriminator", accelerator)
        if number % recipe.critics:
            return 0
        game.generator_gradients(real, emotion, source, target)
        game.update("generator", accelerator)
        game.update_average(len(real), 10**9)
        return len(real)

    return step


def plainly(game: Players) -> None:
    """Makes it what one would write first: float32, the usual layout, the usual Adam."""
    game.dtype = torch.float32
    for name, network in (("generator", game.generator), ("discriminator", game.discriminator)):
        network.to(memory_format=torch.contiguous_format)
        rate = game.optimizers[name].param_groups[0]["lr"]
        game.optimizers[name] = torch.optim.Adam(network.parameters(), rate)


def translator(config: BenchConfig, accelerator: Accelerator) -> tuple[Work, int]:
    """What is timed of a translator, and its batch; helpers come from weights/, as train.stargan takes them.

    Raises:
        OSError, ValueError: data, helpers or settings that do not fit, in a sentence.
    """
    flags = TrainConfig(config.data, set=config.set, cpu=config.cpu, images=10**9)
    game, ours, _, own = prepare(flags, accelerator)
    network = preset("stargan", "fixed").config(**own["config"])
    reference = replace(TRANSLATORS["published"], batch=game.recipe.batch)
    slow = Translation("fixed", network, reference, 0, game.device)
    plainly(slow)
    faces = data.load(config.data).split("Training")
    plain = plain_batches(faces, game.recipe.batch)
    work = data_work(plain, ours, game.device) | {
        "training step, the paper's loop in float32": translation_stepper(slow, plain, accelerator),
        ours_named(game): translation_stepper(game, map(channels_last, ours), accelerator),
    }
    return work, game.recipe.batch


def gan(config: BenchConfig, accelerator: Accelerator) -> tuple[Work, int]:
    """What is timed of a GAN, and its batch.

    Raises:
        OSError, ValueError: data or settings that do not fit, in a sentence.
    """
    device = accelerator.device
    faces = data.load(config.data).split("Training")
    settings, recipe = run.override(
        config.set, preset(config.model, "fixed").config(), RECIPES[config.model, "fixed"]
    )
    if faces.votes is None:
        recipe = replace(recipe, conditions="onehot")
    ours = Batches(faces.to(device), data.conditions(faces, recipe.conditions), recipe.batch, 0)
    plain = plain_batches(faces, recipe.batch)
    game, slow = (Game(config.model, "fixed", settings, recipe, 0, device) for _ in range(2))
    plainly(slow)
    work = data_work(plain, ours, device) | {
        "training step, plain float32 loop": stepper(slow, plain, accelerator),
        ours_named(game): stepper(game, map(channels_last, ours), accelerator),
    }
    return work, recipe.batch


def plain_batches(faces: data.Faces, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of a DataLoader, epoch after epoch."""
    rows = data.conditions(faces, "onehot")
    return forever(DataLoader(PlainFaces(faces, rows), batch, shuffle=True, drop_last=True))


def data_work(plain: Iterator[tuple[Tensor, Tensor]], ours: Batches, device: torch.device) -> Work:
    """The two ways to batches."""
    return {
        "data path, plain DataLoader": lambda: len(next(plain)[0].to(device)),
        "data path, ours": lambda: len(next(ours)[0]),
    }


def ours_named(game: Players) -> str:
    """The row of our own step."""
    return f"training step, ours ({str(game.dtype).removeprefix('torch.')}, channels last)"


def main() -> None:
    """The command line: prints the table as Markdown."""
    config = run.parse_args(BenchConfig, (__doc__ or "").splitlines()[0])
    run.quick()  # as trainings are
    accelerator = Accelerator(cpu=config.cpu)
    device = accelerator.device
    try:
        work, batch = (translator if config.model == "stargan" else gan)(config, accelerator)
    except (OSError, ValueError) as error:
        run.fail(str(error))
    rates = {name: rate(task, config.seconds, device) for name, task in tqdm(work.items(), leave=False)}
    where = (
        torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    )
    print(f"{config.model}, batch {batch}, {where}, torch {torch.__version__}\n")
    print("| what | images a second | times the plain one |\n| --- | --- | --- |")
    values = list(rates.values())
    for (name, value), base in zip(rates.items(), (values[0], values[0], values[2], values[2]), strict=True):
        print(f"| {name} | {value:,.0f} | {value / base:.1f} |")
    print(f"\nOur data path takes {values[3] / values[1]:.1%} of our training step.")


if __name__ == "__main__":
    main()
