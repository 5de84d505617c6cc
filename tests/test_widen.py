"""A run that goes on with a wider generator."""

import sys

import pytest
import torch
from accelerate import Accelerator

from fergan import checkpoint
from tests import factory
from train import gan, states, widen

REST = "discriminator_width=8 noise_dim=8 batch=8"
NARROW, WIDE = f"width=8 {REST}", f"width=12 {REST}"


@pytest.fixture(scope="module")
def faces(own_folder):
    return factory.write_packed(own_folder / "packed", factory.draw_faces(70))


def train(faces, out, model="stylegan", **flags):
    options = {"images": 32, "precision": "fp32", "cpu": True, "set": NARROW, "keep": 16, **flags}
    return gan.train(
        gan.TrainConfig(data=str(faces), out=str(out), model=model, **options), Accelerator(cpu=True)
    )


@pytest.fixture(scope="module")
def narrow(faces, own_folder):
    train(faces, own_folder / "narrow")
    return own_folder / "narrow"


@pytest.fixture
def wide(narrow, tmp_path):
    widen.widen(widen.WidenConfig((str(narrow),), str(tmp_path / "wide"), 12))
    return tmp_path / "wide"


def test_a_wider_run_goes_on_where_the_narrow_one_was(faces, narrow, wide):
    train(faces, wide, set=WIDE, images=48, resume=True)
    described, network = checkpoint.load(sorted((wide / "checkpoints").iterdir())[-1])
    assert (described.images_seen, described.config["width"]) == (48, 12)
    assert described.training["changes"][0] == {"images_seen": 32, "width": [8, 12]}
    assert network.synthesis.to_patches.weight.shape[1] == 12
    for path in ("log.jsonl", *(f"frames/{frame.name}" for frame in (narrow / "frames").iterdir())):
        assert (wide / path).read_bytes().startswith((narrow / path).read_bytes())


def test_new_channels_learn_from_the_first_step_on(faces, wide):
    before, _ = states.load(wide / states.FILE)
    train(faces, wide, set=WIDE, images=40, resume=True)
    after, _ = states.load(wide / states.FILE)
    name = "generator.synthesis.to_patches.weight"
    assert not before[name][:, 8:].any() and before[name][:, :8].all()
    assert after[name][:, 8:].all()


def test_the_first_steps_of_new_weights_are_no_longer_than_those_of_old_ones(wide):
    tensors, _ = states.load(wide / states.FILE)
    moments = [t for name, t in tensors.items() if name.endswith("exp_avg_sq")]
    squares = next(t for t in moments if t.shape == (64, 12, 3, 3))  # to_patches'
    torch.testing.assert_close(squares[:, 8:].mean(), squares[:, :8].mean())


def test_a_network_whose_faces_would_change_is_refused(narrow, tmp_path, monkeypatch):
    grown = widen.grown
    monkeypatch.setattr(
        widen, "grown", lambda old, new, reads: grown(old, new, reads=False)
    )  # new noise is read
    with pytest.raises(ValueError, match="draw other faces"):
        widen.widen(widen.WidenConfig((str(narrow),), str(tmp_path / "wide"), 12))
    assert not (tmp_path / "wide").exists()


@pytest.mark.parametrize("width", [4, 8])
def test_a_network_that_is_as_wide_is_refused_in_a_sentence(narrow, tmp_path, monkeypatch, capsys, width):
    monkeypatch.setattr(
        sys, "argv", ["widen", str(narrow), "--out", str(tmp_path / "wide"), "--width", str(width)]
    )
    with pytest.raises(SystemExit):
        widen.main()
    shown = capsys.readouterr().err
    assert "Nothing was widened: --width must be above 8" in shown and "Traceback" not in shown
    assert not (tmp_path / "wide").exists()


def test_another_model_is_refused(faces, tmp_path):
    train(faces, tmp_path / "acgan", "acgan", images=16, set=REST + " width=8")
    with pytest.raises(ValueError, match="is a run of acgan; only a stylegan's width grows"):
        widen.widen(widen.WidenConfig((str(tmp_path / "acgan"),), str(tmp_path / "wide"), 12))


def test_a_run_is_not_overwritten(narrow, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["widen", str(narrow), "--out", str(narrow), "--width", "12"])
    with pytest.raises(SystemExit):
        widen.main()
    assert "name a new folder" in capsys.readouterr().err
