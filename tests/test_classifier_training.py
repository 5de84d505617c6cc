"""train.classifier as a user runs it: runs, and what is refused."""

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from safetensors.torch import load_file

from fergan import checkpoint, data, losses
from fergan.calibration import fit_temperature
from fergan.emotions import EMOTIONS
from fergan.images import to_model
from fergan.models import MODELS
from fergan.models.classifier import Teacher
from tests import factory
from tests.test_classifier import FOUR, network, small
from train import classifier, report, states
from train.classifier_recipes import RECIPES, ClassifierRecipe
from train.learner import Learner, split

ROOT = Path(__file__).resolve().parents[1]
EACH = list(MODELS["classifier"])
TINY = "width=4 batch=16 mixup=0 erase=0 augment=0.3 learning_rate=0.05"


@pytest.fixture(scope="module")
def faces(own_folder):
    return factory.write_voted(own_folder / "packed")


@pytest.fixture
def many(tmp_path):
    """Enough faces to learn from, without votes."""
    pictures = factory.draw_faces(350)
    pictures[341] = pictures[5]
    return factory.write_packed(tmp_path / "packed", pictures)


def config(faces, out, **changes):
    options = {"model": "teacher", "epochs": 2, "precision": "fp32", "cpu": True, "set": TINY}
    return classifier.TrainConfig(data=str(faces), out=str(out), **options | changes)


def train(settings):
    return classifier.train(settings, Accelerator(cpu=True))


def test_a_run_learns_and_leaves_all_its_files(many, tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "LOG_EVERY", 3)
    sentence = train(config(many, tmp_path, epochs=20))
    assert "PrivateTest: " in sentence
    described, network = checkpoint.load(tmp_path / "checkpoint")
    metrics = described.metrics
    assert metrics["private"]["accuracy"] > 0.85
    assert (metrics["private"]["n"], metrics["private_clean"]["n"]) == (70, 69)
    assert metrics["temperature"] == pytest.approx(float(network.head.temperature), rel=1e-3)
    assert metrics["private"]["ece"] < metrics["private"]["ece_before"]
    assert metrics["private"]["recall"].keys() == set(EMOTIONS)
    assert sum(map(sum, metrics["private"]["confusion"])) == 70
    assert described.training["seed"] == 0
    card = (tmp_path / "checkpoint" / "README.md").read_text()
    assert "confusion.png" in card
    assert f"{metrics['private']['accuracy']:.1%}" in card
    for name in ("confusion.png", "reliability.png"):
        with Image.open(tmp_path / "checkpoint" / name) as picture:
            assert picture.width > 400
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"loss", "images_per_second"} <= lines[0].keys()
    best = max(line.get("accuracy", 0) for line in lines)
    assert metrics["public"]["accuracy"] == pytest.approx(best, abs=0.03)  # weights are rounded to float16
    assert json.loads((tmp_path / report.REPORT).read_text())["metrics"] == metrics
    test = data.load(many).split("PrivateTest", clean=False)  # what was told is what is kept
    answers = network(test.images.float() / 127.5 - 1).argmax(1)
    assert float((answers == test.labels).float().mean()) == pytest.approx(
        metrics["private"]["accuracy"], 1e-4
    )


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("teacher", TINY.replace("mixup=0", "mixup=0.5 ema_images=100")),
        # wider: oneDNN's convolutions of four channels, channels last, corrupt memory on some CPUs (torch 2.13, Zen 4)
        ("judge", TINY.replace("width=4", "width=16") + " frozen_epochs=1 dropout=0.3 optimizer=adamw"),
    ],
)
def test_resuming_equals_not_having_stopped(faces, tmp_path, model, settings):
    own = {"model": model, "set": settings, "epochs": 3}
    train(config(faces, tmp_path / "whole", **own))
    train(config(faces, tmp_path / "parts", images=64, **own))  # in the middle of the first epoch
    train(config(faces, tmp_path / "parts", images=208, resume=True, **own))
    train(config(faces, tmp_path / "parts", resume=True, **own))
    whole, parts = (load_file(tmp_path / part / states.FILE) for part in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert any(key.startswith("best.") for key in whole)
    assert [key for key in whole if not torch.equal(whole[key], parts[key])] == []
    reports = [
        json.loads((tmp_path / part / report.REPORT).read_text())["metrics"] for part in ("whole", "parts")
    ]
    assert reports[0] == reports[1]


def test_frozen_epochs_move_the_head_alone(faces):
    recipe = ClassifierRecipe(frozen_epochs=1, optimizer="adamw")
    learner = Learner(network("judge", width=16), recipe, 0, torch.device("cpu"), "fp32")
    pixels = torch.randint(0, 256, (8, 1, 48, 48), dtype=torch.uint8)
    before = {name: tensor.clone() for name, tensor in learner.network.state_dict().items()}
    learner.begin(0)
    learner.step(pixels, torch.eye(7)[[0] * 8], 0.1)
    moved = [n for n, t in learner.network.state_dict().items() if not torch.equal(t, before[n])]
    assert moved == ["head.linear.weight", "head.linear.bias"]
    learner.begin(1)
    learner.step(pixels, torch.eye(7)[[0] * 8], 0.1)
    assert not torch.equal(learner.network.stem.weight, before["stem.weight"])


def test_a_hardened_network_learns_from_faces_moved_against_it(faces, monkeypatch):
    learner = Learner(network("guide"), ClassifierRecipe(radius=2.0), 0, torch.device("cpu"), "fp32")
    images, target = torch.rand(6, 1, 48, 48) - 0.5, torch.eye(7)[[0, 1, 2, 3, 4, 5]]
    learner.begin(0)
    before = {name: tensor.clone() for name, tensor in learner.network.state_dict().items()}
    moved = learner.against(images, target)
    assert torch.allclose(moved.flatten(1).norm(dim=1), torch.ones(6), atol=1e-4)
    assert learner.network.training
    assert [n for n, t in learner.network.state_dict().items() if not torch.equal(t, before[n])] == []
    assert all(parameter.grad is None for parameter in learner.network.parameters())
    learner.network.eval()
    with torch.no_grad():
        loss = [
            float(losses.soft_cross_entropy(learner.network(images + way), target))
            for way in (-0.1 * moved, 0 * moved, 0.1 * moved)
        ]
    assert loss[0] < loss[1] < loss[2]
    learner.begin(0)
    seen = []
    monkeypatch.setattr(
        learner.network, "features", lambda x: seen.append(x) or Teacher.features(learner.network, x)
    )
    learner.step(torch.full((6, 1, 48, 48), 128, dtype=torch.uint8), target, 0.1)
    plain, hard = seen  # what it was asked about, what it learnt from
    assert torch.allclose((hard - plain).flatten(1).norm(dim=1), torch.full((6,), 2.0), atol=1e-3)


def test_a_run_that_begins_from_a_checkpoint(faces, tmp_path):
    train(config(faces, tmp_path / "teacher"))
    start = str(tmp_path / "teacher" / "checkpoint")
    begun = classifier.build(config(faces, tmp_path, model="guide", start=start), small("guide"))
    taught = checkpoint.load(Path(start))[1].state_dict()
    own = begun.state_dict()
    assert [n for n in own if not torch.equal(own[n], taught[n])] in ([], ["head.temperature"])
    assert float(own["head.temperature"]) == 1
    sentence = train(config(faces, tmp_path / "guide", model="guide", start=start, set=TINY + " radius=0.5"))
    assert "PrivateTest: " in sentence
    again = checkpoint.describe(tmp_path / "guide" / "checkpoint")
    first = checkpoint.describe(Path(start))
    assert again.training["began_from"].startswith(f"{first.images_seen:,} images, ")
    assert first.training["command"] in again.training["began_from"]
    with pytest.raises(ValueError, match="m1 needs the same network with"):
        train(config(faces, tmp_path / "m1", model="m1", start=start, set="batch=16"))
    with pytest.raises(ValueError, match="--start is for networks of ours"):
        config(faces, tmp_path, model="vgg16", start=start)
    with pytest.raises(ValueError, match="--start has learnt from the faces that --folds holds out"):
        config(faces, tmp_path, start=start, folds=2)


def test_a_network_that_is_born_again_learns_in_part_what_it_reads(faces, tmp_path, monkeypatch):
    train(config(faces, tmp_path / "before"))
    start = str(tmp_path / "before" / "checkpoint")
    again = config(faces, tmp_path / "again", start=start, set=TINY + " born_again=0.25 balance=1")
    settings, recipe = again.settings()
    parts = split(data.load(str(faces)), settings.known(), recipe)
    learner = Learner(classifier.build(again, settings), recipe, 0, torch.device("cpu"), "fp32")
    due = classifier.reread(again, parts, learner)
    images = to_model(parts.training.images)
    with torch.inference_mode():
        network = checkpoint.load(Path(start))[1].eval()
        read = (network(images).softmax(1) + network(images.flip(-1)).softmax(1)) / 2
    total = parts.target.sum(dim=1, keepdim=True)
    assert torch.allclose(due, 0.75 * parts.target + 0.25 * total * read, atol=1e-4)
    learnt, step = [], Learner.step
    monkeypatch.setattr(
        Learner,
        "step",
        lambda self, pixels, target, rate: learnt.append(target) or step(self, pixels, target, rate),
    )
    assert "PrivateTest: " in train(dataclasses.replace(again, images=80))
    nearest = [torch.cdist(torch.cat(learnt), rows).amin(1) for rows in (due, parts.target)]
    assert float(nearest[0].max()) < 1e-3 < float(nearest[1].min())
    assert "PrivateTest: " in train(dataclasses.replace(again, resume=True))
    other = str(tmp_path / "again" / "checkpoint")
    with pytest.raises(ValueError, match="is of a run with began_from"):
        train(dataclasses.replace(again, resume=True, start=other))
    with pytest.raises(ValueError, match="name that one with --start"):
        train(dataclasses.replace(again, start="", out=str(tmp_path / "third")))


def test_early_stopping_ends_a_run_and_keeps_the_best(faces, tmp_path, monkeypatch):
    rights = iter([0.2, 0.6, 0.5, 0.4, 0.9])
    monkeypatch.setattr(classifier, "accuracy", lambda predicted, labels: next(rights))
    own = config(faces, tmp_path, epochs=10, set=TINY + " patience=2")
    assert train(own).startswith("Stopped: 2 epochs brought nothing better")
    assert checkpoint.describe(tmp_path / "checkpoint").metrics["epoch"] == 2
    again = config(faces, tmp_path, epochs=10, set=TINY + " patience=2", resume=True)
    assert train(again).startswith("Stopped: 2 epochs brought nothing better")


def test_cross_validation_goes_on_where_it_was(faces, tmp_path):
    own = config(faces, tmp_path, model="m3", set="batch=32", epochs=1, folds=2, emotions=FOUR)
    sentence = train(own)
    summary = json.loads((tmp_path / "folds.json").read_text())
    assert sentence.startswith("2 folds: ")
    assert len(summary["accuracy"]) == 2
    assert summary["mean"] == pytest.approx(sum(summary["accuracy"]) / 2)
    reports = [json.loads((tmp_path / f"fold-0{n}" / report.REPORT).read_text()) for n in (1, 2)]
    assert [found["fold"] for found in reports] == ["1 of 2", "2 of 2"]
    learnt_from = split(data.load(faces), small("m3", emotions=FOUR).known(), ClassifierRecipe()).training
    assert sum(found["metrics"]["held_out"]["n"] for found in reports) == len(learnt_from)
    stamp = (tmp_path / "fold-01" / report.REPORT).stat().st_mtime_ns
    train(classifier.dataclasses.replace(own, resume=True))
    assert (tmp_path / "fold-01" / report.REPORT).stat().st_mtime_ns == stamp
    with pytest.raises(ValueError, match="is of a run with recipe"):
        train(classifier.dataclasses.replace(own, resume=True, set="batch=16"))


def test_another_experiment_is_not_resumed(faces, tmp_path):
    train(config(faces, tmp_path, images=32))
    with pytest.raises(ValueError, match="is of a run with recipe"):
        train(config(faces, tmp_path, set=TINY + " smoothing=0", resume=True))
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        train(config(faces, tmp_path / "other", resume=True))


def test_a_loss_that_is_not_finite_stops_with_the_last_good_state(faces, tmp_path, monkeypatch):
    train(config(faces, tmp_path, images=32))
    good = (tmp_path / states.FILE).read_bytes()
    monkeypatch.setattr("train.learner.losses.soft_cross_entropy", lambda a, b: a.mean() * float("nan"))
    with pytest.raises(FloatingPointError, match="loss is not finite"):
        train(config(faces, tmp_path, resume=True))
    assert (tmp_path / states.FILE).read_bytes() == good


def command(faces, out, *flags):
    own = [sys.executable, "-m", "train.classifier", "--data", str(faces), "--out", str(out), "--cpu"]
    return [*own, "--model", "teacher", "--set", TINY, *flags]


def test_a_signal_saves_and_exits(faces, tmp_path):
    process = subprocess.Popen(
        command(faces, tmp_path, "--epochs", "100000"),
        env=factory.environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 90
        while (
            not (tmp_path / "log.jsonl").is_file() or "accuracy" not in (tmp_path / "log.jsonl").read_text()
        ):
            assert time.monotonic() < deadline, "the run wrote no epoch"
            assert process.poll() is None, process.communicate()[1].decode()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, error.decode()
    assert "Stopped: SIGINT" in out.decode()
    assert states.load(tmp_path / states.FILE)[1]["seen"] >= 64
    assert not (tmp_path / "checkpoint").exists()  # PrivateTest is for runs that are over


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"data": "/nowhere"}, "/nowhere does not exist"),
        ({"set": "widht=4"}, "got 'widht=4'"),
        ({"set": "optimizer=lion"}, "sgd or adamw"),
        ({"set": "mixup=2"}, "mixup must be between 0 and 1"),
        ({"targets": "soft"}, "targets must be one of"),
        ({"targets": "either"}, "targets must be one of onehot, votes, mix"),
        ({"model": "vae"}, "Unknown classifier 'vae'"),
        ({"precision": "fp8"}, "auto, bf16 or fp32"),
        ({"emotions": "happy,glad"}, "Unknown emotion 'glad'"),
        ({"folds": 1}, "--folds must be 2 or more"),
        ({"epochs": -1}, "must be 0 or more"),
        ({"pretrained": "x.pth"}, "teacher has none"),
    ],
)
def test_what_cannot_run_is_refused_in_a_sentence(faces, tmp_path, flags, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        train(config(flags.pop("data", faces), tmp_path, **flags))


def test_a_refusal_shows_no_trace(faces, tmp_path, refusal):
    words = command(faces, tmp_path, "--out", "/dev/null/run")[3:]
    assert refusal(classifier.main, *words).startswith("Training stopped: ")


def test_recipes_cover_every_classifier():
    assert set(EACH) < set(RECIPES)


def test_the_temperature_is_public_tests(tmp_path):
    many = factory.write_packed(tmp_path / "packed", factory.draw_faces(350))
    train(config(many, tmp_path, epochs=20))
    network = checkpoint.load(tmp_path / "checkpoint")[1].eval()
    public = data.load(many).split("PublicTest")  # what chose the temperature
    with torch.inference_mode():
        logits = network(to_model(public.images)) * network.head.temperature
    assert fit_temperature(logits, public.labels) == pytest.approx(float(network.head.temperature), rel=1e-2)
