"""Milliseconds a face on this machine, by way of running it: `python -m train.latency weights/stylegan`.

Every way is timed in this one process against plain eager float32, in turn and in many short rounds, so that
a busy neighbour hits all alike; the median counts. Its largest difference from the plain one, in 1/255, says
whether it draws the same face.
"""

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from fergan import checkpoint
from fergan.models import draw_noise, preset, stylegan
from train import run

Forward = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class LatencyConfig:
    """The words and flags of `python -m train.latency`."""

    checkpoints: tuple[str, ...] = field(default=(), metadata={"help": "checkpoint folders of generators"})
    rounds: int = field(default=30, metadata={"help": "timings of each way at each batch"})
    threads: int = field(default=0, metadata={"help": "threads of one forward pass; 0: torch's own choice"})
    compile: bool = field(default=True, metadata={"help": "also torch.compile, which takes a minute"})

    def __post_init__(self) -> None:
        if not self.checkpoints or self.rounds < 3 or self.threads < 0:
            raise ValueError("Name a checkpoint folder; --rounds is 3 or more, --threads 0 or more.")


def ways(network: nn.Module, *, compiled: bool) -> dict[str, Forward]:
    """Ways to run a generator, the plain one first."""

    def copied() -> nn.Module:
        return copy.deepcopy(network)

    last = copied().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    half = copied().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def in_bf16(noise: Tensor, emotion: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            image: Tensor = half(noise, emotion)
        return image

    found: dict[str, Forward] = {
        "eager float32": network,
        "channels last": last,
        "channels last, bfloat16": in_bf16,
    }
    if isinstance(network, stylegan.Generator):  # as the page runs it
        found["channels last, frozen"] = copied().to(memory_format=torch.channels_last).freeze()  # type: ignore[call-overload]
    if compiled:
        found["compiled"] = torch.compile(copied(), dynamic=False)
    return found


def measure(folder: Path, config: LatencyConfig) -> list[list[str]]:
    """Rows of the table for one model.

    Raises:
        ValueError: a broken checkpoint, or one that draws no faces from noise.
    """
    described, network = checkpoint.load(folder)
    if preset(described.model, described.preset).kind != "generator":
        raise ValueError(f"{folder} draws no faces from noise: train.latency times generators.")
    noise_dim, rows = int(described.build_config().noise_dim), []
    forwards = ways(network, compiled=config.compile)
    for batch in (1, 16):
        noise, emotion = draw_noise(list(range(batch)), noise_dim), torch.eye(7)[torch.arange(batch) % 7]
        times: dict[str, list[float]] = {name: [] for name in forwards}
        with torch.inference_mode():
            drawn = {name: forward(noise, emotion) for name, forward in forwards.items()}
            for _ in tqdm(range(config.rounds), desc=f"{folder.name}, batch {batch}", leave=False):
                for name, forward in forwards.items():
                    began = time.perf_counter()
                    forward(noise, emotion)
                    times[name].append(1000 * (time.perf_counter() - began) / batch)
        plain = drawn["eager float32"]
        base = statistics.median(times["eager float32"])
        for name, taken in times.items():
            middle = statistics.median(taken)
            off = float((drawn[name] - plain).abs().max()) * 127.5
            rows.append(
                [folder.name, str(batch), name, f"{middle:.2f}", f"{base / middle:.1f}", f"{off:.2f}"]
            )
    return rows


def main() -> None:
    """The command line: prints the table as Markdown."""
    config = run.parse_args(LatencyConfig, (__doc__ or "").splitlines()[0])
    if config.threads:
        torch.set_num_threads(config.threads)
    try:
        rows = [row for name in config.checkpoints for row in measure(Path(name), config)]
    except (OSError, ValueError) as error:
        run.fail(f"Nothing was timed: {error}")
    print(f"CPU, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print("| model | batch | way | ms a face | times eager | off by, of 255 |")
    print("| --- | ---: | --- | ---: | ---: | ---: |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(f"\n`{run.command('train.latency', config, *config.checkpoints)}`")


if __name__ == "__main__":
    main()
