"""The table of classifiers, from reports as train.classifier writes them."""

import json

import numpy as np
import pytest
import torch

from fergan import data
from fergan.engine import Engine
from tests import factory
from train import table
from train.table import TableConfig


def scored(accuracy):
    return {"accuracy": accuracy, "ece": 0.0213, "n": 100}


@pytest.fixture
def runs(tmp_path):
    for name, preset, emotions in (
        ("m1-four", "m1", "happy,neutral,sad,surprise"),
        ("vgg16", "vgg16", "angry,disgust,fear,happy,sad,surprise,neutral"),
    ):
        (tmp_path / name).mkdir()
        facts = {
            "model": "classifier",
            "preset": preset,
            "config": {"emotions": emotions},
            "training": {"minutes": 3.5, "command": f"python -m train.classifier --model {preset}"},
            "metrics": {"epoch": 7, "private": scored(0.6512), "private_clean": scored(0.6444)},
        }
        (tmp_path / name / "report.json").write_text(json.dumps(facts))
    (tmp_path / "folds").mkdir()
    told = {"accuracy": [0.6, 0.7], "mean": 0.65, "deviation": 0.0707}
    (tmp_path / "folds" / "folds.json").write_text(json.dumps(told))
    (tmp_path / "other").mkdir()
    return tmp_path


def test_the_table_tells_what_the_reports_say(runs):
    text = table.table(TableConfig(tuple(str(path) for path in sorted(runs.iterdir()))))
    four = "| m1-four | happy, neutral, sad, surprise | 185,444 | 65.1% | 64.4% | 2.1% | 7 | 3.5 |"
    assert four in text
    assert "| vgg16 | all seven |  | 65.1% |" in text
    assert "- m1-four: `python -m train.classifier --model m1`" in text
    assert "- folds: 2 folds, 65.0% ± 7.1%" in text
    assert "| M1 | 65.6 % of 128 test faces |" in text


def test_folders_without_a_classifier_are_refused(runs):
    with pytest.raises(ValueError, match=r"None of .*other holds a trained classifier"):
        table.table(TableConfig((str(runs / "other"),)))
    with pytest.raises(ValueError, match="at least one folder"):
        TableConfig()


def test_networks_that_know_more_emotions_are_compared_among_the_fewer(runs):
    voted = factory.write_voted(runs / "data")
    seven = factory.write_checkpoint(runs / "judge", "classifier", "judge", by=0.1, width=4)
    four = factory.write_checkpoint(
        runs / "m1-four" / "checkpoint", "classifier", "m1", by=0.1, emotions="happy,neutral,sad,surprise"
    )
    faces = data.load(voted).split("PrivateTest", clean=False)
    faces = faces.subset(torch.isin(faces.labels, torch.tensor([3, 4, 5, 6])))
    due = []
    for folder, name in ((seven, "judge"), (four, "checkpoint")):
        probabilities = Engine(folder, device="cpu").classify(faces.images[:, 0].numpy(), name)
        assert name == "judge" or not probabilities[:, :3].any()
        probabilities[:, :3] = -1
        due.append(f"{np.mean(probabilities.argmax(axis=1) == faces.labels.numpy()):.1%}")
    config = TableConfig(tuple(str(runs / name) for name in ("judge", "m1-four", "vgg16")), str(voted))
    head, _, *lines = table.table(config).split("\n\n")[0].splitlines()
    assert head.endswith("| PrivateTest among happy, sad, surprise, neutral |")
    assert [line.rsplit("|", 2)[1].strip() for line in lines] == [
        *due,
        "",
    ]  # torchvision's leaves no checkpoint


@pytest.mark.parametrize(("names", "said"), [("happy", "two emotions or more"), ("happy,glad", "glad")])
def test_emotions_to_choose_among_are_two_or_more_known_ones(names, said):
    with pytest.raises(ValueError, match=said):
        TableConfig(("weights/judge",), among=names)


def test_data_without_faces_to_compare_by_are_refused(runs):
    faces = factory.write_csv(runs / "faces.csv", factory.draw_faces(7), labels=[0] * 7)
    factory.write_checkpoint(runs / "judge", "classifier", "judge", width=4)
    with pytest.raises(ValueError, match="no face of happy, sad, surprise, neutral in PrivateTest"):
        table.table(TableConfig((str(runs / "judge"),), str(faces)))


def test_a_torn_report_is_named(runs):
    (runs / "m1-four" / "report.json").write_text("{")
    with pytest.raises(ValueError, match=r"report.json is no JSON"):
        table.table(TableConfig((str(runs / "m1-four"),)))
