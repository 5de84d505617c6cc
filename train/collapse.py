"""Mode collapse, seen while it happens: what a batch of drawn faces shows, and a sentence when it shows too little."""

from collections import deque

import torch
from torch import Tensor

SAME = 0.5
"""A drawn face is another's twin where it is nearer to it than this share of what real faces keep."""
LEAST = 0.5
"""Diversity below which faces collapse; 1 is that of real ones."""
MOST = 0.25
"""Share of twins above which faces collapse."""
WINDOW = 5
"""Readings that must agree: one batch may be unlucky."""
YOUNG = 20_000
"""Images that a run may take until its faces differ at all: it starts with one grey face."""


def signs(real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """Real and drawn faces of a step, [B, C, H, W] each -> `diversity` and `twins`, scalars on their device.

    `diversity`: mean distance of two drawn faces, pixel by pixel, over that of two real ones. `twins`: share of
    drawn faces nearer to another than SAME times the median distance of a real face to its nearest, the count of
    duplicates that Arora & Zhang 2018 take for a small support. Nothing waits for a GPU.
    """
    (theirs, kept), (ours, nearest) = _spread(real), _spread(fake)
    twins = nearest < SAME * kept.median()
    return {"diversity": ours / theirs.clamp_min(1e-6), "twins": twins.float().mean()}


def _spread(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean distance of two images, and each one's to its nearest, [B]."""
    rows = images.detach().flatten(1).float()
    apart = torch.cdist(rows, rows)
    count = len(rows)
    others = apart.masked_fill(torch.eye(count, dtype=torch.bool, device=apart.device), torch.inf)
    return apart.sum() / (count * (count - 1)), others.amin(dim=1)


class Watch:
    """Looks at the readings of a run and says once when its faces collapse, and once when they are well again."""

    def __init__(self) -> None:
        self.collapsed_at: int | None = None
        """Images seen when the faces first collapsed; None where they never did."""
        self._down, self._well = False, False
        self._last: deque[tuple[float, float]] = deque(maxlen=WINDOW)

    def look(self, seen: int, values: dict[str, float]) -> str | None:
        """One reading, means of `signs` by name, at `seen` images; a sentence where there is something to say."""
        if "diversity" not in values:
            return None
        self._last.append((values["diversity"], values["twins"]))
        few = [variety < LEAST or twins > MOST for variety, twins in self._last]
        self._well = self._well or (len(few) == WINDOW and not any(few))
        if not self._down and len(few) == WINDOW and all(few) and (self._well or seen >= YOUNG):
            self._down = True
            self.collapsed_at = seen if self.collapsed_at is None else self.collapsed_at
            return (
                f"The faces collapse: at {seen:,} images they differ {values['diversity']:.2f} times as much as real"
                f" ones, and {values['twins']:.0%} have a twin in their batch; go back to an earlier checkpoint, or"
                " raise the penalty (gamma) or the augmentation."
            )
        if self._down and not any(few):
            self._down = False
            return f"The faces differ again: at {seen:,} images {values['diversity']:.2f} times as much as real ones."
        return None
