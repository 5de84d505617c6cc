"""A checkpoint's card (README.md), written from its config and never by hand.

Its head is YAML as the Hub reads it, with what was measured in the form of `model-index`.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fergan.checkpoint import EVOLUTION, Checkpoint
from fergan.data import FER2013
from fergan.metrics import METRICS, is_number

PICTURES = (EVOLUTION, "samples.png", "confusion.png", "reliability.png")
"""The pictures that a card may show. None of them has a real face in it."""


@dataclass(frozen=True)
class About:
    """What is told of a kind of model, whatever its checkpoint says."""

    title: str
    task: str
    """The Hub's name for what it does."""
    does: str
    """With {size} for the side of a face."""
    how: str
    """Python that asks it for something."""
    paper: str
    evolution: str = "Fixed noise, seven emotions, from the first step on"
    use: str = (
        "Made to look at and to play with. Nobody shown is a real person, but it learnt from real ones."
    )
    misuse: str = "It must not be used to deceive, nor to judge people."


_DRAW = (
    "faces = engine.generate(name, [[0, 0, 0, 1, 0, 0, 0]], seeds=[7])  # happy; uint8 [1, {side}, {side}]"
)
_DRAWS = "Draws {size} faces that show an emotion."
_CHANGED = "Made to look at and to play with. A changed photo shows what its person never did: say so wherever you show it."
_NOT_ON_OTHERS = (
    "It must not be used to deceive, nor on photos of people who did not agree to it, nor to judge people."
)
_TASK = "unconditional-image-generation"
ABOUT = {
    "cgan": About(
        "Conditional GAN",
        _TASK,
        _DRAWS,
        _DRAW,
        "Mirza & Osindero 2014, Conditional Generative Adversarial Nets",
    ),
    "acgan": About(
        "AC-GAN",
        _TASK,
        _DRAWS,
        _DRAW,
        "Odena et al. 2017, Conditional Image Synthesis with Auxiliary Classifier GANs",
    ),
    "dcgan": About(
        "DCGAN, a network for each emotion",
        _TASK,
        _DRAWS,
        _DRAW,
        "Radford et al. 2016, Unsupervised Representation Learning with DCGANs",
    ),
    "stylegan": About(
        "StyleGAN2 in small",
        _TASK,
        _DRAWS,
        _DRAW,
        "Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN",
    ),
    "stargan": About(
        "StarGAN",
        "image-to-image",
        "Gives a {size} face another expression, by as much as is asked.",
        "changed = engine.translate_faces(name, faces, [[0, 0, 0, 1, 0, 0, 0]], [1.0])  # faces: uint8 [1, {side}, {side}]",
        "Choi et al. 2018, StarGAN: Unified Generative Adversarial Networks for Multi-Domain Image-to-Image Translation",
        "Drawn faces, and what becomes of them under seven emotions, from the first step on",
        _CHANGED,
        _NOT_ON_OTHERS,
    ),
    "guided": About(
        "Guided translator",
        "image-to-image",
        "Gives a {size} face another expression, by as much as is asked: it bends and shades the face until a"
        " classifier that was hardened against small changes sees the emotion.",
        "changed = engine.translate_faces(name, faces, [[0, 0, 0, 1, 0, 0, 0]], [1.0])  # faces: uint8 [1, {side}, {side}]",
        "Santurkar et al. 2019, Image Synthesis with a Single (Robust) Classifier; Xiao et al. 2018, Spatially"
        " Transformed Adversarial Examples",
        use=_CHANGED,
        misuse=_NOT_ON_OTHERS,
    ),
    "classifier": About(
        "Classifier of emotions",
        "image-classification",
        "Says which emotion a {size} face shows, of {emotions}.",
        "probabilities = engine.classify(faces, name)  # faces: uint8 [B, H, W]; float32 [B, 7]",
        "He et al. 2016, Deep Residual Learning; Guo et al. 2017, On Calibration of Modern Neural Networks",
        use="Made to measure drawn faces, not people: it tells what raters would call a posed picture, not what"
        " anybody feels.",
        misuse="It must not be used to judge, select or watch people.",
    ),
    "identity": About(
        "The same face or another",
        "image-feature-extraction",
        "Gives a {size} face a row of {features} numbers; rows of one photo's views lie close. It never saw an"
        " emotion's label. It measures, and helps in training to keep, how much of a person is left when a face gets"
        " another expression.",
        "_, network = checkpoint.load(hub.fetch(name))  # images [B, 1, {side}, {side}] in [-1, 1]",
        "Chen et al. 2020, A Simple Framework for Contrastive Learning of Visual Representations (the loss)",
        use="A yardstick for drawn faces, not face recognition: it was shown no two photos of one person, and knows"
        " likeness of photos, hair and light included.",
        misuse="It must not be used to find or to check who somebody is.",
    ),
}
SEEN = "PublicTest and PrivateTest without the faces that stand in Training"
TRANSLATORS = ("stargan", "guided")
LED = "PrivateTest without the faces that stand in Training"
"""What translators are measured on: PublicTest chose the guide's epoch."""
TESTS = {
    "private": "PrivateTest, all of it",
    "private_clean": "PrivateTest without the faces that stand in Training",
    "held_out": "the fold held out",
    "public": "PublicTest without the faces that stand in Training, where epoch and temperature were chosen",
}
"""The parts that a classifier's metrics tell of, the main one first."""
LIKENESS = {
    "retrieval": ("faces whose other view is the nearest of all", ".1%"),
    "same": ("mean cosine of two views of one face", ".3f"),
    "different": ("mean cosine of different faces", ".3f"),
    "auc": ("ROC AUC, views of one face against different faces", ".4f"),
    "nearest_emotion": ("nearest other faces that show the same emotion", ".1%"),
    "chance_emotion": ("any other faces that show the same emotion", ".1%"),
}
"""An embedder's metrics."""


def write_card(checkpoint: Checkpoint, pictures: Collection[str] = PICTURES) -> str:
    """The card's Markdown, with the metadata that the Hub reads in its head.

    `pictures` are those of PICTURES that lie beside it, where that is known.
    """
    about, size = _about(checkpoint.model), checkpoint.config.get("image_size", 48)
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


DATA = """FER2013 (Goodfellow et al. 2013): 35,887 grey faces of 48x48, found by image search with words for emotions and
labelled by people; 28,709 are Training (angry 3,995, disgust 436, fear 4,097, happy 7,215, sad 4,830, surprise 3,171,
neutral 4,965), 3,589 PublicTest and 3,589 PrivateTest. 3,369 of them are exact duplicates in 1,516 groups, 57 of which
have unlike labels; 280 faces of PublicTest and 288 of PrivateTest stand in Training too, and are left out of tests here
unless a line says otherwise. Flat images, and those that most raters called no face, are left out of Training."""
OWN_DATA = "Faces of its maker's own, in folders named by emotion; who they are, its maker knows."
LIMITS = """FER2013's labels are a guess from a posed picture: the majority of FER+'s ten raters agrees with 65 % of them (Barsoum et al.
2016), and a person who labels again with 65 ± 5 % (Goodfellow et al. 2013). Disgust has 436 training images.

The people are those whom an image search found in 2013, not a sample of anyone: nobody was asked, and age, skin,
sex and culture were not written down, so how much worse the model does on some of them cannot be measured with this
data; expect that it does. An emotion here is an appearance as strangers named it, in seven words, not what
somebody feels."""
OWN_LIMITS = """Whoever its maker did not collect, it does not know: expect that it is worse on them. An emotion here is an appearance
as strangers named it, in seven words, not what somebody feels."""
LICENCE = """FER2013 came with no licence for its images, so these weights are for research and demonstration alone. The FER+
votes are under the MIT licence."""
OWN_LICENCE = "Ask its maker under which licence the faces came that these weights are made of."
SOURCES = """- Goodfellow et al. 2013, Challenges in Representation Learning: A Report on Three Machine Learning Contests (FER2013).
- Barsoum et al. 2016, Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution
  (FER+ votes)."""


def _ours(checkpoint: Checkpoint) -> bool:
    """Whether it learnt from FER2013; checkpoints that say nothing are older than the choice, and did."""
    return bool(checkpoint.training.get("faces", FER2013) == FER2013)


def _about(model: str) -> About:
    """A model that nothing is told of yet is a generator."""
    return ABOUT.get(model) or About(model, _TASK, _DRAWS, _DRAW, paper="")


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
    seen = LED if checkpoint.model in TRANSLATORS else SEEN
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
    elif checkpoint.model not in TRANSLATORS:
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

name = "OWNER/NAME"  # or this folder's
engine = Engine([name])
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
        known = [(METRICS[name], value) for name, value in found.items() if name in METRICS]
        rows = [(metric.title, metric.show(value), metric.meaning) for metric, value in known]
        how = f"\n\nSeeds {found.get('seeds')}, judge {found.get('judge')}: `{found.get('command')}`"
        text = _table("what", "value", "meaning", rows=rows) + how + _by_emotion(found) if rows else ""
    return f"## Evaluation\n\n{text}" if text else ""


def _by_emotion(found: Mapping[str, Any]) -> str:
    told = {name: own for name, own in found.get("emotions", {}).items() if "n" in own}
    columns = [name for name in METRICS if told and all(name in own for own in told.values())]
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
