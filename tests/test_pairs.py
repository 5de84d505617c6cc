"""train.pairs: one person, drawn with two emotions."""

import pytest
import torch
from torch import nn

from train.pairs import Pairs

CPU = torch.device("cpu")


class Painter(nn.Module):
    """Draws the noise's first number left and the emotion's label right."""

    def forward(self, noise, emotion):
        label = emotion @ torch.arange(7.0)
        return torch.stack([noise[:, 0], label], dim=1)[:, None, None, :]


def labels_of(images, _):
    return torch.eye(7)[images[:, 0, 0, 1].round().long()]


def draw(labels=range(7), partial=0.0, read=labels_of, count=64, truncation=0.5):
    rng = torch.Generator().manual_seed(0)
    return Pairs(Painter(), 3, list(labels), truncation, CPU).draw(count, partial, rng, read)


def test_the_person_stays_and_the_emotion_changes():
    pair = draw()
    assert torch.equal(pair.before[..., 0], pair.after[..., 0])
    assert torch.equal(pair.source, labels_of(pair.before, None))
    assert torch.equal(pair.target, labels_of(pair.after, None))
    assert (pair.source * pair.target).sum() == 0  # never the same twice
    assert set(pair.target.argmax(1).tolist()) == set(range(7))
    assert pair.intensity.tolist() == [1.0] * 64
    assert float(pair.before[..., 0].std()) == pytest.approx(0.5, abs=0.1)  # the truncation's


def test_only_what_is_learnt_is_drawn():
    pair = draw(labels=[3, 6])
    assert torch.equal(pair.source + pair.target, (torch.eye(7)[3] + torch.eye(7)[6]).expand(64, 7))


def test_part_of_the_way_is_a_blend():
    pair = draw(partial=1.0)
    start, end = (rows.argmax(1).float() for rows in (pair.source, pair.target))
    assert torch.allclose(pair.after[:, 0, 0, 1], torch.lerp(start, end, pair.intensity), atol=1e-5)
    assert 0.3 < float(pair.intensity.mean()) < 0.7


def test_what_is_read_otherwise_is_not_trusted():
    sure = draw()
    assert sure.trust.tolist() == [1.0] * 64
    blind = draw(read=lambda images, _: torch.eye(7)[torch.zeros(len(images), dtype=torch.long)])
    assert torch.equal(blind.trust, torch.zeros(64))  # one of the two is always another emotion
    half = draw(read=lambda images, rows: (rows + 1 / 7) / 2)
    assert torch.allclose(half.trust, torch.full((64,), (0.5 + 1 / 14) ** 2))
