"""train.bench: what it times, once each; how long that takes is nothing to test."""

import re
import sys

import pytest
import torch
from accelerate import Accelerator

from tests import factory
from train import bench

GAN = "width=8 discriminator_width=8 noise_dim=8 batch=16"
TRANSLATOR = (
    "width=8 discriminator_width=8 style_dim=8 blocks=1 batch=16 reads=false guide_weight=0 paired=0 lesson=0"
)


@pytest.fixture(scope="module")
def faces(own_folder):
    return str(factory.write_packed(own_folder / "packed", factory.draw_faces(70)))


def test_the_table_of_a_gan(faces, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench", "--data", faces, "--set", GAN, "--seconds", "0.01", "--cpu"])
    bench.main()
    shown = capsys.readouterr().out
    assert shown.startswith("acgan, batch 16, CPU")
    assert len(re.findall(r"^\| (?:data path|training step), .* \| [\d,]+ \| [\d.]+ \|$", shown, re.M)) == 4


def test_a_translator_beside_the_loop_of_its_paper(faces):
    config = bench.BenchConfig(faces, "stargan", TRANSLATOR, 0.01, cpu=True)
    work, batch = bench.translator(config, Accelerator(cpu=True))
    *both, reference, ours = work.values()
    assert [task() for task in both] == [16, 16]
    assert [reference() for _ in range(10)] == [0, 0, 0, 0, 16] * 2  # the critic learns five times as often
    assert [ours() for _ in range(2)] == [16, 16]
    assert batch == 16


def test_the_plain_loop_is_plain(faces):
    work, _ = bench.gan(bench.BenchConfig(faces, "cgan", GAN, 0.01, cpu=True), Accelerator(cpu=True))
    assert [task() for task in work.values()] == [16] * 4
    game = bench.Game("cgan", "fixed", *settings(), 0, torch.device("cpu"))
    bench.plainly(game)
    assert game.dtype == torch.float32
    assert not game.optimizers["generator"].defaults["fused"]
    assert game.optimizers["generator"].param_groups[0]["lr"] == pytest.approx(settings()[1].learning_rate)


def settings():
    config = bench.preset("cgan", "fixed").config()
    return bench.run.override(GAN, config, bench.RECIPES["cgan", "fixed"])


def test_what_cannot_be_timed():
    with pytest.raises(ValueError, match="knows .*cgan.* and stargan; got 'judge'"):
        bench.BenchConfig("x", "judge")
