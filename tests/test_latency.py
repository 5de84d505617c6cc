"""train.latency on tiny models: every way draws the same face, and the table says how long it takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fergan import checkpoint
from train import latency
from train.latency import LatencyConfig

ROOT = Path(__file__).resolve().parents[1]


def test_each_way_draws_the_same_face(weights):
    network = checkpoint.load(weights / "cgan")[1]
    noise, emotion = torch.randn(2, 128), torch.eye(7)[:2]
    with torch.inference_mode():
        due, *others = [way(noise, emotion) for way in latency.ways(network, compiled=False).values()]
    assert len(others) == 2
    assert float((others[0] - due).abs().max()) < 1e-4
    assert 0 < float((others[1] - due).abs().mean()) < 0.05  # bfloat16 rounds


def test_rows_compare_with_the_plain_one(weights):
    rows = latency.measure(weights / "acgan", LatencyConfig(("-",), rounds=3, compile=False))
    assert [row[1:3] for row in rows[:2]] == [["1", "eager float32"], ["1", "channels last"]]
    assert len(rows) == 6
    assert rows[0][4:] == ["1.0", "0.00"]
    assert all(float(row[3]) > 0 for row in rows)


def test_the_command_line(weights):
    command = [sys.executable, "-m", "train.latency", "--no-compile", "--rounds", "3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    good, bad = (
        subprocess.run([*command, str(weights / name)], env=environment, capture_output=True, text=True)
        for name in ("cgan", "judge")
    )
    assert "| cgan | 16 | channels last, bfloat16 |" in good.stdout
    assert "--rounds 3 --no-compile`" in good.stdout
    assert bad.returncode == 1
    assert "judge draws no faces from noise" in bad.stderr


def test_nothing_named_is_refused():
    with pytest.raises(ValueError, match="Name a checkpoint folder"):
        LatencyConfig()
