"""Pictures of an evaluation: faces under the emotions asked, and beside their nearest real ones."""

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from fergan.emotions import EMOTIONS
from fergan.images import enlarge, sheet, to_array, to_model

ZOOM = 2
MARGIN = 96  # pixels for the words at the left
LINE = 24  # pixels for a line of words
INK, PAPER = (24, 24, 27), (255, 255, 255)
FONT = ImageFont.load_default(14)
Point = tuple[float, float]


def samples(grid: Image.Image) -> Image.Image:
    """A grid with an emotion a column -> the grid enlarged, under the emotions' names."""
    large = enlarge(grid, ZOOM)
    page = Image.new("RGB", (large.width, large.height + LINE), PAPER)
    page.paste(large, (0, LINE))
    step = large.width / len(EMOTIONS)
    for column, name in enumerate(EMOTIONS):
        _write(page, (step * (column + 0.5), LINE / 2), name)
    return page


def neighbours(drawn: Tensor, by_features: Tensor, by_pixels: Tensor) -> Image.Image:
    """Three times uint8 [N, C, H, W] -> a column for each drawn face, its nearest training faces below it."""
    faces = to_array(to_model(torch.cat([drawn, by_features, by_pixels])))
    large = enlarge(sheet(np.asarray(faces), columns=len(drawn)), ZOOM)
    page = Image.new("RGB", (MARGIN + large.width, large.height), PAPER)
    page.paste(large, (MARGIN, 0))
    for row, words in enumerate(("drawn", "nearest real,\nby features", "nearest real,\nby pixels")):
        _write(page, (MARGIN / 2, large.height / 3 * (row + 0.5)), words)
    return page


def _write(page: Image.Image, centre: Point, words: str) -> None:
    ImageDraw.Draw(page).text(centre, words, fill=INK, font=FONT, anchor="mm", align="center")
