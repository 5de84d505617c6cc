"""train.gan as a user runs it, on small drawn faces, and its steps one by one."""

import json
import signal
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from fergan import checkpoint, losses, provenance
from fergan.models import MODELS
from tests import factory
from tests.gans import SMALL, config, game, train
from train import collapse, gan, record, session, states
from train.game import Game
from train.recipes import RECIPES, Recipe

EACH = list(RECIPES)


@pytest.fixture(scope="module")
def faces(own_folder):
    return factory.write_packed(own_folder / "packed", factory.draw_faces(70))


@pytest.mark.parametrize(("model", "name"), EACH)
def test_a_run_leaves_all_its_files(faces, tmp_path, monkeypatch, model, name):
    monkeypatch.setattr(session, "LOG_EVERY", 1)
    sentence = train(config(faces, tmp_path, model, name, images=40, keep=16))
    assert sentence.startswith("Stopped: 40 images seen")
    kept = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    assert kept == ["0000000016", "0000000032", "0000000040"]
    described, network = checkpoint.load(tmp_path / "checkpoints" / kept[-1])
    assert (described.images_seen, described.step, described.preset) == (40, 5, name)
    assert described.training["device"] == "cpu"
    assert described.data
    line = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    assert {"images_seen", "g_loss", "images_per_second"} <= line.keys()
    assert ("d_class" in line) == (model in ("acgan", "stylegan"))
    last = tmp_path / "checkpoints" / kept[-1]
    assert "40 images" in (last / "README.md").read_text()
    with Image.open(tmp_path / "frames" / "0000000040.png") as frame:
        assert frame.size == (7 * 50 - 2, 6 * 50 - 2)
    assert list((tmp_path / "tensorboard").iterdir())
    assert network is not None
    told = json.loads((last / "history.json").read_text())
    assert told["frames"] == [40]
    assert provenance.read(last / "evolution.webp").training is not None
    with Image.open(last / "evolution.webp") as film:
        assert getattr(film, "n_frames", 1) == len(told["frames"])
    assert [seen for seen, _ in told["curves"]["g_loss"]] == [8, 16, 24, 32, 40]
    assert {"diversity", "twins"} <= told["curves"].keys()
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert described.training["collapsed_at"] is None


def test_a_collapse_is_remembered_over_a_resume(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "LOG_EVERY", 1)
    monkeypatch.setattr(collapse, "YOUNG", 0)
    monkeypatch.setattr(collapse, "LEAST", 100.0)  # nothing is as different as that
    train(config(faces, tmp_path))
    monkeypatch.setattr(collapse, "LEAST", 0.0)
    monkeypatch.setattr(collapse, "MOST", 1.0)
    train(config(faces, tmp_path, images=128, resume=True))
    last = tmp_path / "checkpoints" / "0000000128"
    assert checkpoint.describe(last).training["collapsed_at"] == 8 * collapse.WINDOW
    notes = json.loads((last / "history.json").read_text())["notes"]
    assert notes[0][0] == 8 * collapse.WINDOW
    assert notes[0][1].startswith("The faces collapse")


@pytest.mark.parametrize(("model", "name"), EACH)
def test_resuming_equals_not_having_stopped(faces, tmp_path, model, name):
    train(config(faces, tmp_path / "whole", model, name, images=32))
    train(config(faces, tmp_path / "parts", model, name, images=16))
    train(config(faces, tmp_path / "parts", model, name, images=32, resume=True))
    whole, parts = (load_file(tmp_path / part / states.FILE) for part in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    different = [key for key in whole if not torch.equal(whole[key], parts[key])]
    assert different == []


def test_two_runs_are_one(faces, tmp_path):
    for name in ("a", "b"):
        train(config(faces, tmp_path / name, precision="bf16"))
    one, two = (load_file(tmp_path / name / states.FILE) for name in ("a", "b"))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_run_is_not_written_over(faces, tmp_path):
    train(config(faces, tmp_path))
    before = (tmp_path / "log.jsonl").read_bytes()
    with pytest.raises(ValueError, match="holds a run: go on with it by --resume, or name another folder"):
        train(config(faces, tmp_path))
    assert (tmp_path / "log.jsonl").read_bytes() == before


def test_what_a_run_without_a_state_left_is_no_part_of_the_next(faces, tmp_path):
    (tmp_path / "frames").mkdir()
    Image.new("L", (348, 298)).save(tmp_path / "frames" / "0000000512.png")
    train(config(faces, tmp_path, images=16))
    assert [page.stem for page in (tmp_path / "frames").glob("*.png")] == ["0000000016"]


def test_another_network_is_not_resumed(faces, tmp_path):
    train(config(faces, tmp_path))
    with pytest.raises(ValueError, match="is of a run with config"):
        train(config(faces, tmp_path, resume=True, set=SMALL["fixed"].replace("width=8", "width=16", 1)))
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        train(config(faces, tmp_path / "other", resume=True))


def test_a_changed_recipe_is_resumed_and_remembered(faces, tmp_path):
    train(config(faces, tmp_path))
    for images in (96, 128):
        train(config(faces, tmp_path, images=images, resume=True, set=SMALL["fixed"] + " learning_rate=1e-4"))
    described = checkpoint.describe(tmp_path / "checkpoints" / "0000000128")
    assert described.training["changes"] == [{"images_seen": 64, "learning_rate": [5e-4, 1e-4]}]


def test_recipes_of_other_names_are_told_apart():
    old, new = {"lr": 1, "power": 1}, {"power": 1, "guide_weight": 0.1}
    facts = record.recipe_changes(Path("x"), {"recipe": old, "seen": 64, "changes": []}, {"recipe": new})
    assert facts["changes"] == [{"images_seen": 64, "lr": [1, None], "guide_weight": [None, 0.1]}]


def test_a_guide_draws_the_generator_to_what_was_asked_and_learns_nothing(faces, tmp_path):
    found = MODELS["classifier"]["guide"]
    guided = found.network(found.config(width=4)).eval().requires_grad_(False)
    emotion, real, moved = torch.eye(7).repeat(2, 1)[:8], torch.rand(8, 1, 48, 48), []
    for guide in (None, guided):
        made = game("stylegan", "fixed", Recipe(guide_weight=1.0))
        made.guide = guide
        parts = made.generator_gradients(real, emotion, emotion)
        assert ("g_guide" in parts) == (guide is not None)
        moved.append(torch.cat([p.grad.flatten() for p in made.generator.parameters()]))
    assert not torch.allclose(*moved)
    assert all(p.grad is None for p in guided.parameters())
    for name, changes in (("guide", {}), ("judge", {"stem_stride": 2})):
        factory.write_checkpoint(tmp_path / name, "classifier", name, width=4, **changes)
    asked = SMALL["fixed"] + " guide_weight=0.1"
    sentence = train(config(faces, tmp_path / "run", set=asked, guide=str(tmp_path / "guide")))
    assert sentence.startswith("Stopped: 64 images seen")
    with pytest.raises(ValueError, match="no classifier for a loss"):
        train(config(faces, tmp_path / "other", set=asked, guide=str(tmp_path / "judge")))


@pytest.mark.parametrize(("model", "name"), EACH)
def test_gradients_reach_only_the_network_being_trained(model, name):
    made, emotion = game(model, name), torch.eye(7).repeat(2, 1)[:8]
    real = torch.rand(8, 1, 48, 48) * 2 - 1
    if made.recipe.split_updates:
        made.half_discriminator_gradients(real, emotion, real=True)
    else:
        made.discriminator_gradients(real, emotion, emotion, penalise=True)
    assert all(p.grad is None for p in made.generator.parameters())
    assert all(p.grad is not None for p in made.discriminator.parameters())
    made.optimizers["discriminator"].zero_grad()
    made.generator_gradients(real, emotion, emotion)
    assert all(p.grad is None for p in made.discriminator.parameters())
    assert all(p.grad is not None for p in made.generator.parameters())


def test_the_penalty_is_the_squared_slope():
    made = game("cgan", "fixed")
    images, emotion = torch.rand(4, 1, 48, 48), torch.eye(7)[:4]
    leaf = images.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(made.discriminator(leaf, emotion).realness.sum(), leaf)
    due = float(slope.square().sum((1, 2, 3)).mean())
    assert made.penalty(images, emotion).item() == pytest.approx(due, rel=1e-4)


def test_published_reals_are_in_the_unit_range(faces, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        Game,
        "half_discriminator_gradients",
        lambda self, images, emotion, real: seen.append(images) or {},
    )
    monkeypatch.setattr(Game, "update", lambda self, name, accelerator: None)
    train(config(faces, tmp_path, "cgan", "published", images=8))
    assert float(seen[0].min()) >= 0  # the real ones
    assert float(seen[1].min()) < 0  # the fakes keep to [-1, 1]


def test_a_loss_that_is_not_finite_stops_with_the_last_good_state(faces, tmp_path, monkeypatch):
    train(config(faces, tmp_path))
    good = (tmp_path / states.FILE).read_bytes()
    monkeypatch.setattr(losses, "relativistic", lambda a, b: (a - b).mean() * float("nan"))
    with pytest.raises(FloatingPointError, match="d_loss.* not finite"):
        train(config(faces, tmp_path, images=640, resume=True, save_minutes=1e-6))
    assert (tmp_path / states.FILE).read_bytes() == good


def flags(faces, out):
    return ["--data", str(faces), "--out", str(out), "--cpu", "--set", SMALL["fixed"]]


def test_a_signal_saves_and_exits(faces, tmp_path, monkeypatch, capsys):
    """SIGTERM, in this process; what SIGINT does to one of its own is tested with the classifiers."""
    advance = session.Session.advance

    def interrupted(self, images):
        advance(self, images)
        if self.seen == 24:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(session.Session, "advance", interrupted)
    monkeypatch.setattr(sys, "argv", ["gan", *flags(faces, tmp_path), "--images", "800"])
    before = signal.getsignal(signal.SIGTERM)
    gan.main()
    assert signal.getsignal(signal.SIGTERM) == before
    assert "Stopped: SIGTERM" in capsys.readouterr().out
    assert states.load(tmp_path / states.FILE)[1]["seen"] == 24
    assert (tmp_path / "checkpoints" / "0000000024").is_dir()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (("--data", "/nowhere"), "/nowhere does not exist"),
        (("--set", "gama=1"), "got 'gama=1'"),
        (("--out", "/dev/null/run"), "Training stopped: "),
        (("--model", "vae"), "Unknown model 'vae'"),
        (("--precision", "fp8"), "auto, bf16 or fp32"),
    ],
)
def test_what_cannot_run_is_refused_in_a_sentence(faces, tmp_path, refusal, changed, words):
    assert words in refusal(gan.main, *flags(faces, tmp_path), *changed)
