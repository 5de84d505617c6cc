"""train.pairs: one person, drawn with two emotions."""

import pytest
import torch
from torch import nn

from train.pairs import Pairs, lit_alike

CPU = torch.device("cpu")


class Painter(nn.Module):
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


def draw(labels=range(7), partial=0.0, read=seen, count=64, truncation=0.5):
    rng = torch.Generator().manual_seed(0)
    pairs = Pairs(Painter(), 3, list(labels), truncation, CPU)
    pairs.drawer.network.forward = lambda noise, emotion: Painter.forward(None, noise.abs(), emotion)
    return pairs.draw(count, partial, rng, read)


def test_the_person_stays_and_the_emotion_changes():
    pair = draw()
    assert torch.allclose(pair.before.norm(dim=1), pair.after.norm(dim=1), atol=1e-5)
    assert torch.equal(pair.source, seen(pair.before, None))
    assert torch.equal(pair.target, seen(pair.after, None))
    assert (pair.source * pair.target).sum() == 0  # never the same twice
    assert set(pair.target.argmax(1).tolist()) == set(range(7))
    assert pair.intensity.tolist() == [1.0] * 64
    half, whole = (draw(truncation=share).before.norm() for share in (0.5, 1.0))
    assert float(half / whole) == pytest.approx(0.5)


def test_only_what_is_learnt_is_drawn():
    pair = draw(labels=[3, 6])
    assert torch.equal(pair.source + pair.target, (torch.eye(7)[3] + torch.eye(7)[6]).expand(64, 7))


def test_part_of_the_way_is_a_blend():
    pair = draw(partial=1.0)
    start, end = (rows.argmax(1).float() for rows in (pair.source, pair.target))
    apart = (hue(pair.after) - torch.lerp(start, end, pair.intensity)).abs()
    assert float(apart.max()) < 1e-2
    assert 0.3 < float(pair.intensity.mean()) < 0.7


def test_what_is_read_otherwise_is_not_trusted():
    assert draw().trust.tolist() == [1.0] * 64
    blind = draw(read=lambda images, _: torch.eye(7)[torch.zeros(len(images), dtype=torch.long)])
    assert torch.equal(blind.trust, torch.zeros(64))  # one of the two is always another emotion
    half = draw(read=lambda images, rows: (rows + 1 / 7) / 2)
    assert torch.allclose(half.trust, torch.full((64,), (0.5 + 1 / 14) ** 2))


def test_light_is_the_others():
    images = torch.tensor([[0.0, 0.2], [0.0, 0.0]]).reshape(2, 1, 1, 2)
    others = torch.tensor([[-0.5, 0.5], [0.3, 0.5]]).reshape(2, 1, 1, 2)
    lit = lit_alike(images, others)
    assert torch.allclose(lit[0], others[0], atol=1e-6)
    assert torch.allclose(
        lit[1], torch.full((1, 1, 2), 0.4), atol=1e-6
    )  # a flat one has no contrast to stretch
