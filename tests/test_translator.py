"""What a translator's game asks of its two networks, and which faces it gets to see."""

import pytest
import torch
from accelerate import Accelerator

from fergan import data, losses
from fergan.models.layers import Verdict
from tests.test_stargan_training import EYE, config, faces, game, helpers  # noqa: F401 - fixtures
from train import stargan
from train.recipes import TRANSLATORS, TranslatorRecipe


def test_it_learns_from_training_and_listens_to_public_test(config, faces, helpers, monkeypatch):
    heard = []
    monkeypatch.setattr(stargan.Translation, "hear", lambda self, photos: heard.append(photos))
    found = data.load(faces)
    game, batches, _, _ = stargan.prepare(config(pairs=str(helpers / "guided")), Accelerator(cpu=True))
    training = found.split("Training").images
    assert torch.equal(batches.images, training)
    assert torch.equal(heard[0].images, found.split("PublicTest").images)
    photos = {face.numpy().tobytes() for face in training}
    assert {face.numpy().tobytes() for face in game.pairs.pairs.before} <= photos


@pytest.mark.parametrize("name", TRANSLATORS)
def test_either_network_wants_to_win(game, name):
    made, high, low = game(name=name), Verdict(torch.full((4,), 2.0), None), Verdict(torch.zeros(4), None)
    assert made.compare(high, low) < made.compare(low, high)
    real = (low, high) if made.recipe.loss == "relativistic" else (None, None)
    assert made.fool(high, real[0]) < made.fool(low, real[1])


def test_a_loss_is_the_sum_of_its_parts(game, monkeypatch):
    totals = []
    monkeypatch.setattr(torch.Tensor, "backward", lambda loss: totals.append(float(loss.detach())))
    own = TranslatorRecipe(identity=2.0, budget=0.0, near=0.0, class_weight=0.5, gamma=0.4, penalty_every=5)
    made, real, emotion, target = game(own), torch.rand(8, 1, 48, 48) - 0.5, EYE[[6] * 8], EYE[[3] * 8]
    source = 0.6 * emotion + 0.4 / 7
    with torch.no_grad():
        for parameter in made.generator.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # else it changes nothing yet
    d = made.discriminator_gradients(real, emotion, source, target, penalise=True)
    g = made.generator_gradients(real, emotion, source, target)
    weights = {
        "g_loss": 1.0, "g_class": own.generator_class_weight, "g_cycle": own.cycle, "g_guide": own.guide_weight,
        "g_same": own.same, "g_identity": 2.0, "g_near": own.near_weight, "g_mask": own.budget_weight, "g_flow": own.smooth,
    }  # fmt: skip
    assert g.keys() == weights.keys()
    assert min(float(part.detach()) for part in g.values()) > 1e-3  # what is 0 would weigh nothing
    due = (d["d_loss"] + 0.5 * d["d_class"] + d["r1"], sum(weights[part] * g[part] for part in g))
    assert totals == pytest.approx([float(part.detach()) for part in due], rel=1e-4)


def test_the_published_game_weighs_its_parts_and_asks_for_the_target(game, monkeypatch):
    totals, asked, entropy = [], [], losses.soft_cross_entropy
    monkeypatch.setattr(torch.Tensor, "backward", lambda loss: totals.append(float(loss.detach())))
    monkeypatch.setattr(
        losses, "soft_cross_entropy", lambda logits, rows: asked.append(rows) or entropy(logits, rows)
    )
    made, emotion, target = game(name="published"), EYE[[6] * 4], EYE[[3] * 4]
    real, recipe = torch.rand(4, 1, 48, 48) - 0.5, made.recipe
    d = made.discriminator_gradients(real, emotion, emotion, target, penalise=False)
    g = made.generator_gradients(real, emotion, emotion, target)
    assert torch.equal(asked[0], emotion)
    assert torch.equal(asked[-1], target)
    assert min(float(d["d_slope"].detach()), recipe.slope_weight) > 0
    due = (
        d["d_loss"] + recipe.class_weight * d["d_class"] + recipe.slope_weight * d["d_slope"],
        g["g_loss"] + recipe.generator_class_weight * g["g_class"] + recipe.cycle * g["g_cycle"],
    )
    assert totals == pytest.approx([float(part.detach()) for part in due], rel=1e-5)
