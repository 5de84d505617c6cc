"""fergan.opponents: discriminators that play along in the quiz, out of their runs."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fergan import opponents, quiz
from fergan.engine import Engine
from fergan.models import MODELS
from fergan.quiz import ROUNDS, Quiz
from tests import factory
from train import states


@pytest.fixture(scope="module")
def opponent(tmp_path_factory):
    """A run's folder as training leaves it, and the discriminator in it."""
    folder = tmp_path_factory.mktemp("run")
    config = MODELS["acgan"]["fixed"].config(width=8, discriminator_width=8)
    torch.manual_seed(3)
    network = MODELS["acgan"]["fixed"].discriminator(config).eval()
    facts = {"model": "acgan", "preset": "fixed", "config": {"width": 8, "discriminator_width": 8}}
    tensors = states.of_module(network, "discriminator") | {"rng.noise": torch.zeros(3)}
    states.save(folder / states.FILE, tensors, facts)
    return folder, network


def test_a_discriminator_judges_each_face_alone(opponent):
    folder, network = opponent
    loaded = opponents.load(folder, torch.device("cpu"))
    faces, labels = factory.draw_faces(6), np.arange(6)
    found = loaded.realness(faces, labels)
    assert len(set(found.tolist())) == 6
    assert np.array_equal(loaded.realness(faces[::-1], labels[::-1]), found[::-1])
    with torch.inference_mode():
        image = torch.from_numpy(faces[:1, None]) / 127.5 - 1
        assert float(network(image, torch.eye(7)[:1]).realness) == pytest.approx(float(found[0]), abs=1e-4)


def test_discriminators_play_along_where_their_runs_are_named(weights, opponent, tmp_path, monkeypatch):
    monkeypatch.setattr(quiz, "EACH", 3)  # few reference faces: tiny networks have nothing to learn
    fer = factory.write_packed(tmp_path / "fer", factory.draw_faces(350))
    engine = Engine([weights], device="cpu", real_faces=fer, discriminators=[opponent[0]] * 2)
    player = Quiz(engine)
    assert list(player.networks) == ["judge", "discriminators"]
    see = player.networks["discriminators"]
    assert see(factory.draw_faces(3), np.arange(3)).shape == (3, 2)
    _, tickets = player.deal("real")
    player._studies["real"]._thread.join()
    assert {len(said) for said in player.guesses(tickets).values()} == {ROUNDS}


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"model": "nope"}, "Unknown model 'nope'"),
        ({"config": {"width": 8, "discriminator_width": 16}}, "size mismatch|Error"),
        ({"config": {"wide": 8}}, "wide"),
        ({"model": "stargan"}, "no opponent that tells real faces"),
    ],
)
def test_runs_that_hold_no_discriminator_are_refused(opponent, tmp_path, facts, sentence):
    tensors, told = states.load(opponent[0] / states.FILE)
    states.save(tmp_path / states.FILE, tensors, {**told, **facts})
    with pytest.raises(ValueError, match=f"holds no discriminator that can be used: .*({sentence})"):
        opponents.load(tmp_path, torch.device("cpu"))


def test_what_float16_cannot_hold_is_not_written(tmp_path):
    network = torch.nn.BatchNorm1d(2)
    network.num_batches_tracked.fill_(100_000)  # a count is no weight: it stays whole
    opponents.save(tmp_path, network)
    before = (tmp_path / opponents.FILE).read_bytes()
    assert int(load_file(tmp_path / opponents.FILE)["discriminator.num_batches_tracked"]) == 100_000
    torch.nn.init.constant_(network.bias, 1e6)
    with pytest.raises(ValueError, match=r"discriminator\.bias is not finite in float16"):
        opponents.save(tmp_path, network)
    assert (tmp_path / opponents.FILE).read_bytes() == before


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no folder of a run"):
        opponents.load(tmp_path, torch.device("cpu"))
    (tmp_path / states.FILE).write_bytes(b"no")
    with pytest.raises(ValueError, match="holds no discriminator"):
        opponents.load(tmp_path, torch.device("cpu"))
