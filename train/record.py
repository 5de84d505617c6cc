"""What a GAN's training leaves behind: state, grids, kept checkpoints, an evolution to play."""

import copy
import dataclasses
import io
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from fergan import opponents
from fergan.card import write_card
from fergan.checkpoint import EVOLUTION, HISTORY, Checkpoint, replace_file
from fergan.checkpoint import save as save_checkpoint
from fergan.data import Faces
from fergan.emotions import EMOTIONS, index
from fergan.images import CAPTION, sheet, to_array
from fergan.models import draw_noise
from fergan.models.dcgan import ALL, Bank
from fergan.models.layers import FaceGenerator
from fergan.provenance import Record, xmp
from train import history, states

GRID_SEEDS = list(range(6))
"""The faces of every grid: the page draws the same ones for these seeds."""
Painter = Callable[[nn.Module], Image.Image]
"""Draws the grid of a network as it is now."""


def grid(generator: nn.Module, noise_dim: int, device: torch.device) -> Image.Image:
    """Six fixed seeds, a row each, under the seven emotions, a column each; of one emotion as many seeds."""
    size, rows = len(GRID_SEEDS), torch.eye(len(EMOTIONS), device=device)
    if isinstance(generator, Bank) and len(generator.networks) == 1:
        noise = draw_noise(list(range(size * len(EMOTIONS))), noise_dim)
        # a seed stands where it would stand under all emotions: row by row, from the left
        noise = noise.view(len(EMOTIONS), size, -1).transpose(0, 1).flatten(0, 1).to(device)
        name = next(iter(generator.networks))
        emotion = rows[0 if name == ALL else index(name)].expand(len(noise), -1)
    else:
        noise = draw_noise(GRID_SEEDS, noise_dim).repeat_interleave(len(EMOTIONS), 0).to(device)
        emotion = rows.repeat(size, 1)
    with torch.no_grad():
        return sheet(to_array(generator(noise, emotion)), columns=len(EMOTIONS))


def next_frame(seen: int) -> int:
    """The images seen at which the next grid is due: powers of two from 512, and halfway between them."""
    power = 2 ** math.floor(math.log2(max(seen, 512)))
    return power * 3 // 2 if seen < power * 3 // 2 else power * 2


def evolution(frames: Path, model: str) -> bytes:
    """A run's grids, PNGs named by images seen, as one animated WebP that says what it is; empty where there is none."""
    pages, paths = [], sorted(frames.glob("*.png"))
    font = ImageFont.load_default(CAPTION - 4)  # any smaller, and its words run together
    for path in paths:
        with Image.open(path) as picture:
            mode = "RGB" if picture.mode == "RGB" else "L"
            page = Image.new(mode, (picture.width, picture.height + CAPTION), "white")
            page.paste(picture)
        words = f"{int(path.stem):,} images seen"
        ImageDraw.Draw(page).text((4, picture.height + 1), words, fill="black", font=font)
        pages.append(page)
    if not pages:
        return b""
    buffer = io.BytesIO()
    shown = Record(
        model,
        dict.fromkeys(EMOTIONS, 1.0),
        GRID_SEEDS[0],
        count=len(GRID_SEEDS),
        training=(len(pages), int(paths[-1].stem)),
    )
    pages[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=pages[1:],
        duration=[400] * (len(pages) - 1) + [3000],
        loop=0,
        quality=80,
        xmp=xmp(shown).encode(),
    )
    return buffer.getvalue()


def accompany(
    folder: Path, described: Checkpoint, run: Path, told: dict[str, Any], *, public: bool = True
) -> None:
    """Writes what stands beside a checkpoint's weights: card, evolution and history; and curves.png into the run.

    `told` is the run's history. Where its frames are not public, or there is none, it has no evolution.
    """
    film = evolution(run / "frames", described.model) if public else b""
    replace_file(folder / "README.md", write_card(described, (EVOLUTION,) if film else ()).encode())
    if film:
        replace_file(folder / EVOLUTION, film)
    replace_file(run / history.CURVES, history.draw(told))
    replace_file(folder / HISTORY, history.encoded(told if film else {**told, "frames": []}))


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
    paint: Painter
    public: bool = True
    """Whether the grids may be shown: the evolution goes into checkpoints."""

    def __post_init__(self) -> None:
        (self.folder / "frames").mkdir(parents=True, exist_ok=True)

    def save_state(self, tensors: dict[str, Tensor], **now: Any) -> None:
        """Everything that the next step depends on, in one file; `now`: step, seen, minutes, collapsed_at."""
        facts = {**self.identity, "changes": self.changes, "public": self.public, **now}
        states.save(self.folder / states.FILE, tensors, facts)

    def frame(self, generator: nn.Module, seen: int) -> None:
        """The grid of now."""
        buffer = io.BytesIO()
        self.paint(generator).save(buffer, "PNG")
        replace_file(history.frame(self.folder, seen), buffer.getvalue())

    def keep(
        self,
        generator: nn.Module,
        opponent: nn.Module | None,
        *,
        step: int,
        seen: int,
        minutes: float,
        collapsed_at: int | None,
    ) -> Path:
        """A checkpoint, whole, to be copied to weights/<name>, its opponent beside it; its folder."""
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
                "faces": self.identity["faces"],
                "minutes": round(minutes, 1),
                "collapsed_at": collapsed_at,
                **self.identity["recipe"],
                "changes": self.changes,
            },
        )
        if isinstance(generator, FaceGenerator):
            generator = copy.deepcopy(generator)  # the run goes on as it was
            generator.settle()
        save_checkpoint(folder, described, generator.state_dict())
        if opponent is not None:
            opponents.save(folder, opponent)
        accompany(folder, described, self.folder, history.read(self.folder), public=self.public)
        return folder


def branch(
    source: Path,
    folder: Path,
    tensors: dict[str, Tensor],
    facts: dict[str, Any],
    config: dict[str, Any],
    change: dict[str, Any],
) -> None:
    """Writes a run that goes on from another's state with another network: its state, log and frames so far.

    `tensors`, `facts`: the state, as the new run's network has it. `config`: that network's; `change`: what is told of it.

    Raises:
        ValueError: a run is there already.
    """
    states.vacant(folder)
    shutil.copytree(
        source / "frames", folder / "frames", dirs_exist_ok=True
    )  # what was broken off left no state
    shutil.copy(source / "log.jsonl", folder / "log.jsonl")
    changes = [*facts["changes"], {"images_seen": facts["seen"], **change}]
    states.save(folder / states.FILE, tensors, {**facts, "config": config, "changes": changes})


def recipe_changes(path: Path, facts: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """A state's facts, with what the recipe changes to from here on added to its list of changes.

    Raises:
        ValueError: a state of another model, config or data.
    """
    for key, value in own.items():
        if key != "recipe" and facts.get(key, value) != value:  # older states do not say whose faces
            raise ValueError(f"{path} is of a run with {key} {facts[key]}; this one has {value}.")
    old, now = facts["recipe"], own["recipe"]  # of a code whose recipes had other names, perhaps
    changed = {k: [old.get(k), now.get(k)] for k in {**old, **now} if old.get(k) != now.get(k)}
    new = [{"images_seen": facts["seen"], **changed}] if changed else []
    return {**facts, "changes": [*facts["changes"], *new]}


def told(device: torch.device, processes: int, dtype: torch.dtype, seed: int) -> dict[str, Any]:
    """Facts of a run for its checkpoints' configs."""
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else device.type,
        "processes": processes,
        "precision": str(dtype).removeprefix("torch."),
        "seed": seed,
    }


def identity(model: str, preset: str, config: Any, recipe: Any, faces: Faces) -> dict[str, Any]:
    """What makes two runs the same experiment, as JSON can hold it."""
    return {
        "model": model,
        "preset": preset,
        "config": dataclasses.asdict(config),
        "recipe": dataclasses.asdict(recipe),
        "data": faces.fingerprint,
        "faces": faces.name,
    }
