"""train.gan as a user runs it, on small drawn faces, and its steps one by one."""

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

from fergan import checkpoint, provenance
from fergan.emotions import EMOTIONS
from fergan.engine import Engine
from fergan.models import MODELS
from fergan.ui import film
from tests import factory
from train import bank, collapse, gan, record, run
from train.recipes import RECIPES, Recipe

ROOT = Path(__file__).resolve().parents[1]
EACH = list(RECIPES)
SMALL = {"fixed": "width=8 discriminator_width=8 noise_dim=8 batch=8", "published": "noise_dim=8 batch=8"}
DCGAN = {"fixed": SMALL["fixed"], "published": "width=8 noise_dim=8 batch=8"}


@pytest.fixture(scope="module")
def faces(own_folder):
    return factory.write_packed(own_folder / "packed", factory.draw_faces(70))


def config(faces, out, model="acgan", name="fixed", **changes):
    small = (DCGAN if model == "dcgan" else SMALL)[name]
    options = {"images": 64, "precision": "fp32", "cpu": True, "set": small, "keep": 32}
    if model == "dcgan":
        options["emotion"] = "happy"
    return gan.TrainConfig(data=str(faces), out=str(out), model=model, preset=name, **options | changes)


def train(settings):
    return gan.train(settings, Accelerator(cpu=True))


def game(model, name, recipe=None):
    torch.manual_seed(0)
    small = (DCGAN if model == "dcgan" else SMALL)[name]
    small = dict(pair.split("=") for pair in small.split() if not pair.startswith("batch"))
    settings = MODELS[model][name].config(**{key: int(value) for key, value in small.items()})
    made = gan.Game(model, name, settings, recipe or RECIPES[model, name], 0, torch.device("cpu"))
    made.dtype = torch.float32
    return made


@pytest.mark.parametrize(("model", "name"), EACH)
def test_a_run_leaves_all_its_files(faces, tmp_path, monkeypatch, model, name):
    monkeypatch.setattr(record, "LOG_EVERY", 2)
    sentence = train(config(faces, tmp_path, model, name, images=80))
    assert sentence.startswith("Stopped: 80 images seen")
    kept = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    assert kept == ["0000000032", "0000000064", "0000000080"]
    described, network = checkpoint.load(tmp_path / "checkpoints" / kept[-1])
    assert (described.images_seen, described.step, described.preset) == (80, 10, name)
    assert described.training["device"] == "cpu"
    assert described.data
    line = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    assert {"images_seen", "g_loss", "images_per_second"} <= line.keys()
    assert ("d_class" in line) == (model in ("acgan", "stylegan"))
    last = tmp_path / "checkpoints" / kept[-1]
    assert "80 images" in (last / "README.md").read_text()
    with Image.open(tmp_path / "frames" / "0000000080.png") as frame:
        assert frame.size == (7 * 50 - 2, 6 * 50 - 2)
    assert list((tmp_path / "tensorboard").iterdir())
    assert network is not None
    told = json.loads((last / "history.json").read_text())
    assert told["frames"] == [80]
    assert provenance.read(last / "evolution.webp").training is not None
    with Image.open(last / "evolution.webp") as film:
        assert getattr(film, "n_frames", 1) == len(told["frames"])
    assert [seen for seen, _ in told["curves"]["g_loss"]] == [16, 32, 48, 64, 80]
    assert {"diversity", "twins"} <= told["curves"].keys()
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert described.training["collapsed_at"] is None


def test_a_collapse_is_remembered_over_a_resume(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(record, "LOG_EVERY", 1)
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
    train(config(faces, tmp_path / "whole", model, name, images=48))
    train(config(faces, tmp_path / "parts", model, name, images=24))
    train(config(faces, tmp_path / "parts", model, name, images=48, resume=True))
    whole, parts = (load_file(tmp_path / part / run.STATE) for part in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    different = [key for key in whole if not torch.equal(whole[key], parts[key])]
    assert different == []


def test_two_runs_are_one(faces, tmp_path):
    for name in ("a", "b"):
        train(config(faces, tmp_path / name, precision="bf16"))
    one, two = (load_file(tmp_path / name / run.STATE) for name in ("a", "b"))
    assert all(torch.equal(one[key], two[key]) for key in one)


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
    for name in ("guide", "judge"):
        preset = MODELS["classifier"][name]
        settings = preset.config(width=4, **({"stem_stride": 2} if name == "judge" else {}))
        described = checkpoint.Checkpoint("classifier", name, dataclasses.asdict(settings))
        checkpoint.save(tmp_path / name, described, preset.network(settings).state_dict())
    asked = SMALL["fixed"] + " guide_weight=0.1"
    sentence = train(config(faces, tmp_path / "run", set=asked, guide=str(tmp_path / "guide")))
    assert sentence.startswith("Stopped: 64 images seen")
    with pytest.raises(ValueError, match="no classifier for a loss"):
        train(config(faces, tmp_path / "run", set=asked, guide=str(tmp_path / "judge")))


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


def test_the_published_acgan_freezes_its_statistics():
    made = game("acgan", "published")
    before = made.generator.norm1.running_mean.clone()
    made.draw_for_discriminator(torch.eye(7))
    assert torch.equal(made.generator.norm1.running_mean, before)
    assert made.generator.training
    ours = game("acgan", "published", Recipe(loss="logistic"))
    ours.draw_for_discriminator(torch.eye(7))
    assert not torch.equal(ours.generator.norm1.running_mean, before)


def test_published_reals_are_in_the_unit_range(faces, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        gan.Game,
        "half_discriminator_gradients",
        lambda self, images, emotion, real: seen.append(images) or {},
    )
    monkeypatch.setattr(gan.Game, "update", lambda self, name, accelerator: None)
    train(config(faces, tmp_path, "cgan", "published", images=8))
    assert float(seen[0].min()) >= 0  # the real ones
    assert float(seen[1].min()) < 0  # the fakes keep to [-1, 1]


def test_a_loss_that_is_not_finite_stops_with_the_last_good_state(faces, tmp_path, monkeypatch):
    train(config(faces, tmp_path))
    good = (tmp_path / run.STATE).read_bytes()
    monkeypatch.setattr(gan.losses, "relativistic", lambda a, b: (a - b).mean() * float("nan"))
    with pytest.raises(FloatingPointError, match="d_loss.* not finite"):
        train(config(faces, tmp_path, images=640, resume=True, save_minutes=1e-6))
    assert (tmp_path / run.STATE).read_bytes() == good


def command(faces, out, *flags):
    own = [sys.executable, "-m", "train.gan", "--data", str(faces), "--out", str(out), "--cpu"]
    return [*own, "--set", SMALL["fixed"], *flags]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_exits(faces, tmp_path, number):
    flags = ("--images", "100000000")
    process = subprocess.Popen(
        command(faces, tmp_path, *flags),
        env=factory.environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 90
        while not (tmp_path / "frames" / "0000000768.png").exists():
            assert time.monotonic() < deadline, "the run wrote no grid"
            assert process.poll() is None, process.communicate()[1].decode()
            time.sleep(0.1)
        process.send_signal(number)
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, error.decode()
    assert f"Stopped: {signal.Signals(number).name}" in out.decode()
    assert run.load_state(tmp_path / run.STATE)[1]["seen"] >= 768


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--data", "/nowhere"), "/nowhere does not exist"),
        (("--set", "gama=1"), "got 'gama=1'"),
        (("--out", "/dev/null/run"), "Training stopped: "),
        (("--model", "vae"), "Unknown model 'vae'"),
        (("--precision", "fp8"), "auto, bf16 or fp32"),
    ],
)
def test_what_cannot_run_is_refused_in_a_sentence(faces, tmp_path, flags, words):
    done = subprocess.run(
        command(faces, tmp_path, *flags), env=factory.environment(), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bank_has_a_network_for_each_emotion(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(record, "LOG_EVERY", 1)
    apart = {"emotion": "", "set": f"{DCGAN['fixed']} together=0"}
    sentence = train(config(faces, tmp_path, "dcgan", images=16, keep=16, **apart))
    assert sentence.endswith("bank.")
    described, network = checkpoint.load(tmp_path / "bank")
    assert (described.images_seen, described.training["images_each"]) == (112, [16] * 7)
    sad = checkpoint.load(tmp_path / "sad" / "checkpoints" / "0000000016")[1]
    noise, row = torch.randn(2, 8), torch.eye(7)[[4, 4]]
    with torch.no_grad():
        assert torch.equal(network(noise, row), sad(noise, row))
    assert (tmp_path / "bank" / "evolution.webp").is_file()
    with Image.open(tmp_path / "frames" / "0000000016.png") as joined:
        assert joined.size == (7 * 50 - 2, 6 * 50 - 2)
        with Image.open(tmp_path / "sad" / "frames" / "0000000016.png") as own:
            column = own.crop((0, 0, 48, 298))
        assert joined.crop((4 * 50, 0, 4 * 50 + 48, 298)).tobytes() == column.tobytes()
    with (tmp_path / "sad" / "log.jsonl").open("a") as log:
        log.write(json.dumps({"images_seen": 16, "note": "The faces collapse.", "about": "faces"}) + "\n")
    assert train(config(faces, tmp_path, "dcgan", images=24, resume=True, **apart)).endswith("bank.")
    assert checkpoint.describe(tmp_path / "bank").images_seen == 7 * 24
    told = json.loads((tmp_path / "bank" / "history.json").read_text())
    assert told["frames"] == [16, 24]  # of one network, as the pages and the curves
    assert told["notes"] == [[16, "sad: The faces collapse."]]
    each = [json.loads((tmp_path / name / "log.jsonl").read_text().splitlines()[0]) for name in EMOTIONS]
    assert [seen for seen, _ in told["curves"]["diversity"]] == [8, 16, 24]
    mean = sum(line["g_loss"] for line in each) / 7
    assert told["curves"]["g_loss"][0][1] == pytest.approx(mean, rel=1e-3)
    shown = film.film(Engine([tmp_path / "bank"], device="cpu"), "bank")
    assert (len(shown["pages"]), shown["frames"], shown["columns"]) == (2, [16, 24], list(EMOTIONS))
    assert (tmp_path / "curves.png").is_file()
    assert "evolution.webp" in (tmp_path / "bank" / "README.md").read_text()


def test_networks_that_stopped_apart_share_the_pages_that_all_drew(faces, tmp_path):
    apart = f"{DCGAN['fixed']} together=0"
    train(config(faces, tmp_path, "dcgan", images=16, emotion="", set=apart))
    train(config(faces, tmp_path / "happy", "dcgan", images=24, resume=True))
    bank.join([tmp_path / name for name in EMOTIONS], tmp_path / "bank")
    assert json.loads((tmp_path / "bank" / "history.json").read_text())["frames"] == [16]


def test_the_networks_of_a_bank_begin_as_one_that_saw_all(faces, tmp_path):
    settings = {"emotion": "", "set": f"{DCGAN['fixed']} together=16"}
    train(config(faces, tmp_path, "dcgan", images=8, **settings))
    states = {name: run.load_state(tmp_path / name / run.STATE) for name in ("all", "sad", "happy")}
    assert [states[name][1]["seen"] for name in states] == [16, 24, 24]
    assert states["sad"][1]["changes"] == [{"images_seen": 16, "emotions": ["all", "sad"]}]
    base, sad, happy = (
        {key.replace(name, ""): tensor for key, tensor in states[name][0].items()} for name in states
    )
    assert base.keys() == sad.keys()
    for weights in (sad, happy):  # one step of Adam from where they began: the discriminator's too
        apart = [
            (weights[key] - tensor).abs().max() for key, tensor in base.items() if key.endswith("weight")
        ]
        assert 0 < max(apart) < 0.05
    assert any(not torch.equal(sad[key], happy[key]) for key in base if key.startswith("generator"))
    described = checkpoint.describe(tmp_path / "bank")
    assert (described.images_seen, described.step) == (16 + 7 * 8, 2 + 7)
    assert (described.training["images_together"], described.training["images_each"]) == (16, [8] * 7)
    told = json.loads((tmp_path / "bank" / "history.json").read_text())
    assert told["frames"] == [16, 24]
    with Image.open(tmp_path / "frames" / "0000000016.png") as page:  # when all seven were one
        columns = {page.crop((x * 50, 0, x * 50 + 48, 298)).tobytes() for x in range(7)}
    assert len(columns) == 1
    train(config(faces, tmp_path, "dcgan", images=16, resume=True, **settings))
    assert checkpoint.describe(tmp_path / "bank").training["images_each"] == [16] * 7
    with pytest.raises(ValueError, match="angry holds a run: go on by --resume"):
        train(config(faces, tmp_path, "dcgan", images=16, **settings))


VARIANTS = [
    (transposed, *layers)
    for transposed in ("true", "false")
    for layers in (("false", 0), ("true", 0), ("true", 0.25))
]


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
@pytest.mark.parametrize(("transposed", "norm", "dropout"), VARIANTS)
def test_each_published_variant_trains(faces, tmp_path, monkeypatch, transposed, norm, dropout, optimizer):
    monkeypatch.setattr(record, "LOG_EVERY", 1)
    own = f"transposed={transposed} norm={norm} dropout={dropout} optimizer={optimizer}"
    train(config(faces, tmp_path, "dcgan", "published", images=16, set=f"{DCGAN['published']} {own}"))
    last = tmp_path / "checkpoints" / "0000000016"
    described, _ = checkpoint.load(last)
    asked = {"transposed": transposed == "true", "norm": norm == "true", "dropout": dropout}
    assert asked.items() <= described.config.items()
    due = {"optimizer": optimizer, "clip": 1.0, "label_noise": 0.05, "unit_range": True, "collapsed_at": None}
    assert due.items() <= described.training.items()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"d_loss", "d_margin", "g_loss", "diversity", "twins"} <= lines[0].keys()
    told = json.loads((last / "history.json").read_text())
    assert (told["frames"], len(told["curves"]["diversity"])) == ([16], 2)


def test_half_the_range_is_no_collapse():
    """Published generators learn [0, 1]: one that draws as real faces are is as diverse as they."""
    made, real = game("dcgan", "published"), torch.rand(8, 1, 48, 48)
    made.draw = lambda emotion: real.flip(0).requires_grad_()
    found = made.generator_gradients(real, torch.eye(7)[[3] * 8], torch.eye(7)[[3] * 8])
    assert float(found["diversity"]) == pytest.approx(1, abs=1e-3)
    assert float(found["twins"]) == 0


@pytest.mark.parametrize("name", DCGAN)
def test_votes_for_other_emotions_ask_nothing_of_a_network_of_one(tmp_path, name):
    votes = [[10, *[0] * 9]] * 70  # all ten say neutral
    own = factory.write_packed(tmp_path / "faces", factory.draw_faces(70), votes=votes)
    assert train(config(own, tmp_path / "run", "dcgan", name, images=16)).startswith("Stopped: 16 images")


def test_emotions_are_for_banks(faces, tmp_path):
    with pytest.raises(ValueError, match="--emotion is for dcgan"):
        config(faces, tmp_path, "cgan", emotion="happy")
    with pytest.raises(ValueError, match="Unknown emotion 'joy'"):
        config(faces, tmp_path, "dcgan", emotion="joy")


def test_noise_lowers_the_targets_and_clipping_holds_gradients(faces):
    made = game("dcgan", "published")
    logits = torch.zeros(1000)
    plain = float(gan.losses.logistic(torch.full((1000,), 2.0), True))
    noisy = float(made.logistic(torch.full((1000,), 2.0), True))
    assert plain + 0.01 < noisy < plain + 0.1  # 2 * 0.05 * u, u in [0, 1]
    assert float(made.logistic(logits, False)) == pytest.approx(float(made.logistic(logits, True)))
    for parameter in made.generator.parameters():
        parameter.grad = torch.full_like(parameter, 5.0)
    seen = []
    made.optimizers["generator"].step = lambda: seen.extend(
        float(p.grad.max()) for p in made.generator.parameters()
    )
    made.update("generator", Accelerator(cpu=True))
    assert set(seen) == {1.0}
