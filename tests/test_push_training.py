"""Pushes from a training's loop (train.push.Pusher)."""

import json
import threading

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from fergan import hub
from tests import factory, fake_hub
from tests.test_push import REPO, folder, server  # noqa: F401 - fixtures
from train import gan, push, session, stargan, states


@pytest.fixture(scope="module")
def faces(own_folder):
    return factory.write_packed(own_folder / "packed", factory.draw_faces(70))


def train(faces, out, **flags):
    small = "width=8 discriminator_width=8 noise_dim=8 batch=8"
    options = {"images": 64, "precision": "fp32", "cpu": True, "set": small, "keep": 16, **flags}
    return gan.train(gan.TrainConfig(data=str(faces), out=str(out), **options), Accelerator(cpu=True))


def notes(where):
    lines = [json.loads(line) for line in (where / "log.jsonl").read_text().splitlines()]
    return [line["note"] for line in lines if "note" in line]


def test_a_training_pushes_and_is_the_same_training(server, faces, tmp_path):
    train(faces, tmp_path / "shared", push_to=REPO, push_every=16, push_private=True)
    train(faces, tmp_path / "alone")
    one, two = (load_file(tmp_path / name / states.FILE) for name in ("shared", "alone"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)
    repo = server.repos["model", REPO]
    last = tmp_path / "shared" / "checkpoints" / "0000000064"
    assert repo.private
    assert len(repo.commits) >= 3  # the Hub's own first one, the push that began after 16 images, the last
    assert repo.files["model.safetensors"] == (last / "model.safetensors").read_bytes()
    assert repo.files["README.md"] == (last / "README.md").read_bytes()
    assert notes(tmp_path / "shared")[-1] == f"https://huggingface.co/{REPO} holds {last}"


def test_a_push_that_hangs_neither_stops_the_loop_nor_the_end(server, faces, tmp_path, monkeypatch):
    gate = threading.Event()
    server.fault = lambda method, path: fake_hub.refusal(500) if not gate.wait(60) else None
    monkeypatch.setattr(session, "PATIENCE", 0.01)
    try:
        sentence = train(faces, tmp_path, push_to=REPO, push_every=16)
        assert sentence.startswith("Stopped: 64 images seen")  # though not one push is through
        assert server.repos == {}
        [note] = notes(tmp_path)
        last = tmp_path / "checkpoints" / "0000000064"
        assert note.startswith("warning: the Hub took more than")
        assert note.endswith(f"python -m train.push {last} {REPO}")
    finally:
        gate.set()
        for thread in threading.enumerate():
            if thread.daemon and "_push" in thread.name:
                thread.join()


def test_a_push_that_fails_is_a_warning_and_is_tried_again(server, folder, monkeypatch):
    server.lose_network()
    pusher = push.Pusher(REPO)
    assert pusher.offer(folder)
    pusher._thread.join()
    [note] = pusher.notes()
    assert note.startswith(f"warning: {folder} was not pushed: The Hub cannot be reached")
    assert pusher.notes() == []
    server.fault = None
    assert pusher.offer(folder)
    pusher._thread.join()
    assert pusher.notes() == [f"https://huggingface.co/{REPO} holds {folder}"]
    assert not pusher.offer(folder)  # it is there
    (folder / "samples.png").write_bytes(b"drawn since")
    assert len(pusher.finish(folder, seconds=60)) == 1  # at the end it is looked at again
    assert "samples.png" in server.repos["model", REPO].files


def test_whatever_a_push_raises_is_a_warning(folder, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(hub, "push", broken)
    assert push.Pusher(REPO).finish(folder, seconds=60) == [
        f"warning: {folder} was not pushed: RuntimeError('a fault of ours')"
    ]


def test_the_last_checkpoint_follows_a_push_under_way(server, weights, monkeypatch):
    gate, pushed = threading.Event(), []

    def slow(place, repo, *, private):
        gate.wait()
        pushed.append(place)
        return "there"

    monkeypatch.setattr(hub, "push", slow)
    pusher = push.Pusher(REPO)
    assert pusher.offer(weights / "cgan")
    assert not pusher.offer(weights / "acgan")  # one at a time
    threading.Timer(0.05, gate.set).start()
    assert len(pusher.finish(weights / "acgan", seconds=60)) == 2
    assert pushed == [weights / "cgan", weights / "acgan"]


@pytest.mark.parametrize(
    "flags", [{"push_every": 16}, {"push_to": "faces"}, {"push_to": REPO, "push_every": -1}]
)
@pytest.mark.parametrize("config", [gan.TrainConfig, stargan.TrainConfig])
def test_flags_that_make_no_sense(config, flags):
    with pytest.raises(ValueError, match="--push"):
        config(data="none", **flags)


def test_seven_networks_are_no_model_to_push():
    with pytest.raises(ValueError, match="push a dcgan's bank"):
        gan.TrainConfig(data="none", model="dcgan", push_to=REPO)
    assert gan.TrainConfig(data="none", model="dcgan", push_to=REPO, emotion="happy")
