"""train.translation on small drawn faces: known translators give known numbers."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from fergan import checkpoint, data
from fergan.images import to_model
from fergan.models.stargan import Change, Config, Generator
from tests import factory
from train import translation
from train.translation import TranslationConfig

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def house(own_folder):
    """Drawn faces, and networks that have learnt nothing."""
    factory.write_packed(own_folder / "faces", factory.draw_faces(105))
    torch.manual_seed(0)
    for name, model, preset, changes in (
        ("judge", "classifier", "judge", {"width": 4, "stem_stride": 2}),
        ("teacher", "classifier", "teacher", {"width": 4}),
        ("identity", "identity", "simclr", {"width": 8}),
        ("stargan", "stargan", "fixed", {"width": 8, "blocks": 1}),
        ("published", "stargan", "published", {"width": 4, "blocks": 1}),
        ("guided", "guided", "fixed", {"width": 4, "steps": 2}),
        ("cgan", "cgan", "fixed", {"width": 8}),
    ):
        factory.write_checkpoint(own_folder / name, model, preset, **changes)
    return own_folder


def config(house, *names, **changes):
    options = {"judge": "judge", "teacher": "teacher", "yardstick": "identity"} | changes
    folders = {key: str(house / value) if value else "" for key, value in options.items()}
    words = tuple(str(house / name) for name in names)
    return TranslationConfig(words, str(house / "faces"), n=20, cpu=True, **folders)


def test_a_translator_that_changes_nothing_is_told(house):
    """Ours before training: the face itself, whatever is asked."""
    found = translation.Bench(config(house, "stargan")).model(house / "stargan")
    assert found["exact"] == 1
    assert found["changed"] < 0.5
    assert found["cycle"] < 0.5
    assert found["outside"] < 0.5
    for per in found["emotions"].values():
        assert per["kid"] == pytest.approx(per["kid_before"], rel=0.2, abs=1e-6)
    assert found["identity"] > 1  # liker to itself than another view of it is
    assert found["rising"] == pytest.approx(0, abs=0.3)
    assert sum(map(sum, found["confusion"])) == 120  # 20 faces, six emotions each
    described = checkpoint.describe(house / "stargan")
    assert described.metrics["target_read"] == pytest.approx(found["target_read"])
    assert (house / "stargan" / "confusion.png").is_file()
    assert "target read" in (house / "stargan" / "README.md").read_text()


def test_a_translator_that_draws_something_else_is_told(house):
    found = translation.Bench(config(house, "published")).model(house / "published")
    assert found["exact"] == 1
    assert found["changed"] > 10
    assert found["identity"] < 0.9
    assert found["cycle"] > 10
    assert "outside" not in found  # it has no mask


def test_change_outside_the_mask_and_the_way_back(house):
    """A translator that bends, and covers the left half alone."""
    bench = translation.Bench(config(house, "stargan"))

    class Half(Generator):
        def change(self, images, source, target, intensity):
            mask = torch.zeros_like(images)
            mask[..., :24] = 0.5
            return Change(torch.zeros(len(images), 2, 48, 48), mask, torch.full_like(images, -1))

    network = Half(Config(width=8, blocks=1))
    target = torch.eye(7)[[3]].expand(20, -1)
    faces = bench.translated(network, target, 1.0)
    assert not bench.spilled(network, faces, target).any()
    faces = faces.clone()
    faces[..., 30:] = 255 - bench.images[..., 30:]
    apart = (255 - 2 * bench.images[..., 30:].float()).abs().mean((1, 2, 3))
    assert torch.allclose(
        bench.spilled(network, faces, target), apart * 18 / 24
    )  # of 24 bare columns 18 changed
    dark = (bench.images.float() * torch.where(torch.arange(48) < 24, 0.75, 0)).mean((1, 2, 3))
    assert torch.allclose(
        bench.returned(network, bench.translated(network, target, 1.0), target), dark, atol=1
    )


def test_a_guided_translator_is_measured_and_its_card_shows_what_is_there(house):
    text = translation.evaluate(config(house, "guided"))
    found = checkpoint.describe(house / "guided").metrics
    assert (found["exact"], found["n"]) == (1.0, 20)
    assert "outside" not in found  # it bends all of a face, and covers none of it
    assert 0 < found["changed"] < 60
    assert "| angry |" in text
    card = (house / "guided" / "README.md").read_text()
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", card)
    assert pictures == ["confusion.png"]
    assert (house / "guided" / "confusion.png").is_file()


def test_the_tables_name_the_command(house):
    text = translation.evaluate(dataclasses.replace(config(house, "stargan", teacher=""), write=False))
    assert "| translator | N | target read" in text
    assert "| happy |" in text
    assert "--n 20 --cpu`" in text


def test_what_cannot_be_measured_is_refused(house):
    with pytest.raises(ValueError, match="is no translator"):
        translation.Bench(config(house, "cgan")).model(house / "cgan")
    with pytest.raises(ValueError, match="judge holds a network of the kind classifier; embedder is due"):
        translation.Bench(config(house, "stargan", yardstick="judge"))
    with pytest.raises(ValueError, match="Name a checkpoint folder"):
        TranslationConfig()


def test_the_command_line_refuses_in_a_sentence(house):
    command = [sys.executable, "-m", "train.translation", str(house / "stargan"), "--data", "/nowhere"]
    for flag in ("judge", "teacher", "yardstick"):
        command += [f"--{flag}", str(house / ("identity" if flag == "yardstick" else flag))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Nothing was measured: /nowhere does not exist" in done.stderr
    assert "Traceback" not in done.stderr


class Lamp(nn.Module):
    """Lights a face up as far as it is led, and every other one a little even where it is led nowhere."""

    def forward(self, images, source, target, intensity):
        left = 0.1 * (images[:, 0, 0, 0] > -0.25)  # see factory.draw_faces: the row stands there
        return images.lerp(
            torch.ones_like(images), (0.9 * intensity + left).clamp(max=0.95)[:, None, None, None]
        )


def test_a_judge_who_takes_light_for_joy(house, monkeypatch):
    bench = translation.Bench(dataclasses.replace(config(house, "published"), write=False))
    described = checkpoint.describe(house / "published")
    monkeypatch.setattr(translation.checkpoint, "load", lambda folder: (described, Lamp()))

    def read(faces):
        light = faces.float().mean((1, 2, 3)) / 255
        rows = torch.full((len(faces), 7), 0.0) + ((1 - light) / 6)[:, None]
        rows[:, 3] = light
        return rows, bench.before

    monkeypatch.setattr(bench, "read", read)
    found = bench.model(house / "published")
    rising = {name: per["rising"] for name, per in found["emotions"].items()}
    assert rising.pop("happy") == pytest.approx(1)
    assert list(rising.values()) == pytest.approx([-1] * 6)
    named = int((bench.labels != 3).sum())
    assert found["target_read"] == pytest.approx(named / 120)
    assert found["emotions"]["happy"]["target_read"] == 1
    still = float((to_model(bench.images)[:, 0, 0, 0] <= -0.25).double().mean())
    assert 0 < still < 1
    assert found["exact"] == pytest.approx(still)


def test_it_is_measured_on_private_test_alone(house):
    bench = translation.Bench(config(house, "stargan"))
    due = {face.numpy().tobytes() for face in data.load(house / "faces").split("PrivateTest").images}
    assert {face.numpy().tobytes() for face in bench.images} <= due
    assert len(bench.training) == len(data.load(house / "faces").split("Training"))
