"""What a training left to look at: the pages of its evolution, and its history. No Gradio.

A checkpoint may come from strangers: what is not as train.history writes it is left out.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageSequence

from fergan import animate, provenance
from fergan.emotions import EMOTIONS
from fergan.engine import EVOLUTION, HISTORY, Engine
from fergan.images import CAPTION, GAP, Pixels
from fergan.metrics import is_number
from fergan.ui import models
from fergan.ui.sheet import File, data_uri

MOST = 200
"""Pages of one evolution, at most; trainings draw at doubling intervals, 25 of them by 3 million images."""
RATE, EACH, LAST = 5, 2, 10
"""An exported film: frames a second, frames for each page, and for the last."""
WIDTHS = (348, 1024)
"""Pixels of an exported film, from and to."""
WIDTH = 512


class History(NamedTuple):
    """What a history.json holds; nothing of it, where there is none."""

    frames: list[int]
    curves: dict[str, list[tuple[int, float]]]
    notes: list[tuple[int, str]]


def filmed(engine: Engine) -> list[str]:
    """The models that came with an evolution; those that draw first."""
    names = [name for name in engine.models if (engine.folder(name) / EVOLUTION).is_file()]
    return sorted(names, key=lambda name: name not in engine.generators)


def film(engine: Engine, name: str) -> dict[str, Any]:
    """All that the tab needs of a model, once: its pages as pictures, and how to cut and name them.

    Raises:
        ValueError: an unknown model, one without an evolution, or one that cannot be read.
    """
    path = _path(engine, name)
    told = history(engine, name)
    pages = _pictures(path, path.stat().st_mtime_ns, CAPTION if told.frames else 0)
    if len(pages) != len(told.frames):  # not of this film: its pages show their own captions
        pages, told = _pictures(path, path.stat().st_mtime_ns, 0), told._replace(frames=[])
    size, columns = engine.models[name].config.get("image_size", 0), _columns(engine, name)
    return {"pages": pages, "size": size, "gap": GAP, "columns": columns, **told._asdict()}


def history(engine: Engine, name: str) -> History:
    """The history that came with a model.

    Raises:
        ValueError: an unknown model.
    """
    try:
        found = json.loads((engine.folder(name) / HISTORY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return History([], {}, [])
    found = found if isinstance(found, dict) else {}
    frames, curves = found.get("frames"), found.get("curves")
    frames = frames if isinstance(frames, list) and all(map(_is_count, frames)) else []
    if sorted(set(frames)) != frames:
        frames = []
    return History(
        frames,
        {
            key: points
            for key, values in (curves.items() if isinstance(curves, dict) else ())
            if (points := [(seen, value) for seen, value in _pairs(values) if is_number(value)])
        },
        [(seen, words) for seen, words in _pairs(found.get("notes")) if isinstance(words, str)],
    )


def gif(engine: Engine, name: str, width: int = WIDTH) -> File:
    """The evolution as a GIF that plays for ever, its captions in it; it says of itself what it is.

    Raises:
        ValueError: as `film`, or a width out of range.
    """
    path = _path(engine, name)
    if not WIDTHS[0] <= width <= WIDTHS[1]:
        raise ValueError(f"A film is {WIDTHS[0]} to {WIDTHS[1]} pixels wide; got {width}.")
    pages = list(_pages(path))
    held = [page for page in pages for _ in range(EACH)] + pages[-1:] * (LAST - EACH)
    content = animate.encode(held, "gif", _record(engine, name, len(pages)), width, RATE)
    stem = "".join(sign if sign.isalnum() or sign in "-." else "-" for sign in name)
    return File(f"evolution_{stem}.gif", animate.KINDS["gif"], content)


def _record(engine: Engine, name: str, pages: int) -> provenance.Record:
    """Of the seeds 0 and on, one a row; of one emotion alone they run on over the columns."""
    emotions, frames = engine.drawn_emotions(name), history(engine, name).frames
    return provenance.Record(
        name,
        dict.fromkeys(emotions, 1.0),
        0,
        count=6,
        weights=engine.fingerprint(name),
        training=(pages, frames[-1] if len(frames) == pages else 0),
    )


def _columns(engine: Engine, name: str) -> list[str]:
    """What stands above the columns of a page: emotions, and "drawn" before them where faces are changed."""
    if models.kind(engine, name) == "translator":
        return ["drawn", *EMOTIONS]
    known = engine.drawn_emotions(name)
    return known * len(EMOTIONS) if len(known) == 1 else list(EMOTIONS)


def _path(engine: Engine, name: str) -> Path:
    path = engine.folder(name) / EVOLUTION
    if not path.is_file():
        raise ValueError(f"The model {name} came without pictures of its training.")
    return path


def _pages(path: Path) -> Iterator[Pixels]:
    """Each page, uint8 [H, W], or [H, W, 3] where there is a colour in it.

    Raises:
        ValueError: no animation that can be read.
    """
    try:
        with Image.open(path) as picture:
            if getattr(picture, "n_frames", 1) > MOST:
                raise ValueError(f"it has more than {MOST} pages")
            for page in ImageSequence.Iterator(picture):
                colours = np.asarray(page.convert("RGB"))
                grey = (np.ptp(colours, axis=-1) <= 8).all()  # WebP's colours of a grey are off by a few
                yield np.asarray(page.convert("L")) if grey else colours
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"The pictures of this training cannot be read: {error}.") from error


@lru_cache(maxsize=8)
def _pictures(path: Path, changed: int, caption: int) -> list[str]:
    """The pages for <img>, without so many pixels at their foot; `changed` tells one file from its successor."""
    return [data_uri(page[: len(page) - caption]) for page in _pages(path)]


def _pairs(values: Any) -> Iterator[tuple[int, Any]]:
    for pair in values if isinstance(values, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and _is_count(pair[0]):
            yield pair[0], pair[1]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
