"""What a classifier's training leaves behind: its numbers, two pictures, a checkpoint that shows them."""

import copy
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from fergan import checkpoint
from fergan.calibration import fit_temperature, reliability
from fergan.card import write_card
from fergan.checkpoint import Checkpoint, replace_file
from fergan.emotions import EMOTIONS
from fergan.metrics import accuracy, confusion, expected_calibration_error, precision_recall_per_class
from fergan.models import MODELS
from fergan.models.classifier import Classifier
from train.learner import Learner, Parts

REPORT = "report.json"


def score(logits: Tensor, labels: Tensor) -> dict[str, Any]:
    """Logits [N, 7], labels int64 [N] -> n, accuracy, calibration error, and numbers for each emotion there.

    `confusion` has a row for each label and a column for each answer, in EMOTIONS' order.
    """
    predicted = logits.argmax(dim=1)
    counts = confusion(predicted, labels)
    precision, recall = precision_recall_per_class(counts)
    present = [(number, name) for number, name in enumerate(EMOTIONS) if int(counts[number].sum())]
    return {
        "n": len(labels),
        "accuracy": round(accuracy(predicted, labels), 5),
        "ece": round(expected_calibration_error(logits.double().softmax(dim=1), labels), 5),
        "precision": {name: round(float(precision[number]), 5) for number, name in present},
        "recall": {name: round(float(recall[number]), 5) for number, name in present},
        "confusion": counts.tolist(),
    }


def draw_confusion(counts: list[list[int]], rows: str = "labelled") -> bytes:
    """A confusion, as `score` gives it -> PNG: shares of each row, emotions that occur alone."""
    table = torch.tensor(counts)
    keep = [i for i in range(len(EMOTIONS)) if int(table[i].sum() + table[:, i].sum())]
    table, names = table[keep][:, keep], [EMOTIONS[i] for i in keep]
    shares = table / table.sum(dim=1, keepdim=True).clamp_min(1)
    figure = Figure(figsize=(5.6, 5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("read as")
    axes.set_ylabel(rows)
    for row in range(len(names)):
        for column in range(len(names)):
            share = float(shares[row, column])
            axes.text(
                column,
                row,
                f"{share:.0%}",
                ha="center",
                va="center",
                color="white" if share > 0.5 else "black",
            )
    return _png(figure)


def draw_reliability(before: Tensor, after: Tensor, labels: Tensor) -> bytes:
    """Logits [N, 7] before and after the temperature, labels [N] -> PNG of the reliability diagrams."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    titles = ("before calibration", "calibrated")
    for axes, logits, title in zip(figure.subplots(1, 2, sharey=True), (before, after), titles, strict=True):
        probabilities = logits.double().softmax(dim=1)
        bins = reliability(probabilities, labels)
        filled = bins.size > 0
        axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
        axes.bar(bins.confidence[filled].numpy(), bins.accuracy[filled].numpy(), width=0.045, color="#4477aa")
        error = expected_calibration_error(probabilities, labels)
        axes.set_title(f"{title}: calibration error {error:.1%}")
        axes.set_xlabel("how sure it says it is")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
    figure.axes[0].set_ylabel("how often it is right")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A finished training: the network with its temperature set, and what it scored."""

    network: Classifier
    metrics: dict[str, Any]
    """See `finish`."""
    pictures: dict[str, bytes]
    """PNGs by file name."""


@dataclasses.dataclass
class Best:
    """The best epoch so far."""

    epoch: int = 0
    weights: dict[str, Tensor] = dataclasses.field(default_factory=dict)


def finish(learner: Learner, parts: Parts, best: Best) -> Outcome:
    """The best epoch's network as a checkpoint holds it, calibrated on PublicTest, then tested, once.

    `metrics` has `epoch`, `temperature`, `public` and one entry for each test, as `score` gives them,
    after calibration; `ece_before` is the calibration error without.
    """
    network = copy.deepcopy(learner.tested)
    network.load_state_dict(best.weights)
    network.half().float()
    chosen_on = learner.answers(network, parts.validation)
    temperature = fit_temperature(chosen_on, parts.validation.labels)
    metrics: dict[str, Any] = {"epoch": best.epoch, "temperature": round(temperature, 5)}
    metrics["public"] = score(chosen_on / temperature, parts.validation.labels)
    pictures: dict[str, bytes] = {}
    for name, faces in parts.tests.items():
        logits = learner.answers(network, faces)
        scored = score(logits / temperature, faces.labels)
        metrics[name] = scored | {"ece_before": score(logits, faces.labels)["ece"]}
        if not pictures:  # of the first test: all of PrivateTest, or the fold
            pictures = {
                "confusion.png": draw_confusion(scored["confusion"]),
                "reliability.png": draw_reliability(logits, logits / temperature, faces.labels),
            }
    network.head.temperature.fill_(temperature)
    return Outcome(network, metrics, pictures)


def keep(
    folder: Path,
    own: dict[str, Any],
    outcome: Outcome,
    *,
    training: dict[str, Any],
    step: int,
    seen: int,
) -> None:
    """Writes report.json, the pictures, and for networks of MODELS a checkpoint with a card and the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {**own, "training": training, "step": step, "images_seen": seen, "metrics": outcome.metrics}
    replace_file(folder / REPORT, (json.dumps(facts, indent=2) + "\n").encode())
    places = [folder]
    if own["preset"] in MODELS["classifier"]:
        places.append(folder / "checkpoint")
        described = Checkpoint(
            model=own["model"],
            preset=own["preset"],
            config=own["config"],
            step=step,
            images_seen=seen,
            data=own["data"],
            training={**training, **own["recipe"]},
            metrics=outcome.metrics,
        )
        checkpoint.save(folder / "checkpoint", described, outcome.network.state_dict())
        replace_file(folder / "checkpoint" / "README.md", write_card(described).encode())
    for place in places:
        for name, picture in outcome.pictures.items():
            replace_file(place / name, picture)
