import math

import pytest
import torch

from fergan import losses


def test_logistic_in_closed_form():
    assert float(losses.logistic(torch.zeros(4), True)) == pytest.approx(math.log(2))
    assert float(losses.logistic(torch.full((4,), 30.0), True)) == pytest.approx(0, abs=1e-6)
    assert float(losses.logistic(torch.full((4,), 30.0), False)) == pytest.approx(30)
    smooth = losses.logistic(torch.full((4,), 30.0), True, noise=torch.full((4,), 0.1))
    assert float(smooth) == pytest.approx(3, abs=1e-5)  # a tenth of the target is "fake"


def test_relativistic_in_closed_form():
    better, worse = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 0.0])
    due = (math.log1p(math.exp(-2)) + math.log(2)) / 2
    assert float(losses.relativistic(better, worse)) == pytest.approx(due)
    assert float(losses.relativistic(better + 100, worse + 100)) == pytest.approx(due)  # only the gap counts


def test_gradient_penalty_of_a_linear_map():
    weight = torch.tensor([3.0, 4.0]).view(1, 1, 1, 2)
    images = torch.randn(5, 1, 1, 2, requires_grad=True)
    penalty = losses.gradient_penalty((images * weight).sum((1, 2, 3)), images)
    assert float(penalty) == pytest.approx(25)


def test_gradient_penalty_can_be_differentiated():
    scale = torch.tensor(2.0, requires_grad=True)
    images = torch.randn(3, 1, 2, 2, requires_grad=True)
    losses.gradient_penalty(scale * images.sum((1, 2, 3)), images).backward()
    assert float(scale.grad) == pytest.approx(2 * 2 * 4)  # d(4 s^2)/ds


def test_soft_cross_entropy_in_closed_form():
    logits = torch.zeros(2, 7)
    rows = torch.tensor([[1.0, 0, 0, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0, 0, 0]])
    assert float(losses.soft_cross_entropy(logits, rows)) == pytest.approx(math.log(7))
    hard = torch.nn.functional.cross_entropy(
        torch.randn(4, 7, generator=torch.manual_seed(0)), torch.arange(4)
    )
    logits = torch.randn(4, 7, generator=torch.manual_seed(0))
    assert float(losses.soft_cross_entropy(logits, torch.eye(7)[:4])) == pytest.approx(float(hard))


def test_wasserstein_is_the_difference_of_means():
    real, fake = torch.tensor([3.0, 5.0]), torch.tensor([1.0, 2.0])
    assert float(losses.wasserstein(real, True) + losses.wasserstein(fake, False)) == -2.5


def test_the_slope_penalty_wants_a_slope_of_1():
    images = torch.randn(3, 1, 4, 4, requires_grad=True)
    assert float(losses.slope_penalty(images.sum((1, 2, 3)) / 4, images)) == pytest.approx(0, abs=1e-10)
    assert float(losses.slope_penalty(images.sum((1, 2, 3)) * 0.75, images)) == pytest.approx(4)


def test_unevenness_of_a_ramp():
    ramp = torch.arange(5.0).expand(2, 1, 4, 5) * 3
    assert float(losses.unevenness(ramp)) == 9
    assert float(losses.unevenness(torch.ones(1, 2, 4, 4))) == 0


def test_unlikeness_in_closed_form():
    one, two = (torch.eye(2)[row].view(1, 2, 1, 1).expand(3, 2, 4, 4) for row in (0, 1))
    half = torch.where(torch.arange(4) < 2, one, two)
    due = torch.tensor([2.0 + 1.0] * 3)  # at right angles everywhere; over half of the points
    assert torch.allclose(losses.unlikeness([one, one], [two, half]), due)
    assert torch.allclose(losses.unlikeness([one], [-5 * one]), torch.full((3,), 4.0))
    assert not losses.unlikeness([one, two], [7 * one, two]).any()  # length says nothing


def test_contrastive_in_closed_form():
    rows, t = torch.eye(3), 0.5  # each finds its other at cosine 1, and four others at 0
    due = math.log(math.exp(1 / t) + 4) - 1 / t
    assert float(losses.contrastive(rows, rows, t)) == pytest.approx(due)
    same = torch.tensor([[1.0, 0.0]]).expand(4, 2)  # all alike: one of seven, at any temperature
    assert float(losses.contrastive(same, same, 0.1)) == pytest.approx(math.log(7), rel=1e-5)
    far = torch.eye(3)[[1, 2, 0]]  # each view is taken for another face's
    due = math.log(math.exp(1 / t) + 4)
    assert float(losses.contrastive(rows, far, t)) == pytest.approx(due)


def test_contrastive_has_a_finite_gradient_and_no_order():
    a, b = (torch.randn(5, 8, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    a = torch.nn.functional.normalize(a, dim=1).requires_grad_(True)
    b = torch.nn.functional.normalize(b, dim=1)
    loss = losses.contrastive(a, b, 0.2)
    loss.backward()
    assert bool(torch.isfinite(a.grad).all())
    assert torch.allclose(losses.contrastive(b, a, 0.2), loss)
    mixed = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(losses.contrastive(a[mixed], b[mixed], 0.2), loss)
