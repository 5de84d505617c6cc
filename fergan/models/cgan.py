"""Conditional GAN (Mirza & Osindero 2014): the condition joins the noise, and the discriminator knows it."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fergan.emotions import EMOTIONS
from fergan.models import residual
from fergan.models.layers import (
    FaceGenerator,
    Trunk,
    Verdict,
    embedding,
    keras_init,
    same_pad,
)


class Generator(residual.Generator):
    """Group norm in every block, styled by the condition: noise [B, Z], emotion [B, 7] -> images [B, C, H, W] in [-1, 1]."""

    def __init__(self, config: residual.Config) -> None:
        super().__init__(config, norm="group")


class Discriminator(nn.Module):
    """images [B, C, H, W], emotion [B, 7] -> realness of this image *with* this emotion."""

    def __init__(self, config: residual.Config) -> None:
        super().__init__()
        self.trunk = Trunk(config.discriminator_width, config.image_size, config.channels, config.patch)
        features = 4 * config.discriminator_width
        self.realness = nn.Linear(features, 1)
        self.project = nn.Linear(len(EMOTIONS), features, bias=False)

    def forward(self, images: Tensor, emotion: Tensor) -> Verdict:
        """Miyato & Koyama 2018, eq. 3: psi(phi(x)) + y^T V phi(x)."""
        features = self.trunk(images)
        scale = 1 / math.sqrt(features.shape[1])
        agreement = (features * self.project(emotion)).sum(1) * scale
        return Verdict((self.realness(features)[:, 0] + agreement).float())


@dataclass(frozen=True)
class PublishedConfig:
    """The student project's network, layer for layer: 3,607,135 and 286,303 parameters at 48x48."""

    image_size: int = 48
    channels: int = 1
    noise_dim: int = 100
    emotion_dim: int = 50

    def __post_init__(self) -> None:
        if self.image_size % 4:
            raise ValueError(f"image_size must be a multiple of 4, got {self.image_size}.")


class PublishedGenerator(FaceGenerator):
    """noise [B, Z], emotion [B, 7] -> images [B, C, H, W] in [-1, 1]; no normalisation at all."""

    def __init__(self, config: PublishedConfig) -> None:
        super().__init__()
        self.side = config.image_size // 4
        self.from_noise = nn.Linear(config.noise_dim, 128 * self.side**2)
        self.embed = embedding(config.emotion_dim)
        self.from_emotion = nn.Linear(config.emotion_dim, 128 * self.side**2)
        self.up1 = nn.ConvTranspose2d(256, 128, 4, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(128, 128, 4, stride=2, padding=1)
        self.output = nn.Conv2d(128, config.channels, 12)
        keras_init(self)
        nn.init.uniform_(self.embed.weight, -0.05, 0.05)

    def forward(self, noise: Tensor, emotion: Tensor) -> Tensor:
        """Two 12x12 maps of 128 channels, one from the noise and one from the label, side by side."""
        maps = [self.from_noise(noise), self.from_emotion(self.embed(emotion))]
        x = torch.cat([F.leaky_relu(m, 0.2).unflatten(1, (128, self.side, self.side)) for m in maps], dim=1)
        x = F.leaky_relu(self.up2(F.leaky_relu(self.up1(x), 0.2)), 0.2)
        return torch.tanh(self.output(same_pad(x, 12, 1)).float())


class PublishedDiscriminator(nn.Module):
    """images [B, C, H, W], emotion [B, 7] -> realness; the label is drawn as one more channel."""

    def __init__(self, config: PublishedConfig) -> None:
        super().__init__()
        self.size = config.image_size
        self.embed = embedding(config.emotion_dim)
        self.from_emotion = nn.Linear(config.emotion_dim, self.size**2)
        self.down1 = nn.Conv2d(config.channels + 1, 128, 3, stride=2)
        self.down2 = nn.Conv2d(128, 128, 3, stride=2)
        self.dropout = nn.Dropout(0.4)
        self.realness = nn.Linear(128 * (self.size // 4) ** 2, 1)
        keras_init(self)
        nn.init.uniform_(self.embed.weight, -0.05, 0.05)

    def forward(self, images: Tensor, emotion: Tensor) -> Verdict:
        """The logit of the published network's sigmoid."""
        label = self.from_emotion(self.embed(emotion)).unflatten(1, (1, self.size, self.size))
        x = torch.cat([images, label], dim=1)
        x = F.leaky_relu(self.down1(same_pad(x, 3, 2)), 0.2)
        x = F.leaky_relu(self.down2(same_pad(x, 3, 2)), 0.2)
        return Verdict(self.realness(self.dropout(x.flatten(1)))[:, 0].float())
