"""DiffAugment (Zhao et al. 2020) for grey or colour faces, on the device, differentiable, one draw a face."""

import torch
from torch import Tensor


def diff_augment(images: Tensor, generator: torch.Generator, chance: float = 1.0) -> Tensor:
    """Images [B, C, H, W] in [-1, 1] -> the same shape: brightness, contrast, translation by up to an eighth.

    Each face is changed with probability `chance`, real ones and fakes alike, so the discriminator cannot
    learn the training set by heart and nothing leaks into what the generator draws. No cutout: its holes do
    leak. Saturation means nothing on grey. `generator` draws on its own device, which keeps a run repeatable.
    """
    if chance <= 0:
        return images
    batch = images.shape[0]

    def uniform(low: float, high: float) -> Tensor:
        draw = torch.rand(batch, 1, 1, 1, generator=generator, device=generator.device)
        return (draw * (high - low) + low).to(images.device)

    on = (uniform(0, 1) < chance).to(images.dtype)
    images = images + on * uniform(-0.5, 0.5)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * (1 + on * uniform(-0.5, 0.5))
    return _translate(
        images, (on * uniform(-0.125, 0.125)).flatten(), (on * uniform(-0.125, 0.125)).flatten()
    )


def _translate(images: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Shifts each image by its own share of the side, in whole pixels; what comes in from outside is 0."""
    batch, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    device = images.device
    rows = torch.arange(height, device=device)[None] - (down * height).round().long()[:, None]
    columns = torch.arange(width, device=device)[None] - (right * width).round().long()[:, None]
    rows, columns = rows.clamp(-1, height) + 1, columns.clamp(-1, width) + 1
    pick = torch.arange(batch, device=device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[pick, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
