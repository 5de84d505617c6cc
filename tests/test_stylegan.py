"""StyleGAN2 in small: its modulation against the paper's, its styles, its truncation."""

import pytest
import torch
import torch.nn.functional as F

from fergan.models import stylegan
from fergan.models.stylegan import COARSE, LAYERS, Config, Generator, StyledConv

SMALL = {"width": 8, "discriminator_width": 8, "noise_dim": 16, "style_dim": 16}


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return Generator(Config(**SMALL)).eval()


@pytest.mark.parametrize("up", [False, True])
def test_scaled_maps_equal_scaled_weights(up):
    """Karras et al. 2020, eq. 1 and 3, as the paper has it: weights for each face, one grouped convolution."""
    torch.manual_seed(0)
    layer = StyledConv(6, 5, 4, 8, up=up, noise=False)
    x, style = torch.randn(3, 6, 8, 8), torch.randn(3, 4)
    weights = layer.weight[None] * layer.affine(style)[:, None, :, None, None]
    weights = weights * (weights.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    large = F.interpolate(x, scale_factor=2.0) if up else x
    due = F.conv2d(large.reshape(1, 18, *large.shape[2:]), weights.reshape(15, 6, 3, 3), padding=1, groups=3)
    due = F.leaky_relu(due.reshape(3, 5, *large.shape[2:]), 0.2) * 2**0.5
    assert torch.allclose(layer(x, style), due, atol=1e-5)


def test_styles_are_one_for_all_layers_and_draw_the_face(generator):
    noise, emotion = torch.randn(2, 16), torch.eye(7)[:2]
    styles = generator.latent(noise, emotion)
    assert styles.shape == (2, LAYERS, 16)
    assert torch.equal(styles[:, 0], styles[:, -1])
    assert torch.equal(generator.synthesis(styles), generator(noise, emotion))


def test_truncation_ends_at_the_face_that_is_typical_of_the_emotion(generator):
    noise, happy = torch.randn(2, 16), torch.eye(7)[[3, 3]]
    none, half, full = (generator.latent(noise, happy, part)[:, 0] for part in (0.0, 0.5, 1.0))
    assert torch.allclose(none[0], none[1])
    assert torch.allclose(half, (none + full) / 2, atol=1e-6)
    sad = generator.latent(noise, torch.eye(7)[[4, 4]], 0.0)[:, 0]
    assert not torch.allclose(none, sad, atol=1e-3)


def test_the_length_of_the_noise_says_nothing(generator):
    noise, emotion = torch.randn(1, 16), torch.eye(7)[:1]
    assert torch.allclose(generator(noise, emotion), generator(3 * noise, emotion), atol=1e-5)


def test_mixed_styles_draw_a_third_face(generator):
    one, other = generator.latent(torch.randn(2, 16), torch.eye(7)[[3, 3]])
    mixed = torch.cat([one[:COARSE], other[COARSE:]])
    a, b, both = generator.synthesis(torch.stack([one, other, mixed]))
    assert not torch.allclose(both, a, atol=1e-4)
    assert not torch.allclose(both, b, atol=1e-4)


def test_noise_inputs_vary_in_training_alone():
    torch.manual_seed(0)
    network = Generator(Config(**SMALL, noise_inputs=True))
    with torch.no_grad():
        for layer in network.synthesis.layers:
            layer.strength.fill_(0.5)
    noise, emotion = torch.randn(1, 16), torch.eye(7)[:1]
    assert not torch.equal(network(noise, emotion), network(noise, emotion))
    network.eval()
    drawn = network(noise, emotion)
    assert torch.equal(drawn, network(noise, emotion))
    with torch.no_grad():
        network.synthesis.layers[-1].strength.zero_()
    assert not torch.equal(drawn, network(noise, emotion))


def test_the_discriminator_reads_the_emotion_asked_for():
    torch.manual_seed(0)
    network = stylegan.Discriminator(Config(**SMALL)).eval()
    faces = torch.randn(8, 1, 48, 48)
    happy, sad = (network(faces, torch.eye(7)[[label] * 8]) for label in (3, 4))
    assert not torch.equal(happy.realness, sad.realness)
    assert torch.equal(happy.emotion, sad.emotion)  # what it reads is what it sees, not what was asked for


def test_no_mapping_is_refused():
    with pytest.raises(ValueError, match="mapping_layers must be 1 or more, got 0"):
        Config(mapping_layers=0)


def test_a_frozen_network_draws_the_same_faces_to_the_bit_and_sums_no_weights_again(generator, monkeypatch):
    noise, emotion = torch.randn(2, 16), torch.eye(7)[:2]
    with torch.inference_mode():
        due = generator(noise, emotion)
        generator.freeze()
        monkeypatch.setattr(StyledConv, "_energy", lambda layer: pytest.fail("weights were summed again"))
        assert torch.equal(generator(noise, emotion), due)
    assert not any("energy" in name for name in generator.state_dict())
