import numpy as np
import pytest
import torch

from fergan.images import enlarge, from_array, sheet, to_array, to_model, to_pixels


def test_every_level_survives_the_round_trip():
    levels = torch.arange(256, dtype=torch.uint8)
    images = to_model(levels)
    assert float(images.min()) == -1
    assert float(images.max()) == 1
    assert torch.equal(to_pixels(images), levels)


def test_to_pixels_rounds_and_clamps():
    assert to_pixels(torch.tensor([-3.0, 0.0, 3.0, 1 / 127.5 * 0.6 - 1])).tolist() == [0, 128, 255, 1]


@pytest.mark.parametrize("shape", [(3, 5, 4), (3, 5, 4, 3)])
def test_arrays_round_trip(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    images = from_array(pixels)
    assert images.shape == (3, 3 if len(shape) == 4 else 1, 5, 4)
    assert np.array_equal(to_array(images), pixels)


def test_sheet_places_faces_row_by_row():
    faces = np.stack([np.full((4, 4), value, np.uint8) for value in (10, 20, 30)])
    picture = np.asarray(sheet(faces, columns=2, gap=1))
    assert picture.shape == (9, 9)
    assert (picture[0, 0], picture[0, 5], picture[5, 0], picture[5, 5], picture[4, 4]) == (
        10,
        20,
        30,
        255,
        255,
    )


def test_sheet_refuses_nothing():
    with pytest.raises(ValueError, match="0 faces, 2 columns"):
        sheet(np.empty((0, 4, 4), np.uint8), columns=2)


def test_enlarge_keeps_the_mean():
    picture = sheet(np.random.default_rng(0).integers(0, 256, (1, 8, 8), np.uint8), 1)
    large = enlarge(picture, 4)
    assert large.size == (32, 32)
    assert abs(np.asarray(large).mean() - np.asarray(picture).mean()) < 3
