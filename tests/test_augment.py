import pytest
import torch

from fergan.augment import _translate, diff_augment


def test_nothing_at_chance_zero():
    images = torch.randn(4, 1, 8, 8)
    assert torch.equal(diff_augment(images, torch.Generator(), 0.0), images)


@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_its_own_draw(channels):
    images = torch.linspace(-1, 1, 64).view(1, 1, 8, 8).repeat(64, channels, 1, 1)
    out = diff_augment(images, torch.Generator().manual_seed(0), 0.5)
    assert out.shape == images.shape
    changed = (out != images).flatten(1).any(1)
    assert 16 < int(changed.sum()) < 48
    assert len(torch.unique(out[changed].mean((1, 2, 3)))) > 10


def test_translation_moves_whole_pixels_and_brings_in_zero():
    image = torch.arange(1.0, 17).view(1, 1, 4, 4)
    moved = _translate(image, torch.tensor([0.25]), torch.tensor([-0.25]))[0, 0]
    assert torch.equal(moved[:3, 1:], image[0, 0, 1:, :3])
    assert float(moved[3].abs().sum() + moved[:, 0].abs().sum()) == 0


def test_gradients_reach_the_images():
    images = torch.randn(8, 1, 8, 8, requires_grad=True)
    diff_augment(images, torch.Generator().manual_seed(0), 1.0).square().sum().backward()
    assert bool((images.grad.abs().sum((1, 2, 3)) > 0).all())


def test_one_generator_repeats():
    images = torch.randn(4, 1, 8, 8)
    first, second = (diff_augment(images, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
