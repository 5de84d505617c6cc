"""Pairs of faces: one person before and after, so that a translator is shown what it should do.

A conditional generator draws one noise with two emotions, as in StyleGAN2 distillation (Viazovetskyi et al. 2020,
arXiv 2003.03581), or another translator, slower than the one that learns, changes photos: what a loss on classifiers
can only ask for, such a pair has in every pixel. They are made once, before training: that takes longer than learning
from them.
"""

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from fergan.data import Faces
from fergan.emotions import EMOTIONS
from fergan.images import to_model, to_pixels
from fergan.moments import Drawer
from train.processes import ALONE, Share

Read = Callable[[Tensor, Tensor], Tensor]
"""Images [B, C, H, W] and their labels [B, 7] -> what they show, [B, 7]."""
BATCH = 128
TRIES = 8
"""Pairs that are made, at most, for each that is kept."""


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
    """[B] in [0, 1]: how far both faces are read as what they were made for; their source errs, too."""

    def rows(self, chosen: Tensor) -> "Pair":
        """Some of them: a bool mask [B] or an index."""
        return Pair(*(part[chosen] for part in self))


class Source(Protocol):
    """Where pairs come from."""

    @property
    def device(self) -> torch.device:
        """Where they lie."""

    def two(
        self, start: Tensor, target: Tensor, intensity: Tensor, read: Read, rng: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One person each, [B, C, H, W], who shows `start` [B, 7]; how that is read; the same, so far to `target`."""


class Drawn(NamedTuple):
    """People whom a generator draws twice."""

    drawer: Drawer
    truncation: float

    @property
    def device(self) -> torch.device:
        """The generator's."""
        return self.drawer.device

    def two(
        self, start: Tensor, target: Tensor, intensity: Tensor, read: Read, rng: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One noise with two emotions. The second face is lit as the first."""
        noise = torch.randn(len(start), self.drawer.noise_dim, generator=rng).to(self.device)
        before = self.drawer.faces(noise, start, self.truncation)
        asked = torch.lerp(start, target, intensity[:, None])
        after = lit_alike(self.drawer.faces(noise, asked, self.truncation), before)
        return before, read(before, start), after


class Changed(NamedTuple):
    """Photos, and what a translator makes of them."""

    faces: Faces
    translator: nn.Module
    device: torch.device
    precision: torch.dtype = torch.float32
    """bfloat16 is three times faster where the machine multiplies it."""

    def two(
        self, start: Tensor, target: Tensor, intensity: Tensor, read: Read, rng: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A photo that people named so, and the same changed."""
        named = start.argmax(dim=1).cpu()
        fit = (self.faces.labels == named[:, None]).float()
        images = self.faces.images[torch.multinomial(fit, 1, generator=rng)[:, 0]]
        before = to_model(images.to(self.device)).contiguous(memory_format=torch.channels_last)
        seen = read(before, start)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16):
            after = self.translator(before, seen, target, intensity)
        return before, seen, after


class Pairs:
    """People before and after, from each emotion to each other one as often, where their source can."""

    def __init__(
        self,
        source: Source,
        labels: Sequence[int],
        *,
        count: int,
        partial: float,
        trusted: float,
        read: Read,
        seed: int = 0,
    ) -> None:
        """Makes `count` pairs of a trust of at least `trusted`; a part `partial` goes only some of the way, to a blend.

        Raises:
            ValueError: none that is read as what it was made for.
        """
        rng, ways = torch.Generator().manual_seed(seed), torch.tensor(list(permutations(labels, 2)))
        wanted = torch.full((len(ways),), -(-count // len(ways)))
        total, kept = int(wanted.sum()), list[Pair]()
        with tqdm(total=total, desc="making pairs", unit="pair", leave=False) as bar:
            for _ in range(TRIES * -(-total // BATCH)):
                if not wanted.any():
                    break
                asked = torch.multinomial(wanted.float(), BATCH, replacement=True, generator=rng)
                pair = _made(source, ways[asked], partial, rng, read)
                good = pair.trust.cpu() >= trusted
                # a good one is kept while its way wants more: how many of the same stand before it, and itself
                good &= ((asked[:, None] == asked).tril() & good).sum(1) <= wanted[asked]
                wanted -= asked[good].bincount(minlength=len(ways))
                kept.append(_stored(pair.rows(good.to(source.device))))
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
                f"Of {TRIES * count:,} pairs none is read as what it was made for: name another model"
                " with --pairs, or another --teacher."
            )

    def __len__(self) -> int:
        return len(self.pairs.trust)

    def take(self, count: int, rng: torch.Generator, share: Share = ALONE) -> Pair:
        """So many of them at random, half of them mirrored; of several processes each takes its share of a draw."""
        chance = share.draw(torch.rand, 2, count, generator=rng, dim=1)
        chance = chance.to(self.pairs.trust.device, non_blocking=True)
        found = self.pairs.rows((chance[0] * len(self)).long())
        mirrored = (chance[1] < 0.5)[:, None, None, None]
        before, after = (
            to_model(torch.where(mirrored, faces.flip(-1), faces)) for faces in (found.before, found.after)
        )
        return found._replace(before=before, after=after)


@torch.no_grad()
def _made(source: Source, ways: Tensor, partial: float, rng: torch.Generator, read: Read) -> Pair:
    """A pair for each way, labels [B, 2]."""
    start, target = torch.eye(len(EMOTIONS))[ways.T].to(source.device)
    part, amount = torch.rand(2, len(ways), generator=rng).to(source.device)
    intensity = torch.where(part < partial, amount, torch.ones_like(amount))
    before, seen, after = source.two(start, target, intensity, read, rng)
    asked = torch.lerp(start, target, intensity[:, None])
    trust = _agreement(seen, start) * _agreement(read(after, asked), asked)
    return Pair(before, seen, target, intensity, after, trust)


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
