"""The only place where pixel ranges and layouts change."""

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Pixels = NDArray[np.uint8]
"""Faces outside the models: uint8 [B, H, W], or [B, H, W, 3] in colour."""


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
    tensor = torch.from_numpy(np.ascontiguousarray(pixels))
    return to_model(tensor[:, None] if tensor.ndim == 3 else tensor.movedim(-1, 1))


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


def sheet(faces: Pixels, columns: int, gap: int = 2, background: int = 255) -> Image.Image:
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
