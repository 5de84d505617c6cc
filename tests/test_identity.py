"""The embedder: its contract, its views, and train.identity as a user runs it."""

import dataclasses
import json
import math
import os

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from fergan import checkpoint, data
from fergan.card import write_card
from fergan.models import MODELS, preset
from fergan.models.identity import Config, Embedder
from tests import factory
from train import identity, run, states
from train.identity import IdentityRecipe, distinct, draw_views

EACH = [
    (model, name)
    for model, presets in MODELS.items()
    for name, found in presets.items()
    if found.kind == "embedder"
]
TINY = "width=8 features=16 batch=16"


@pytest.fixture(scope="module")
def faces(own_folder):
    pictures = factory.draw_faces(210)
    pictures[3] = pictures[20]  # twice in Training
    pictures[140] = pictures[200]  # in both tests
    pictures[201] = pictures[5]  # a row of PrivateTest stands in Training
    return factory.write_packed(own_folder / "packed", pictures)


def config(faces, out, **changes):
    options = {"precision": "fp32", "cpu": True, "set": TINY + " epochs=2"}
    return identity.TrainConfig(data=str(faces), out=str(out), **options | changes)


def train(settings):
    return identity.train(settings, Accelerator(cpu=True))


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def images(n=8, size=48, channels=1):
    return torch.rand(n, channels, size, size, generator=generator()) * 2 - 1


# --- the network ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "name"), EACH)
@pytest.mark.parametrize(("size", "channels"), [(48, 1), (64, 3)])
def test_contract(model, name, size, channels):
    torch.manual_seed(0)
    found = preset(model, name)
    network = found.network(found.config(image_size=size, channels=channels, width=8, features=16))
    pictures = images(4, size, channels).requires_grad_(True)
    rows, (low, middle) = network(pictures), network.maps(pictures)
    assert (rows.shape, rows.dtype) == ((4, 16), torch.float32)
    assert torch.allclose(rows.norm(dim=1), torch.ones(4), atol=1e-5)
    assert torch.equal(network.embed([low, middle]), rows)
    assert low.shape == (4, 8, size // 2, size // 2)
    assert middle.shape == (4, 16, size // 4, size // 4)
    rows[:, 0].sum().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert bool(torch.isfinite(parameter.grad).all()), parameter_name


def test_gradients_reach_every_pixel_of_a_frozen_network():
    torch.manual_seed(0)
    network = Embedder(Config(width=8)).eval().requires_grad_(False)
    for answer in (network, lambda x: network.maps(x)[0], lambda x: network.maps(x)[1]):
        pictures = images(2).requires_grad_(True)
        (
            answer(pictures)
            * torch.linspace(0, 1, answer(pictures)[0].numel()).view(answer(pictures)[0].shape)
        ).sum().backward()
        assert bool((pictures.grad != 0).float().mean() > 0.99)


def test_a_face_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    network, pictures = Embedder(Config(width=8)), images(6)
    with torch.no_grad():
        assert torch.allclose(network(pictures)[:1], network(pictures[:1]), atol=1e-5)
        assert not torch.allclose(network(pictures)[0], network(pictures)[1], atol=1e-3)


def test_checkpoint_round_trip(tmp_path):
    config = Config(width=8, features=16)
    network = Embedder(config)
    described = checkpoint.Checkpoint("identity", "simclr", dataclasses.asdict(config), step=3)
    checkpoint.save(tmp_path, described, network.state_dict())
    again, loaded = checkpoint.load(tmp_path)
    assert again == described
    with torch.no_grad():
        assert float((loaded(images()) * network(images())).sum(1).min()) > 0.999


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"image_size": 20}, "multiple of 8, 16 or more; got 20"),
        ({"image_size": 8}, "multiple of 8, 16 or more; got 8"),
        ({"width": 0}, "width must be 1 or more"),
        ({"features": 1}, "features 2 or more"),
    ],
)
def test_configs_refuse(field, words):
    with pytest.raises(ValueError, match=words):
        Config(**field)


# --- data and views -------------------------------------------------------------------------------------


def test_each_face_is_kept_once(faces):
    found = data.load(faces)
    parts = identity.split(found)
    assert (len(found.split("Training")), len(parts.training)) == (126, 125)
    assert len(parts.tests) == 84 - 2
    assert torch.equal(distinct(parts.tests).images, parts.tests.images)


def test_views_differ_and_repeat():
    pictures = images(4)
    first, second = draw_views(pictures, IdentityRecipe(), generator())
    assert first.shape == second.shape == pictures.shape
    assert not torch.equal(first, second)
    assert torch.equal(second, draw_views(pictures, IdentityRecipe(), generator())[1])


# --- train.identity -------------------------------------------------------------------------------------


def test_a_run_learns_and_leaves_all_its_files(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "LOG_EVERY", 5)
    sentence = train(config(faces, tmp_path, set=TINY + " epochs=12 augment=0.3 erase=0"))
    assert "Of 82 test faces" in sentence
    described, network = checkpoint.load(tmp_path / "checkpoint")
    assert (described.model, described.preset) == ("identity", "simclr")
    assert isinstance(network, Embedder)
    metrics = described.metrics
    assert metrics["n"] == 82
    assert metrics["auc"] > 0.7
    assert metrics["same"] > metrics["different"] + 0.1
    assert metrics["chance_emotion"] == pytest.approx(1 / 7, abs=0.02)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"loss", "same", "images_per_second"} <= lines[0].keys()
    lost = [line["loss"] for line in lines if "loss" in line]
    assert lost[-1] < lost[0]
    assert [line["epoch"] for line in lines if "epoch" in line] == list(range(1, 13))
    card = (tmp_path / "checkpoint" / "README.md").read_text()
    assert f"| {metrics['auc']:.4f} |" in card
    assert states.load(tmp_path / states.FILE)[1]["kind"] == "embedder"


def test_resuming_equals_not_having_stopped(faces, tmp_path):
    train(config(faces, tmp_path / "whole"))
    train(config(faces, tmp_path / "parts", images=48))  # in the middle of the first epoch
    train(config(faces, tmp_path / "parts", images=144, resume=True))
    train(config(faces, tmp_path / "parts", resume=True))
    whole, parts = (load_file(tmp_path / part / states.FILE) for part in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert [key for key in whole if not torch.equal(whole[key], parts[key])] == []
    measured = [checkpoint.describe(tmp_path / part / "checkpoint").metrics for part in ("whole", "parts")]
    assert measured[0] == measured[1]


def test_a_signal_keeps_the_state_alone(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(run.Stopper, "reason", lambda self, seen, accelerator: self.signal)
    step = identity.Learner.step

    def ask(self, pixels, rate):
        if self.steps == 2:
            os.kill(os.getpid(), run.signal.SIGTERM)
        return step(self, pixels, rate)

    monkeypatch.setattr(identity.Learner, "step", ask)
    assert train(config(faces, tmp_path)) == "Stopped: SIGTERM, 48 images seen; go on with --resume."
    assert states.load(tmp_path / states.FILE)[1]["seen"] == 48
    assert not (tmp_path / "checkpoint").exists()


def test_a_loss_that_is_not_finite_keeps_the_last_good_state(faces, tmp_path, monkeypatch):
    train(config(faces, tmp_path, images=32))
    good = (tmp_path / states.FILE).read_bytes()
    monkeypatch.setattr(identity.losses, "contrastive", lambda a, b, t: a.mean() * math.nan)
    with pytest.raises(FloatingPointError, match="is not finite"):
        train(config(faces, tmp_path, resume=True))
    assert (tmp_path / states.FILE).read_bytes() == good


def test_another_experiment_is_not_resumed(faces, tmp_path):
    train(config(faces, tmp_path, images=16))
    with pytest.raises(ValueError, match="is of a run with recipe"):
        train(config(faces, tmp_path, set=TINY + " lend=0", resume=True))
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        train(config(faces, tmp_path / "other", resume=True))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"data": "/nowhere"}, "/nowhere does not exist"),
        ({"set": "widht=4"}, "got 'widht=4'"),
        ({"set": "lend=2"}, "lend must be between 0 and 1"),
        ({"set": "temperature=0"}, "temperature must be above 0"),
        ({"set": "augment=-1"}, "augment must be 0 or more"),
        ({"set": "batch=1"}, "batch 2 or more"),
        ({"size": 50}, "multiple of 8"),
        ({"precision": "fp8"}, "auto, bf16 or fp32"),
        ({"images": -1}, "must be 0 or more"),
    ],
)
def test_what_cannot_run_is_refused_in_a_sentence(faces, tmp_path, flags, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        train(config(flags.pop("data", faces), tmp_path, **flags))


def test_too_few_faces_are_refused(faces):
    found = data.load(faces)
    with pytest.raises(ValueError, match="has 0 different faces for tests; 2 are needed"):
        identity.split(found.subset(found.splits == 0))


def test_a_card_without_numbers():
    assert "FER2013" in write_card(checkpoint.Checkpoint("identity", "simclr", {}))


@pytest.mark.parametrize(
    ("change", "changed"), [({"lend": 1.0}, (False, True)), ({"bend": 0.05}, (True, True))]
)
def test_views_have_other_expressions(change, changed):
    plain = IdentityRecipe(**{"lend": 0.0, "bend": 0.0, "augment": 0.0, "erase": 0.0} | change)
    pictures = images(16)
    for view, other in zip(draw_views(pictures, plain, generator()), changed, strict=True):
        kept = [torch.equal(a, b) or torch.equal(a, b.flip(-1)) for a, b in zip(view, pictures, strict=True)]
        assert (sum(kept) < 8) if other else all(kept)
