"""A checkpoint's card (README.md), written from its config and never by hand.

Its head is YAML as the Hub reads it, with what was measured in the form of `model-index`.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fergan.about import (
    DATA,
    LED,
    LICENCE,
    LIKENESS,
    LIMITS,
    OWN_DATA,
    OWN_LICENCE,
    OWN_LIMITS,
    SEEN,
    SOURCES,
    TESTS,
    About,
    kind,
)
from fergan.checkpoint import EVOLUTION, Checkpoint
from fergan.data import FER2013
from fergan.metrics import METRICS, is_number
from fergan.models import MODELS

PICTURES = (EVOLUTION, "samples.png", "confusion.png", "reliability.png")
"""The pictures that a card may show. None of them has a real face in it."""


def write_card(checkpoint: Checkpoint, pictures: Collection[str] = PICTURES) -> str:
    """The card's Markdown, with the metadata that the Hub reads in its head.

    `pictures` are those of PICTURES that lie beside it, where that is known.
    """
    about, size = kind(checkpoint.model), checkpoint.config.get("image_size", 48)
    emotions = str(checkpoint.config.get("emotions", "")).replace(",", ", ")
    words = {"size": f"{size}x{size}", "side": size, "emotions": emotions}
    words["features"] = checkpoint.config.get("features", "?")
    ours = _ours(checkpoint)
    whose = "FER2013's" if ours else "its maker's own"
    sources = "\n".join(([SOURCES] if ours else []) + ([f"- {about.paper}."] if about.paper else []))
    parts = [
        f"---\n{_head(checkpoint, about)}\n---",
        f"# {about.title}, {checkpoint.preset} preset",
        f"{about.does.format(**words)} Trained on {whose} Training split for {checkpoint.images_seen:,} images"
        f" ({checkpoint.step:,} steps).",
        _pictures(checkpoint, about, pictures),
        f"## Use\n\n{about.use} {about.misuse}\n\n{_usage(checkpoint, about.how.format(**words))}",
        _evaluation(checkpoint),
        f"## Training data\n\n{DATA if ours else OWN_DATA}\n\nFingerprint of what was read: `{checkpoint.data or 'unknown'}`.",
        f"## Procedure\n\n{_procedure(checkpoint)}",
        f"## Limits and bias\n\n{_limits(checkpoint)}",
        f"## Licence\n\n{LICENCE if ours else OWN_LICENCE}",
        f"## Citation\n\n{sources}" if sources else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _ours(checkpoint: Checkpoint) -> bool:
    """Whether it learnt from FER2013; checkpoints that say nothing are older than the choice, and did."""
    return bool(checkpoint.training.get("faces", FER2013) == FER2013)


def _translates(checkpoint: Checkpoint) -> bool:
    return any(found.kind == "translator" for found in MODELS.get(checkpoint.model, {}).values())


def _head(checkpoint: Checkpoint, about: About) -> str:
    kind = [] if checkpoint.model in ("classifier", "identity", "guided") else ["gan"]
    head: dict[str, Any] = {
        "library_name": "fergan",
        "pipeline_tag": about.task,
        "license": "other",
        "license_name": "research-only",
        "tags": [*kind, "faces", "emotion", *(["fer2013"] if _ours(checkpoint) else [])],
    }
    if results := list(_results(checkpoint, about)):
        head["metrics"] = list(dict.fromkeys(m["type"] for result in results for m in result["metrics"]))
        head["model-index"] = [{"name": f"fergan {checkpoint.model} {checkpoint.preset}", "results": results}]
    return "\n".join(_yaml(head))


def _yaml(values: Mapping[str, Any], margin: str = "") -> Iterator[str]:
    """A mapping as YAML's lines; its scalars and their lists as JSON, which is YAML too."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield f"{margin}{key}:"
            yield from _yaml(value, margin + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{margin}{key}:"
            for item in value:
                first, *others = _yaml(item, margin + "  ")
                yield from (f"{margin}- {first.lstrip()}", *others)
        else:
            yield f"{margin}{key}: {json.dumps(value, ensure_ascii=False)}"


def _results(checkpoint: Checkpoint, about: About) -> Iterator[dict[str, Any]]:
    """What was measured, in the form of model-index: a result for each set of faces."""
    found, training = checkpoint.metrics, checkpoint.training
    ours = {"name": "FER2013", "type": "fer2013"}
    data = ours if _ours(checkpoint) else {"name": "its maker's own", "type": "image-folders"}
    if checkpoint.model == "classifier":
        scores = {"accuracy": "accuracy", "ece": "calibration error"}
        for name, words in TESTS.items():
            own = found.get(name, {})
            how = {"n": own.get("n"), "seed": training.get("seed"), "command": training.get("command")}
            yield from _result(about.task, words, scores, own, how, data)
        return
    known = {name: words for name, (words, _) in LIKENESS.items() if not name.startswith("chance")}
    if checkpoint.model != "identity":
        real = ("n", "accuracy_real")  # of the faces, not of the model
        known = {name: metric.title for name, metric in METRICS.items() if name not in real}
    how = {name: found.get(name) for name in ("n", "n_real", "seeds", "judge", "evaluation_data", "command")}
    seen = LED if _translates(checkpoint) else SEEN
    yield from _result(about.task, seen, known, found, how, data)


def _result(
    task: str,
    split: str,
    known: Mapping[str, str],
    found: Mapping[str, Any],
    how: Mapping[str, Any],
    data: Mapping[str, str],
) -> Iterator[dict[str, Any]]:
    """One result with the known metrics that were found, and how; none where there are none."""
    metrics = [
        {"type": name, "value": found[name], "name": title}
        for name, title in known.items()
        if is_number(found.get(name))
    ]
    if metrics:
        args = {name: value for name, value in how.items() if value is not None}
        told = {**data, "split": split} | ({"args": args} if args else {})
        yield {"task": {"type": task}, "dataset": told, "metrics": metrics}


def _pictures(checkpoint: Checkpoint, about: About, there: Collection[str]) -> str:
    """Those of the kind that lie there; all but the evolution come with measuring."""
    captions = {"confusion.png": "What was asked for, and what the judge reads"}
    if checkpoint.model == "classifier":
        captions = {
            "confusion.png": "How each emotion is read",
            "reliability.png": "How sure it says it is, and how often it is right",
        }
    elif checkpoint.model == "identity":
        captions = {}
    elif not _translates(checkpoint):
        captions = {"samples.png": "Six people under the seven emotions", **captions}
    if not checkpoint.metrics:
        captions = {}
    if checkpoint.model not in ("classifier", "identity"):
        captions = {EVOLUTION: about.evolution, **captions}
    return "\n\n".join(f"![{words}]({name})" for name, words in captions.items() if name in there)


def _usage(checkpoint: Checkpoint, how: str) -> str:
    if checkpoint.model == "identity":
        return (
            f'```python\nfrom fergan import checkpoint, hub\n\nname = "OWNER/NAME"  # this repo\n{how}\n```'
        )
    return f"""```sh
python app.py --models weights OWNER/NAME  # this repo, beside the models that come with the page
```

```python
from fergan.engine import Engine

engine = Engine(["OWNER/NAME"])  # or this folder's path
[model] = engine.models
{how}
```"""


def _evaluation(checkpoint: Checkpoint) -> str:
    """What was found, with the command that finds it again; nothing where nobody has measured."""
    found = checkpoint.metrics
    if checkpoint.model == "classifier":
        text = _scores(checkpoint)
    elif checkpoint.model == "identity":
        alike = [
            (words, format(found[name], form)) for name, (words, form) in LIKENESS.items() if name in found
        ]
        text = f"On {found.get('n', 0):,} faces of the tests, none of them in Training, each once:\n\n"
        text = text + _table("what", "value", rows=alike) if alike else ""
    else:
        known = [(METRICS[name], found[name]) for name in METRICS if is_number(found.get(name))]
        rows = [(metric.title, metric.show(value), metric.meaning) for metric, value in known]
        how = f"\n\nSeeds {found.get('seeds')}, judge {found.get('judge')}: `{found.get('command')}`"
        text = _table("what", "value", "meaning", rows=rows) + how + _by_emotion(found) if rows else ""
    return f"## Evaluation\n\n{text}" if text else ""


def _by_emotion(found: Mapping[str, Any]) -> str:
    told = {name: own for name, own in found.get("emotions", {}).items() if "n" in own}
    columns = [name for name in METRICS if told and all(is_number(own.get(name)) for own in told.values())]
    rows = [(name, *(METRICS[column].show(own[column]) for column in columns)) for name, own in told.items()]
    heads = ["emotion", *(METRICS[column].title for column in columns)]
    return f"\n\nEmotion by emotion:\n\n{_table(*heads, rows=rows)}" if rows else ""


def _scores(checkpoint: Checkpoint) -> str:
    """What a classifier scored, where, and how far its probabilities can be believed."""
    metrics = checkpoint.metrics
    told = [(words, metrics[name]) for name, words in TESTS.items() if name in metrics]
    if not told:
        return ""
    rows = [
        (
            words,
            f"{own['n']:,}",
            f"{own['accuracy']:.1%}",
            f"{own['ece']:.1%}",
            _percent(own.get("ece_before")),
        )
        for words, own in told
    ]
    words, first = told[0]
    emotions = [
        (name, f"{first['precision'][name]:.1%}", f"{read:.1%}") for name, read in first["recall"].items()
    ]
    heads = ("measured on", "faces", "accuracy", "calibration error", "without the temperature")
    return f"""{_table(*heads, rows=rows)}

The weights are those of epoch {metrics.get("epoch", "?")}. Its probabilities are calibrated: the logits are divided by {metrics.get("temperature", 1)}
(Guo et al. 2017), inside the network. Seed {checkpoint.training.get("seed")}; training ends with measuring: `{checkpoint.training.get("command")}`

Emotion by emotion, on {words}:

{_table("emotion", "precision", "recall", rows=emotions)}"""


def _procedure(checkpoint: Checkpoint) -> str:
    rows = [
        (name.replace("_", " "), f"`{value}`" if name == "command" else str(value))
        for name, value in checkpoint.training.items()
        if value not in ([], None)
    ]
    return _table("what", "value", rows=rows)


def _limits(checkpoint: Checkpoint) -> str:
    """What is known of the data, and which emotions come out worst as far as that was measured."""
    emotions = checkpoint.metrics.get("emotions", {})
    reads = {name: own.get("accuracy", own.get("target_read")) for name, own in emotions.items()}
    read = {name: share for name, share in reads.items() if share is not None}
    if checkpoint.model == "classifier":
        told = [checkpoint.metrics[name] for name in TESTS if name in checkpoint.metrics]
        read = told[0]["recall"] if told else {}
    worst = sorted(read, key=lambda name: read[name])[:2]
    words = " and ".join(f"{name} ({read[name]:.0%})" for name in worst)
    limits = LIMITS if _ours(checkpoint) else OWN_LIMITS
    return f"{limits}\n\nRead worst, by emotion: {words}." if words else limits


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _table(*heads: str, rows: Collection[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
