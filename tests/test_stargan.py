"""Translators: the contract of every one in MODELS, the flow and the mask of ours, the paper's layers."""

import dataclasses

import pytest
import torch

from fergan import checkpoint
from fergan.models import MODELS, preset
from fergan.models.stargan import Change, Config, Generator, soften, warp

EACH = [
    (model, name)
    for model, presets in MODELS.items()
    for name, found in presets.items()
    if found.kind == "translator"
]
EYE = torch.eye(7)


def tiny(model, name, **changes):
    cls = preset(model, name).config
    small = {"width": 8, "discriminator_width": 8, "style_dim": 8, "blocks": 2}
    fields = {f.name for f in dataclasses.fields(cls)}
    return cls(**{k: v for k, v in small.items() if k in fields}, **changes)


def shaken(network):
    """Away from where it starts, so that its heads say something."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize(("model", "name"), [each for each in EACH if preset(*each).discriminator])
@pytest.mark.parametrize(("size", "channels"), [(48, 1), (64, 3)])
def test_contract(model, name, size, channels):
    torch.manual_seed(0)
    networks, config = preset(model, name), tiny(model, name, image_size=size, channels=channels)
    generator, discriminator = shaken(networks.network(config)), networks.discriminator(config)
    images = torch.rand(4, channels, size, size) * 2 - 1
    drawn = generator(images, EYE[[0, 1, 2, 6]], EYE[[3, 3, 4, 5]], torch.ones(4))
    assert drawn.shape == images.shape
    assert drawn.dtype == torch.float32
    assert float(drawn.detach().abs().max()) <= 1
    assert not torch.equal(drawn, images)
    verdict = discriminator(drawn, EYE[[3, 3, 4, 5]])
    assert len(verdict.realness) == 4
    assert verdict.emotion.shape == (4, 7)
    (verdict.realness.sum() + verdict.emotion.square().sum() + drawn.square().sum()).backward()
    for network in (generator, discriminator):
        for parameter_name, parameter in network.named_parameters():
            assert parameter.grad is not None, parameter_name
            assert bool(torch.isfinite(parameter.grad).all()), parameter_name


@pytest.mark.parametrize(("model", "name"), EACH)
def test_no_intensity_is_the_face_itself(model, name):
    torch.manual_seed(0)
    generator = shaken(preset(model, name).network(tiny(model, name))).eval()
    images, intensity = torch.rand(3, 1, 48, 48) * 2 - 1, torch.tensor([0.0, 0.5, 1.0])
    with torch.no_grad():
        drawn = generator(images, EYE[[6, 6, 6]], EYE[[3, 3, 3]], intensity)
    assert torch.equal(drawn[0], images[0])
    assert not torch.equal(drawn[1], images[1])


@pytest.mark.parametrize(("model", "name"), EACH)
def test_the_target_matters(model, name):
    torch.manual_seed(0)
    generator = shaken(preset(model, name).network(tiny(model, name))).eval()
    images = (torch.rand(1, 1, 48, 48) * 2 - 1).expand(2, -1, -1, -1)
    with torch.no_grad():
        happy, sad = generator(images, EYE[[6, 6]], EYE[[3, 4]], torch.ones(2))
    assert not torch.allclose(happy, sad, atol=1e-4)


@pytest.mark.parametrize(("model", "name"), EACH)
def test_checkpoint_round_trip(model, name, tmp_path):
    config = tiny(model, name)
    network = preset(model, name).network(config)
    described = checkpoint.Checkpoint(model, name, dataclasses.asdict(config), step=3, images_seen=96)
    checkpoint.save(tmp_path, described, network.state_dict())
    again, loaded = checkpoint.load(tmp_path)
    assert again == described
    assert loaded.state_dict().keys() == network.state_dict().keys()


@pytest.mark.parametrize("flow", [True, False])
def test_ours_starts_at_the_face_itself(flow):
    torch.manual_seed(0)
    generator = Generator(dataclasses.replace(tiny("stargan", "fixed"), flow=flow))
    images = torch.rand(2, 1, 48, 48) * 2 - 1
    drawn = generator(images, EYE[[6, 0]], EYE[[3, 4]], torch.ones(2))
    assert torch.allclose(drawn, images, atol=1e-5)


def test_the_same_emotion_changes_nothing():
    torch.manual_seed(0)
    generator = shaken(Generator(tiny("stargan", "fixed")))
    images, row = torch.rand(2, 1, 48, 48) * 2 - 1, EYE[[3, 4]] * 0.6 + 0.4 / 7
    assert torch.allclose(generator(images, row, row, torch.ones(2)), images, atol=1e-5)


def test_intensity_bounds_the_change():
    torch.manual_seed(0)
    generator = shaken(Generator(tiny("stargan", "fixed"))).eval()
    images = (torch.rand(1, 1, 48, 48) * 2 - 1).expand(5, -1, -1, -1)
    with torch.no_grad():
        change = generator.change(images, EYE[[6] * 5], EYE[[3] * 5], torch.linspace(0, 1, 5))
    assert float(change.flow[0].abs().max()) == 0
    assert float(change.mask[0].max()) == 0
    for place, share in enumerate(torch.linspace(0, 1, 5)):
        assert float(change.mask[place].max()) <= share
        assert float(change.flow[place].abs().max()) <= Config().reach * share + 1e-6


def test_warp_moves_by_shares_of_the_side():
    images = torch.zeros(1, 1, 48, 48)
    images[0, 0, 20, 30] = 1
    flow = torch.zeros(1, 2, 48, 48)
    flow[:, 0] = 6 / 48  # each point takes what is 6 to its right
    flow[:, 1] = -4 / 48  # and 4 above it
    moved = warp(images, flow)
    assert float(moved[0, 0, 24, 24]) == pytest.approx(1, abs=1e-4)
    assert float(moved.sum()) == pytest.approx(1, abs=1e-3)
    assert torch.allclose(warp(images, torch.zeros_like(flow)), images, atol=1e-4)


def test_a_change_is_resolution_free():
    """Enlarged, it does to a large picture what it does to the small one."""
    rows, columns = torch.meshgrid(torch.linspace(0, 3, 96), torch.linspace(0, 3, 96), indexing="ij")
    large = (torch.sin(rows) * torch.cos(columns))[None, None]
    flow = 0.05 * torch.ones(1, 2, 96, 96)
    mask, content = torch.full((1, 1, 96, 96), 0.3), torch.full((1, 1, 96, 96), 0.5)

    def smaller(x):
        return torch.nn.functional.avg_pool2d(x, 2)

    big = Change(flow, mask, content).apply(large)
    small = Change(smaller(flow), smaller(mask), smaller(content)).apply(smaller(large))
    assert float((smaller(big) - small).abs()[:, :, :-6, :-6].max()) < 5e-3


def smooth(*shape):
    """Random, without sharp edges: a warp of a warp then hardly differs from one warp."""
    return torch.nn.functional.interpolate(torch.rand(*shape, 4, 4) * 2 - 1, size=48, mode="bicubic").clamp(
        -1, 1
    )


def test_two_changes_are_one():
    torch.manual_seed(0)
    images = smooth(3, 1)
    one, two = (Change(0.03 * smooth(3, 2), smooth(3, 1).abs(), smooth(3, 1)) for _ in range(2))
    together, in_turn = one.then(two).apply(images), two.apply(one.apply(images))
    assert float((together - in_turn).abs().max()) < 0.02
    assert float((two.apply(images) - in_turn).abs().mean()) > 0.05  # both matter
    assert float((one.apply(images) - in_turn).abs().mean()) > 0.05
    nothing = Change(torch.zeros(3, 2, 48, 48), torch.zeros(3, 1, 48, 48), smooth(3, 1))
    for same in (nothing.then(one), one.then(nothing)):
        assert torch.allclose(same.apply(images), one.apply(images), atol=1e-4)


def test_a_second_pass_sees_what_the_first_left():
    torch.manual_seed(0)
    once = shaken(Generator(tiny("stargan", "fixed"))).eval()
    twice = Generator(tiny("stargan", "fixed", passes=2)).eval()
    twice.load_state_dict(once.state_dict())  # a pass has no weights of its own
    images, source, target, whole = smooth(2, 1), EYE[[6, 6]], EYE[[3, 4]], torch.ones(2)
    with torch.no_grad():
        in_turn = once(once(images, source, target, whole), source, target, whole)
        together = twice(images, source, target, whole)
        assert float((together - in_turn).abs().mean()) < 0.02
        assert float((once(images, source, target, whole) - in_turn).abs().mean()) > 0.05
        assert torch.equal(twice(images, source, target, 0 * whole), images)


def test_no_pass_is_refused():
    with pytest.raises(ValueError, match="passes must be 1 or more, got 0"):
        Config(passes=0)


def test_the_published_network_is_the_papers():
    networks = preset("stargan", "published")
    generator = networks.network(networks.config())
    public = 8_430_528  # as the public code counts, for three colours
    assert sum(p.numel() for p in generator.parameters()) == public - 2 * 49 * 64
    discriminator = networks.discriminator(networks.config())
    verdict = discriminator(torch.zeros(2, 1, 48, 48), EYE[:2])
    assert verdict.realness.shape == (2, 9)


def test_the_published_network_samples_by_each_faces_own_statistics():
    """Those that training gathered are another world's: by them faces came out white (train/RESULTS.md)."""
    torch.manual_seed(0)
    network = shaken(preset("stargan", "published").network(tiny("stargan", "published")))
    images, whole = torch.rand(3, 1, 48, 48) * 2 - 1, torch.ones(3)
    as_trained = network.train()(images, EYE[:3], EYE[3:6], whole)
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    assert float(before["norm_in.running_mean"].abs().max()) > 0
    drawn = network.eval()(images, EYE[:3], EYE[3:6], whole)
    assert torch.equal(drawn, as_trained)
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="multiple of 16, got 40"):
        preset("stargan", "published").config(image_size=40)


def test_a_pattern_of_every_other_pixel_vanishes():
    rows = torch.arange(12)
    board = ((rows[:, None] + rows) % 2 * 2.0 - 1)[None, None]
    stripes = (rows % 2 * 2.0 - 1).expand(1, 1, 12, 12)
    for pattern in (board, stripes):
        assert float(soften(pattern)[..., 1:-1, 1:-1].abs().max()) < 1e-6
    level = torch.full((1, 1, 5, 5), 0.7)
    assert torch.allclose(soften(level), level)
    spot = torch.zeros(1, 1, 5, 5)
    spot[..., 2, 2] = 16
    assert soften(spot)[0, 0, 2].tolist() == [0, 2, 4, 2, 0]
