"""A checkpoint's card (README.md), written from its config and never by hand."""

from typing import Any

from fergan.checkpoint import Checkpoint
from fergan.metrics import METRICS

TITLES = {
    "cgan": "Conditional GAN",
    "acgan": "AC-GAN",
    "dcgan": "DCGAN, a network for each emotion",
    "stylegan": "StyleGAN2 in small",
    "stargan": "StarGAN",
    "classifier": "Classifier of emotions",
    "identity": "The same face or another",
}
DOES = {
    # model: the Hub's task, what it does, what the evolution shows; the first line is for all others
    "": (
        "unconditional-image-generation",
        "Draws {size} faces that show an emotion.",
        "Fixed noise, seven emotions, from the first step on",
    ),
    "stargan": (
        "image-to-image",
        "Gives a {size} face another expression, by as much as is asked.",
        "Drawn faces, and what becomes of them under seven emotions, from the first step on",
    ),
}
TESTS = {
    "private": "PrivateTest, all of it",
    "private_clean": "PrivateTest without the faces that stand in Training",
    "held_out": "the fold held out",
    "public": "PublicTest without the faces that stand in Training, where epoch and temperature were chosen",
}
"""The parts that a classifier's metrics tell of, the main one first."""


def write_card(checkpoint: Checkpoint) -> str:
    """The card's Markdown, with the metadata that the Hub reads in its head."""
    if checkpoint.model == "classifier":
        return _classifier_card(checkpoint)
    if checkpoint.model == "identity":
        return _identity_card(checkpoint)
    title = TITLES.get(checkpoint.model, checkpoint.model)
    task, does, caption = DOES.get(checkpoint.model, DOES[""])
    size = "x".join([str(checkpoint.config.get("image_size", 48))] * 2)
    training = checkpoint.training
    rows = "\n".join(
        f"| {name.replace('_', ' ')} | {value} |" for name, value in training.items() if value != []
    )
    return f"""---
library_name: fergan
pipeline_tag: {task}
license: other
license_name: research-only
tags: [gan, faces, emotion, fer2013]
---
# {title}, {checkpoint.preset} preset

{does.format(size=size)} Trained on FER2013's Training split for
{checkpoint.images_seen:,} images ({checkpoint.step:,} steps).

![{caption}](evolution.webp)
{_measures(checkpoint.metrics)}
## Training

| what | value |
| --- | --- |
{rows}
| data fingerprint | {checkpoint.data} |

## Use and limits

Made to look at and to play with. Nobody shown is a real person, but the network learnt from real ones.
It must not be used to deceive, nor to judge people. FER2013's labels are a guess from a posed picture, wrong
for about a third of the faces; disgust (436 training images) and fear come out worst; ages, skins and
cultures are those of an image search of 2013. FER2013 came with no licence for its images, so these weights
are for research and demonstration alone.

## Source

Goodfellow et al. 2013, Challenges in Representation Learning (FER2013); Barsoum et al. 2016 (FER+ votes).
"""


def _measures(metrics: dict[str, Any]) -> str:
    """What train.evaluate found, with the command that finds it again; nothing where it has not run."""
    rows = [
        f"| {METRICS[name].title} | {METRICS[name].show(value)} | {METRICS[name].meaning} |"
        for name, value in metrics.items()
        if name in METRICS
    ]
    if not rows:
        return ""
    table = "\n".join(["| what | value | meaning |", "| --- | --- | --- |", *rows])
    return f"""
## Evaluation

{table}

Seeds {metrics["seeds"]}, judge {metrics["judge"]}: `{metrics["command"]}`
"""


def _classifier_card(checkpoint: Checkpoint) -> str:
    """A classifier's card: what it scored, where, and how far its probabilities can be believed."""
    metrics = checkpoint.metrics
    told = [(words, metrics[name]) for name, words in TESTS.items() if name in metrics]
    scores = "\n".join(_score_row(words, found) for words, found in told)
    emotions = "\n".join(
        f"| {name} | {told[0][1]['precision'][name]:.1%} | {recall:.1%} |"
        for name, recall in (told[0][1]["recall"].items() if told else ())
    )
    training = "\n".join(
        f"| {name.replace('_', ' ')} | {value} |" for name, value in checkpoint.training.items()
    )
    return f"""---
library_name: fergan
pipeline_tag: image-classification
license: other
license_name: research-only
tags: [faces, emotion, fer2013]
---
# {TITLES["classifier"]}: {checkpoint.preset}

Says which emotion a {checkpoint.config.get("image_size", 48)}x{checkpoint.config.get("image_size", 48)} face shows, of {checkpoint.config.get("emotions", "").replace(",", ", ")}. Trained on FER2013's
Training split for {checkpoint.images_seen:,} images ({checkpoint.step:,} steps); the weights are those of epoch {metrics.get("epoch", "?")}.

## How well

| measured on | faces | accuracy | calibration error | without the temperature |
| --- | --- | --- | --- | --- |
{scores}

Its probabilities are calibrated: the logits are divided by {metrics.get("temperature", 1)} (Guo et al. 2017), inside the network.
Emotion by emotion, on {told[0][0] if told else "nothing yet"}:

| emotion | precision | recall |
| --- | --- | --- |
{emotions}

![How each emotion is read](confusion.png)

![How sure it says it is, and how often it is right](reliability.png)

## Training

| what | value |
| --- | --- |
{training}
| data fingerprint | {checkpoint.data} |

## Use and limits

Made to measure drawn faces, not people: it tells what raters would call a posed picture, not what anybody
feels, and must not be used to judge, select or watch people. FER2013's labels are a guess, wrong for about a
third of the faces; disgust (436 training images) and fear are read worst; ages, skins and cultures are those
of an image search of 2013. FER2013 came with no licence for its images, so these weights are for research
and demonstration alone.

## Source

Goodfellow et al. 2013, Challenges in Representation Learning (FER2013); Barsoum et al. 2016 (FER+ votes).
"""


def _identity_card(checkpoint: Checkpoint) -> str:
    """An embedder's card: what its numbers are for, how well it finds a face again, what it must not do."""
    metrics, size = checkpoint.metrics, checkpoint.config.get("image_size", 48)
    shown = {
        "retrieval": ("faces whose other view is the nearest of all", ".1%"),
        "same": ("mean cosine of two views of one face", ".3f"),
        "different": ("mean cosine of different faces", ".3f"),
        "auc": ("ROC AUC, views of one face against different faces", ".4f"),
        "nearest_emotion": ("nearest other faces that show the same emotion", ".1%"),
        "chance_emotion": ("any other faces that show the same emotion", ".1%"),
    }
    measured = "\n".join(
        f"| {words} | {metrics[name]:{form}} |" for name, (words, form) in shown.items() if name in metrics
    )
    training = "\n".join(
        f"| {name.replace('_', ' ')} | {value} |" for name, value in checkpoint.training.items()
    )
    return f"""---
library_name: fergan
pipeline_tag: image-feature-extraction
license: other
license_name: research-only
tags: [faces, fer2013]
---
# {TITLES["identity"]}

Gives a {size}x{size} face a row of {checkpoint.config.get("features", "?")} numbers; rows of one photo's views lie close. It never saw an emotion's
label. It measures, and helps in training to keep, how much of a person is left when a face gets another
expression. Trained on FER2013's Training split for {checkpoint.images_seen:,} images ({checkpoint.step:,} steps), two views of each: moved,
bent, lit otherwise, partly hidden, or with another face's mouth or brows.

## How well

On {metrics.get("n", 0):,} faces of PublicTest and PrivateTest, none of them in Training, each once:

| what | value |
| --- | --- |
{measured}

## Training

| what | value |
| --- | --- |
{training}
| data fingerprint | {checkpoint.data} |

## Use and limits

A yardstick for drawn faces, not face recognition: it was shown no two photos of one person, knows likeness of
photos, hair and light included, and must not be used to find or to check who somebody is. FER2013 came with no
licence for its images, so these weights are for research and demonstration alone.

## Source

Chen et al. 2020, SimCLR (the loss); Goodfellow et al. 2013, Challenges in Representation Learning (FER2013).
"""


def _score_row(words: str, found: dict[str, Any]) -> str:
    before = f"{found['ece_before']:.1%}" if "ece_before" in found else ""
    return f"| {words} | {found['n']:,} | {found['accuracy']:.1%} | {found['ece']:.1%} | {before} |"
