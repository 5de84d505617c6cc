"""A checkpoint's card (README.md), written from its config and never by hand."""

from fergan.checkpoint import Checkpoint

TITLES = {"cgan": "Conditional GAN", "acgan": "AC-GAN"}


def write_card(checkpoint: Checkpoint) -> str:
    """The card's Markdown, with the metadata that the Hub reads in its head."""
    title = TITLES.get(checkpoint.model, checkpoint.model)
    training = checkpoint.training
    rows = "\n".join(f"| {name.replace('_', ' ')} | {value} |" for name, value in training.items())
    return f"""---
library_name: fergan
pipeline_tag: unconditional-image-generation
license: other
license_name: research-only
tags: [gan, faces, emotion, fer2013]
---
# {title}, {checkpoint.preset} preset

Draws {checkpoint.config.get("image_size", 48)}x{checkpoint.config.get("image_size", 48)} faces that show an emotion. Trained on FER2013's Training split for
{checkpoint.images_seen:,} images ({checkpoint.step:,} steps).

![Fixed noise, seven emotions, from the first step on](evolution.webp)

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
