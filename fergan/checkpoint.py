"""A checkpoint is a folder, config.json and model.safetensors, that explains itself and loads strictly.

The same folder, but for its opponent and pictures of real faces, is what the Hub repository of a model holds. Training
state lives elsewhere (train/states.py).
"""

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from fergan.emotions import EMOTIONS
from fergan.models import preset

FORMAT = 1
CONFIG, WEIGHTS = "config.json", "model.safetensors"
MOST = 4096
"""What a number of a config may be: more would ask for more memory than any machine has."""
MOST_SEEN = 2**63 - 1
"""What a count of steps or images may be; a larger one may be more than any float, and is nobody's count."""
EVOLUTION, HISTORY = "evolution.webp", "history.json"
"""Beside them where a training left them: fixed noise from the first step on, and the curves of its log."""


@dataclass(frozen=True)
class Checkpoint:
    """All that config.json says of a model, but the hash of its weights."""

    model: str
    preset: str
    config: dict[str, Any]
    """The fields of the model's own frozen config; as read from a folder all of them, defaults too."""
    step: int = 0
    images_seen: int = 0
    data: str = ""
    """Fingerprint of the training data."""
    training: dict[str, Any] = field(default_factory=dict)
    """How it was trained: recipe, device, minutes, seed."""
    metrics: dict[str, Any] = field(default_factory=dict)

    def build_config(self) -> Any:
        """The model's config as its own dataclass.

        Raises:
            ValueError: an unknown model or preset, a field too many, or values that the config refuses.
        """
        cls = preset(self.model, self.preset).config
        known: dict[str, Any] = {f.name: type(f.default) for f in dataclasses.fields(cls)}
        if unknown := sorted(self.config.keys() - known.keys()):
            raise ValueError(f"the {self.model} config has no field {', '.join(unknown)}.")
        for name, value in self.config.items():
            kind = known[name]
            if type(value) is not kind and not (kind is float and type(value) is int):
                raise ValueError(f"{name} must be of type {kind.__name__}, got {value!r:.80}.")
            if kind in (int, float) and not 0 <= value <= MOST:
                raise ValueError(f"{name} must be from 0 to {MOST}, got {value!r:.80}.")
        try:
            return cls(**self.config)
        except (TypeError, ArithmeticError) as error:
            raise ValueError(f"the {self.model} config does not fit: {error}.") from error


def replace_file(path: Path, content: bytes) -> None:
    """Writes beside `path`, then renames: whoever reads sees the old file or the new one, never half.

    Raises:
        OSError: the disk is full or the folder not writable; the old file is untouched.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def slim(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they are written: on the CPU, floating-point ones as float16.

    Raises:
        ValueError: a weight that float16 cannot hold.
    """
    found = {name: tensor.detach().cpu() for name, tensor in weights.items()}
    found = {name: (t.half() if t.is_floating_point() else t).contiguous() for name, t in found.items()}
    if bad := _infinite(found):
        raise ValueError(
            f"The weight {bad} is not finite in float16, and was not written; go on from an earlier checkpoint."
        )
    return found


def _infinite(weights: Mapping[str, Tensor]) -> str | None:
    """The first weight with an infinity or a NaN in it."""
    return next((name for name, tensor in weights.items() if not bool(torch.isfinite(tensor).all())), None)


def save(folder: Path, checkpoint: Checkpoint, weights: Mapping[str, Tensor]) -> None:
    """Writes config.json and model.safetensors, floating-point weights as float16.

    Raises:
        ValueError: a weight that float16 cannot hold, or a fact that JSON cannot; what stood there is untouched.
        OSError: the folder cannot be written; so is it then.
    """
    content = save_tensors(slim(weights), metadata={"format": "pt"})
    described = {
        "format": FORMAT,
        **dataclasses.asdict(checkpoint),
        "emotions": list(EMOTIONS),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    try:
        told = (json.dumps(described, indent=2, default=_plain) + "\n").encode()
    except TypeError as error:
        raise ValueError(f"{CONFIG} cannot hold all that is told of this checkpoint: {error}.") from error
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / WEIGHTS, content)
    replace_file(folder / CONFIG, told)


def _plain(value: object) -> object:
    """A number of NumPy as Python's, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r:.80} is of type {type(value).__name__}")


def describe(folder: Path) -> Checkpoint:
    """Reads config.json alone, strictly.

    Raises:
        FileNotFoundError: no config.json there.
        ValueError: not JSON, another format, other emotions, unknown or missing keys, or a refused config.
    """
    return _read(folder)[0]


def fingerprint(folder: Path) -> str:
    """The first 12 digits of the sha256 of the weights, as config.json has it.

    Raises:
        FileNotFoundError, ValueError: as describe.
    """
    return _read(folder)[1][:12]


def load(folder: Path) -> tuple[Checkpoint, nn.Module]:
    """The checkpoint and its network, float32 on the CPU, in evaluation mode.

    Raises:
        FileNotFoundError: a file of the pair is not there.
        ValueError: anything that `describe` refuses, weights of another hash or not finite, or a layer
            missing, left over or of another shape. The sentence names the folder, what came and what was due.
    """
    checkpoint, sha256 = _read(folder)
    content = _weights(folder, sha256)
    try:
        weights = load_tensors(content)
    except SafetensorError as error:
        raise ValueError(f"{folder}: {WEIGHTS} is not a safetensors file: {error}.") from error
    network = preset(checkpoint.model, checkpoint.preset).network(checkpoint.build_config())
    expected = network.state_dict()
    missing, extra = sorted(expected.keys() - weights.keys()), sorted(weights.keys() - expected.keys())
    if missing or extra:
        raise ValueError(
            f"{folder} holds another network than a {checkpoint.model} of today: {len(missing)} layers missing,"
            f" {len(extra)} not known, as {(missing + extra)[0]}; train it anew, or use the fergan that saved it."
        )
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            came, due = tuple(tensor.shape), tuple(expected[name].shape)
            raise ValueError(f"{folder}: layer {name} has the shape {came}; {due} was due.")
    if bad := _infinite(weights):
        raise ValueError(f"{folder}: the weight {bad} is not finite; fetch it again, or train it anew.")
    network.load_state_dict(weights)
    return checkpoint, network.eval().requires_grad_(False)


def verify(folder: Path) -> Checkpoint:
    """As describe, and the weights are those that config.json speaks of. No network is built.

    Raises:
        FileNotFoundError: a file of the pair is not there.
        ValueError: anything that `describe` refuses, or weights of another hash.
    """
    checkpoint, sha256 = _read(folder)
    _weights(folder, sha256)
    return checkpoint


def _weights(folder: Path, sha256: str) -> bytes:
    content = _bytes(folder / WEIGHTS)
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ValueError(
            f"{folder}: {WEIGHTS} and {CONFIG} do not belong together (sha256 {found[:12]} came, "
            f"{sha256[:12]} was due); fetch or save the checkpoint again."
        )
    return content


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path.parent} holds no {path.name}; it is no checkpoint.") from None


def _read(folder: Path) -> tuple[Checkpoint, str]:
    content = _bytes(folder / CONFIG)
    try:
        described = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{folder}: {CONFIG} is not JSON: {error}.") from error
    if not isinstance(described, dict):
        raise ValueError(f"{folder}: {CONFIG} must hold an object, got {type(described).__name__}.")
    if described.get("format") != FORMAT:
        raise ValueError(f"{folder}: format {described.get('format')!r} came, {FORMAT} was due.")
    if (emotions := described.get("emotions")) != list(EMOTIONS):
        raise ValueError(f"{folder}: trained on the emotions {emotions}; expected {list(EMOTIONS)}.")
    keys = {f.name: f for f in dataclasses.fields(Checkpoint)}
    due = {*keys, "format", "emotions", "sha256"}
    if described.keys() != due:
        missing, extra = sorted(due - described.keys()), sorted(described.keys() - due)
        raise ValueError(
            f"{folder}: {CONFIG} lacks {missing or 'nothing'} and has unknown {extra or 'nothing'}."
        )
    kinds = {"model": str, "preset": str, "data": str, "config": dict, "training": dict, "metrics": dict}
    for key, kind in kinds.items():
        if not isinstance(described[key], kind):
            raise ValueError(
                f"{folder}: {key} in {CONFIG} must be a {kind.__name__}, got {described[key]!r}."
            )
    for key in ("step", "images_seen"):
        if type(count := described[key]) is not int or not 0 <= count <= MOST_SEEN:
            raise ValueError(
                f"{folder}: {key} in {CONFIG} must be a whole number of 0 or more, got {count!r:.80}."
            )
    checkpoint = Checkpoint(**{key: described[key] for key in keys})
    try:
        config = checkpoint.build_config()
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
    return dataclasses.replace(checkpoint, config=dataclasses.asdict(config)), str(described["sha256"])
