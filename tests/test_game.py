"""What a GAN's game asks of its two networks, and what is kept of them."""

import dataclasses

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from fergan import checkpoint, data, losses
from fergan.augment import break_faces
from fergan.models import MODELS
from tests import factory
from tests.gans import config, game, train
from train import gan, states
from train.recipes import RECIPES, Recipe


@pytest.fixture(scope="module")
def faces(own_folder):
    return factory.write_packed(own_folder / "packed", factory.draw_faces(70))


def test_only_training_faces_are_learnt_from(faces, tmp_path):
    _, batches, _ = gan.prepare(config(faces, tmp_path), Accelerator(cpu=True))
    assert torch.equal(batches.images, data.load(faces).split("Training").images)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": "wasserstein"}, "loss must be relativistic or logistic, got 'wasserstein'"),
        ({"split_updates": True}, "split_updates must be off"),
        ({"optimizer": "sgd"}, "optimizer must be adam or rmsprop, got 'sgd'"),
        ({"batch": 1}, "batch must be 2 or more"),
        ({"broken_every": -1}, "broken_every must be 0 or more"),
        ({"broken_every": 4, "loss": "logistic"}, "0 without a relativistic loss"),
        ({"generator_class_weight": 0.1}, "class_weight must be above 0, or generator_class_weight 0"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        Recipe(**changes)


def test_a_head_that_learns_nothing_is_not_asked():
    real, emotion = torch.rand(8, 1, 48, 48), torch.eye(7)[[3] * 8]
    made = game("stylegan", "fixed", Recipe())
    told = made.discriminator_gradients(real, emotion, emotion, penalise=False)
    told |= made.generator_gradients(real, emotion, emotion)
    assert not {"d_class", "g_class"} & set(told) and {"d_loss", "g_loss"} <= set(told)
    made = game("stylegan", "fixed", Recipe(class_weight=0.5))
    told = made.discriminator_gradients(real, emotion, emotion, penalise=False)
    assert {"d_class", "g_class"} <= set(told | made.generator_gradients(real, emotion, emotion))


@pytest.mark.parametrize(("model", "name"), list(RECIPES))
def test_each_network_learns_to_win(model, name):
    """The discriminator to tell real faces from drawn ones, then the generator that drawn ones pass for real."""
    plain = dataclasses.replace(RECIPES[model, name], class_weight=0.0, generator_class_weight=0.0)
    made, alone, emotion = game(model, name, plain), Accelerator(cpu=True), torch.eye(7)[[3] * 8]
    real = torch.rand(8, 1, 48, 48, generator=torch.Generator().manual_seed(0))

    def held_for_real():
        torch.manual_seed(0)
        made.rng.manual_seed(0)
        with torch.no_grad():
            return [
                float(made.discriminator(images, emotion).realness.mean())
                for images in (real, made.draw(emotion))
            ]

    first = held_for_real()
    for _ in range(10):
        if made.recipe.split_updates:
            made.half_discriminator_gradients(real, emotion, real=True)
            made.update("discriminator", alone)
            made.half_discriminator_gradients(made.draw_for_discriminator(emotion), emotion, real=False)
        else:
            made.discriminator_gradients(real, emotion, emotion, penalise=False)
        made.update("discriminator", alone)
    told = held_for_real()
    assert told[0] - told[1] > first[0] - first[1]
    for _ in range(10):
        made.generator_gradients(real, emotion, emotion)
        made.update("generator", alone)
    assert held_for_real()[1] > told[1]


def test_a_loss_is_the_sum_of_its_parts(monkeypatch):
    totals = []
    monkeypatch.setattr(torch.Tensor, "backward", lambda loss: totals.append(float(loss.detach())))
    asked = Recipe(class_weight=0.5, generator_class_weight=0.1, guide_weight=3.0, gamma=2.0, penalty_every=4)
    made, emotion = game("acgan", "fixed", asked), torch.eye(7).repeat(2, 1)[:8]
    found = MODELS["classifier"]["guide"]
    made.guide = found.network(found.config(width=4)).eval().requires_grad_(False)
    real = torch.rand(8, 1, 48, 48) * 2 - 1
    d = made.discriminator_gradients(real, emotion, emotion, penalise=True)
    g = made.generator_gradients(real, emotion, emotion)
    due = (
        d["d_loss"] + 0.5 * d["d_class"] + 4 * (d["r1"] + d["r2"]),  # gamma / 2, once in four steps
        g["g_loss"] + 0.1 * g["g_class"] + 3 * g["g_guide"],
    )
    assert totals == pytest.approx([float(part.detach()) for part in due], rel=1e-5)


def test_each_so_many_th_fake_is_a_broken_real_face():
    made, emotion = game("cgan", "fixed", Recipe(broken_every=4, augment=0.0)), torch.eye(7)[:6]
    real = torch.rand(6, 1, 48, 48) * 2 - 1
    rng = torch.Generator().manual_seed(0)
    noise, draw = torch.randn(6, 8, generator=rng), torch.rand(6, 4, 4, 4, generator=rng)
    with torch.no_grad():
        due = made.generator(noise, emotion)
    due[[0, 4]] = break_faces(real, draw)[[0, 4]]
    seen = []
    made.discriminator.register_forward_pre_hook(lambda network, given: seen.append(given[0].detach()))
    made.discriminator_gradients(real, emotion, emotion, penalise=False)
    assert torch.equal(seen[0], real)
    assert torch.allclose(seen[1], due, atol=1e-5)
    made.generator_gradients(real, emotion, emotion)  # its own faces alone
    assert not torch.allclose(seen[2][[0, 4]], due[[0, 4]], atol=0.1)


def test_both_networks_see_augmented_faces():
    made, emotion = game("cgan", "fixed", Recipe(augment=1.0)), torch.eye(7)[:4]
    seen = []
    made.discriminator.register_forward_pre_hook(lambda network, given: seen.append(given[0].detach()))
    real = torch.rand(4, 1, 48, 48)
    made.discriminator_gradients(real, emotion, emotion, penalise=False)
    made.generator_gradients(real, emotion, emotion)
    assert len(seen) == 4  # real and drawn; drawn and real
    assert not torch.equal(seen[0], real) and not torch.equal(seen[3], real)


def test_a_checkpoint_holds_the_average(faces, tmp_path):
    train(config(faces, tmp_path))
    state = load_file(tmp_path / states.FILE)
    kept = checkpoint.load(tmp_path / "checkpoints" / "0000000064")[1].state_dict()
    same = {part: [torch.equal(t, state[f"{part}.{n}"].half().to(t.dtype)) for n, t in kept.items()]
            for part in ("average", "generator")}  # fmt: skip
    assert all(same["average"])
    assert not all(same["generator"])


def test_the_published_recipes_are_the_students():
    for model, batch in (("cgan", 128), ("acgan", 64)):
        found = RECIPES[model, "published"]
        assert (found.loss, found.learning_rate, found.beta1, found.beta2) == ("logistic", 2e-4, 0.5, 0.999)
        assert (found.batch, found.conditions, found.power, found.fake_power) == (batch, "onehot", 1.0, 0.0)
        assert found.unit_range and found.split_updates
        assert not (found.gamma or found.augment or found.flip or found.ema_images)
        assert found.frozen_statistics == found.class_on_fakes == (model == "acgan")


def test_the_published_acgan_freezes_its_statistics():
    made = game("acgan", "published")
    before = made.generator.norm1.running_mean.clone()
    made.draw_for_discriminator(torch.eye(7))
    assert torch.equal(made.generator.norm1.running_mean, before)
    assert made.generator.training
    ours = game("acgan", "published", Recipe(loss="logistic"))
    ours.draw_for_discriminator(torch.eye(7))
    assert not torch.equal(ours.generator.norm1.running_mean, before)


def test_half_the_range_is_no_collapse():
    """Published generators learn [0, 1]: one that draws as real faces are is as diverse as they."""
    made, real = game("dcgan", "published"), torch.rand(8, 1, 48, 48)
    made.draw = lambda emotion: real.flip(0).requires_grad_()
    found = made.generator_gradients(real, torch.eye(7)[[3] * 8], torch.eye(7)[[3] * 8])
    assert float(found["diversity"]) == pytest.approx(1, abs=1e-3)
    assert float(found["twins"]) == 0


def test_noise_lowers_the_targets_and_clipping_holds_gradients():
    made = game("dcgan", "published")
    logits = torch.zeros(1000)
    plain = float(losses.logistic(torch.full((1000,), 2.0), True))
    noisy = float(made.logistic(torch.full((1000,), 2.0), True))
    assert plain + 0.01 < noisy < plain + 0.1  # 2 * 0.05 * u, u in [0, 1]
    assert float(made.logistic(logits, False)) == pytest.approx(float(made.logistic(logits, True)))
    for parameter in made.generator.parameters():
        parameter.grad = torch.full_like(parameter, 5.0)
    seen = []
    made.optimizers["generator"].step = lambda: seen.extend(
        float(p.grad.max()) for p in made.generator.parameters()
    )
    made.update("generator", Accelerator(cpu=True))
    assert set(seen) == {1.0}
