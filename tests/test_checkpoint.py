import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fergan import checkpoint
from fergan.checkpoint import CONFIG, WEIGHTS, Checkpoint
from fergan.models import MODELS

SMALL = {"width": 8, "discriminator_width": 8}


@pytest.fixture
def folder(tmp_path):
    preset = MODELS["cgan"]["fixed"]
    network = preset.network(preset.config(**SMALL))
    checkpoint.save(tmp_path / "cgan", Checkpoint("cgan", "fixed", SMALL), network.state_dict())
    return tmp_path / "cgan"


def edit(folder: Path, **changes):
    described = json.loads((folder / CONFIG).read_text())
    described.update(changes)
    (folder / CONFIG).write_text(json.dumps({k: v for k, v in described.items() if v is not ...}))


def test_weights_are_half_and_pure_safetensors(folder):
    parameters = sum(t.numel() for t in checkpoint.load(folder)[1].state_dict().values())
    assert (folder / WEIGHTS).stat().st_size < 2 * parameters + 10_000
    assert sorted(p.name for p in folder.iterdir()) == [CONFIG, WEIGHTS]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "format 2 came, 1 was due"),
        ({"emotions": ["happy", "sad"]}, "trained on the emotions"),
        ({"surprise": 1}, "unknown .*surprise"),
        ({"step": ...}, "lacks .*step"),
        ({"model": "vae"}, "Unknown model 'vae'"),
        ({"preset": "best"}, "Unknown preset 'best'"),
        ({"config": {"width": 8, "depth": 9}}, "no field depth"),
        ({"config": {"image_size": 50}}, "multiple of 16"),
        ({"config": {"patch": 0}}, "patch must be 1 or more, got 0"),
        ({"config": {"width": "8"}}, "width must be of type int, got '8'"),
        ({"config": {"width": True}}, "width must be of type int, got True"),
        ({"config": {"width": 10**400}}, "width must be from 0 to 4096, got 1000"),
        (
            {"model": "classifier", "preset": "judge", "config": {"emotions": None}},
            "emotions must be of type str",
        ),
        ({"config": [8]}, "config in config.json must be a dict"),
        ({"data": None}, "data in config.json must be a str, got None"),
        ({"step": None}, "step in config.json must be a whole number of 0 or more, got None"),
        ({"step": True}, "step in config.json must be a whole number of 0 or more, got True"),
        ({"images_seen": "many"}, "images_seen in config.json must be a whole number .* got 'many'"),
        ({"images_seen": 7.5}, "images_seen in config.json must be a whole number .* got 7.5"),
        ({"images_seen": -1}, "images_seen in config.json must be a whole number .* got -1"),
        ({"images_seen": 10**400}, "images_seen in config.json must be a whole number .* got 1000"),
        ({"sha256": "0" * 64}, "do not belong together"),
        ({"config": {"width": 16, "discriminator_width": 8}}, "has the shape"),
    ],
)
def test_refusals(folder, changes, words):
    edit(folder, **changes)
    with pytest.raises(ValueError, match=words) as caught:
        checkpoint.load(folder)
    assert str(folder) in str(caught.value)


def test_what_a_config_leaves_out_is_told_too(folder):
    assert checkpoint.describe(folder).config == asdict(MODELS["cgan"]["fixed"].config(**SMALL))


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_weights_that_are_not_finite_are_refused(folder, value):
    weights = load_file(folder / WEIGHTS)
    weights["embed.bias"][0] = value
    save_file(weights, folder / WEIGHTS)
    edit(folder, sha256=hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest())
    with pytest.raises(ValueError, match="cgan: the weight embed.bias is not finite; fetch it again"):
        checkpoint.load(folder)


def test_a_missing_and_an_unknown_layer_are_refused(folder):
    network = checkpoint.load(folder)[1]
    weights = network.state_dict()
    weights["extra"] = weights.pop("embed.bias")
    checkpoint.save(folder, Checkpoint("cgan", "fixed", SMALL), weights)
    with pytest.raises(ValueError, match=r"1 layers missing, 1 not known, as embed\.bias; train it anew"):
        checkpoint.load(folder)


def test_a_torn_pair_is_refused(folder, tmp_path):
    old = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(old[:-1] + bytes([old[-1] ^ 1]))
    with pytest.raises(ValueError, match="do not belong together"):
        checkpoint.load(folder)


def test_what_is_no_checkpoint_is_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no config.json"):
        checkpoint.load(tmp_path)
    (folder / WEIGHTS).unlink()
    with pytest.raises(FileNotFoundError, match="holds no model.safetensors"):
        checkpoint.load(folder)
    (folder / CONFIG).write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        checkpoint.load(folder)
    (folder / CONFIG).write_text("[]")
    with pytest.raises(ValueError, match="must hold an object"):
        checkpoint.load(folder)


def test_weights_that_overflow_are_not_written(folder):
    before = (folder / WEIGHTS).read_bytes()
    weights = checkpoint.load(folder)[1].state_dict()
    weights["embed.bias"] = torch.full_like(weights["embed.bias"], 1e6)
    with pytest.raises(ValueError, match="embed.bias is not finite in float16"):
        checkpoint.save(folder, Checkpoint("cgan", "fixed", SMALL), weights)
    assert (folder / WEIGHTS).read_bytes() == before


def test_numbers_of_numpy_are_told_and_what_json_cannot_hold_is_not_written(folder):
    weights = {name: 2 * tensor for name, tensor in checkpoint.load(folder)[1].state_dict().items()}
    described = Checkpoint("cgan", "fixed", SMALL, step=np.int64(3), metrics={"fid": np.float32(0.5)})
    checkpoint.save(folder, described, weights)
    assert (checkpoint.describe(folder).step, checkpoint.describe(folder).metrics) == (3, {"fid": 0.5})
    with pytest.raises(
        ValueError, match="cannot hold all that is told of this checkpoint: .* type PosixPath"
    ):
        checkpoint.save(
            folder, Checkpoint("cgan", "fixed", SMALL, training={"data": Path("x")}), {"a": torch.ones(1)}
        )
    assert torch.equal(checkpoint.load(folder)[1].state_dict()["embed.bias"], weights["embed.bias"].half())


def test_a_failed_write_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "file"
    checkpoint.replace_file(path, b"old")
    monkeypatch.setattr("fergan.checkpoint.os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def full_disk(handle):
    raise OSError(28, "No space left on device")
