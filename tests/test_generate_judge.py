"""The judge on the tab Generate, without a browser: what the page's request to read faces answers."""

import base64
import dataclasses
import io
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

from fergan import checkpoint
from fergan.engine import Engine
from fergan.ui import generate, models
from fergan.ui.server import AT_ONCE
from fergan.ui.sheet import LARGE, MOST, Sheet, data_uri

ASKED = {"model": "acgan", "emotion": "happy", "seed": 5, "count": 3, "truncation": 1.0}
FACE = data_uri(np.zeros((48, 48), np.uint8))


@pytest.fixture(scope="module")
def verbs(engine):
    return {verb.__name__: verb for verb in generate._verbs(engine, "judge")}


def test_what_is_read_is_what_the_engine_reads(verbs, engine):
    shown = verbs["draw"](ASKED)["faces"]
    answer = verbs["read"](shown)
    expected = engine.classify(Sheet.parse(ASKED).draw(engine))
    assert list(answer) == ["probabilities"]
    assert np.allclose(answer["probabilities"], expected, atol=2e-6)
    assert np.allclose(verbs["read"](shown[1:2])["probabilities"], expected[1:2], atol=2e-6)


def test_faces_of_another_size_and_in_colour_are_read(verbs, engine):
    face = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    [found] = verbs["read"]([data_uri(face)])["probabilities"]
    assert np.allclose(found, engine.classify(face[None])[0], atol=2e-6)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (None, f"The judge reads 1 to {MOST} faces at once; got None."),
        ({"faces": [FACE]}, f"The judge reads 1 to {MOST} faces at once; got {{'faces': "),
        ([], f"The judge reads 1 to {MOST} faces at once; got 0."),
        ([FACE] * (MOST + 1), f"The judge reads 1 to {MOST} faces at once; got {MOST + 1}."),
        ([FACE, None], "not a picture"),
        (["data:image/png;base64,!"], "did not arrive whole"),
        (["data:image/png;base64," + base64.b64encode(b"hello").decode()], "not a picture"),
        ([data_uri(np.zeros((LARGE + 1, 8), np.uint8))], f"at most {LARGE} pixels"),
        ([FACE, data_uri(np.zeros((32, 32), np.uint8))], "have one size"),
        ([FACE, data_uri(np.zeros((48, 48, 3), np.uint8))], "all grey or all in colour"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(verbs, fields, sentence):
    answer = verbs["read"](fields)
    assert list(answer) == ["error"]
    assert sentence in answer["error"]
    assert answer["error"].endswith(".")


def test_a_huge_picture_is_not_unpacked_beside_others(verbs):
    file = io.BytesIO()
    Image.new("1", (40_000, 2_000)).save(file, "PNG")
    uri = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    assert "million pixels" in verbs["read"]([uri] * MOST)["error"]


def test_no_face_waits_because_others_are_being_read(engine, monkeypatch):
    verbs = {verb.__name__: verb for verb in generate._verbs(engine, "judge")}
    reading, go_on = threading.Semaphore(0), threading.Event()

    def slow(faces, model):
        reading.release()
        go_on.wait(30)
        return np.full((len(faces), 7), 1 / 7)

    monkeypatch.setattr(engine, "classify", slow)
    others = [[data_uri(np.full((48, 48), grey, np.uint8))] for grey in range(AT_ONCE + 1)]
    readers = [threading.Thread(target=verbs["read"], args=(faces,)) for faces in others]
    drawn = []
    drawer = threading.Thread(target=lambda: drawn.append(verbs["draw"](ASKED)))
    try:
        for reader in readers:
            reader.start()
        for _ in range(AT_ONCE):
            assert reading.acquire(timeout=30)
        drawer.start()
        drawer.join(30)
        assert len(drawn[0]["faces"]) == 3
    finally:
        go_on.set()
        for reader in readers:
            reader.join()


# --- who the judge is ---


def test_the_judge_is_the_one_so_named_else_the_first_else_none(weights, tmp_path):
    for name in ("acgan", "zebra", "second"):
        shutil.copytree(weights / ("acgan" if name == "acgan" else "judge"), tmp_path / name)
    assert models.judge(Engine([weights], device="cpu")) == "judge"
    assert models.judge(Engine([tmp_path], device="cpu")) == "second"
    assert models.judge(Engine([tmp_path / "acgan"], device="cpu")) is None


def test_without_a_judge_nobody_reads(weights):
    alone = Engine([weights / "acgan"], device="cpu")
    names = [verb.__name__ for verb in generate._verbs(alone, models.judge(alone))]
    assert names == ["draw", "save", "restore"]


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"private_clean": {"accuracy": 0.59952}, "private": {"accuracy": 0.7}}, "reads 60 % as people"),
        ({"private": {"accuracy": 0.7}}, "reads 70 % as people"),
        ({"private_clean": "high", "private": {"accuracy": float("nan")}}, None),
        ({"private_clean": {"accuracy": "<b>"}, "private": [1]}, None),
        ({}, None),
    ],
)
def test_how_often_the_judge_is_right_is_told_where_it_was_measured(weights, tmp_path, metrics, said):
    described, network = checkpoint.load(weights / "judge")
    described = dataclasses.replace(described, metrics=metrics)
    checkpoint.save(tmp_path / "judge", described, network.state_dict())
    checkpoint.save(tmp_path / "other", described, network.state_dict())
    engine = Engine([tmp_path], device="cpu")
    line, other = models.judge_line(engine, "judge"), models.judge_line(engine, "other")
    assert "never used to train" in line
    assert "never used" not in other  # of a classifier from elsewhere that is not known
    for sentence in (line, other):
        assert (said in sentence) if said else ("%" not in sentence)
