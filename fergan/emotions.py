"""The seven emotions of FER2013 and the row of seven that asks for them: the only list of them."""

import operator
from typing import SupportsIndex

import torch
from torch import Tensor

EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Names in FER2013's label order: label 0 is angry, label 6 is neutral."""


def index(name: str) -> int:
    """The FER2013 label of an emotion's name, in any case.

    Raises:
        ValueError: the name is none of EMOTIONS.
    """
    try:
        return EMOTIONS.index(name.strip().lower())
    except ValueError:
        raise ValueError(f"Unknown emotion {name!r}: choose one of {', '.join(EMOTIONS)}.") from None


def label(value: SupportsIndex) -> int:
    """A FER2013 label as Python's int.

    Raises:
        ValueError: no whole number from 0 to 6.
    """
    last = len(EMOTIONS) - 1
    try:
        found = operator.index(value)
    except TypeError:
        found = -1
    if not 0 <= found <= last:
        raise ValueError(f"An emotion is a label from 0 to {last}; got {value!r}.")
    return found


def only(name: str) -> tuple[float, ...]:
    """The seven weights of one emotion alone, by its name.

    Raises:
        ValueError: as `index`.
    """
    return tuple(float(place == index(name)) for place in range(len(EMOTIONS)))


def one_hot(labels: Tensor) -> Tensor:
    """Labels, int64 [B] in 0..6 -> emotion, float32 [B, 7], each row all on one emotion."""
    return torch.nn.functional.one_hot(labels, len(EMOTIONS)).float()


def blend(**weights: float) -> Tensor:
    """Weights by name, each at least 0 -> emotion, float32 [7] that sums to 1.

    Raises:
        ValueError: an unknown name, no number, a negative or non-finite weight, or nothing above 0.
    """
    row = [0.0] * len(EMOTIONS)
    for name, weight in weights.items():
        place = index(name)
        try:
            row[place] = float(weight)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"The weight of {name} is a number; got {weight!r:.80}.") from None
    return normalize(torch.tensor(row))


def normalize(rows: Tensor) -> Tensor:
    """Weights [..., 7], each at least 0 -> emotion, float32 [..., 7], rows summing to 1.

    Raises:
        ValueError: not seven columns, a negative or non-finite weight, or a row with nothing above 0.
    """
    if rows.shape[-1:] != (len(EMOTIONS),):
        raise ValueError(f"An emotion needs {len(EMOTIONS)} weights; got the shape {tuple(rows.shape)}.")
    rows = rows.float()
    total = rows.sum(-1, keepdim=True)
    if not bool(torch.isfinite(total).all()) or bool((rows < 0).any()):
        raise ValueError("Emotion weights must be finite, and so their sum, and at least 0.")
    if bool((total <= 0).any()):
        raise ValueError("At least one emotion needs a weight above 0.")
    return rows / total
