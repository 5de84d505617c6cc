"""The tab Mix without a browser: what may be asked, what is drawn, films and their files, the endpoints."""

import base64
import io
import math
import re

import gradio as gr
import numpy as np
import pytest
from PIL import Image

import app
from fergan import provenance
from fergan.emotions import EMOTIONS
from fergan.engine import LAST_SEED, Engine, Moment
from fergan.ui import blend, mix, models
from tests import factory
from tests.asking import asking, awaited

HALF = {"emotion": {"happy": 0.5, "sad": 0.5}, "seed": 7}
SAD = {"emotion": {"sad": 1}, "seed": 9, "truncation": 0.5}
MOMENTS = [HALF, SAD]


@pytest.fixture(scope="session")
def styled_weights(weights, tmp_path_factory):
    """The shared tiny models, and a stylegan whose faces are noise of their own."""
    return factory.add_model(weights, tmp_path_factory.mktemp("styled"), "stylegan", 0.3, width=8)


@pytest.fixture(scope="module")
def styled(styled_weights):
    return Engine([styled_weights], device="cpu")


@pytest.fixture(scope="module")
def page(styled):
    return app.build_app(styled)


@pytest.fixture
def ask(page, http):
    """Asks as the page does: `ask("draw", fields)`."""
    return asking(page, http, "mix-tab")


def opened(uri):
    return np.array(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


# --- moments ---


def test_a_moment_is_read_from_its_fields():
    found = blend.parse({**HALF, "truncation": 0.25, "coarse_seed": 3})
    assert found == Moment((0, 0, 0, 1, 1, 0, 0), 7, 0.25, 3)
    assert blend.parse({"emotion": {" Happy ": 2}, "seed": 7.0}) == Moment((0, 0, 0, 1, 0, 0, 0), 7)


@pytest.mark.parametrize("emotion", [{}, {"happy": 0}, dict.fromkeys(EMOTIONS, 0)])
def test_nothing_asked_for_is_neutral(emotion):
    assert blend.parse({"emotion": emotion, "seed": 0}).emotion == (0, 0, 0, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (None, "A moment is an emotion (weights by name) and a seed; got None."),
        ({"seed": 1}, "A moment is an emotion (weights by name) and a seed; got {'seed': 1}."),
        ({**HALF, "emotion": [1, 0, 0, 0, 0, 0, 0]}, "A moment is an emotion (weights by name)"),
        ({**HALF, "emotion": {"joy": 1}}, "Unknown emotion 'joy'"),
        ({**HALF, "emotion": {"happy": "1"}}, "The weight of happy is a number; got '1'."),
        ({**HALF, "emotion": {"happy": True}}, "The weight of happy is a number; got True."),
        ({**HALF, "emotion": {"happy": math.nan}}, "The weight of happy is a number; got nan."),
        ({**HALF, "emotion": {"happy": -1}}, "at least 0"),
        ({"emotion": {"sad": 1}}, "A seed is a whole number; got None."),
        ({**HALF, "seed": 1.5}, "A seed is a whole number; got 1.5."),
        ({**HALF, "seed": LAST_SEED + 1}, "A seed is a whole number from 0 to 4294967295"),
        ({**HALF, "truncation": None}, "Truncation is a number; got None."),
        ({**HALF, "truncation": 1.1}, "Truncation runs from 0 to 1; got 1.1."),
        ({**HALF, "coarse_seed": "a"}, "The seed of pose and shape is a whole number; got 'a'."),
        ({**HALF, "coarse_seed": -1}, "A seed is a whole number from 0 to"),
    ],
)
def test_a_moment_that_makes_no_sense_gets_a_sentence(fields, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        blend.parse(fields)


def test_emotions_lie_apart_on_the_wheel_and_neutral_in_its_centre():
    places = {name: complex(*place) for name, place in blend.PLACES.items()}
    assert tuple(places) == EMOTIONS
    assert places.pop("neutral") == 0
    assert places["happy"].real > 0 > places["sad"].real
    assert places["fear"].imag > 0 > places["sad"].imag
    angles = sorted(math.degrees(math.atan2(place.imag, place.real)) % 360 for place in places.values())
    gaps = np.diff([*angles, angles[0] + 360])
    assert min(gaps) > 25  # else a finger cannot tell them apart
    assert max(gaps) < 180  # else the centre is outside


# --- what the page asks ---


def test_faces_are_the_engines(ask, styled):
    shaped = {**HALF, "coarse_seed": 3}
    for model, moments in (("acgan", MOMENTS), ("stylegan", [HALF, SAD, shaped])):
        answer = ask("draw", {"model": model, "moments": moments})
        for uri, moment in zip(answer["faces"], moments, strict=True):
            row = [[moment["emotion"].get(name, 0) for name in EMOTIONS]]
            coarse = [moment["coarse_seed"]] if "coarse_seed" in moment else None
            face = styled.generate(model, row, [moment["seed"]], moment.get("truncation", 1), coarse)[0]
            assert np.array_equal(opened(uri), face)


def test_the_shape_of_another_face_changes_a_face(ask):
    faces = ask("draw", {"model": "stylegan", "moments": [HALF, {**HALF, "coarse_seed": 3}]})["faces"]
    assert faces[0] != faces[1]
    refused = ask("draw", {"model": "acgan", "moments": [{**HALF, "coarse_seed": 3}]})
    assert "no styles" in refused["error"]


@pytest.mark.parametrize("verb", ["draw", "save", "strip", "film"])
@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        {},
        {"model": "nope", "moments": MOMENTS, "moment": HALF, "steps": 4, "kind": "face"},
        {"model": "acgan", "moments": "x", "moment": "x"},
        {"model": "acgan", "moments": [{**HALF, "truncation": 10**400}], "moment": {**HALF, "seed": 10**400}},
        {"model": "acgan", "moments": [], "moment": {}},
        {"model": "acgan", "moments": [HALF] * (blend.MOST + 1), "moment": None},
    ],
)
def test_requests_that_make_no_sense_get_a_sentence(ask, verb, fields):
    answer = ask(verb, fields)
    assert list(answer) == ["error"]
    assert answer["error"].endswith(".")
    assert "went wrong" not in answer["error"]


def test_a_strip_holds_the_way_from_a_moment_to_the_next(ask, styled):
    strip = opened(ask("strip", {"model": "stylegan", "moments": MOMENTS, "steps": 4})["strip"])
    assert strip.shape == (48, 5 * 48)
    start, end = (opened(uri) for uri in ask("draw", {"model": "stylegan", "moments": MOMENTS})["faces"])
    assert np.array_equal(strip[:, :48], start)
    assert np.array_equal(strip[:, -48:], end)
    frames = list(styled.animate("stylegan", [blend.parse(moment) for moment in MOMENTS], 4))
    assert np.array_equal(strip[:, 96:144], frames[2])
    assert not np.array_equal(strip[:, 96:144], start)
    for wrong in (0, 126, None):
        assert "error" in ask("strip", {"model": "stylegan", "moments": MOMENTS, "steps": wrong})


@pytest.mark.parametrize(("kind", "width", "name"), [("face", 48, ""), ("large", 512, "_512px")])
def test_a_face_is_saved_and_brings_its_settings_back(ask, kind, width, name):
    moment = {"emotion": {"happy": 2, "sad": 1}, "seed": 7, "truncation": 0.5, "coarse_seed": 4}
    answer = ask("save", {"model": "stylegan", "moment": moment, "kind": kind})
    assert answer["name"] == f"happy67-sad33_stylegan_seed000007{name}.png"
    content = base64.b64decode(answer["content"])
    assert Image.open(io.BytesIO(content)).size == (width, width)
    assert provenance.read(content).emotion == {"happy": 0.666667, "sad": 0.333333}
    found = ask("restore", answer["content"])
    assert found["moments"] == [{**moment, "emotion": {"happy": 0.666667, "sad": 0.333333}}]
    assert (found["model"], found["note"]) == ("stylegan", "")
    before, after = (
        ask("draw", {"model": "stylegan", "moments": [told]})["faces"]
        for told in (moment, found["moments"][0])
    )
    assert before == after


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (provenance.Record("elsewhere", {"happy": 1.0}, 3), "elsewhere, which is not here"),
        (provenance.Record("acgan", {"joy": 1.0}, 3), "Unknown emotion 'joy'"),
        (provenance.Record("acgan", {"sad": 1.0}, 3, coarse_seed=2), "cannot take the shape"),
    ],
)
def test_pictures_that_nobody_here_can_draw_get_a_sentence(ask, record, words):
    content = provenance.png(Image.new("L", (4, 4)), record)
    assert words in ask("restore", base64.b64encode(content).decode())["error"]


def test_a_sheet_brings_its_first_face(ask):
    content = provenance.png(Image.new("L", (4, 4)), provenance.Record("acgan", {"sad": 1.0}, 3, count=5))
    found = ask("restore", base64.b64encode(content).decode())
    assert [moment["seed"] for moment in found["moments"]] == [3]
    assert "first face" in found["note"]


def test_nobody_reads_faces_where_there_is_no_judge(weights, styled):
    for engine, reads in ((styled, True), (Engine([weights / "acgan"], device="cpu"), False)):
        page = app.build_app(engine)
        [tab] = [block for block in page.blocks.values() if block.elem_id == "mix-tab"]
        assert (tab.props["facts"]["judge"] is not None) == reads
        assert tab.props["facts"]["mixers"] == (["stylegan"] if reads else [])
        assert ("read" in [verb.__name__ for verb in mix._verbs(engine, models.judge(engine))]) == reads


def test_the_judge_reads_a_face(ask, styled):
    [uri] = ask("draw", {"model": "acgan", "moments": [HALF]})["faces"]
    found = ask("read", [uri])["probabilities"]
    assert np.allclose(found, styled.classify(opened(uri)[None]), atol=1e-5)


def test_nothing_is_drawn_before_the_tab_is_opened(styled, monkeypatch):
    def drawn(*_, **__):
        raise AssertionError("a face was drawn")

    monkeypatch.setattr(Engine, "generate", drawn)
    with gr.Blocks():
        mix.build(styled)


# --- films ---


def test_a_film_is_made_aside_and_brings_its_moments_back(ask):
    asked = {"model": "stylegan", "moments": MOMENTS, "seconds": 0.4, "loop": True, "width": 256}
    answer = awaited(ask, ask("film", {**asked, "kind": "webp"})["job"], 20)
    assert answer["name"] == "film_happy50-sad50_stylegan_seed000007_2moments.webp"
    assert answer["type"] == "image/webp"
    with Image.open(io.BytesIO(base64.b64decode(answer["content"]))) as film:
        assert (film.n_frames, film.size) == (20, (256, 256))
    found = ask("restore", answer["content"])
    assert [moment["seed"] for moment in found["moments"]] == [7, 9]
    assert [moment["truncation"] for moment in found["moments"]] == [1.0, 0.5]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"kind": "avi"}, "An animation is one of gif, webp, mp4; got 'avi'."),
        ({"width": 1024}, "An animation is 256 to 512 pixels wide; got 1024."),
        ({"seconds": 0.1}, "it takes 0.4 to 5.0 seconds; got 0.1."),
        ({"seconds": "1"}, "The time from one moment to the next is a number; got '1'."),
        ({"moments": [HALF]}, "This takes a list of 2 to 24 moments; got 1."),
        ({"moments": [HALF] * 20, "seconds": 5, "kind": "mp4"}, "An animation has at most 1200 frames"),
        ({"moments": [HALF] * 8, "seconds": 2, "width": 512}, "would be too large a file; choose WebP"),
        ({"model": "nope"}, "There is no model 'nope'"),
    ],
)
def test_a_film_that_cannot_be_made_is_refused_at_once(ask, wrong, sentence):
    asked = {
        "model": "acgan",
        "moments": MOMENTS,
        "seconds": 1,
        "loop": True,
        "kind": "gif",
        "width": 256,
    }
    assert sentence in ask("film", asked | wrong)["error"]


def test_the_way_back_counts_only_where_a_film_takes_it(ask):
    asked = {"model": "acgan", "moments": [HALF] * 10, "seconds": 5, "kind": "mp4", "width": 256}
    assert "would have 1250" in ask("film", {**asked, "loop": True})["error"]
    begun = ask("film", {**asked, "loop": False})  # 1126, of at most 1200
    assert "job" in begun, begun
    ask("stop", begun["job"])


@pytest.mark.parametrize("loop", [True, False])
def test_a_film_knows_how_many_frames_it_has(loop, styled):
    film = blend.Film("acgan", (blend.parse(HALF), blend.parse(SAD)), 0.4, loop, "webp", 256)
    told = []
    film.file(styled, told.append)
    assert told == list(range(1, film.frames + 1))
