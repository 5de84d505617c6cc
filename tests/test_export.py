"""Checkpoints as ONNX: the same answers in onnxruntime, in batches of any size."""

import dataclasses
import sys

import numpy as np
import pytest
import torch

from fergan import checkpoint
from fergan.emotions import EMOTIONS
from fergan.models import MODELS, preset
from tests import factory
from tests.test_models import tiny
from train import export

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")

EACH = [
    (model, name)
    for model, presets in MODELS.items()
    for name in presets
    if name not in ("m2", "m3", "m5") and model != "guided"
]


def saved(folder, model: str, name: str, **changes):
    """A tiny checkpoint whose every layer does something, in `folder`."""
    torch.manual_seed(0)
    config = dataclasses.asdict(tiny(model, name)) | changes
    return factory.write_checkpoint(
        folder, model, name, by=0.1, images_seen=96, **config
    )  # heads begin at zero


@pytest.mark.parametrize(("model", "name"), EACH)
def test_onnxruntime_answers_as_pytorch_does(model, name, tmp_path):
    few = {"emotions": "happy,sad"} if (model, name) == ("dcgan", "fixed") else {}  # seven take 90 seconds
    folder = saved(tmp_path / "one", model, name, **few)
    content, _ = export.export(folder)
    assert export.difference(content, folder) < 2e-4


def test_a_difference_is_seen(tmp_path):
    """The measure itself: another network's file is far off."""
    content, _ = export.export(saved(tmp_path / "one", "cgan", "fixed"))
    torch.manual_seed(1)
    other = preset("cgan", "fixed").network(tiny("cgan", "fixed"))
    described = checkpoint.describe(tmp_path / "one")
    checkpoint.save(tmp_path / "other", described, other.state_dict())
    assert export.difference(content, tmp_path / "other") > 1e-2


def test_colour_at_another_size(tmp_path):
    folder = saved(tmp_path / "one", "stylegan", "fixed", image_size=64, channels=3)
    content, _ = export.export(folder)
    assert export.difference(content, folder) < 2e-4


def test_half_the_size_is_the_same_network(tmp_path):
    folder = saved(tmp_path / "one", "acgan", "fixed", width=32)
    whole, _ = export.export(folder)
    half, _ = export.export(folder, half=True)
    assert len(half) < 0.65 * len(whole)
    assert export.difference(half, folder) < 5e-3


def test_intensity_0_is_the_face_itself(tmp_path):
    content, described = export.export(saved(tmp_path / "one", "stargan", "fixed"))
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    given = {
        key: value.numpy() for key, value in export.inputs("translator", described.build_config(), 3).items()
    }
    given["intensity"][:] = 0
    (changed,) = session.run(None, given)
    assert np.array_equal(changed, given["images"])


def test_the_file_says_what_it_is(tmp_path):
    folder = saved(tmp_path / "one", "cgan", "fixed")
    content, _ = export.export(folder)
    told = {fact.key: fact.value for fact in onnx.load_from_string(content).metadata_props}
    assert told["fergan.model"] == "cgan"
    assert told["fergan.weights"] == checkpoint.fingerprint(folder)
    assert all(name in told["fergan.emotions"] for name in EMOTIONS)


def test_the_command_line_writes_files_and_a_table(tmp_path, monkeypatch, capsys):
    folder = saved(tmp_path / "mine", "classifier", "m1")
    monkeypatch.setattr(sys, "argv", ["export", str(folder), "--out", str(tmp_path / "out")])
    export.main()
    assert (tmp_path / "out" / "mine.onnx").stat().st_size > 1000
    assert f"| {folder} |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "due"), [([], "at least one"), (["one", "elsewhere/one"], "one name"), (["nowhere"], "nowhere")]
)
def test_refusals(words, due, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["export", *words])
    with pytest.raises(SystemExit):
        export.main()
    assert due in capsys.readouterr().err
