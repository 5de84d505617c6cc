"""The contract of every model in MODELS, and the published ones layer for layer."""

import dataclasses

import pytest
import torch

from fergan import checkpoint
from fergan.models import MODELS, draw_noise, preset
from fergan.models.layers import minibatch_deviation, same_pad

EACH = [
    (model, name)
    for model, presets in MODELS.items()
    for name, found in presets.items()
    if found.kind == "generator"
]


def tiny(model: str, name: str, **changes):
    """A config small enough for a test, where the preset can be made small."""
    cls = preset(model, name).config
    small = {"width": 8, "discriminator_width": 8, "noise_dim": 16, "emotion_dim": 8, "style_dim": 16}
    fields = {f.name for f in dataclasses.fields(cls)}
    return cls(**{k: v for k, v in small.items() if k in fields}, **changes)


@pytest.mark.parametrize(("model", "name"), EACH)
@pytest.mark.parametrize(("size", "channels"), [(48, 1), (64, 3)])
def test_contract(model, name, size, channels):
    torch.manual_seed(0)
    networks, config = preset(model, name), tiny(model, name, image_size=size, channels=channels)
    generator, discriminator = networks.network(config), networks.discriminator(config)
    emotion = torch.eye(7) * 0.5 + torch.full((7, 7), 0.5 / 7)  # each emotion is some row's strongest
    images = generator(torch.randn(7, config.noise_dim), emotion)
    assert images.shape == (7, channels, size, size)
    assert images.dtype == torch.float32
    assert float(images.detach().abs().max()) <= 1
    assert float(images.detach().std()) > 0
    verdict = discriminator(images, emotion)
    assert verdict.realness.shape == (7,)
    assert verdict.emotion is None or verdict.emotion.shape == (7, 7)
    total = verdict.realness.sum() + (0 if verdict.emotion is None else verdict.emotion.square().sum())
    total.backward()
    for network in (generator, discriminator):
        for parameter_name, parameter in network.named_parameters():
            assert parameter.grad is not None, parameter_name
            assert bool(torch.isfinite(parameter.grad).all()), parameter_name


@pytest.mark.parametrize(("model", "name"), EACH)
def test_the_condition_and_the_noise_matter(model, name):
    torch.manual_seed(0)
    config = tiny(model, name)
    generator = preset(model, name).network(config).eval()
    noise = torch.randn(2, config.noise_dim)
    happy, sad = torch.eye(7)[[3, 3]], torch.eye(7)[[4, 4]]
    with torch.no_grad():
        one = generator(noise, happy)
        assert not torch.equal(one, generator(noise, sad))
        assert not torch.equal(one[0], one[1])
        assert torch.allclose(one[:1], generator(noise[:1], happy[:1]), atol=1e-5)


@pytest.mark.parametrize(("model", "name"), EACH)
def test_checkpoint_round_trip(model, name, tmp_path):
    config = tiny(model, name)
    network = preset(model, name).network(config)
    described = checkpoint.Checkpoint(model, name, dataclasses.asdict(config), step=3, images_seen=96)
    checkpoint.save(tmp_path, described, network.state_dict())
    again, loaded = checkpoint.load(tmp_path)
    assert again == described
    assert not loaded.training
    for key, tensor in network.state_dict().items():
        due = tensor.half().to(tensor.dtype) if tensor.is_floating_point() else tensor
        assert torch.equal(loaded.state_dict()[key], due), key


def keras_count(network: torch.nn.Module, *, statistics: bool = True) -> int:
    kept = sum(p.numel() for p in network.parameters())
    running = sum(b.numel() for n, b in network.named_buffers() if "running" in n)
    return kept + running * statistics


def test_published_parameter_counts():
    cgan, acgan = (preset(model, "published") for model in ("cgan", "acgan"))
    assert keras_count(cgan.network(cgan.config())) == 3_607_135
    assert keras_count(cgan.discriminator(cgan.config())) == 286_303
    assert keras_count(acgan.network(acgan.config())) == 7_446_351
    discriminator = acgan.discriminator(acgan.config())
    assert keras_count(discriminator) == 463_368
    assert keras_count(discriminator, statistics=False) == 462_472


def test_an_embedding_is_a_row_of_the_matrix():
    config = preset("cgan", "published").config()
    generator = preset("cgan", "published").network(config)
    assert torch.equal(generator.embed(torch.eye(7)), generator.embed.weight.T)


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "due"), [(48, 3, 2, (0, 1)), (12, 3, 1, (1, 1)), (48, 12, 1, (5, 6))]
)
def test_same_padding_is_keras(side, kernel, stride, due):
    ones = torch.ones(1, 1, side, side)
    padded = same_pad(ones, kernel, stride)[0, 0]
    assert padded.shape == (side + sum(due),) * 2
    row = padded[due[0]]
    assert (int((row == 0).nonzero().numel()), float(row[: due[0]].sum())) == (sum(due), 0)
    assert torch.nn.functional.conv2d(
        padded[None, None], torch.ones(1, 1, kernel, kernel), stride=stride
    ).shape[-1] == -(-side // stride)


def test_minibatch_deviation_sees_collapse():
    same, varied = torch.zeros(8, 2, 3, 3), torch.randn(8, 2, 3, 3)
    assert float(minibatch_deviation(same)[:, -1].max()) < 1e-3
    assert float(minibatch_deviation(varied)[:, -1].min()) > 0.3
    assert minibatch_deviation(torch.zeros(6, 2, 3, 3)).shape == (6, 3, 3, 3)  # 6 is no multiple of 8


def test_noise_is_one_row_for_a_seed():
    rows = draw_noise([5, 7, 5], 16)
    assert torch.equal(rows[0], rows[2])
    assert not torch.equal(rows[0], rows[1])
    assert torch.equal(draw_noise([7], 16)[0], rows[1])
    assert draw_noise([], 16).shape == (0, 16)


@pytest.mark.parametrize("model", MODELS)
def test_a_size_that_does_not_divide_is_refused(model):
    for name in MODELS[model]:
        with pytest.raises(ValueError, match="multiple of"):
            preset(model, name).config(image_size=50)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="Unknown model 'vae'"):
        preset("vae", "fixed")
    with pytest.raises(ValueError, match="Unknown preset 'best' of cgan"):
        preset("cgan", "best")


def test_a_seed_is_the_same_noise_in_every_version():
    """Links and files name people by seeds: other numbers here would be other people in all of them."""
    due = [[-0.146795, 0.786141, 0.946822, -1.114344], [1.219763, -0.392979, 1.023075, -0.373421]]
    assert torch.allclose(draw_noise([7, 2**32 - 1], 4), torch.tensor(due), atol=1e-6)
