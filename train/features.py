"""The frozen networks that read faces for an evaluation: the judge, and Inception where it is at hand."""

import hashlib
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from fergan import checkpoint
from fergan.data import cache_folder
from fergan.emotions import EMOTIONS
from fergan.images import to_model
from fergan.models import preset
from fergan.models.classifier import Classifier
from train import transfer

BATCH = 128  # the same for every set: rounding depends on the shape of a batch
VERSION = 2  # a change of what a reader gives needs another, or old caches stay in use
INCEPTION_SIZE = 299
Reading = dict[str, Tensor]
"""What a network says of N faces: `features` float32 [N, F] and, for a judge, `predicted` int64 [N]."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Faces:
    """Faces of one kind and what each network says of them."""

    images: Tensor
    """uint8 [N, C, H, W]."""
    labels: Tensor
    """int64 [N]: what was asked, or what the data says."""
    readings: dict[str, Reading]
    """By reader; the judge's under "judge"."""

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, rows: Tensor | slice) -> "Faces":
        """Some of them: bool [N], int64 [n] or a slice."""
        readings = {
            name: {key: tensor[rows] for key, tensor in reading.items()}
            for name, reading in self.readings.items()
        }
        return Faces(self.images[rows], self.labels[rows], readings)

    @property
    def features(self) -> Tensor:
        """The judge's, float32 [N, F]."""
        return self.readings["judge"]["features"]

    @property
    def predicted(self) -> Tensor:
        """The emotion that the judge reads, int64 [N]."""
        return self.readings["judge"]["predicted"]

    @property
    def pixels(self) -> Tensor:
        """The images as rows, float32 [N, C * H * W]."""
        return to_model(self.images).flatten(1)


@dataclass(frozen=True)
class Reader:
    """A frozen network as the metrics need it: pixels in, a Reading out."""

    name: str
    sha256: str
    """Of its weights: readings are kept under it."""
    forward: Callable[[Tensor], Reading]
    device: torch.device

    @torch.inference_mode()
    def read(self, images: Tensor, what: str, *, keep: bool = False) -> Reading:
        """Faces, uint8 [N, C, H, W] -> a Reading on the CPU; with `keep` it is read once for all evaluations."""
        file = self._place(images) if keep else None
        if file and (kept := _kept(file)):
            return kept
        parts = [
            self.forward(part.to(self.device))
            for part in tqdm(images.split(BATCH), desc=f"{self.name} reads {what}", unit="batch", leave=False)
        ]
        reading = {key: torch.cat([part[key].cpu() for part in parts]).clone() for key in parts[0]}
        if file:
            _keep(reading, file)
        return reading

    def _place(self, images: Tensor) -> Path | None:
        """The file of these very pixels read by these very weights."""
        if (folder := cache_folder()) is None:
            return None
        digest = hashlib.sha256(f"{VERSION} {self.sha256} {tuple(images.shape)} ".encode())
        digest.update(images.contiguous().numpy().data)
        return folder / "features" / f"{digest.hexdigest()[:32]}.safetensors"


def _kept(file: Path) -> Reading | None:
    try:
        return load_tensors(file.read_bytes())
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError) as error:
        _log.warning("The features in %s cannot be read and are worked out anew: %s", file, error)
        return None


def _keep(reading: Reading, file: Path) -> None:
    """Writes the file whole or not at all; features that cannot be kept cost time, not the evaluation."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            part = Path(folder) / file.name
            save_file(reading, part)
            part.replace(file)
    except (OSError, SafetensorError) as error:
        _log.warning("The features could not be kept in %s: %s", file.parent, error)


def judge(folder: Path, device: torch.device) -> tuple[Reader, checkpoint.Checkpoint]:
    """The classifier of a checkpoint folder, and what the checkpoint says of it.

    Raises:
        FileNotFoundError: none there; the sentence says how to train one.
        ValueError: a broken checkpoint, one of another kind, or one that does not know all emotions.
    """
    if not (folder / checkpoint.CONFIG).is_file():
        raise FileNotFoundError(
            f"{folder} holds no judge: train one with `python -m train.classifier`, or name one with --judge."
        )
    described, network = checkpoint.load(folder)
    if not isinstance(network, Classifier):
        kind = preset(described.model, described.preset).kind
        raise ValueError(f"{folder} is a {kind}; a judge is a classifier.")
    if len(described.build_config().known()) < len(EMOTIONS):
        raise ValueError(f"{folder} tells {described.config['emotions']} apart; a judge knows all seven.")
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(pixels: Tensor) -> Reading:
        found = network.features(to_model(pixels).contiguous(memory_format=torch.channels_last))
        return {"features": found.float(), "predicted": network.head(found).argmax(1)}

    sha256 = hashlib.sha256((folder / checkpoint.WEIGHTS).read_bytes()).hexdigest()
    return Reader(folder.resolve().name, sha256, forward, device), described


def inception(path: Path, device: torch.device) -> Reader:
    """Inception v3 from a file: TorchScript (the network of published FIDs) or torchvision's state dict.

    Faces are resized to 299 x 299 bicubically with antialiasing, as clean-fid does (Parmar et al. 2022). Only
    numbers that were read by the same file compare; torchvision's weights give others than published ones.

    Raises:
        OSError, ValueError: no such file, or neither form.
    """
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    try:
        network: nn.Module = _Script(torch.jit.load(path, map_location=device)).eval()
    except RuntimeError:
        network = _torchvision_inception(path).to(device)

    def forward(pixels: Tensor) -> Reading:
        size = (INCEPTION_SIZE, INCEPTION_SIZE)
        x = F.interpolate(pixels.float(), size, mode="bicubic", antialias=True).clamp(0, 255)
        return {"features": network(x.expand(-1, 3, -1, -1)).flatten(1).float()}

    return Reader("inception", sha256, forward, device)


class _Script(nn.Module):
    """The network of published FIDs, which takes pixels 0..255 and gives features when told to."""

    def __init__(self, script: nn.Module) -> None:
        super().__init__()
        self.script = script

    def forward(self, x: Tensor) -> Tensor:
        return self.script(x, return_features=True)


class _Normalised(nn.Module):
    """Pixels 0..255 as ImageNet's, then the network: which takes them to [-1, 1], what its weights learnt from."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.network((x / 255 - self.mean) / self.std)


def _torchvision_inception(path: Path) -> nn.Module:
    network = transfer._torchvision().models.inception_v3(
        weights=None, init_weights=False, transform_input=True
    )
    try:
        network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    except (RuntimeError, EOFError, ValueError, TypeError, UnpicklingError) as error:
        words = str(error).splitlines()[0]
        raise ValueError(
            f"{path} is no Inception v3, neither TorchScript nor torchvision's: {words}"
        ) from error
    network.fc = nn.Identity()
    return _Normalised(network).eval().requires_grad_(False)
