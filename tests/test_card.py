"""Cards: what they say, and that huggingface_hub takes their heads for its own."""

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index

from fergan import checkpoint
from fergan.about import ABOUT
from fergan.card import PICTURES, write_card
from fergan.checkpoint import Checkpoint
from fergan.models import MODELS

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = sorted(path.parent for path in (ROOT / "weights").glob("*/config.json"))
EACH = [(model, preset) for model, presets in MODELS.items() for preset in presets]
DRAWN = {
    "fid": 0.178771,
    "accuracy": 0.854,
    "accuracy_real": 0.68,
    "diversity": math.nan,
    "emotions": {"angry": {"n": 9, "accuracy": 0.9}, "fear": {"n": 8, "accuracy": 0.5}},
    "n": 7178,
    "n_real": 6610,
    "seeds": "0 to 7177",
    "judge": "judge c84e84bdc754",
    "evaluation_data": "1f8d",
    "command": "python -m train.evaluate weights/acgan --data ../shared/fer2013",
}
MOVED = {
    "target_read": 0.81,
    "emotions": {"sad": {"n": 3, "target_read": 0.25}, "happy": {"n": 3, "target_read": 1.0}},
    "n": 3,
    "seeds": "none: every face is translated",
    "judge": "judge c84e84bdc754",
    "command": "python -m train.translation weights/stargan",
}
READ = {
    "epoch": 4,
    "temperature": 0.9,
    "private": {"n": 70, "accuracy": 0.69, "ece": 0.04, "precision": {"fear": 0.5}, "recall": {"fear": 0.4}},
    "public": {"n": 60, "accuracy": 0.71, "ece": 0.05, "precision": {"fear": 0.5}, "recall": {"fear": 0.9}},
}
TRAINING = {"seed": 3, "command": "python -m train.classifier --model judge", "changes": []}


def head(text):
    return yaml.safe_load(text.split("---")[1])


@pytest.mark.parametrize(("name", "shape"), [("cgan", (1, 48, 48)), ("judge", (2, 7))])
def test_the_example_runs(weights, name, shape):
    card = write_card(checkpoint.describe(weights / name))
    code = card.split("```python\n")[1].split("```")[0].replace("OWNER/NAME", str(weights / name))
    known = {"faces": np.zeros((2, 48, 48), np.uint8)}
    exec(code, known)
    assert known["faces" if name == "cgan" else "probabilities"].shape == shape


def sections(text):
    return [line[3:] for line in text.splitlines() if line.startswith("## ")]


@pytest.mark.parametrize(("model", "preset"), EACH)
def test_every_model_has_a_card_that_claims_nothing_unmeasured(model, preset):
    config = MODELS[model][preset].config()
    text = write_card(Checkpoint(model, preset, {"image_size": config.image_size}, 3, 2048))
    data = ModelCard(text).data
    assert (data.library_name, data.pipeline_tag, data.license) == ("fergan", ABOUT[model].task, "other")
    assert data.eval_results is None
    assert data.metrics is None
    assert "2,048 images (3 steps)" in text
    assert "Evaluation" not in sections(text)
    assert {"Use", "Training data", "Procedure", "Limits and bias", "Licence", "Citation"} == set(
        sections(text)
    )
    for words in ("1,516 groups", "no licence", "65 %", "Goodfellow"):
        assert words in text
    assert "{" not in text.replace("{config.json", "")


@pytest.mark.parametrize(
    ("described", "due"),
    [
        (
            Checkpoint("acgan", "fixed", {}, metrics=DRAWN),
            [("fid", 0.178771), ("accuracy", 0.854)],
        ),
        (Checkpoint("stargan", "fixed", {}, metrics=MOVED), [("target_read", 0.81)]),
        (
            Checkpoint("classifier", "judge", {"emotions": "happy,sad"}, training=TRAINING, metrics=READ),
            [("accuracy", 0.69), ("ece", 0.04), ("accuracy", 0.71), ("ece", 0.05)],
        ),
        (
            Checkpoint("identity", "simclr", {}, metrics={"n": 9, "auc": 0.99, "chance_emotion": 0.2}),
            [("auc", 0.99)],
        ),
    ],
)
def test_what_was_measured_is_the_hubs_own_model_index(described, due):
    text = write_card(described)
    data = ModelCard(text).data
    assert [(result.metric_type, result.metric_value) for result in data.eval_results] == due
    assert all(isinstance(result, EvalResult) for result in data.eval_results)
    index = eval_results_to_model_index(data.model_name, data.eval_results)
    assert index == head(text)["model-index"]
    assert data.metrics == list(dict.fromkeys(name for name, _ in due))
    assert "Evaluation" in sections(text)


def test_faces_of_ones_own_are_not_said_to_be_fer2013():
    text = write_card(Checkpoint("acgan", "fixed", {}, training={"faces": "own"}, metrics=DRAWN))
    assert "FER2013" not in text
    assert "fer2013" not in ModelCard(text).data.tags
    assert ModelCard(text).data.eval_results[0].dataset_name == "its maker's own"
    assert "Trained on its maker's own Training split" in text
    assert "Faces of its maker's own" in text
    assert "Odena" in text


def test_a_model_that_nothing_is_told_of_yet_has_a_card_too():
    data = ModelCard(write_card(Checkpoint("newgan", "fixed", {}, metrics=DRAWN))).data
    assert data.pipeline_tag == "unconditional-image-generation"
    assert data.model_name == "fergan newgan fixed"


def test_a_number_comes_with_n_seeds_and_command():
    for described in (
        Checkpoint("acgan", "fixed", {}, metrics=DRAWN),
        Checkpoint("stargan", "fixed", {}, metrics=MOVED),
    ):
        text, found = write_card(described), described.metrics
        for result in ModelCard(text).data.eval_results:
            args = result.dataset_args
            assert (args["n"], args["seeds"], args["command"]) == (
                found["n"],
                found["seeds"],
                found["command"],
            )
        assert f"`{found['command']}`" in text
    described = Checkpoint("classifier", "judge", {}, training=TRAINING, metrics=READ)
    first, *_ = ModelCard(write_card(described)).data.eval_results
    assert first.dataset_split == "PrivateTest, all of it"
    assert first.dataset_args == {"n": 70, "seed": 3, "command": "python -m train.classifier --model judge"}


def test_the_worst_emotions_are_those_that_were_measured_as_such():
    drawn, moved = (
        write_card(Checkpoint(model, "fixed", {}, metrics=metrics))
        for model, metrics in (("acgan", DRAWN), ("stargan", MOVED))
    )
    assert "Read worst, by emotion: fear (50%) and angry (90%)." in drawn
    assert "Read worst, by emotion: sad (25%) and happy (100%)." in moved
    read = Checkpoint("classifier", "judge", {}, training=TRAINING, metrics=READ)
    assert "Read worst, by emotion: fear (40%)." in write_card(read)
    assert "Read worst" not in write_card(Checkpoint("acgan", "fixed", {}))


def test_pictures_are_those_that_are_there():
    described = Checkpoint("acgan", "fixed", {}, metrics=DRAWN)
    assert "](samples.png)" in write_card(described)
    assert "](" not in write_card(described, pictures=())
    assert "](evolution.webp)" in write_card(described, pictures=("evolution.webp", "neighbours.png"))
    for described in (Checkpoint(model, preset, {}) for model, preset in EACH):
        text = write_card(described)
        assert "neighbours" not in text
        assert "confusion.png" not in text  # it comes with being measured


def test_a_command_with_quotes_and_colons_stays_itself():
    odd = "python -m train.evaluate --set 'a=\"1\": 2' # ü 🙂"
    text = write_card(Checkpoint("acgan", "fixed", {}, metrics={**DRAWN, "command": odd}))
    assert ModelCard(text).data.eval_results[0].dataset_args["command"] == odd


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_shipped_cards_are_what_the_code_writes(folder):
    there = [name for name in PICTURES if (folder / name).is_file()]
    text = (folder / "README.md").read_text()
    assert text == write_card(checkpoint.describe(folder), there)
    assert ModelCard(text).data.library_name == "fergan"
    if checkpoint.describe(folder).metrics:
        assert ModelCard(text).data.eval_results
