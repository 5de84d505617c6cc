"""Several processes train as one: `accelerate launch` over two, on the CPU with gloo, beside one alone."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
import torch
from accelerate import Accelerator, PartialState
from safetensors.torch import load_file

from fergan import checkpoint
from fergan.models import draw_noise
from tests import factory, together
from tests.test_generate import files
from tests.test_stargan_training import faces, helpers  # noqa: F401 (fixtures)
from train import processes, states, tune
from train.processes import Share

ROOT = Path(__file__).resolve().parents[1]
MOMENTS = 1e-3
"""Of the largest: how far gradients' running means may be off. Rounding it is: seen were 1e-6 to 3e-4."""
ANSWERS = 1e-2
"""Of images in [-1, 1], logits and rows of numbers: how far they may be off; seen were 1e-8 to 2e-3.

Adam divides a gradient by its own size, so where it would be 0, as of a bias before a norm, rounding takes a step.
"""


@pytest.fixture(scope="module")
def two(faces, helpers, tmp_path_factory):
    """What two processes came to, in all of tests.together."""
    out = tmp_path_factory.mktemp("two")
    own = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "-m", "tests.together"]
    # --multi_gpu is its only way to several processes without MPI; a script that asks for the CPU gets gloo
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", *own]
    done = subprocess.run(
        [*launch, str(faces), str(helpers), str(out)],
        env=factory.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-8000:]
    return out


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return tmp_path_factory.mktemp("one")


def answers(run_folder):
    """What the run's last network says to some fixed input."""
    kept = sorted(run_folder.glob("checkpoints/*"))
    described, network = checkpoint.load(kept[-1] if kept else run_folder / "checkpoint")
    rows = torch.eye(7)[[3] * 7] if described.model == "dcgan" else torch.eye(7)
    images = torch.rand(7, 1, 48, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        if described.model == "stargan":
            return described, network.eval()(images, rows, rows.roll(1, 0), torch.ones(7))
        if described.model in ("classifier", "identity"):
            return described, network.eval()(images)
        return described, network.eval()(draw_noise(list(range(7)), 8), rows)


def off(pair, parts):
    """The largest difference of some tensors, and the largest number in them."""
    names = [name for name in pair[0] if name.endswith(parts) or name.startswith(parts)]
    gaps = [float((pair[0][name] - pair[1][name]).abs().max()) for name in names]
    return max(gaps, default=0.0), max((float(pair[0][name].abs().max()) for name in names), default=0.0)


@pytest.mark.parametrize("name", together.SMALL)
def test_two_processes_train_what_one_does(name, two, one, faces, helpers):
    together.train(name, Accelerator(cpu=True), faces, helpers, one)
    pair = [load_file(folder / name / states.FILE) for folder in (one, two)]
    assert pair[0].keys() == pair[1].keys()
    for key in pair[0]:  # both have drawn the same numbers, to the bit
        assert not key.startswith("rng.") or torch.equal(pair[0][key], pair[1][key]), key
    gap, largest = off(pair, ("exp_avg", "square_avg", "momentum_buffer"))
    assert largest > 0
    assert gap < MOMENTS * largest
    assert off(pair, ("running_mean", "running_var"))[0] < ANSWERS
    (alone, said), (shared, other) = (answers(folder / name) for folder in (one, two))
    assert float((said - other).abs().max()) < ANSWERS
    assert (alone.training["processes"], shared.training["processes"]) == (1, 2)
    assert (alone.step, alone.images_seen) == (shared.step, shared.images_seen) == (2, 32)


@pytest.mark.parametrize("name", ["cgan-fixed", "identity"])
def test_one_process_goes_on_where_two_stopped(name, two, one, faces, helpers):
    for folder in (two, one):
        resume = (folder / name / states.FILE).is_file()
        together.train(name, Accelerator(cpu=True), faces, helpers, folder, images=64, resume=resume)
    pair = [load_file(folder / name / states.FILE) for folder in (one, two)]
    assert all(torch.equal(pair[0][key], pair[1][key]) for key in pair[0] if key.startswith("rng."))
    (_, said), (described, other) = (answers(folder / name) for folder in (one, two))
    assert float((said - other).abs().max()) < ANSWERS
    assert described.images_seen == 64


def test_two_processes_draw_what_one_does(two, one, helpers):
    assert "4 of 4" in together.draw(PartialState(), helpers, one)
    alone, shared = (files(folder / "faces") for folder in (one, two))
    assert alone.keys() == shared.keys()
    assert [name for name in alone if alone[name] != shared[name]] == ["README.md"]  # it names the folder
    (two / "faces" / ".shards" / "00001.csv").unlink()
    assert "4 of 4" in together.draw(PartialState(), helpers, two)  # one process goes on
    assert files(two / "faces").keys() == alone.keys()


def test_two_workers_share_a_study_at_once(two):
    study = optuna.load_study(study_name="teacher", storage=f"sqlite:///{two / 'study.db'}")
    ended = [trial for trial in study.trials if trial.state in tune.DONE]
    assert len(ended) in (6, 7)  # a worker does not break off what the other makes needless
    spans = sorted((trial.datetime_start, trial.datetime_complete) for trial in ended)
    assert any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans))
    for worker in ("worker-0", "worker-1"):
        assert json.loads((two / worker / "best.json").read_text())["trials"] >= 6


def test_a_search_is_not_launched(faces, tmp_path):
    with pytest.raises(ValueError, match="several times on one --storage"):
        tune.tune(tune.TuneConfig(str(faces), out=str(tmp_path)), SimpleNamespace(num_processes=2))


# --- shares ---


def test_shares_are_every_row_once_and_keep_the_groups_of_the_batch_deviation():
    whole = torch.arange(32)
    shares = [Share(first, 2).rows(whole) for first in range(2)]
    assert torch.equal(torch.stack(shares, 1).flatten(), whole)
    groups = {frozenset(column.tolist()) for column in whole.view(8, 4).T}
    assert {frozenset(column.tolist()) for share in shares for column in share.view(8, 2).T} == groups
    assert torch.equal(Share(1, 2).rows(whole.view(2, 16), dim=1), whole.view(2, 16)[:, 1::2])


@pytest.mark.parametrize(("shape", "dim"), [((4,), 0), ((4, 3), 0), ((2, 4, 1), 1)])
def test_all_draw_the_same_numbers(shape, dim):
    rngs = [torch.Generator().manual_seed(3) for _ in range(3)]
    parts = [
        Share(first, 2).draw(torch.randn, *shape, generator=rng, dim=dim)
        for first, rng in zip((0, 1), rngs, strict=False)
    ]
    whole = processes.ALONE.draw(
        torch.randn, *(size * (1 + (place == dim)) for place, size in enumerate(shape)), generator=rngs[2]
    )
    assert torch.equal(torch.stack(parts, dim + 1).flatten(dim, dim + 1), whole)


def test_a_batch_is_shared_evenly_or_not_at_all():
    three = SimpleNamespace(num_processes=3, process_index=2)
    assert processes.share_of(three, 12) == Share(2, 3)
    with pytest.raises(ValueError, match="A batch of 16 cannot be shared by 3 processes: choose a multiple"):
        processes.share_of(three, 16)
