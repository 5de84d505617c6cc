"""Metrics: pure functions of features, labels and probabilities. Nothing here knows a network.

METRICS names the ones that tables and the page show.
"""

import torch
from torch import Tensor

CHUNK = 1024  # rows of a distance or kernel matrix that are in memory at once


def is_number(value: object) -> bool:
    """Whether what came from a file or a request is a number that a float can hold: no bool, NaN or infinity."""
    most = torch.finfo(torch.float64).max  # an int may be more than any float
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= most


class Metric:
    """How a number is shown: a short title, its meaning in a line, what is good (lower, higher, one, ""), its format."""

    def __init__(self, title: str, meaning: str, better: str, form: str) -> None:
        self.title, self.meaning, self.better, self.form = title, meaning, better, form

    def show(self, value: float) -> str:
        """The value as a table shows it."""
        return format(int(value) if self.form.endswith("d") else value, self.form)


METRICS: dict[str, Metric] = {
    "n": Metric("N", "faces measured; FID falls as it grows", "", ",d"),
    "fid": Metric("FID", "distance to real faces in the judge's features (Fréchet)", "lower", ".4g"),
    "fid_learnt": Metric(
        "FID, asked as learnt",
        "the same, where faces are asked for what the network learnt from: labels, or votes that blend emotions",
        "lower",
        ".4g",
    ),
    "kid": Metric("KID", "distance to real faces in the judge's features (kernel)", "lower", ".3g"),
    "kid_before": Metric("KID before", "the same of the faces before they were translated", "lower", ".3g"),
    "fid_inception": Metric(
        "Inception FID", "distance to real faces in Inception's features", "lower", ".4g"
    ),
    "kid_inception": Metric(
        "Inception KID", "distance to real faces in Inception's features", "lower", ".3g"
    ),
    "precision": Metric("precision", "share of drawn faces that lie among real ones", "higher", ".3f"),
    "recall": Metric("recall", "share of real faces that lie among drawn ones", "higher", ".3f"),
    "density": Metric("density", "how crowded with real faces the places of drawn ones are", "higher", ".3f"),
    "coverage": Metric("coverage", "share of real faces with a drawn one close by", "higher", ".3f"),
    "accuracy": Metric("emotion read", "drawn faces whose emotion the judge reads as asked", "higher", ".1%"),
    "accuracy_real": Metric(
        "emotion read, real", "real test faces whose emotion the judge reads", "higher", ".1%"
    ),
    "diversity": Metric(
        "diversity", "how different faces of one emotion are; 1: as much as real ones", "one", ".2f"
    ),
    "copying": Metric(
        "copying", "distance to the nearest training face; 1: as far as unseen real faces are", "one", ".2f"
    ),
    "copying_pixels": Metric("copying, pixels", "the same, pixel by pixel", "one", ".2f"),
    "target_read": Metric(
        "target read", "translated faces in which the judge reads what was asked", "higher", ".1%"
    ),
    "identity": Metric(
        "identity", "likeness to the face before, as a share of its likeness to itself", "higher", ".1%"
    ),
    "rising": Metric(
        "rising", "how steadily the emotion grows with the intensity (rank correlation)", "higher", ".3f"
    ),
    "exact": Metric("exact at 0", "faces that intensity 0 leaves as they are, bit for bit", "higher", ".0%"),
    "changed": Metric("changed", "mean change of a pixel, of 255 levels", "", ".1f"),
    "outside": Metric("changed outside", "the same where the mask covers less than a tenth", "lower", ".1f"),
    "cycle": Metric("there and back", "mean change of a pixel, of 255, once it is led back", "lower", ".1f"),
    "cas": Metric(
        "CAS", "accuracy on real faces of a classifier that learnt from drawn ones alone", "higher", ".1%"
    ),
}


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Features [N, F], [M, F] -> |m - n|^2 + tr(C + D - 2 (C D)^(1/2)) of their Gaussians (m, C), (n, D).

    Heusel et al. 2017, eq. 6. The trace of the root is the sum of the singular values of A' B for any
    A A' = C, B B' = D, which needs no root of a matrix that is only nearly symmetric. It grows as N falls:
    compare at one N.

    Raises:
        ValueError: features that do not match, are not finite, or fewer than two rows.
    """
    x, y = _pair(x, y)
    (mean_x, root_x, trace_x), (mean_y, root_y, trace_y) = _gaussian(x), _gaussian(y)
    cross = torch.linalg.svdvals(root_x.T @ root_y).sum()
    return max(0.0, float((mean_x - mean_y).square().sum() + trace_x + trace_y - 2 * cross))


def _gaussian(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [F], a root A with A A' = covariance, and the covariance's trace."""
    covariance = torch.atleast_2d(x.T.cov())
    values, vectors = torch.linalg.eigh(covariance)
    return x.mean(0), vectors * values.clamp_min(0).sqrt(), covariance.trace()


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """Features [N, F], [M, F] -> the squared MMD under k(a, b) = (a'b / F + 1)^3, unbiased.

    KID of Binkowski et al. 2018, section 4, over all rows rather than over random subsets. Its
    mean does not depend on N, so it serves emotions with few faces; chance can bring it below 0.

    Raises:
        ValueError: as frechet_distance.
    """
    x, y = _pair(x, y)

    def total(a: Tensor, b: Tensor) -> Tensor:
        return torch.stack([_kernel(part @ b.T, a.shape[1]).sum() for part in a.split(CHUNK)]).sum()

    def within(a: Tensor) -> Tensor:
        diagonal = _kernel(a.square().sum(1), a.shape[1]).sum()
        return (total(a, a) - diagonal) / (len(a) * (len(a) - 1))

    return float(within(x) + within(y) - 2 * total(x, y) / (len(x) * len(y)))


def _kernel(products: Tensor, features: int) -> Tensor:
    return (products / features + 1).pow(3)


def prdc(real: Tensor, fake: Tensor, k: int = 5) -> dict[str, float]:
    """Features [R, F], [N, F] -> precision, recall, density, coverage.

    A ball round each face reaches to its k-th neighbour in its own set. Precision is the share of fakes in
    a real ball, recall the share of reals in a fake ball (Kynkaanniemi et al. 2019, eq. 2); density counts
    the real balls that hold a fake, over k, and coverage is the share of real balls that hold one (Naeem et
    al. 2020, section 3).

    Raises:
        ValueError: as frechet_distance, or a set of no more than k rows.
    """
    real, fake = _pair(real, fake)
    if min(len(real), len(fake)) <= k:
        raise ValueError(f"The {k}-th neighbour needs more than {k} faces; got {len(real)} and {len(fake)}.")
    real_radius, fake_radius = _radius(real, k), _radius(fake, k)
    inside, recalled = [], torch.zeros(len(real), dtype=torch.bool, device=real.device)
    nearest_fake = torch.full_like(real_radius, torch.inf)
    for part, radius in zip(fake.split(CHUNK), fake_radius.split(CHUNK), strict=True):
        distance = torch.cdist(part, real)
        inside.append((distance < real_radius).sum(1))
        recalled |= (distance < radius[:, None]).any(0)
        nearest_fake = nearest_fake.minimum(distance.amin(0))
    balls = torch.cat(inside)
    return {
        "precision": float((balls > 0).double().mean()),
        "recall": float(recalled.double().mean()),
        "density": float(balls.double().mean() / k),
        "coverage": float((nearest_fake < real_radius).double().mean()),
    }


def _radius(x: Tensor, k: int) -> Tensor:
    """Each row's distance to its k-th neighbour, [N]; the nearest row is itself."""
    return torch.cat([torch.cdist(part, x).kthvalue(k + 1, 1).values for part in x.split(CHUNK)])


def diversity(x: Tensor) -> float:
    """Features [N, F] -> the mean distance between two different rows.

    Raises:
        ValueError: fewer than two rows, or features that are not finite.
    """
    x, _ = _pair(x, x)
    return float(
        torch.stack([torch.cdist(part, x).sum() for part in x.split(CHUNK)]).sum() / (len(x) * (len(x) - 1))
    )


def nearest(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Features [N, F], [M, F] -> each row's distance to its nearest in y, [N], and which that is, int64 [N]."""
    found = [torch.cdist(part, y.float()).min(1) for part in x.float().split(CHUNK)]
    return torch.cat([part.values for part in found]), torch.cat([part.indices for part in found])


def copying(fake: Tensor, unseen: Tensor, training: Tensor) -> float:
    """Features [N, F], [M, F], [T, F] -> median distance of fakes to Training, over that of unseen real faces.

    About 1 where fakes are as new as real faces that were never trained on, far below 1 where they are copies
    (the test of Meehan et al. 2020, as a ratio of medians).
    """
    (ours, _), (theirs, _) = nearest(fake, training), nearest(unseen, training)
    return float(ours.median() / theirs.median())


def accuracy(predicted: Tensor, labels: Tensor) -> float:
    """Labels, int64 [N], [N] -> the share that is equal.

    Raises:
        ValueError: no label, or not as many of both.
    """
    _same_length(predicted, labels)
    return float((predicted == labels).double().mean())


def confusion(predicted: Tensor, labels: Tensor, classes: int = 7) -> Tensor:
    """Labels, int64 [N], [N] -> counts, int64 [classes, classes]: a row for each label, a column for each prediction.

    Raises:
        ValueError: no label, or not as many of both.
    """
    _same_length(predicted, labels)
    return (labels * classes + predicted).bincount(minlength=classes**2).view(classes, classes)


def rank_correlation(x: Tensor, y: Tensor) -> Tensor:
    """x, y [N, K] -> Spearman's correlation of each row, float64 [N]; values that are equal share their mean rank.

    A row without any variation has no ranks to compare: 0.

    Raises:
        ValueError: rows that do not match, or of fewer than two values.
    """
    if x.shape != y.shape or x.ndim != 2 or x.shape[1] < 2:
        raise ValueError(f"Rows of two values or more are due, alike; got {list(x.shape)}, {list(y.shape)}.")
    a, b = (_ranks(rows) for rows in (x, y))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    norm = (a.square().sum(1) * b.square().sum(1)).sqrt()
    return torch.where(norm > 0, (a * b).sum(1) / norm.clamp_min(1e-12), 0.0)


def _ranks(rows: Tensor) -> Tensor:
    """Rows [N, K] -> for each value how many are smaller, and half of those equal to it."""
    each, other = rows.double()[:, :, None], rows.double()[:, None, :]
    return (other < each).double().sum(2) + (other == each).double().sum(2) / 2


def precision_recall_per_class(counts: Tensor) -> tuple[Tensor, Tensor]:
    """A confusion [C, C] -> precision [C] and recall [C], float64; 0 for a class never predicted or not there."""
    right = counts.diagonal().double()
    return right / counts.sum(0).clamp_min(1), right / counts.sum(1).clamp_min(1)


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Probabilities [N, C], labels int64 [N] -> sum over bins of |accuracy - confidence|, weighted by size.

    Guo et al. 2017, section 2; bins of equal width, a confidence on an edge counting to the lower bin.

    Raises:
        ValueError: no label, or not as many of both.
    """
    _same_length(probabilities, labels)
    confidence, predicted = probabilities.double().max(1)
    right = (predicted == labels).double()
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gaps = torch.zeros(bins, dtype=torch.float64, device=labels.device)
    return float(gaps.index_add(0, place, right - confidence).abs().sum() / len(labels))


def verification(a: Tensor, b: Tensor) -> dict[str, float]:
    """Unit rows [N, F] of two views, a[i] and b[i] of one face -> how well the two find each other.

    `retrieval` is the share of b whose nearest row of a is its own; `same` and `different` are the mean
    cosines of the N pairs and of the N (N - 1) others; `auc` is the chance that a pair of the first kind is
    nearer than one of the second, ties by half: the area under the ROC curve (Fawcett 2006, section 7).

    Raises:
        ValueError: rows that do not match, are not finite, or fewer than two.
    """
    a, b = _pair(a, b)
    if len(a) != len(b):
        raise ValueError(f"Each face has two views; got {len(a)} and {len(b)} rows.")
    a, b = a.float(), b.float()
    numbers = torch.arange(len(a), device=a.device)
    same = torch.cat([(x * y).sum(1) for x, y in zip(a.split(CHUNK), b.split(CHUNK), strict=True)])
    ranked = same.sort().values
    found, others, beaten = 0, 0.0, 0.0
    for rows, own in zip(b.split(CHUNK), numbers.split(CHUNK), strict=True):
        cosines = rows @ a.T
        found += int((cosines.argmax(1) == own).sum())
        different = cosines[numbers != own[:, None]]
        others += float(different.double().sum())
        below = torch.searchsorted(ranked, different) + torch.searchsorted(ranked, different, right=True)
        beaten += float((2 * len(a) - below).double().sum()) / 2
    pairs = len(a) * (len(a) - 1)
    return {
        "retrieval": found / len(a),
        "same": float(same.double().mean()),
        "different": others / pairs,
        "auc": beaten / (pairs * len(a)),
    }


def _pair(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both as float64, or a refusal."""
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"Features come as [N, F] and [M, F]; got {tuple(x.shape)} and {tuple(y.shape)}.")
    if min(len(x), len(y)) < 2:
        raise ValueError(f"At least two faces a set are needed; got {len(x)} and {len(y)}.")
    if not bool(torch.isfinite(x).all()) or not bool(torch.isfinite(y).all()):
        raise ValueError("A feature is not finite: the network that gave it is broken.")
    return x.double(), y.double()


def _same_length(predicted: Tensor, labels: Tensor) -> None:
    if len(predicted) != len(labels) or len(labels) == 0:
        raise ValueError(f"Each label needs a prediction; got {len(predicted)} for {len(labels)} labels.")
