"""FER2013 as tensors: one call reads it in any of its forms, from a cache where it was read before."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fergan import readers
from fergan.emotions import EMOTIONS, normalize, one_hot
from fergan.readers import SPLITS, VOTES

__all__ = [
    "CONDITIONS",
    "DATASETS",
    "SPLITS",
    "VOTES",
    "Faces",
    "cache_folder",
    "conditions",
    "load",
]

CONDITIONS: tuple[str, ...] = ("onehot", "votes", "mix", "either")


class DataSet(NamedTuple):
    """How to tell a form from its path, and how to read it at (path, size, channels)."""

    detect: Callable[[Path], bool]
    read: Callable[[Path, int, int], readers.Rows]


DATASETS: dict[str, DataSet] = {
    "packed": DataSet(readers.is_packed, readers.read_packed),
    "csv": DataSet(readers.is_csv, readers.read_csv),
    "folders": DataSet(readers.is_folders, readers.read_folders),
}
"""Forms of the data; the first that knows a path reads it."""

FER2013, OWN = "FER2013", "own"
"""What a set of faces is called: it is FER2013, or somebody's own."""
READERS_VERSION = 3  # a change of what a reader gives needs another, or old caches stay in use
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Faces:
    """A set of N faces, every row of its source, flawed ones marked.

    Attributes:
        images: uint8 [N, C, H, W].
        labels: int64 [N], FER2013 order.
        splits: uint8 [N], index into SPLITS.
        votes: float32 [N, 10], FER+ votes in the order of VOTES, or None.
        duplicate: bool [N], a test row whose exact pixels stand in Training.
        usable: bool [N], False for one flat grey level, and where "not a face" (NF) has at least as many
            FER+ votes as any other column. A face that has votes for contempt or unknown alone is a face.
        source: the path that it was read from.
        fingerprint: 16 hex digits of the sha256 of the images, labels and splits of the whole source; a
            subset keeps it.
        name: FER2013 where the whole source has its rows, else OWN; a subset keeps it.
    """

    images: Tensor
    labels: Tensor
    splits: Tensor
    votes: Tensor | None
    duplicate: Tensor
    usable: Tensor
    source: str
    fingerprint: str
    name: str = OWN

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, rows: Tensor) -> "Faces":
        """The rows of a bool mask [N] or an index, int64 [n]."""
        rows = rows.to(self.labels.device)
        return self._each(lambda tensor: tensor[rows])

    def split(self, name: str, *, clean: bool = True) -> "Faces":
        """One of SPLITS: Training without unusable rows, a test without rows that stand in Training.

        Flat and not-a-face rows of a test stay, as the numbers of others count them.
        With `clean=False` every row of the split.

        Raises:
            ValueError: no such split.
        """
        if name not in SPLITS:
            raise ValueError(f"Unknown split {name!r}: choose one of {', '.join(SPLITS)}.")
        rows = self.splits == SPLITS.index(name)
        if clean:
            rows = rows & (self.usable if name == "Training" else ~self.duplicate)
        return self.subset(rows)

    def to(self, device: torch.device | str) -> "Faces":
        """The same faces on a device."""
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Faces":
        return replace(
            self,
            images=change(self.images),
            labels=change(self.labels),
            splits=change(self.splits),
            votes=None if self.votes is None else change(self.votes),
            duplicate=change(self.duplicate),
            usable=change(self.usable),
        )


def load(
    path: Path | str,
    *,
    size: int = 48,
    channels: int = 1,
    cache: Path | str | None = "default",
) -> Faces:
    """Faces from a FER2013 CSV, image folders or the packed form; which one is told from the path.

    Args:
        path: a CSV, or a folder of one of DATASETS; `fer2013new.csv` beside the CSV or in the folder brings
            the FER+ votes.
        size: height and width that images are brought to.
        channels: 1 for grey, 3 for RGB.
        cache: folder for the parsed form; "default" is $FERGAN_CACHE, else fergan/ in $XDG_CACHE_HOME or
            ~/.cache; None reads the source each time.

    Raises:
        FileNotFoundError: nothing is at the path.
        ValueError: what is there cannot be read whole; the sentence names file, row and fault.
    """
    path = Path(path)
    if size < 1 or channels not in (1, 3):
        raise ValueError(
            f"Images are read at a size of 1 or more in 1 or 3 channels; got {size}, {channels}."
        )
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist: give FER2013's CSV, its image folders or its packed form."
        )
    name = next((name for name, form in DATASETS.items() if form.detect(path)), None)
    if name is None:
        empty = path.is_dir() and not any(path.iterdir())
        what = "is an empty folder" if empty else "is no data set known here"
        raise ValueError(
            f"{path} {what}: due is a CSV with emotion, pixels, Usage; a folder with labels.csv and"
            " faces.png or faces.jpg; or folders of images named by emotion."
        )
    folder = cache_folder() if cache == "default" else Path(cache) if cache else None
    if folder is None:
        return _marked(DATASETS[name].read(path, size, channels), str(path))
    file, stamp = _cache_place(folder, path, name, size, channels)
    faces = _from_cache(file, stamp, str(path))
    if faces is None:
        faces = _marked(DATASETS[name].read(path, size, channels), str(path))
        _to_cache(faces, file, stamp)
    return faces


def _marked(rows: readers.Rows, source: str) -> Faces:
    """Rows with duplicates and unusable rows marked."""
    images, splits = torch.from_numpy(rows.images.copy()), torch.from_numpy(rows.splits)
    labels = torch.from_numpy(rows.labels)
    digests = [hashlib.blake2b(image.tobytes()).digest() for image in rows.images]
    training = {digest for digest, split in zip(digests, rows.splits, strict=True) if split == 0}
    seen = torch.tensor([digest in training for digest in digests])
    flat = images.flatten(1).amin(1) == images.flatten(1).amax(1)
    votes, no_face = None, torch.zeros_like(flat)
    if rows.votes is not None:
        votes = torch.from_numpy(rows.votes)
        not_a_face = votes[:, VOTES.index("NF")]
        no_face = (not_a_face > 0) & (not_a_face >= votes.amax(1))
    fingerprint = _digest(images, labels, splits)[:16]
    duplicate, usable = seen & (splits > 0), ~(flat | no_face)
    return Faces(images, labels, splits, votes, duplicate, usable, source, fingerprint, _name(splits))


def _name(splits: Tensor) -> str:
    """Told by its rows: 28,709 of Training, and 7,178 others, which not every form parts in two."""
    return FER2013 if (len(splits), int((splits == 0).sum())) == (35_887, 28_709) else OWN


def _digest(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def cache_folder() -> Path | None:
    """Where what is slow to work out is kept: $FERGAN_CACHE, or fergan/ in the user's cache; None without a home."""
    if own := os.environ.get("FERGAN_CACHE"):
        return Path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "fergan"
    try:
        return Path.home() / ".cache" / "fergan"
    except RuntimeError:  # a container's user may have no home
        return None


def _cache_place(folder: Path, path: Path, name: str, size: int, channels: int) -> tuple[Path, str]:
    """The cache file of a source, and a stamp of its files' names, sizes and times: another is stale."""
    path = path.absolute()
    place = hashlib.sha256(f"{name} {size} {channels} {path}".encode(errors="surrogateescape"))
    stamp = hashlib.sha256(str(READERS_VERSION).encode())
    for file in [path, path.with_name(readers.FERPLUS)] if path.is_file() else _all_files(path):
        if file.exists():
            stat = file.stat()
            line = f"{file}\0{stat.st_size} {stat.st_mtime_ns}\n"
            stamp.update(line.encode(errors="surrogateescape"))
    return folder / f"{place.hexdigest()[:32]}.safetensors", stamp.hexdigest()


def _all_files(folder: Path) -> list[Path]:
    """Files in the folder and two levels down, which is as far as a reader goes."""
    files = []
    for root, folders, names in os.walk(folder, followlinks=True):
        if len(Path(root).relative_to(folder).parts) == 2:
            folders.clear()
        files += [Path(root) / name for name in names]
    return sorted(files)


def _from_cache(file: Path, stamp: str, source: str) -> Faces | None:
    """The cached faces, or None where there are none, stale ones, or not as they were written."""
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="pt") as stored:
            metadata = stored.metadata() or {}
            if metadata.get("stamp") != stamp:
                return None
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        _log.warning("The cache %s cannot be read and is written anew: %s", file, error)
        return None
    if metadata.get("check") != _digest(*(tensors[name] for name in sorted(tensors))):
        _log.warning("The cache %s is not as it was written and is written anew.", file)
        return None
    votes = tensors.pop("votes", None)
    name = _name(tensors["splits"])
    return Faces(**tensors, votes=votes, source=source, fingerprint=metadata["fingerprint"], name=name)


def _to_cache(faces: Faces, file: Path, stamp: str) -> None:
    """Writes the file whole or not at all; a cache that cannot be written costs time, not the run."""
    tensors = {
        "images": faces.images,
        "labels": faces.labels,
        "splits": faces.splits,
        "duplicate": faces.duplicate,
        "usable": faces.usable,
    }
    if faces.votes is not None:
        tensors["votes"] = faces.votes
    check = _digest(*(tensors[name] for name in sorted(tensors)))
    metadata = {"stamp": stamp, "check": check, "fingerprint": faces.fingerprint}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            part = Path(folder) / file.name
            save_file(tensors, part, metadata)
            part.replace(file)
    except (OSError, SafetensorError) as error:
        _log.warning("The parsed data could not be kept in %s: %s", file.parent, error)


_SEVEN = [
    next(column for column, vote in enumerate(VOTES) if readers.SPELLINGS.get(vote) == label)
    for label in range(len(EMOTIONS))
]
"""The column of VOTES that stands for each emotion."""


def conditions(faces: Faces, kind: str) -> Tensor:
    """Each face's emotion, float32 [N, 7], rows summing to 1, on the faces' device.

    `onehot` is the label; `votes` the FER+ votes for the seven (contempt, unknown, not-a-face dropped),
    the label where none is left; `mix` the mean of the two; `either` both, [2, N, 7], from which Batches
    takes one or the other at each draw, so that pure emotions and blends are both seen in training.

    Raises:
        ValueError: another kind, or votes are asked of data that has none.
    """
    if kind not in CONDITIONS:
        raise ValueError(f"Unknown kind of condition {kind!r}: choose one of {', '.join(CONDITIONS)}.")
    labels = one_hot(faces.labels)
    if kind == "onehot":
        return labels
    if faces.votes is None:
        raise ValueError(
            f"{faces.source} has no FER+ votes for {kind!r}:"
            f" put {readers.FERPLUS} beside it, or use 'onehot'."
        )
    votes = faces.votes[:, _SEVEN]
    votes = normalize(torch.where(votes.sum(1, keepdim=True) > 0, votes, labels))
    if kind == "either":
        return torch.stack([labels, votes])
    return votes if kind == "votes" else (labels + votes) / 2
