"""k-fold cross-validation done right: every face held out once, no face and its duplicate on both sides."""

import hashlib

import torch
from torch import Tensor


def same_faces(images: Tensor) -> Tensor:
    """Images uint8 [N, ...] -> group, int64 [N]: equal images have one number."""
    numbers: dict[bytes, int] = {}
    digests = (hashlib.blake2b(image.numpy().tobytes()).digest() for image in images.cpu())
    return torch.tensor([numbers.setdefault(digest, len(numbers)) for digest in digests])


def k_folds(labels: Tensor, groups: Tensor, folds: int, seed: int) -> Tensor:
    """Labels and groups, int64 [N] -> the fold, 0 .. folds - 1, that holds each row out, int64 [N].

    Groups are dealt out class by class (by the label of a group's first row), in a random order, and the
    deal goes on where the class before ended: folds have nearly the same size and shares of classes.

    Raises:
        ValueError: fewer than two folds, or fewer groups than folds.
    """
    first = torch.full((int(groups.max()) + 1,), len(groups)) if len(groups) else torch.empty(0)
    first = first.scatter_reduce(0, groups, torch.arange(len(groups)), "amin")
    if folds < 2 or len(first) < folds:
        raise ValueError(f"Folds must be 2 or more and at most the {len(first)} faces; got {folds}.")
    shuffled = torch.randperm(len(first), generator=torch.Generator().manual_seed(seed))
    dealt = shuffled[labels[first[shuffled]].argsort(stable=True)]
    fold = torch.empty(len(first), dtype=torch.int64)
    fold[dealt] = torch.arange(len(first)) % folds
    return fold[groups]
