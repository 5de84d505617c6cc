"""Photos whose faces are changed in place (fergan.translation, the engine)."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fergan import checkpoint
from fergan.engine import Engine, Face
from fergan.models import stargan
from fergan.translation import MOST_FACES
from tests import factory
from train import photos

ROOT = Path(__file__).resolve().parents[1]
HAPPY = np.eye(7)[3]
NEUTRAL = np.eye(7, dtype=np.float32)[6]


@pytest.fixture(scope="module")
def house(tmp_path_factory, weights):
    """Small translators that were trained for nothing, a teacher, and the small judge."""
    folder = tmp_path_factory.mktemp("photos")
    torch.manual_seed(0)
    for name, model, preset, changes in (
        ("stargan", "stargan", "fixed", {"width": 8, "blocks": 1}),
        ("colour", "stargan", "fixed", {"width": 8, "blocks": 1, "image_size": 64, "channels": 3}),
        ("flat", "stargan", "fixed", {"width": 8, "blocks": 1, "flow": False}),
        ("published", "stargan", "published", {"width": 4, "blocks": 1}),
        ("guided", "guided", "fixed", {"width": 4, "steps": 3}),
        ("teacher", "classifier", "teacher", {"width": 4}),
    ):
        factory.write_checkpoint(folder / name, model, preset, by=0.1, **changes)  # else ours changes nothing
    (folder / "judge").symlink_to(weights / "judge")
    return folder


@pytest.fixture(scope="module")
def engine(house):
    return Engine([house], device="cpu")


def picture(width=300, height=240, mode="RGB"):
    """Smooth colours with fine grain, the same each time."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 190, (6, 8, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), int)
    grain = rng.integers(-12, 13, (height, width, 1))
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).convert(mode)


def pixels(photo):
    return np.asarray(photo, int)


# --- faces alone ---


def batch(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def test_translators_are_listed(engine):
    assert engine.translators == ["colour", "flat", "guided", "stargan", "published"]


@pytest.mark.parametrize("model", ["stargan", "colour", "flat", "published", "guided"])
@pytest.mark.parametrize("shape", [(2, 48, 48), (2, 64, 64, 3), (2, 100, 80), (2, 30, 30, 3)])
def test_faces_keep_their_shape_and_change(engine, model, shape):
    faces = batch(*shape)
    done = engine.translate_faces(model, faces, np.eye(7)[[3, 4]], [1.0, 0.0])
    assert (done.shape, done.dtype) == (faces.shape, np.uint8)
    assert not np.array_equal(done[0], faces[0])
    assert np.array_equal(done[1], faces[1])  # intensity 0, to the byte, beside one that changes


def test_a_face_that_fits_is_what_the_network_draws(engine, house):
    _, network = checkpoint.load(house / "stargan")
    faces, source, target = batch(2, 48, 48), torch.eye(7)[[6, 0]], torch.eye(7)[[3, 4]]
    with torch.inference_mode():
        images = torch.from_numpy(faces)[:, None].float() / 127.5 - 1
        drawn = network(images, source, target, torch.tensor([1.0, 0.5]))
    due = ((drawn[:, 0] + 1) * 127.5).numpy()
    done = engine.translate_faces("stargan", faces, target.numpy(), [1.0, 0.5], source.numpy())
    assert np.abs(done - due).max() <= 0.51  # rounded, of a network that adds in another order


def test_the_teacher_is_asked_before_the_judge_and_any_classifier(engine, house, weights, tmp_path):
    faces, row = batch(3, 48, 48), np.eye(7)[[3] * 3]

    def asked(engine, source=None):
        return engine.translate_faces("stargan", faces, row, [1.0] * 3, source)

    teacher, judge = (engine.classify(faces, name) for name in ("teacher", "judge"))
    assert not np.array_equal(asked(engine, teacher), asked(engine, judge))
    assert np.array_equal(asked(engine), asked(engine, teacher))
    without = Engine([house / "stargan", weights / "judge"], device="cpu")
    assert np.array_equal(asked(without), asked(engine, judge))
    (tmp_path / "mine").symlink_to(weights / "judge")
    assert np.array_equal(
        asked(Engine([house / "stargan", tmp_path / "mine"], device="cpu")), asked(engine, judge)
    )
    alone = asked(Engine([house / "stargan"], device="cpu"))
    assert np.array_equal(alone, asked(engine, np.full((3, 7), 1 / 7)))


def test_weights_are_normalised_and_no_faces_are_none(engine):
    faces = batch(1, 48, 48)
    one, ten = (engine.translate_faces("stargan", faces, [w * HAPPY], [1.0]) for w in (1, 10))
    assert np.array_equal(one, ten)
    assert engine.translate_faces("stargan", faces[:0], np.empty((0, 7)), []).shape == (0, 48, 48)


@pytest.mark.parametrize(
    ("model", "changes", "words"),
    [
        (
            "judge",
            {},
            "The model judge changes no faces; choose one of colour, flat, guided, stargan, published",
        ),
        ("none", {}, "There is no model 'none'"),
        ("stargan", {"faces": np.zeros((2, 48, 48))}, "got float64"),
        ("stargan", {"emotion": np.eye(7)[:1]}, "Each face needs a row of emotion"),
        ("stargan", {"emotion": np.eye(6)[:2]}, "7 weights"),
        ("stargan", {"emotion": -np.eye(7)[:2]}, "at least 0"),
        ("stargan", {"emotion": [["x"] * 7] * 2}, "Emotion weights"),
        ("stargan", {"source": np.eye(7)[:1]}, "Each face needs a row of emotion"),
        ("stargan", {"intensity": [1.0]}, "Each face needs an intensity"),
        ("stargan", {"intensity": [1.0, 1.6]}, "Intensity runs from 0 to 1.5"),
        ("stargan", {"intensity": [-0.1, 1]}, "Intensity runs from 0 to 1.5"),
        ("stargan", {"intensity": [float("nan"), 1]}, "Intensity runs from 0 to 1.5"),
        ("stargan", {"intensity": ["much", 1]}, "Intensity runs from 0 to 1.5"),
    ],
)
def test_bad_requests_for_faces_get_a_sentence(engine, model, changes, words):
    given = {"faces": batch(2, 48, 48), "emotion": np.eye(7)[:2], "intensity": [1, 1]} | changes
    with pytest.raises(ValueError, match=words):
        engine.translate_faces(model, **given)


# --- a photo ---


@pytest.mark.parametrize("model", ["stargan", "colour", "flat", "published", "guided"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_outside_the_square_no_byte_changes(engine, model, mode):
    photo, face = picture(mode=mode), Face(150, 120, 120, 20)
    done = engine.translate(model, photo, HAPPY, 1.0, [face]).photo
    assert (done.mode, done.size) == (mode, photo.size)
    changed = pixels(done) != pixels(photo)
    square = photos.inside(face, changed.shape)
    assert changed[square].any()
    assert not changed[~square].any()


@pytest.mark.parametrize("model", ["stargan", "colour", "flat", "published", "guided"])
def test_no_intensity_is_the_very_photo(engine, model):
    photo, face = picture(), Face(150, 120, 100, -10)
    done = engine.translate(model, photo, HAPPY, 0, [face])
    assert np.array_equal(pixels(done.photo), pixels(photo))
    [change] = done.faces
    assert np.array_equal(change.after, change.before)
    assert not change.mask.any()
    assert not change.flow.any()


def test_each_change_says_what_the_network_saw_and_did(engine):
    photo, faces = picture(), [Face(80, 80, 60), Face(220, 160, 70, 15)]
    before = photo.tobytes()
    done = engine.translate("stargan", photo, HAPPY, 0.8, faces)
    assert photo.tobytes() == before  # the visitor's own picture is left alone
    assert [change.face for change in done.faces] == faces
    for change in done.faces:
        assert change.before.shape == change.after.shape == (48, 48)
        assert (change.mask.shape, change.mask.dtype) == ((48, 48), np.float32)
        assert (change.flow.shape, change.flow.dtype) == ((48, 48, 2), np.float32)
        assert 0 < change.mask.max() <= 1
        assert 0 < np.abs(change.flow).max() <= stargan.Config().reach
        read = engine.classify(change.before[None], "teacher")
        assert np.allclose(change.source, read[0], atol=1e-4)  # of another batch, to rounding
        drawn = engine.translate_faces("stargan", change.before[None], [HAPPY], [0.8], read)[0]
        assert np.abs(drawn.astype(int) - change.after).max() <= 1


def test_a_network_that_tells_nothing_shows_where_it_changed(engine):
    [change] = engine.translate("published", picture(), HAPPY, 1.0, [Face(150, 120, 100)]).faces
    assert not change.flow.any()
    assert np.allclose(
        change.mask, np.abs(change.after.astype(int) - change.before.astype(int)) / 255, atol=0.01
    )
    assert change.mask.max() > 0.1


@pytest.mark.parametrize("face", [Face(10, 10, 80), Face(295, 235, 100, 30), Face(150, 120, 700, -15)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_square_may_reach_beyond_the_photo(engine, face, mode):
    photo = picture(mode=mode)
    for model in ("stargan", "published"):
        done = engine.translate(model, photo, HAPPY, 1.5, [face]).photo
        assert done.size == photo.size
        changed = pixels(done) != pixels(photo)
        assert changed.any()
        assert not changed[~photos.inside(face, changed.shape)].any()


def test_several_faces_change_each_in_its_place(engine):
    photo, one, other = picture(), Face(80, 80, 60), Face(220, 160, 70, 15)
    both = pixels(engine.translate("stargan", photo, HAPPY, 1.0, [one, other]).photo)
    for face in (one, other):
        alone = pixels(engine.translate("stargan", photo, HAPPY, 1.0, [face]).photo)
        square = photos.inside(face, alone.shape)
        assert np.abs(both - alone)[square].max() <= 1  # to a batch's rounding


@pytest.fixture(scope="module")
def two_people():
    """A grey photo of two, drawn by our own generator: nobody's photo is in the repository."""
    drawer = Engine([ROOT / "weights" / "acgan"], device="cpu")
    faces = drawer.generate("acgan", np.eye(7)[[3, 3]], [13, 7])
    photo = Image.new("L", (640, 480), 128)
    for face, side, corner in zip(faces, (240, 150), ((50, 180), (405, 75)), strict=True):
        photo.paste(Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC), corner)
    return photo


def test_all_that_are_found_are_changed_where_none_is_named(engine, two_people):
    done = engine.translate("stargan", two_people, HAPPY, 1.0)
    assert [change.face for change in done.faces] == [one.face for one in engine.find(two_people)]
    assert len(done.faces) == 2
    named = engine.translate("stargan", two_people, HAPPY, 1.0, [change.face for change in done.faces])
    assert np.array_equal(pixels(named.photo), pixels(done.photo))


def test_requests_do_not_mix(engine):
    def ask(number):
        face = Face(100 + 5 * number, 120, 80 + number, 3 * number)
        model = ("stargan", "published")[number % 2]
        return pixels(engine.translate(model, picture(), np.eye(7)[number % 7], 1.0, [face]).photo)

    alone = [ask(number) for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(ask, range(12)))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"faces": None}, r"^No face was found in this photo: choose the square .* or try another photo\.$"),
        ({"faces": []}, "^No face was found"),
        ({"faces": [Face(50, 50, 23)]}, r"^This face is only 23 pixels wide, and 24 are needed: choose"),
        ({"faces": [Face(50, 50, -5)]}, "^This face is only 0 pixels wide"),
        ({"faces": [Face(50, 50, float("nan"))]}, "needs finite numbers"),
        ({"faces": [Face(301, 50, 40)]}, "lies outside the photo"),
        ({"faces": [Face(50, 50, 40)] * (MOST_FACES + 1)}, f"At most {MOST_FACES} faces"),
        ({"intensity": 1.6}, "Intensity runs from 0 to 1.5; got 1.6"),
        ({"intensity": float("nan")}, "Intensity runs from 0 to 1.5"),
        ({"emotion": np.zeros(7)}, "At least one emotion"),
        ({"emotion": np.eye(7)[:2]}, "Each face needs a row of emotion"),
        ({"photo": Image.new("RGBA", (100, 100))}, "A photo is of mode L or RGB; got RGBA"),
        ({"model": "judge"}, "changes no faces"),
    ],
)
def test_bad_requests_for_photos_get_a_sentence(engine, changes, words):
    given = {
        "model": "stargan",
        "photo": Image.new("RGB", (300, 200), "grey"),
        "emotion": HAPPY,
        "intensity": 1.0,
        "faces": [Face(100, 100, 80)],
    }
    with pytest.raises(ValueError, match=words):
        engine.translate(**(given | changes))
