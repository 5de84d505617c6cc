"""Blocks that two or more models share, what every generator of faces is asked, what every discriminator answers."""

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fergan.emotions import EMOTIONS
from fergan.models.standing import StandingNorm

BASE_LEVELS = 3
"""Times that a fixed network halves its feature map, from image_size / patch down to its base."""


Norm = Literal["batch", "standing", "group"]
"""What Modulation normalises by."""


class Verdict(NamedTuple):
    """What a discriminator says of a batch of images."""

    realness: Tensor
    """[B] logits, higher for real; [B, P] of a network that judges patches."""
    emotion: Tensor | None = None
    """[B, 7] logits of the emotion, of the networks that classify."""


class FaceGenerator(nn.Module):
    """A generator of faces: noise [B, Z], emotion [B, 7] rows summing to 1 -> images [B, C, H, W] in [-1, 1].

    On the way a face is a latent: here the noise itself, of which only the direction is a person. Those whose latents are
    styles say so, and give their own.
    """

    coarse = 0
    """How many of a latent's first rows hold pose and shape, which another face may lend; 0: there are no styles."""

    def latent(self, noise: Tensor, emotion: Tensor, truncation: float = 1.0) -> Tensor:
        """What a face is drawn from, more typical the smaller the truncation in [0, 1]."""
        return truncation * noise

    def picture(self, latent: Tensor, emotion: Tensor) -> Tensor:
        """Latents with the emotions that they were made for -> images."""
        images: Tensor = self(latent, emotion)
        return images

    def settle(self) -> None:
        """Once its weights are what ships: takes the statistics that stand for them, where it has norms that know some."""

    def freeze(self) -> "FaceGenerator":
        """For a network that only draws, where it stays: faces are the same to the bit, and may come sooner."""
        return self


def base_size(image_size: int, patch: int) -> int:
    """The side of the smallest feature map: `image_size / (patch * 2**BASE_LEVELS)`.

    Raises:
        ValueError: the division leaves a rest, or there is no patch.
    """
    if patch < 1:
        raise ValueError(f"patch must be 1 or more, got {patch}.")
    divisor = patch * 2**BASE_LEVELS
    if image_size < divisor or image_size % divisor:
        raise ValueError(f"image_size must be a multiple of {divisor} (8 x patch {patch}), got {image_size}.")
    return image_size // divisor


def widths(width: int) -> tuple[int, int, int, int]:
    """Channels from the largest feature map to the base, doubling twice: width, 2, 4, 4 times it."""
    return width, 2 * width, 4 * width, 4 * width


def he_init(module: nn.Module) -> None:
    """He et al. 2015 for leaky ReLU: signals keep their size through the depth, without any norm."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, a=0.2)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Modulation(nn.Module):
    """Normalises, then scales and shifts each channel by a linear function of a style [B, S].

    `norm`: "batch" is the conditional batch norm of de Vries et al. 2017 (eq. 4, 5); "standing" the same for styles that
    are noise, by whose length it goes; "group" a group norm so modulated (Dhariwal & Nichol 2021, eq. AdaGN): each image
    stands alone, whatever else is in the batch.
    """

    def __init__(self, channels: int, style: int, *, norm: Norm, groups: int = 8) -> None:
        """`groups` of the group norm; on a CPU in bfloat16 one is five times faster than eight."""
        super().__init__()
        self.norm: nn.Module
        if norm == "standing":
            self.norm = StandingNorm(channels)
        elif norm == "batch":
            self.norm = nn.BatchNorm2d(channels, affine=False)
        else:
            self.norm = nn.GroupNorm(math.gcd(groups, channels), channels, affine=False)
        self.affine = nn.Linear(style, 2 * channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x [B, C, H, W], style [B, S] -> [B, C, H, W]."""
        scale, shift = self.affine(style)[:, :, None, None].chunk(2, dim=1)
        by_length = isinstance(self.norm, StandingNorm)
        x = self.norm(x, style.norm(dim=1) / math.sqrt(style.shape[1])) if by_length else self.norm(x)
        return torch.addcmul(shift, x, 1 + scale)


class UpBlock(nn.Module):
    """Residual block of two 3x3 convolutions that doubles the feature map; style in both norms."""

    def __init__(self, inputs: int, outputs: int, style: int, *, norm: Norm) -> None:
        super().__init__()
        self.norm1 = Modulation(inputs, style, norm=norm)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm2 = Modulation(outputs, style, norm=norm)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x [B, C, H, W], style [B, S] -> [B, C', 2H, 2W]."""
        main = F.interpolate(F.relu(self.norm1(x, style)), scale_factor=2.0, mode="nearest")
        main = self.conv2(F.relu(self.norm2(self.conv1(main), style)))
        return main + F.interpolate(self.skip(x), scale_factor=2.0, mode="nearest")


class Upsampler(nn.Module):
    """Style [B, S] -> images [B, C, H, W] in [-1, 1]: a 3x3 base, three UpBlocks, a sub-pixel output.

    The network stops at `image_size / patch` and a pixel shuffle (Shi et al. 2016, eq. 4) does the rest: the
    last doubling would cost more than all before it. A thin convolution at full size smooths the seams.
    """

    def __init__(
        self,
        style: int,
        width: int,
        image_size: int,
        channels: int,
        patch: int,
        *,
        norm: Norm,
    ) -> None:
        super().__init__()
        w24, w12, w6, w3 = widths(width)
        self.base = base_size(image_size, patch)
        self.input = nn.Linear(style, w3 * self.base**2)
        self.blocks = nn.ModuleList(
            UpBlock(i, o, style, norm=norm) for i, o in ((w3, w6), (w6, w12), (w12, w24))
        )
        self.norm = Modulation(w24, style, norm=norm)
        self.patch = patch
        self.to_patches = nn.Conv2d(w24, 16 * patch**2, 3, padding=1)
        self.to_image = nn.Conv2d(16, channels, 3, padding=1)
        he_init(self)
        with torch.no_grad():  # a patch begins as one colour (ICNR, Aitken et al. 2017): no checkerboard
            self.to_patches.weight.copy_(self.to_patches.weight[:: patch**2].repeat_interleave(patch**2, 0))
        for layer in self.modules():
            if isinstance(layer, Modulation):  # styles begin mild: scales near 1, shifts near 0
                nn.init.normal_(layer.affine.weight, std=0.3 / math.sqrt(style))

    def forward(self, style: Tensor) -> Tensor:
        """Style [B, S] -> images, float32 [B, C, H, W] in [-1, 1]."""
        x = self.input(style).unflatten(1, (-1, self.base, self.base))
        for block in self.blocks:
            x = block(x, style)
        x = F.pixel_shuffle(self.to_patches(F.relu(self.norm(x, style))), self.patch)
        return torch.tanh(self.to_image(F.leaky_relu(x, 0.2)).float())


class DownBlock(nn.Module):
    """Residual block of two 3x3 convolutions that halves the feature map; no norm, so R1 holds per image."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1)
        self.conv2 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C', H/2, W/2]."""
        main = self.conv1(F.leaky_relu(x, 0.2))
        main = self.conv2(F.avg_pool2d(F.leaky_relu(main, 0.2), 2))
        return (main + self.skip(F.avg_pool2d(x, 2))) * math.sqrt(0.5)


def minibatch_deviation(x: Tensor, group: int = 8) -> Tensor:
    """x [B, C, H, W] -> [B, C + 1, H, W]: one more channel with the mean deviation in a group of images.

    It lets the discriminator see a lack of variety (Karras et al. 2018, section 3). Where the batch is not a
    multiple of `group`, the largest common divisor is the group.
    """
    batch = x.shape[0]
    group = math.gcd(batch, group)
    split = x.float().reshape(group, batch // group, *x.shape[1:])
    deviation = (split.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    channel = deviation.repeat(group)[:, None, None, None].expand(batch, 1, *x.shape[2:])
    return torch.cat([x, channel.to(x.dtype)], dim=1)


class Trunk(nn.Module):
    """Images [B, C, H, W] -> features [B, 4 * width]: space to depth, three DownBlocks, batch deviation."""

    def __init__(self, width: int, image_size: int, channels: int, patch: int) -> None:
        super().__init__()
        w24, w12, w6, w3 = widths(width)
        base = base_size(image_size, patch)
        self.patch = patch
        self.from_patches = nn.Conv2d(channels * patch**2, w24, 3, padding=1)
        self.blocks = nn.ModuleList(DownBlock(i, o) for i, o in ((w24, w12), (w12, w6), (w6, w3)))
        self.conv = nn.Conv2d(w3 + 1, w3, 3, padding=1)
        self.output = nn.Linear(w3 * base**2, w3)
        he_init(self)

    def forward(self, images: Tensor) -> Tensor:
        """Images in [-1, 1] -> features [B, 4 * width]."""
        x = self.from_patches(F.pixel_unshuffle(images, self.patch))
        for block in self.blocks:
            x = block(x)
        x = self.conv(F.leaky_relu(minibatch_deviation(x), 0.2))
        return F.leaky_relu(self.output(F.leaky_relu(x, 0.2).flatten(1)), 0.2)


class ProjectionDiscriminator(nn.Module):
    """images [B, C, H, W], emotion [B, 7] -> realness of this image *with* this emotion, and a reading of it."""

    def __init__(self, width: int, image_size: int, channels: int, patch: int) -> None:
        super().__init__()
        self.trunk = Trunk(width, image_size, channels, patch)
        self.realness = nn.Linear(4 * width, 1)
        self.project = nn.Linear(len(EMOTIONS), 4 * width, bias=False)
        self.emotion = nn.Linear(4 * width, len(EMOTIONS))

    def forward(self, images: Tensor, emotion: Tensor) -> Verdict:
        """The projection of Miyato & Koyama 2018, eq. 3, and the class head of Odena et al. 2017 on one trunk."""
        features = self.trunk(images)
        agreement = (features * self.project(emotion)).sum(1) / math.sqrt(features.shape[1])
        return Verdict((self.realness(features)[:, 0] + agreement).float(), self.emotion(features).float())


def keras_init(module: nn.Module) -> None:
    """Keras' defaults, in which the published networks began: Glorot uniform weights, zero biases."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def embedding(size: int) -> nn.Linear:
    """Keras' `Embedding(7, size)` as a matrix, so that a blend of emotions is a blend of its rows."""
    return nn.Linear(len(EMOTIONS), size, bias=False)


def same_pad(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Pads as Keras' `padding="same"` does: what is uneven goes to the right and the bottom."""
    total = [max(kernel - (stride if side % stride == 0 else side % stride), 0) for side in x.shape[2:]]
    (top, bottom), (left, right) = ((t // 2, t - t // 2) for t in total)
    return F.pad(x, (left, right, top, bottom))
