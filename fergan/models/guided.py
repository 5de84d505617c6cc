"""A translator that draws nothing of its own: a face climbs the slopes of a classifier that was hardened.

What convinces a plain classifier most is a texture that nobody sees. One that learnt from faces moved against it
(`train.classifier --model guide`) is convinced only by what people see, too (Tsipras et al. 2019), so that its slopes
edit pictures (Santurkar et al. 2019, section 3). Here they bend a face (Xiao et al. 2018) and shade it, a little at
each step, and less the nearer its reading is to what was asked for.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fergan.emotions import EMOTIONS
from fergan.models.classifier import Teacher, TeacherConfig
from fergan.models.stargan import warp

ROUNDING = 1e-6
"""What two readings of one face may differ by: a root would make a step of it."""


@dataclass(frozen=True)
class Config(TeacherConfig):
    """The hardened classifier's, and how far a face goes."""

    steps: int = 6
    shade: float = 3.0
    """The most that is added to a grey 48x48 face: an L2 norm, of pixels in [-1, 1]. Larger ones get as much a pixel."""
    bend: float = 0.035
    """The longest way that a point moves, as a share of the side."""
    grid: int = 8
    """Points a side at which the flow is free: between them it is smooth."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.known()) < len(EMOTIONS):
            raise ValueError(f"A guide needs all seven emotions; this one knows {self.emotions}.")
        if self.steps < 1 or self.grid < 2 or self.shade <= 0 or self.bend <= 0:
            raise ValueError("steps must be 1 or more, grid 2 or more, shade and bend above 0.")


class Change(NamedTuple):
    """What is done to a face, at any resolution once it is enlarged."""

    flow: Tensor
    """[B, 2, H, W]: where each point's grey comes from, right and down, as a share of the side."""
    shading: Tensor
    """[B, C, H, W]: what is added then, of pixels in [-1, 1]."""

    @property
    def mask(self) -> Tensor:
        """[B, 1, H, W] in [0, 1]: how much each point is shaded."""
        return (self.shading.abs().mean(dim=1, keepdim=True) / 2).clamp(max=1)

    def apply(self, images: Tensor) -> Tensor:
        """Bent images plus shading, [B, C, H, W] in [-1, 1]."""
        return (warp(images, self.flow) + self.shading).clamp(-1, 1)


class Translator(nn.Module):
    """images [B, C, H, W], source and target emotion [B, 7], intensity [B] -> images [B, C, H, W] in [-1, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.guide = Teacher(config).requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Translator":
        """It never trains: its guide did, alone."""
        return super().train(False)

    def change(self, images: Tensor, source: Tensor, target: Tensor, intensity: Tensor) -> Change:
        """What would be done, in proportion to the intensity. The source is not asked: the guide reads it itself."""
        with torch.inference_mode(False), torch.enable_grad():
            whole = self._climb(images.detach().clone(), target.detach().clone())
        share = intensity[:, None, None, None]
        return Change(share * whole.flow, share * whole.shading)

    def forward(self, images: Tensor, source: Tensor, target: Tensor, intensity: Tensor) -> Tensor:
        """Intensity [B] in [0, 1] or a little above; 0 gives the images themselves, bit for bit."""
        drawn = self.change(images, source, target, intensity).apply(images)
        return torch.where(intensity[:, None, None, None] == 0, images, drawn)

    def _climb(self, images: Tensor, target: Tensor) -> Change:
        """The whole way: each step as long as twice the mean, at first, so that the bounds are reached early."""
        config = self.config
        most = config.shade * math.sqrt(config.channels) * config.image_size / 48
        points = images.new_zeros(len(images), 2, config.grid, config.grid)
        shading = torch.zeros_like(images)
        for _ in range(config.steps):
            points.requires_grad_(True)
            shading.requires_grad_(True)
            read = F.log_softmax(self.guide(self._made(points, shading).apply(images)), dim=1)
            loss = -(target * read).sum()
            slopes = torch.autograd.grad(loss, (points, shading))
            with torch.no_grad():
                missing = (read.exp() - target).abs().sum(1) / 2  # total variation: 0 when it is read
                missing = F.threshold(missing, ROUNDING, 0.0)
                step = (2 / config.steps * missing.sqrt())[:, None, None, None]
                points = points - step * config.bend * _scaled(_mirrored(slopes[0]), math.inf)
                points = points.clamp(-config.bend, config.bend)
                shading = shading - step * most * _scaled(slopes[1], 2)
                length = shading.flatten(1).norm(dim=1)[:, None, None, None]
                shading = shading * (most / length.clamp_min(1e-9)).clamp(max=1)
        return Change(*(part.detach() for part in self._made(points, shading)))

    def _made(self, points: Tensor, shading: Tensor) -> Change:
        flow = F.interpolate(points, size=shading.shape[2:], mode="bicubic", align_corners=False)
        return Change(flow.clamp(-self.config.bend, self.config.bend), shading)  # cubics overshoot


def _mirrored(flow: Tensor) -> Tensor:
    """The mean of a flow [B, 2, h, w] and its mirror image: both halves of a face bend alike."""
    return (flow + flow.flip(-1) * flow.new_tensor([-1.0, 1.0])[:, None, None]) / 2


def _scaled(slope: Tensor, norm: float) -> Tensor:
    """Each row's slope at a length of 1; where it is nothing, nothing."""
    length = torch.linalg.vector_norm(slope.flatten(1).float(), norm, dim=1)
    return slope / length.clamp_min(1e-12)[:, None, None, None]
