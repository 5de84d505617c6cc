"""Joins networks that were trained for one emotion each into one model that knows them all."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from fergan import checkpoint
from fergan.card import write_card
from fergan.checkpoint import Checkpoint, replace_file
from fergan.emotions import EMOTIONS
from fergan.images import GAP, sheet
from train.record import GRID_SEEDS, evolution


def last(run: Path) -> Path:
    """A run's last checkpoint.

    Raises:
        FileNotFoundError: it has kept none.
    """
    kept = sorted(run.glob(f"checkpoints/*/{checkpoint.CONFIG}"))
    if not kept:
        raise FileNotFoundError(f"{run} holds no checkpoint: train it first.")
    return kept[-1].parent


def join(runs: Sequence[Path], folder: Path) -> Checkpoint:
    """Runs of one emotion each, in EMOTIONS' order -> a checkpoint of all, with card and evolution.

    Raises:
        FileNotFoundError, ValueError: a run without a checkpoint, or of another network than the first.
    """
    found = [checkpoint.load(last(run)) for run in runs]
    first = found[0][0]
    config = {**first.config, "emotions": ",".join(told.config["emotions"] for told, _ in found)}
    weights: dict[str, Tensor] = {}
    for run, (told, network) in zip(runs, found, strict=True):
        own = {**told.config, "emotions": config["emotions"]}
        if (told.model, told.preset, own) != (first.model, first.preset, config):
            raise ValueError(f"{run} is of another network than {runs[0]}; train them alike.")
        weights |= network.state_dict()
    collapsed = [told.training.get("collapsed_at") for told, _ in found]
    joined = dataclasses.replace(
        first,
        config=config,
        step=sum(told.step for told, _ in found),
        images_seen=sum(told.images_seen for told, _ in found),
        training={
            **first.training,
            "minutes": round(sum(told.training["minutes"] for told, _ in found), 1),
            "images_each": [told.images_seen for told, _ in found],
            "collapsed_at": collapsed if any(collapsed) else None,
        },
    )
    checkpoint.save(folder, joined, weights)
    replace_file(folder / "README.md", write_card(joined).encode())
    frames = folder.parent / "frames"
    frames.mkdir(exist_ok=True)
    for name in sorted(set.intersection(*({p.name for p in (run / "frames").glob("*.png")} for run in runs))):
        columns(runs, name).save(frames / name)
    replace_file(folder / checkpoint.EVOLUTION, evolution(frames))
    return joined


def columns(runs: Sequence[Path], name: str) -> Image.Image:
    """A grid like other models': of each run's grid the first column, its first seeds."""
    rows: list[list[np.ndarray]] = [[] for _ in GRID_SEEDS]
    for run in runs:
        with Image.open(run / "frames" / name) as picture:
            pixels = np.asarray(picture)
        side = (pixels.shape[0] + GAP) // len(GRID_SEEDS)  # a tile and its gap
        for place, row in enumerate(rows):
            row.append(pixels[place * side : place * side + side - GAP, : side - GAP])
    return sheet(np.stack([tile for row in rows for tile in row]), columns=len(EMOTIONS))
