"""What a GAN's training leaves behind: state, grids, kept checkpoints, an evolution to play."""

import dataclasses
import io
import math
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from fergan.card import write_card
from fergan.checkpoint import Checkpoint, replace_file
from fergan.checkpoint import save as save_checkpoint
from fergan.emotions import EMOTIONS
from fergan.images import sheet, to_array
from fergan.models import draw_noise
from train import run
from train.recipes import Recipe

GRID_SEEDS = list(range(6))
"""The faces of every grid: the page draws the same ones for these seeds."""
CAPTION = 16
"""Pixels under a grid for the count of images."""


def grid(generator: nn.Module, noise_dim: int, device: torch.device) -> Image.Image:
    """Six fixed seeds, a row each, under the seven emotions, a column each."""
    noise = draw_noise(GRID_SEEDS, noise_dim).repeat_interleave(len(EMOTIONS), 0).to(device)
    emotion = torch.eye(len(EMOTIONS), device=device).repeat(len(GRID_SEEDS), 1)
    with torch.no_grad():
        return sheet(to_array(generator(noise, emotion)), columns=len(EMOTIONS))


def next_frame(seen: int) -> int:
    """The images seen at which the next grid is due: powers of two from 512, and halfway between them."""
    power = 2 ** math.floor(math.log2(max(seen, 512)))
    return power * 3 // 2 if seen < power * 3 // 2 else power * 2


def evolution(frames: Path) -> bytes:
    """A run's grids, PNGs named by images seen, as one animated WebP; empty where there is none."""
    pages = []
    for path in sorted(frames.glob("*.png")):
        with Image.open(path) as picture:
            mode = "RGB" if picture.mode == "RGB" else "L"
            page = Image.new(mode, (picture.width, picture.height + CAPTION), "white")
            page.paste(picture)
        ImageDraw.Draw(page).text((4, picture.height + 2), f"{int(path.stem):,} images seen", fill="black")
        pages.append(page)
    if not pages:
        return b""
    buffer = io.BytesIO()
    durations = [400] * (len(pages) - 1) + [3000]
    pages[0].save(
        buffer, "WEBP", save_all=True, append_images=pages[1:], duration=durations, loop=0, quality=80
    )
    return buffer.getvalue()


@dataclasses.dataclass(frozen=True)
class Recorder:
    """Writes the files of one run. Only the main process has one; every file is replaced whole."""

    folder: Path
    identity: dict[str, Any]
    """What makes the run itself: model, preset, config, recipe, data."""
    training: dict[str, Any]
    """Facts for the checkpoint's config: device, precision, seed, processes."""
    changes: list[dict[str, Any]]
    """What the recipe changed to on the way: images seen, and [before, after] by field."""

    def __post_init__(self) -> None:
        (self.folder / "frames").mkdir(parents=True, exist_ok=True)

    def save_state(self, tensors: dict[str, Tensor], step: int, seen: int, minutes: float) -> None:
        """Everything that the next step depends on, in one file."""
        facts = {**self.identity, "changes": self.changes, "step": step, "seen": seen, "minutes": minutes}
        run.save_state(self.folder / run.STATE, tensors, facts)

    def frame(self, generator: nn.Module, seen: int) -> None:
        """The grid of now."""
        device = next(generator.parameters()).device
        buffer = io.BytesIO()
        grid(generator, self.identity["config"]["noise_dim"], device).save(buffer, "PNG")
        replace_file(self.folder / "frames" / f"{seen:010d}.png", buffer.getvalue())

    def keep(self, generator: nn.Module, step: int, seen: int, minutes: float) -> None:
        """A checkpoint, whole: copied to weights/<name> or pushed to the Hub as it is."""
        folder = self.folder / "checkpoints" / f"{seen:010d}"
        described = Checkpoint(
            model=self.identity["model"],
            preset=self.identity["preset"],
            config=self.identity["config"],
            step=step,
            images_seen=seen,
            data=self.identity["data"],
            training={
                **self.training,
                "minutes": round(minutes, 1),
                **self.identity["recipe"],
                "changes": self.changes,
            },
        )
        save_checkpoint(folder, described, generator.state_dict())
        replace_file(folder / "README.md", write_card(described).encode())
        replace_file(folder / "evolution.webp", evolution(self.folder / "frames"))


def identity(model: str, preset: str, config: Any, recipe: Recipe, fingerprint: str) -> dict[str, Any]:
    """What makes two runs the same experiment, as JSON can hold it."""
    return {
        "model": model,
        "preset": preset,
        "config": dataclasses.asdict(config),
        "recipe": dataclasses.asdict(recipe),
        "data": fingerprint,
    }
