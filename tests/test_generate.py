"""A labelled data set of drawn faces: whole, resumed, shared out, and readable."""

import io
import json
import sys

import numpy as np
import pytest
import torch
from accelerate import PartialState
from huggingface_hub import metadata_load
from PIL import Image

from fergan import data, provenance
from fergan.emotions import EMOTIONS
from train import generate
from train.generate import GenerateConfig


class Process:
    """One of several processes, as accelerate describes it."""

    def __init__(self, index: int = 0, many: int = 1) -> None:
        self.process_index, self.num_processes = index, many
        self.device, self.is_main_process = torch.device("cpu"), index == 0

    def wait_for_everyone(self) -> None:
        """The test runs them one after the other."""


def config(weights, tmp_path, **changes) -> GenerateConfig:
    asked = {"count": 31, "shard": 10, "out": str(tmp_path / "faces")}
    return GenerateConfig(checkpoints=(str(weights / "acgan"),), **{**asked, **changes})


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_as_many_of_each_and_our_own_reader_takes_them(weights, tmp_path):
    assert "4 of 4 shards" in generate.generate(config(weights, tmp_path), Process())
    faces = data.load(tmp_path / "faces")
    assert len(faces.labels) == 31
    counts = torch.bincount(faces.labels, minlength=7)
    assert int(counts.max() - counts.min()) <= 1


def test_a_face_is_that_of_its_seed(weights, tmp_path, engine):
    generate.generate(config(weights, tmp_path, seed=100), Process())
    name = EMOTIONS[103 % 7]
    with Image.open(tmp_path / "faces" / "train" / name / "00000103.png") as picture:
        found = np.asarray(picture).astype(int)
    record = provenance.read(tmp_path / "faces" / "train" / name / "00000103.png")
    assert record == provenance.Record("acgan", {name: 1.0}, 103, weights=engine.fingerprint("acgan"))
    row = np.eye(7)[[103 % 7]]
    assert np.abs(found - engine.generate("acgan", row, [103])[0]).max() <= 1  # a batch rounds otherwise


def test_what_is_there_is_not_drawn_again(weights, tmp_path, monkeypatch):
    asked, folder = config(weights, tmp_path), tmp_path / "faces"
    generate.generate(asked, Process())
    whole = files(folder)
    (folder / ".shards" / "00002.csv").unlink()
    drawn = []
    draw = generate.Painter.draw
    monkeypatch.setattr(
        generate.Painter, "draw", lambda self, seeds: drawn.append(seeds) or draw(self, seeds)
    )
    generate.generate(asked, Process())
    assert drawn == [range(20, 30)]
    assert files(folder) == whole


def test_two_processes_make_what_one_makes(weights, tmp_path):
    generate.generate(config(weights, tmp_path), Process())
    other = config(weights, tmp_path, out=str(tmp_path / "two"))
    assert "2 of 4" in generate.generate(other, Process(0, 2))
    assert "4 of 4" in generate.generate(other, Process(1, 2))
    one, two = files(tmp_path / "faces"), files(tmp_path / "two")
    assert {name for name in one if name != "README.md"} == {name for name in two if name != "README.md"}
    assert all(one[name] == two[name] for name in one if name != "README.md")


def test_parquet_holds_pictures_labels_and_their_names(weights, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    generate.generate(config(weights, tmp_path, form="parquet"), Process())
    table = parquet.read_table(tmp_path / "faces" / "data" / "train-00003-of-00004.parquet")
    assert table["seed"].to_pylist() == [30]
    assert table["label"].to_pylist() == [30 % 7]
    with Image.open(io.BytesIO(table["image"][0].as_py()["bytes"])) as picture:
        assert picture.size == (48, 48)
    told = json.loads(table.schema.metadata[b"huggingface"])
    assert told["info"]["features"]["label"]["names"] == list(EMOTIONS)


def test_another_order_needs_another_folder(weights, tmp_path):
    generate.generate(config(weights, tmp_path), Process())
    with pytest.raises(ValueError, match="another data set"):
        generate.generate(config(weights, tmp_path, seed=5), Process())


def test_the_card_counts_and_says_synthetic(weights, tmp_path):
    generate.generate(config(weights, tmp_path), Process())
    card = tmp_path / "faces" / "README.md"
    assert "synthetic" in metadata_load(card)["tags"]
    assert "| angry | 5 |" in card.read_text()
    assert "| neutral | 4 |" in card.read_text()


@pytest.mark.parametrize(
    ("words", "due"),
    [
        ([], "Name one checkpoint folder"),
        (["nowhere"], "nowhere"),
        (["nowhere", "--form", "zip"], "--form is folders or parquet"),
        (["nowhere", "--count", "0"], "must be 1 or more"),
    ],
)
def test_refusals_on_the_command_line(words, due, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate", *words, "--cpu"])
    with pytest.raises(SystemExit):
        generate.main()
    assert due in capsys.readouterr().err
    assert PartialState().num_processes == 1


def test_a_classifier_draws_nothing(weights, tmp_path):
    asked = GenerateConfig(checkpoints=(str(weights / "judge"),), out=str(tmp_path / "faces"))
    with pytest.raises(ValueError, match="draws no faces"):
        generate.generate(asked, Process())
    assert not (tmp_path / "faces").exists()
