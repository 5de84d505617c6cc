"""Classifiers: contract, counts, maps, refusals."""

from pathlib import Path

import pytest
import torch

from fergan import checkpoint, losses
from fergan.emotions import EMOTIONS, one_hot
from fergan.models import MODELS
from fergan.models.classifier import ABSENT

ROOT = Path(__file__).resolve().parents[1]
EACH = list(MODELS["classifier"])
FOUR = "happy,neutral,sad,surprise"
TINY = "width=4 batch=16 mixup=0 erase=0 augment=0.3 learning_rate=0.05"


def small(name, **changes):
    cls = MODELS["classifier"][name].config
    return cls(**({"width": 4} if name in ("judge", "teacher", "guide") else {}) | changes)


def network(name, **changes):
    torch.manual_seed(0)
    return MODELS["classifier"][name].network(small(name, **changes))


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize(("size", "channels"), [(48, 1), (64, 3)])
def test_contract(name, size, channels):
    made = network(name, image_size=size, channels=channels)
    images = torch.rand(3, channels, size, size) * 2 - 1
    logits, features = made(images), made.eval().features(images)
    assert (logits.shape, logits.dtype) == ((3, len(EMOTIONS)), torch.float32)
    assert features.ndim == 2
    assert features.dtype == torch.float32
    assert torch.equal(made.head(features), made(images))
    logits.square().sum().backward()
    for parameter_name, parameter in made.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert bool(torch.isfinite(parameter.grad).all()), parameter_name


def test_parameter_counts_of_the_student_project():
    counts = {"m1": 185_444, "m2": 113_764, "m3": 130_340, "m4": 215_652, "m5": 1_496_644}
    for name, count in counts.items():
        made = network(name, emotions=FOUR)
        running = sum(b.numel() for n, b in made.named_buffers() if "running" in n)  # Keras counts them
        assert sum(p.numel() for p in made.parameters()) + running == count, name
    assert sum(p.numel() for p in MODELS["classifier"]["judge"].network(small("judge")).parameters()) < 5e4


def test_the_maps_of_a_teacher_are_those_on_its_way():
    made, images = network("teacher", image_size=64).eval(), torch.rand(2, 1, 64, 64)
    second, third = made.maps(images)
    assert (second.shape, third.shape) == ((2, 8, 32, 32), (2, 16, 16, 16))
    rest = made.stages[[type(layer) for layer in made.stages].index(torch.nn.AvgPool2d) + 1 :]
    assert torch.equal(rest[6:13](second), third)  # a pooling and a stage later
    assert torch.equal(rest[13:](third).mean(dim=(2, 3)), made.features(images))


def test_four_emotions_answer_seven_logits():
    made = network("m3", emotions="surprise,happy,neutral,sad").eval()
    logits = made(torch.rand(2, 1, 48, 48))
    probabilities = logits.softmax(dim=1)
    absent = [EMOTIONS.index(name) for name in EMOTIONS if name not in FOUR.split(",")]
    assert bool((logits[:, absent] == ABSENT).all())
    assert bool((probabilities[:, absent] == 0).all())
    target = one_hot(torch.tensor([3, 6]))
    assert bool(torch.isfinite(losses.soft_cross_entropy(logits, target)))
    with pytest.raises(ValueError, match="Unknown emotion 'surprised'"):
        small("m3", emotions="happy,surprised")
    with pytest.raises(ValueError, match="two names or more"):
        small("m3", emotions="happy,happy")


def test_the_temperature_divides_the_logits_and_is_kept(tmp_path):
    made, config = network("judge").eval(), small("judge")
    images = torch.rand(2, 1, 48, 48)
    before = made(images)
    made.head.temperature.fill_(2.0)
    assert torch.allclose(made(images), before / 2)
    described = checkpoint.Checkpoint("classifier", "judge", vars(config))
    checkpoint.save(tmp_path, described, made.state_dict())
    assert float(checkpoint.load(tmp_path)[1].head.temperature) == 2.0


@pytest.mark.parametrize(
    ("name", "field", "words"),
    [("m1", {"convs": "64,128"}, "three widths"), ("m3", {"dropouts": "a,b,c"}, "Numbers with commas")],
)
def test_baselines_refuse_other_shapes(name, field, words):
    with pytest.raises(ValueError, match=words):
        small(name, **field)
