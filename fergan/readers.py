"""The forms in which people have FER2013, each read whole into arrays or refused in a sentence."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from fergan.emotions import EMOTIONS
from fergan.images import upright

SPLITS: tuple[str, ...] = ("Training", "PublicTest", "PrivateTest")
"""Names in FER2013's `Usage` column; a split's number is its place here."""

VOTES: tuple[str, ...] = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip
"""FER+ columns in their file's order, which is not that of EMOTIONS; NF is "not a face"."""

FERPLUS = "fer2013new.csv"
SIDE = 48  # of a FER2013 face in the CSV and in the packed sheet
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".webp", ".tif", ".tiff"})
SPELLINGS: dict[str, int] = {
    **{name: label for label, name in enumerate(EMOTIONS)},
    **{str(label): label for label in range(len(EMOTIONS))},
    "anger": 0, "disgusted": 1, "fearful": 2, "happiness": 3, "sadness": 4, "surprised": 5,
}  # fmt: skip
"""Names of emotions as folders and FER+ spell them, in lower case, to FER2013 labels."""
SPLIT_FOLDERS: dict[str, str] = {
    "train": "Training", "training": "Training",
    "val": "PublicTest", "valid": "PublicTest", "validation": "PublicTest", "publictest": "PublicTest",
    "test": "PrivateTest", "privatetest": "PrivateTest",
}  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """What a reader gives: N faces in the order of their source."""

    images: NDArray[np.uint8]  # [N, C, H, W]
    labels: NDArray[np.int64]  # [N]
    splits: NDArray[np.uint8]  # [N]
    votes: NDArray[np.float32] | None  # [N, 10]


def is_packed(path: Path) -> bool:
    """A folder with `labels.csv` and its sheet of faces."""
    return (path / "labels.csv").is_file() and _sheet_file(path) is not None


def is_csv(path: Path) -> bool:
    """A CSV file, or a folder with Kaggle's `fer2013.csv` or `icml_face_data.csv`."""
    return _csv_file(path) is not None


def is_folders(path: Path) -> bool:
    """A folder with a folder named as a split or an emotion."""
    known = SPLIT_FOLDERS.keys() | SPELLINGS.keys()
    return path.is_dir() and any(_plain(folder) in known for folder in _visible(path, folders=True))


def read_packed(path: Path, size: int, channels: int) -> Rows:
    """`labels.csv` beside `faces.png` (or `faces.jpg`), a sheet of 48x48 tiles that the rows number."""
    sheet_file = _sheet_file(path) or path
    sheet = np.asarray(_opened(sheet_file).convert("L"))
    down, across = sheet.shape[0] // SIDE, sheet.shape[1] // SIDE
    if down * across == 0 or sheet.shape != (down * SIDE, across * SIDE):
        raise ValueError(
            f"{sheet_file}: {sheet.shape[1]}x{sheet.shape[0]} pixels are no whole number of"
            f" {SIDE}x{SIDE} tiles."
        )
    tiles = sheet.reshape(down, SIDE, across, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)

    labels, splits, numbers, votes = [], [], [], []
    table = path / "labels.csv"
    for where, (label, usage, tile, *row_votes) in _table(table, ("emotion", "Usage", "tile"), VOTES):
        labels.append(_number(label, len(EMOTIONS) - 1, "emotion", where))
        splits.append(_split(usage, where))
        numbers.append(_number(tile, len(tiles) - 1, "tile", where))
        votes.append([_number(vote, 99, "vote", where) for vote in row_votes])
    images = _resized(tiles, size, channels)[numbers]
    return _rows(table, images, labels, splits, votes if votes and votes[0] else None)


def read_csv(path: Path, size: int, channels: int) -> Rows:
    """Kaggle's `fer2013.csv` or `icml_face_data.csv`: emotion, 2304 pixels, Usage, in any column order."""
    file = _csv_file(path) or path
    labels, splits, pixels = [], [], []
    for where, (label, text, usage) in _table(file, ("emotion", "pixels", "Usage")):
        labels.append(_number(label, len(EMOTIONS) - 1, "emotion", where))
        pixels.append(_pixels(text, where))
        splits.append(_split(usage, where))
    faces = np.frombuffer(b"".join(pixels), np.uint8).reshape(-1, SIDE, SIDE)
    votes = None
    if (ferplus := file.parent / FERPLUS).is_file():
        usages, _, votes = _ferplus(ferplus)
        if usages != splits:
            raise ValueError(
                f"{ferplus} has not the rows of {file} ({len(usages)} against {len(splits)}, or"
                " another Usage): move it away, or bring the file that it belongs to."
            )
    return _rows(file, _resized(faces, size, channels), labels, splits, votes)


def read_folders(path: Path, size: int, channels: int) -> Rows:
    """`<split>/<emotion>/*.jpg`, or `<emotion>/*.png`, of which a tenth each are the tests, as FER2013 has it.

    Kaggle's `test` mixes both tests and its files say which (`PublicTest_1.jpg`); a file there that
    does not is PrivateTest, in `val` PublicTest. Images are cut to their middle square, turned grey
    or RGB and resized. The order is that of the last number in the file names, then of the paths.
    """
    found: list[tuple[int, str, Path, int, int]] = []  # number, relative path, file, label, split
    for folder, split in _split_folders(path):
        for emotion_folder in _visible(folder, folders=True):
            label = SPELLINGS.get(_plain(emotion_folder))
            if label is None:
                raise ValueError(
                    f"{emotion_folder}: {emotion_folder.name!r} is no emotion; due is one of"
                    f" {', '.join(EMOTIONS)} (or 0 to {len(EMOTIONS) - 1})."
                )
            if nested := _visible(emotion_folder, folders=True):
                raise ValueError(f"{nested[0]}: a folder of one emotion holds images, not another folder.")
            files = [f for f in _visible(emotion_folder) if f.suffix.lower() in IMAGE_SUFFIXES]
            if not files:
                raise ValueError(f"{emotion_folder} holds no image: fill it or remove it.")
            for file in files:
                usage = file.name.split("_")[0]
                own = usage if split != "Training" and usage in SPLITS[1:] else split
                digits = re.findall(r"\d+", file.stem)
                order = int(digits[-1]) if digits else -1
                found.append((order, file.relative_to(path).as_posix(), file, label, SPLITS.index(own)))
    found.sort(key=lambda entry: entry[:2])
    images = np.empty((len(found), channels, size, size), np.uint8)
    for row, (_, _, file, _, _) in enumerate(found):
        images[row] = _image(file, size, channels)
    labels, splits = [entry[3] for entry in found], [entry[4] for entry in found]
    if not _is_split(path):
        splits = _held_out(labels)
    files = [entry[2] for entry in found]
    votes = _folder_votes(path / FERPLUS, files) if (path / FERPLUS).is_file() else None
    return _rows(path, images, labels, splits, votes)


def _sheet_file(path: Path) -> Path | None:
    return next((f for f in (path / "faces.png", path / "faces.jpg") if f.is_file()), None)


def _csv_file(path: Path) -> Path | None:
    if path.is_file():
        return path if path.suffix.lower() == ".csv" else None
    return next((f for n in ("fer2013.csv", "icml_face_data.csv") if (f := path / n).is_file()), None)


def _plain(folder: Path) -> str:
    return folder.name.strip().lower()


def _visible(folder: Path, folders: bool = False) -> list[Path]:
    """The folder's files or folders in order, without those that operating systems leave behind."""
    files = (f for f in folder.iterdir() if f.name[0] != "." and f.name != "__MACOSX")
    return sorted(f for f in files if f.is_dir() == folders)


def _is_split(path: Path) -> bool:
    """Whether a folder of it is named as a split."""
    return any(_plain(folder) in SPLIT_FOLDERS for folder in _visible(path, folders=True))


def _held_out(labels: list[int]) -> list[int]:
    """A split for each row: of every ten faces of an emotion, in their order, the last two go to one test each."""
    counts, splits = dict.fromkeys(labels, 0), []
    for label in labels:
        splits.append(max(0, counts[label] % 10 - 7))
        counts[label] += 1
    return splits


def _split_folders(path: Path) -> list[tuple[Path, str]]:
    """Folders of emotion folders with their split; the path itself as Training where none is a split."""
    if not _is_split(path):
        return [(path, "Training")]
    folders = _visible(path, folders=True)
    splits = [SPLIT_FOLDERS.get(_plain(folder), "") for folder in folders]
    for folder, split in zip(folders, splits, strict=True):
        if not split:
            raise ValueError(
                f"{folder}: {folder.name!r} is no split; due is one of {', '.join(SPLIT_FOLDERS)}."
            )
        if not _visible(folder, folders=True):
            raise ValueError(f"{folder} holds no folder of an emotion: fill it or remove it.")
    return list(zip(folders, splits, strict=True))


def _rows(
    source: Path,
    images: NDArray[np.uint8],
    labels: list[int],
    splits: list[int],
    votes: list[list[int]] | None,
) -> Rows:
    if not labels:
        raise ValueError(f"{source} holds no face.")
    votes_array = None if votes is None else np.array(votes, np.float32)
    return Rows(images, np.array(labels, np.int64), np.array(splits, np.uint8), votes_array)


def _table(
    path: Path, columns: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Iterator[tuple[str, list[str]]]:
    """Each row's place in words, and its cells: `columns`, then `optional` if all of these are there."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        lines = csv.reader(file)
        header = [name.strip() for name in next(lines, [])]
        if missing := [name for name in columns if name not in header]:
            raise ValueError(
                f"{path}: no column {', '.join(map(repr, missing))};"
                f" its first line is {','.join(header)[:80]!r}."
            )
        wanted = columns + (optional if set(optional) <= set(header) else ())
        places = [header.index(name) for name in wanted]
        row = 0
        try:
            for cells in lines:
                if not cells:
                    continue
                where = f"{path}, row {row} (line {lines.line_num})"
                if len(cells) != len(header):
                    raise ValueError(
                        f"{where}: {len(cells)} columns where {len(header)} are due; is the file cut short?"
                    )
                yield where, [cells[place] for place in places]
                row += 1
        except csv.Error as error:
            raise ValueError(f"{path}, row {row} (line {lines.line_num}): {error}.") from error


def _number(text: str, top: int, what: str, where: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= top:
        raise ValueError(f"{where}: {what} is {text!r}, due is a whole number from 0 to {top}.")
    return number


def _split(usage: str, where: str) -> int:
    if usage.strip() not in SPLITS:
        raise ValueError(f"{where}: Usage is {usage!r}, due is one of {', '.join(SPLITS)}.")
    return SPLITS.index(usage.strip())


def _pixels(text: str, where: str) -> bytes:
    values = text.split()
    if len(values) != SIDE * SIDE:
        raise ValueError(f"{where}: {len(values)} pixels where {SIDE * SIDE} are due; is the file cut short?")
    try:
        return bytes(map(int, values))
    except ValueError:
        for value in values:
            _number(value, 255, "a pixel", where)
        raise


def _ferplus(path: Path) -> tuple[list[int], list[str], list[list[int]]]:
    """The FER+ CSV's splits, image names and votes, row for row as in `fer2013.csv`."""
    splits, names, votes = [], [], []
    for where, (usage, name, *row_votes) in _table(path, ("Usage", "Image name", *VOTES)):
        splits.append(_split(usage, where))
        names.append(name.strip())
        votes.append([_number(vote, 99, "vote", where) for vote in row_votes])
    return splits, names, votes


def _folder_votes(path: Path, files: list[Path]) -> list[list[int]]:
    """Votes for images named as in FER+ (`fer0000012.png`) or by Usage and row (`Training_12.png`)."""
    usages, names, votes = _ferplus(path)
    places = {Path(name).stem: row for row, name in enumerate(names) if name}
    places |= {f"{SPLITS[split]}_{row}": row for row, split in enumerate(usages)}
    found = []
    for file in files:
        row = places.get(file.stem)
        if row is None:
            raise ValueError(
                f"{path} has no row for {file}: FER+ goes by the rows of fer2013.csv, which these"
                " file names do not tell. Move it away, or use it beside fer2013.csv."
            )
        found.append(votes[row])
    return found


def _opened(path: Path) -> Image.Image:
    """The picture, decoded whole and turned upright: L or RGB, 8 bits."""
    try:
        with Image.open(path) as image:
            image.load()
            return upright(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image: {error}.") from error


def _image(path: Path, size: int, channels: int) -> NDArray[np.uint8]:
    """An image file -> uint8 [C, size, size]."""
    image = _opened(path).convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(_squared(image, size))
    return pixels[None] if channels == 1 else np.moveaxis(pixels, -1, 0)


def _squared(image: Image.Image, size: int) -> Image.Image:
    """The middle square at `size`: the mean of each pixel's area where it shrinks, Lanczos to grow."""
    if image.size == (size, size):
        return image
    shrinks = min(image.size) >= size
    return ImageOps.fit(image, (size, size), Image.Resampling.BOX if shrinks else Image.Resampling.LANCZOS)


def _resized(faces: NDArray[np.uint8], size: int, channels: int) -> NDArray[np.uint8]:
    """Grey faces, uint8 [N, H, W] -> uint8 [N, C, size, size]."""
    if faces.shape[1:] != (size, size):
        small = [np.asarray(_squared(Image.fromarray(face), size)) for face in faces]
        faces = np.stack(small) if small else np.empty((0, size, size), np.uint8)
    return np.repeat(faces[:, None], channels, axis=1) if channels > 1 else faces[:, None]
