"""fergan.metrics in closed form, and beside torchmetrics."""

import contextlib
import math

import pytest
import torch
from torch import nn

from fergan import metrics
from train import transfer

with contextlib.suppress(ValueError):  # torchmetrics imports it, which a CUDA wheel on a CPU fails at
    transfer._torchvision()
from torchmetrics.classification import MulticlassCalibrationError
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance


def normal(n, features=6, seed=0):
    return torch.randn(n, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def whitened(x):
    """The rows moved to mean 0 and covariance 1, exactly."""
    x = x - x.mean(0)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(x.T.cov()), x.T, upper=False).T


def test_frechet_distance_of_two_gaussians():
    x, scale, shift = whitened(normal(50)), torch.tensor([1.0, 2, 3, 0.5, 1, 0]), torch.arange(6.0)
    due = float(shift.square().sum() + (1 - scale).square().sum())
    assert metrics.frechet_distance(x, whitened(normal(70, seed=1)) * scale + shift) == pytest.approx(due)
    assert metrics.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_with_fewer_faces_than_features():
    x = normal(5, 20)
    assert metrics.frechet_distance(x, x + 1) == pytest.approx(20)


class Given(nn.Module):
    """Hands pixels on as features."""

    num_features = 48

    def forward(self, pixels):
        return pixels.flatten(1).double() / 127.5 - 1


def test_the_distances_are_those_of_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    real = torch.randint(0, 256, (80, 3, 4, 4), generator=generator, dtype=torch.uint8)
    fake = torch.randint(60, 200, (80, 3, 4, 4), generator=generator, dtype=torch.uint8)
    fid = FrechetInceptionDistance(feature=Given()).set_dtype(torch.float64)
    kid = KernelInceptionDistance(feature=Given(), subsets=1, subset_size=80)
    for metric in (fid, kid):
        metric.update(real, real=True)
        metric.update(fake, real=False)
    x, y = Given()(real), Given()(fake)
    assert metrics.frechet_distance(x, y) == pytest.approx(float(fid.compute()), rel=1e-4)
    assert metrics.kernel_distance(x, y) == pytest.approx(float(kid.compute()[0]), rel=1e-4)


def test_kernel_distance_by_hand():
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [1.0], [-1.0]])
    within_x, within_y, across = 27.0, (1 + 1 + 0) / 3, (1 + 8 + 0 + 1 + 27 - 1) / 6
    assert metrics.kernel_distance(x, y) == pytest.approx(within_x + within_y - 2 * across)


def test_kernel_distance_of_one_distribution_is_about_nothing(monkeypatch):
    x, y = normal(400), normal(300, seed=1)
    whole = metrics.kernel_distance(x, y)
    assert abs(whole) < 0.02 < metrics.kernel_distance(x, y + 0.3)
    monkeypatch.setattr(metrics, "CHUNK", 64)
    assert metrics.kernel_distance(x, y) == pytest.approx(whole)


def test_prdc_by_hand(monkeypatch):
    monkeypatch.setattr(metrics, "CHUNK", 2)
    real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])  # balls of k = 1 reach 1, 1, 1 and 8
    fake = torch.tensor([[0.5], [0.6], [100.0]])  # balls reach 0.1, 0.1 and 99.4
    found = metrics.prdc(real, fake, k=1)
    assert found == {
        "precision": pytest.approx(2 / 3),  # 0.5 and 0.6 lie round 0 and 1
        "recall": pytest.approx(3 / 4),  # 1, 2 and 10 are within 99.4 of 100
        "density": pytest.approx(4 / 3),  # 0.5 in the balls of 0 and 1, so is 0.6
        "coverage": pytest.approx(2 / 4),
    }


def test_prdc_of_a_set_with_itself():
    x = normal(60)
    found = metrics.prdc(x, x)
    assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)
    far = metrics.prdc(x, x + 100)
    assert set(far.values()) == {0.0}


def test_diversity_and_nearest_by_hand():
    assert metrics.diversity(torch.tensor([[0.0, 0], [3, 4], [0, 0]])) == pytest.approx(10 / 3)
    distance, row = metrics.nearest(torch.tensor([[1.0], [9.0]]), torch.tensor([[0.0], [5.0], [10.0]]))
    assert distance.tolist() == [1, 1]
    assert row.tolist() == [0, 2]


def test_copies_are_told_from_new_faces():
    training, unseen = normal(200), normal(100, seed=1)
    assert metrics.copying(training[:50] + 1e-3, unseen, training) < 0.01
    assert metrics.copying(normal(100, seed=2), unseen, training) == pytest.approx(1, abs=0.2)


def test_confusion_and_what_follows_from_it():
    labels, predicted = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 1, 1])
    counts = metrics.confusion(predicted, labels, classes=4)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    precision, recall = metrics.precision_recall_per_class(counts)
    assert precision.tolist() == pytest.approx([1, 1 / 3, 0, 0])
    assert recall.tolist() == pytest.approx([0.5, 1, 0, 0])
    assert metrics.accuracy(predicted, labels) == 0.5


def test_calibration_error_by_hand_and_beside_torchmetrics():
    sure = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    due = (2 * abs(0.5 - 0.9) + abs(1 - 0.6)) / 3
    assert metrics.expected_calibration_error(sure, torch.tensor([0, 1, 1])) == pytest.approx(due)
    probabilities = (3 * normal(300, 7)).softmax(1)
    labels = torch.arange(300) % 7
    reference = MulticlassCalibrationError(7, n_bins=15)(probabilities, labels)
    assert metrics.expected_calibration_error(probabilities, labels) == pytest.approx(
        float(reference), rel=1e-4
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.frechet_distance(normal(4), normal(4, 5)), r"got \(4, 6\) and \(4, 5\)"),
        (lambda: metrics.kernel_distance(normal(1), normal(4)), "At least two faces a set"),
        (lambda: metrics.diversity(normal(4) * math.nan), "not finite"),
        (lambda: metrics.prdc(normal(5), normal(9)), "more than 5 faces; got 5 and 9"),
        (lambda: metrics.accuracy(torch.tensor([]), torch.tensor([])), "got 0 for 0 labels"),
        (lambda: metrics.confusion(torch.tensor([1]), torch.tensor([1, 2])), "got 1 for 2 labels"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_every_metric_can_be_shown():
    assert {metric.better for metric in metrics.METRICS.values()} <= {"lower", "higher", "one", ""}
    assert metrics.METRICS["accuracy"].show(0.7314) == "73.1%"
    assert metrics.METRICS["n"].show(7178) == "7,178"


def test_verification_in_closed_form():
    rows = torch.eye(4)
    assert metrics.verification(rows, rows) == {"retrieval": 1, "same": 1, "different": 0, "auc": 1}
    swapped = rows[[1, 0, 2, 3]]  # two of four find each other's face
    found = metrics.verification(rows, swapped)
    assert (found["retrieval"], found["same"]) == (0.5, 0.5)
    assert found["different"] == pytest.approx(2 / 12)
    # pairs: 1, 1, 0, 0; others: two of 1, ten of 0
    assert found["auc"] == pytest.approx((2 * (10 + 2 / 2) + 2 * 10 / 2) / (4 * 12))
    with pytest.raises(ValueError, match="Each face has two views; got 4 and 3 rows"):
        metrics.verification(rows, rows[:3])


def test_verification_over_chunks_is_that_of_the_whole(monkeypatch):
    a, b = (torch.nn.functional.normalize(torch.randn(50, 8), dim=1) for _ in range(2))
    whole = metrics.verification(a, a + b)
    monkeypatch.setattr(metrics, "CHUNK", 7)
    assert metrics.verification(a, a + b) == pytest.approx(whole)


def test_rank_correlation_in_closed_form():
    steps = torch.arange(5.0).expand(4, 5)
    rows = torch.tensor(
        [
            [0.0, 0.1, 0.4, 0.5, 9.0],  # rises
            [5.0, 4.0, 3.0, 2.0, 1.0],  # falls
            [1.0, 1.0, 1.0, 1.0, 1.0],  # stays
            [2.0, 1.0, 3.0, 4.0, 5.0],  # one pair swapped: 1 - 6 * 2 / (5 * 24)
        ]
    )
    assert metrics.rank_correlation(steps, rows).tolist() == pytest.approx([1, -1, 0, 0.9])
    tied = metrics.rank_correlation(torch.tensor([[0.0, 1, 2]]), torch.tensor([[0.0, 0, 1]]))
    assert float(tied) == pytest.approx(3**0.5 / 2)  # ranks 0, 1, 2 against 0.5, 0.5, 2


def test_rank_correlation_refuses():
    with pytest.raises(ValueError, match="Rows of two values or more"):
        metrics.rank_correlation(torch.zeros(2, 1), torch.zeros(2, 1))
