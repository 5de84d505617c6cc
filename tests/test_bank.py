"""train.bank and the networks of one emotion, as a user trains them, on small drawn faces."""

import json
import shutil

import pytest
import torch
from PIL import Image

from fergan import checkpoint
from fergan.emotions import EMOTIONS
from fergan.engine import Engine
from fergan.ui import film
from tests import factory
from tests.gans import DCGAN, config, train
from train import bank, session, states


@pytest.fixture(scope="module")
def faces(own_folder):
    return factory.write_packed(own_folder / "packed", factory.draw_faces(70))


def test_a_bank_has_a_network_for_each_emotion(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "LOG_EVERY", 1)
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
    other = tmp_path / "cgan"  # against whose opponent the one that sees all begins, and no other
    train(config(faces, other, "cgan", images=8, set="width=8 discriminator_width=8 batch=8"))
    train(config(faces, tmp_path, "dcgan", images=8, opponent=str(other), **settings))
    left = {name: states.load(tmp_path / name / states.FILE) for name in ("all", "sad", "happy")}
    assert [left[name][1]["seen"] for name in left] == [16, 24, 24]
    borrowed = {"images_seen": 0, "opponent": "cgan"}
    assert left["sad"][1]["changes"] == [borrowed, {"images_seen": 16, "emotions": ["all", "sad"]}]
    theirs, ours = states.load(other / states.FILE)[0], left["all"][0]
    trunk = [name for name in theirs if name.startswith("discriminator.trunk.") and name.endswith("weight")]
    assert len(trunk) > 5
    for name in trunk:  # two steps from theirs: from others they would be as far as weights are large
        own = ours[name.replace("discriminator.", "discriminator.networks.all.")]
        assert float((own - theirs[name]).abs().max()) < 0.01 < float(own.abs().max()), name
    base, sad, happy = (
        {key.replace(name, ""): tensor for key, tensor in left[name][0].items()} for name in left
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
    with pytest.raises(ValueError, match="angry holds a run: go on with it by --resume"):
        train(config(faces, tmp_path, "dcgan", images=16, **settings))
    (tmp_path / "sad" / states.FILE).unlink()  # as where it was broken off before its state was written
    shutil.rmtree(tmp_path / "sad" / "checkpoints")
    train(config(faces, tmp_path, "dcgan", images=16, resume=True, **settings))
    assert (tmp_path / "sad" / "checkpoints" / "0000000032").is_dir()


def test_a_network_begins_as_its_own_of_a_bank_or_as_the_mean_of_all(faces, tmp_path):
    train(config(faces, tmp_path, "dcgan", images=8, emotion="", set=f"{DCGAN['fixed']} together=0"))
    weights = checkpoint.load(tmp_path / "bank")[1].state_dict()
    own = {key: t for key, t in bank.pick(weights, "sad").items() if not key.endswith("_off")}
    assert all(torch.equal(t, weights[key]) for key, t in own.items())
    mean = bank.pick(weights, "all")
    each = torch.stack([weights[f"networks.{name}.input.weight"] for name in EMOTIONS])
    assert torch.allclose(mean["networks.all.input.weight"], each.mean(0))
    assert weights["networks.sad.norm.norm.mean_off"].any()
    assert not mean["networks.all.norm.norm.mean_off"].any()  # training makes them untrue
    for name in ("sad", "all"):
        begun = {"emotion": name, "start": str(tmp_path / "bank"), "alone": 100}
        train(config(faces, tmp_path / "on" / name, "dcgan", images=64, **begun))
        _, kept = checkpoint.load(tmp_path / "on" / name / "checkpoints" / "0000000064")
        key = f"networks.{name}.input.weight"
        assert torch.allclose(kept.state_dict()[key], bank.pick(weights, name)[key], atol=1e-3)
    with pytest.raises(ValueError, match="networks of sad; joy is not among them"):
        bank.pick(bank.pick(weights, "sad"), "joy")
    assert bank.pick(mean, "sad").keys() == bank.pick(weights, "sad").keys()  # one that saw all begins any


def test_a_start_counts_what_its_own_network_saw(faces, tmp_path):
    train(config(faces, tmp_path, "dcgan", images=8, emotion="", set=f"{DCGAN['fixed']} together=16"))
    begun = {"emotion": "sad", "start": str(tmp_path / "bank"), "alone": 0}
    with pytest.raises(ValueError, match="bank has seen 24 images already, and --images says to stop at 24"):
        train(config(faces, tmp_path / "none", "dcgan", images=24, **begun))
    assert not (tmp_path / "none").exists()
    more = f"{DCGAN['fixed']} images=16"
    train(
        config(faces, tmp_path / "on", "dcgan", images=0, set=more, **begun)
    )  # as many as the recipe, from there
    described = checkpoint.describe(tmp_path / "on" / "checkpoints" / "0000000040")
    assert (described.images_seen, described.step) == (24 + 16, 3 + 2)
    train(config(faces, tmp_path / "on", "dcgan", images=0, set=more, emotion="sad", resume=True))
    assert not (tmp_path / "on" / "checkpoints" / "0000000056").exists()


def test_a_bank_tells_which_of_its_networks_was_trained_otherwise(faces, tmp_path):
    train(config(faces, tmp_path, "dcgan", images=8, emotion="", set=f"{DCGAN['fixed']} together=16"))
    for name in ("disgust", "sad"):
        other = {"emotion": name, "set": f"{DCGAN['fixed']} together=16 augment=0.8"}
        train(config(faces, tmp_path / name, "dcgan", images=32, resume=True, **other))
    described = bank.join([tmp_path / name for name in EMOTIONS], tmp_path / "bank", tmp_path / "all")
    assert described.training["augment"] == [0.3, 0.8, 0.3, 0.3, 0.8, 0.3, 0.3]
    assert described.training["gamma"] == pytest.approx(bank.training_of(described, "sad")["gamma"])
    of_all = {"images_seen": 16, "emotions": ["all", ",".join(EMOTIONS)]}
    later = {"images_seen": 24, "augment": [0.3, 0.8]}
    assert described.training["changes"] == [of_all, {**later, "networks": "disgust,sad"}]
    card = (tmp_path / "bank" / "README.md").read_text()
    assert "| augment | [0.3, 0.8, 0.3, 0.3, 0.8, 0.3, 0.3] |" in card
    for name, augment, changes in (("sad", 0.8, [of_all, later]), ("happy", 0.3, [of_all])):
        own = bank.training_of(described, name)
        assert (own["augment"], own["changes"]) == (augment, changes)
    begun = {"emotion": "sad", "start": str(tmp_path / "bank"), "alone": 0}
    train(config(faces, tmp_path / "on", "dcgan", images=40, set=f"{DCGAN['fixed']} together=16", **begun))
    told = checkpoint.describe(tmp_path / "on" / "checkpoints" / "0000000040").training
    assert told["changes"][:3] == [of_all, later, {"images_seen": 32, "augment": [0.8, 0.3]}]


def test_an_opponent_may_be_that_of_all(faces, tmp_path):
    train(config(faces, tmp_path / "all", "dcgan", images=8, emotion="all"))
    train(config(faces, tmp_path / "cgan", "cgan", images=8, set="width=8 discriminator_width=8 batch=8"))
    still = f"{DCGAN['fixed']} learning_rate=1e-9"
    for other in ("all", "cgan"):
        begun = {
            "start": str(tmp_path / "all" / "checkpoints" / "0000000008"),
            "opponent": str(tmp_path / other),
        }
        train(config(faces, tmp_path / f"by {other}", "dcgan", images=16, emotion="sad", set=still, **begun))
        ours, _ = states.load(tmp_path / f"by {other}" / states.FILE)
        theirs, _ = states.load(tmp_path / other / states.FILE)
        trunk = [name for name in ours if name.startswith("discriminator.networks.sad.trunk.")]
        assert len(trunk) > 10
        for name in trunk:
            place = "discriminator.networks.all." if other == "all" else "discriminator."
            torch.testing.assert_close(ours[name], theirs[name.replace("discriminator.networks.sad.", place)])


def test_what_is_kept_knows_noise_of_every_length_and_the_run_goes_on_as_it_was(faces, tmp_path):
    train(config(faces, tmp_path, "dcgan", images=16))
    _, kept = checkpoint.load(tmp_path / "checkpoints" / "0000000016")
    tables = {key: t for key, t in kept.state_dict().items() if key.endswith("_off")}
    assert len(tables) == 14 and all(t[:-1].any() and not t[-1].any() for t in tables.values())
    state, _ = states.load(tmp_path / states.FILE)
    assert not any(state[f"average.{key}"].any() for key in tables)


def test_a_guide_is_asked_once_each_emotion_has_its_own_network(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "LOG_EVERY", 1)
    guide = factory.write_checkpoint(tmp_path / "guide", "classifier", "guide", width=4)
    asked = f"{DCGAN['fixed']} together=16 guide_weight=0.1"
    given = {"emotion": "", "set": asked, "guide": str(guide)}
    train(config(faces, tmp_path / "run", "dcgan", images=8, **given))
    first = {
        name: (tmp_path / "run" / name / "log.jsonl").read_text().splitlines() for name in ("all", "sad")
    }
    assert "g_guide" not in "".join(first["all"]) and "g_guide" in json.loads(first["sad"][-1])


VARIANTS = [
    (transposed, *layers)
    for transposed in ("true", "false")
    for layers in (("false", 0), ("true", 0), ("true", 0.25))
]


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
@pytest.mark.parametrize(("transposed", "norm", "dropout"), VARIANTS)
def test_each_published_variant_trains(faces, tmp_path, monkeypatch, transposed, norm, dropout, optimizer):
    monkeypatch.setattr(session, "LOG_EVERY", 1)
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
