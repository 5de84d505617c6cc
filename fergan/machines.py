"""Networks that play the quiz against people: a rule that guesses from what each sees, fitted once, aside."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fergan.images import Pixels

FOLDS = 5
"""Parts of the reference faces, of which each is guessed by a rule that the others gave."""
DECAY = 0.03
"""Pulls the rule's weights towards 0: there are about as many features as faces to fit them on."""

See = Callable[[Pixels, NDArray[np.int64]], NDArray[np.float32]]
"""Faces [B, H, W] or [B, H, W, 3] and the emotions that they were labelled or asked for -> features [B, F]."""


class Known(NamedTuple):
    """Some reference faces."""

    faces: Pixels
    emotions: NDArray[np.int64]
    """FER2013 labels [B]."""
    classes: NDArray[np.int64]
    """What each face is [B]: the place of its answer among those that the mode has."""


@dataclass(frozen=True)
class Rule:
    """Multinomial logistic regression on features, each brought to mean 0 and deviation 1."""

    mean: Tensor
    scale: Tensor
    weight: Tensor
    """[F + 1, K]; the last row is the bias."""
    held_out: float
    """The share of reference faces that it gets right where it was not fitted on them."""

    def guess(self, features: NDArray[np.float32]) -> list[int]:
        """Features [B, F] -> the likeliest class of each."""
        rows = (torch.from_numpy(features).double() - self.mean) / self.scale
        return (_with_one(rows) @ self.weight).argmax(1).tolist()


def fit(features: NDArray[np.float32], classes: NDArray[np.int64], seed: int = 0) -> Rule:
    """Features [N, F], classes [N] -> the rule that tells the classes apart.

    A classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv:1610.06545, section 3): where `held_out` is at
    chance, these features hold nothing that tells the faces apart. Their test splits once; five folds use the
    few faces better.

    Raises:
        ValueError: not one class for each row, too few rows, or features that are not finite.
    """
    if features.ndim != 2 or len(features) != len(classes) or len(classes) < 2 * FOLDS:
        raise ValueError(
            f"A rule needs a class for each of {2 * FOLDS} faces or more;"
            f" got {list(features.shape)} features for {len(classes)} classes."
        )
    if not np.isfinite(features).all():
        raise ValueError("A feature is not finite: the network that gave it is broken.")
    rows, labels = torch.from_numpy(features).double(), torch.from_numpy(classes)
    known = int(labels.max()) + 1
    fold = torch.randperm(len(rows), generator=torch.Generator().manual_seed(int(seed))) % FOLDS
    right = 0
    for number in range(FOLDS):
        out = fold == number
        rule = _rule(rows[~out], labels[~out], known)
        right += int((torch.tensor(rule.guess(features[out.numpy()])) == labels[out]).sum())
    return _rule(rows, labels, known, right / len(rows))


def _rule(rows: Tensor, labels: Tensor, classes: int, held_out: float = 0.0) -> Rule:
    mean, scale = rows.mean(0), rows.std(0)
    scale = torch.where(scale > 0, scale, 1.0)  # a feature that never changes tells nothing
    x = _with_one((rows - mean) / scale)
    with torch.inference_mode(False), torch.enable_grad():
        weight = torch.zeros(x.shape[1], classes, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            value = F.cross_entropy(x @ weight, labels) + DECAY * weight[:-1].square().sum()
            value.backward()
            return value

        optimizer.step(loss)
    return Rule(mean, scale, weight.detach(), held_out)


def _with_one(rows: Tensor) -> Tensor:
    return torch.cat([rows, rows.new_ones(len(rows), 1)], 1)


class Study:
    """What some networks learn of one mode's faces: the work of seconds, begun once, done aside."""

    def __init__(self, networks: Mapping[str, See], size: int, chunks: Callable[[], Iterable[Known]]) -> None:
        """`chunks` gives the `size` reference faces part by part."""
        self._networks, self._size, self._chunks = dict(networks), size, chunks
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._seen = 0
        self._rules: dict[str, Rule] | None = None
        self._error: Exception | None = None

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return self._seen / self._size

    def begin(self) -> None:
        """Starts it, unless it runs or has ended; after a failure it starts once more."""
        with self._lock:
            if self._thread is not None and (self._thread.is_alive() or self._rules is not None):
                return
            self._seen, self._error = 0, None
            # not a daemon, as the thread that asks may be: the program waits for it rather than cut it off
            self._thread = threading.Thread(target=self._run, name="quiz", daemon=False)
            self._thread.start()

    def rules(self) -> dict[str, Rule] | None:
        """A rule for each network, by its name; None while they are on their way.

        Raises:
            Exception: what the work failed with; begin() tries again.
        """
        if self._error is not None:
            raise self._error
        return self._rules

    def _run(self) -> None:
        try:
            features: dict[str, list[NDArray[np.float32]]] = {name: [] for name in self._networks}
            classes = []
            for known in self._chunks():
                for name, see in self._networks.items():
                    features[name].append(see(known.faces, known.emotions))
                classes.append(known.classes)
                self._seen += len(known.faces)
                if not threading.main_thread().is_alive():
                    return  # the program ends: a thread that is cut off within torch would abort it
            labels = np.concatenate(classes)
            self._rules = {name: fit(np.concatenate(rows), labels) for name, rows in features.items()}
        except Exception as error:  # told to whoever asks
            self._error = error
