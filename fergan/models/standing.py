"""Batch norm for noise of every length, so that a generator may be asked for less variety than it was trained on."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SETTLED = 1024
"""Faces by which a network's statistics are taken once it is trained."""


class StandingNorm(nn.BatchNorm2d):
    """Batch norm that has statistics for noise of every length up to that of training.

    One that knows a single length draws the dark of any shorter. Statistics of `LENGTHS` lengths, evenly from 0 to 1,
    are taken once by `stand`, and what is between is interpolated, as the BigGAN that its authors published does for
    its truncations (Brock et al. 2019). They are kept as differences from the running ones, in their deviations: 0, as
    long as none were taken, is a plain batch norm.
    """

    LENGTHS = 5
    mean_off: Tensor
    deviation_off: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=False)
        self.register_buffer("mean_off", torch.zeros(self.LENGTHS, channels))
        self.register_buffer("deviation_off", torch.zeros(self.LENGTHS, channels))
        self.taken: list[Tensor] | None = None
        """Mean and variance [2, C] of each batch, while `stand` takes them."""

    def forward(self, x: Tensor, length: Tensor) -> Tensor:  # type: ignore[override]
        """x [B, C, H, W], lengths of the noise [B], about 1 in training and known up to there -> [B, C, H, W]."""
        if self.taken is not None:
            self.taken.append(torch.stack([x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)]))
            mean, variance = self.taken[-1][:, None, :, None, None]
            return (x - mean) / (variance + self.eps).sqrt()
        if self.training:
            return super().forward(x)
        assert self.running_mean is not None and self.running_var is not None  # it tracks them
        deviation = (self.running_var + self.eps).sqrt()
        means = self.running_mean + self.mean_off * deviation
        deviations = deviation * (1 + self.deviation_off)
        # a face's share of each length's statistics: two that are next to its own, or one
        place = (length.clamp(0, 1) * (self.LENGTHS - 1))[:, None]
        shares = (1 - (place - torch.arange(self.LENGTHS, device=x.device)).abs()).clamp_min(0)
        mean, deviation = shares @ means, shares @ deviations
        return (x - mean[:, :, None, None]) / deviation[:, :, None, None]

    def settle(self, taken: Tensor) -> None:
        """Means and variances of each length, [LENGTHS, 2, C]; those of the last stay as the running ones."""
        assert self.running_mean is not None and self.running_var is not None
        mean, deviation = taken[:, 0], (taken[:, 1] + self.eps).sqrt()
        self.running_mean.copy_(taken[-1, 0])
        self.running_var.copy_(taken[-1, 1])
        self.mean_off.copy_((mean - mean[-1]) / deviation[-1])
        self.deviation_off.copy_(deviation / deviation[-1] - 1)


@torch.no_grad()
def stand(network: nn.Module, noise_dim: int, batch: int = 128) -> None:
    """Takes the statistics of a network's standing norms: noise [B, Z] of each length goes through it, as in training.

    Averaged weights have none of their own before. SETTLED faces a length; the noise is the same at each call, and one
    process does it alone, whoever else trains along.
    """
    norms = [module for module in network.modules() if isinstance(module, StandingNorm)]
    device = next(network.parameters()).device
    noise = torch.randn(SETTLED, noise_dim, generator=torch.Generator().manual_seed(0)).to(device)
    noise = math.sqrt(noise_dim) * F.normalize(noise, dim=1)  # each of length 1
    found: list[list[Tensor]] = [[] for _ in norms]
    for length in torch.linspace(0, 1, StandingNorm.LENGTHS).tolist():
        for norm in norms:
            norm.taken = []
        for part in noise.split(batch):
            network(length * part)
        for of, norm in zip(found, norms, strict=True):
            assert norm.taken is not None
            of.append(torch.stack(norm.taken).mean(0))
            norm.taken = None
    for of, norm in zip(found, norms, strict=True):
        norm.settle(torch.stack(of))
