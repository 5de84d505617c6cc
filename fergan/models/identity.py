"""Whether two faces are one person's: an embedder that learns from pairs of views and never saw an emotion's label.

Frozen, it is the yardstick of how much of a person a change of face leaves, and can be a loss (the row) for networks
that make such changes.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    """A thin residual network of three stages, at a half, a quarter and an eighth of the image's size."""

    image_size: int = 48
    channels: int = 1
    width: int = 32
    """Channels of the first stage; each stage has twice as many as the one before."""
    features: int = 128
    """Length of a row."""

    def __post_init__(self) -> None:
        if self.image_size < 16 or self.image_size % 8:
            raise ValueError(f"image_size must be a multiple of 8, 16 or more; got {self.image_size}.")
        if self.width < 1 or self.features < 2:
            raise ValueError(
                f"width must be 1 or more, features 2 or more; got {self.width} and {self.features}."
            )


class Block(nn.Module):
    """Two 3x3 convolutions behind norms, beside a shortcut (He et al. 2016, Identity Mappings, fig. 4e).

    Group norms (Wu & He 2018) take each face by itself: its row does not depend on its batch. They have one
    group, which is five times faster than eight on a CPU (bf16, channels last).
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(1, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm2 = nn.GroupNorm(1, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.stride = stride
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C', H / stride, W / stride]."""
        main = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
        short = F.avg_pool2d(x, self.stride) if self.stride > 1 else x  # every pixel gets a gradient
        return main + self.skip(short)


class Embedder(nn.Module):
    """images [B, C, H, W] in [-1, 1] -> unit rows, float32 [B, F]: the nearer two are, the more alike the people.

    The loss of its training reads the rows themselves. SimCLR's projection head would keep in the features what
    the views differ in, and that is to be lost here: light, place, a smile.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, base = config.width, config.image_size // 8
        self.stem = nn.Conv2d(4 * config.channels, width, 3, padding=1, bias=False)
        self.low = Block(width, width, 1)
        self.middle = nn.Sequential(Block(width, 2 * width, 2), Block(2 * width, 2 * width, 1))
        self.high = nn.Sequential(Block(2 * width, 4 * width, 2), Block(4 * width, 4 * width, 1))
        self.norm = nn.GroupNorm(1, 4 * width)
        self.row = nn.Linear(4 * width * base**2, config.features, bias=False)  # places matter in a face
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def maps(self, images: Tensor) -> list[Tensor]:
        """Images in [-1, 1] -> low [B, W, H/2, W/2] and middle [B, 2W, H/4, W/4] maps, for a perceptual loss.

        They are what the residual stream holds, below 0 too, in the precision of the pass; once trained they
        deviate by about 1 and 2. `embed` goes on from them, so that one pass serves a loss on both.
        """
        low = self.low(self.stem(F.pixel_unshuffle(images, 2)))
        return [low, self.middle(low)]

    def embed(self, maps: list[Tensor]) -> Tensor:
        """What `maps` gave -> unit rows, float32 [B, F]."""
        x = F.relu(self.norm(self.high(maps[-1])))
        return F.normalize(self.row(x.flatten(1)).float(), dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] -> unit rows, float32 [B, F]."""
        return self.embed(self.maps(images))
