"""StarGAN (Choi et al. 2018): a face in, the same face with another expression out.

Ours changes the face rather than drawing it anew: it bends the picture by a smooth flow and covers, through a
mask, what no bending can make (teeth, the white of an eye). At intensity 0 both are nothing.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fergan.emotions import EMOTIONS
from fergan.models.layers import Modulation, ProjectionDiscriminator, Verdict, base_size, he_init


@dataclass(frozen=True)
class Config:
    """Ours: flow, mask and content from one thin residual network."""

    image_size: int = 48
    channels: int = 1
    width: int = 64
    """Channels at half the image's size; at a quarter there are twice as many."""
    blocks: int = 5
    """Residual blocks at a quarter of the size."""
    style_dim: int = 64
    discriminator_width: int = 64
    patch: int = 2
    flow: bool = True
    """Whether the picture is bent before it is covered; without, all comes from mask and content."""
    reach: float = 0.15
    """The longest way that a point moves in one pass, as a share of the side."""
    passes: int = 1
    """How often the face goes through: each pass sees what the last one left, and mends it."""

    def __post_init__(self) -> None:
        base_size(self.image_size, self.patch)
        if self.passes < 1:
            raise ValueError(f"passes must be 1 or more, got {self.passes}.")
        if self.patch != 2:
            raise ValueError(f"patch must be 2, got {self.patch}.")


class Change(NamedTuple):
    """What is done to a face, at any resolution once it is enlarged."""

    flow: Tensor
    """[B, 2, H, W]: where each point's grey comes from, right and down, as a share of the side."""
    mask: Tensor
    """[B, 1, H, W] in [0, 1]: how much of a point is covered."""
    content: Tensor
    """[B, C, H, W] in [-1, 1]: what it is covered with."""

    def apply(self, images: Tensor) -> Tensor:
        """(1 - mask) * bent images + mask * content, [B, C, H, W]."""
        return torch.lerp(warp(images, self.flow), self.content, self.mask)

    def then(self, after: "Change") -> "Change":
        """Both as one: `after` is done to what this one leaves. Up to the warp's interpolation."""
        parts = torch.cat([self.flow, self.mask, self.mask * self.content], dim=1)
        flow, mask, covered = warp(parts, after.flow).split([2, 1, self.content.shape[1]], dim=1)
        free = 1 - after.mask
        mask, covered = after.mask + free * mask, after.mask * after.content + free * covered
        content = (covered / mask.clamp(min=1e-6)).clamp(-1, 1)  # where nothing is covered it does not matter
        return Change(after.flow + flow, mask, content)


def warp(images: Tensor, flow: Tensor) -> Tensor:
    """Images [B, C, H, W], flow [B, 2, H, W] as shares of the side -> images whose points came from x + flow.

    Spatial transformer (Jaderberg et al. 2015, eq. 3), bilinear; what comes from outside is the border.
    """
    down, right = (  # in float32 under autocast too, where affine_grid would round places to 0.1 of a pixel
        (2 * torch.arange(side, device=images.device) + 1) / side - 1 for side in images.shape[2:]
    )
    grid = torch.stack(torch.meshgrid(right, down, indexing="xy"), dim=-1)
    places = grid + 2 * flow.permute(0, 2, 3, 1)
    return F.grid_sample(images, places.to(images.dtype), padding_mode="border", align_corners=False)


def soften(x: Tensor) -> Tensor:
    """[B, C, H, W] through the binomial filter 1 2 1 both ways: a pattern of every other pixel vanishes.

    Such patterns read as any emotion to a network and as dirt to a person; a head that shuffles pixels finds
    them before it finds a smile (train/RESULTS.md).
    """
    return F.avg_pool2d(F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 2, 1), 2, 1)


class StyledBlock(nn.Module):
    """Residual block of two 3x3 convolutions whose norms a style scales and shifts (AdaIN, Huang & Belongie 2017)."""

    def __init__(self, channels: int, style: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = (Modulation(channels, style, norm="group", groups=1) for _ in range(2))
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x [B, C, H, W], style [B, S] -> [B, C, H, W]."""
        main = self.conv1(F.leaky_relu(self.norm1(x, style), 0.2))
        return x + self.conv2(F.leaky_relu(self.norm2(main, style), 0.2))


class Generator(nn.Module):
    """images [B, C, H, W], source and target emotion [B, 7], intensity [B] -> images [B, C, H, W] in [-1, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, patch = config.width, config.patch
        self.patch, self.reach, self.bends, self.passes = patch, config.reach, config.flow, config.passes
        self.from_patches = nn.Conv2d(config.channels * patch**2, width, 3, padding=1)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.embed = nn.Linear(len(EMOTIONS), config.style_dim, bias=False)
        self.blocks = nn.ModuleList(StyledBlock(2 * width, config.style_dim) for _ in range(config.blocks))
        self.up = nn.Conv2d(2 * width, width, 3, padding=1)
        self.join = nn.Conv2d(2 * width, width, 3, padding=1)
        he_init(self)
        nn.init.normal_(self.embed.weight)
        self.to_flow = nn.Conv2d(width, 2, 3, padding=1)
        self.to_mask = nn.Conv2d(width, patch**2, 3, padding=1)
        self.to_content = nn.Conv2d(width, config.channels * patch**2, 3, padding=1)
        for parameter in (p for head in self._heads() for p in head.parameters()):
            nn.init.zeros_(parameter)  # training starts at the face itself

    def _heads(self) -> tuple[nn.Module, ...]:
        return self.to_flow, self.to_mask, self.to_content

    def change(self, images: Tensor, source: Tensor, target: Tensor, intensity: Tensor) -> Change:
        """What would be done, by all passes together.

        It fades to nothing with intensity * (target - source), which is all that each pass is told. Half of the
        sum of its sizes, at most 1, is the share of another expression that is asked for: flow and mask are
        multiplied by it.
        """
        delta = intensity[:, None] * (target - source)
        share = (delta.abs().sum(1) / 2).clamp(max=1)[:, None, None, None]
        style = self.embed(delta)
        change = self._pass(images, style, share)
        for _ in range(self.passes - 1):
            change = change.then(self._pass(change.apply(images), style, share))
        return change

    def _pass(self, images: Tensor, style: Tensor, share: Tensor) -> Change:
        """One pass over images [B, C, H, W], style [B, S], share [B, 1, 1, 1]."""
        large = F.leaky_relu(self.from_patches(F.pixel_unshuffle(images, self.patch)), 0.2)
        x = self.down(large)
        for block in self.blocks:
            x = block(x, style)
        x = F.interpolate(F.leaky_relu(self.up(x), 0.2), scale_factor=2.0, mode="nearest")
        x = F.leaky_relu(self.join(torch.cat([x, large], dim=1)), 0.2)
        content = images + 2 * torch.tanh(soften(F.pixel_shuffle(self.to_content(x), self.patch).float()))
        content = content.clamp(-1, 1)
        mask = share * torch.sigmoid(soften(F.pixel_shuffle(self.to_mask(x), self.patch).float()) - 3)
        size = images.shape[2:]
        if not self.bends:
            return Change(images.new_zeros(images.shape[0], 2, *size), mask, content)
        # half the size is fine enough for a smile, and two averages make it smooth
        flow = F.avg_pool2d(torch.tanh(self.to_flow(x).float()), 3, stride=1, padding=1)
        flow = F.interpolate(flow, size=size, mode="bicubic", align_corners=False).clamp(-1, 1)
        return Change(self.reach * share * flow, mask, content)

    def forward(self, images: Tensor, source: Tensor, target: Tensor, intensity: Tensor) -> Tensor:
        """Intensity [B] in [0, 1] or a little above; 0 gives the images themselves, bit for bit."""
        drawn = self.change(images, source, target, intensity).apply(images)
        return torch.where(intensity[:, None, None, None] == 0, images, drawn)


class Discriminator(ProjectionDiscriminator):
    """images [B, C, H, W], emotion [B, 7] -> realness with that emotion, and a reading of the emotion."""

    def __init__(self, config: Config) -> None:
        super().__init__(config.discriminator_width, config.image_size, config.channels, config.patch)


@dataclass(frozen=True)
class PublishedConfig:
    """The paper's network at 48x48; its discriminator has 4 layers: the 6 of the public code need 128 pixels."""

    image_size: int = 48
    channels: int = 1
    width: int = 64
    blocks: int = 6
    layers: int = 4

    def __post_init__(self) -> None:
        if self.image_size % 2**self.layers or self.image_size % 8:
            raise ValueError(
                f"image_size must be a multiple of {max(8, 2**self.layers)}, got {self.image_size}."
            )


class PublishedNorm(nn.InstanceNorm2d):
    """Keeps running statistics and never asks them: the public code samples without having called eval()."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True, track_running_stats=True)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W], each face's channels by their own mean and deviation."""
        kept = (self.running_mean, self.running_var) if self.training else (None, None)
        return F.instance_norm(x, *kept, self.weight, self.bias, True, self.momentum or 0.0, self.eps)


class PublishedBlock(nn.Module):
    """Two 3x3 convolutions with instance norm beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = PublishedNorm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = PublishedNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C, H, W]."""
        return x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))


class PublishedGenerator(nn.Module):
    """images [B, C, H, W], emotions [B, 7], intensity [B] -> images: Choi et al. 2018, table 4.

    The target's weights are maps beside the image; the source is not asked for. The paper knows no intensity:
    here it fades from the image to the translation.
    """

    def __init__(self, config: PublishedConfig) -> None:
        super().__init__()
        width = config.width
        self.conv_in = nn.Conv2d(config.channels + len(EMOTIONS), width, 7, padding=3, bias=False)
        self.norm_in = PublishedNorm(width)
        self.downs = nn.ModuleList(
            nn.Conv2d(width * 2**i, width * 2 ** (i + 1), 4, stride=2, padding=1, bias=False)
            for i in range(2)
        )
        self.down_norms = nn.ModuleList(PublishedNorm(width * 2 ** (i + 1)) for i in range(2))
        self.blocks = nn.Sequential(*(PublishedBlock(4 * width) for _ in range(config.blocks)))
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(width * 2**i, width * 2 ** (i - 1), 4, stride=2, padding=1, bias=False)
            for i in (2, 1)
        )
        self.up_norms = nn.ModuleList(PublishedNorm(width * 2 ** (i - 1)) for i in (2, 1))
        self.conv_out = nn.Conv2d(width, config.channels, 7, padding=3, bias=False)

    def forward(self, images: Tensor, source: Tensor, target: Tensor, intensity: Tensor) -> Tensor:
        """Intensity 0 gives the images themselves, bit for bit."""
        maps = target[:, :, None, None].expand(-1, -1, *images.shape[2:])
        x = F.relu(self.norm_in(self.conv_in(torch.cat([images, maps], dim=1))))
        for conv, norm in zip(self.downs, self.down_norms, strict=True):
            x = F.relu(norm(conv(x)))
        x = self.blocks(x)
        for conv, norm in zip(self.ups, self.up_norms, strict=True):
            x = F.relu(norm(conv(x)))
        share = intensity[:, None, None, None]
        drawn = torch.lerp(images, torch.tanh(self.conv_out(x).float()), share).clamp(-1, 1)
        return torch.where(share == 0, images, drawn)


class PublishedDiscriminator(nn.Module):
    """images [B, C, H, W] -> realness of patches [B, P], and the logits of the emotion: table 5 of the paper."""

    def __init__(self, config: PublishedConfig) -> None:
        super().__init__()
        sizes = [config.channels, *(config.width * 2**i for i in range(config.layers))]
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 4, stride=2, padding=1) for i, o in pairwise(sizes))
        self.realness = nn.Conv2d(sizes[-1], 1, 3, padding=1, bias=False)
        self.emotion = nn.Conv2d(sizes[-1], len(EMOTIONS), config.image_size // 2**config.layers, bias=False)

    def forward(self, images: Tensor, emotion: Tensor) -> Verdict:
        """The emotion asked for is not used: this discriminator names the one that it sees."""
        x = images
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.01)
        return Verdict(self.realness(x).flatten(1).float(), self.emotion(x).flatten(1).float())
