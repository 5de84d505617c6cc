"""A run's state: the tensors and facts that --resume goes on from, in one file of its folder."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from fergan.checkpoint import replace_file
from fergan.opponents import STATE as FILE

__all__ = ["FILE", "load", "of_module", "of_optimizer", "save", "to_module", "to_optimizer", "vacant"]


def of_optimizer(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """An optimizer's moments as named tensors; its settings come from the recipe."""
    state = optimizer.state_dict()["state"]
    return {f"{prefix}.{i}.{k}": v for i, slots in state.items() for k, v in slots.items()}


def to_optimizer(optimizer: torch.optim.Optimizer, prefix: str, tensors: dict[str, Tensor]) -> None:
    """The reverse of of_optimizer.

    Moments take their parameter's memory layout again: a fused Adam walks both as flat memory.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix + "."):
            number, key = name[len(prefix) + 1 :].split(".", 1)
            like = parameters[int(number)]
            fits = tensor.shape == like.shape
            state.setdefault(int(number), {})[key] = torch.empty_like(like).copy_(tensor) if fits else tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def save(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Everything that a run needs to go on, in one safetensors file that is replaced whole."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    replace_file(path, save_tensors(plain, metadata={"facts": json.dumps(facts)}))


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The reverse of save.

    Raises:
        FileNotFoundError: there is no state to go on from.
        ValueError: it is damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: there is no run to resume; start without --resume.")
    try:
        with safe_open(path, framework="pt") as stored:
            facts = json.loads(stored.metadata()["facts"])
            return {name: stored.get_tensor(name) for name in stored.keys()}, facts  # noqa: SIM118 (no mapping)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged ({str(error).splitlines()[0]}): begin with the last of its folder's checkpoints, by"
            " --start and another --out."
        ) from error


def vacant(folder: Path) -> None:
    """Says no where a run has left its state or a checkpoint: a new one would write over them.

    Raises:
        ValueError: what to do instead.
    """
    if (folder / FILE).is_file() or any(folder.glob("checkpoint*")):
        raise ValueError(
            f"{folder} holds a run: go on with it by --resume, or name another folder with --out."
        )


def of_module(network: nn.Module, prefix: str) -> dict[str, Tensor]:
    """A network's state with a prefix before each name."""
    return {f"{prefix}.{name}": tensor for name, tensor in network.state_dict().items()}


def to_module(network: nn.Module, prefix: str, tensors: dict[str, Tensor]) -> None:
    """The reverse of of_module, strict."""
    own = {n[len(prefix) + 1 :]: t for n, t in tensors.items() if n.startswith(prefix + ".")}
    network.load_state_dict(own)
