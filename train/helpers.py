"""Frozen networks that a training asks: a teacher, a guide, an embedder, another generator."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from fergan import checkpoint
from fergan.models import guided, preset


def helper(folder: str, kind: str, config: Any, device: torch.device, without: str) -> nn.Module:
    """A frozen network that a loss asks, where that loss has a weight.

    Raises:
        FileNotFoundError, ValueError: none there, of another kind or size, or the judge.
    """
    described, network = checkpoint.load(Path(folder))
    found: str = preset(described.model, described.preset).kind
    if isinstance(network, guided.Translator) and kind == "classifier":  # its guide is all that it has
        network, found = network.guide, kind
    if found != kind or described.preset == "judge":
        raise ValueError(f"{folder} holds {described.model} {described.preset}: no {kind} for a loss.")
    own = described.build_config()
    if (own.image_size, own.channels) != (config.image_size, config.channels):
        raise ValueError(
            f"{folder} is for {own.channels} x {own.image_size}; faces here are"
            f" {config.channels} x {config.image_size}: name another, or do without by --set {without}."
        )
    return network.to(device).eval().requires_grad_(False)
