"""Moments and the ways between them."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from fergan import emotions
from fergan.engine import Engine
from fergan.models import dcgan
from fergan.moments import Drawer, Moment, slerp
from tests import factory

HAPPY, SAD = (tuple(np.eye(7)[label]) for label in (3, 4))


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A generator with styles and one without."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("two")
    for name in ("stylegan", "cgan"):
        factory.write_checkpoint(folder / name, name, by=0.2, images_seen=7, width=8, noise_dim=16)
    return Engine([folder], device="cpu")


def test_slerp_stays_on_the_sphere():
    a, b = torch.nn.functional.normalize(torch.randn(2, 1, 16), dim=2) * 4
    middle = slerp(a, b, 0.5)
    assert float(middle.norm()) == pytest.approx(4, abs=1e-4)
    assert torch.allclose(slerp(a, b, 0.0), a, atol=1e-5)
    assert torch.allclose(slerp(a, b, 1.0), b, atol=1e-5)
    angle = torch.arccos((a * b).sum() / 16)
    assert float(torch.arccos((a * middle).sum() / 16)) == pytest.approx(float(angle) / 2, abs=1e-3)


def test_slerp_of_one_point_and_of_none():
    a = torch.randn(1, 4)
    assert torch.allclose(slerp(a, a, 0.3), a)
    assert torch.allclose(slerp(a, torch.zeros(1, 4), 0.5), a / 2)
    b, c = torch.randn(2, 1, 4)
    both = slerp(
        torch.cat([a, b]), torch.cat([a, c]), 0.3
    )  # a row of one point leaves the others on their arc
    assert torch.allclose(both, torch.cat([a, slerp(b, c, 0.3)]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"emotion": (0.0,) * 7}, "At least one emotion needs a weight above 0"),
        ({"emotion": (1.0, 2.0)}, "An emotion needs 7 weights"),
        ({"emotion": ("much",) * 7}, "Emotion weights"),
        ({"emotion": [HAPPY]}, "Emotion weights"),
        ({"seed": -1}, "A seed is a whole number from 0 to 4294967295; got -1"),
        ({"seed": 1.5}, "A seed is a whole number from 0 to 4294967295; got 1.5"),
        ({"coarse_seed": 2**32}, "got 4294967296"),
        ({"truncation": 1.5}, "Truncation runs from 0 to 1; got 1.5"),
    ],
)
def test_a_moment_checks_itself(change, message):
    with pytest.raises(ValueError, match=message):
        Moment(**{"emotion": HAPPY, "seed": 1} | change)


def test_a_film_without_a_way_back_may_be_as_long(engine):
    moments = [Moment(HAPPY, 1), Moment(SAD, 2)]
    assert next(engine.animate("cgan", moments, 1199, loop=False)).shape == (48, 48)


def test_an_emotion_may_be_the_tensor_that_it_is():
    assert Moment(emotions.blend(happy=3, sad=1), 1) == Moment(
        (0, 0, 0, 3, 1, 0, 0), np.int64(1), np.float32(1)
    )


def test_weights_are_normalised():
    assert Moment((0, 0, 0, 3, 1, 0, 0), 1).emotion == pytest.approx((0, 0, 0, 0.75, 0.25, 0, 0))


@pytest.mark.parametrize("model", ["stylegan", "cgan"])
@pytest.mark.parametrize("loop", [True, False])
def test_a_walk_passes_through_its_moments(engine, model, loop):
    moments = [Moment(HAPPY, 1), Moment(SAD, 2), Moment(SAD, 2, truncation=0.3)]
    frames = list(engine.animate(model, moments, steps=4, loop=loop))
    assert len(frames) == (12 if loop else 9)
    for place, moment in enumerate(moments):
        due = engine.generate(model, [moment.emotion], [moment.seed], moment.truncation)[0]
        assert np.abs(frames[4 * place].astype(int) - due).max() <= 1
    changes = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(frames)]
    jump = np.abs(frames[4].astype(int) - frames[0]).mean()
    assert max(changes[:4]) < jump  # no step is as long as the way


def test_coarse_seeds_lend_their_shape(engine):
    rows = [HAPPY, HAPPY]
    plain = engine.generate("stylegan", rows, [1, 2])
    mixed = engine.generate("stylegan", rows, [1, 2], coarse_seeds=[2, 2])
    assert not np.array_equal(mixed[0], plain[0])
    assert not np.array_equal(mixed[0], plain[1])
    assert np.array_equal(mixed[1], plain[1])  # its own shape


def test_arrays_of_numpy_ask_as_lists_do(engine):
    rows, seeds, coarse = [HAPPY, SAD], [1, 2**32 - 1], [3, 4]
    due = engine.generate("stylegan", rows, seeds, coarse_seeds=coarse)
    asked = np.asarray(rows, np.float32), np.asarray(seeds, np.uint32)
    assert np.array_equal(engine.generate("stylegan", *asked, coarse_seeds=np.asarray(coarse)), due)


def test_a_published_bank_is_truncated_by_cutting_outliers():
    network = dcgan.PublishedGenerator(dcgan.PublishedConfig(width=8, noise_dim=16)).eval()
    drawer = Drawer(network, 16, torch.device("cpu"))
    noise, rows = torch.randn(5, 16, generator=torch.Generator().manual_seed(0)), torch.eye(7)[:5]
    seen = []
    network.forward = lambda noise, emotion: seen.append(noise) or torch.zeros(len(noise), 1, 48, 48)
    for truncation in (0.0, 0.5, 0.7, 1.0):
        drawer.faces(noise, rows, truncation)
    none, half, most, whole = seen
    assert not none.any()  # one face for each emotion
    assert torch.equal(half, noise.clamp(-0.6, 0.6))
    assert float(most.abs().max()) == pytest.approx(1.4)
    assert float(most.norm()) > 0.8 * float(noise.norm())  # in proportion it would be 0.7
    assert torch.equal(whole, noise)


def test_truncation_at_0_is_one_face_for_each_emotion(engine):
    faces = engine.generate("stylegan", [HAPPY, HAPPY, SAD], [1, 2, 3], truncation=0.0)
    assert np.array_equal(faces[0], faces[1])
    assert not np.array_equal(faces[0], faces[2])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda e: e.generate("cgan", [HAPPY], [1], coarse_seeds=[2]), "has no styles"),
        (lambda e: e.generate("stylegan", [HAPPY], [1], coarse_seeds=[2, 3]), "1 seeds and 2 coarse seeds"),
        (lambda e: e.animate("cgan", [Moment(HAPPY, 1)]), "needs two moments and a step; got 1"),
        (lambda e: e.animate("cgan", [Moment(HAPPY, 1)] * 2, steps=0), "got 2 and 0 steps"),
        (
            lambda e: e.animate("cgan", [Moment(HAPPY, 1)] * 2, 601),
            "at most 1200 frames; this one would have 1202",
        ),
        (lambda e: e.animate("cgan", [Moment(HAPPY, 1)] * 2, 1200, loop=False), "would have 1201"),
        (lambda e: e.animate("none", [Moment(HAPPY, 1)] * 2), "There is no model 'none'"),
    ],
)
def test_refusals(engine, ask, message):
    with pytest.raises(ValueError, match=message):
        ask(engine)


def test_models_with_styles_are_named(engine):
    assert engine.mixers == ["stylegan"]
