"""Blended faces: what somebody asked for, checked, and the pictures, films and files that answer. No Gradio."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from fergan import animate, emotions, images, provenance
from fergan.emotions import EMOTIONS
from fergan.engine import Engine, Moment
from fergan.images import Pixels
from fergan.metrics import is_number
from fergan.ui.sheet import File, data_uri, drawn_by, whole

MOST = 24
"""Moments in one request, and in one animation."""
RATE = 25
"""Frames a second of an animation; a GIF counts in hundredths of a second, and can show that one exactly."""
SHORTEST, LONGEST = 0.4, 5.0
"""Seconds from one moment to the next."""
WIDTHS = (256, 384, 512)
"""Sides in pixels of an animation to save."""
MOST_GIF = 60_000_000
"""Pixels of all frames of a GIF: about 16 MB; WebP takes a thirteenth of that."""
_DEGREES = {"happy": 8, "surprise": 66, "fear": 104, "angry": 138, "disgust": 172, "sad": 222}
PLACES = {
    name: tuple(round(turn(math.radians(_DEGREES[name])), 4) for turn in (math.cos, math.sin))
    if name in _DEGREES
    else (0.0, 0.0)
    for name in EMOTIONS
}
"""Where each emotion lies on the wheel, (valence, arousal): on a circle of radius 1, neutral in its centre.

After Russell 1980, figure 4 (happy 8 degrees, astonished 70, afraid 116, angry 99, annoyed 123, sad 208; disgust
is not in it), turned a little, so that a finger can tell them apart.
"""
_NEUTRAL = tuple(float(name == "neutral") for name in EMOTIONS)


def parse(fields: Any) -> Moment:
    """The moment that fields of JSON ask for: {emotion: {name: weight}, seed, truncation, coarse_seed}.

    Truncation is 1 and the coarse seed none where they are missing; weights that are all 0 are neutral.

    Raises:
        ValueError: a field that is missing, of another type or out of range.
    """
    if not isinstance(fields, Mapping) or not isinstance(fields.get("emotion"), Mapping):
        raise ValueError(
            f"A moment is an emotion (weights by name) and a seed; got {repr(fields)[:60]}."
            ' Write it like {"emotion": {"happy": 1}, "seed": 7}.'
        )
    weights = row(fields["emotion"])
    truncation, coarse = fields.get("truncation", 1.0), fields.get("coarse_seed")
    return Moment(
        weights if any(weights) else _NEUTRAL,
        whole(fields.get("seed"), "A seed"),
        number(truncation, "Truncation"),
        None if coarse is None else whole(coarse, "The seed of pose and shape"),
    )


def row(emotion: Mapping[str, Any]) -> tuple[float, ...]:
    """Weights by name, those that are not there 0 -> weights of the seven.

    Raises:
        ValueError: an unknown name, or a weight that is no number.
    """
    weights = dict.fromkeys(EMOTIONS, 0.0)
    for name, weight in emotion.items():
        weights[EMOTIONS[emotions.index(str(name))]] = number(weight, f"The weight of {name}")
    return tuple(weights.values())


def shares(emotion: Sequence[float]) -> dict[str, float]:
    """Weights of the seven -> what a record keeps: those above 0, by name."""
    rounded = ((name, round(weight, 6)) for name, weight in zip(EMOTIONS, emotion, strict=True))
    return {name: weight for name, weight in rounded if weight}


def parse_all(fields: Any, least: int = 1) -> list[Moment]:
    """Moments, a list of JSON, `least` to MOST of them.

    Raises:
        ValueError: no list, too few or too many, or one that `parse` refuses.
    """
    if not isinstance(fields, list) or not least <= len(fields) <= MOST:
        came = f"{len(fields)}" if isinstance(fields, list) else repr(fields)[:40]
        raise ValueError(f"This takes a list of {least} to {MOST} moments; got {came}.")
    return [parse(moment) for moment in fields]


def draw(engine: Engine, model: str, moments: Sequence[Moment]) -> list[Pixels]:
    """One face for each moment, uint8 [H, W] or [H, W, 3].

    Raises:
        ValueError: what the engine refuses.
    """
    return [
        engine.generate(
            model,
            [moment.emotion],
            [moment.seed],
            moment.truncation,
            None if moment.coarse_seed is None else [moment.coarse_seed],
        )[0]
        for moment in moments
    ]


def strip(engine: Engine, model: str, start: Moment, end: Moment, steps: int) -> str:
    """The frames from a moment to the next, both included, side by side in one PNG, for an <img>.

    Raises:
        ValueError: steps out of range, or what the engine refuses.
    """
    if not 1 <= steps <= LONGEST * RATE:
        raise ValueError(f"There are 1 to {LONGEST * RATE:.0f} frames between two moments; got {steps}.")
    return data_uri(np.concatenate(list(engine.animate(model, [start, end], steps, loop=False)), axis=1))


def record(engine: Engine, model: str, moments: Sequence[Moment]) -> provenance.Record:
    """What the picture of one moment, or an animation through several, says about itself.

    Raises:
        ValueError: a model that the engine does not know.
    """
    told = [
        provenance.Record(
            model,
            shares(moment.emotion),
            moment.seed,
            truncation=moment.truncation,
            weights=engine.fingerprint(model),
            coarse_seed=moment.coarse_seed,
        )
        for moment in moments
    ]
    first = told[0]
    if len(told) == 1:
        return first
    return provenance.Record(
        model,
        first.emotion,
        first.seed,
        truncation=first.truncation,
        weights=first.weights,
        coarse_seed=first.coarse_seed,
        moments=tuple(told),
    )


def face_file(engine: Engine, model: str, moment: Moment, width: int | None = None) -> File:
    """The face of a moment as a PNG, at the model's own size or `width` pixels wide.

    Raises:
        ValueError: what the engine refuses.
    """
    picture, suffix = Image.fromarray(draw(engine, model, [moment])[0]), ""
    if width is not None:
        picture, suffix = images.resize(picture, width), f"_{width}px"
    content = provenance.png(picture, record(engine, model, [moment]))
    return File(f"{_stem(model, moment)}{suffix}.png", "image/png", content)


@dataclass(frozen=True)
class Film:
    """An animation that somebody asked for: moments of one model, and how it is shown."""

    model: str
    moments: tuple[Moment, ...]
    seconds: float = 1.5
    """From one moment to the next."""
    loop: bool = True
    kind: str = "gif"
    width: int = 384

    def __post_init__(self) -> None:
        """Checks what no engine can.

        Raises:
            ValueError: an unknown kind, a width or seconds out of range, too many frames for a GIF.
        """
        if self.kind not in animate.KINDS:
            raise ValueError(f"An animation is one of {', '.join(animate.KINDS)}; got {self.kind!r}.")
        if not min(WIDTHS) <= self.width <= max(WIDTHS):
            raise ValueError(f"An animation is {min(WIDTHS)} to {max(WIDTHS)} pixels wide; got {self.width}.")
        if not SHORTEST <= self.seconds <= LONGEST:
            raise ValueError(
                f"From one moment to the next it takes {SHORTEST} to {LONGEST} seconds; got {self.seconds}."
            )
        if self.kind == "gif" and self.frames * self.width**2 > MOST_GIF:
            raise ValueError(
                f"A GIF of {self.frames} frames, {self.width} pixels wide, would be too large a file;"
                " choose WebP or MP4, a smaller size, or less time."
            )

    @classmethod
    def parse(cls, fields: Any) -> "Film":
        """The film that fields of JSON ask for.

        Raises:
            ValueError: a field that is missing, of another type or out of range.
        """
        if not isinstance(fields, Mapping):
            raise ValueError(f"An animation is asked for by named fields; got {repr(fields)[:40]}.")
        return cls(
            str(fields.get("model")),
            tuple(parse_all(fields.get("moments"), least=2)),
            number(fields.get("seconds"), "The time from one moment to the next"),
            bool(fields.get("loop")),
            str(fields.get("kind")),
            whole(fields.get("width"), "The width"),
        )

    @property
    def steps(self) -> int:
        """Frames from one moment to the next."""
        return round(self.seconds * RATE)

    @property
    def frames(self) -> int:
        """Frames in all."""
        legs = len(self.moments) if self.loop else len(self.moments) - 1
        return legs * self.steps + (not self.loop)

    def file(self, engine: Engine, told: Callable[[int], None] = lambda _: None) -> File:
        """The whole film as a file; `told` hears how many frames are drawn, and may raise to stop it.

        Raises:
            ValueError: what the engine refuses.
        """
        name = f"film_{_stem(self.model, self.moments[0])}_{len(self.moments)}moments.{self.kind}"
        told_of = record(engine, self.model, self.moments)
        content = animate.encode(self._drawn(engine, told), self.kind, told_of, self.width, RATE)
        return File(name, animate.KINDS[self.kind], content)

    def _drawn(self, engine: Engine, told: Callable[[int], None]) -> Iterator[Pixels]:
        frames = engine.animate(self.model, self.moments, self.steps, loop=self.loop)
        for number, frame in enumerate(frames, 1):
            told(number)
            yield frame


def settings(content: bytes, engine: Engine) -> dict[str, Any]:
    """A dropped file's bytes -> the moments that drew it, one for a face, and what to say of it.

    Raises:
        ValueError: not a picture, not one of ours, or one that no model here can draw again.
    """
    found = drawn_by(content, engine)
    if found.coarse_seed is not None and found.model not in engine.mixers:
        raise ValueError(f"The model {found.model} here cannot take the shape of another face.")
    moments = [
        {
            "emotion": dict(moment.emotion),
            "seed": moment.seed,
            "truncation": moment.truncation,
            "coarse_seed": moment.coarse_seed,
        }
        for moment in (found.moments or (found,))
    ]
    parse_all(moments)
    notes = []
    if found.count > 1:
        notes.append("It is a sheet; this is its first face.")
    if found.weights and found.weights != engine.fingerprint(found.model):
        notes.append("The model has been trained anew since: it draws another face from this seed.")
    return {"model": found.model, "moments": moments, "said": found.sentence(), "note": " ".join(notes)}


def number(value: Any, what: str) -> float:
    """A number of JSON.

    Raises:
        ValueError: anything else, or one that is not finite.
    """
    if not is_number(value):
        raise ValueError(f"{what} is a number; got {value!r}.")
    return float(value)


def _stem(model: str, moment: Moment) -> str:
    return f"{stem(model, moment.emotion)}_seed{moment.seed:06d}"


def stem(model: str, emotion: Sequence[float]) -> str:
    """`happy50-sad50_acgan`, how a file's name begins; a Hub id holds signs that file names must not."""
    name = "".join(sign if sign.isalnum() or sign in "-." else "-" for sign in model)
    parts = {name: round(100 * share) for name, share in zip(EMOTIONS, emotion, strict=True)}
    blend = "-".join(f"{name}{share}" if share < 100 else name for name, share in parts.items() if share)
    return f"{blend}_{name}"
