"""What every training needs around its loop: flags, stopping, logs, averages."""

import argparse
import dataclasses
import json
import math
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from fergan.checkpoint import replace_file

T = TypeVar("T")


class Joined(argparse.Action):
    """A flag that may be given more than once: its words are put one behind the other."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Adds the words to those that came before."""
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, f"{before} {values}" if before else values)


def parse_args(cls: type[T], description: str, argv: Sequence[str] | None = None) -> T:
    """A frozen dataclass of int, float, str and bool fields, filled from flags of the same names.

    `metadata={"help": ...}` of a field is its help; a field without a default is required. A field of type
    tuple[str, ...] is no flag: it takes the words that stand without one. `set`, given more than once, is all of them.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.type == tuple[str, ...]:
            parser.add_argument(field.name, nargs="*", default=field.default, help=field.metadata.get("help"))
            continue
        required = field.default is dataclasses.MISSING
        options: dict[str, Any] = {"help": field.metadata.get("help", " "), "required": required}
        if not required:
            options["default"] = field.default
        if field.type is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["type"] = field.type
            options["metavar"] = str(getattr(field.type, "__name__", field.type)).upper()
        if field.name == "set":
            options["action"] = Joined
        parser.add_argument("--" + field.name.replace("_", "-"), **options)
    given = vars(parser.parse_args(argv))
    try:
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in given.items()})
    except (OSError, ValueError) as error:
        parser.error(str(error))


@dataclasses.dataclass(frozen=True)
class TrainFlags:
    """The flags that every training has."""

    data: str = dataclasses.field(metadata={"help": "FER2013: the CSV, the image folders or the packed form"})
    out: str = dataclasses.field(
        default="", metadata={"help": "folder of the run; empty: named by the model"}
    )
    images: int = dataclasses.field(
        default=0, metadata={"help": "stop after this many images seen; 0: the recipe's"}
    )
    minutes: float = dataclasses.field(
        default=0.0, metadata={"help": "stop after this many minutes; 0: no limit"}
    )
    resume: bool = dataclasses.field(default=False, metadata={"help": "go on from the run's last state"})
    set: str = dataclasses.field(
        default="", metadata={"help": "changes to model and recipe, as 'width=48 batch=32'"}
    )
    seed: int = dataclasses.field(default=0, metadata={"help": "of all that is drawn at random"})
    size: int = dataclasses.field(default=48, metadata={"help": "height and width of the images"})
    channels: int = dataclasses.field(default=1, metadata={"help": "1 for grey, 3 for colour"})
    cpu: bool = dataclasses.field(
        default=False, metadata={"help": "train on the CPU even where there is a GPU"}
    )
    precision: str = dataclasses.field(default="auto", metadata={"help": "auto, bf16 or fp32"})
    save_minutes: float = dataclasses.field(default=5.0, metadata={"help": "minutes between saved states"})

    def __post_init__(self) -> None:
        if min(self.images, self.minutes) < 0 or self.save_minutes <= 0:
            raise ValueError("--images and --minutes must be 0 or more, --save-minutes above 0.")
        if self.precision not in ("auto", "bf16", "fp32"):
            raise ValueError(f"--precision is auto, bf16 or fp32; got {self.precision!r}.")

    @property
    def folder(self) -> Path:
        """Where the run's files go."""
        return Path(self.out)


F = TypeVar("F", bound=TrainFlags)


def launch(flags: type[F], description: str, train: Callable[[F, Accelerator], str]) -> None:
    """A training's command line: says what came of it, and what went wrong in a sentence."""
    config = parse_args(flags, description)
    quick()
    accelerator = Accelerator(cpu=config.cpu)
    try:
        accelerator.print(train(config, accelerator))
    except FloatingPointError as error:
        fail(f"{error} The last good state is in {config.folder}: resume it, or lower the learning rate.")
    except (OSError, ValueError) as error:
        fail(f"Training stopped: {error}")
    finally:
        accelerator.end_training()


def quick() -> None:
    """From here on a GPU multiplies in TF32, and tries which convolution is the fastest: how trainings run."""
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True


@contextmanager
def exact() -> Iterator[None]:
    """Within, a GPU multiplies in full float32, as a CPU does: what is measured is the same on both."""
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before[0]
        torch.set_float32_matmul_precision(before[1])


def measure(flags: type[T], description: str, work: Callable[[T], str], failed: str) -> None:
    """A measuring script's command line: prints what the work found, or `failed` and why, in a sentence."""
    config = parse_args(flags, description)
    try:
        with exact():
            print(work(config))
    except (OSError, ValueError) as error:
        fail(f"{failed}: {error}")


def command(module: str, config: Any, *words: str, without: Sequence[str] = ()) -> str:
    """The command line that asks for this again: the words, then each flag that is not as its default."""
    line = ["python", "-m", module, *words]
    for flag in dataclasses.fields(config):
        value, name = getattr(config, flag.name), "--" + flag.name.replace("_", "-")
        if flag.type == tuple[str, ...] or flag.name in without or value == flag.default:
            continue
        line += (
            [f"--no-{name[2:]}" if value is False else name]
            if isinstance(value, bool)
            else [name, str(value)]
        )
    return shlex.join(line)


def override(settings: str, *targets: Any) -> list[Any]:
    """Copies of frozen dataclasses with "name=value name=value" set in whichever has the field.

    Raises:
        ValueError: no "=", a name that none or more than one of them has, or a value of another type.
    """
    changes: list[dict[str, Any]] = [{} for _ in targets]
    for setting in settings.split():
        name, equals, text = setting.partition("=")
        owners = [i for i, t in enumerate(targets) if name in {f.name for f in dataclasses.fields(t)}]
        if not equals or not owners:
            known = sorted({f.name for t in targets for f in dataclasses.fields(t)})
            raise ValueError(f"--set takes name=value with a name of {', '.join(known)}; got {setting!r}.")
        for owner in owners:
            kind = type(getattr(targets[owner], name))
            try:
                value = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
            except (KeyError, ValueError):
                raise ValueError(
                    f"--set {name} needs a value of type {kind.__name__}, got {text!r}."
                ) from None
            changes[owner][name] = value
    return [dataclasses.replace(t, **c) for t, c in zip(targets, changes, strict=True)]


def fast_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the machine multiplies it in hardware, else float32."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":  # without AMX or AVX512-BF16 the type is emulated and slow
        fast = any(
            getattr(torch.cpu, name, bool)()
            for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        )
    else:
        fast = False
    return torch.bfloat16 if fast else torch.float32


def cosine(rate: float, progress: float) -> float:
    """The learning rate at a share of the run, in [0, 1]: a warm-up of 2 % to `rate`, then a cosine to 0.

    Loshchilov & Hutter 2017, eq. 5, without restarts.
    """
    return rate * min(1.0, progress / 0.02) * (1 + math.cos(math.pi * progress)) / 2


class Stopper:
    """Says when to stop: images seen, minutes since it was made, or a signal, whichever comes first."""

    def __init__(self, images: int, minutes: float) -> None:
        self.images, self.minutes = images, minutes
        self.began = time.monotonic()
        self.signal: str | None = None

    @property
    def elapsed(self) -> float:
        """Minutes since it was made."""
        return (time.monotonic() - self.began) / 60

    @property
    def left(self) -> float:
        """Minutes until it says stop; infinite where it has no limit of time."""
        return max(0.0, self.minutes - self.elapsed) if self.minutes else math.inf

    def reason(self, seen: int, accelerator: Accelerator) -> str | None:
        """Why to stop after `seen` images, or None to go on; all processes give the same answer."""
        if seen >= self.images:
            return f"{seen:,} images seen"
        over = f"{self.minutes:g} minutes over" if 0 < self.minutes <= self.elapsed else None
        own = self.signal or over
        if accelerator.num_processes == 1:
            return own
        flags = [float(self.signal is not None), float(own is not None)]
        signals, asked = accelerator.reduce(torch.tensor(flags, device=accelerator.device)).tolist()
        if signals:  # a run that a signal broke off ends otherwise, and so in all of them
            self.signal = self.signal or "a signal to another process"
        return (own or "another process stopped") if asked else None

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Within, Ctrl-C and SIGTERM ask for a stop after the step; a second one ends the process."""

        def ask(number: int, frame: FrameType | None) -> None:
            self.signal = signal.Signals(number).name
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@torch.no_grad()
def ema_update(average: nn.Module, model: nn.Module, keep: float) -> None:
    """average = keep * average + (1 - keep) * model, parameters and floating-point buffers alike.

    Averaging the running statistics too matters: with parameters alone they would stay as they began.
    """
    ours, theirs = average.state_dict(), model.state_dict()
    if ours.keys() != theirs.keys():
        raise ValueError("The average and the model have different layers.")
    moving = [name for name, tensor in theirs.items() if tensor.is_floating_point()]
    # in one piece: a GPU would be asked once for each layer
    torch._foreach_lerp_([ours[name] for name in moving], [theirs[name] for name in moving], 1 - keep)
    for name in theirs.keys() - set(moving):
        ours[name].copy_(theirs[name])


def average_gradients(network: nn.Module, accelerator: Accelerator) -> None:
    """Replaces each gradient by its mean over the processes, in one exchange.

    Done by hand, as StyleGAN3 does, because a wrapper that reduces inside backward() knows one forward pass
    for each backward, and a GAN step with a penalty has several.
    """
    if accelerator.num_processes == 1:
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    flat = accelerator.reduce(torch.cat([g.flatten() for g in gradients]), reduction="mean")
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


class Means:
    """Running means of named losses, kept on the device until they are read: reading waits for a GPU."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, parts: dict[str, Tensor]) -> None:
        """One step's losses, scalars."""
        for name, value in parts.items():
            value = value.detach().float()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        """The means since the last reading.

        Raises:
            FloatingPointError: one of them is not finite.
        """
        self.check()
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means

    def check(self) -> None:
        """Raises FloatingPointError where a loss since the last reading is not finite."""
        if bad := [name for name, total in self._sums.items() if not math.isfinite(float(total))]:
            raise FloatingPointError(f"The loss {', '.join(bad)} is not finite.")


class Log:
    """log.jsonl and TensorBoard events of a run; on resuming, lines past the state are cut off."""

    def __init__(self, folder: Path, seen: int) -> None:
        path = folder / "log.jsonl"
        lines = path.read_text("utf-8").splitlines(keepends=True) if path.is_file() and seen else []
        if lines and not lines[-1].endswith("\n"):  # torn by a full disk or a cut, and past the state
            del lines[-1]
        kept = "".join(line for line in lines if json.loads(line)["images_seen"] <= seen)
        replace_file(path, kept.encode())
        self._file = path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=seen)

    def write(self, seen: int, values: dict[str, float]) -> None:
        """One line, and one point of each curve, at `seen` images."""
        self._file.write(
            json.dumps({"images_seen": seen, **{k: round(v, 6) for k, v in values.items()}}) + "\n"
        )
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, seen)

    def note(self, seen: int, words: str, about: str) -> None:
        """One line that holds no numbers: what a person should know of, and what that concerns."""
        self._file.write(json.dumps({"images_seen": seen, "note": words, "about": about}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Writes out what is left."""
        self._file.close()
        self._board.close()


def fail(message: str) -> None:
    """Ends the process with a sentence rather than a trace."""
    print(message, file=sys.stderr)
    raise SystemExit(1)
