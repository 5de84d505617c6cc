"""train.pairs: one person, drawn with two emotions."""

from itertools import permutations

import pytest
import torch
from torch import nn

from fergan.data import Faces
from fergan.images import to_model, to_pixels
from fergan.models.layers import FaceGenerator
from fergan.moments import Drawer
from train.pairs import Changed, Drawn, Pairs, lit_alike
from train.processes import Share

CPU = torch.device("cpu")


class Painter(FaceGenerator):
    """Two points of a colour: how much is the noise's first number, which hue is the emotion's label.

    A turn of the hue changes neither mean nor contrast.
    """

    def forward(self, noise, emotion):
        angle = emotion @ torch.arange(7.0) / 7 * 2 * torch.pi
        steps = torch.arange(0, 3) / 3 * 2 * torch.pi
        return (noise[:, :1] * torch.cos(angle[:, None] + steps))[:, :, None, None] / 8


def hue(images):
    """The label, also between two, of what was painted."""
    parts = images[:, :, 0, 0]
    steps = torch.arange(0, 3) / 3 * 2 * torch.pi
    angle = torch.atan2(-(parts * torch.sin(steps)).sum(1), (parts * torch.cos(steps)).sum(1))
    return (angle / (2 * torch.pi) * 7) % 7


def seen(images, _):
    return torch.eye(7)[hue(images).round().long() % 7]


def bank(labels=range(7), truncation=0.9, **changes):
    painter = Painter()
    painter.forward = lambda noise, emotion: Painter.forward(None, noise.abs() + 0.5, emotion)
    options = {"count": 84, "partial": 0.0, "trusted": 0.3, "read": seen} | changes
    return Pairs(Drawn(Drawer(painter, 3, CPU), truncation), list(labels), **options)


def draw(**changes):
    """All of them, in [-1, 1]."""
    pair = bank(**changes).pairs
    return pair._replace(before=to_model(pair.before), after=to_model(pair.after))


def test_the_person_stays_and_the_emotion_changes():
    pair = draw()
    assert torch.allclose(pair.before.norm(dim=1), pair.after.norm(dim=1), atol=0.02)  # of bytes
    assert torch.equal(pair.source, seen(pair.before, None))
    assert torch.equal(pair.target, seen(pair.after, None))
    assert set(pair.intensity.tolist()) == {1.0}
    ways = torch.stack([pair.source.argmax(1), pair.target.argmax(1)]).T.tolist()
    assert all(ways.count([a, b]) == 2 for a, b in permutations(range(7), 2))  # each way as often


def test_only_what_is_learnt_is_drawn():
    pair = draw(labels=[3, 6])
    assert torch.equal(pair.source + pair.target, (torch.eye(7)[3] + torch.eye(7)[6]).expand(84, 7))


def test_part_of_the_way_is_a_blend():
    pair = draw(partial=1.0, trusted=0.0)
    start, end = (rows.argmax(1).float() for rows in (pair.source, pair.target))
    apart = (hue(pair.after) - torch.lerp(start, end, pair.intensity)).abs()
    assert float(torch.minimum(apart, 7 - apart).max()) < 0.2  # hues are a circle
    assert 0.3 < float(pair.intensity.mean()) < 0.7


def test_what_is_read_otherwise_is_drawn_anew():
    assert set(draw().trust.tolist()) == {1.0}

    def narrow(images, rows):  # disgust is seen as anger
        return torch.where(rows[:, 1:2] > 0, torch.eye(7)[0], seen(images, rows))

    few = bank(read=narrow)
    assert len(few) == 84 - 2 * 12
    assert sum(few.short.values()) == 2 * 12
    assert few.short["happy to disgust"] == 2
    assert "happy to sad" not in few.short
    half = draw(read=lambda images, rows: (rows + 1 / 7) / 2)
    assert torch.allclose(half.trust, torch.full((84,), (0.5 + 1 / 14) ** 2))
    with pytest.raises(ValueError, match="none is read as what it was made for"):
        bank(read=lambda images, _: torch.eye(7)[torch.zeros(len(images), dtype=torch.long)])


def test_a_bank_is_drawn_again_from_its_seed():
    one, two, other = (bank(seed=seed).pairs for seed in (1, 1, 2))
    assert all(map(torch.equal, one, two))
    assert not torch.equal(one.before, other.before)


def test_what_is_taken_is_of_the_bank_and_some_of_it_mirrored():
    found = bank()
    pair = found.take(400, torch.Generator().manual_seed(0))
    assert pair.before.shape == (400, 3, 1, 1)
    assert pair.before.dtype == torch.float32
    rows = {tuple(row) for row in to_model(found.pairs.after).flatten(1).tolist()}
    assert {tuple(row) for row in pair.after.flatten(1).tolist()} <= rows


def test_faces_of_a_pair_are_mirrored_together():
    found = bank()
    wide = torch.arange(6, dtype=torch.uint8).expand(len(found), 3, 1, 6)
    found.pairs = found.pairs._replace(before=wide, after=wide + 100)
    pair = found.take(400, torch.Generator().manual_seed(0))
    before, after = (to_pixels(faces)[:, 0, 0] for faces in (pair.before, pair.after))
    assert torch.equal(before + 100, after)
    assert 120 < int((before[:, 0] == 5).sum()) < 280


def test_processes_share_what_one_takes():
    found = bank()
    whole = found.take(8, torch.Generator().manual_seed(3))
    shares = [found.take(4, torch.Generator().manual_seed(3), Share(first, 2)) for first in range(2)]
    assert torch.equal(torch.stack([share.after for share in shares], 1).flatten(0, 1), whole.after)


def test_photos_are_changed_by_a_translator():
    """Of photos that are named so: their bytes, and beside them what the translator makes of these."""

    class Turned(nn.Module):
        """Paints the photo's amount of colour anew, in the hue that was asked for."""

        def forward(self, images, source, target, intensity):
            amount = 8 * images.flatten(1).norm(dim=1, keepdim=True) / 1.5**0.5
            return Painter.forward(None, amount, target)

    labels = torch.arange(7).repeat(10)
    images = to_pixels(Painter.forward(None, torch.rand(70, 1) + 0.5, torch.eye(7)[labels]))
    sound = torch.zeros(70, dtype=torch.bool)
    faces = Faces(images, labels, sound.byte(), None, sound, ~sound, "photos", "x")
    options = {"count": 84, "partial": 0.0, "trusted": 0.3, "read": seen}
    pair = Pairs(Changed(faces, Turned(), CPU), range(7), **options).pairs
    photos = {tuple(row) for row in faces.images.flatten(1).tolist()}
    assert {tuple(row) for row in pair.before.flatten(1).tolist()} <= photos
    assert torch.equal(pair.target, seen(to_model(pair.after), None))
    ways = torch.stack([pair.source.argmax(1), pair.target.argmax(1)]).T.tolist()
    assert all(ways.count([a, b]) == 2 for a, b in permutations(range(7), 2))


def test_light_is_the_others():
    images = torch.tensor([[0.0, 0.2], [0.0, 0.0]]).reshape(2, 1, 1, 2)
    others = torch.tensor([[-0.5, 0.5], [0.3, 0.5]]).reshape(2, 1, 1, 2)
    lit = lit_alike(images, others)
    assert torch.allclose(lit[0], others[0], atol=1e-6)
    assert torch.allclose(
        lit[1], torch.full((1, 1, 2), 0.4), atol=1e-6
    )  # a flat one has no contrast to stretch
