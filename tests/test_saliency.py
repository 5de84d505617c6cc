import numpy as np
import pytest
import torch
from torch import nn

from fergan.engine import Engine
from fergan.models import MODELS
from fergan.saliency import layercam

CLASSIFIERS = MODELS["classifier"]


class Planted(nn.Module):
    """Sees the brightness of 12x12 cells; emotion 3 is the upper left quarter, emotion 4 the lower right."""

    def __init__(self, strided):
        super().__init__()
        if strided:  # looks at every fourth pixel, from the first on
            self.shrink = nn.Conv2d(1, 1, 3, 4, 1, bias=False)
            self.shrink.weight.data = torch.tensor([[[[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]]])
        else:
            self.shrink = nn.AvgPool2d(4)
        self.where = torch.zeros(7, 12, 12)
        self.where[3, :6, :6] = 1
        self.where[4, 6:, 6:] = 1

    def forward(self, images):
        maps = torch.relu(self.shrink(images))
        return (maps * self.where[None]).sum(dim=(2, 3))


def centre(seen):
    """Of the map's weight, [y, x] in pixels."""
    places = torch.arange(48.0)
    return ((seen.sum(1) * places).sum() / seen.sum()).item(), (
        (seen.sum(0) * places).sum() / seen.sum()
    ).item()


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 1, 48, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_says_where(name, images):
    torch.manual_seed(0)
    network = CLASSIFIERS[name].network(CLASSIFIERS[name].config()).eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    seen = layercam(network, images, torch.tensor([0, 3, 6]))
    assert seen.shape == (3, 48, 48)
    assert seen.dtype == torch.float32
    assert torch.allclose(seen.amax(dim=(1, 2)), torch.ones(3))
    assert seen.min() >= 0
    assert seen.std(dim=(1, 2)).min() > 0.01
    assert not torch.equal(seen[0], layercam(network, images, torch.tensor([1, 3, 6]))[0])
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(layer._forward_hooks or layer._backward_hooks for layer in network.modules())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("strided", [False, True])
def test_what_is_planted_is_found(strided):
    images = torch.ones(2, 1, 48, 48)
    first, second = layercam(Planted(strided), images, torch.tensor([3, 4]))
    assert first[4:20, 4:20].min() > 0.75
    assert first[30:, 30:].max() == 0
    assert second[30:, 30:].min() > 0.75
    assert second[:16, :16].max() == 0


@pytest.mark.parametrize("strided", [False, True])
def test_the_map_lies_over_the_pixels_that_were_looked_at(strided):
    """A cell of a strided convolution looks at another pixel than one of a pooling: both are put in place."""
    images = torch.full((1, 1, 48, 48), -1.0)
    images[..., 16:20, 8:12] = 1  # cell (4, 2) alone: pooled from these pixels, or pixel (16, 8)
    seen = layercam(Planted(strided), images, torch.tensor([3]))[0]
    expected = (16, 8) if strided else (17.5, 9.5)
    assert np.allclose(centre(seen), expected, atol=0.6)


def test_an_emotion_that_nothing_speaks_for_gives_zeros(images):
    config = CLASSIFIERS["m1"].config(emotions="happy,sad")
    network = CLASSIFIERS["m1"].network(config).eval()
    seen = layercam(network, images[:2], torch.tensor([3, 0]))
    assert seen[0].max() == 1
    assert seen[1].abs().max() == 0
    assert layercam(Planted(False), -torch.ones(1, 1, 48, 48), torch.tensor([3])).max() == 0


def test_an_image_is_explained_alike_in_any_batch(images):
    network = CLASSIFIERS["judge"].network(CLASSIFIERS["judge"].config(width=8)).eval()
    labels = torch.tensor([2, 3, 4])
    together = layercam(network, images, labels)
    assert torch.allclose(layercam(network, images[1:2], labels[1:2])[0], together[1], atol=1e-4)


def test_a_network_under_inference_mode_or_frozen_is_explained(images):
    network = CLASSIFIERS["teacher"].network(CLASSIFIERS["teacher"].config(width=8)).eval()
    expected = layercam(network, images, torch.tensor([0, 1, 2]))
    network.requires_grad_(False)
    with torch.no_grad():
        assert torch.equal(layercam(network, images, torch.tensor([0, 1, 2])), expected)


def test_refusals(images):
    with pytest.raises(ValueError, match=r"Each image needs a label; got \[2\]"):
        layercam(Planted(False), images, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="no maps of 6 to 12 pixels"):
        layercam(nn.Sequential(nn.Flatten(), nn.Linear(48 * 48, 7)), images, torch.tensor([0, 1, 2]))


# --- the engine's verb ---


def test_the_engine_explains(weights):
    engine = Engine([weights], device="cpu")
    faces = engine.generate("cgan", np.eye(7)[:3], [1, 2, 3])
    seen = engine.explain(faces)
    assert seen.shape == (3, 48, 48)
    assert seen.dtype == np.float32
    assert 0 <= seen.min() <= seen.max() <= 1
    likeliest = engine.classify(faces).argmax(axis=1)
    for place, label in enumerate(likeliest):
        assert np.allclose(engine.explain(faces[[place]], int(label))[0], seen[place], atol=1e-4)
    assert engine.explain(faces[:0]).shape == (0, 48, 48)
    assert engine.explain(np.zeros((1, 96, 64, 3), np.uint8)).shape == (1, 96, 64)
    with pytest.raises(ValueError, match="label from 0 to 6; got 7"):
        engine.explain(faces, 7)
    with pytest.raises(ValueError, match="reads no emotions"):
        engine.explain(faces, model="cgan")
