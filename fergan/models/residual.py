"""What our cGAN and AC-GAN share: the generator, whose blocks are styled by noise and condition, and its config."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fergan.emotions import EMOTIONS
from fergan.models.layers import FaceGenerator, Norm, Upsampler, base_size


@dataclass(frozen=True)
class Config:
    """Sizes of a residual generator and of the residual discriminator that it plays against."""

    image_size: int = 48
    channels: int = 1
    noise_dim: int = 128
    emotion_dim: int = 32
    width: int = 64
    """Channels of the largest feature map; the smallest has four times as many."""
    discriminator_width: int = 64
    patch: int = 2
    """Side of the square of pixels that one position of the largest feature map draws."""

    def __post_init__(self) -> None:
        base_size(self.image_size, self.patch)


class Generator(FaceGenerator):
    """noise [B, Z], emotion [B, 7] rows summing to 1 -> images [B, C, H, W] in [-1, 1].

    `norm`: what its blocks are normalised by.
    """

    def __init__(self, config: Config, *, norm: Norm) -> None:
        super().__init__()
        self.embed = nn.Linear(len(EMOTIONS), config.emotion_dim)
        self.draw = Upsampler(
            config.noise_dim + config.emotion_dim,
            config.width,
            config.image_size,
            config.channels,
            config.patch,
            norm=norm,
        )
        nn.init.normal_(self.embed.weight, std=0.5)

    def forward(self, noise: Tensor, emotion: Tensor) -> Tensor:
        """Noise and condition, joined, are the input and modulate the norm of every block."""
        return self.draw(torch.cat([noise, self.embed(emotion)], dim=1))
