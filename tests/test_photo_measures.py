"""train.photos, which measures photos whose faces were changed in place."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fergan.engine import Face
from tests.test_photos import engine, house, picture, pixels, two_people  # noqa: F401 - fixtures
from train import photos
from train.photos import PhotosConfig

ROOT = Path(__file__).resolve().parents[1]


def ramp(slope=3):
    return np.add.outer(np.zeros(80), slope * np.arange(80.0))


def test_sharpness_is_a_share_of_energy():
    checks = 100 + 50.0 * (np.indices((40, 40)).sum(axis=0) % 2)
    left = np.zeros((40, 40), bool)
    left[:, :18] = True
    half = np.where(np.arange(40) < 20, 125 + (checks - 125) / 2, checks)
    assert photos.sharpness(checks, checks, left) == 1
    assert photos.sharpness(checks, half, left) == pytest.approx(0.25)
    assert photos.sharpness(checks, half, ~left) > 0.8
    assert photos.sharpness(checks, checks + 20, left) == pytest.approx(1)
    flat = np.zeros((40, 40))
    assert photos.sharpness(flat, flat, left) == 1
    assert photos.sharpness(flat, checks, left) == float("inf")
    middle = np.zeros((40, 40), bool)
    middle[1:-1, 1:-1] = True
    assert photos.sharpness(checks, np.indices((40, 40))[0] * 5.0, middle) == 0  # a slope has no detail


@pytest.mark.parametrize("roll", [0, 30])
def test_a_seam_is_the_step_at_the_border(roll):
    """On grey, by as much as was added inside; on a slope, by nothing where nothing is added."""
    face, flat = Face(40, 40, 40, roll), np.full((80, 80), 50.0)
    square = photos.inside(face, flat.shape)
    assert photos.seam(flat, flat, face) == 0
    step = photos.seam(flat, flat + 20 * square, face)
    assert step == pytest.approx(20, abs=0.01 if roll == 0 else 2)
    assert photos.seam(ramp(), ramp(), face) == 0
    assert photos.seam(ramp(), ramp(4), face) == pytest.approx(photos.seam(0 * ramp(), ramp(1), face))
    assert photos.seam(0 * ramp(), ramp(), Face(40, 40, 40)) == pytest.approx(
        3 * 2 / 2
    )  # 2 pixels, 2 of 4 sides


def test_a_seam_beyond_the_photo_is_none():
    flat = np.full((30, 30), 50.0)
    assert photos.seam(flat, flat + 9, Face(15, 15, 60)) == 0


def test_inside_are_the_squares_pixels():
    found = photos.inside(Face(10, 8, 4), (20, 30))
    assert found.sum() == 16
    assert found[6:10, 8:12].all()
    assert photos.inside(Face(10, 8, 4), (20, 30), around=1).sum() == 36
    turned = photos.inside(Face(10, 10, 8, 45), (20, 20))
    assert turned[5, 10]
    assert not turned[6, 6]


@pytest.mark.parametrize("roll", [0, 90])
def test_the_baseline_lies_over_the_square(roll):
    photo, face = Image.new("RGB", (100, 90), "white"), Face(50, 40, 24, roll)
    drawn = Image.fromarray(np.vstack([np.zeros((24, 48), np.uint8), np.full((24, 48), 99, np.uint8)]))
    done = pixels(photos.paste(photo, face, drawn))
    changed = (done != 255).any(axis=2)
    assert np.array_equal(changed, photos.inside(face, changed.shape))
    crown = (30, 50) if roll == 0 else (40, 60)  # of a head lying on its right side it lies right
    assert done[crown].tolist() == [0, 0, 0]


def test_ours_keeps_what_the_baseline_loses(engine, two_people):
    sharp = Image.fromarray(
        (pixels(two_people) + pixels(picture(640, 480, "L")) // 4 - 30).clip(0, 255).astype(np.uint8)
    )
    ours, plain = photos.model(engine, "stargan", [sharp, Image.new("L", (60, 50))])
    assert [row[:3] for row in (ours, plain)] == [["stargan", way, "1 of 2"] for way in ("ours", "plain")]
    assert float(ours[4]) == float(plain[4]) == 1  # outside
    assert float(plain[3]) < float(ours[3])
    assert float(ours[5]) < float(plain[5])
    assert 0 < float(ours[6]) <= float(ours[7])


def test_the_command_line_prints_a_table_or_a_sentence(house, two_people, tmp_path):
    def asked(folder):
        command = [sys.executable, "-m", "train.photos", str(house / "stargan"), "--photos", str(folder)]
        command += ["--reader", str(house / "judge"), "--width", "320", "--out", str(tmp_path / "out")]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    (tmp_path / "in").mkdir()
    none = asked(tmp_path / "in")
    assert none.returncode == 1
    assert "Nothing was measured: there is no photo in" in none.stderr
    two_people.save(tmp_path / "in" / "two.png")
    done = asked(tmp_path / "in")
    assert "| stargan | ours | 1 of 1 |" in done.stdout, done.stderr
    assert "Photos: 1, of 320x240 pixels" in done.stdout
    with Image.open(tmp_path / "out" / "stargan-000.png") as strip:
        assert strip.size == (8 * 320, 240)
    with pytest.raises(ValueError, match="Name a checkpoint folder"):
        PhotosConfig()
