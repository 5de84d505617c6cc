from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fergan.faces import SMALL, Face, bounds, crop, find_faces, optical_flow, whole_photo
from fergan.images import from_photo
from tests import factory

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT.parent / "shared" / "photos"


def gradient(width, height):
    return Image.fromarray(np.add.outer(np.arange(height) * 2, np.arange(width)).astype(np.uint8))


def mapped(face, size, x, y):
    return face.matrix(size) @ (x, y, 1)


@pytest.fixture(scope="module")
def drawn():
    return factory.drawn_people()


@pytest.fixture(scope="module")
def photo():
    return factory.photo_of_two()


# --- a face's frame ---


def test_the_matrix_maps_the_square_to_the_crop():
    face = Face(100, 80, 60)
    assert np.allclose(mapped(face, 48, 70, 50), (0, 0))
    assert np.allclose(mapped(face, 48, 130, 110), (48, 48))


@pytest.mark.parametrize("roll", [-30, 20, 90])
def test_the_matrix_turns_the_head_upright(roll):
    """Of a head tilted clockwise, the crown lies right of the middle: it comes to the middle of the top."""
    face, turn = Face(100, 80, 60, roll), np.radians(roll)
    crown = (100 + 30 * np.sin(turn), 80 - 30 * np.cos(turn))
    assert np.allclose(mapped(face, 48, *crown), (24, 0))


def test_a_crop_at_its_own_size_changes_no_pixel():
    photo = gradient(90, 80)
    assert np.array_equal(crop(photo, Face(40, 50, 48)), np.asarray(photo)[26:74, 16:64])


def test_a_crop_is_the_mean_of_what_it_covers():
    squares = np.kron(np.indices((48, 48)).sum(axis=0) % 2, np.ones((2, 2))) * 255
    fine = Image.fromarray(np.tile([[0, 255], [255, 0]], (96, 96)).astype(np.uint8))
    assert np.allclose(crop(fine, whole_photo(fine)), 127.5, atol=1)
    coarse = Image.fromarray(squares.astype(np.uint8))
    assert np.array_equal(crop(coarse, whole_photo(coarse)), squares[::2, ::2])


def test_a_turned_crop_is_the_crop_of_the_turned_photo():
    photo = gradient(200, 200).resize((100, 100)).resize((200, 200))
    turned = photo.rotate(-25, resample=Image.Resampling.BICUBIC)  # clockwise
    upright = crop(photo, Face(100, 100, 96)).astype(int)
    assert np.abs(crop(turned, Face(100, 100, 96, 25)).astype(int) - upright).mean() < 1.5
    assert np.abs(crop(turned, Face(100, 100, 96, -25)).astype(int) - upright).mean() > 10


def test_beyond_the_edge_the_border_goes_on():
    photo = Image.fromarray(np.full((50, 50), 77, np.uint8))
    assert (crop(photo, Face(0, 0, 100)) == 77).all()


def test_colour_is_kept_where_it_is_asked_for():
    photo = Image.new("RGB", (60, 60), (200, 100, 50))
    assert crop(photo, whole_photo(photo), 64, 3).shape == (64, 64, 3)
    assert (crop(photo, whole_photo(photo), 64, 3) == (200, 100, 50)).all()
    assert crop(photo, whole_photo(photo), 32).shape == (32, 32)


def test_bounds_hold_the_square_and_end_with_the_photo():
    assert bounds((200, 100), Face(50, 40, 20)) == (40, 30, 60, 50)
    assert bounds((200, 100), Face(50, 40, 20), around=5) == (35, 25, 65, 55)
    assert bounds((200, 100), Face(190, 10, 40)) == (170, 0, 200, 30)
    assert bounds((200, 100), Face(100, 50, 20, 45)) == (85, 35, 115, 65)  # its corners reach 14.1
    left, top, right, bottom = bounds((200, 100), Face(500, -90, 20))
    assert (left, top, right, bottom) == (199, 0, 200, 1)


@pytest.mark.parametrize(("right", "down"), [(2, 0), (0, -3), (-1, 1)])
def test_flow_says_where_each_point_comes_from(right, down):
    rough = np.random.default_rng(0).integers(0, 256, (12, 12), np.uint8)
    wide = np.asarray(Image.fromarray(rough).resize((72, 72), Image.Resampling.BICUBIC))
    before, after = wide[12:60, 12:60], wide[12 + down : 60 + down, 12 + right : 60 + right]
    flow = optical_flow(before, after)
    assert (flow.shape, flow.dtype) == ((48, 48, 2), np.float32)
    assert np.allclose(48 * flow[12:36, 12:36].mean(axis=(0, 1)), (right, down), atol=0.3)
    assert not optical_flow(before, before).any()


# --- finding ---


def test_faces_are_found_where_they_are_the_biggest_first(photo):
    first, second = find_faces(photo)
    for face, (x, y, side) in ((first, (170, 300, 240)), (second, (480, 150, 150))):
        assert np.hypot(face.cx - x, face.cy - y) < 0.1 * side
        assert 0.8 < face.side / side < 1.25
        assert abs(face.roll) < 10


def test_the_crop_is_framed_as_the_face_was_drawn(photo, drawn):
    seen = crop(photo, find_faces(photo)[0]).astype(float)
    assert np.corrcoef(seen.ravel(), np.asarray(drawn[0]).ravel())[0, 1] > 0.7


@pytest.mark.parametrize("roll", [-25, 25])
def test_a_tilt_is_measured(photo, roll):
    upright = find_faces(photo)[0].roll
    turned = photo.rotate(-roll, resample=Image.Resampling.BICUBIC, expand=True, fillcolor=128)
    assert abs(find_faces(turned)[0].roll - upright - roll) < 9


def test_coordinates_are_those_of_the_photo_however_large(photo):
    large = find_faces(photo.resize((2560, 1920), Image.Resampling.BICUBIC))
    for face, same in zip(find_faces(photo), large, strict=True):
        assert np.allclose((face.cx, face.cy, face.side), np.array((same.cx, same.cy, same.side)) / 4, atol=8)


def test_nothing_is_found_where_nothing_is():
    assert find_faces(Image.new("RGB", (300, 200), "grey")) == []
    assert find_faces(Image.new("L", (48, 48), 90)) == []
    assert find_faces(gradient(640, 480)) == []
    assert find_faces(Image.new("L", (1, 900))) == []
    assert find_faces(Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8))) == []


def test_a_small_square_picture_is_a_face_by_itself(drawn):
    [face] = find_faces(drawn[0])
    assert face == Face(24, 24, 48)
    assert np.array_equal(crop(drawn[0], face), np.asarray(drawn[0]))
    assert len(find_faces(gradient(SMALL, SMALL))) == 1
    assert find_faces(gradient(SMALL + 1, SMALL + 1)) == []
    assert find_faces(gradient(SMALL, SMALL // 2)) == []


def test_threads_do_not_mix(photo):
    views = [photo, photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)] * 3
    alone = [find_faces(view) for view in views[:2]] * 3
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(find_faces, views)) == alone


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="there is no ../shared/photos")
def test_real_faces_are_found():
    photos = [from_photo(path.read_bytes()) for path in sorted(PHOTOS.glob("*.jpg"))[::4]]
    found = [find_faces(photo) for photo in photos]
    assert sum(len(faces) == 1 for faces in found) >= 0.8 * len(photos)
    for photo, faces in zip(photos, found, strict=True):
        for face in faces:
            assert 0.5 * min(photo.size) < face.side < 1.4 * max(photo.size)
