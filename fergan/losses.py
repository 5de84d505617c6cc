"""Losses: logits and images in, scalars out. Nothing here knows a network."""

import torch
import torch.nn.functional as F
from torch import Tensor


def logistic(logits: Tensor, real: bool, noise: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of logits, any shape, with "all real" or "all fake" (Goodfellow et al. 2014, eq. 1).

    For the generator it is called with fakes and `real=True`: the non-saturating form (section 3 there).
    `noise`, of the same shape, is taken off the targets 1 and 0, as the student project's DCGANs do.
    """
    target = torch.full_like(logits, 1.0 if real else 0.0)
    return F.binary_cross_entropy_with_logits(logits, target if noise is None else target - noise)


def relativistic(better: Tensor, worse: Tensor) -> Tensor:
    """softplus(-(better - worse)), logits [B] in pairs -> scalar; 0 when `better` wins by far.

    RpGAN (Jolicoeur-Martineau 2019; Huang et al. 2024, eq. 2): the discriminator calls it with
    (real, fake), the generator with (fake, real). Each fake is judged against a real one, so a mode that is
    not drawn costs, and no fake is ever "good enough" by itself.
    """
    return F.softplus(worse - better).mean()


def wasserstein(logits: Tensor, real: bool) -> Tensor:
    """Critic's answers, any shape -> minus their mean for real, their mean for fakes (Arjovsky et al. 2017, eq. 2).

    For the generator it is called with fakes and `real=True`.
    """
    return -logits.mean() if real else logits.mean()


def slope_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """mean (|d logits / d images| - 1)^2 over the batch, scalar: WGAN-GP (Gulrajani et al. 2017, eq. 3).

    `images` [B, C, H, W], between real and fake ones, must require a gradient.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return (gradient.float().square().sum(dim=(1, 2, 3)).sqrt() - 1).square().mean()


def unevenness(field: Tensor) -> Tensor:
    """field [B, K, H, W] -> mean squared difference of neighbours, scalar: 0 for a constant field."""
    down, right = field.diff(dim=2).square().mean(), field.diff(dim=3).square().mean()
    return down + right


def gradient_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """mean |d logits / d images|^2 over the batch, scalar: R1 on real, R2 on fake images (times gamma / 2).

    Mescheder et al. 2018, eq. 9. `images` [B, C, H, W] must require a gradient.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.float().square().sum(dim=(1, 2, 3)).mean()


def unlikeness(maps: list[Tensor], others: list[Tensor]) -> Tensor:
    """Maps [B, K, H, W] of two batches, layer by layer -> [B], from 0, for equal ones, to 4 for each layer.

    Perceptual distance (Zhang et al. 2018, eq. 1, all channels weighing the same): a point's channels as a row of
    length 1, squared distance, the mean over the points, the sum over the layers.
    """
    distances = [
        (F.normalize(one.float(), dim=1) - F.normalize(other.float(), dim=1)).square().sum(1).mean((1, 2))
        for one, other in zip(maps, others, strict=True)
    ]
    return torch.stack(distances).sum(0)


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of logits [B, 7] with rows of probabilities [B, 7] -> scalar.

    The auxiliary loss L_C of Odena et al. 2017, eq. 3, for conditions that may be blends.
    """
    return -(target * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def contrastive(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Unit rows [B, F] of two views, a[i] and b[i] of one face -> scalar; small where each finds its other.

    NT-Xent (Chen et al. 2020, eq. 1), the mean over all 2 B rows: cross-entropy of a row's cosines with the
    2 B - 1 others, over the temperature, where the other view of its face is the right answer.
    """
    rows = torch.cat([a, b])
    cosines = (rows @ rows.T).fill_diagonal_(-torch.inf)  # no row is its own answer
    return F.cross_entropy(cosines / temperature, torch.arange(len(rows), device=rows.device).roll(len(a)))
