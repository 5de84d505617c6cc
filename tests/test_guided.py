"""The guided translator: what its slopes do, its bounds, how it is made. Its contract is tested with the other translators'."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fergan import checkpoint
from fergan.checkpoint import Checkpoint
from fergan.losses import soft_cross_entropy
from fergan.models import MODELS
from fergan.models.classifier import Teacher
from fergan.models.guided import Config, Translator
from train import export, guided
from train.helpers import helper

ROOT = Path(__file__).resolve().parents[1]
EYE = torch.eye(7)


@pytest.fixture
def translator():
    def made(**changes):
        torch.manual_seed(0)
        network = Translator(Config(**{"width": 4, "steps": 4, **changes}))
        with torch.no_grad():
            network.guide.head.linear.weight.mul_(30)  # a guide of some opinion
        return network

    return made


def faces(count=3, channels=1, size=48):
    rng = torch.Generator().manual_seed(1)
    small = torch.rand(count, channels, 6, 6, generator=rng) * 1.6 - 0.8
    return torch.nn.functional.interpolate(small, size=size, mode="bicubic").clamp(-1, 1)


def test_the_guide_reads_what_was_asked_for(translator):
    network, images = translator(), faces(7)
    drawn = network(images, EYE, EYE, torch.ones(7))
    before, after = (soft_cross_entropy(network.guide(part), EYE) for part in (images, drawn))
    assert float(after) < float(before) - 0.1
    blend = (EYE[[3]] + EYE[[5]]).expand(7, -1) / 2
    halves = network(images, EYE, blend, torch.ones(7))
    assert float(soft_cross_entropy(network.guide(halves), blend)) < float(
        soft_cross_entropy(network.guide(images), blend)
    )


@pytest.mark.parametrize(("size", "channels"), [(48, 1), (96, 3)])
def test_a_face_goes_no_further_than_its_bounds(translator, size, channels):
    network = translator(image_size=size, channels=channels, shade=2.0, bend=0.02)
    images = faces(4, channels, size)
    change = network.change(images, EYE[:4], EYE[3:], torch.ones(4))
    assert 0 < float(change.flow.abs().max()) <= 0.02 + 1e-6
    each = change.shading.square().mean(dim=(1, 2, 3)).sqrt()
    assert 0 < float(each.max()) <= 2.0 / 48 + 1e-6  # as much a pixel at any size
    assert change.mask.shape == (4, 1, size, size)
    assert float(change.apply(images).abs().max()) <= 1


def test_both_halves_of_a_face_bend_alike(translator):
    flow = translator().change(faces(), EYE[:3], EYE[3:6], torch.ones(3)).flow
    mirrored = flow.flip(-1) * torch.tensor([-1.0, 1.0])[:, None, None]
    assert torch.allclose(flow, mirrored, atol=1e-6)


def test_the_change_is_in_proportion_to_the_intensity(translator):
    network, images = translator(), faces(1).expand(3, -1, -1, -1)
    change = network.change(images, EYE[[6] * 3], EYE[[3] * 3], torch.tensor([0.0, 0.5, 1.0]))
    for part in (change.flow, change.shading):
        assert not part[0].any()
        assert torch.allclose(2 * part[1], part[2], atol=1e-5)


def test_what_is_read_already_changes_nothing(translator):
    network, images = translator(), faces(2)
    with torch.no_grad():
        read = network.guide(images).softmax(dim=1)
    change = network.change(images, read, read, torch.ones(2))
    assert float(change.flow.abs().max()) < 1e-6
    assert float(change.shading.abs().max()) < 1e-4


def test_it_climbs_where_nobody_wants_gradients(translator):
    network, images = translator(), faces(2)
    due = network(images, EYE[:2], EYE[3:5], torch.ones(2))
    assert not due.requires_grad
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            part = faces(2)
            assert torch.equal(network(part, EYE[:2].clone(), EYE[3:5].clone(), torch.ones(2)), due)
    alone = network(images[:1], EYE[:1], EYE[3:4], torch.ones(1))
    assert torch.allclose(alone, due[:1], atol=1e-3)  # of a network that adds in another order
    network.train()
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "steps must be 1 or more"),
        ({"bend": 0.0}, "bend above 0"),
        ({"emotions": "happy,sad"}, "needs all seven emotions; this one knows happy,sad"),
    ],
)
def test_settings_that_do_not_fit(changes, words):
    with pytest.raises(ValueError, match=words):
        Config(**changes)


def saved(folder, name):
    preset = MODELS["classifier"][name]
    settings = preset.config(width=4)
    described = Checkpoint(
        "classifier", name, dataclasses.asdict(settings), step=5, images_seen=640, data="x"
    )
    checkpoint.save(folder, described, preset.network(settings).state_dict())
    return folder


def test_it_is_made_of_a_guide(tmp_path):
    guide = saved(tmp_path / "guide", "guide")
    out = tmp_path / "guided"
    words = guided.make(guided.GuidedConfig((str(guide),), str(out), "steps=3 bend=0.02"))
    assert words == f"{out} holds the translator."
    told, network = checkpoint.load(out)
    assert (told.model, told.preset, told.images_seen, told.data) == ("guided", "fixed", 640, "x")
    assert (told.config["steps"], told.config["bend"], told.config["width"]) == (3, 0.02, 4)
    due = checkpoint.load(guide)[1].state_dict()
    assert all(torch.equal(tensor, due[name]) for name, tensor in network.guide.state_dict().items())
    card = (out / "README.md").read_text()
    assert "a classifier that was hardened" in card
    assert "image-to-image" in card
    with pytest.raises(ValueError, match="cannot be exported"):
        export.export(out)


def test_a_training_asks_the_guide_of_a_guided_translator(tmp_path):
    out = tmp_path / "guided"
    guided.make(guided.GuidedConfig((str(saved(tmp_path / "guide", "guide")),), str(out)))
    asked = helper(str(out), "classifier", Config(), torch.device("cpu"), "guide_weight=0")
    assert type(asked) is Teacher
    with pytest.raises(ValueError, match="holds guided fixed: no generator for a loss"):
        helper(str(out), "generator", Config(), torch.device("cpu"), "paired=0")


def test_nothing_but_a_guide_leads(tmp_path):
    teacher = saved(tmp_path / "teacher", "teacher")
    command = [sys.executable, "-m", "train.guided", str(teacher), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "holds classifier teacher; a guide is due" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="Name one checkpoint folder"):
        guided.GuidedConfig()
