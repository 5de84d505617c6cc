"""The only place where pixel ranges and layouts change."""

from collections.abc import Sequence
from io import BytesIO
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor

Pixels = NDArray[np.uint8]
"""Faces outside the models: uint8 [B, H, W], or [B, H, W, 3] in colour."""
Batch = Pixels | Sequence[Pixels]
"""Such faces of one size: an array, or a list of them."""
MOST_PIXELS = 64_000_000
"""Of a photo: more are refused before they are unpacked (to 12 bytes each at most)."""
GAP = 2
"""Pixels between two faces of a sheet."""
CAPTION = 16
"""Pixels under a sheet of an evolution, for the count of images seen."""
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")  # a phone's MPO is opened as JPEG; Pillow knows no MPO here
_STRIP = 2**18  # pixels that are reckoned with at once, where that takes several copies
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # what undoes each orientation of EXIF


def to_model(pixels: Tensor) -> Tensor:
    """uint8, any shape, 0..255 -> float32, same shape, in [-1, 1]."""
    return pixels.float() / 127.5 - 1.0


def to_pixels(images: Tensor) -> Tensor:
    """Float, any shape, in [-1, 1] (what lies outside is clamped) -> uint8, same shape, rounded.

    `to_pixels(to_model(b)) == b` for all 256 levels.
    """
    return ((images.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)


def to_array(images: Tensor) -> Pixels:
    """Model images, float [B, C, H, W] in [-1, 1] -> uint8 [B, H, W], or [B, H, W, 3] where C is 3."""
    pixels = to_pixels(images).cpu().numpy()
    return cast(Pixels, pixels[:, 0] if pixels.shape[1] == 1 else np.moveaxis(pixels, 1, -1))


def from_array(pixels: Pixels) -> Tensor:
    """uint8 [B, H, W] or [B, H, W, 3] -> model images, float32 [B, C, H, W] in [-1, 1]."""
    tensor = torch.from_numpy(
        np.require(pixels, requirements=("C", "W"))
    )  # torch warns of what it may not write
    return to_model(tensor[:, None] if tensor.ndim == 3 else tensor.movedim(-1, 1))


def as_batch(faces: Batch) -> Pixels:
    """Faces of one size, an array or a list of them -> uint8 [B, H, W] or [B, H, W, 3].

    Raises:
        ValueError: sizes that differ, another type, or another shape.
    """
    try:
        array = np.asarray(faces)
    except ValueError as error:
        raise ValueError("Faces of one size make a batch; the sizes of these differ.") from error
    sides, rest = array.shape[1:3], array.shape[3:]
    if array.dtype != np.uint8 or len(sides) < 2 or 0 in sides or rest not in ((), (3,)):
        raise ValueError(f"Faces are uint8 [B, H, W] or [B, H, W, 3]; got {array.dtype} {list(array.shape)}.")
    return array


def fit(images: Tensor, size: int, channels: int) -> Tensor:
    """Model images, float [B, C, H, W] in [-1, 1] -> [B, channels, size, size]: what another network takes.

    Colour becomes grey by its luma (ITU-R BT.601); sizes change smoothly (bicubic, antialiased).
    """
    if images.shape[1] == 3 and channels == 1:
        luma = torch.tensor([0.299, 0.587, 0.114], device=images.device)
        images = (images * luma[:, None, None]).sum(dim=1, keepdim=True)
    images = images.expand(-1, channels, -1, -1)
    if images.shape[-2:] == (size, size):
        return images
    resized = torch.nn.functional.interpolate(images, (size, size), mode="bicubic", antialias=True)
    return resized.clamp(-1, 1)


def sheet(faces: Pixels, columns: int, gap: int = GAP, background: int = 255) -> Image.Image:
    """Faces, uint8 [B, H, W] or [B, H, W, 3] -> one picture, row by row, `gap` pixels apart.

    Raises:
        ValueError: no face, or fewer than one column.
    """
    if len(faces) == 0 or columns < 1:
        raise ValueError(f"A sheet needs a face and a column; got {len(faces)} faces, {columns} columns.")
    height, width = faces.shape[1:3]
    rows = -(-len(faces) // columns)
    canvas = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, *faces.shape[3:]), background, np.uint8
    )
    for number, face in enumerate(faces):
        top, left = number // columns * (height + gap), number % columns * (width + gap)
        canvas[top : top + height, left : left + width] = face
    return Image.fromarray(canvas)


def enlarge(picture: Image.Image, factor: int) -> Image.Image:
    """The picture `factor` times larger, smoothly (bicubic)."""
    return resize(picture, picture.width * factor)


def resize(picture: Image.Image, width: int) -> Image.Image:
    """The picture `width` pixels wide, in its own proportions, smoothly (bicubic)."""
    size = (width, round(picture.height * width / picture.width))
    return picture.resize(size, Image.Resampling.BICUBIC)


def from_photo(content: bytes) -> Image.Image:
    """A photo's file -> the picture upright, in 8 bits: mode L where it is grey, else RGB; what is clear is white.

    JPEG, PNG, WebP, GIF (its first picture) and BMP, from any palette or depth; JPEG and PNG turned as their EXIF says.

    Raises:
        ValueError: not such a file, one cut short, or one of more than MOST_PIXELS.
    """
    if content[4:8] == b"ftyp":
        raise ValueError("Photos in HEIC or AVIF cannot be read here; save this one as JPEG or PNG.")
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise Image.DecompressionBombError
            opened.load()
            return upright(opened)
    except UnidentifiedImageError as error:
        raise ValueError(
            "This file is not a picture that can be read: JPEG, PNG, WebP, GIF or BMP."
        ) from error
    except Image.DecompressionBombError as error:
        most = MOST_PIXELS // 10**6
        raise ValueError(f"This picture has more than {most} million pixels; scale it down first.") from error
    except Exception as error:  # what decoders raise at harmed files has no common type
        raise ValueError("This picture is harmed or cut short; save or send it once more.") from error


def upright(opened: Image.Image) -> Image.Image:
    """An opened picture of any mode but F, turned as its EXIF says (but WebP) -> L where it is grey, else RGB; what is clear is white.

    Raises:
        ValueError: floating-point numbers, of which nobody knows what is white.
    """
    found, turn = _in_eight_bits(opened), _turn(opened)
    if turn is not None:  # now, that there are fewer bytes to turn
        found = found.transpose(turn)
    found.info.pop("exif", None)  # it would turn the picture once more
    return found


def _turn(opened: Image.Image) -> Image.Transpose | None:
    """What brings the picture upright, as browsers see it: they heed no orientation in XMP, as Pillow does, and none in WebP.

    A TIFF, which no browser shows, has been turned by Pillow as it was read.
    """
    if opened.format == "WEBP":
        return None
    exif = Image.Exif()
    try:
        exif.load(opened.info.get("exif", b""))
        return _TURNS.get(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:  # what harmed EXIF raises has no common type, and the picture itself is whole
        return None


def _in_eight_bits(picture: Image.Image) -> Image.Image:
    if picture.mode == "F":
        raise ValueError("its pixels are floating-point numbers; save it in 8 or 16 bits")
    deep = picture.mode.startswith("I")  # 16 bits, grey
    mode = "L" if deep or _is_grey(picture) else "RGB"
    if deep or picture.has_transparency_data:
        found, rows = Image.new(mode, picture.size), max(1, _STRIP // picture.width)
        for top in range(0, picture.height, rows):
            strip = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
            found.paste(_levels(strip) if deep else _on_white(strip).convert(mode), (0, top))
        return found
    found = picture.convert(mode)
    if picture.mode not in ("1", "L", "P", "RGB"):
        found.info.pop("icc_profile", None)  # it spoke of other colours: of inks, say
    return found


def _levels(deep: Image.Image) -> Image.Image:
    """16 bits -> 8, rounded: Pillow itself would clip them at 255."""
    levels = np.asarray(deep).astype(np.int32).clip(0, 65535)
    return Image.fromarray(((levels + 128) // 257).astype(np.uint8))


def _on_white(clear: Image.Image) -> Image.Image:
    above = clear.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)


def _is_grey(picture: Image.Image) -> bool:
    if picture.mode == "P":
        colours = np.asarray(picture.getpalette("RGB")).reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return picture.mode in ("1", "L", "LA", "La")
