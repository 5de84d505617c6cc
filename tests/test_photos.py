"""Photos whose faces are changed in place (fergan.translation, the engine)."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fergan import checkpoint
from fergan.checkpoint import Checkpoint
from fergan.engine import Engine, Face
from fergan.models import MODELS, stargan
from fergan.translation import MOST_FACES, Translator
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
        found = MODELS[model][preset]
        config = found.config(**changes)
        network = found.network(config)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))  # else ours changes nothing
        checkpoint.save(
            folder / name, Checkpoint(model, preset, dataclasses.asdict(config)), network.state_dict()
        )
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


class Told(stargan.Generator):
    """A translator that does what it is told: a flow [2, h, w], a mask and a content [h, w]."""

    def __init__(self, flow=(0, 0), mask=0.0, content=0.0, size=48):
        super().__init__(stargan.Config(width=8, blocks=1, image_size=size))
        flow = torch.as_tensor(np.asarray(flow), dtype=torch.float32)
        self.told = (
            flow.reshape(2, *(flow.shape[1:] or (1, 1))).expand(2, size, size),
            torch.as_tensor(mask, dtype=torch.float32).expand(1, size, size),
            torch.as_tensor(content, dtype=torch.float32).expand(1, size, size),
        )

    def change(self, images, source, target, intensity):
        flow, mask, content = (part.expand(len(images), -1, -1, -1) for part in self.told)
        share = intensity[:, None, None, None]
        return stargan.Change(share * flow, share.clamp(max=1) * mask, content)


class Redrawn(torch.nn.Module):
    """The same as a network that draws all anew, and tells nothing of it."""

    def __init__(self, told):
        super().__init__()
        self.told = told

    def forward(self, images, source, target, intensity):
        whole = self.told.change(images, source, target, torch.ones_like(intensity)).apply(images)
        return torch.lerp(images, whole, intensity[:, None, None, None])


def told(network):
    def read(faces):
        return np.tile(NEUTRAL, (len(faces), 1))

    return Translator(network.eval(), stargan.Config(), torch.device("cpu"), read)


def translated(network, photo, *faces, intensity=1.0):
    return told(network).photo(photo, HAPPY, intensity, faces)


# --- faces alone ---


def batch(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def test_translators_are_listed(engine):
    assert engine.translators == ["colour", "flat", "guided", "published", "stargan"]


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


def test_the_teacher_is_asked_before_the_judge(engine, house, weights):
    faces, row = batch(3, 48, 48), np.eye(7)[[3] * 3]

    def asked(engine, source=None):
        return engine.translate_faces("stargan", faces, row, [1.0] * 3, source)

    teacher, judge = (engine.classify(faces, name) for name in ("teacher", "judge"))
    assert not np.array_equal(asked(engine, teacher), asked(engine, judge))
    assert np.array_equal(asked(engine), asked(engine, teacher))
    without = Engine([house / "stargan", weights / "judge"], device="cpu")
    assert np.array_equal(asked(without), asked(engine, judge))
    with pytest.raises(ValueError, match="There is no model 'judge'"):
        asked(Engine([house / "stargan"], device="cpu"))


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
            "The model judge changes no faces; choose one of colour, flat, guided, published, stargan",
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


def test_a_shift_of_a_face_of_another_shape_is_a_share_of_its_sides():
    """100 pixels high and 80 wide: a tenth is 10 down and 8 to the right."""
    face = pixels(picture(80, 100, "L")).astype(np.uint8)
    for flow, due in (((0.1, 0), face[20:80, 28:68]), ((0, 0.1), face[30:90, 20:60])):
        done = told(Told(flow=flow)).faces(face[None], [HAPPY], [1.0], [NEUTRAL])[0]
        assert np.abs(done[20:80, 20:60].astype(int) - due).max() <= 1


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


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_shift_moves_the_photo_by_as_many_pixels(mode):
    """A flow of a tenth of the side to the right, of a square of 120 pixels: what lies 12 to the right comes."""
    photo, face = picture(mode=mode), Face(150, 120, 120)
    done = pixels(translated(Told(flow=(0.1, -0.05)), photo, face).photo)
    middle = done[100:140, 130:170]
    assert np.abs(middle - pixels(photo)[94:134, 142:182]).max() <= 1


def test_a_shift_follows_the_tilt_of_the_head():
    """Of a head lying on its right side, its right is down."""
    done = pixels(translated(Told(flow=(0.1, 0)), picture(), Face(150, 120, 120, 90)).photo)
    assert np.abs(done[100:140, 130:170] - pixels(picture())[112:152, 130:170]).max() <= 1


def test_half_the_intensity_is_half_the_way():
    done = pixels(translated(Told(flow=(0.1, 0)), picture(), Face(150, 120, 120), intensity=0.5).photo)
    assert np.abs(done[100:140, 130:170] - pixels(picture())[100:140, 136:176]).max() <= 1


def test_what_is_covered_is_the_content():
    """Where all is covered by one grey, the photo has that grey, of its own colour."""
    photo, face = picture(), Face(150, 120, 120)
    done = translated(Told(mask=1.0, content=0.2), photo, face).photo
    assert pixels(photo.convert("L"))[100:140, 130:170].mean() < 110
    assert abs(pixels(done.convert("L"))[100:140, 130:170].mean() - 153) < 2
    redness = [(p[..., 0] - p[..., 2])[100:140, 130:170] for p in (pixels(photo), pixels(done))]
    assert np.abs(redness[0] - redness[1]).max() <= 1
    flat = Image.new("RGB", photo.size, (120, 100, 90))
    lighter = pixels(translated(Told(mask=0.5, content=0.0), flat, face).photo)[100:140, 130:170]
    luma = 0.299 * 120 + 0.587 * 100 + 0.114 * 90
    assert np.abs(lighter - (np.array([120, 100, 90]) + (127.5 - luma) / 2)).max() <= 1


def test_what_grows_darker_keeps_its_hue():
    """Half as light, it is as a shadow leaves it; taking grey away would leave the red of dark lips alone."""
    flat = Image.new("RGB", (300, 240), (160, 80, 60))
    luma = 0.299 * 160 + 0.587 * 80 + 0.114 * 60
    network = Told(mask=1.0, content=luma / 255 - 1)
    darker = pixels(translated(network, flat, Face(150, 120, 120)).photo)[100:140, 130:170]
    assert np.abs(darker - (80, 40, 30)).max() <= 1


def test_a_slight_change_of_light_keeps_the_grain():
    """Four levels lighter, as the network draws it at 48x48: the photo's own detail stays."""
    photo, face = picture(480, 480, "L"), Face(240, 240, 384)
    network = Told(mask=0.05, content=1.0)
    before, after = (pixels(p)[150:330, 150:330] for p in (photo, translated(network, photo, face).photo))
    assert 2 < (after - before).mean() < 9
    assert 0.9 < np.diff(after).std() / np.diff(before).std() < 1.02


def test_a_great_change_takes_the_old_detail_away():
    photo, face = picture(480, 480, "L"), Face(240, 240, 384)
    done = translated(Told(mask=0.8, content=1.0), photo, face).photo
    before, after = (pixels(p)[150:330, 150:330] for p in (photo, done))
    assert np.diff(after).std() < 0.3 * np.diff(before).std()


def test_what_comes_from_outside_the_square_is_the_photo():
    """A slope of grey, in a square of 400 pixels from 56 on: near its edge comes what lies 14 pixels beyond."""
    slope = Image.fromarray(np.tile(np.arange(512) // 2, (512, 1)).astype(np.uint8))
    done = pixels(translated(Told(flow=(-0.15, 0)), slope, Face(256, 256, 400)).photo)
    share = 0.8  # of the way in, at a tenth of the side
    due = (56 + 40 - 0.15 * 400 * share**2 * (3 - 2 * share)) / 2
    assert due < 56 / 2 - 5
    assert abs(done[256, 96] - due) <= 2


def test_colour_moves_with_the_light_and_none_is_invented():
    """A red and a green half, bent: each pixel stays of one of the two hues; a grey photo stays grey."""
    photo = Image.new("RGB", (200, 200), (180, 60, 60))
    photo.paste((60, 140, 60), (100, 0, 200, 200))
    bent = pixels(translated(Told(flow=(0.1, 0)), photo, Face(100, 100, 160)).photo)
    row = bent[100]
    assert row[80:83].tolist() == [[180, 60, 60]] * 3
    assert row[87:97].tolist() == [[60, 140, 60]] * 10  # sixteen pixels further left than it was
    grey = picture(mode="L").convert("RGB")
    network = Told(flow=(0.05, 0.05), mask=0.7, content=0.4)
    done = pixels(translated(network, grey, Face(150, 120, 100, 12)).photo)
    assert not np.array_equal(done, pixels(grey))
    assert (done == done[..., :1]).all()


@pytest.mark.parametrize(
    "network", [Told(flow=(0.1, 0.1)), Told(mask=1.0, content=1.0), Redrawn(Told(mask=1.0, content=1.0))]
)
def test_the_change_comes_in_without_a_seam(network):
    """The steps at the border are no larger than those that it needs to come in at all."""
    photo, face = Image.new("L", (300, 240), 80), Face(150, 120, 160, 10)
    photo.paste(picture(mode="L").resize((300, 120)), (0, 60))
    before, after = pixels(photo).astype(float), pixels(translated(network, photo, face).photo).astype(float)
    assert not np.array_equal(before, after)
    assert photos.seam(before, after, face) < 3  # of 255; pasting it leaves about a hundred


def test_half_the_intensity_is_half_of_what_is_redrawn():
    photo, face = Image.new("L", (300, 240), 100), Face(150, 120, 120)
    done = translated(Redrawn(Told(mask=1.0, content=1.0)), photo, face, intensity=0.5)
    assert abs(pixels(done.photo)[120, 150] - (100 + 255) / 2) <= 1


def test_a_redrawn_shift_is_found_again():
    """What a network that tells nothing has moved is moved in the photo, not faded over."""
    rng = np.random.default_rng(2)
    rough = Image.fromarray(rng.integers(20, 236, (24, 24), np.uint8))
    photo, face = rough.resize((384, 384), Image.Resampling.BICUBIC), Face(192, 192, 384)
    done = pixels(translated(Redrawn(Told(flow=(1 / 24, 0))), photo, face).photo)
    middle, levels = slice(120, 264), pixels(photo)
    off = np.abs(done[middle, middle] - levels[middle, 136:280]).mean()
    assert off < 0.25 * np.abs(levels[middle, middle] - levels[middle, 136:280]).mean()


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


def test_where_the_photo_ends_its_border_is_bent_in():
    photo = Image.new("L", (100, 100), 50)
    photo.paste(200, (0, 0, 10, 100))
    done = pixels(translated(Told(flow=(-0.15, 0)), photo, Face(20, 50, 80)).photo)
    assert np.abs(done[50, :12] - 200).max() <= 1  # from beyond the edge, and from the bright stripe
    assert done[50, 30] == 50


def test_several_faces_change_each_in_its_place(engine):
    photo, one, other = picture(), Face(80, 80, 60), Face(220, 160, 70, 15)
    both = pixels(engine.translate("stargan", photo, HAPPY, 1.0, [one, other]).photo)
    for face in (one, other):
        alone = pixels(engine.translate("stargan", photo, HAPPY, 1.0, [face]).photo)
        square = photos.inside(face, alone.shape)
        assert np.abs(both - alone)[square].max() <= 1  # to a batch's rounding


def test_squares_that_overlap_are_both_changed():
    photo, faces = Image.new("L", (300, 240), 100), (Face(110, 120, 100), Face(180, 120, 100))
    done = pixels(translated(Told(mask=1.0, content=1.0), photo, *faces).photo)
    assert min(done[120, 90], done[120, 136], done[120, 154], done[120, 200]) > 250


def test_a_large_photo_is_changed_as_a_small_one_is():
    """A flow and a mask, at four times the resolution: scaled down again it is the same picture."""
    y, x = np.mgrid[:48, :48] / 48
    bump = np.exp(-(((x - 0.5) / 0.15) ** 2) - ((y - 0.6) / 0.15) ** 2)
    network = Told(flow=np.stack([0.06 * bump, -0.04 * bump]), mask=0.3 * bump, content=0.8)
    small = picture(500, 400).resize((1000, 800), Image.Resampling.BICUBIC)
    large = small.resize((4000, 3200), Image.Resampling.BICUBIC)
    one = pixels(translated(network, small, Face(500, 400, 400, 10)).photo)
    other = translated(network, large, Face(2000, 1600, 1600, 10)).photo
    assert other.size == large.size
    other = pixels(other.resize(small.size, Image.Resampling.BOX))
    assert np.abs(one - other).mean() < 1
    assert np.abs(one - pixels(small))[photos.inside(Face(500, 460, 120), one.shape)].mean() > 5


def test_a_small_square_picture_is_changed_as_its_face_is():
    """At the network's own size, away from the border, the photo shows what the network draws."""
    photo = picture(mode="L").resize((48, 48))
    done = translated(Told(flow=(0.02, 0.02), mask=0.2, content=0.5), photo, Face(24, 24, 48))
    assert np.abs(pixels(done.photo) - done.faces[0].after.astype(int))[8:-8, 8:-8].mean() < 3


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
