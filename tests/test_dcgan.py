"""DCGAN banks: a network for each emotion behind one forward, and the six published variants."""

import pytest
import torch

from fergan.models import preset, standing
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


def test_a_norm_without_statistics_of_lengths_is_a_batch_norm():
    torch.manual_seed(0)
    norm, plain = standing.StandingNorm(3), torch.nn.BatchNorm2d(3, affine=False)
    maps, lengths = 2 + torch.randn(8, 3, 5, 5), torch.linspace(0, 1.2, 8)
    assert torch.equal(norm(maps, lengths), plain(maps))
    assert torch.allclose(norm.eval()(maps, lengths), plain.eval()(maps), atol=1e-6)


def test_between_two_lengths_a_norm_goes_straight():
    norm = standing.StandingNorm(1).eval()
    norm.running_mean.fill_(1.0)
    norm.running_var.fill_(4.0)
    norm.mean_off[:, 0] = torch.tensor([0.5, 0.4, 0.3, 0.2, 0.0])
    norm.deviation_off[:, 0] = torch.tensor([-0.9, -0.7, -0.5, -0.3, 0.0])
    found = norm(torch.full((5, 1, 1, 1), 3.0), torch.tensor([0.0, 0.5, 0.625, 1.0, 1.3])).flatten()
    due = [(3 - 2.0) / 0.2, (3 - 1.6) / 1.0, (3 - 1.5) / 1.2, (3 - 1.0) / 2.0, (3 - 1.0) / 2.0]
    assert torch.allclose(found, torch.tensor(due), rtol=1e-4)


def maps_before(network, noise):
    """What the last norm makes of its maps."""
    seen = []
    hook = network.norm.norm.register_forward_hook(lambda module, given, made: seen.append(made))
    with torch.no_grad():
        network(noise)
    hook.remove()
    return seen[0]


def test_settled_norms_know_noise_of_every_length(monkeypatch):
    monkeypatch.setattr(standing, "SETTLED", 1024)  # as where faces are drawn for people
    torch.manual_seed(0)
    bank = Generator(Config(width=4, noise_dim=8, emotions="sad")).eval()
    for tensor in bank.state_dict().values():  # a net that has learnt something: its maps do not stay alike
        if tensor.ndim == 4:
            tensor.mul_(3)
    own = bank.networks["sad"]
    noise = torch.randn(512, 8, generator=torch.Generator().manual_seed(5))
    noise = noise / noise.norm(dim=1, keepdim=True) * 8**0.5
    bank.settle()
    assert own.norm.norm.taken is None
    kept = {name: tensor.clone() for name, tensor in bank.state_dict().items()}
    for length in (0.25, 0.6, 1.0):
        made = maps_before(own, length * noise)
        spread, middle = made.std((0, 2, 3)), made.mean((0, 2, 3))
        assert float((spread - 1).abs().max()) < 0.15 and float(middle.abs().max()) < 0.15, length
    for module in own.modules():
        if isinstance(module, standing.StandingNorm):
            module.mean_off.zero_()
            module.deviation_off.zero_()
    assert float(maps_before(own, 0.25 * noise).std((0, 2, 3)).mean()) < 0.7  # as a batch norm sees them
    bank.settle()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in bank.state_dict().items())
