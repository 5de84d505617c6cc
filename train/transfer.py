"""torchvision's pretrained networks as classifiers of faces; the only importer of torchvision.

They are for comparison: no checkpoint of theirs is shipped, so the app never needs torchvision.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fergan.models.classifier import Classifier, Config, Head


class Source(NamedTuple):
    """A network of torchvision: its name there, and how to take off its head."""

    name: str
    trunk: Callable[[nn.Module], nn.Module]
    """The full network -> its convolutions, images -> maps."""
    features: int
    """Maps that the trunk gives."""


NETWORKS: dict[str, Source] = {
    "resnet18": Source("resnet18", lambda full: nn.Sequential(*list(full.children())[:-2]), 512),
    "mobilenet_v3": Source("mobilenet_v3_large", lambda full: _part(full, "features"), 960),
    "efficientnet_b0": Source("efficientnet_b0", lambda full: _part(full, "features"), 1280),
    "vgg16": Source("vgg16", lambda full: _part(full, "features"), 512),
}


@dataclass(frozen=True)
class TransferConfig(Config):
    """How faces are brought to a network that learnt from 224x224 colour photographs."""

    enlarge: int = 2
    """Times that a face is enlarged: 96x96 keeps maps of 3x3 at the end."""
    dropout: float = 0.2


class Transferred(Classifier):
    """A pretrained trunk, the means of its maps, a new head."""

    mean: Tensor
    std: Tensor

    def __init__(self, trunk: nn.Module, features: int, config: TransferConfig) -> None:
        super().__init__()
        self.trunk, self.enlarge = trunk, config.enlarge
        self.dropout = nn.Dropout(config.dropout)
        self.head = Head(features, config.known())
        # ImageNet's means and deviations, of channels in [0, 1]
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)

    def features(self, images: Tensor) -> Tensor:
        """Grey becomes three equal channels, the range ImageNet's; float32 [B, F]."""
        images = F.interpolate(images, scale_factor=self.enlarge, mode="bilinear", align_corners=False)
        images = ((images + 1) / 2).expand(-1, 3, -1, -1)
        maps = self.trunk((images - self.mean) / self.std)
        return self.dropout(maps.float().mean(dim=(2, 3)))


def build(name: str, config: TransferConfig, weights: str = "") -> Transferred:
    """One of NETWORKS with the weights of a file (.pth or .safetensors), or torchvision's own, fetched once.

    Raises:
        ValueError: torchvision is missing or unfit, or the weights are neither at hand nor the network's.
        FileNotFoundError: no file at `weights`.
    """
    source = NETWORKS[name]
    models = _torchvision().models
    with torch.device("meta"):  # vgg16's head alone has 124 million weights that nobody needs
        full = models.get_model(source.name)
    tensors = _from_file(Path(weights)) if weights else _fetched(models, source.name)
    due = full.state_dict()
    missing, extra = sorted(due.keys() - tensors.keys()), sorted(tensors.keys() - due.keys())
    wrong = sorted(key for key in due.keys() & tensors.keys() if due[key].shape != tensors[key].shape)
    if missing or extra or wrong:
        counts = f"{len(missing)} layers missing, {len(extra)} not known, {len(wrong)} of another shape"
        first = (missing + extra + wrong)[0]
        raise ValueError(f"{weights} does not hold torchvision's {source.name}: {counts}, as {first}.")
    full.load_state_dict({key: tensor.float() if tensor.is_floating_point() else tensor
                          for key, tensor in tensors.items()}, assign=True)  # fmt: skip
    return Transferred(source.trunk(full).requires_grad_(True), source.features, config)


def _part(full: nn.Module, name: str) -> nn.Module:
    part = getattr(full, name)
    assert isinstance(part, nn.Module)
    return part


def _from_file(path: Path) -> dict[str, Tensor]:
    """A state dict from a file; nothing in it is run."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: give the file of the network's weights.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, ValueError, UnpicklingError) as error:
        raise ValueError(f"{path} holds no weights that can be read: {type(error).__name__}.") from error
    if not isinstance(tensors, dict) or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise ValueError(f"{path} holds no state dict: tensors by name were due.")
    return tensors


def _fetched(models: ModuleType, name: str) -> dict[str, Tensor]:
    """torchvision's own weights, from its cache or the network."""
    weights = models.get_model_weights(name).DEFAULT
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:  # no network, or a file that is not what was due
        raise ValueError(
            f"torchvision's weights of {name} are not at hand and could not be fetched ({error}):"
            f" fetch {weights.url} where there is a network, and give the file with --pretrained."
        ) from error


def _torchvision() -> ModuleType:
    """The package, also where its wheel was built for CUDA and torch was not.

    Its compiled detection operators cannot load there, and the import fails on their names. No classifier
    uses them, so the names are declared and the import is done again.
    """
    try:
        import torchvision
    except ImportError as error:
        raise ValueError(
            "Pretrained networks need torchvision: pip install -r train/requirements.txt."
        ) from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise ValueError(f"torchvision does not fit torch {torch.__version__}: {error}") from error
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        _declared.append(torch.library.Library("torchvision", "FRAGMENT"))
        for operator in ("nms", "qnms"):
            _declared[0].define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    return torchvision


_declared: list[torch.library.Library] = []
"""Kept, since a library that is collected takes its names with it."""
