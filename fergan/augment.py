"""Augmentation of grey or colour faces, on the device, one draw a face: for a GAN, a classifier, an embedder."""

import torch
from torch import Tensor


def diff_augment(
    images: Tensor, generator: torch.Generator, chance: float = 1.0, share: tuple[int, int] = (0, 1)
) -> Tensor:
    """Images [B, C, H, W] in [-1, 1] -> the same shape: brightness, contrast, translation by up to an eighth.

    Each face is changed with probability `chance`, real ones and fakes alike, so the discriminator cannot
    learn the training set by heart and nothing leaks into what the generator draws. No cutout: its holes do
    leak. Saturation means nothing on grey. `generator` draws on its own device, which keeps a run repeatable.
    Where the images are every n-th from the k-th of a batch, `share` (k, n), draws are made for all of it.
    """
    if chance <= 0:
        return images
    first, of = share
    batch = images.shape[0] * of

    # one draw and one copy to the images' device for all that is varied
    draw = torch.rand(len(_SPAN), batch, 1, 1, 1, generator=generator, device=generator.device)[:, first::of]
    low, high = _SPAN.to(draw.device).view(-1, 2, 1, 1, 1, 1).unbind(1)
    chosen, light, contrast, right, down = (draw * (high - low) + low).to(images.device, non_blocking=True)
    on = (chosen < chance).to(images.dtype)
    images = images + on * light
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * (1 + on * contrast)
    return _translate(images, (on * right).flatten(), (on * down).flatten())


_SPAN = torch.tensor([[0.0, 1.0], [-0.5, 0.5], [-0.5, 0.5], [-0.125, 0.125], [-0.125, 0.125]])
"""From where to where each draw of `diff_augment` goes: whether, light, contrast, to the right, down."""


def _translate(images: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Shifts each image by its own share of the side, in whole pixels; what comes in from outside is 0."""
    height, width = images.shape[2:]
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    device = images.device
    rows = torch.arange(height, device=device)[None] - (down * height).round().long()[:, None]
    columns = torch.arange(width, device=device)[None] - (right * width).round().long()[:, None]
    rows, columns = rows.clamp(-1, height) + 1, columns.clamp(-1, width) + 1
    place = (rows[:, :, None] * (width + 2) + columns[:, None, :]).flatten(1)[:, :, None]
    pixels = padded.permute(0, 2, 3, 1).flatten(1, 2)
    # gathered, since an index sorts on its way back on a GPU
    found = pixels.gather(1, place.expand(-1, -1, pixels.shape[2])).unflatten(1, (height, width))
    return found.permute(0, 3, 1, 2)


def vary_faces(
    images: Tensor, generator: torch.Generator, strength: float = 1.0, erase: float = 0.5
) -> Tensor:
    """Images [B, C, H, W] in [-1, 1] -> the same, each varied by its own draw: what a classifier trains on.

    At strength 1 a face is turned by up to 15 degrees, sheared by up to 0.15, scaled by up to 15 %, shifted
    by up to a tenth of the side (one bicubic resampling, the border mirrored), made darker or brighter by up
    to 0.3 and its contrast changed by up to 30 %; in a share `erase` a rectangle of 2 to 20 % of the area is
    covered (Zhong et al. 2020). At strength 0 and erase 0 the images come back as they are. Draws are made
    on the generator's device, in one piece.
    """
    batch = len(images)
    draw = torch.rand(batch, 14, generator=generator, device=generator.device).to(
        images.device, non_blocking=True
    )
    if strength > 0:
        turn, shear, wide, high, right, down, light, contrast = (
            strength * (2 * column - 1)[:, None] for column in draw[:, :8].unbind(1)
        )
        images = _warp(images, turn, shear, wide, high, right, down)
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = mean + (images - mean) * (1 + 0.3 * contrast[:, :, None, None])
        images = (images + 0.3 * light[:, :, None, None]).clamp(-1, 1)
    return _erase(images, draw[:, 8:], erase) if erase > 0 else images


def _warp(
    images: Tensor, turn: Tensor, shear: Tensor, wide: Tensor, high: Tensor, right: Tensor, down: Tensor
) -> Tensor:
    """Turns, shears, scales and shifts each image by its draws, [B, 1] in [-1, 1] at full strength."""
    angle, shear = turn * 0.2618, shear * 0.15
    across, along = torch.exp(0.14 * wide), torch.exp(0.14 * high)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = (
        torch.cat([cos * across, (shear * cos - sin) * along, 0.2 * right], dim=1),
        torch.cat([sin * across, (shear * sin + cos) * along, 0.2 * down], dim=1),
    )
    places = torch.nn.functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return torch.nn.functional.grid_sample(
        images, places, mode="bicubic", padding_mode="reflection", align_corners=False
    )


def _erase(images: Tensor, draw: Tensor, chance: float) -> Tensor:
    """Covers a rectangle of some images with one level of grey; draws [B, 6] in [0, 1]."""
    on, area, shape, top, left, level = draw[:, :, None, None].unbind(1)
    side = (0.02 + 0.18 * area).sqrt()
    stretch = 3 ** (shape - 0.5)  # between 1:3 and 3:1
    down = torch.linspace(0, 1, images.shape[2], device=images.device)[None, :, None]
    across = torch.linspace(0, 1, images.shape[3], device=images.device)[None, None, :]
    height, width = (side * stretch).clamp(max=1), (side / stretch).clamp(max=1)
    top, left = top * (1 - height), left * (1 - width)
    inside = (down >= top) & (down <= top + height) & (across >= left) & (across <= left + width)
    return torch.where((inside & (on < chance))[:, None], (2 * level - 1)[:, None].to(images.dtype), images)


def mix_faces(
    images: Tensor, target: Tensor, generator: torch.Generator, chance: float
) -> tuple[Tensor, Tensor]:
    """Images [B, C, H, W], target [B, 7] -> both blended with another row's by one weight in [0, 1] a face.

    Mixup (Zhang et al. 2018, eq. 1 and 2 at alpha 1, where the weight is uniform), for a share `chance` of
    the faces; rows of the target keep their sum.
    """
    if chance <= 0:
        return images, target
    weight, on = torch.rand(2, len(images), generator=generator, device=generator.device)
    other = torch.randperm(len(images), generator=generator, device=generator.device).to(
        images.device, non_blocking=True
    )
    weight = torch.where(on < chance, weight, torch.ones_like(weight)).to(images.device, non_blocking=True)
    each = weight[:, None, None, None]
    return (
        each * images + (1 - each) * images[other],
        weight[:, None] * target + (1 - weight[:, None]) * target[other],
    )


PLACES = ((0.80, 0.5, 0.17, 0.27), (0.31, 0.5, 0.14, 0.38))
"""Where an expression is in FER2013's framing, the mouth, then brows and eyes: ellipses as shares of the side,
middle (down, right) and half axes (down, right)."""


def lend_features(images: Tensor, generator: torch.Generator, chance: float) -> Tensor:
    """Images [B, C, H, W] in [-1, 1] -> the same; a share `chance` gets another face's mouth, or brows and eyes.

    Who is recognised in spite of it is recognised by what no expression changes. What is lent comes from a
    random face of the batch (its own at times), brought to the same brightness, at a place and size that
    differ by up to a fifth, and fades in at the rim. With `chance` 0 the images come back as they are.
    """
    if chance <= 0:
        return images
    draw = torch.rand(len(images), 5, generator=generator, device=generator.device).to(
        images.device, non_blocking=True
    )
    other = torch.randperm(len(images), generator=generator, device=generator.device).to(
        images.device, non_blocking=True
    )
    places = torch.tensor(PLACES).to(images.device, non_blocking=True)[(draw[:, 0] < 0.5).long()]
    size = places[:, 2:] * (0.8 + 0.4 * draw[:, 1:2])
    middle = places[:, :2] + 0.4 * (draw[:, 2:4] - 0.5) * size
    down, across = (torch.linspace(0, 1, side, device=images.device) for side in images.shape[2:])
    far = ((down - middle[:, :1]) / size[:, :1]).square()[:, :, None]
    far = far + ((across - middle[:, 1:]) / size[:, 1:]).square()[:, None, :]
    cover = (3 - 3 * far.sqrt()).clamp(0, 1) * (draw[:, 4] < chance)[
        :, None, None
    ]  # whole up to 2/3 of the way
    cover = cover[:, None].to(images.dtype)
    weight = cover.sum((2, 3), keepdim=True).clamp_min(1e-6)
    lent = images[other]
    lighter = ((images - lent).mean(1, keepdim=True) * cover).sum((2, 3), keepdim=True) / weight
    return torch.lerp(images, (lent + lighter).clamp(-1, 1), cover)


def bend_faces(images: Tensor, generator: torch.Generator, reach: float) -> Tensor:
    """Images [B, C, H, W] in [-1, 1] -> the same, each bent by a smooth flow of its own, as muscles bend a face.

    Points move right and down by up to `reach`, a share of the side, along a flow that is random on a 5x5
    grid and bicubic between; one bilinear resampling. With `reach` 0 the images come back as they are.
    """
    if reach <= 0:
        return images
    draw = torch.rand(len(images), 2, 5, 5, generator=generator, device=generator.device).to(
        images.device, non_blocking=True
    )
    flow = torch.nn.functional.interpolate(
        2 * draw - 1, images.shape[2:], mode="bicubic", align_corners=True
    ).clamp(-1, 1)
    return _flow(images, reach * flow, "bilinear")


def break_faces(images: Tensor, draw: Tensor) -> Tensor:
    """Images [B, C, H, W] in [-1, 1] -> faces that do not hang together, as generators draw them.

    Each is stitched, along a seam that wanders, to its own mirror image, which is bent by up to a tenth to a quarter of
    the side. A discriminator that meets them among its fakes learns what is whole before a generator shows it what is not
    (Sinha et al. 2021, "Negative Data Augmentation"). `draw` [B, 4, 4, 4] in [0, 1): the flow right and down, the seam,
    and, in its first number, the reach.
    """
    field = torch.nn.functional.interpolate(draw[:, :3], images.shape[2:], mode="bicubic", align_corners=True)
    reach = 0.1 + 0.15 * draw[:, 3:, :1, :1]
    bent = _flow(images.flip(3), (2 * field[:, :2] - 1) * reach, "bicubic").clamp(-1, 1)
    seam = (10 * (field[:, 2:] - 0.5) + 0.5).clamp(0, 1)
    return torch.lerp(images, bent, seam.to(images.dtype))


def _flow(images: Tensor, flow: Tensor, mode: str) -> Tensor:
    """Images [B, C, H, W], each point taken from where the flow [B, 2, H, W] points, right and down, in sides."""
    eye = torch.eye(2, 3, device=images.device)[None].expand(len(images), -1, -1)
    places = torch.nn.functional.affine_grid(eye, list(images.shape), align_corners=False)
    return torch.nn.functional.grid_sample(
        images,
        places + 2 * flow.permute(0, 2, 3, 1),
        mode=mode,
        padding_mode="reflection",
        align_corners=False,
    )
