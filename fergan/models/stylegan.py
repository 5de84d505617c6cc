"""StyleGAN2 in small (Karras et al. 2020) for 48x48 faces: a style bends one constant, layer by layer.

Noise and emotion give a style w; the synthesis network starts from a constant 3x3 map and doubles it thrice.
The emotion is a row of seven weights through a linear layer, so a blend is as good a condition as one emotion.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fergan.emotions import EMOTIONS
from fergan.models.layers import FaceGenerator, ProjectionDiscriminator, base_size, he_init, widths

LAYERS = 8
"""Layers that take a style: one at the base, two for each doubling, the output."""
COARSE = 3
"""Layers, from the base on, that draw the pose and the shape of the head: those up to 6x6."""

CONV_STD = 0.2
"""Of a styled convolution's first weights. Their length is normalised away, so all that it sets is how fast they
learn: at a learning rate of 5e-4 by a quarter of a percent a step, as in StyleGAN2. At He's 0.03 a step is eight
times that, and within some ten thousand images the picture runs away (train/RESULTS.md)."""
MAPPING_RATE, AFFINE_RATE = 0.05, 0.25
"""Of the mapping network, and of what turns a style into scales, in learning rates of the convolutions."""

GAIN = math.sqrt(2)
"""Makes up for what leaky ReLU takes away; put before it, where it costs nothing: f(a x) = a f(x)."""


@dataclass(frozen=True)
class Config:
    """Ours; published StyleGAN2 has twice the widths, eight mapping layers and no patches."""

    image_size: int = 48
    channels: int = 1
    noise_dim: int = 128
    style_dim: int = 128
    mapping_layers: int = 2
    """As NVIDIA's preset for small images (stylegan2-ada, cifar)."""
    width: int = 64
    """Channels of the largest feature map; the smallest has four times as many."""
    discriminator_width: int = 64
    patch: int = 2
    """Side of the square of pixels that one position of the largest feature map draws."""
    noise_inputs: bool = False
    """Whether each layer adds noise to its map: fine detail that no seed chooses."""

    def __post_init__(self) -> None:
        base_size(self.image_size, self.patch)
        if self.mapping_layers < 1:
            raise ValueError(f"mapping_layers must be 1 or more, got {self.mapping_layers}.")


class SlowLinear(nn.Linear):
    """A linear layer whose weights are kept `1 / rate` times as large: an optimizer's step counts `rate` as much.

    Equalised learning rate (Karras et al. 2018, section 4.1), of which a mapping network gets a small share
    (Karras et al. 2019, appendix C).
    """

    def __init__(self, inputs: int, outputs: int, rate: float, std: float, bias: float = 0.0) -> None:
        super().__init__(inputs, outputs)
        self.rate = rate
        nn.init.normal_(self.weight, std=std / rate)
        nn.init.constant_(self.bias, bias / rate)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, inputs] -> [B, outputs]."""
        return F.linear(x, self.rate * self.weight, self.rate * self.bias)


class Mapping(nn.Module):
    """noise [B, Z], emotion [B, 7] -> style w [B, S]: where directions mean something."""

    bank: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embed = nn.Linear(len(EMOTIONS), config.style_dim)
        sizes = [config.noise_dim + config.style_dim] + [config.style_dim] * config.mapping_layers
        self.layers = nn.ModuleList(
            SlowLinear(i, o, MAPPING_RATE, math.sqrt(2 / (1.04 * i))) for i, o in pairwise(sizes)
        )
        nn.init.normal_(self.embed.weight)
        nn.init.zeros_(self.embed.bias)
        fixed = torch.Generator().manual_seed(0)
        self.register_buffer("bank", torch.randn(512, config.noise_dim, generator=fixed), persistent=False)

    def forward(self, noise: Tensor, emotion: Tensor) -> Tensor:
        """The noise is put on its sphere first: its length says nothing (Karras et al. 2019, appendix C)."""
        noise = F.normalize(noise, dim=1) * math.sqrt(noise.shape[1])
        x = torch.cat([noise, self.embed(emotion)], dim=1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        return x

    def typical(self, emotion: Tensor) -> Tensor:
        """Emotion [B, 7] -> the mean style [B, S] of faces that show it: what truncation goes towards."""
        return torch.stack([self(self.bank, row.expand(len(self.bank), -1)).mean(0) for row in emotion])


class StyledConv(nn.Module):
    """A 3x3 convolution that a style scales, channel by channel: Karras et al. 2020, eq. 1 and 3.

    The maps are scaled before it and normalised after it, which is the same as scaling its weights for each
    face but needs no grouped convolution.
    """

    noise: Tensor
    energy: Tensor | None = None
    """[outputs, inputs]: sums of squares of the weights, where they do not change any more."""

    def __init__(self, inputs: int, outputs: int, style: int, side: int, *, up: bool, noise: bool) -> None:
        super().__init__()
        self.up = up
        self.affine = SlowLinear(style, inputs, AFFINE_RATE, 0.5 / math.sqrt(style), bias=1.0)
        self.weight = nn.Parameter(CONV_STD * torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        if noise:
            self.strength = nn.Parameter(torch.zeros(()))
            fixed = torch.Generator().manual_seed(side + up)
            self.register_buffer("noise", torch.randn(1, 1, side, side, generator=fixed), persistent=False)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x [B, C, H, W], style [B, S] -> [B, C', H, W], or twice the size with `up`."""
        scale = self.affine(style)
        x = x * scale[:, :, None, None].to(x.dtype)
        if self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        x = F.conv2d(x, self.weight, padding=1)
        with torch.autocast(x.device.type, enabled=False):  # sums of squares need float32
            energy = self._energy() if self.energy is None else self.energy
            gain = GAIN * (scale.float().square() @ energy.T + 1e-8).rsqrt()
            bias = GAIN * self.bias.float()[:, None, None]
        x = torch.addcmul(bias.to(x.dtype), x, gain[:, :, None, None].to(x.dtype))
        if hasattr(self, "strength"):
            drawn = torch.randn_like(x[:, :1]) if self.training else self.noise.to(x.dtype)
            x = x + self.strength.to(x.dtype) * drawn
        return F.leaky_relu(x, 0.2)

    def freeze(self) -> None:
        """Keeps what the weights alone decide: of one face's time a tenth at width 48, a quarter at 80."""
        self.energy = self._energy().detach()

    def _energy(self) -> Tensor:
        return self.weight.float().square().sum((2, 3))


class Synthesis(nn.Module):
    """Styles [B, LAYERS, S] -> images [B, C, H, W] in [-1, 1].

    Each size adds its own grey to the picture (skip connections, Karras et al. 2020, section 4.1); the last
    doubling is a pixel shuffle (Shi et al. 2016, eq. 4) and a thin convolution: it would cost more than all
    before it.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        w24, w12, w6, w3 = widths(config.width)
        side = base_size(config.image_size, config.patch)
        self.patch = config.patch
        self.base = nn.Parameter(torch.randn(1, w3, side, side))
        self.layers = nn.ModuleList()
        self.to_grey = nn.ModuleList([nn.Conv2d(w3, config.channels, 1)])
        for inputs, outputs, up in ((w3, w3, False), (w3, w6, True), (w6, w12, True), (w12, w24, True)):
            side *= 1 + up
            for i, first in ((inputs, True), (outputs, False))[: 1 + up]:
                grow = up and first
                self.layers.append(
                    StyledConv(i, outputs, config.style_dim, side, up=grow, noise=config.noise_inputs)
                )
        self.to_grey.extend(nn.Conv2d(width, config.channels, 1) for width in (w6, w12))
        self.affine = SlowLinear(
            config.style_dim, w24, AFFINE_RATE, 0.5 / math.sqrt(config.style_dim), bias=1.0
        )
        self.to_patches = nn.Conv2d(w24, 16 * config.patch**2, 3, padding=1)
        self.to_image = nn.Conv2d(16, config.channels, 3, padding=1)
        he_init(self.to_grey)
        he_init(self.to_patches)
        he_init(self.to_image)
        with torch.no_grad():  # a patch begins as one colour (ICNR, Aitken et al. 2017): no checkerboard
            kernel: Tensor = self.to_patches.weight
            kernel.copy_(kernel[:: config.patch**2].repeat_interleave(config.patch**2, 0))
            for weight in self.to_grey.parameters():  # begin within tanh's straight part
                weight.mul_(0.1)

    def forward(self, styles: Tensor) -> Tensor:
        """Styles [B, LAYERS, S] -> images, float32 [B, C, H, W] in [-1, 1]."""
        each = styles.unbind(1)
        x = self.layers[0](self.base.expand(styles.shape[0], -1, -1, -1), each[0])
        grey = self.to_grey[0](x)
        for level in range(3):
            x = self.layers[2 * level + 1](x, each[2 * level + 1])
            x = self.layers[2 * level + 2](x, each[2 * level + 2])
            grey = F.interpolate(grey, scale_factor=2.0, mode="bilinear", align_corners=False)
            if level < 2:
                grey = grey + self.to_grey[level + 1](x)
        x = x * self.affine(each[-1])[:, :, None, None].to(x.dtype)
        x = F.pixel_shuffle(self.to_patches(x), self.patch)
        fine = self.to_image(F.leaky_relu(x, 0.2))
        grey = F.interpolate(grey, scale_factor=float(self.patch), mode="bilinear", align_corners=False)
        return torch.tanh((fine + grey).float())


class Generator(FaceGenerator):
    """noise [B, Z], emotion [B, 7] rows summing to 1 -> images [B, C, H, W] in [-1, 1]."""

    coarse = COARSE

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.mapping = Mapping(config)
        self.synthesis = Synthesis(config)

    def forward(self, noise: Tensor, emotion: Tensor) -> Tensor:
        """One style for all layers."""
        return self.synthesis(self.latent(noise, emotion))

    def freeze(self) -> "Generator":
        """Each layer keeps what its weights alone decide."""
        for layer in self.modules():
            if isinstance(layer, StyledConv):
                layer.freeze()
        return self

    def latent(self, noise: Tensor, emotion: Tensor, truncation: float = 1.0) -> Tensor:
        """The style of every layer, [B, LAYERS, S]; layers of two faces may be mixed.

        With a truncation below 1 it moves towards the typical style of the emotion itself, so that the face
        gets plainer and keeps what it shows (Karras et al. 2019, appendix B, for each condition).
        """
        style = self.mapping(noise, emotion)
        if truncation < 1:
            typical = self.mapping.typical(emotion)
            style = typical + truncation * (style - typical)
        return style[:, None].expand(-1, LAYERS, -1)

    def picture(self, latent: Tensor, emotion: Tensor) -> Tensor:
        """Styles hold the emotion already."""
        images: Tensor = self.synthesis(latent)
        return images


class Discriminator(ProjectionDiscriminator):
    """images [B, C, H, W], emotion [B, 7] -> realness with that emotion, and a reading of the emotion."""

    def __init__(self, config: Config) -> None:
        super().__init__(config.discriminator_width, config.image_size, config.channels, config.patch)
