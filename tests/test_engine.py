import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from fergan import engine as engine_module
from fergan.engine import LAST_SEED, Engine
from fergan.moments import Drawer
from tests import factory


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Two grey models, and one in colour at another size."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("house")
    for name, model, size, channels in (
        ("cgan", "cgan", 48, 1),
        ("acgan", "acgan", 48, 1),
        ("big", "cgan", 64, 3),
    ):
        factory.write_checkpoint(
            folder / name, model, images_seen=7, width=8, image_size=size, channels=channels
        )
    return folder


@pytest.fixture(scope="module")
def engine(house):
    return Engine([house], device="cpu")


def test_models_are_described(engine, house):
    assert sorted(engine.models) == ["acgan", "big", "cgan"]
    assert engine.models["big"].images_seen == 7
    assert engine.folder("big") == house / "big"


@pytest.mark.parametrize(("model", "shape"), [("cgan", (2, 48, 48)), ("big", (2, 64, 64, 3))])
def test_faces_have_the_models_size(engine, model, shape):
    faces = engine.generate(model, np.eye(7)[:2], [1, 2])
    assert faces.shape == shape
    assert faces.dtype == np.uint8


@pytest.mark.parametrize("model", ["cgan", "acgan"])
def test_a_seed_is_a_face_in_any_batch(engine, model):
    row = np.eye(7)[3]
    alone = engine.generate(model, row[None], [9])[0]
    many = engine.generate(model, np.tile(row, (20, 1)), list(range(20)))
    assert np.array_equal(alone, many[9])
    assert not np.array_equal(many[9], many[10])


def test_weights_of_emotions_need_not_sum_to_one(engine):
    one, ten = (engine.generate("cgan", np.full((1, 7), value), [4]) for value in (1, 10))
    assert np.array_equal(one, ten)


def test_truncation_at_zero_forgets_the_seed(engine):
    faces = engine.generate("cgan", np.eye(7)[[3, 3]], [1, 2], truncation=0)
    assert np.array_equal(faces[0], faces[1])


def test_requests_do_not_mix(engine):
    def ask(seed):
        return engine.generate("acgan", np.eye(7)[[seed % 7]], [seed])[0]

    alone = [ask(seed) for seed in range(16)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, range(16)))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_sheet_is_drawn_by_several_threads_and_is_the_same(house, monkeypatch):
    rows, seeds, threads = np.tile(np.eye(7)[3], (6, 1)), list(range(6)), set()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)  # torch's own threads take the cores
    alone = Engine([house], device="cpu").generate("cgan", rows, seeds)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    engine, met = Engine([house], device="cpu"), threading.Barrier(2, timeout=20)
    network, face = engine._registry.network(engine._registry.slot("cgan")), Drawer.face

    def meet(drawer, moment):
        threads.add(threading.get_ident())
        met.wait()  # breaks unless two faces are drawn at the same time
        assert drawer.network is network
        return face(drawer, moment)

    monkeypatch.setattr(Drawer, "face", meet)
    assert np.array_equal(engine.generate("cgan", rows, seeds), alone)
    assert len(threads) == 2 and threading.get_ident() not in threads


@pytest.mark.parametrize(
    ("said", "cores"),
    [("250000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8), ("max 100000", 8), ("", 8)],
)
def test_a_containers_share_of_the_cores_counts(said, cores, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    (tmp_path / "cpu.max").write_text(f"{said}\n")
    assert engine_module._cores(tmp_path / "cpu.max") == cores
    assert engine_module._cores(tmp_path / "none") == 8


def test_a_small_sheet_overtakes_a_large_one(house, monkeypatch):
    both, order, begun, face = threading.Event(), [], threading.Event(), Drawer.face

    class Hands(ThreadPoolExecutor):
        def map(self, draw, moments):
            found = super().map(draw, moments)
            if moments[0].truncation == 0.5:
                both.set()
            return found

    def draw(drawer, moment):
        begun.set()
        assert both.wait(20)  # until the small one stands behind the first faces of the large one
        order.append(moment.truncation)
        return face(drawer, moment)

    engine = Engine([house], device="cpu")
    engine._hands = Hands(2)
    monkeypatch.setattr(Drawer, "face", draw)
    with ThreadPoolExecutor(2) as pool:
        large = pool.submit(engine.generate, "cgan", np.tile(np.eye(7)[3], (60, 1)), list(range(60)), 1.0)
        assert begun.wait(20)
        small = pool.submit(engine.generate, "cgan", np.eye(7)[:4], [1, 2, 3, 4], 0.5)
        assert small.result().shape == (4, 48, 48) and large.result().shape == (60, 48, 48)
    assert order.count(1.0) == 60
    assert max(place for place, truncation in enumerate(order) if truncation == 0.5) < 16


def test_a_face_alone_waits_for_no_sheet(house, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    engine, threads, face = Engine([house], device="cpu"), set(), Drawer.face
    monkeypatch.setattr(
        Drawer, "face", lambda drawer, moment: threads.add(threading.get_ident()) or face(drawer, moment)
    )
    engine.generate("cgan", np.eye(7)[:1], [1])
    assert threads == {threading.get_ident()}


def test_no_seeds_no_faces(engine):
    assert engine.generate("cgan", np.empty((0, 7)), []).shape == (0, 48, 48)
    assert engine.generate("big", np.empty((0, 7)), []).shape == (0, 64, 64, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("vae", np.eye(7)[:1], [0]), "There is no model 'vae'; choose one of"),
        (("cgan", np.eye(7)[:2], [0]), "Each seed needs a row"),
        (("cgan", np.eye(6)[:1], [0]), "7 weights"),
        (("cgan", -np.eye(7)[:1], [0]), "at least 0"),
        (("cgan", [["x"] * 7], [0]), "Emotion weights"),
        (("cgan", np.eye(7)[:1], [LAST_SEED + 1]), "A seed is a whole number from 0"),
        (("cgan", np.eye(7)[:1], [-1]), "A seed is a whole number from 0"),
        (("cgan", np.eye(7)[:1], [0], 1.5), "Truncation runs from 0 to 1"),
        (("cgan", np.eye(7)[:1], [0], None), "Truncation runs from 0 to 1; got None"),
        (("cgan", [[10**400] * 7], [0]), "Emotion weights"),
    ],
)
def test_bad_requests_get_a_sentence(engine, arguments, words):
    with pytest.raises(ValueError, match=words):
        engine.generate(*arguments)


def test_faces_are_read(weights):
    engine = Engine([weights], device="cpu")
    assert engine.classifiers == ["judge"]
    faces = engine.generate("cgan", np.eye(7), range(7))
    read = engine.classify(faces)
    assert read.shape == (7, 7)
    assert read.dtype == np.float32
    assert np.allclose(read.sum(axis=1), 1, atol=1e-5)
    assert read.std(axis=0).max() > 0  # not one answer for all
    assert engine.classify(faces[:0]).shape == (0, 7)


def test_a_list_of_faces_is_a_batch(weights):
    engine = Engine([weights], device="cpu")
    faces = engine.generate("cgan", np.eye(7), range(7))
    assert np.array_equal(engine.classify(list(faces)), engine.classify(faces))
    assert np.array_equal(engine.explain(list(faces), np.int64(3)), engine.explain(faces, 3))
    with pytest.raises(ValueError, match="the sizes of these differ"):
        engine.classify([faces[0], faces[1, :20]])


def test_who_asks_first_under_inference_mode_spoils_nothing(weights):
    engine, plain = (Engine([weights], device="cpu") for _ in range(2))
    faces = plain.generate("cgan", np.eye(7)[:2], [1, 2])
    due = plain.explain(faces)
    with torch.inference_mode():
        assert np.array_equal(engine.explain(faces), due)
    assert np.array_equal(engine.explain(faces), due)


def test_colour_at_another_size_is_read(weights, engine, house):
    faces = engine.generate("big", np.eye(7)[:2], [1, 2])
    assert Engine([weights], device="cpu").classify(faces).shape == (2, 7)


@pytest.mark.parametrize(
    ("model", "faces", "message"),
    [
        ("cgan", np.zeros((1, 48, 48), np.uint8), "The model cgan reads no emotions; choose one of judge"),
        ("jury", np.zeros((1, 48, 48), np.uint8), "There is no model 'jury'"),
        ("judge", np.zeros((1, 48, 48)), "got float64"),
        ("judge", np.zeros((48, 48), np.uint8), r"got uint8 \[48, 48\]"),
        ("judge", np.zeros((1, 0, 48), np.uint8), r"got uint8 \[1, 0, 48\]"),
    ],
)
def test_refusals_to_read(weights, model, faces, message):
    with pytest.raises(ValueError, match=message):
        Engine([weights], device="cpu").classify(faces, model)


def test_a_judge_draws_nothing(weights, house):
    with pytest.raises(ValueError, match="The model judge draws no faces; choose one of acgan, cgan"):
        Engine([weights]).generate("judge", np.eye(7)[:1], [1])
    with pytest.raises(ValueError, match="There is no model 'judge'; none here does that"):
        Engine([house]).classify(np.zeros((1, 48, 48), np.uint8))


def test_a_face_is_drawn_alone(engine):
    sizes, network = [], engine._registry.network(engine._registry.slot("cgan"))
    hook = network.register_forward_pre_hook(lambda network, given: sizes.append(len(given[0])))
    engine.generate("cgan", np.tile(np.eye(7)[3], (20, 1)), range(20))
    hook.remove()
    assert sizes == [1] * 20  # a batch rounds otherwise: of the StyleGAN that ships, pixels differ by a level
