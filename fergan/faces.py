"""Photo -> the faces found in it -> crops framed as FER2013's; a changed crop -> the photo. The only importer of OpenCV.

Coordinates are a photo's pixels with (0, 0) at the corner of the first one, so that they scale with it.
"""

import math
import threading
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fergan.images import Pixels

LONGEST = 640
"""Faces are looked for in the photo scaled down to this side."""
SMALLEST = (30, 0.06)
"""Of a face to look for: pixels then, and share of the photo's shorter side."""
NOBODY = (
    "No face was found in this picture. It looks for faces seen from the front, neither hidden nor cut off"
    " nor smaller than a twentieth of the picture."
)
"""What a person is told of these limits."""
SMALL = 96
"""A square picture of at most this side is a face by itself, whatever is found inside it."""
FLAT = 16
"""Levels of grey that a picture must span to hold a face."""

_TURNS = (0.0, -30.0, 30.0)  # of the whole photo: the cascade knows upright faces alone
_ROLLS = np.arange(-45.0, 46.0, 15.0)  # of each face found
_ROOM = 0.25  # around the photo, in its sides: a face may fill it
_SUPPORT = 2  # of these at which a face must show, and one more if it is tilted by more than _TILTED:
_TILTED = 30.0  # what is no face shows at one by chance, or at two far from upright
_FRAME = 1.035  # FER2013's side, in sides of the cascade's box
_DROP = 0.01  # and how far its centre lies below the box's
_EDGE = 0.125  # of the side: over this way from its edge inwards a change comes in
_FINE = 4  # a change is enlarged this many times smoothly, and from there straight
_ROWS = 32  # of a photo are worked on at once: what they take stays in a processor's cache
_SOFT = 25.0  # levels of grey: where a point is repainted by more, most of the photo's detail goes

_thread = threading.local()


@dataclass(frozen=True)
class Face:
    """A square around a face, in the photo's pixels, as FER2013 would frame it."""

    cx: float
    cy: float
    """Its centre."""
    side: float
    roll: float = 0.0
    """Degrees that the head is tilted clockwise."""
    score: float = 0.0
    """How sure the detector is, without unit; 0 where the picture was taken for the face."""

    def matrix(self, size: int) -> NDArray[np.float64]:
        """The affine map [2, 3] from the photo to an upright crop of `size` pixels: (x, y, 1) -> (x', y')."""
        scale, turn = size / self.side, math.radians(self.roll)
        sine, cosine = scale * math.sin(turn), scale * math.cos(turn)
        linear = np.array([[cosine, sine], [-sine, cosine]])
        return np.column_stack([linear, size / 2 - linear @ (self.cx, self.cy)])

    def moved(self, right: float, down: float) -> "Face":
        """The same square elsewhere, or in a photo whose corner lies elsewhere."""
        return replace(self, cx=self.cx + right, cy=self.cy + down)


class Touch(NamedTuple):
    """What is done to a face, each map [h, w] over its square, at any resolution."""

    flow: NDArray[np.float32]
    """[h, w, 2]: where each point comes from, right and down, as a share of the side."""
    low: NDArray[np.float32]
    """The face at this size after that, levels of grey."""
    residual: NDArray[np.float32]
    """What is added then, levels of grey."""


def find_faces(photo: Image.Image) -> list[Face]:
    """Photo, mode L or RGB -> its faces, the biggest first.

    Viola & Jones 2001 with OpenCV's cascade "alt2", in the photo and in the photo turned by 30 degrees; each
    face is then looked at under seven angles, which gives its roll, and drops what is no face. A small square
    picture is itself the face: crops of FER2013, and the faces drawn here, end where the cascade's box does.
    """
    grey = np.asarray(photo.convert("L"))
    if min(grey.shape) == 0 or np.ptp(grey) < FLAT:
        return []
    height, width = grey.shape
    if max(height, width) <= SMALL and abs(height - width) <= max(height, width) / 16:
        return [whole_photo(photo)]
    scale = min(1.0, LONGEST / max(height, width))
    small = _shrunk(grey, scale)
    found: list[Face] = []
    for cx, cy, box in _candidates(small):
        if any(math.dist((cx, cy), (face.cx, face.cy)) < 0.5 * max(box, face.side) for face in found):
            continue
        if face := _upright(small, cx, cy, box):
            found.append(face)
    scaled = [Face(f.cx / scale, f.cy / scale, f.side / scale, f.roll, f.score) for f in found]
    return sorted(scaled, key=lambda face: face.side, reverse=True)


def whole_photo(photo: Image.Image) -> Face:
    """The largest square in the middle of the photo, as if it were a face."""
    return Face(photo.width / 2, photo.height / 2, float(min(photo.size)))


def crop(photo: Image.Image, face: Face, size: int = 48, channels: int = 1) -> Pixels:
    """The face turned upright, uint8 [size, size], or [size, size, 3] where channels is 3.

    Each pixel is the mean of those of the photo that it covers; beyond the photo's edge its border goes on.
    """
    left, top, right, bottom = bounds(photo.size, face, 2)
    piece = photo.crop((left, top, right, bottom))  # of 12 million pixels few are the face
    pixels, near = np.asarray(piece.convert("L" if channels == 1 else "RGB")), face.moved(-left, -top)
    over = min(max(1, math.ceil(face.side / size)), 24)
    large = _warp(pixels, near.matrix(size * over), size * over)
    if over == 1:
        return large
    # INTER_AREA with a whole factor: the mean of over x over pixels
    shape = (size, over, size, over, *pixels.shape[2:])
    return np.rint(large.reshape(shape).mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)


def bounds(size: tuple[int, int], face: Face, around: float = 0) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part of a photo, of this width and height, that holds a face's square.

    With so many pixels more on each side; of a square outside the photo, the nearest pixels.
    """
    turn = math.radians(face.roll)
    half = face.side / 2 * (abs(math.cos(turn)) + abs(math.sin(turn))) + around
    found = []
    for middle, length in zip((face.cx, face.cy), size, strict=True):
        first = min(max(0, math.floor(middle - half)), length - 1)
        found.append((first, max(first + 1, min(length, math.ceil(middle + half)))))
    (left, right), (top, bottom) = found
    return left, top, right, bottom


def repaint(photo: Image.Image, face: Face, touch: Touch) -> tuple[Image.Image, tuple[int, int]]:
    """A face's change at the photo's own resolution -> a piece of the photo, and where its corner belongs.

    Outside the face's square the piece is the photo, bit for bit; inside, the change comes in smoothly.
    """
    # cubic interpolation looks two pixels further than the longest way, and may swing beyond that
    reach = 3 + 1.2 * face.side * float(np.abs(touch.flow).max(initial=0)) * math.sqrt(2)
    x, y = (wide := bounds(photo.size, face, reach))[:2]
    left, top, right, bottom = bounds(photo.size, face)
    pixels = np.asarray(photo.crop(wide))
    region = (left - x, top - y, right - x, bottom - y)
    done = apply(pixels, face.moved(-x, -y).matrix(1), touch, region, _EDGE)
    return Image.fromarray(done), (left, top)


def apply(
    pixels: Pixels,
    matrix: NDArray[np.float64],
    touch: Touch,
    region: tuple[int, int, int, int] | None = None,
    edge: float = 0.0,
) -> Pixels:
    """Pixels [H, W] or [H, W, 3], bent and repainted where `matrix` maps them into the square from 0 to 1.

    Colour is bent with the light; then what grows lighter is given grey, and what grows darker keeps its hue, as
    in the shade. Fine detail stays, but goes where much is added, else the old mouth would show through the
    new one. Only the `region` (left, top, right, bottom) is answered; over `edge`, a share of the side, the
    change comes in from the square's border.
    """
    cv2 = _cv2()
    left, top, right, bottom = region or (0, 0, pixels.shape[1], pixels.shape[0])
    size = np.array(touch.low.shape)
    fade = 1 - np.exp(-((cv2.GaussianBlur(np.abs(touch.residual), (0, 0), 0.7) / _SOFT) ** 2))
    ways = touch.flow @ np.linalg.inv(matrix[:, :2]).T  # in the photo's pixels
    maps = np.dstack([ways, touch.residual + fade * touch.low, fade]).astype(np.float32)
    fine = cv2.resize(maps, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_CUBIC)
    fine *= _feather(_FINE * size, edge)[..., None]
    scale = _FINE * size[::-1, None]  # cells along x and y
    to_photo = _inverse(matrix * scale)
    how = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_CONSTANT if edge else cv2.BORDER_REPLICATE}
    done = []
    for first in range(top, bottom, _ROWS):
        to_photo[:, 2] -= (left, first)
        rows = min(_ROWS, bottom - first)
        large = cv2.warpAffine(fine, _centred(to_photo), (right - left, rows), **how)
        to_photo[:, 2] += (left, first)
        done.append(_retouched(pixels, large, left, first))
    return np.concatenate(done)


def _retouched(pixels: Pixels, maps: NDArray[np.float32], left: int, top: int) -> Pixels:
    """A part of pixels, from (left, top), that maps [h, w, 4] describe.

    They are the way to where each comes from, right and down, what is added, and the share of grey that goes.
    """
    cv2 = _cv2()
    height, width = maps.shape[:2]
    x = maps[..., 0] + np.arange(left, left + width, dtype=np.float32)
    y = maps[..., 1] + np.arange(top, top + height, dtype=np.float32)[:, None]
    bent = cv2.remap(pixels, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    grey = bent if bent.ndim == 2 else cv2.cvtColor(bent, cv2.COLOR_RGB2GRAY)
    added = maps[..., 2] - maps[..., 3] * grey
    done: Pixels
    if bent.ndim == 2:
        done = cv2.add(bent, added, dtype=cv2.CV_8U)  # rounds and clips
    else:
        shade = 1 + np.minimum(added, 0) / np.maximum(grey, 1)
        shaded = cv2.multiply(bent, cv2.merge([shade] * 3), dtype=cv2.CV_32F)
        done = cv2.add(shaded, cv2.merge([np.maximum(added, 0)] * 3), dtype=cv2.CV_8U)
    return done


def optical_flow(before: Pixels, after: Pixels) -> NDArray[np.float32]:
    """Two grey faces [h, w] -> where each point of `after` comes from in `before`, float32 [h, w, 2], smooth.

    As shares of the side. Dense inverse search (Kroeger et al. 2016) on the faces four times enlarged.
    """
    cv2 = _cv2()
    height, width = before.shape
    one, other = (
        cv2.resize(face, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_CUBIC) for face in (before, after)
    )
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(other, one, None)
    smooth = cv2.GaussianBlur(flow, (0, 0), 1.25 * _FINE)
    small = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_AREA)
    shares: NDArray[np.float32] = (small / (_FINE * np.array([width, height]))).astype(np.float32)
    return shares


def _feather(size: NDArray[np.int_], edge: float) -> NDArray[np.float32]:
    """[h, w]: 0 in the outermost cells, 1 from a share `edge` of the side inwards, smooth between."""
    if not edge:
        return np.ones(size, np.float32)
    sides = []
    for length in size:
        inwards = np.minimum(np.arange(length), np.arange(length)[::-1]) / (edge * length)
        share = inwards.clip(max=1)
        sides.append(share * share * (3 - 2 * share))
    return np.outer(*sides).astype(np.float32)


def _candidates(grey: Pixels) -> list[tuple[float, float, float]]:
    """Centre and side of each box that the cascade finds in the photo or in the turned photo, biggest first."""
    height, width = grey.shape
    least = max(SMALLEST[0], round(SMALLEST[1] * min(height, width)))
    found = []
    for turn in _TURNS:
        # a square around the whole photo, with room for a box that reaches beyond its edge
        around = math.hypot(width, height) if turn else (1 + 2 * _ROOM) * max(width, height)
        frame = Face(width / 2, height / 2, math.ceil(around), turn)
        back = _inverse(frame.matrix(int(frame.side)))
        for x, y, box, _ in _detect(_warp(grey, frame.matrix(int(frame.side)), int(frame.side)), 3, least):
            cx, cy = back @ (x + box / 2, y + box / 2, 1)
            if 0 <= cx < width and 0 <= cy < height:
                found.append((float(cx), float(cy), box))
    return sorted(found, key=lambda one: one[2], reverse=True)


def _upright(grey: Pixels, cx: float, cy: float, box: float) -> Face | None:
    """A candidate with its roll, in FER2013's frame; None where too few angles show a face."""
    size, least, most = int(1.8 * box), int(0.7 * box), int(1.4 * box)

    def look(roll: float) -> tuple[Face, list[tuple[float, float, float, float]]]:
        frame = Face(cx, cy, size, roll)
        return frame, _detect(_warp(grey, frame.matrix(size), size), 2, least, most)

    scores = np.array([max((one[3] for one in look(roll)[1]), default=-np.inf) for roll in _ROLLS])
    if not np.isfinite(scores).any():
        return None
    weights = np.exp(scores - scores.max())
    roll = float((weights * _ROLLS).sum() / weights.sum())
    if np.isfinite(scores).sum() < _SUPPORT + (abs(roll) > _TILTED):
        return None
    frame, seen = look(roll)
    x, y, side, _ = max(seen, key=lambda one: one[3], default=((size - box) / 2, (size - box) / 2, box, 0.0))
    centre = _inverse(frame.matrix(size)) @ (x + side / 2, y + (0.5 + _DROP) * side, 1)
    return Face(float(centre[0]), float(centre[1]), _FRAME * side, roll, float(scores.max()))


def _detect(
    grey: Pixels, neighbours: int, least: int, most: int = 0
) -> list[tuple[float, float, float, float]]:
    """Boxes of the cascade: left, top, side, score."""
    boxes, _, scores = _cascade().detectMultiScale3(
        grey, 1.1, neighbours, minSize=(least, least), maxSize=(most, most), outputRejectLevels=True
    )
    return [
        (float(x), float(y), float(side), float(score))
        for (x, y, side, _), score in zip(boxes, np.ravel(scores), strict=True)
    ]


def _cascade() -> Any:
    """OpenCV's frontal face cascade, one for each thread: it keeps the picture that it looks at."""
    if not hasattr(_thread, "cascade"):
        cv2 = _cv2()
        _thread.cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
    return _thread.cascade


def _warp(pixels: Pixels, matrix: NDArray[np.float64], size: int) -> Pixels:
    """Pixels [H, W] or [H, W, 3] through an affine map of ours -> [size, size, ...], the border going on."""
    cv2 = _cv2()
    enlarges = math.sqrt(abs(np.linalg.det(matrix[:, :2]))) > 1.5
    how = cv2.INTER_CUBIC if enlarges else cv2.INTER_LINEAR
    warped: Pixels = cv2.warpAffine(
        pixels, _centred(matrix), (size, size), flags=how, borderMode=cv2.BORDER_REPLICATE
    )
    return warped


def _centred(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """An affine map of ours as OpenCV takes it, whose (0, 0) is the middle of the first pixel."""
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return centred


def _shrunk(grey: Pixels, scale: float) -> Pixels:
    if scale == 1:
        return grey
    cv2 = _cv2()
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    shrunk: Pixels = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return shrunk


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


@lru_cache(maxsize=1)
def _cv2() -> Any:
    """OpenCV, imported with the first photo: it costs a start of the app nothing."""
    import cv2

    cv2.setNumThreads(
        1
    )  # requests share the cores already; beside other work its threads wait for each other
    return cv2
