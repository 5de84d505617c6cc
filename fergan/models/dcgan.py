"""DCGAN (Radford et al. 2016), one network for each emotion: the student project's six variants, and ours.

Ours has the residual blocks of our cGAN and AC-GAN in place of a plain stack, whose faces do not hang together.

A bank of seven generators answers like any other: noise and a row of seven. A pure emotion is drawn by its own
network; a blend is the weighted mean of their pictures, as separate networks can give no better.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fergan.emotions import EMOTIONS
from fergan.models.layers import (
    FaceGenerator,
    Trunk,
    Upsampler,
    Verdict,
    base_size,
    keras_init,
    same_pad,
)
from fergan.models.standing import stand

LEVELS = 3  # doublings, from image_size / 8
ALL = "all"
"""In place of names: one network, of which each emotion's may be made; it draws whatever the row asks for."""


@dataclass(frozen=True)
class PublishedConfig:
    """One of the six variants: {upsampling then convolution, transposed convolution} x {plain, norm, and dropout}.

    The report names layers only; sizes are those of the public code that it cites, for 48 pixels in place of
    128: a base of 6 in place of 16.
    """

    image_size: int = 48
    channels: int = 1
    noise_dim: int = 32
    width: int = 256
    transposed: bool = True
    """Transposed convolutions; else nearest upsampling, then a convolution."""
    norm: bool = False
    dropout: float = 0.0
    emotions: str = ",".join(EMOTIONS)
    """Emotions that have a network, by name."""

    def __post_init__(self) -> None:
        _check(self.image_size, self.emotions)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {self.dropout}.")


@dataclass(frozen=True)
class Config:
    """Ours: the blocks of our cGAN and AC-GAN, thin, so that seven of them are small."""

    image_size: int = 48
    channels: int = 1
    noise_dim: int = 64
    width: int = 28
    """Channels of the largest feature map; the smallest has four times as many."""
    discriminator_width: int = 48
    patch: int = 2
    """Side of the square of pixels that one position of the largest feature map draws."""
    emotions: str = ",".join(EMOTIONS)

    def __post_init__(self) -> None:
        base_size(self.image_size, self.patch)
        _check(self.image_size, self.emotions)


def _check(image_size: int, emotions: str) -> None:
    if image_size % 2**LEVELS or image_size < 16:
        raise ValueError(f"image_size must be a multiple of 8 from 16 on, got {image_size}.")
    names = emotions.split(",")
    if emotions != ALL and (not set(names) <= set(EMOTIONS) or len(set(names)) < len(names)):
        raise ValueError(f"emotions must be names of {', '.join(EMOTIONS)}, each once; got {emotions!r}.")


class Bank(nn.Module):
    """A network for each emotion that has one."""

    def __init__(self, emotions: str, networks: list[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(dict(zip(emotions.split(","), networks, strict=True)))

    def shares(self, emotion: Tensor) -> Tensor:
        """Emotion [B, 7] -> weights of the networks there are, [B, len(networks)], rows summing to 1.

        Raises:
            ValueError: a row that asks for none of them.
        """
        if ALL in self.networks:
            return emotion.new_ones(len(emotion), 1)
        rows = emotion[:, [EMOTIONS.index(name) for name in self.networks]]
        total = rows.sum(dim=1, keepdim=True)
        if not bool((total > 0).all()):
            raise ValueError(f"This model draws {', '.join(self.networks)} alone.")
        return rows / total

    def alone(self, emotion: Tensor) -> nn.Module | None:
        """The network of a bank that has but one; it takes all rows, which training need not wait for a GPU to check.

        Raises:
            ValueError: as `shares`, outside of training.
        """
        if len(self.networks) > 1:
            return None
        if not self.training:
            self.shares(emotion)
        return next(iter(self.networks.values()))


class _GeneratorBank(Bank, FaceGenerator):
    """noise [B, Z], emotion [B, 7] rows summing to 1 -> images [B, C, H, W] in [-1, 1]."""

    def forward(self, noise: Tensor, emotion: Tensor) -> Tensor:
        """Each network draws for the rows that ask for it."""
        if (alone := self.alone(emotion)) is not None:
            return alone(noise)
        shares, total = self.shares(emotion), None
        for place, network in enumerate(self.networks.values()):
            rows = shares[:, place].nonzero()[:, 0]
            if len(rows) == 0:
                continue
            part = network(noise[rows]) * shares[rows, place, None, None, None]
            if total is None:
                total = part.new_zeros(len(noise), *part.shape[1:])
            total = total.index_add(0, rows, part)
        assert total is not None  # shares sum to 1
        return total


class _DiscriminatorBank(Bank):
    """images [B, C, H, W], emotion [B, 7] -> realness, said by the network of the strongest emotion."""

    def forward(self, images: Tensor, emotion: Tensor) -> Verdict:
        """Each network judges its own."""
        if (alone := self.alone(emotion)) is not None:
            return Verdict(alone(images).float())
        strongest = self.shares(emotion).argmax(dim=1)
        total = torch.zeros(len(images), device=images.device)
        for place, network in enumerate(self.networks.values()):
            rows = (strongest == place).nonzero()[:, 0]
            if len(rows):
                total = total.index_add(0, rows, network(images[rows]).float())
        return Verdict(total)


class _PublishedGenerator(nn.Module):
    def __init__(self, config: PublishedConfig) -> None:
        super().__init__()
        self.side, self.transposed, width = config.image_size // 2**LEVELS, config.transposed, config.width
        self.from_noise = nn.Linear(config.noise_dim, width // 2 * self.side**2)
        self.conv_in = nn.Conv2d(width // 2, width, 5, padding=2)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)
            if config.transposed
            else nn.Conv2d(width, width, 5, padding=2)
            for _ in range(LEVELS)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(width, eps=1e-3, momentum=0.01) if config.norm else nn.Identity()
            for _ in range(LEVELS)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.convs = nn.ModuleList(nn.Conv2d(i, 2 * width, 5, padding=2) for i in (width, 2 * width))
        self.conv_out = nn.Conv2d(2 * width, config.channels, 7, padding=3)
        keras_init(self)

    def forward(self, noise: Tensor) -> Tensor:
        x = F.leaky_relu(self.from_noise(noise), 0.3).unflatten(1, (-1, self.side, self.side))
        x = F.leaky_relu(self.conv_in(x), 0.3)
        for up, norm in zip(self.ups, self.norms, strict=True):
            x = up(x if self.transposed else F.interpolate(x, scale_factor=2.0, mode="nearest"))
            x = self.dropout(F.leaky_relu(norm(x), 0.3))
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.3)
        return torch.tanh(self.conv_out(x).float())


class _PublishedDiscriminator(nn.Module):
    def __init__(self, config: PublishedConfig) -> None:
        super().__init__()
        width = config.width
        self.conv_in = nn.Conv2d(config.channels, width, 3)
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 4, stride=2) for _ in range(LEVELS))
        self.dropout = nn.Dropout(0.4)
        with torch.no_grad():
            size = self._maps(torch.zeros(1, config.channels, config.image_size, config.image_size))
        self.realness = nn.Linear(size.shape[1], 1)
        keras_init(self)

    def _maps(self, images: Tensor) -> Tensor:
        x = F.leaky_relu(self.conv_in(images), 0.3)
        for conv in self.convs:
            x = F.leaky_relu(conv(same_pad(x, 4, 2)), 0.3)
        return x.flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        realness: Tensor = self.realness(self.dropout(self._maps(images)))
        return realness[:, 0]


class PublishedGenerator(_GeneratorBank):
    """A bank of one published variant."""

    def __init__(self, config: PublishedConfig) -> None:
        networks: list[nn.Module] = [_PublishedGenerator(config) for _ in config.emotions.split(",")]
        super().__init__(config.emotions, networks)

    def latent(self, noise: Tensor, emotion: Tensor, truncation: float = 1.0) -> Tensor:
        """Outliers are cut (BigGAN's truncation, Brock et al. 2019, section 3.1; drawn anew there, here a seed stays its person).

        Batch norms know one length of noise, and draw the dark of any shorter.
        """
        if truncation == 1:
            return noise
        most = 0.6 * truncation / (1 - truncation)
        return noise.clamp(-most, most)


class PublishedDiscriminator(_DiscriminatorBank):
    """Its opponents."""

    def __init__(self, config: PublishedConfig) -> None:
        networks: list[nn.Module] = [_PublishedDiscriminator(config) for _ in config.emotions.split(",")]
        super().__init__(config.emotions, networks)


class _Discriminator(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.trunk = Trunk(config.discriminator_width, config.image_size, config.channels, config.patch)
        self.realness = nn.Linear(4 * config.discriminator_width, 1)

    def forward(self, images: Tensor) -> Tensor:
        realness: Tensor = self.realness(self.trunk(images))
        return realness[:, 0]


class Generator(_GeneratorBank):
    """Ours: one small network for each emotion, styled by its noise (self-modulation, Chen et al. 2019)."""

    def __init__(self, config: Config) -> None:
        sizes = config.width, config.image_size, config.channels, config.patch
        networks: list[nn.Module] = [
            Upsampler(config.noise_dim, *sizes, norm="standing") for _ in config.emotions.split(",")
        ]
        super().__init__(config.emotions, networks)
        self.noise_dim = config.noise_dim

    def settle(self) -> None:
        """Each network's norms take their statistics."""
        for network in self.networks.values():
            stand(network, self.noise_dim)


class Discriminator(_DiscriminatorBank):
    """Their opponents."""

    def __init__(self, config: Config) -> None:
        networks: list[nn.Module] = [_Discriminator(config) for _ in config.emotions.split(",")]
        super().__init__(config.emotions, networks)
