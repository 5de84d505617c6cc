"""Moments: everything that one face is drawn from, and the ways between them. What generators are asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import index
from typing import SupportsFloat, SupportsIndex

import torch
from torch import Tensor

from fergan import emotions
from fergan.models import draw_noise
from fergan.models.layers import FaceGenerator

LAST_SEED = 2**32 - 1
"""Seeds run from 0 to this."""

VARIETY = 0.7
"""The truncation that a page opens with: most faces are whole there, and people still differ. Measured at 1."""

TYPICAL = 0.5
"""The truncation of faces to try a tab with: all are whole."""


@dataclass(frozen=True)
class Moment:
    """One face: a blend of emotions, a seed, how typical, and whose pose and shape."""

    emotion: tuple[float, ...]
    """Seven weights, at least 0; normalised here to a sum of 1."""
    seed: int
    truncation: float = 1.0
    """In [0, 1]: towards the most typical face of the emotion, or of the model where it has no styles."""
    coarse_seed: int | None = None
    """Another face's pose and shape (style mixing), of a model with styles."""

    def __post_init__(self) -> None:
        """Checks and normalises.

        Raises:
            ValueError: weights, seeds or a truncation out of range.
        """
        try:
            weights = [float(weight) for weight in self.emotion]
            row = emotions.normalize(torch.tensor(weights))
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"Emotion weights: {error}") from error
        object.__setattr__(self, "emotion", tuple(row.tolist()))
        object.__setattr__(self, "seed", _seed(self.seed))
        if self.coarse_seed is not None:
            object.__setattr__(self, "coarse_seed", _seed(self.coarse_seed))
        object.__setattr__(self, "truncation", _share(self.truncation))


def _seed(value: SupportsIndex) -> int:
    """A seed as Python's int, of which a generator can be made; NumPy's come in too."""
    try:
        seed = index(value)
    except TypeError:
        seed = -1
    if not 0 <= seed <= LAST_SEED:
        raise ValueError(f"A seed is a whole number from 0 to {LAST_SEED}; got {value!r}.")
    return seed


def _share(value: SupportsFloat) -> float:
    """A truncation as Python's float."""
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"Truncation runs from 0 to 1; got {value!r}.")
    return share


@dataclass(frozen=True)
class Drawer:
    """A generator, with what it takes to ask it for moments."""

    network: FaceGenerator
    noise_dim: int
    device: torch.device

    def face(self, moment: Moment) -> Tensor:
        """One image, [1, C, H, W].

        Raises:
            ValueError: a coarse seed for a network without styles.
        """
        return self.network.picture(*self._latent(moment))

    def faces(self, noise: Tensor, rows: Tensor, truncation: float) -> Tensor:
        """Noise [B, Z], rows of emotion [B, 7] -> images [B, C, H, W] in one pass.

        For training: the last bits of a face depend on its batch.
        """
        return self.network.picture(self.network.latent(noise, rows, truncation), rows)

    def walk(self, moments: Sequence[Moment], steps: int, *, loop: bool) -> Iterator[Tensor]:
        """Images [1, C, H, W] from moment to moment, `steps` a leg; then the last one, or the leg to the first.

        Straight in styles, where lines are smooth changes; round the sphere in noise, where they would pass
        through lengths that training never saw (White 2016, section 2.1). Steps ease in and out.
        """
        ends = [self._latent(moment) for moment in moments]
        between = torch.lerp if self.network.coarse else slerp
        legs = list(zip(ends, ends[1:] + ends[:1], strict=True))
        for (start, start_row), (end, end_row) in legs if loop else legs[:-1]:
            for step in range(steps):
                share = step / steps
                share = share * share * (3 - 2 * share)
                yield self.network.picture(between(start, end, share), torch.lerp(start_row, end_row, share))
        if not loop:
            yield self.network.picture(*ends[-1])

    def _latent(self, moment: Moment) -> tuple[Tensor, Tensor]:
        """What the network draws from, and the emotion [1, 7]."""
        row = torch.tensor([moment.emotion], device=self.device)
        latent = self._of(moment.seed, row, moment.truncation)
        if moment.coarse_seed is not None:
            if not (coarse := self.network.coarse):
                raise ValueError("This model has no styles: it cannot take the shape of another face.")
            other = self._of(moment.coarse_seed, row, moment.truncation)
            latent = torch.cat([other[:, :coarse], latent[:, coarse:]], dim=1)
        return latent, row

    def _of(self, seed: int, row: Tensor, truncation: float) -> Tensor:
        return self.network.latent(draw_noise([seed], self.noise_dim).to(self.device), row, truncation)


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Rows [B, Z] -> the point at `share` of the arc between them; lengths change evenly (Shoemake 1985)."""
    a, b = (torch.nn.functional.normalize(point, dim=1) for point in (start, end))
    angle = torch.acos((a * b).sum(1, keepdim=True).clamp(-1, 1))
    from_length, to_length = (point.norm(dim=1, keepdim=True) for point in (start, end))
    direction = (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)
    round_the_sphere = torch.lerp(from_length, to_length, share) * direction
    least = torch.minimum(angle, torch.minimum(from_length, to_length))  # one direction, or none at all
    return torch.where(least < 1e-3, torch.lerp(start, end, share), round_the_sphere)
