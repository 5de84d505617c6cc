"""Calibration: what a classifier's probability is worth, and the one number that mends it."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

RANGE = 64.0
"""Temperatures are looked for between 1 / RANGE and RANGE."""


class Reliability(NamedTuple):
    """Answers sorted into bins by their confidence, each field [bins]."""

    confidence: Tensor
    """The mean highest probability, float64; 0 for an empty bin."""
    accuracy: Tensor
    """The share that was right, float64; 0 for an empty bin."""
    size: Tensor
    """How many, int64."""


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Reliability:
    """Probabilities [N, C], labels int64 [N] -> the bins of a reliability diagram (Guo et al. 2017, fig. 4).

    A confidence on an edge counts to the lower bin, as in fergan.metrics.expected_calibration_error.
    """
    confidence, predicted = probabilities.double().max(dim=1)
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    size = torch.bincount(place, minlength=bins)
    right = torch.bincount(place, (predicted == labels).double(), minlength=bins)
    return Reliability(
        torch.bincount(place, confidence, minlength=bins) / size.clamp_min(1),
        right / size.clamp_min(1),
        size,
    )


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Logits [N, C], labels int64 [N] -> the T for which logits / T have the least cross-entropy.

    Guo et al. 2017, section 4.2. The cross-entropy is convex in 1/T, and its slope there is the mean of
    E[logit] - logit of the label: halving the interval finds where it is 0. Where no T is best (all answers
    right, say) the nearer end of 1 / RANGE to RANGE.

    Raises:
        ValueError: no row, or not one label for each.
    """
    if len(logits) == 0 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"A temperature needs a label for each row of logits; got {tuple(labels.shape)} labels"
            f" and {tuple(logits.shape)} logits."
        )
    logits = logits.double()
    at_label = logits.gather(1, labels[:, None])[:, 0]

    def slope(inverse: float) -> float:
        expected = (F.softmax(logits * inverse, dim=1) * logits).sum(dim=1)
        return float((expected - at_label).mean())

    low, high = 1 / RANGE, RANGE
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return 1 / (low * high) ** 0.5
