"""What a network's change does to the pixels of a photo (fergan.translation), with networks that do as they are told."""

import numpy as np
import pytest
import torch
from PIL import Image

from fergan.engine import Face
from fergan.models import stargan
from fergan.translation import Translator
from tests.test_photos import HAPPY, NEUTRAL, picture, pixels
from train import photos


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


def test_a_shift_of_a_face_of_another_shape_is_a_share_of_its_sides():
    """100 pixels high and 80 wide: a tenth is 10 down and 8 to the right."""
    face = pixels(picture(80, 100, "L")).astype(np.uint8)
    for flow, due in (((0.1, 0), face[20:80, 28:68]), ((0, 0.1), face[30:90, 20:60])):
        done = told(Told(flow=flow)).faces(face[None], [HAPPY], [1.0], [NEUTRAL])[0]
        assert np.abs(done[20:80, 20:60].astype(int) - due).max() <= 1


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


def test_where_the_photo_ends_its_border_is_bent_in():
    photo = Image.new("L", (100, 100), 50)
    photo.paste(200, (0, 0, 10, 100))
    done = pixels(translated(Told(flow=(-0.15, 0)), photo, Face(20, 50, 80)).photo)
    assert np.abs(done[50, :12] - 200).max() <= 1  # from beyond the edge, and from the bright stripe
    assert done[50, 30] == 50


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
