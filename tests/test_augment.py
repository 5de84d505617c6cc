import pytest
import torch

from fergan.augment import (
    _translate,
    bend_faces,
    break_faces,
    diff_augment,
    lend_features,
    mix_faces,
    vary_faces,
)


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


def test_a_broken_face_is_itself_on_one_side_of_its_seam_and_its_bent_mirror_image_on_the_other():
    across = torch.linspace(-1, 1, 48).expand(2, 1, 48, 48) * 0.5
    draw = torch.full((2, 4, 4, 4), 0.5)  # no flow
    draw[0, 2, :, :2], draw[0, 2, :, 2:] = 0.0, 1.0
    draw[1, 2] = 1.0
    seamed, turned = break_faces(across, draw)[:, 0]
    assert torch.equal(seamed[:, :16], across[0, 0, :, :16])
    assert torch.allclose(seamed[:, -16:], -across[0, 0, :, -16:], atol=1e-5)
    assert torch.allclose(turned, -across[0, 0], atol=1e-5)
    draw[1, 0] = 1.0  # all of it to the right, by a reach of 0.175 of the side
    moved = break_faces(across, draw)[1, 0]
    assert torch.allclose((moved - turned)[:, :36], torch.full((48, 36), -0.175), atol=0.01)


@pytest.mark.parametrize("channels", [1, 3])
def test_broken_faces_stay_in_range_keep_their_shape_and_differ_one_by_one(channels):
    image = torch.rand(1, channels, 16, 24, generator=generator()) * 2 - 1
    broken = break_faces(image.expand(16, -1, -1, -1), torch.rand(16, 4, 4, 4, generator=generator()))
    assert broken.shape == (16, channels, 16, 24)
    assert float(broken.abs().max()) <= 1
    assert len({round(float(v), 5) for v in broken.std(dim=(1, 2, 3))}) == 16


def generator():
    return torch.Generator().manual_seed(1)


def test_varied_faces_stay_in_range_and_differ_one_by_one():
    images = torch.rand(1, 1, 48, 48).expand(64, -1, -1, -1) * 2 - 1
    varied = vary_faces(images, generator(), 1.0, 0.5)
    assert varied.shape == images.shape
    assert float(varied.abs().max()) <= 1
    assert len({round(float(v), 5) for v in varied.mean(dim=(1, 2, 3))}) == 64
    assert torch.equal(varied, vary_faces(images, generator(), 1.0, 0.5))


def test_strength_0_is_the_identity():
    images = torch.rand(4, 3, 48, 48)
    assert torch.equal(vary_faces(images, generator(), 0.0, 0.0), images)
    assert torch.allclose(vary_faces(images, generator(), 1e-6, 0.0), images, atol=1e-3)


def test_a_shift_moves_what_is_seen_and_no_more_than_a_tenth():
    images = torch.full((256, 1, 48, 48), -1.0)
    images[:, :, 23:25, 23:25] = 1.0
    varied = vary_faces(images, generator(), 1.0, 0.0) - vary_faces(images, generator(), 1.0, 0.0).amin(
        (2, 3), keepdim=True
    )
    weight = varied[:, 0] / varied.sum((2, 3))[:, :, None]
    across = (weight.sum(1) * torch.arange(48)).sum(1)
    moved = (across - 23.5).abs()
    assert 3 < float(moved.max()) < 0.1 * 48 * 1.35  # a tenth of the side, turned and scaled


def test_erasing_covers_its_share():
    images = torch.full((2000, 1, 48, 48), -1.0)
    covered = (vary_faces(images, generator(), 0.0, 0.5) != -1).float().mean(dim=(1, 2, 3))
    assert float((covered > 0).float().mean()) == pytest.approx(0.5, abs=0.05)
    assert float(covered[covered > 0].min()) > 0.01
    assert float(covered.max()) < 0.25


def test_mixup_keeps_rows_of_the_target():
    images, target = torch.rand(64, 1, 8, 8), torch.eye(7)[torch.arange(64) % 7]
    mixed, rows = mix_faces(images, target, generator(), 1.0)
    assert torch.allclose(rows.sum(1), torch.ones(64), atol=1e-6)
    assert float(mixed.mean()) == pytest.approx(float(images.mean()), abs=0.05)
    assert int((rows.max(1).values < 1).sum()) > 40
    whole, same = mix_faces(images, target, generator(), 0.0)
    assert whole is images
    assert same is target
    flat = torch.arange(4.0)[:, None, None, None].expand(4, 1, 2, 2)  # image and target mix alike
    values, weights = mix_faces(flat, torch.eye(7)[:4], generator(), 1.0)
    assert torch.allclose(values[:, 0, 0, 0], weights @ torch.arange(7.0))
