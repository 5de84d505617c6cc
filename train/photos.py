"""Measure translators on photos: `python -m train.photos weights/stargan --photos ../shared/photos`.

Every face that is found is given each of the seven emotions, twice: as the engine does it, at the photo's own
resolution, and plainly, by enlarging the network's small picture over the face. Times are of a processor's one
thread, whatever else it does, without finding the face.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from fergan.emotions import EMOTIONS
from fergan.engine import Engine, Face
from fergan.faces import crop
from fergan.images import from_photo, resize
from train import run

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
CLEAR = 2
"""Pixels from a square's border that count neither as inside nor as outside: there is the seam."""
COLUMNS = (
    "translator",
    "way",
    "photos with a face",
    "sharpness inside",
    "outside",
    "seam",
    "ms p50",
    "ms p95",
)

Grey = NDArray[np.float64]
Way = Callable[[Engine, str, Image.Image, Face, Sequence[float]], Image.Image]


@dataclass(frozen=True)
class PhotosConfig:
    """The words and flags of `python -m train.photos`."""

    checkpoints: tuple[str, ...] = field(default=(), metadata={"help": "checkpoint folders of translators"})
    photos: str = field(default="../shared/photos", metadata={"help": "folder of photos"})
    reader: str = field(
        default="weights/teacher", metadata={"help": "classifier that reads each face before it is changed"}
    )
    width: int = field(default=0, metadata={"help": "pixels that photos are scaled to; 0: as they are"})
    out: str = field(default="", metadata={"help": "folder for strips to look at; empty: none"})

    def __post_init__(self) -> None:
        if not self.checkpoints or self.width < 0:
            raise ValueError(f"Name a checkpoint folder; --width is 0 or more, got {self.width}.")


def luminance(photo: Image.Image) -> Grey:
    """Levels of grey, [H, W]."""
    return np.asarray(photo.convert("L"), np.float64)


def inside(face: Face, shape: tuple[int, ...], around: float = 0) -> NDArray[np.bool_]:
    """Which pixels of a photo [H, W] have their middle in a face's square, with so many pixels more on each side."""
    face = dataclasses.replace(face, side=max(1.0, face.side + 2 * around))
    y, x = np.indices(shape[:2]) + 0.5
    matrix = face.matrix(1)
    across, down = np.tensordot(matrix[:, :2], np.stack([x, y]), 1) + matrix[:, 2, None, None]
    return (across >= 0) & (across < 1) & (down >= 0) & (down < 1)


def sharpness(before: Grey, after: Grey, where: NDArray[np.bool_]) -> float:
    """High-frequency energy after, as a share of that before; 1 is as sharp as the photo.

    It is the mean square, over the pixels asked for, of the discrete Laplacian (four neighbours less four times
    the pixel, the border going on). 1 where neither has any.
    """
    energy = [float(np.square(_laplacian(levels))[where].sum()) for levels in (before, after)]
    if energy[0] == 0:
        return 1.0 if energy[1] == 0 else float("inf")
    return energy[1] / energy[0]


def _laplacian(levels: Grey) -> Grey:
    wide = np.pad(levels, 1, mode="edge")
    return wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - 4 * levels


def seam(before: Grey, after: Grey, face: Face) -> float:
    """How much steeper the photo has become across the square's border, levels of grey; 0 cannot be seen.

    The mean, along the border, of the difference between a point half a pixel of a 48-pixel face inside (at
    least one of the photo) and its mirror image outside; that of the photo after less that before.
    """
    steps = [_steps(levels, face) for levels in (before, after)]
    return float(np.abs(steps[1]).mean() - np.abs(steps[0]).mean()) if steps[0].size else 0.0


def _steps(levels: Grey, face: Face) -> Grey:
    """From inside to outside, at as many places of the border as it has pixels, where both lie in the photo."""
    count, away = max(8, round(face.side)), max(1.0, face.side / 96) / face.side
    along = (np.arange(count) + 0.5) / count
    at = []
    for far in (-away, away):  # across the edges at 0 and at 1, seen along both axes
        low, high = np.full(count, -far), np.full(count, 1 + far)
        lines = [(low, along), (high, along), (along, low), (along, high)]
        at.append(np.concatenate([np.stack(line) for line in lines], axis=1))
    matrix = face.matrix(1)
    back = np.linalg.inv(matrix[:, :2])
    x, y = (back @ (np.stack(at) - matrix[:, 2, None])).swapaxes(0, 1) - 0.5  # [2, 4 * count] each
    height, width = levels.shape
    seen = ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).all(axis=0)
    inner, outer = _bilinear(levels, x[:, seen], y[:, seen])
    steps: Grey = outer - inner
    return steps


def _bilinear(levels: Grey, x: Grey, y: Grey) -> Grey:
    """Levels at places counted from the middle of the first pixel, all inside."""
    left = np.minimum(x.astype(int), levels.shape[1] - 2)
    top = np.minimum(y.astype(int), levels.shape[0] - 2)
    across, down = x - left, y - top
    upper = levels[top, left] * (1 - across) + levels[top, left + 1] * across
    lower = levels[top + 1, left] * (1 - across) + levels[top + 1, left + 1] * across
    found: Grey = upper * (1 - down) + lower * down
    return found


def paste(photo: Image.Image, face: Face, drawn: Image.Image) -> Image.Image:
    """The baseline: a small face enlarged (bicubic), turned and laid over the square."""
    size = max(1, round(face.side))
    large = drawn.resize((size, size), Image.Resampling.BICUBIC).convert(photo.mode)
    cover = Image.new("L", large.size, 255)
    turned = [
        one.rotate(-face.roll, Image.Resampling.BICUBIC, expand=True) if face.roll else one
        for one in (large, cover)
    ]
    done = photo.copy()
    left, top = round(face.cx - turned[0].width / 2), round(face.cy - turned[0].height / 2)
    done.paste(turned[0], (left, top), turned[1])
    return done


def ours(engine: Engine, name: str, photo: Image.Image, face: Face, row: Sequence[float]) -> Image.Image:
    """The photo with another expression, as the engine does it."""
    return engine.translate(name, photo, row, 1.0, [face]).photo


def plain(engine: Engine, name: str, photo: Image.Image, face: Face, row: Sequence[float]) -> Image.Image:
    """As the network draws it, enlarged over the face."""
    config = engine.models[name].build_config()
    seen = crop(photo, face, config.image_size, config.channels)[None]
    return paste(photo, face, Image.fromarray(engine.translate_faces(name, seen, [row], [1.0])[0]))


WAYS: dict[str, Way] = {"ours": ours, "plain": plain}


def model(engine: Engine, name: str, photos: Sequence[Image.Image], out: str = "") -> list[list[str]]:
    """Rows of the table for one translator, one for each of WAYS.

    Raises:
        ValueError: no translator, or no photo with a face.
    """
    faces = [engine.find(photo, name) for photo in photos]
    if not any(faces):
        raise ValueError(f"no face was found in {len(photos)} photos.")
    found: dict[str, list[tuple[float, ...]]] = {way: [] for way in WAYS}
    for number, (photo, seen) in enumerate(zip(tqdm(photos, desc=name, leave=False), faces, strict=True)):
        if not seen:
            continue
        face, before, strip = seen[0].face, luminance(photo), [photo]
        within, beside = inside(face, before.shape, -CLEAR), ~inside(face, before.shape, CLEAR)
        for way, change in WAYS.items():
            for row in np.eye(len(EMOTIONS)).tolist():
                began = time.process_time()
                done = change(engine, name, photo, face, row)
                taken, after = 1000 * (time.process_time() - began), luminance(done)
                sharp = sharpness(before, after, within), sharpness(before, after, beside)
                found[way].append((*sharp, seam(before, after, face), taken))
                strip += [done] if way == "ours" else []
        if out:
            _save(Path(out) / f"{name}-{number:03}.png", strip)
    share = f"{sum(map(bool, faces))} of {len(photos)}"
    return [[name, way, share, *_summary(np.array(rows))] for way, rows in found.items()]


def _summary(rows: Grey) -> list[str]:
    sharp, beside, steeper, taken = rows.T
    times = np.percentile(taken, [50, 95])
    return [
        f"{np.median(sharp):.2f}",
        f"{np.median(beside):.2f}",
        f"{steeper.mean():.2f}",
        *(f"{ms:.1f}" for ms in times),
    ]


def _save(path: Path, strip: Sequence[Image.Image]) -> None:
    width, height = strip[0].size
    sheet = Image.new("RGB", (len(strip) * width, height))
    for place, picture in enumerate(strip):
        sheet.paste(picture, (place * width, 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def read(config: PhotosConfig) -> list[Image.Image]:
    """The folder's photos, by name.

    Raises:
        ValueError: no photo there, or one that cannot be read.
    """
    paths = sorted(path for path in Path(config.photos).glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(f"there is no photo in {config.photos}.")
    photos = [from_photo(path.read_bytes()) for path in paths]
    return [resize(photo, config.width) for photo in photos] if config.width else photos


def evaluate(config: PhotosConfig) -> str:
    """Measures what the config names and returns the table as Markdown.

    Raises:
        ValueError, OSError: what cannot be read or measured, in a sentence.
    """
    photos = read(config)
    engine = Engine([*config.checkpoints, config.reader], device="cpu")
    names = [Path(folder).resolve().name for folder in config.checkpoints]
    rows = [row for name in names for row in model(engine, name, photos, config.out)]
    lines = [COLUMNS, ["---"] * 3 + ["---:"] * 5, *rows]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    sizes = np.median([photo.size for photo in photos], axis=0).round().astype(int)
    return (
        f"{text}\n\nPhotos: {len(photos)}, of {sizes[0]}x{sizes[1]} pixels (median), to each of the seven emotions."
        " Sharpness is a median, the seam a mean in levels of grey:"
        f" `{run.command('train.photos', config, *config.checkpoints, without=('out',))}`"
    )


def main() -> None:
    """The command line."""
    torch.set_num_threads(1)
    run.measure(PhotosConfig, (__doc__ or "").splitlines()[0], evaluate, "Nothing was measured")


if __name__ == "__main__":
    main()
