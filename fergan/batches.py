"""Balanced batches of real faces: an index, a flip, a cast."""

import torch
from torch import Tensor

from fergan.data import Faces
from fergan.images import to_model


class Sampler:
    """Draws rows with replacement, P(class) proportional to count ** power, rows of a class alike.

    Power 0.5 balances by the square root of frequency; 1 is uniform over rows, 0 over classes present.
    """

    def __init__(self, labels: Tensor, seed: int, power: float = 0.5) -> None:
        if len(labels) == 0:
            raise ValueError("There is no face to draw from: the split is empty.")
        labels = labels.cpu()
        self.generator = torch.Generator().manual_seed(int(seed))
        self._rows = labels.argsort(stable=True)
        counts = labels.bincount()
        self._counts = counts[counts > 0]
        self._starts = self._counts.cumsum(0) - self._counts
        weights = self._counts.double() ** power
        self._edges = (weights.cumsum(0) / weights.sum())[:-1]

    def draw(self, n: int) -> Tensor:
        """Rows, int64 [n], on the CPU."""
        chance, place = torch.rand(2, n, generator=self.generator, dtype=torch.float64)
        kind = torch.searchsorted(self._edges, chance, right=True)
        return self._rows[self._starts[kind] + (place * self._counts[kind]).long()]

    def state(self) -> Tensor:
        """The generator's state, uint8."""
        return self.generator.get_state()

    def load_state(self, state: Tensor) -> None:
        """Goes on from where `state()` was taken."""
        self.generator.set_state(state.cpu())


class Batches:
    """Endless batches of real faces with their emotion, and emotions for fakes, on the faces' device.

    Args:
        faces: what to draw from, often `load(...).split("Training").to(device)`.
        conditions: float32 [N, 7], a row for each face; or [K, N, 7], of which a draw takes one of K. Rows may have
            more columns: then so has what a batch gives.
        batch: faces in a batch.
        seed: of the one CPU generator behind rows, flips and emotions for fakes.
        power: see Sampler.
        flip: mirror half of the faces.
        fake_power: as `power`, for `draw_emotion`; None is the same as `power`.
    """

    def __init__(
        self,
        faces: Faces,
        conditions: Tensor,
        batch: int,
        seed: int,
        power: float = 0.5,
        flip: bool = True,
        fake_power: float | None = None,
    ) -> None:
        if conditions.shape[-2] != len(faces) or batch < 1:
            raise ValueError(
                f"A batch needs a face and a condition for each; got {len(faces)} faces,"
                f" {conditions.shape[-2]} conditions, a batch of {batch}."
            )
        self.images = faces.images
        self.conditions = conditions.to(faces.images.device)
        self.batch, self.flip = batch, flip
        self._reals = Sampler(faces.labels, seed, power)
        self._fakes = Sampler(faces.labels, seed, power if fake_power is None else fake_power)
        self._fakes.generator = self._reals.generator  # one state resumes both

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        """Images, float32 [B, C, H, W] in [-1, 1], and emotion [B, 7]."""
        rows = self._reals.draw(self.batch).to(self.images.device, non_blocking=True)
        images = self.images[rows]
        if self.flip:
            mirrored = torch.rand(self.batch, 1, 1, 1, generator=self._reals.generator) < 0.5
            images = torch.where(mirrored.to(images.device, non_blocking=True), images.flip(-1), images)
        return to_model(images), self._emotion(rows)

    def draw_emotion(self, n: int) -> Tensor:
        """Emotions for n fakes, float32 [n, 7]: those of real faces drawn with `fake_power`."""
        return self._emotion(self._fakes.draw(n).to(self.conditions.device, non_blocking=True))

    def _emotion(self, rows: Tensor) -> Tensor:
        if self.conditions.ndim == 2:
            return self.conditions[rows]
        which = torch.randint(len(self.conditions), (len(rows),), generator=self._reals.generator)
        return self.conditions[which.to(rows.device, non_blocking=True), rows]

    def state(self) -> Tensor:
        """The generator's state, uint8: with it the next batches repeat bit for bit."""
        return self._reals.state()

    def load_state(self, state: Tensor) -> None:
        """Goes on from where `state()` was taken."""
        self._reals.load_state(state)
