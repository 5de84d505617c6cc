"""Pictures of an evaluation: faces under the emotions asked, and beside their nearest real ones."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from fergan.images import enlarge, sheet, to_array, to_model

ZOOM = 2
MARGIN = 96  # pixels for the words at the left
LINE = 24  # pixels for a line of words
INK, PAPER = (24, 24, 27), (255, 255, 255)
FONT = ImageFont.load_default(14)
Point = tuple[float, float]


def framed(grid: Image.Image, columns: Sequence[str] = (), rows: Sequence[str] = ()) -> Image.Image:
    """A grid -> the grid enlarged, words above its columns and beside its rows, where there are any."""
    large, left, top = enlarge(grid, ZOOM), MARGIN * bool(rows), LINE * bool(columns)
    page = Image.new("RGB", (left + large.width, top + large.height), PAPER)
    page.paste(large, (left, top))
    for column, words in enumerate(columns):
        _write(page, (left + large.width / len(columns) * (column + 0.5), LINE / 2), words)
    for row, words in enumerate(rows):
        _write(page, (MARGIN / 2, top + large.height / len(rows) * (row + 0.5)), words)
    return page


def neighbours(drawn: Tensor, by_features: Tensor, by_pixels: Tensor) -> Image.Image:
    """Three times uint8 [N, C, H, W] -> a column for each drawn face, its nearest training faces below it."""
    faces = to_array(to_model(torch.cat([drawn, by_features, by_pixels])))
    rows = ("drawn", "nearest real,\nby features", "nearest real,\nby pixels")
    return framed(sheet(np.asarray(faces), columns=len(drawn)), rows=rows)


def _write(page: Image.Image, centre: Point, words: str) -> None:
    ImageDraw.Draw(page).text(centre, words, fill=INK, font=FONT, anchor="mm", align="center")
