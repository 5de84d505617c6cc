"""MODELS: every network that can be trained, loaded and shown, by name and preset."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from fergan.models import acgan, cgan, classifier, dcgan, guided, identity, residual, stargan, stylegan


class Preset(NamedTuple):
    """One trainable system: its frozen config and the networks built from it."""

    kind: Literal["generator", "translator", "classifier", "embedder"]
    """Which forward the network answers: one of DESIGN's three, or images -> unit rows, for training alone."""
    config: type[Any]
    network: type[nn.Module]
    """What a checkpoint holds."""
    discriminator: type[nn.Module] | None = None
    """Its opponent in training, where it has one."""


MODELS: dict[str, dict[str, Preset]] = {
    "cgan": {
        "fixed": Preset("generator", residual.Config, cgan.Generator, cgan.Discriminator),
        "published": Preset(
            "generator", cgan.PublishedConfig, cgan.PublishedGenerator, cgan.PublishedDiscriminator
        ),
    },
    "acgan": {
        "fixed": Preset("generator", residual.Config, acgan.Generator, acgan.Discriminator),
        "published": Preset(
            "generator", acgan.PublishedConfig, acgan.PublishedGenerator, acgan.PublishedDiscriminator
        ),
    },
    "dcgan": {
        "fixed": Preset("generator", dcgan.Config, dcgan.Generator, dcgan.Discriminator),
        "published": Preset(
            "generator", dcgan.PublishedConfig, dcgan.PublishedGenerator, dcgan.PublishedDiscriminator
        ),
    },
    "stylegan": {
        "fixed": Preset("generator", stylegan.Config, stylegan.Generator, stylegan.Discriminator),
    },
    "stargan": {
        "fixed": Preset("translator", stargan.Config, stargan.Generator, stargan.Discriminator),
        "published": Preset(
            "translator", stargan.PublishedConfig, stargan.PublishedGenerator, stargan.PublishedDiscriminator
        ),
    },
    "guided": {
        "fixed": Preset("translator", guided.Config, guided.Translator),
    },
    "classifier": {
        "judge": Preset("classifier", classifier.JudgeConfig, classifier.Judge),
        "teacher": Preset("classifier", classifier.TeacherConfig, classifier.Teacher),
        "guide": Preset("classifier", classifier.TeacherConfig, classifier.Teacher),
        "m1": Preset("classifier", classifier.M1Config, classifier.Baseline),
        "m2": Preset("classifier", classifier.M2Config, classifier.Baseline),
        "m3": Preset("classifier", classifier.M3Config, classifier.Baseline),
        "m4": Preset("classifier", classifier.M4Config, classifier.Baseline),
        "m5": Preset("classifier", classifier.M5Config, classifier.Baseline),
    },
    "identity": {
        "simclr": Preset("embedder", identity.Config, identity.Embedder),
    },
}

PUBLISHED = ("published", "m1", "m2", "m3", "m4", "m5")
"""Presets that are a student project's own system: here to be compared with."""


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


def draw_noise(seeds: Sequence[int], dim: int) -> Tensor:
    """One standard normal row for each seed, float32 [B, dim], drawn on the CPU.

    Each seed has a generator of its own, so a seed is the same face in any batch and on any device.
    """
    rows = [torch.randn(dim, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty(0, dim)
