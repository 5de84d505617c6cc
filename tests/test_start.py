"""A training that goes on from a checkpoint whose run is gone."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from PIL import Image

from fergan import checkpoint, opponents
from tests import factory
from train import gan, run, session, start, states

SMALL = "width=8 discriminator_width=8 noise_dim=8 batch=8"


@pytest.fixture(scope="module")
def faces(own_folder):
    return factory.write_packed(own_folder / "packed", factory.draw_faces(70))


def train(faces, out, **flags):
    options = {"model": "acgan", "images": 32, "precision": "fp32", "cpu": True, "set": SMALL, "keep": 16}
    config = gan.TrainConfig(data=str(faces), out=str(out), **options | flags)
    return gan.train(config, Accelerator(cpu=True))


@pytest.fixture(scope="module")
def shipped(faces, own_folder):
    """A checkpoint alone, as it ships: its run is deleted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "LOG_EVERY", 1)
        train(faces, own_folder / "run")
    folder = own_folder / "shipped"
    shutil.copytree(own_folder / "run" / "checkpoints" / "0000000032", folder)
    (folder / opponents.FILE).rename(own_folder / opponents.FILE)  # as those that are fetched
    shutil.rmtree(own_folder / "run")
    return folder


def test_a_run_goes_on_where_a_checkpoint_was(faces, shipped, tmp_path):
    train(faces, tmp_path, start=str(shipped), images=48, alone=8)
    before, network = checkpoint.load(shipped)
    described, after = checkpoint.load(tmp_path / "checkpoints" / "0000000048")
    assert (described.images_seen, described.step) == (48, before.step + 2)
    assert described.training["minutes"] >= before.training["minutes"]
    assert described.training["changes"] == [{"images_seen": 32, "discriminator": "new"}]
    moved = [(a - b).abs().max() for a, b in zip(after.parameters(), network.parameters(), strict=True)]
    assert 0 < max(moved) < 0.01  # it began as that network, and has taken a step since


def test_an_opponent_beside_the_checkpoint_plays_on_at_once(faces, shipped, own_folder, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(shipped, whole)
    shutil.copy(own_folder / opponents.FILE, whole / opponents.FILE)
    known = opponents.load(whole, torch.device("cpu"))
    assert known.model == "acgan"
    train(faces, tmp_path / "on", start=str(whole), images=40, alone=100)
    tensors, facts = states.load(tmp_path / "on" / states.FILE)
    assert facts["changes"] == [{"images_seen": 32, "discriminator": "its own"}]
    for name, tensor in known.network.state_dict().items():  # a step of Adam from where it was
        assert float((tensors[f"discriminator.{name}"] - tensor).abs().max()) < 0.002, name
    moved = tensors["generator.draw.input.weight"] - checkpoint.load(whole)[1].draw.input.weight
    assert moved.any()  # it did not wait
    wider = SMALL.replace("discriminator_width=8", "discriminator_width=16")
    train(faces, tmp_path / "wider", start=str(whole), images=40, alone=100, set=wider)
    begun = states.load(tmp_path / "wider" / states.FILE)[1]["changes"]
    assert begun == [{"images_seen": 32, "discriminator": "new", "discriminator_width": [8, 16]}]
    (whole / opponents.FILE).write_bytes(b"torn")
    with pytest.raises(ValueError, match="holds no discriminator that can be used"):
        train(faces, tmp_path / "torn", start=str(whole), images=40)


def test_the_new_discriminator_learns_alone_first(faces, shipped, tmp_path):
    train(faces, tmp_path, start=str(shipped), images=40, alone=16)
    one, _ = states.load(tmp_path / states.FILE)
    train(faces, tmp_path, resume=True, images=48, alone=16)
    two, _ = states.load(tmp_path / states.FILE)
    train(faces, tmp_path, resume=True, images=56, alone=16)
    three, _ = states.load(tmp_path / states.FILE)

    def same(a, b, part):
        names = [name for name in a if name.startswith(part + ".") and name.endswith(("weight", "bias"))]
        return all(torch.equal(a[name], b[name]) for name in names)

    assert same(one, two, "generator") and same(one, two, "average")
    assert not same(one, two, "discriminator")
    assert not same(two, three, "generator") and not same(two, three, "average")


def test_its_opponent_may_be_wider(faces, shipped, tmp_path):
    wider = SMALL.replace("discriminator_width=8", "discriminator_width=16")
    train(faces, tmp_path, start=str(shipped), images=48, alone=8, set=wider)
    described = checkpoint.describe(tmp_path / "checkpoints" / "0000000048")
    assert described.config["discriminator_width"] == 16
    begun = {"images_seen": 32, "discriminator": "new", "discriminator_width": [8, 16]}
    assert described.training["changes"] == [begun]


@pytest.fixture(scope="module")
def known(faces, own_folder):
    """A run of a cGAN, whose discriminator has the same trunk and no class head."""
    train(faces, own_folder / "cgan", model="cgan")
    return own_folder / "cgan"


def test_its_opponent_may_be_anothers(faces, shipped, known, tmp_path):
    train(
        faces,
        tmp_path,
        start=str(shipped),
        opponent=str(known),
        images=40,
        alone=0,
        set=SMALL + " learning_rate=1e-9",
    )
    theirs, _ = states.load(known / states.FILE)
    ours, _ = states.load(tmp_path / states.FILE)
    names = [name for name in theirs if name.startswith(("discriminator.trunk.", "discriminator.realness."))]
    assert len(names) > 10
    for name in names:  # as it was, but for a step of nothing
        assert torch.allclose(ours[name], theirs[name], atol=1e-6)
    assert "discriminator.project.weight" not in ours and "discriminator.emotion.weight" in ours
    change = checkpoint.describe(tmp_path / "checkpoints" / "0000000040").training["changes"][-1]
    assert change == {"images_seen": 32, "discriminator": "new", "opponent": "cgan"}


def test_a_generator_from_nothing_may_meet_anothers_opponent(faces, known, tmp_path):
    still = SMALL + " learning_rate=1e-9"
    train(faces, tmp_path, opponent=str(known), images=16, set=still)
    theirs, _ = states.load(known / states.FILE)
    ours, facts = states.load(tmp_path / states.FILE)
    names = [name for name in theirs if name.startswith("discriminator.trunk.")]
    assert len(names) > 10
    for name in names:
        assert torch.allclose(ours[name], theirs[name], atol=1e-6)
    assert (facts["seen"], facts["changes"]) == (16, [{"images_seen": 0, "opponent": "cgan"}])
    train(faces, tmp_path, resume=True, images=24, set=SMALL)  # it plays from the first face on, and goes on
    later, facts = states.load(tmp_path / states.FILE)
    assert facts["changes"] == [
        {"images_seen": 0, "opponent": "cgan"},
        {"images_seen": 16, "learning_rate": [1e-9, 5e-4]},
    ]
    assert not torch.equal(later["generator.draw.input.weight"], ours["generator.draw.input.weight"])


def test_its_pictures_and_curves_go_on_too(faces, shipped, tmp_path):
    train(faces, tmp_path, start=str(shipped), images=48, alone=0)
    old = json.loads((shipped / "history.json").read_text())
    told = json.loads((tmp_path / "checkpoints" / "0000000048" / "history.json").read_text())
    assert told["frames"] == [*old["frames"], 48]
    for name, points in old["curves"].items():
        assert told["curves"][name][: len(points)] == points
    with (
        Image.open(shipped / "evolution.webp") as film,
        Image.open(tmp_path / "frames/0000000032.png") as page,
    ):
        film.seek(len(old["frames"]) - 1)
        assert page.size == (7 * 50 - 2, 6 * 50 - 2)
        assert film.convert("L").crop((0, 0, *page.size)).tobytes() == page.tobytes()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"set": SMALL.replace("noise_dim=8", "noise_dim=16")}, "of a generator of another shape"),
        ({"model": "cgan"}, "with model acgan; this one has cgan"),
        ({"start": "/nowhere"}, "/nowhere holds no config.json"),
        ({"resume": True}, "give one of them"),
        ({"start": "", "opponent": "/nowhere"}, "/nowhere is no folder of a run"),
        ({"start": "", "opponent": "/nowhere", "resume": True}, "--opponent is for a run that begins"),
        ({"opponent": "/nowhere"}, "/nowhere is no folder of a run"),
        ({"alone": -1}, "--alone must be 0 or more, got -1"),
        ({"model": "dcgan"}, "name a dcgan's by --emotion"),
    ],
)
def test_what_does_not_fit_is_refused(faces, shipped, tmp_path, flags, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        train(faces, tmp_path / "new", **{"start": str(shipped), "images": 48, **flags})
    assert not (tmp_path / "new" / "log.jsonl").exists()


def test_an_opponent_of_another_size_is_refused(faces, shipped, known, tmp_path):
    wider = SMALL.replace("discriminator_width=8", "discriminator_width=16")
    with pytest.raises(ValueError, match="discriminator of a cgan of another shape: give this one the same"):
        train(faces, tmp_path / "new", start=str(shipped), opponent=str(known), images=48, set=wider)
    assert not (tmp_path / "new" / "log.jsonl").exists()


def test_only_the_main_process_writes(faces, shipped, tmp_path):
    config = gan.TrainConfig(
        data=str(faces), out=str(tmp_path / "run"), model="acgan", set=SMALL, cpu=True, start=str(shipped)
    )
    made, _, own = gan.prepare(config, Accelerator(cpu=True))
    other = SimpleNamespace(is_main_process=False, wait_for_everyone=lambda: None)
    assert start.start(config, own, made, tmp_path / "run", other)["seen"] == 32
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_started_over(faces, shipped, tmp_path):
    train(faces, tmp_path, start=str(shipped), images=40)
    before = (tmp_path / "log.jsonl").read_bytes()
    with pytest.raises(ValueError, match="holds a run: go on with it by --resume"):
        train(faces, tmp_path, start=str(shipped), images=40)
    assert (tmp_path / "log.jsonl").read_bytes() == before


def test_a_checkpoint_without_a_film_starts_one(faces, shipped, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in (checkpoint.CONFIG, checkpoint.WEIGHTS):
        shutil.copy(shipped / name, bare / name)
    train(faces, tmp_path / "new", start=str(bare), images=40)
    described = checkpoint.describe(tmp_path / "new" / "checkpoints" / "0000000040")
    assert described.images_seen == 40
    assert start.NEW in str(described.training["changes"])


def test_no_checkpoint_is_said_before_anything_is_read(capsys):
    with pytest.raises(SystemExit):
        run.parse_args(gan.TrainConfig, "", ["--start", "/nowhere", "--data", "/nowhere"])
    assert "/nowhere holds no config.json" in capsys.readouterr().err
