"""A sheet of faces: what somebody asked for, checked, and the pictures and files that answer. No Gradio."""

import base64
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from fergan import emotions, images, provenance
from fergan.engine import LAST_SEED, Engine
from fergan.images import Pixels, from_photo
from fergan.ui.server import Answer, received

MOST = 64
"""Faces on one sheet, at most."""
LARGE = 512
"""Side in pixels of a face to keep; a model's own size is the other choice."""
_CELL, _GAP = 192, 12
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


class File(NamedTuple):
    """A file to hand over."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Sheet:
    """Faces that somebody asked for: `count` seeds from `seed` on, all of one emotion by one model."""

    model: str
    emotion: str
    seed: int
    count: int = 16
    truncation: float = 1.0

    def __post_init__(self) -> None:
        """Checks what no engine can: its own verb checks the model, the seeds and the truncation.

        Raises:
            ValueError: an unknown emotion, or a seed or a count out of range.
        """
        emotions.index(self.emotion)
        if not 1 <= self.count <= MOST:
            raise ValueError(f"A sheet has 1 to {MOST} faces; got {self.count}.")
        if not 0 <= self.seed <= LAST_SEED:
            raise ValueError(f"A seed is a whole number from 0 to {LAST_SEED}; got {self.seed}.")

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> "Sheet":
        """The sheet that fields of JSON ask for.

        Raises:
            ValueError: a field that is missing, of another type or out of range.
        """
        try:
            model, emotion, seed, count, truncation = (
                fields[name] for name in ("model", "emotion", "seed", "count", "truncation")
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"A sheet needs a model, an emotion, a seed and a count: {error}.") from error
        if not isinstance(model, str) or not isinstance(emotion, str):
            raise ValueError(f"A model and an emotion are named; got {model!r} and {emotion!r}.")
        if isinstance(truncation, bool) or not isinstance(truncation, int | float):
            raise ValueError(f"Truncation runs from 0 to 1; got {truncation!r}.")
        return cls(
            model,
            emotion.strip().lower(),
            whole(seed, "A seed"),
            whole(count, "The number of faces"),
            truncation,
        )

    @property
    def seeds(self) -> list[int]:
        """One seed for each face; after the last seed comes 0."""
        return [(self.seed + step) % (LAST_SEED + 1) for step in range(self.count)]

    def draw(self, engine: Engine) -> Pixels:
        """The faces, uint8 [count, H, W] or [count, H, W, 3].

        Raises:
            ValueError: what the engine refuses.
        """
        row = np.zeros(len(emotions.EMOTIONS), np.float32)
        row[emotions.index(self.emotion)] = 1
        return engine.generate(self.model, np.tile(row, (self.count, 1)), self.seeds, self.truncation)

    def record(self, engine: Engine, seed: int | None = None) -> provenance.Record:
        """What the picture of the whole sheet, or of its face of one seed, says about itself.

        Raises:
            ValueError: a model that the engine does not know.
        """
        alone = seed is not None
        return provenance.Record(
            self.model,
            {self.emotion: 1.0},
            self.seed if seed is None else seed,
            count=1 if alone else self.count,
            truncation=self.truncation,
            sheet=(self.seed, self.count) if alone else None,
            weights=engine.fingerprint(self.model),
        )


def handed(file: File) -> Answer:
    """A file as the page's `saveFile` takes it."""
    content = base64.b64encode(file.content).decode()
    return {"name": file.name, "type": file.media_type, "content": content}


def written(files: Sequence[File], cache: Path) -> list[str]:
    """Paths of files in Gradio's cache, from where it hands them over and in time deletes them."""
    cache.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=cache))
    for file in files:
        (folder / file.name).write_bytes(file.content)
    return [str(folder / file.name) for file in files]


def data_uri(face: Pixels) -> str:
    """One face [H, W] or [H, W, 3] at its own size, for an <img>: the browser enlarges it."""
    file = io.BytesIO()
    Image.fromarray(face).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def drawn_by(content: bytes, engine: Engine) -> provenance.Record:
    """A dropped file's bytes -> what it says of itself, where a model here can draw its faces again.

    Raises:
        ValueError: not a picture, not one of ours, no picture of one moment, or by a model that is not here.
    """
    record = provenance.read(content)
    if record.edited is not None:
        raise ValueError("This is an edited photo: no face can be drawn again from it.")
    if record.training is not None:
        raise ValueError(
            f"This shows the training of the model {record.model}: watch it in the tab Evolution."
        )
    if record.model not in engine.generators:
        raise ValueError(f"This picture was drawn by the model {record.model}, which is not here.")
    return record


def pictures(uris: Any) -> Pixels:
    """Faces as the page shows them (see data_uri) -> uint8 [B, H, W] or [B, H, W, 3].

    What is on screen is read, rather than drawn anew: decoding 16 faces takes 1 ms, drawing them 100.

    Raises:
        ValueError: no list of 1 to MOST faces, a picture that cannot be read or is too large, or sizes that
            differ.
    """
    if not isinstance(uris, list) or not 1 <= len(uris) <= MOST:
        came = f"{len(uris)}" if isinstance(uris, list) else repr(uris)[:40]
        raise ValueError(f"The judge reads 1 to {MOST} faces at once; got {came}.")
    faces = []
    for uri in uris:
        face = from_photo(received(str(uri).partition(",")[2]))
        if max(face.size) > LARGE:
            raise ValueError(f"A face to read is at most {LARGE} pixels wide and high; got {face.size}.")
        faces.append(np.asarray(face))
    if len({face.shape for face in faces}) > 1:
        raise ValueError("Faces that are read at once have one size, and are all grey or all in colour.")
    return np.stack(faces)


def face_file(engine: Engine, sheet: Sheet, seed: int, width: int | None = None) -> File:
    """The face of one seed of the sheet as a PNG, at the model's own size or `width` pixels wide.

    Raises:
        ValueError: a seed that is not on the sheet, or what the engine refuses.
    """
    if seed not in sheet.seeds:
        raise ValueError(f"The seed {seed} is not on this sheet.")
    alone = Sheet(sheet.model, sheet.emotion, seed, 1, sheet.truncation)
    return _png(engine, alone.draw(engine)[0], sheet, seed, width)


def face_files(engine: Engine, sheet: Sheet) -> list[File]:
    """Every face of the sheet as a PNG, at the model's own size.

    Raises:
        ValueError: what the engine refuses.
    """
    faces = sheet.draw(engine)
    return [_png(engine, face, sheet, seed) for face, seed in zip(faces, sheet.seeds, strict=True)]


def sheet_file(engine: Engine, sheet: Sheet) -> File:
    """The sheet as one PNG, each face enlarged.

    Raises:
        ValueError: what the engine refuses.
    """
    large = np.stack([np.asarray(images.resize(Image.fromarray(face), _CELL)) for face in sheet.draw(engine)])
    picture = images.sheet(large, columns=int(np.ceil(np.sqrt(sheet.count))), gap=_GAP)
    return File(f"{_stem(sheet)}_sheet.png", "image/png", provenance.png(picture, sheet.record(engine)))


def zip_file(engine: Engine, sheet: Sheet) -> File:
    """All faces of the sheet in one archive, to the byte the same for the same sheet.

    Raises:
        ValueError: what the engine refuses.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as entries:
        for file in face_files(engine, sheet):
            entries.writestr(zipfile.ZipInfo(file.name, _ZIP_DATE), file.content)
    return File(f"{_stem(sheet)}_{sheet.count}faces.zip", "application/zip", archive.getvalue())


def whole(value: Any, what: str) -> int:
    """A number of JSON as an int.

    Raises:
        ValueError: not a number, or one with a fraction.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError(f"{what} is a whole number; got {value!r}.")
    return int(value)


def _png(engine: Engine, face: Pixels, sheet: Sheet, seed: int, width: int | None = None) -> File:
    picture = Image.fromarray(face)
    suffix = ""
    if width is not None:
        picture, suffix = images.resize(picture, width), f"_{width}px"
    name = f"{_stem(sheet, seed)}{suffix}.png"
    return File(name, "image/png", provenance.png(picture, sheet.record(engine, seed)))


def _stem(sheet: Sheet, seed: int | None = None) -> str:
    """`happy_acgan_seed000123`; a Hub id holds signs that file names must not."""
    model = "".join(sign if sign.isalnum() or sign in "-." else "-" for sign in sheet.model)
    return f"{sheet.emotion}_{model}_seed{sheet.seed if seed is None else seed:06d}"
