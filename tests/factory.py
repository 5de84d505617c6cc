"""Small data sets of drawn faces, written in the forms in which FER2013 comes; small models."""

import csv
import dataclasses
import io
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fergan import checkpoint
from fergan.emotions import EMOTIONS
from fergan.models import MODELS
from fergan.readers import SPLITS, VOTES

Pixels = NDArray[np.uint8]
MOUTHS = (-0.6, -0.3, 0.0, 1.0, -1.0, 0.2, 0.1)  # how far the corners go up, for each emotion


def draw_faces(n: int, size: int = 48, channels: int = 1, seed: int = 0) -> Pixels:
    """Faces, uint8 [n, size, size] or [n, size, size, 3]; face i shows emotion i % 7, no two are alike."""
    rng = np.random.default_rng(seed)
    faces = np.stack([_face(row % len(EMOTIONS), size, rng) for row in range(n)])
    faces[np.arange(n), 0, 0] = np.arange(n) % 256
    faces[np.arange(n), 0, 1] = np.arange(n) // 256
    if channels == 1:
        return faces
    return np.stack([faces, 255 - faces, faces // 2], -1)


def _face(emotion: int, size: int, rng: np.random.Generator) -> Pixels:
    picture = Image.new("L", (size, size), int(rng.integers(0, 60)))
    draw = ImageDraw.Draw(picture)
    x, y = (size / 2 + rng.uniform(-size / 16, size / 16) for _ in range(2))
    skin, dark = int(rng.integers(140, 230)), int(rng.integers(0, 60))
    draw.ellipse((x - size * 0.36, y - size * 0.44, x + size * 0.36, y + size * 0.44), fill=skin)
    eye = size * (0.08 if emotion in (2, 5) else 0.05)
    for side in (-1, 1):
        centre = x + side * size * 0.15
        draw.ellipse((centre - eye, y - size * 0.12 - eye, centre + eye, y - size * 0.12 + eye), fill=dark)
    curve = [
        (x + t * size * 0.2, y + size * (0.22 - 0.12 * MOUTHS[emotion] * t * t))
        for t in np.linspace(-1, 1, 9)
    ]
    draw.line(curve, fill=dark, width=max(1, size // 24))
    if emotion == 5:
        draw.ellipse((x - eye, y + size * 0.16, x + eye, y + size * 0.32), fill=dark)
    return np.asarray(picture)


def drawn_people() -> list[Image.Image]:
    """Two grey faces of 48 pixels that the cascade knows for faces: drawn by an AC-GAN of ours, so nobody's photo.

    A picture, and not drawn anew, as weights that ship are replaced by better ones.
    """
    with Image.open(Path(__file__).parent / "two.png") as both:
        return [both.crop((48 * n, 0, 48 * n + 48, 48)) for n in range(2)]


def photo_of_two() -> Image.Image:
    """A grey photo of 640x480 of both: one of 240 pixels around (170, 300), one of 150 around (480, 150)."""
    canvas = Image.new("L", (640, 480), 128)
    for face, side, place in zip(drawn_people(), (240, 150), ((50, 180), (405, 75)), strict=True):
        canvas.paste(face.resize((side, side), Image.Resampling.BICUBIC), place)
    return canvas


def environment() -> dict[str, str]:
    """What a command of this project runs in: one thread, no Hub."""
    root = str(Path(__file__).resolve().parents[1])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": root, "HF_HUB_OFFLINE": "1"}


def labels_for(n: int) -> list[int]:
    """0, 1, ... 6, 0, 1, ...: the emotions that draw_faces(n) shows."""
    return [row % len(EMOTIONS) for row in range(n)]


def splits_for(n: int) -> list[str]:
    """The first 3/5 Training, then PublicTest, then PrivateTest."""
    return [SPLITS[max(0, row * 5 // n - 2)] for row in range(n)]


def write_csv(path: Path, faces: Pixels, *, labels=None, splits=None, spaced: bool = False) -> Path:
    """Kaggle's fer2013.csv, or with `spaced` icml_face_data.csv with its header `emotion, Usage, pixels`."""
    labels, splits = labels or labels_for(len(faces)), splits or splits_for(len(faces))
    lines = ["emotion, Usage, pixels" if spaced else "emotion,pixels,Usage"]
    for face, label, split in zip(faces, labels, splits, strict=True):
        pixels = " ".join(map(str, face.ravel().tolist()))
        lines.append(f"{label},{split},{pixels}" if spaced else f"{label},{pixels},{split}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_folders(
    root: Path, faces: Pixels, *, labels=None, splits=None, names=EMOTIONS, tests=("test", "test")
) -> Path:
    """`train/<emotion>/Training_<row>.png` and so on, lossless, named by Usage and row."""
    labels, splits = labels or labels_for(len(faces)), splits or splits_for(len(faces))
    for row, (face, label, split) in enumerate(zip(faces, labels, splits, strict=True)):
        folder = root / ("train", *tests)[SPLITS.index(split)] / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face).save(folder / f"{split}_{row}.png")
    return root


def write_packed(
    root: Path, faces: Pixels, *, labels=None, splits=None, votes=None, across: int = 10
) -> Path:
    """`faces.png`, a sheet of 48x48 tiles, beside `labels.csv`."""
    labels, splits = labels or labels_for(len(faces)), splits or splits_for(len(faces))
    root.mkdir(parents=True, exist_ok=True)
    sheet = np.zeros((-(-len(faces) // across) * 48, across * 48), np.uint8)
    for row, face in enumerate(faces):
        top, left = row // across * 48, row % across * 48
        sheet[top : top + 48, left : left + 48] = face
    Image.fromarray(sheet).save(root / "faces.png")
    header = ["emotion", "Usage", "tile", "pixel_source", *(VOTES if votes is not None else ())]
    rows = [[label, split, row, "exact", *(votes[row] if votes is not None else ())]
            for row, (label, split) in enumerate(zip(labels, splits, strict=True))]  # fmt: skip
    (root / "labels.csv").write_text(_csv([header, *rows]))
    return root


def write_voted(root: Path) -> Path:
    """210 faces with votes, packed; a row of PrivateTest stands in Training too."""
    faces = draw_faces(210)
    faces[200] = faces[5]
    return write_packed(root, faces, votes=torch.randint(0, 4, (210, 10)).tolist())


def write_ferplus(path: Path, votes, *, splits=None) -> Path:
    """FER+'s fer2013new.csv for these votes, [n][10]."""
    splits = splits or splits_for(len(votes))
    rows = [[split, f"fer{row:07d}.png", *row_votes]
            for row, (split, row_votes) in enumerate(zip(splits, votes, strict=True))]  # fmt: skip
    path.write_text(_csv([["Usage", "Image name", *VOTES], *rows]))
    return path


def _csv(rows) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


Parameters = Callable[[torch.nn.Module], Iterable[torch.Tensor]]


def write_checkpoint(
    folder: Path,
    model: str,
    name: str = "fixed",
    *,
    by: float = 0.0,
    parameters: Parameters = torch.nn.Module.parameters,
    images_seen: int = 0,
    **config: Any,
) -> Path:
    """A network that has learnt nothing, some of its parameters stirred by so much noise."""
    preset = MODELS[model][name]
    made = preset.config(**config)
    network = preset.network(made)
    with torch.no_grad():
        for parameter in parameters(network) if by else ():
            parameter.add_(by * torch.randn_like(parameter))
    described = checkpoint.Checkpoint(model, name, dataclasses.asdict(made), images_seen=images_seen)
    checkpoint.save(folder, described, network.state_dict())
    return folder


def add_model(
    weights: Path,
    folder: Path,
    model: str,
    by: float,
    parameters: Parameters = torch.nn.Module.parameters,
    **config: int,
) -> Path:
    """Copies tiny checkpoints into a folder and adds a model, some of its parameters stirred by so much noise."""
    for source in weights.iterdir():
        shutil.copytree(source, folder / source.name)
    torch.manual_seed(1)
    write_checkpoint(folder / model, model, by=by, parameters=parameters, images_seen=1000, **config)
    return folder
