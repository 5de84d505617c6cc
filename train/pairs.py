"""Pairs of faces: one drawn person before and after, so that a translator is shown what it should do.

A conditional generator draws one noise with two emotions, as in StyleGAN2 distillation (Viazovetskyi et al. 2020,
arXiv 2003.03581): what a loss on classifiers can only ask for, such a pair has in every pixel.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fergan.emotions import EMOTIONS
from fergan.moments import Drawer
from train.processes import ALONE, Share

Read = Callable[[Tensor, Tensor], Tensor]
"""Images [B, C, H, W] and their labels [B, 7] -> what they show, [B, 7]."""


class Pair(NamedTuple):
    """Faces that show `source`, and the same people `intensity` of the way to `target`."""

    before: Tensor
    """[B, C, H, W] in [-1, 1]."""
    source: Tensor
    """[B, 7], as it is read."""
    target: Tensor
    """[B, 7], one emotion each."""
    intensity: Tensor
    """[B]."""
    after: Tensor
    """[B, C, H, W] in [-1, 1]."""
    trust: Tensor
    """[B] in [0, 1]: how far both faces are read as what they were drawn for; a generator errs too."""


class Pairs:
    """A frozen generator that draws people twice."""

    def __init__(
        self,
        network: nn.Module,
        noise_dim: int,
        labels: Sequence[int],
        truncation: float,
        device: torch.device,
    ) -> None:
        self.drawer = Drawer(network, noise_dim, device)
        self.rows = torch.eye(len(EMOTIONS))[list(labels)]
        self.truncation, self.device = truncation, device

    @torch.no_grad()
    def draw(
        self, count: int, partial: float, rng: torch.Generator, read: Read, share: Share = ALONE
    ) -> Pair:
        """So many pairs; a part `partial` of them goes only some of the way, to a blend.

        Of several processes each draws `count`, its share of those of all.
        """
        noise = share.draw(torch.randn, count, self.drawer.noise_dim, generator=rng).to(self.device)
        order = share.draw(torch.rand, count, len(self.rows), generator=rng).argsort(dim=1)  # never one twice
        start, target = (self.rows[order[:, place]].to(self.device) for place in (0, 1))
        part, amount = share.draw(torch.rand, 2, count, generator=rng, dim=1).to(self.device)
        intensity = torch.where(part < partial, amount, torch.ones_like(amount))
        asked = torch.lerp(start, target, intensity[:, None])
        before = self.drawer.faces(noise, start, self.truncation)
        after = self.drawer.faces(noise, asked, self.truncation)
        source = read(before, start)
        trust = _agreement(source, start) * _agreement(read(after, asked), asked)
        return Pair(before, source, target, intensity, lit_alike(after, before), trust)


def lit_alike(images: Tensor, others: Tensor) -> Tensor:
    """Images [B, C, H, W] with the mean and contrast of others: joy is no brighter than anger, its photos are."""
    dims = (1, 2, 3)
    deviation, mean = torch.std_mean(images, dim=dims, keepdim=True)
    wanted, level = torch.std_mean(others, dim=dims, keepdim=True)
    return ((images - mean) * (wanted / deviation.clamp(min=1e-3)) + level).clamp(-1, 1)


def _agreement(seen: Tensor, asked: Tensor) -> Tensor:
    """Rows [B, 7] -> [B]: 1 where all that is seen is of what was asked for."""
    return ((seen * asked).sum(dim=1) / asked.square().sum(dim=1)).clamp(max=1)
