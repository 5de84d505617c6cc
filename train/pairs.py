"""Pairs of faces: one drawn person before and after, so that a translator is shown what it should do.

A conditional generator draws one noise with two emotions, as in StyleGAN2 distillation (Viazovetskyi et al. 2020,
arXiv 2003.03581): what a loss on classifiers can only ask for, such a pair has in every pixel. They are drawn once,
before training: drawing and reading them takes longer than learning from them.
"""

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from fergan.emotions import EMOTIONS
from fergan.images import to_model, to_pixels
from fergan.moments import Drawer
from train.processes import ALONE, Share

Read = Callable[[Tensor, Tensor], Tensor]
"""Images [B, C, H, W] and their labels [B, 7] -> what they show, [B, 7]."""
BATCH = 128
TRIES = 8
"""Pairs that are drawn, at most, for each that is kept."""


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

    def rows(self, chosen: Tensor) -> "Pair":
        """Some of them: a bool mask [B] or an index."""
        return Pair(*(part[chosen] for part in self))


class Pairs:
    """People whom a generator drew twice, from each emotion to each other one as often, where it can."""

    def __init__(
        self,
        drawer: Drawer,
        labels: Sequence[int],
        truncation: float,
        *,
        count: int,
        partial: float,
        trusted: float,
        read: Read,
        seed: int = 0,
    ) -> None:
        """Draws `count` pairs of a trust of at least `trusted`; a part `partial` goes only some of the way, to a blend.

        Raises:
            ValueError: none that is read as what it was drawn for.
        """
        rng, ways = torch.Generator().manual_seed(seed), torch.tensor(list(permutations(labels, 2)))
        wanted = torch.full((len(ways),), -(-count // len(ways)))
        total, kept = int(wanted.sum()), list[Pair]()
        with tqdm(total=total, desc="drawing pairs", unit="pair", leave=False) as bar:
            for _ in range(TRIES * -(-total // BATCH)):
                if not wanted.any():
                    break
                asked = torch.multinomial(wanted.float(), BATCH, replacement=True, generator=rng)
                pair = _drawn(drawer, ways[asked], truncation, partial, rng, read)
                good = pair.trust.cpu() >= trusted
                # a good one is kept while its way wants more: how many of the same stand before it, and itself
                good &= ((asked[:, None] == asked).tril() & good).sum(1) <= wanted[asked]
                wanted -= asked[good].bincount(minlength=len(ways))
                kept.append(_stored(pair.rows(good.to(drawer.device))))
                bar.update(int(good.sum()))
        self.pairs = Pair(*map(torch.cat, zip(*kept, strict=True)))
        self.short = {
            f"{EMOTIONS[start]} to {EMOTIONS[end]}": left
            for (start, end), left in zip(ways.tolist(), wanted.tolist(), strict=True)
            if left
        }
        """Ways of which there are too few, and how many are missing."""
        if not len(self):
            raise ValueError(
                f"Of {TRIES * count:,} drawn pairs none is read as what it was drawn for: name another generator"
                " with --pairs, or another --teacher."
            )

    def __len__(self) -> int:
        return len(self.pairs.trust)

    def take(self, count: int, rng: torch.Generator, share: Share = ALONE) -> Pair:
        """So many of them at random, half of them mirrored; of several processes each takes its share of a draw."""
        chance = share.draw(torch.rand, 2, count, generator=rng, dim=1).to(self.pairs.trust.device)
        found = self.pairs.rows((chance[0] * len(self)).long())
        mirrored = (chance[1] < 0.5)[:, None, None, None]
        before, after = (
            to_model(torch.where(mirrored, faces.flip(-1), faces)) for faces in (found.before, found.after)
        )
        return found._replace(before=before, after=after)


@torch.no_grad()
def _drawn(
    drawer: Drawer, ways: Tensor, truncation: float, partial: float, rng: torch.Generator, read: Read
) -> Pair:
    """A pair for each way, labels [B, 2]."""
    noise = torch.randn(len(ways), drawer.noise_dim, generator=rng).to(drawer.device)
    start, target = torch.eye(len(EMOTIONS))[ways.T].to(drawer.device)
    part, amount = torch.rand(2, len(ways), generator=rng).to(drawer.device)
    intensity = torch.where(part < partial, amount, torch.ones_like(amount))
    asked = torch.lerp(start, target, intensity[:, None])
    before = drawer.faces(noise, start, truncation)
    after = lit_alike(drawer.faces(noise, asked, truncation), before)
    source = read(before, start)
    trust = _agreement(source, start) * _agreement(read(after, asked), asked)
    return Pair(before, source, target, intensity, after, trust)


def _stored(pair: Pair) -> Pair:
    """With bytes for pixels: a quarter of the room."""
    return pair._replace(before=to_pixels(pair.before), after=to_pixels(pair.after))


def lit_alike(images: Tensor, others: Tensor) -> Tensor:
    """Images [B, C, H, W] with the mean and contrast of others: joy is no brighter than anger, its photos are."""
    dims = (1, 2, 3)
    deviation, mean = torch.std_mean(images, dim=dims, keepdim=True)
    wanted, level = torch.std_mean(others, dim=dims, keepdim=True)
    return ((images - mean) * (wanted / deviation.clamp(min=1e-3)) + level).clamp(-1, 1)


def _agreement(seen: Tensor, asked: Tensor) -> Tensor:
    """Rows [B, 7] -> [B]: 1 where all that is seen is of what was asked for."""
    return ((seen * asked).sum(dim=1) / asked.square().sum(dim=1)).clamp(max=1)
