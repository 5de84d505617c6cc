"""Networks for one emotion each: how they begin as one that saw all, and become one model that knows them all."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fergan import checkpoint
from fergan.checkpoint import Checkpoint
from fergan.emotions import EMOTIONS
from fergan.images import GAP, Pixels, sheet
from fergan.models.dcgan import ALL
from train import history, states
from train.record import GRID_SEEDS, accompany, branch

NETWORKS = "networks"
"""What a bank's change of recipe names the emotions with where it was not that of all its networks."""


def pick(weights: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """A bank's weights -> those that a bank of one begins training with: of that emotion, or, for `all`, the mean of all.

    One that saw all emotions begins any. Networks that began as one are near enough for their mean to draw faces
    (Wortsman et al. 2022, "Model soups"). Statistics of shorter noise, which training makes untrue, are forgotten.

    Raises:
        ValueError: a bank without that network.
    """
    of: dict[str, dict[str, Tensor]] = {}
    for key, tensor in weights.items():
        _, owner, rest = key.split(".", 2)
        of.setdefault(owner, {})[rest] = tensor
    if name != ALL and not of.keys() & {name, ALL}:
        raise ValueError(f"The bank has networks of {', '.join(of)}; {name} is not among them.")
    one = of.get(name, of.get(ALL))
    found = [one] if one else list(of.values())

    def mean(key: str) -> Tensor:
        tensors = torch.stack([network[key] for network in found])
        if key.endswith("_off"):
            return torch.zeros_like(tensors[0])
        return tensors.mean(0) if tensors.is_floating_point() else tensors[0]

    return {f"networks.{name}.{key}": mean(key) for key in found[0]}


def seen(described: Checkpoint, name: str) -> int:
    """Images that the network which `pick` takes from a checkpoint has seen; of a mean, the mean."""
    each = described.training.get("images_each")
    if not each:  # a network alone
        return described.images_seen
    names = described.config["emotions"].split(",")
    own = each[names.index(name)] if name in names else sum(each) // len(each)
    return int(described.training["images_together"] + own)


def training_of(described: Checkpoint, name: str) -> dict[str, Any]:
    """What a checkpoint tells of the training of the network which `pick` takes from it; of a mean, that of the first."""
    names = described.config["emotions"].split(",")
    place = names.index(name) if name in names else 0

    def own(value: Any) -> Any:
        return value[place] if isinstance(value, list) and len(value) == len(names) > 1 else value

    training = {key: own(value) for key, value in described.training.items() if key != "changes"}
    changes = [
        {key: value for key, value in change.items() if key != NETWORKS}
        for change in described.training.get("changes", [])
        if names[place] in change.get(NETWORKS, names[place]).split(",")
    ]
    return {**training, "changes": changes}


def last(run: Path) -> Path:
    """A run's last checkpoint.

    Raises:
        FileNotFoundError: it has kept none.
    """
    kept = sorted(run.glob(f"checkpoints/*/{checkpoint.CONFIG}"))
    if not kept:
        raise FileNotFoundError(f"{run} holds no checkpoint: train it first.")
    return kept[-1].parent


def begin(base: Path, folder: Path, emotion: str) -> None:
    """Writes a run of one emotion whose two networks are those of a run of all, as it ended.

    Raises:
        FileNotFoundError: `base` holds no run.
    """
    tensors, facts = states.load(base / states.FILE)
    own = {name.replace(f".networks.{ALL}.", f".networks.{emotion}."): t for name, t in tensors.items()}
    change = {"emotions": [ALL, emotion]}
    branch(base, folder, own, facts, {**facts["config"], "emotions": emotion}, change)


def join(runs: Sequence[Path], folder: Path, base: Path | None = None) -> Checkpoint:
    """Runs of one emotion each, in EMOTIONS' order -> a checkpoint of all, with card, evolution and history.

    The evolution's pages are those that all runs drew, at the images that each had seen by then. The history's
    curves are means over the runs at equal images seen by each; its notes say whose they are. Where all of them
    began as `base` ended, what that saw and took counts once.

    Raises:
        FileNotFoundError, ValueError: a run without a checkpoint, or of another network than the first, or a log
            that is damaged.
    """
    found = [checkpoint.load(last(run)) for run in runs]
    first = found[0][0]
    config = {**first.config, "emotions": ",".join(told.config["emotions"] for told, _ in found)}
    weights: dict[str, Tensor] = {}
    for place, (told, network) in zip(runs, found, strict=True):
        own = {**told.config, "emotions": config["emotions"]}
        if (told.model, told.preset, own) != (first.model, first.preset, config):
            raise ValueError(f"{place} is of another network than {runs[0]}; train them alike.")
        weights |= network.state_dict()
    nothing = dataclasses.replace(first, step=0, images_seen=0, training={"minutes": 0.0})
    before, again = checkpoint.describe(last(base)) if base else nothing, len(runs) - 1
    joined = dataclasses.replace(
        first,
        config=config,
        step=sum(told.step for told, _ in found) - again * before.step,
        images_seen=sum(told.images_seen for told, _ in found) - again * before.images_seen,
        training={
            **together([told for told, _ in found]),
            "minutes": round(
                sum(told.training["minutes"] for told, _ in found) - again * before.training["minutes"], 1
            ),
            "images_together": before.images_seen,
            "images_each": [told.images_seen - before.images_seen for told, _ in found],
        },
    )
    checkpoint.save(folder, joined, weights)
    place, names = folder.parent, config["emotions"].split(",")
    (place / "frames").mkdir(exist_ok=True)
    for seen in pages(runs):
        columns = np.stack([first_column(run, seen) for run in runs], axis=1)
        grid = sheet(columns.reshape(-1, *columns.shape[2:]), columns=len(EMOTIONS))
        grid.save(history.frame(place, seen))
    log = history.together(dict(zip(names, runs, strict=True)))
    accompany(folder, joined, place, history.history(log, history.frames(place)))
    return joined


def together(found: Sequence[Checkpoint]) -> dict[str, Any]:
    """What networks of one emotion each tell of their training -> what their bank tells.

    A value that they do not share is a list in their order; a change that not all of them made names who did.
    """
    names = [described.config["emotions"] for described in found]
    training: dict[str, Any] = {}
    for key in dict.fromkeys(key for described in found for key in described.training if key != "changes"):
        values = [described.training.get(key) for described in found]
        training[key] = values[0] if values.count(values[0]) == len(values) else values
    made: list[tuple[dict[str, Any], list[str]]] = []
    for name, described in zip(names, found, strict=True):
        for change in described.training.get("changes", []):
            if change.get("emotions") == [ALL, name]:  # all began as one did
                change = {**change, "emotions": [ALL, ",".join(names)]}
            whose = next((whose for same, whose in made if same == change), None)
            if whose is None:
                made.append((change, [name]))
            else:
                whose.append(name)
    made.sort(key=lambda change: change[0]["images_seen"])
    training["changes"] = [
        change if whose == names else {**change, NETWORKS: ",".join(whose)} for change, whose in made
    ]
    return training


def pages(runs: Sequence[Path]) -> list[int]:
    """The images seen at the grids that all runs drew."""
    return sorted(set.intersection(*(set(history.frames(run)) for run in runs)))


def first_column(run: Path, seen: int) -> Pixels:
    """The first column of the grid that a run of one emotion drew then, its first seeds: [6, H, W] or [6, H, W, 3]."""
    with Image.open(history.frame(run, seen)) as picture:
        pixels = np.asarray(picture)
    side = (pixels.shape[0] + GAP) // len(GRID_SEEDS)  # a tile and its gap
    return np.stack([pixels[top : top + side - GAP, : side - GAP] for top in range(0, len(pixels), side)])
