"""A photo with another expression: what somebody asked for, checked, and the files that answer. No Gradio."""

import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from fergan import animate, provenance
from fergan.emotions import EMOTIONS
from fergan.engine import Engine, Face, Translation
from fergan.images import Pixels, from_photo
from fergan.ui import blend
from fergan.ui.sheet import File

MOST_FACES = 12
"""Faces of one photo that are changed: the biggest."""
STRONGEST = 1.25
"""Intensity: 1 is how strong the translator learnt it, more exaggerates."""
WIDEST = 720
"""Pixels of a film's longer side: the page scales the photo down to it."""
LEAST_WIDE = 320
"""Pixels that a film is wide at least: a drawn face of 48 is enlarged."""
STARTS = ("photo", "neutral")
"""Where a film begins and ends: the photo as it is, or with a neutral look."""
SHORTEST, LONGEST = 0.4, 4.0
"""Seconds of the way there, which is also that of the way back."""
HOLD = 0.4
"""Seconds that both ends of a film are held."""
LOSSLESS = 256**2
"""Pixels of a picture up to which it is sent as PNG."""
_COLOURS = 256
_NEUTRAL = tuple(float(name == "neutral") for name in EMOTIONS)


@dataclass(frozen=True)
class Edit:
    """An expression that somebody asked for, of some faces of a photo."""

    model: str
    emotion: tuple[float, ...]
    """Weights of the seven, summing to 1."""
    intensity: float
    faces: tuple[Face, ...]

    @classmethod
    def parse(cls, fields: Any) -> "Edit":
        """The edit that fields of JSON ask for: {model, emotion: {name: weight}, intensity, faces: [{x, y, side, roll}]}.

        Raises:
            ValueError: a field that is missing, of another type or out of range.
        """
        if not isinstance(fields, Mapping) or not isinstance(fields.get("emotion"), Mapping):
            raise ValueError(f"An expression is asked for by named fields; got {repr(fields)[:40]}.")
        faces = fields.get("faces")
        if not isinstance(faces, list) or not 1 <= len(faces) <= MOST_FACES:
            came = f"{len(faces)}" if isinstance(faces, list) else repr(faces)[:40]
            raise ValueError(f"This takes a list of 1 to {MOST_FACES} faces; got {came}.")
        return cls(
            str(fields.get("model")),
            _normal(blend.row(fields["emotion"])),
            strength(fields.get("intensity")),
            tuple(map(_face, faces)),
        )

    def apply(self, engine: Engine, photo: Image.Image) -> Translation:
        """The photo, changed.

        Raises:
            ValueError: a face outside the photo, or what the engine refuses.
        """
        for face in self.faces:
            if not (0 <= face.cx <= photo.width and 0 <= face.cy <= photo.height):
                raise ValueError("The square lies outside the photo; move it onto a face.")
        return engine.translate(self.model, photo, self.emotion, self.intensity, self.faces)

    def record(self, engine: Engine) -> provenance.Record:
        """What the changed photo says about itself.

        Raises:
            ValueError: a model that the engine does not know.
        """
        return provenance.Record(
            self.model,
            blend.shares(self.emotion),
            0,
            weights=engine.fingerprint(self.model),
            edited=(round(self.intensity, 6), len(self.faces)),
        )

    def file(self, engine: Engine, content: bytes) -> File:
        """The photo of some bytes, changed, at its own resolution: JPEG where it was lossy, else PNG.

        Nothing of its EXIF comes along, such as where it was taken; its colour profile does.

        Raises:
            ValueError: no picture, or what `apply` refuses.
        """
        photo = from_photo(content)
        changed = self.apply(engine, photo).photo
        profile = photo.info.get("icc_profile") or b""  # Pillow says None of one that came in part
        changed.info = {}
        if profile[16:20] == {"RGB": b"RGB ", "L": b"GRAY"}[changed.mode]:
            changed.info["icc_profile"] = profile
        name = f"edited_{blend.stem(self.model, self.emotion)}"
        if content[:3] == b"\xff\xd8\xff" or content[8:12] == b"WEBP":
            return File(f"{name}.jpg", "image/jpeg", provenance.jpeg(changed, self.record(engine)))
        return File(f"{name}.png", "image/png", provenance.png(changed, self.record(engine)))


@dataclass(frozen=True)
class Film:
    """A film of a photo that somebody asked for: from a start to an expression, and back."""

    edit: Edit
    start: str = "photo"
    seconds: float = 1.0
    """Of the way there."""
    kind: str = "gif"

    def __post_init__(self) -> None:
        """Checks what no engine can.

        Raises:
            ValueError: an unknown start or kind, or seconds out of range.
        """
        if self.kind not in animate.KINDS:
            raise ValueError(f"A film is one of {', '.join(animate.KINDS)}; got {self.kind!r}.")
        if self.start not in STARTS:
            raise ValueError(f"A film starts at one of {', '.join(STARTS)}; got {self.start!r}.")
        if not SHORTEST <= self.seconds <= LONGEST:
            raise ValueError(f"The way there takes {SHORTEST} to {LONGEST} seconds; got {self.seconds}.")

    @classmethod
    def parse(cls, fields: Any) -> "Film":
        """The film that fields of JSON ask for.

        Raises:
            ValueError: a field that is missing, of another type or out of range.
        """
        edit = Edit.parse(fields)
        seconds = blend.number(fields.get("seconds"), "The time of the way there")
        return cls(edit, str(fields.get("start")), seconds, str(fields.get("kind")))

    @property
    def steps(self) -> int:
        """Frames from the start to the expression; as many changes are asked of the engine, and one more."""
        return round(self.seconds * blend.RATE)

    def at(self, share: float) -> Edit:
        """The edit a share of the way there."""
        if self.start == "photo":
            return replace(self.edit, intensity=share * self.edit.intensity)
        pairs = zip(_NEUTRAL, self.edit.emotion, strict=True)
        return replace(self.edit, emotion=tuple((1 - share) * a + share * b for a, b in pairs))

    def file(self, engine: Engine, photo: Image.Image, told: Callable[[int], None] = lambda _: None) -> File:
        """The whole film as a file; `told` hears how many frames are drawn, and may raise to stop it.

        Raises:
            ValueError: a photo of more than WIDEST pixels a side, or what the engine refuses.
        """
        check_film(photo)
        frames = self._frames(engine, photo, told)
        if self.kind == "gif":
            frames = _few_colours(frames)
        width = max(photo.width, min(LEAST_WIDE, round(LEAST_WIDE * photo.width / photo.height)))
        content = animate.encode(frames, self.kind, self.edit.record(engine), width, blend.RATE)
        name = f"edited_film_{blend.stem(self.edit.model, self.edit.emotion)}.{self.kind}"
        return File(name, animate.KINDS[self.kind], content)

    def _frames(self, engine: Engine, photo: Image.Image, told: Callable[[int], None]) -> Iterator[Pixels]:
        hold = round(HOLD * blend.RATE)
        drawn = []
        for step in range(self.steps + 1):
            ease = (1 - math.cos(math.pi * step / self.steps)) / 2  # a face neither starts nor stops at once
            drawn.append(np.asarray(self.at(ease).apply(engine, photo).photo))
            told(step + 1)
        yield from drawn[:1] * hold + drawn + drawn[-1:] * hold + drawn[-2:0:-1]


def check_film(photo: Image.Image) -> None:
    """Whether a film can be made of it.

    Raises:
        ValueError: it has more than WIDEST pixels a side.
    """
    if max(photo.size) > WIDEST:
        raise ValueError(f"A film's photo has at most {WIDEST} pixels a side; got {max(photo.size)}.")


def strength(value: Any) -> float:
    """An intensity of JSON.

    Raises:
        ValueError: no number from 0 to STRONGEST.
    """
    found = blend.number(value, "The intensity")
    if not 0 <= found <= STRONGEST:
        raise ValueError(f"The intensity runs from 0 to {STRONGEST}; got {value}.")
    return found


def encoded(picture: Image.Image) -> tuple[str, bytes]:
    """A picture as the page shows it: its media type and bytes; small ones keep every pixel."""
    file = io.BytesIO()
    if picture.width * picture.height <= LOSSLESS:
        picture.save(file, "PNG", compress_level=1)
        return "image/png", file.getvalue()
    picture.save(file, "JPEG", quality=92, subsampling=0)
    return "image/jpeg", file.getvalue()


def _normal(weights: tuple[float, ...]) -> tuple[float, ...]:
    total = sum(weights)
    if min(weights) < 0 or total <= 0:
        raise ValueError("Weights of emotions are at least 0, and one is above it.")
    return tuple(weight / total for weight in weights)


def _face(fields: Any) -> Face:
    """A face as the page tells it.

    Raises:
        ValueError: a field that is missing or no number, or a square without extent.
    """
    if not isinstance(fields, Mapping):
        raise ValueError(f"A face is its place, side and roll; got {repr(fields)[:40]}.")
    x, y, side, roll = (
        blend.number(fields.get(name), f"A face's {name}") for name in ("x", "y", "side", "roll")
    )
    if side < 1:
        raise ValueError(f"A face's side is at least 1 pixel; got {side}.")
    return Face(x, y, side, roll)


def _few_colours(frames: Iterator[Pixels]) -> Iterator[Pixels]:
    """Frames in the colours of the first, so that a GIF stores of each only what moves."""
    palette = None
    for frame in frames:
        if frame.ndim == 2:  # grey is few enough
            yield frame
            continue
        picture = Image.fromarray(frame)
        palette = palette or picture.quantize(_COLOURS)
        reduced = picture.quantize(palette=palette, dither=Image.Dither.NONE)
        yield np.asarray(reduced.convert("RGB"))
