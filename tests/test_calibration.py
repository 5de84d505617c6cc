"""fergan.calibration in closed form."""

import math

import pytest
import torch
import torch.nn.functional as F

from fergan.calibration import fit_temperature, reliability
from fergan.metrics import expected_calibration_error


def overconfident(n=4000, scale=3.0):
    """Logits three times too large, and labels drawn from the true probabilities."""
    true = torch.randn(n, 7, generator=torch.Generator().manual_seed(1)).log_softmax(dim=1)
    labels = torch.multinomial(true.exp(), 1, generator=torch.Generator().manual_seed(1))[:, 0]
    return true * scale, labels


def test_temperature_in_closed_form():
    logits = torch.tensor([[2.0, 0.0]] * 4)  # right 3 times of 4: the best odds are 3 to 1
    labels = torch.tensor([0, 0, 0, 1])
    assert fit_temperature(logits, labels) == pytest.approx(2 / math.log(3), rel=1e-6)


def test_temperature_lowers_cross_entropy_and_calibration_error():
    logits, labels = overconfident()
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(3.0, rel=0.1)
    assert F.cross_entropy(logits / temperature, labels) < F.cross_entropy(logits, labels)
    before, after = (
        expected_calibration_error(rows.softmax(1), labels) for rows in (logits, logits / temperature)
    )
    assert after < 0.03 < before
    assert torch.equal((logits / temperature).argmax(1), logits.argmax(1))


def test_temperature_at_its_ends_and_refusals():
    assert fit_temperature(torch.eye(7), torch.arange(7)) == pytest.approx(1 / 64)
    assert fit_temperature(torch.eye(7), (torch.arange(7) + 1) % 7) == pytest.approx(64)
    with pytest.raises(ValueError, match="a label for each row"):
        fit_temperature(torch.empty(0, 7), torch.empty(0, dtype=torch.int64))


def test_reliability_bins_add_up_to_the_calibration_error():
    logits, labels = overconfident()
    bins = reliability(logits.softmax(1), labels)
    assert int(bins.size.sum()) == len(labels)
    error = float(((bins.confidence - bins.accuracy).abs() * bins.size).sum() / len(labels))
    assert error == pytest.approx(expected_calibration_error(logits.softmax(1), labels))
