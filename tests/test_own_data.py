"""Somebody's own folder, 64x64 in colour: each of MODELS, trained by its command, then asked what the page asks."""

import dataclasses
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from fergan import checkpoint
from fergan.emotions import EMOTIONS
from fergan.engine import Engine
from fergan.models import MODELS, preset
from fergan.ui import film
from tests import factory
from train import bank, classifier, evaluate, gan, guided, identity, session, stargan
from train.classifier_recipes import ClassifierRecipe
from train.recipes import Recipe, TranslatorRecipe

SIZE, CHANNELS = 64, 3
EACH = [(model, name) for model, presets in MODELS.items() for name in presets]
COMMANDS = {
    "generator": (gan, Recipe, "--model {model} --preset {name} --images 16"),
    "translator": (stargan, TranslatorRecipe, "--preset {name} --images 16"),
    "classifier": (classifier, ClassifierRecipe, "--model {name} --epochs 1"),
    "embedder": (identity, identity.IdentityRecipe, ""),
}
"""What trains each kind of network: a script, the class of its recipe, and its flags."""
HELPERS = {
    "--teacher": ("classifier", "teacher"),
    "--guide": ("classifier", "guide"),
    "--embedder": ("identity", "simclr"),
    "--pairs": ("stylegan", "fixed"),
    "--examples": ("acgan", "fixed"),
}
"""What a translator's training asks, each trained on the same folder before."""
TINY = {
    **{"width": 8, "discriminator_width": 8, "noise_dim": 16, "emotion_dim": 8, "style_dim": 16, "blocks": 1},
    **{"features": 16, "batch": 8, "critics": 2, "lesson": 0, "together": 0, "epochs": 1},
    **{"pairs": 42, "trusted": 0.0},
    "stem_stride": 2,  # torch 2.13 crashes in a 1x1 convolution of stride 2 over 8 channels at 64 pixels or more
}
"""Changes by name, of which a model and its recipe take those that they have."""


@pytest.fixture(scope="module")
def own(own_folder):
    """A folder of named emotions, ten coloured faces in each, and nothing else."""
    for row, face in enumerate(factory.draw_faces(70, SIZE, CHANNELS)):
        folder = own_folder / "faces" / EMOTIONS[row % len(EMOTIONS)]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face).save(folder / f"face{row:03d}.png")
    return own_folder


@pytest.fixture(scope="module")
def trained(own):
    """Trains one of MODELS by its command, once, helpers first -> the folder of its last checkpoint."""
    done = {}

    def make(model, name):
        if (model, name) not in done:
            if model == "guided":  # made, of what was trained
                out = own / "runs" / "guided"
                guided.make(guided.GuidedConfig((str(make("classifier", "guide")),), str(out), "steps=2"))
                done[model, name] = out
                return out
            words = []
            if preset(model, name).kind == "translator":
                words = [word for flag, key in HELPERS.items() for word in (flag, str(make(*key)))]
            done[model, name] = run(own, model, name, words)
        return done[model, name]

    return make


def tiny(config, *others):
    """The changes of TINY for which a config, or another class, has a field."""
    known = {field.name for cls in (config, *others) for field in dataclasses.fields(cls)}
    return {key: value for key, value in TINY.items() if key in known}


def run(own, model, name, words):
    """One training by its command line -> the folder of the checkpoint that it kept last."""
    found = preset(model, name)
    script, recipe, flags = COMMANDS[found.kind]
    out = own / "runs" / f"{model}-{name}"
    changes = " ".join(f"{key}={value}" for key, value in tiny(found.config, recipe).items())
    words = [*words, *flags.format(model=model, name=name).split(), "--set", changes]
    words += ["--data", str(own / "faces"), "--out", str(out), "--cpu", "--precision", "fp32"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "LOG_EVERY", 1)
        patch.setattr(sys, "argv", ["train", "--size", str(SIZE), "--channels", str(CHANNELS), *words])
        script.main()
    whole = [place for place in (out / "bank", out / "checkpoint") if place.is_dir()]
    return whole[0] if whole else bank.last(out)


def is_batch(faces, count):
    return faces.shape == (count, SIZE, SIZE, CHANNELS) and faces.dtype == np.uint8


def is_filmed(engine, name):
    """The tab Evolution has its pages, its axis and its curves."""
    found = film.film(engine, name)
    assert found["size"] == SIZE
    assert len(found["pages"]) == len(found["frames"]) > 0
    assert {"d_loss", "g_loss"} & found["curves"].keys()
    assert film.gif(engine, name).content.startswith(b"GIF8")


def generator_answers(engine, folder):
    name = folder.name
    faces = engine.generate(name, np.eye(len(EMOTIONS)), range(len(EMOTIONS)))
    assert is_batch(faces, len(EMOTIONS))
    assert is_batch(engine.generate(name, np.ones((1, 7)), [3]), 1)
    read = engine.classify(faces)  # by a judge of 48 pixels, grey
    assert np.allclose(read.sum(axis=1), 1, atol=1e-5)
    is_filmed(engine, name)


def translator_answers(engine, folder):
    name, faces, happy = folder.name, factory.draw_faces(2, SIZE, CHANNELS), np.eye(7)[[3, 3]]
    assert is_batch(engine.translate_faces(name, faces, happy, [1.0, 0.5]), 2)
    assert np.array_equal(engine.translate_faces(name, faces, happy, [0.0, 0.0]), faces)
    photo = Image.fromarray(factory.draw_faces(1, 200, CHANNELS)[0])
    square = engine.find(photo, whole=True)[0].face
    changed = engine.translate(name, photo, happy[0], 1.0, [square])
    assert (changed.photo.size, changed.photo.mode) == (photo.size, "RGB")
    if name != "guided":  # which learnt elsewhere
        is_filmed(engine, name)


def classifier_answers(engine, folder):
    name = folder.name
    for faces in (factory.draw_faces(7, SIZE, CHANNELS), factory.draw_faces(7)):
        read = engine.classify(faces, name)
        assert read.shape == (7, len(EMOTIONS))
        assert np.allclose(read.sum(axis=1), 1, atol=1e-5)
    assert engine.explain(factory.draw_faces(2, SIZE, CHANNELS), model=name).shape == (2, SIZE, SIZE)


def embedder_answers(engine, folder):
    assert folder.name not in engine.models  # the page has no use for it
    _, network = checkpoint.load(folder)
    rows = network(torch.rand(2, CHANNELS, SIZE, SIZE) * 2 - 1)
    assert torch.allclose(rows.norm(dim=1), torch.ones(2), atol=1e-5)


ANSWERS = {
    "generator": generator_answers,
    "translator": translator_answers,
    "classifier": classifier_answers,
    "embedder": embedder_answers,
}


@pytest.mark.parametrize(("model", "name"), EACH)
def test_a_model_learns_from_it_and_answers(trained, weights, model, name):
    folder = trained(model, name)
    described = checkpoint.describe(folder)
    assert (described.model, described.preset) == (model, name)
    assert (described.config["image_size"], described.config["channels"]) == (SIZE, CHANNELS)
    engine = Engine([folder, weights / "judge"], device="cpu")
    ANSWERS[preset(model, name).kind](engine, folder)


def test_its_own_judge_measures_its_own_faces(trained, own):
    judge, drawn = trained("classifier", "judge"), trained("acgan", "fixed")
    words = {"data": str(own / "faces"), "judge": str(judge), "n": 14, "cpu": True}
    assert f"| {drawn} | 14 |" in evaluate.evaluate(evaluate.EvaluateConfig((str(drawn),), **words))
    assert checkpoint.describe(drawn).metrics["n_real"] == 14  # a tenth for each of the two tests


@pytest.mark.parametrize("size", [96, 128])
@pytest.mark.parametrize(("model", "name"), EACH)
def test_larger_ones(model, name, size):
    found = preset(model, name)
    config = found.config(**tiny(found.config), image_size=size, channels=CHANNELS)
    images, emotion = torch.rand(2, CHANNELS, size, size) * 2 - 1, torch.eye(7)[[3, 4]]
    asked = {
        "generator": lambda: (torch.randn(2, getattr(config, "noise_dim", 0)), emotion),
        "translator": lambda: (images, emotion, emotion.flip(0), torch.ones(2)),
    }
    with torch.no_grad():
        answer = found.network(config).eval()(*asked.get(found.kind, lambda: (images,))())
        if found.discriminator:
            assert answer.shape == images.shape
            assert len(found.discriminator(config)(images, emotion).realness) == 2
    assert bool(torch.isfinite(answer).all())
