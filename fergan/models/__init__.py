"""MODELS: every network that can be trained, loaded and shown, by name and preset."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fergan.models import acgan, cgan


class Preset(NamedTuple):
    """One trainable system: its frozen config and the two networks built from it."""

    config: type[Any]
    generator: type[nn.Module]
    discriminator: type[nn.Module]


MODELS: dict[str, dict[str, Preset]] = {
    "cgan": {
        "fixed": Preset(cgan.Config, cgan.Generator, cgan.Discriminator),
        "published": Preset(cgan.PublishedConfig, cgan.PublishedGenerator, cgan.PublishedDiscriminator),
    },
    "acgan": {
        "fixed": Preset(acgan.Config, acgan.Generator, acgan.Discriminator),
        "published": Preset(acgan.PublishedConfig, acgan.PublishedGenerator, acgan.PublishedDiscriminator),
    },
}


def preset(model: str, name: str) -> Preset:
    """The networks of a model by name.

    Raises:
        ValueError: no such model, or no such preset of it.
    """
    if model not in MODELS:
        raise ValueError(f"Unknown model {model!r}: there are {', '.join(MODELS)}.")
    if name not in MODELS[model]:
        raise ValueError(f"Unknown preset {name!r} of {model}: there are {', '.join(MODELS[model])}.")
    return MODELS[model][name]


def draw_noise(seeds: list[int], dim: int) -> Tensor:
    """One standard normal row for each seed, float32 [B, dim], drawn on the CPU.

    Each seed has a generator of its own, so a seed is the same face in any batch and on any device.
    """
    rows = [torch.randn(dim, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty(0, dim)
