"""Discriminators: the opponents that generators had in training, where a run or a checkpoint has left them.

A run's state holds its own (train/states.py writes it). A checkpoint that train.gan kept has it beside its weights, in
a file that no Hub gets, since nobody draws with it: whoever trains on from there needs it.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import nn

from fergan.checkpoint import describe, replace_file, slim
from fergan.emotions import one_hot
from fergan.images import Pixels, fit, from_array
from fergan.models import preset

STATE = "state.safetensors"
"""Where a run keeps everything that its next step depends on."""
FILE = "opponent.safetensors"
"""Where a checkpoint's folder keeps it, in float16."""
_PREFIX = "discriminator."


@dataclass(frozen=True)
class Opponent:
    """One discriminator, as its training left it."""

    model: str
    """The architecture of the generator that it was trained against."""
    network: nn.Module
    image_size: int
    channels: int
    device: torch.device

    def realness(self, faces: Pixels, labels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Faces, uint8 [B, H, W] or [B, H, W, 3], and FER2013 labels [B] -> logits [B], higher for real.

        Only their order means something: a relativistic loss (Jolicoeur-Martineau 2018) compares pairs, and
        leaves open from which number on a face is real. Each face is judged alone: beside others, the deviation
        within the batch (fergan.models.layers.minibatch_deviation) would tell of them too.
        """
        with torch.inference_mode():
            images = fit(from_array(faces).to(self.device), self.image_size, self.channels)
            rows = one_hot(torch.tensor(labels.tolist())).to(self.device)
            alone = zip(images.split(1), rows.split(1), strict=True)
            logits = [float(self.network(image, row).realness.float().mean()) for image, row in alone]
        return np.array(logits, np.float32)


def save(folder: Path, discriminator: nn.Module) -> None:
    """Writes a discriminator beside a checkpoint, its weights as float16.

    Raises:
        ValueError: a weight that float16 cannot hold; what stood there is untouched.
        OSError: the folder cannot be written; so is it then.
    """
    weights = {_PREFIX + name: tensor for name, tensor in discriminator.state_dict().items()}
    replace_file(folder / FILE, save_tensors(slim(weights)))


def load(place: Path, device: torch.device) -> Opponent:
    """The discriminator of a run's last state, or of a checkpoint.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it cannot be read, or does not fit its own config.
    """
    file = place / STATE if (place / STATE).is_file() else place / FILE
    if not file.is_file():
        raise FileNotFoundError(f"{place} is no folder of a run: it holds no {STATE}, nor an {FILE}.")
    try:
        with safe_open(file, framework="pt") as stored:
            if file.name == STATE:
                facts = json.loads((stored.metadata() or {})["facts"])
            else:
                facts = dataclasses.asdict(describe(place))
            named = [name for name in stored.keys() if name.startswith(_PREFIX)]  # noqa: SIM118 (no mapping)
            weights = {name.removeprefix(_PREFIX): stored.get_tensor(name) for name in named}
        found = preset(facts["model"], facts["preset"])
        if found.kind != "generator" or found.discriminator is None:
            raise ValueError(f"a {facts['model']} has no opponent that tells real faces from drawn ones")
        config = found.config(**facts["config"])
        network = found.discriminator(config)
        network.load_state_dict(weights)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{file} holds no discriminator that can be used: {first}.") from error
    network = network.eval().requires_grad_(False).to(device)
    return Opponent(facts["model"], network, config.image_size, config.channels, device)
