import pytest
import torch

from fergan.augment import _translate, bend_faces, diff_augment, lend_features


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


def test_what_is_lent_is_a_mouth_or_brows_of_the_same_brightness():
    levels = torch.linspace(-0.4, 0.4, 64).view(64, 1, 1, 1)
    flat = levels.expand(64, 1, 48, 48).contiguous()
    assert torch.allclose(
        lend_features(flat, torch.Generator().manual_seed(1), 1.0), flat, atol=1e-5
    )  # flat faces lend nothing
    rows = flat + 0.3 * (torch.rand(64, 1, 48, 48, generator=torch.Generator().manual_seed(1)) - 0.5)
    changed = (lend_features(rows, torch.Generator().manual_seed(1), 1.0) - rows).abs()[:, 0] > 1e-6
    share = changed.float().mean((1, 2))
    assert float(share[share > 0].min()) > 0.05
    assert float(share.max()) < 0.3
    assert not bool(changed[:, 24:27].any())  # the nose stays
    below = changed[:, 27:].any((1, 2))
    above = changed[:, :24].any((1, 2))
    assert not bool((below & above).any())
    assert 16 < int(below.sum()) < 48
    half = (lend_features(rows, torch.Generator().manual_seed(1), 0.5) != rows).flatten(1).any(1)
    assert 16 < int(half.sum()) < 48


def test_bending_is_small_smooth_and_each_face_has_its_own():
    down, across = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 48), indexing="ij")
    ramps = torch.stack([across, down])[:, None].repeat(8, 1, 1, 1) * 0.5
    bent = bend_faces(ramps, torch.Generator().manual_seed(1), 0.05)
    moved = (bent - ramps)[:, 0, 4:-4, 4:-4]  # a ramp's change of level is how far its points moved
    assert float(moved.abs().max()) <= 0.05 * 1.05  # a slope of one level a side
    assert float(moved.diff(dim=1).abs().max()) < 0.03
    assert len({round(float(v), 5) for v in bent.std(dim=(1, 2, 3))}) > 8


@pytest.mark.parametrize("change", [lend_features, bend_faces])
def test_nothing_at_0_and_one_generator_repeats(change):
    pictures = torch.rand(8, 3, 48, 48) * 2 - 1
    assert torch.equal(change(pictures, torch.Generator().manual_seed(1), 0.0), pictures)
    assert torch.equal(
        change(pictures, torch.Generator().manual_seed(1), 0.1),
        change(pictures, torch.Generator().manual_seed(1), 0.1),
    )
    assert float(change(pictures, torch.Generator().manual_seed(1), 0.9).abs().max()) <= 1
