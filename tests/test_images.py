import numpy as np
import pytest
import torch

from fergan.images import enlarge, fit, from_array, sheet, to_array, to_model, to_pixels


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


def test_fit_turns_colour_to_grey_and_changes_the_size():
    colour = torch.tensor([1.0, -1.0, -1.0])[None, :, None, None].expand(2, 3, 64, 64)
    grey = fit(colour, 48, 1)
    assert grey.shape == (2, 1, 48, 48)
    assert torch.allclose(grey, torch.full_like(grey, 0.299 - 0.701), atol=1e-5)
    assert fit(grey, 48, 3).shape == (2, 3, 48, 48)


def test_fit_leaves_what_fits():
    images = torch.rand(2, 1, 48, 48)
    assert torch.equal(fit(images, 48, 1), images)
