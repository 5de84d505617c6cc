"""train.evaluate as a user runs it, on drawn faces and tiny networks."""

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from fergan import checkpoint, data
from fergan.emotions import EMOTIONS
from fergan.metrics import METRICS
from fergan.models import MODELS
from tests import factory
from train import evaluate, features, measure, run, transfer


def save(folder, model, name, **changes):
    torch.manual_seed(0)
    return factory.write_checkpoint(folder, model, name, by=0.1, **changes)


@pytest.fixture(scope="module")
def place(own_folder):
    """A folder with faces, a judge and two generators; the cache is in it."""
    factory.write_packed(own_folder / "fer2013", factory.draw_faces(175))
    save(own_folder / "weights/judge", "classifier", "judge", width=4, stem_stride=2)
    save(own_folder / "weights/acgan", "acgan", "fixed", width=8)
    save(own_folder / "runs/cgan/checkpoints/0000000032", "cgan", "published", noise_dim=8)
    return own_folder


@pytest.fixture
def inside(place, monkeypatch):
    monkeypatch.chdir(place)
    return place


def config(*folders, **changes):
    return evaluate.EvaluateConfig(folders, **({"n": 70, "cpu": True} | changes))


def hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_an_evaluation_fills_the_checkpoint_and_leaves_the_weights(inside):
    before = hashes(Path("weights/acgan"))
    text = evaluate.evaluate(config("weights/acgan", cas=1))
    described, _ = checkpoint.load(Path("weights/acgan"))
    assert hashes(Path("weights/acgan"))[checkpoint.WEIGHTS] == before[checkpoint.WEIGHTS]
    found = described.metrics
    translators = {"target_read", "identity", "rising", "exact", "changed", "outside", "cycle", "kid_before"}
    due = METRICS.keys() - {"fid_inception", "kid_inception"} - translators
    assert due <= {name for name, value in found.items() if isinstance(value, int | float)}
    assert (found["n"], found["n_real"], found["seeds"]) == (70, 70, "0 to 69")
    assert found["command"] == "python -m train.evaluate weights/acgan --n 70 --cas 1 --cpu"
    assert sum(map(sum, found["confusion"])) == 70
    right = sum(found["confusion"][i][i] for i in range(7)) / 70
    assert found["accuracy"] == pytest.approx(right, abs=1e-6)
    assert {own["n"] for own in found["emotions"].values()} == {10}
    assert (Path("weights/acgan") / "README.md").read_text().startswith("---")
    for picture in ("samples.png", "confusion.png", "neighbours.png"):
        with Image.open(Path("weights/acgan") / picture) as page:
            assert page.width > 300
    for words in ("| weights/acgan | 70 |", "floor: training faces", "| disgust | 10 |", "Without Inception"):
        assert words in text


def test_two_evaluations_are_one(inside, tmp_path):
    for name in ("a", "b"):
        shutil.copytree("weights/acgan", tmp_path / name / "acgan")
    texts = [evaluate.evaluate(config(str(tmp_path / name / "acgan"))) for name in ("a", "b")]
    assert texts[0].replace(str(tmp_path / "a"), str(tmp_path / "b")) == texts[1]
    one, two = (hashes(tmp_path / name / "acgan") for name in ("a", "b"))
    different = {name for name in one if one[name] != two[name]}
    assert different <= {checkpoint.CONFIG, "README.md"}  # the command names the folder


def test_all_measures_every_generator_and_the_published_ones(inside):
    before = hashes(Path("weights/acgan"))
    text = evaluate.evaluate(config(all=True, write=False))
    assert hashes(Path("weights/acgan")) == before
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("|")]
    assert rows[2:] == [
        "| weights/acgan",
        "| runs/cgan/checkpoints/0000000032",
        "| floor: training faces",
        "| floor: half of the test against half",
    ]
    assert "`python -m train.evaluate --all --n 70 --cpu`" in text


def test_a_published_one_that_ships_is_measured_once(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("weights", "runs"):
        shutil.copytree(place / name, tmp_path / name)
    first = Path("runs/cgan/checkpoints/0000000032")
    shutil.copytree(first, "weights/cgan-published")
    assert evaluate.everything() == [Path("weights/acgan"), Path("weights/cgan-published")]
    save(Path("runs/other/checkpoints/0000000064"), "cgan", "published", noise_dim=4)
    assert evaluate.everything()[2:] == [Path("runs/other/checkpoints/0000000064")]


def test_real_faces_are_read_once(inside, monkeypatch):
    evaluate.Evaluation(config("weights/acgan"))
    monkeypatch.setattr(features.Classifier, "features", lambda self, images: pytest.fail("read again"))
    monkeypatch.setattr(MODELS["classifier"]["judge"].network, "features", features.Classifier.features)
    bench = evaluate.Evaluation(config("weights/acgan"))
    assert len(bench.training) == 105


def test_features_that_cannot_be_read_are_worked_out_anew(inside, caplog):
    first = evaluate.Evaluation(config("weights/acgan"))
    for file in (inside / "cache" / "features").iterdir():
        file.write_bytes(b"torn")
    again = evaluate.Evaluation(config("weights/acgan"))
    assert torch.equal(first.test.features, again.test.features)
    assert "worked out anew" in caplog.text


def test_a_set_against_itself_is_the_floor(inside):
    bench = evaluate.Evaluation(config("weights/acgan"))
    found = measure.distances(bench.test, bench.test)
    assert found["fid"] == pytest.approx(0, abs=1e-6)
    assert abs(found["kid"]) < 1e-2
    assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)
    assert found["diversity"] == pytest.approx(1)


def test_a_copy_is_found_out(inside):
    bench = evaluate.Evaluation(config("weights/acgan"))
    found = measure.copying(bench.training, bench.test, bench.training)
    assert max(found.values()) < 0.01


def test_what_is_asked_follows_the_test():
    counts = torch.tensor([3, 0, 1, 5, 1, 2, 2])
    assert measure.quotas(counts, 14).tolist() == counts.tolist()
    shares = measure.quotas(counts, 100)
    assert int(shares.sum()) == 100
    assert bool(((shares - counts * 100 / 14).abs() < 1).all())
    labels = measure.asked(counts, 14)
    assert labels.bincount(minlength=7).tolist() == counts.tolist()
    assert labels.tolist() != sorted(labels.tolist())


def test_a_network_is_asked_as_it_learnt(inside, tmp_path):
    votes = torch.randint(0, 4, (175, 10)).tolist()
    factory.write_packed(tmp_path / "voted", factory.draw_faces(175), votes=votes)
    faces = data.load(tmp_path / "voted")
    tests = [faces.split(name) for name in ("PublicTest", "PrivateTest")]
    labels, soft = (
        torch.cat([data.conditions(part, kind) for part in tests]) for kind in ("onehot", "votes")
    )
    order = measure.shuffled(len(labels))
    assert torch.equal(measure.as_learnt(tests, "votes", len(order)), soft[order])
    assert torch.equal(measure.as_learnt(tests, "onehot", len(order) + 3)[-3:], labels[order[:3]])  # again
    either = measure.as_learnt(tests, "either", len(order))
    named, voted = ((either == rows[order]).all(1) for rows in (labels, soft))
    assert bool((named | voted).all())
    assert 0.25 < float(named.float().mean()) < 0.75
    described, network = checkpoint.load(Path("weights/acgan"))
    bench = evaluate.Evaluation(config("weights/acgan", data=str(tmp_path / "voted")))
    _, _, fake = bench.drawn(Path("weights/acgan"))
    pure = measure.distances(bench.test, fake)["fid"]
    assert bench.as_learnt(described, network, fake) == {"fid_learnt": pytest.approx(pure)}
    described.training["conditions"] = "votes"
    assert bench.as_learnt(described, network, fake)["fid_learnt"] != pytest.approx(pure, rel=1e-3)


class Script(nn.Module):
    def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        return x.mean((2, 3))


def test_inception_is_read_where_it_is_at_hand(inside, tmp_path):
    torch.jit.script(Script()).save(str(tmp_path / "inception.pt"))
    reader = features.inception(tmp_path / "inception.pt", torch.device("cpu"))
    grey = torch.full((2, 1, 48, 48), 77, dtype=torch.uint8)
    assert torch.allclose(reader.read(grey, "")["features"], torch.full((2, 3), 77.0))
    bench = evaluate.Evaluation(config("weights/acgan", inception=str(tmp_path / "inception.pt")))
    assert bench.floors()["floor: training faces"]["fid_inception"] > 0
    (tmp_path / "inception.pt").write_bytes(b"no weights")
    absent = evaluate.Evaluation(config("weights/acgan", inception=str(tmp_path / "inception.pt")))
    assert "is no Inception v3" in absent.inception


def test_inception_in_torchvisions_form(tmp_path):
    models = transfer._torchvision().models
    torch.save(models.inception_v3(weights=None, init_weights=False).state_dict(), tmp_path / "inception.pth")
    reader = features.inception(tmp_path / "inception.pth", torch.device("cpu"))
    faces = torch.from_numpy(factory.draw_faces(2))[:, None]
    assert reader.read(faces, "")["features"].shape == (2, 2048)


def test_words_without_a_flag_are_folders():
    found = run.parse_args(evaluate.EvaluateConfig, "", ["a", "b", "--n", "70", "--no-write"])
    assert (found.checkpoints, found.n, found.write) == (("a", "b"), 70, False)


def test_one_emotion_alone(inside, tmp_path):
    """A network of one emotion is measured against that emotion's faces."""
    data = str(factory.write_packed(tmp_path / "faces", factory.draw_faces(350)))
    folder = str(save(tmp_path / "sad", "dcgan", "fixed", width=4, emotions="sad"))
    text = evaluate.evaluate(config(folder, data=data, emotion="sad", n=30))
    found = checkpoint.describe(tmp_path / "sad").metrics
    assert list(found["emotions"]) == ["sad"]
    assert (found["n"], found["n_real"]) == (30, 20)
    assert sum(found["confusion"][EMOTIONS.index("sad")]) == 30
    assert "--emotion sad" in found["command"]
    assert "20 test faces (both tests without faces that stand in Training, sad alone)" in text


@pytest.mark.parametrize(
    ("folder", "changes", "words"),
    [
        ("weights/judge", {}, "weights/judge draws no faces from noise"),
        ("weights/none", {}, "weights/none holds no config.json"),
        (
            "weights/acgan",
            {"judge": "weights/none"},
            "weights/none holds no judge: train one with `python -m train.class",
        ),
        (
            "weights/acgan",
            {"judge": "weights/acgan"},
            "weights/acgan is a generator; a judge is a classifier",
        ),
        ("weights/acgan", {"data": "nowhere"}, "nowhere does not exist"),
        ("weights/acgan", {"emotion": "joy"}, "Unknown emotion 'joy'"),
        ("weights/acgan", {"emotion": "sad"}, "15 training and 10 test faces that are sad; at least 14"),
    ],
)
def test_refusals(inside, folder, changes, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        evaluate.evaluate(config(folder, **changes))


def test_faces_of_another_size_or_not_finite_are_refused(inside, tmp_path):
    save(tmp_path / "large", "acgan", "fixed", width=8, image_size=96)
    with pytest.raises(ValueError, match=r"large draws faces of the shape \(1, 96, 96\)"):
        evaluate.evaluate(config(str(tmp_path / "large")))
    with pytest.raises(FloatingPointError, match="not finite"):
        measure.draw(lambda noise, emotion: noise / 0, 4, torch.zeros(2, 7), "cpu")


@pytest.mark.parametrize(("flags", "words"), [((), "or measure them all"), (("--all",), "no generator in")])
def test_the_command_line_refuses_in_a_sentence(tmp_path, monkeypatch, refusal, flags, words):
    monkeypatch.chdir(tmp_path)
    assert words in refusal(evaluate.main, *flags)


def test_two_sets_are_told_apart(inside):
    """One face of each emotion, ten times: all of them real faces, and few real faces among them."""
    test = evaluate.Evaluation(config("weights/acgan")).test
    one = torch.stack([(test.labels == label).nonzero()[0, 0] for label in range(7)])
    found = measure.distances(test, test.rows(one.repeat(10)))
    assert found["precision"] == 1
    assert found["recall"] < 0.5
    assert found["diversity"] == pytest.approx(0, abs=1e-3)


def test_faces_that_stand_in_training_are_no_test(inside, tmp_path):
    pictures = factory.draw_faces(175)
    pictures[174] = pictures[0]
    twice = str(factory.write_packed(tmp_path / "twice", pictures))
    bench = evaluate.Evaluation(config("weights/acgan", data=twice))
    assert (len(bench.test), len(bench.training)) == (69, 105)


def test_what_drawn_faces_teach_is_learnt_from_them_alone(inside):
    bench = evaluate.Evaluation(config("weights/acgan"))
    joy = bench.test.labels == 3
    happy, others = (bench.test.rows(rows.nonzero()[:, 0]) for rows in (joy, ~joy))
    learnt = [
        measure.classification_accuracy(bench.judge, happy, test, 60, torch.device("cpu"))
        for test in (happy, others)
    ]
    assert learnt == [1, 0]


def test_what_is_taught_is_the_drawn_faces(inside, monkeypatch):
    asked = []
    monkeypatch.setattr(measure, "classification_accuracy", lambda *given: asked.append(given) or 0.5)
    bench = evaluate.Evaluation(config("weights/acgan", cas=2))
    drawn = bench.drawn(Path("weights/acgan"))[2]
    assert bench.cas(drawn) == {"cas": 0.5}
    [(_, taught, test, epochs, _)] = asked
    assert (taught is drawn, test is bench.test, epochs) == (True, True, 2)
