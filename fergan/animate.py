"""Frames -> a file that moves: GIF, WebP or MP4, each saying that it is synthetic."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from io import BytesIO
from itertools import chain

import numpy as np
from PIL import Image

from fergan.images import Pixels, resize
from fergan.provenance import KEY, Record, xmp

KINDS = {"gif": "image/gif", "webp": "image/webp", "mp4": "video/mp4"}
"""Media types by the kinds of file that `encode` writes."""
WIDEST = 1024
"""Pixels; more would show no more of a face of 48."""
GREYS = 64
"""Levels of a grey GIF, which stores runs of what is alike: faces in a third of the bytes, no pixel off by more than 2."""
_NEAREST = [round(round(level * (GREYS - 1) / 255) * 255 / (GREYS - 1)) for level in range(256)]


def encode(frames: Iterable[Pixels], kind: str, record: Record, width: int = 384, rate: int = 24) -> bytes:
    """Frames, each uint8 [H, W] or [H, W, 3] -> a file of a kind of KINDS that plays for ever, or once as MP4.

    Frames are enlarged to `width` pixels, smoothly, and shown `rate` a second, 1 to 50. They are taken one by
    one, so a caller's generator may tell how far it is, or raise to stop.

    Raises:
        ValueError: an unknown kind, no frame, or a width or a rate out of range.
    """
    if kind not in KINDS:
        raise ValueError(f"An animation is a {', '.join(KINDS)}; got {kind!r}.")
    if not 16 <= width <= WIDEST or not 1 <= rate <= 50:
        raise ValueError(
            f"An animation is 16 to {WIDEST} pixels wide and shows 1 to 50 frames a second;"
            f" got {width} and {rate}."
        )
    large = (resize(Image.fromarray(frame), width) for frame in frames)
    first = next(large, None)
    if first is None:
        raise ValueError("An animation needs at least one frame.")
    writers: dict[str, Callable[[Iterator[Image.Image], Record, int], bytes]] = {
        "gif": _gif,
        "webp": _webp,
        "mp4": _mp4,
    }
    return writers[kind](chain([first], large), record, rate)


def few_greys(picture: Image.Image) -> Image.Image:
    """A grey picture in GREYS levels; one in colours as it is."""
    return picture.point(_NEAREST) if picture.mode == "L" else picture


def _gif(frames: Iterator[Image.Image], record: Record, rate: int) -> bytes:
    """Of each frame only what is new is stored (`optimize`). Durations are in hundredths of a second."""
    return _pillow(
        map(few_greys, frames), "GIF", round(100 / rate) * 10, comment=record.json().encode(), optimize=True
    )


def _webp(frames: Iterator[Image.Image], record: Record, rate: int) -> bytes:
    rgb = (frame.convert("RGB") for frame in frames)
    return _pillow(rgb, "WEBP", round(1000 / rate), xmp=xmp(record).encode(), quality=80, method=2)


def _pillow(frames: Iterator[Image.Image], kind: str, milliseconds: int, **options: object) -> bytes:
    file = BytesIO()
    first = next(frames)
    first.save(file, kind, save_all=True, append_images=frames, duration=milliseconds, loop=0, **options)
    return file.getvalue()


def _mp4(frames: Iterator[Image.Image], record: Record, rate: int) -> bytes:
    """H.264 at 4:2:0, which every browser and phone plays; sides are even there."""
    import av  # late: a visitor who saves no video need not wait for it

    file, first = BytesIO(), next(frames)
    width, height = (length - length % 2 for length in first.size)
    with av.open(file, "w", format="mp4", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["comment"] = record.json()
        container.metadata["description"] = record.sentence()
        container.metadata[KEY] = record.json()
        stream = container.add_stream("libx264", rate=Fraction(rate), options={"crf": "20", "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in chain([first], frames):
            pixels = np.asarray(frame.convert("RGB").crop((0, 0, width, height)))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()
