import math
import signal
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from train import run, states
from train.record import evolution, next_frame


@dataclass(frozen=True)
class Flags:
    name: str
    count: int = 3
    rate: float = 0.5
    on: bool = False
    set: str = ""

    def __post_init__(self):
        if self.count < 1:
            raise ValueError("count must be 1 or more.")


def test_flags_are_the_fields():
    assert run.parse_args(Flags, "", ["--name", "x", "--rate", "2", "--on"]) == Flags("x", 3, 2.0, True)


def test_changes_given_apart_are_all_made():
    found = run.parse_args(Flags, "", ["--name", "x", "--set", "width=8 batch=4", "--set", "gamma=1"])
    assert found.set == "width=8 batch=4 gamma=1"


@pytest.mark.parametrize("argv", [[], ["--name", "x", "--count", "0"], ["--name", "x", "--rate", "fast"]])
def test_bad_flags_end_with_usage(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        run.parse_args(Flags, "", argv)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_override_sets_typed_fields():
    assert run.override("rate=2 on=true", Flags("a"))[0] == Flags("a", 3, 2.0, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [("rate", "name=value"), ("speed=2", "'speed=2'"), ("count=2.5", "type int, got '2.5'")],
)
def test_override_refuses(text, words):
    with pytest.raises(ValueError, match=words):
        run.override(text, Flags("a"))


def test_ema_moves_parameters_and_buffers():
    average, model = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    with torch.no_grad():
        model.weight.fill_(3)
        model.running_mean.fill_(4)
        model.num_batches_tracked.fill_(9)
    run.ema_update(average, model, 0.75)
    assert average.weight.tolist() == [1.5, 1.5]
    assert average.running_mean.tolist() == [1, 1]
    assert int(average.num_batches_tracked) == 9
    with pytest.raises(ValueError, match="different layers"):
        run.ema_update(average, nn.Linear(2, 2), 0.5)


def test_means_refuse_what_is_not_finite():
    means = run.Means()
    means.add({"a": torch.tensor(1.0)})
    means.add({"a": torch.tensor(3.0), "b": torch.tensor(5.0)})
    assert means.read() == {"a": 2, "b": 5}
    assert means.read() == {}
    means.add({"a": torch.tensor(math.inf)})
    with pytest.raises(FloatingPointError, match="The loss a is not finite"):
        means.read()


def test_state_round_trip(tmp_path):
    network = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    path = tmp_path / states.FILE
    tensors = states.of_module(network, "net") | states.of_optimizer(optimizer, "adam")
    states.save(path, tensors, {"seen": 5})
    loaded, facts = states.load(path)
    other = nn.Linear(3, 2)
    states.to_module(other, "net", loaded)
    assert torch.equal(other.weight, network.weight)
    again = torch.optim.Adam(other.parameters(), fused=True)
    states.to_optimizer(again, "adam", loaded)
    assert facts == {"seen": 5}
    moments = (next(iter(o.state_dict()["state"].values()))["exp_avg"] for o in (optimizer, again))
    assert torch.equal(*moments)


def test_log_cuts_what_the_state_does_not_know(tmp_path):
    log = run.Log(tmp_path, 0)
    for seen in (10, 20, 30):
        log.write(seen, {"loss": 1.0})
    log.close()
    again = run.Log(tmp_path, 20)
    again.write(25, {"loss": 2.0})
    again.close()
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [run.json.loads(line)["images_seen"] for line in lines] == [10, 20, 25]
    with (tmp_path / "log.jsonl").open("a") as torn:
        torn.write('{"images_seen": 3')
    run.Log(tmp_path, 25).close()
    assert (tmp_path / "log.jsonl").read_text().splitlines() == lines


def test_a_damaged_state_is_named(tmp_path):
    states.save(tmp_path / states.FILE, {"net.weight": torch.zeros(100)}, {"seen": 5})
    whole = (tmp_path / states.FILE).read_bytes()
    for torn in (whole[:100], b"", whole[:-4]):
        (tmp_path / states.FILE).write_bytes(torn)
        with pytest.raises(ValueError, match="state.safetensors is damaged .*--start"):
            states.load(tmp_path / states.FILE)


def test_frames_come_at_doubling_intervals():
    due, seen = [], 0
    while len(due) < 6:
        seen = next_frame(seen)
        due.append(seen)
    assert due == [768, 1024, 1536, 2048, 3072, 4096]


def test_no_frames_no_evolution(tmp_path):
    assert evolution(tmp_path, "acgan") == b""


def test_stopper_says_why(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(run.time, "monotonic", lambda: now[0])
    alone = SimpleNamespace(num_processes=1)
    stopper = run.Stopper(images=100, minutes=2)
    assert stopper.reason(99, alone) is None
    assert stopper.reason(100, alone) == "100 images seen"
    now[0] = 90.0
    assert stopper.left == 0.5
    now[0] = 120.0
    assert stopper.reason(5, alone) == "2 minutes over"
    assert run.Stopper(images=100, minutes=0).left == math.inf
    with stopper.catching():
        signal.raise_signal(signal.SIGTERM)
        assert stopper.reason(5, alone) == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_processes_stop_together():
    others = SimpleNamespace(num_processes=2, device="cpu", reduce=lambda flag: flag + 1)
    stopper = run.Stopper(images=100, minutes=0)
    assert stopper.reason(5, others) == "another process stopped"
    assert stopper.signal == "a signal to another process"
    calm = SimpleNamespace(num_processes=2, device="cpu", reduce=lambda flags: flags)
    assert run.Stopper(images=100, minutes=0).reason(5, calm) is None


def test_gradients_are_averaged_in_one_exchange():
    network, calls = nn.Linear(2, 2), []
    network(torch.ones(1, 2)).sum().backward()
    before = [p.grad.clone() for p in network.parameters()]

    def reduce(flat, reduction):
        calls.append(reduction)
        return flat * 3

    run.average_gradients(network, SimpleNamespace(num_processes=2, reduce=reduce))
    assert calls == ["mean"]
    assert all(torch.equal(p.grad, 3 * was) for p, was in zip(network.parameters(), before, strict=True))
