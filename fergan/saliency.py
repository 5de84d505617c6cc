"""Where a classifier looked: class activation maps of any network whose maps shrink towards a head."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

FINEST, COARSEST = 4, 8
"""Maps are used whose side is a quarter to an eighth of the image's: 12x12 and 6x6 for a face of 48x48.

Of the judge's stages, alone and fused in twelve ways, on 244 faces: blurring the tenth to half of a face that
these two name takes most of the emotion's probability away (0.58 to 0.29 on average; any pixels at all 0.39;
the last maps, 3x3, no more than that), and leaving them alone keeps most. Finer maps do as well, in specks.
"""


class _Maps(TorchFunctionMode):
    """Keeps the last maps of each size that this thread computes, without a hook on a network that is shared."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.last: dict[int, Tensor] = {}
        self.first: dict[int, float] = {side: 0.0}
        """The pixel, on either axis, that the first value of a map of each size has in its middle.

        A 3x3 convolution with stride 2 looks at pixels 0, 2, 4, a pooling at 0.5, 2.5, 4.5: over four stages
        the difference grows to half a cell, 7.5 pixels of 48.
        """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.ndim == 4 and result.requires_grad:
            self._place(result.shape[-1], *args)
            self.last[result.shape[-1]] = result
        return result

    def _place(self, size: int, maps: Any = None, weight: Any = None, *rest: Any) -> None:
        """Of a convolution or a pooling, with its arguments in the order of torch.nn.functional."""
        before = maps.shape[-1] if isinstance(maps, Tensor) and maps.ndim == 4 else size
        if size >= before or before not in self.first:
            return
        middle = (before / size - 1) / 2  # a pooling has no weight, and nothing around the maps
        if isinstance(weight, Tensor):
            padding = rest[2] if len(rest) > 2 else 0
            middle = (weight.shape[-1] - 1) / 2 - (padding if isinstance(padding, int) else padding[-1])
        self.first[size] = self.first[before] + self.side / before * middle

    def spread(self, maps: Tensor) -> Tensor:
        """Maps [B, 1, h, h] of a stage -> [B, 1, side, side], smoothly, each value where it looked."""
        size = maps.shape[-1]
        pixels = torch.arange(self.side, device=maps.device) - self.first.get(
            size, (self.side / size - 1) / 2
        )
        places = 2 * pixels * (size / self.side) / max(1, size - 1) - 1
        grid = torch.stack(torch.meshgrid(places, places, indexing="xy"), dim=-1)
        grid = grid.expand(len(maps), -1, -1, -1)
        return F.grid_sample(maps, grid, mode="bicubic", padding_mode="border", align_corners=True)


def layercam(network: nn.Module, images: Tensor, emotions: Tensor) -> Tensor:
    """Images [B, C, H, W] in [-1, 1], labels int64 [B] -> where each emotion was seen, float32 [B, H, W] in [0, 1].

    LayerCAM (Jiang et al. 2021, equations 5 and 6): maps weighted pixel by pixel with the positive part of the
    logit's slope; here the mean over two stages. 1 is where an image speaks loudest for the emotion; a map of
    zeros says that nothing speaks for it, as of an emotion that the network does not know. The network stays
    as it is: no hook, no gradient in its parameters.

    Raises:
        ValueError: not one label for each image, or a network without maps of these sizes.
    """
    if emotions.shape != images.shape[:1]:
        raise ValueError(
            f"Each image needs a label; got {list(emotions.shape)} for {list(images.shape)} images."
        )
    side = images.shape[-1]
    with torch.inference_mode(False), torch.enable_grad(), _Maps(side) as maps:  # a caller may be in it
        logits = network(images.detach().clone().requires_grad_())
    stages = [maps.last[size] for size in sorted(maps.last) if side / COARSEST <= size <= side / FINEST]
    if not stages:
        raise ValueError(f"This network has no maps of {side // COARSEST} to {side // FINEST} pixels.")
    with torch.inference_mode(False), torch.enable_grad():
        asked = logits.gather(1, emotions[:, None].clone()).sum()
        slopes = torch.autograd.grad(asked, stages, allow_unused=True)
    total = torch.zeros_like(images[:, :1])
    for stage, slope in zip(stages, slopes, strict=True):
        if slope is not None:  # else these maps lie beside the path to the head
            seen = F.relu((F.relu(slope) * stage.detach()).sum(dim=1, keepdim=True))
            total = total + maps.spread(_peak_at_one(seen)).clamp_min(0)
    return _peak_at_one(total)[:, 0].float()


def _peak_at_one(maps: Tensor) -> Tensor:
    """Maps [B, 1, H, W] of at least 0 -> each divided by its maximum; zeros stay zeros."""
    peaks = maps.amax(dim=(2, 3), keepdim=True)
    return torch.where(peaks > 0, maps / peaks.clamp_min(torch.finfo(maps.dtype).tiny), 0.0)
