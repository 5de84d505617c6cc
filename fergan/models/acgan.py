"""Auxiliary classifier GAN (Odena et al. 2017): the discriminator names the emotion that it sees."""

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
    """Conditional batch norm in every block: noise [B, Z], emotion [B, 7] -> images [B, C, H, W] in [-1, 1]."""

    def __init__(self, config: residual.Config) -> None:
        super().__init__(config, norm="batch")


class Discriminator(nn.Module):
    """images [B, C, H, W] -> realness, and the logits of the emotion; the emotion asked for is not used."""

    def __init__(self, config: residual.Config) -> None:
        super().__init__()
        self.trunk = Trunk(config.discriminator_width, config.image_size, config.channels, config.patch)
        features = 4 * config.discriminator_width
        self.realness = nn.Linear(features, 1)
        self.emotion = nn.Linear(features, len(EMOTIONS))

    def forward(self, images: Tensor, emotion: Tensor) -> Verdict:
        """Both heads on one trunk."""
        features = self.trunk(images)
        return Verdict(self.realness(features)[:, 0].float(), self.emotion(features).float())


@dataclass(frozen=True)
class PublishedConfig:
    """The student project's network, layer for layer: 7,446,351 and 463,368 parameters in Keras' count."""

    image_size: int = 48
    channels: int = 1
    noise_dim: int = 100
    emotion_dim: int = 50

    def __post_init__(self) -> None:
        if self.image_size % 8:
            raise ValueError(f"image_size must be a multiple of 8, got {self.image_size}.")


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # Keras' defaults; its momentum is 1 - ours


class PublishedGenerator(FaceGenerator):
    """noise [B, Z], emotion [B, 7] -> images [B, C, H, W] in [-1, 1]; the label is one channel of 385."""

    def __init__(self, config: PublishedConfig) -> None:
        super().__init__()
        self.side = config.image_size // 4
        self.from_noise = nn.Linear(config.noise_dim, 384 * self.side**2)
        self.embed = embedding(config.emotion_dim)
        self.from_emotion = nn.Linear(config.emotion_dim, self.side**2)
        self.up1 = nn.ConvTranspose2d(385, 192, 5, stride=2, padding=1)
        self.norm1 = _batch_norm(192)
        self.up2 = nn.ConvTranspose2d(192, config.channels, 5, stride=2, padding=1)
        keras_init(self)
        nn.init.uniform_(self.embed.weight, -0.05, 0.05)

    def forward(self, noise: Tensor, emotion: Tensor) -> Tensor:
        """Keras crops a transposed convolution of 5 by 1 before and 2 after: the last line falls away."""
        label = self.from_emotion(self.embed(emotion)).unflatten(1, (1, self.side, self.side))
        x = F.relu(self.from_noise(noise)).unflatten(1, (384, self.side, self.side))
        x = self.up1(torch.cat([x, label], dim=1))[..., :-1, :-1]
        return torch.tanh(self.up2(F.relu(self.norm1(x)))[..., :-1, :-1].float())


class PublishedDiscriminator(nn.Module):
    """images [B, C, H, W] -> realness, and the logits of the emotion."""

    def __init__(self, config: PublishedConfig) -> None:
        super().__init__()
        sizes = ((config.channels, 32), (32, 64), (64, 128), (128, 256))
        self.strides = (2, 2, 2, 1)
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 3, stride=s) for (i, o), s in zip(sizes, self.strides, strict=True)
        )
        self.norms = nn.ModuleList((nn.Identity(), _batch_norm(64), _batch_norm(128), _batch_norm(256)))
        self.dropout = nn.Dropout(0.5)
        features = 256 * (config.image_size // 8) ** 2
        self.realness = nn.Linear(features, 1)
        self.emotion = nn.Linear(features, len(EMOTIONS))
        keras_init(self)

    def forward(self, images: Tensor, emotion: Tensor) -> Verdict:
        """The logits of the published network's sigmoid and softmax."""
        x = images
        for conv, norm, stride in zip(self.convs, self.norms, self.strides, strict=True):
            x = self.dropout(F.leaky_relu(norm(conv(same_pad(x, 3, stride))), 0.2))
        features = x.flatten(1)
        return Verdict(self.realness(features)[:, 0].float(), self.emotion(features).float())
