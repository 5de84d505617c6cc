"""train.variants as a user runs it, on small drawn faces and thin networks."""

import dataclasses

import pytest
import torch
from accelerate import Accelerator
from PIL import Image

from fergan import checkpoint
from tests import factory
from train import session, variants

NAMES = [*variants.VARIANTS, variants.OURS]


@pytest.fixture(scope="module")
def place(own_folder):
    """Faces and a judge of theirs that has learnt nothing."""
    factory.write_packed(own_folder / "faces", factory.draw_faces(350))
    torch.manual_seed(0)
    factory.write_checkpoint(own_folder / "judge", "classifier", "judge", width=4, stem_stride=2)
    return own_folder


def config(place, out, **changes):
    options = {"images": 64, "set": "width=4 noise_dim=8", "n": 14, "cpu": True, "precision": "fp32"}
    options |= {"judge": str(place / "judge"), "beside": ""}
    return variants.VariantsConfig(data=str(place / "faces"), out=str(out), **options | changes)


def another(folder):
    """A bank that has learnt nothing elsewhere."""
    torch.manual_seed(1)
    return factory.write_checkpoint(folder, "dcgan", images_seen=1234, width=4, noise_dim=8)


def test_six_and_ours_become_a_table_and_a_picture(place, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "LOG_EVERY", 1)
    other = another(tmp_path / "other")
    before = {path.name: path.read_bytes() for path in other.iterdir()}
    settings = config(place, tmp_path, beside=str(other))
    text = variants.train(settings, Accelerator(cpu=True))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"]
    assert rows[0] == list(variants.HEAD)
    assert [row[0] for row in rows[2:9]] == NAMES
    for name, row in zip(NAMES, rows[2:9], strict=True):
        described = checkpoint.describe(tmp_path / name / "checkpoints" / "0000000064")
        assert row[1] == "64"
        assert float(row[2]) == pytest.approx(described.metrics["fid"], rel=1e-3)
        assert row[4].endswith("%")
        assert row[5] == "none"
        assert described.preset == ("fixed" if name == variants.OURS else "published")
        assert described.config["emotions"] == "happy"
    assert rows[9][:2] == [str(other), "1,234"] and float(rows[9][2]) > 0
    assert {path.name: path.read_bytes() for path in other.iterdir()} == before
    assert rows[10][0] == "floor: training faces"
    assert "14 drawn faces of each (seeds 0 to 13) against 20 test faces that are happy" in text
    with Image.open(tmp_path / "evolution.png") as page:  # one row: all drew at their end alone
        assert page.size == (96 + 2 * (7 * variants.SHOWN * 50 - 2), 24 + 2 * 48)
    stamp = (tmp_path / "ours" / "log.jsonl").read_bytes()
    again = variants.train(dataclasses.replace(settings, resume=True), Accelerator(cpu=True))
    assert again == text
    assert (tmp_path / "ours" / "log.jsonl").read_bytes() == stamp


def test_runs_that_stopped_apart_end_in_a_row_of_their_last(place, tmp_path):
    settings = config(place, tmp_path)
    for name, images in (("transposed", 32), (variants.OURS, 64)):
        own = dataclasses.replace(settings.training(name), images=images)
        variants.gan.train(own, Accelerator(cpu=True))
    page = variants.picture({name: tmp_path / name for name in ("transposed", variants.OURS)})
    assert page.size == (96 + 2 * (2 * variants.SHOWN * 50 - 2), 24 + 2 * 48)


def test_the_iteration_of_a_collapse(place, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "LOG_EVERY", 1)
    monkeypatch.setattr("train.collapse.YOUNG", 0)
    monkeypatch.setattr("train.collapse.LEAST", 100.0)  # nothing is as different as that
    settings = config(place, tmp_path, images=48, set="width=4 noise_dim=8 batch=8")
    variants.gan.train(settings.training("transposed"), Accelerator(cpu=True))
    bench = variants.evaluate.Evaluation(settings.evaluation())
    assert variants.row(bench, tmp_path / "transposed")[5] == "5"  # 40 images in batches of 8


def test_each_is_one_command_of_train_gan(place, tmp_path):
    made = config(place, tmp_path, minutes=2.0).training("upsampling-norm-dropout")
    assert (made.model, made.preset, made.emotion, made.minutes) == ("dcgan", "published", "happy", 2.0)
    assert made.set.split() == ["transposed=false", "norm=true", "dropout=0.25", "width=4", "noise_dim=8"]
    assert not made.resume
    assert config(place, tmp_path).training(variants.OURS).set == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"emotion": "joy"}, "Unknown emotion 'joy'"),
        ({"judge": "/nowhere"}, "/nowhere holds no judge"),
        ({"images": 0}, "--images must be above 0"),
        ({"n": 2}, "--n is 14 or more"),
        ({"beside": "/none"}, "/none"),
    ],
)
def test_refusals_come_before_any_training(place, tmp_path, changes, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        variants.train(config(place, tmp_path / "runs", **changes), Accelerator(cpu=True))
    assert not (tmp_path / "runs").exists()
