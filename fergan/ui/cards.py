"""A model's card for the page: its numbers, what is good of them, what is mistaken for what, its history. No Gradio.

A checkpoint may come from anywhere and may say anything of itself: what does not read as a number is left out.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fergan.emotions import EMOTIONS
from fergan.engine import EVOLUTION, Engine
from fergan.metrics import METRICS, Metric, is_number
from fergan.ui import models

Counts = list[list[int]]
READING: dict[str, Metric] = {
    "n": Metric("N", "real test faces that it read", "", ",d"),
    "accuracy": Metric("accuracy", "test faces that it reads as they are labelled", "higher", ".1%"),
    "accuracy_clean": Metric(
        "accuracy, clean", "the same without the test faces that stand in Training too", "higher", ".1%"
    ),
    "ece": Metric(
        "calibration error",
        "how far what it says it is sure of lies from how often it is right",
        "lower",
        ".1%",
    ),
    "precision": Metric("precision", "of the faces read as this emotion, those labelled so", "higher", ".1%"),
    "recall": Metric("recall", "of the faces labelled with this emotion, those read so", "higher", ".1%"),
}
"""A classifier's numbers, as METRICS are a generator's."""
SHOWN = {"generator": METRICS, "translator": METRICS, "classifier": READING}
"""The numbers that a kind of model has."""
GOOD = {"lower": "lower is better", "higher": "higher is better", "one": "best near 1", "": ""}

_TESTS = {"private": "PrivateTest", "held_out": "the fold held out", "public": "PublicTest"}
_TERMS = {
    "device": "Trained on",
    "minutes": "Minutes of training",
    "precision": "Numbers during training",
    "seed": "Seed of the training",
    "command": "Trained with",
}


class Measures(NamedTuple):
    """What was measured of a model."""

    numbers: Mapping[str, Any]
    """By the names of SHOWN."""
    emotions: Mapping[str, Any]
    """The same for each emotion."""
    counts: Any
    """A row for each emotion asked for, or labelled; a column for each that was read."""
    said: str
    """On what it was measured, in a sentence."""
    yardstick: str
    """Numbers of two models can be compared where this is the same."""


def card(engine: Engine, name: str) -> dict[str, Any]:
    """All that the tab shows of a model but its faces, as JSON."""
    kind = models.kind(engine, name)
    found = (
        _read(engine.models[name].metrics) if kind == "classifier" else _drawn(engine.models[name].metrics)
    )
    numbers, counts = _numbers(found.numbers, SHOWN[kind]), _counts(found.counts)
    emotions = {emotion: _numbers(found.emotions.get(emotion), SHOWN[kind]) for emotion in EMOTIONS}
    measured = bool(numbers or counts)
    return {
        "name": name,
        "title": models.title(name),
        "kind": kind,
        "sentence": models.sentence(engine, name),
        "measured": found.said if measured else "",
        "yardstick": found.yardstick if measured else "",
        "unmeasured": None if measured else _how_to_measure(engine, name),
        "numbers": numbers,
        "emotions": emotions if any(emotions.values()) else {},
        "counts": counts,
        "history": _history(engine, name),
        "evolution": (engine.folder(name) / EVOLUTION).is_file(),
    }


def meanings() -> dict[str, dict[str, dict[str, str]]]:
    """For each kind of model its numbers in words: title, meaning, what is good."""
    return {
        kind: {
            name: {"title": metric.title, "meaning": metric.meaning, "good": GOOD[metric.better]}
            for name, metric in shown.items()
        }
        for kind, shown in SHOWN.items()
    }


def merit(metric: Metric, value: float) -> float | None:
    """How good a value is: the larger the better; None where a value is neither good nor bad."""
    merits = {"higher": value, "lower": -value, "one": -abs(value - 1)}
    return round(merits[metric.better], 9) if metric.better else None  # 0.98 is as near to 1 as 1.02


def _numbers(values: Any, shown: Mapping[str, Metric]) -> dict[str, dict[str, Any]]:
    """Those that can be shown, in the order of `shown`: as a table shows them, and their merit."""
    values = values if isinstance(values, Mapping) else {}
    found = {}
    for name, metric in shown.items():
        value = values.get(name)
        if is_number(value):
            found[name] = {"shown": metric.show(value), "merit": merit(metric, value)}
    return found


def _counts(values: Any) -> Counts | None:
    """A confusion as `fergan.metrics.confusion` gives it; None for anything else, or where nobody was read."""
    if not isinstance(values, list) or [len(row) for row in values if isinstance(row, list)] != [7] * 7:
        return None
    flat = [count for row in values for count in row]
    if not all(isinstance(count, int) and count >= 0 for count in flat) or not any(flat):
        return None
    return values


def _drawn(metrics: Mapping[str, Any]) -> Measures:
    """A generator's, as train/evaluate.py writes them."""
    said = []
    if isinstance(n := metrics.get("n"), int):
        said.append(f"on {n:,} drawn faces")
    if "seeds" in metrics:
        said.append(f"of the seeds {metrics['seeds']}")
    if "judge" in metrics:
        said.append(f"with the {metrics['judge']}")
    yardstick = [str(metrics.get(name, "")) for name in ("judge", "n", "n_real", "evaluation_data")]
    return Measures(
        metrics,
        _mapping(metrics, "emotions"),
        metrics.get("confusion"),
        f"Measured {' '.join(said)}.".replace(" .", "."),
        ", ".join(yardstick),
    )


def _read(metrics: Mapping[str, Any]) -> Measures:
    """A classifier's, as train/report.py writes them: those of the first test that there is."""
    part = next((part for part in _TESTS if _mapping(metrics, part)), "private")
    found, clean = _mapping(metrics, part), _mapping(metrics, f"{part}_clean")
    precision, recall = _mapping(found, "precision"), _mapping(found, "recall")
    emotions = {
        emotion: {"precision": precision.get(emotion), "recall": recall.get(emotion)} for emotion in EMOTIONS
    }
    said = f"Measured on the faces of {_TESTS[part]}."
    numbers = {**found, "accuracy_clean": clean.get("accuracy"), "precision": None, "recall": None}
    return Measures(numbers, emotions, found.get("confusion"), said, f"{part} {found.get('n')}")


def _how_to_measure(engine: Engine, name: str) -> dict[str, str]:
    """A sentence, and the command that measures the model, where there is one."""
    found, kind, folder = engine.models[name], models.kind(engine, name), engine.folder(name)
    place = folder.as_posix()
    if folder.is_absolute():  # where this server keeps it is nobody's business
        place = f"weights/{name.partition('@')[0].rpartition('/')[2]}"
    command = {
        "generator": f"python -m train.evaluate {place}",
        "classifier": f"python -m train.classifier --model {found.preset} --data fer2013",
    }.get(kind, "")
    sentences = {
        "generator": "Nobody has measured this model yet. This command does:",
        "classifier": "This model came without numbers. Training one ends with measuring it:",
    }
    return {"sentence": sentences.get(kind, "Nobody has measured this model yet."), "command": command}


def _history(engine: Engine, name: str) -> list[tuple[str, str]]:
    """How the model came to be: terms with their values."""
    found = engine.models[name]
    training, terms = dict(found.training), models.origin(engine, name)
    for key, term in _TERMS.items():
        if key in training:
            terms.append((term, _word(training.pop(key))))
    changes = training.pop("changes", [])
    if isinstance(changes, list):
        terms += [("Changed on the way", _change(change)) for change in changes]
    if training:
        words = [f"{key.replace('_', ' ')} {_word(value)}" for key, value in training.items()]
        terms.append(("Recipe", " · ".join(words)))
    for key, term in (("epoch", "Weights are those of epoch"), ("temperature", "Temperature")):
        if key in found.metrics:
            terms.append((term, _word(found.metrics[key])))
    terms.append(("Fingerprint of the weights", engine.fingerprint(name)))
    if "command" in found.metrics:
        terms.append(("Measured with", str(found.metrics["command"])))
    return terms


def _change(change: Any) -> str:
    """One entry of a recipe's changes: {"images_seen": n, "power": [0.5, 1.0]}."""
    if not isinstance(change, dict):
        return str(change)
    told = []
    for key, value in change.items():
        if key != "images_seen":
            between = isinstance(value, list) and len(value) == 2
            words = f"{_word(value[0])} to {_word(value[1])}" if between else _word(value)
            told.append(f"{key.replace('_', ' ')} {words}")
    seen = change.get("images_seen")
    when = ""
    if isinstance(seen, int):
        when = f"after {seen:,} faces: " if seen else "from the first face on: "
    return when + ", ".join(told)


def _word(value: Any) -> str:
    """A value of JSON for a person: yes for true, none for null."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside an object; empty where there is none."""
    found = values.get(name)
    return found if isinstance(found, Mapping) else {}
