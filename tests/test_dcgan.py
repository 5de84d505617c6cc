"""DCGAN banks: a network for each emotion behind one forward, and the six published variants."""

import pytest
import torch

from fergan.models import preset
from fergan.models.dcgan import Config, Discriminator, Generator, PublishedConfig, PublishedGenerator

EYE = torch.eye(7)


@pytest.fixture
def bank():
    torch.manual_seed(0)
    return Generator(Config(width=4, noise_dim=8)).eval()


def test_a_pure_emotion_is_drawn_by_its_own_network(bank):
    noise = torch.randn(3, 8)
    with torch.no_grad():
        drawn = bank(noise, EYE[[3, 4, 3]])
        happy, sad = bank.networks["happy"](noise[[0, 2]]), bank.networks["sad"](noise[[1]])
    assert torch.equal(drawn, torch.stack([happy[0], sad[0], happy[1]]))


def test_a_blend_is_the_mean_of_pictures(bank):
    noise = torch.randn(1, 8)
    with torch.no_grad():
        drawn = bank(noise, (EYE[3] * 0.75 + EYE[4] * 0.25)[None])
        due = 0.75 * bank.networks["happy"](noise) + 0.25 * bank.networks["sad"](noise)
    assert torch.allclose(drawn, due, atol=1e-6)


def test_emotions_do_not_meet():
    """A step for happy faces leaves the other networks alone."""
    bank, judge = Generator(Config(width=4, noise_dim=8)), Discriminator(Config(discriminator_width=4))
    judge(bank(torch.randn(4, 8), EYE[[3] * 4]), EYE[[3] * 4]).realness.sum().backward()
    for network in (bank, judge):
        for name, parameter in network.named_parameters():
            assert (parameter.grad is not None) == name.startswith("networks.happy"), name


def test_an_emotion_without_a_network_is_refused():
    one = Generator(Config(width=4, noise_dim=8, emotions="happy")).eval()
    with pytest.raises(ValueError, match="This model draws happy alone"):
        one(torch.randn(1, 8), EYE[[4]])
    with pytest.raises(ValueError, match="emotions must be names of angry"):
        Config(emotions="happy,joy")


def test_a_network_of_all_draws_whatever_is_asked():
    one = Generator(Config(width=4, noise_dim=8, emotions="all")).eval()
    noise, blend = torch.randn(2, 8), EYE[[3, 4]] * 0.5 + 1 / 14
    with torch.no_grad():
        drawn = one.networks["all"](noise)
        assert torch.equal(one(noise, EYE[[3, 4]]), drawn)
        assert torch.equal(one(noise, blend), drawn)
    judge = Discriminator(Config(discriminator_width=4, emotions="all"))
    assert torch.equal(judge(drawn, EYE[[3, 4]]).realness, judge(drawn, EYE[[0, 6]]).realness)
    with pytest.raises(ValueError, match="emotions must be names"):
        Config(emotions="all,happy")


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize(("norm", "dropout"), [(False, 0.0), (True, 0.0), (True, 0.25)])
def test_the_six_variants(transposed, norm, dropout):
    torch.manual_seed(0)
    config = PublishedConfig(
        width=8, transposed=transposed, norm=norm, dropout=dropout, emotions="happy", noise_dim=8
    )
    network = PublishedGenerator(config).train()
    kinds = {type(layer).__name__ for layer in network.modules()}
    assert ("ConvTranspose2d" in kinds) == transposed
    assert ("BatchNorm2d" in kinds) == norm
    noise, rows = torch.randn(2, 8), EYE[[3, 3]]
    one, again = network(noise, rows), network(noise, rows)
    assert one.shape == (2, 1, 48, 48)
    assert torch.equal(one, again) == (dropout == 0)


def test_what_ships_is_small():
    found = preset("dcgan", "fixed")
    assert sum(p.numel() for p in found.network(found.config()).parameters()) * 2 < 8e6  # bytes in fp16
