"""The tab Recognise without a browser: what it says, its endpoint, and what the page's requests answer."""

import base64
import io
import re
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from starlette.testclient import TestClient

import app
from fergan.emotions import EMOTIONS
from fergan.engine import Engine, Face
from fergan.ui import recognise, theme
from tests import factory
from tests.asking import asking


@pytest.fixture(scope="module")
def page(engine):
    return app.build_app(engine)


@pytest.fixture(scope="module")
def ask(page):
    with TestClient(gr.routes.App.create_app(page)) as http:
        yield asking(page, http, "recognise-tab")


@pytest.fixture(scope="module")
def client(engine, tmp_path_factory):
    page = app.build_app(engine)
    yield Client(app.serve(page, "127.0.0.1"), verbose=False)
    page.close(verbose=False)


@pytest.fixture(scope="module")
def people():
    return factory.photo_of_two()


@pytest.fixture(scope="module")
def face(engine):
    return engine.generate("cgan", np.eye(7)[:1], [5])[0]


def png(picture):
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, "PNG")
    return file.getvalue()


def sent(content, **more):
    return {"photo": base64.b64encode(content).decode(), "model": "judge", **more}


def picture(uri):
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


# --- words ---


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([0, 0.02, 0.03, 0.83, 0.01, 0.02, 0.09], "The judge reads happy, 83 % sure; next comes neutral with 9 %."),
        ([0.3, 0, 0.2, 0, 0.34, 0, 0.16], "The judge is unsure: sad comes first with 34 %, angry next with 30 %."),
        ([0.999, 0, 0, 0, 0, 0, 0.001], "The judge reads angry, over 99 % sure; next comes neutral with under 1 %."),
    ],
)  # fmt: skip
def test_probabilities_in_words(row, said):
    assert recognise.words(row) == said


def test_a_share_is_never_all_or_nothing():
    shares = (0, 0.004, 0.005, 0.125, 0.994, 0.995, 1)
    assert [recognise.share(share) for share in shares] == [
        "under 1 %", "under 1 %", "1 %", "13 %", "99 %", "over 99 %", "over 99 %",
    ]  # fmt: skip


# --- the named endpoint ---


def test_a_photo_is_read_through_the_endpoint(client, engine, people, tmp_path):
    (tmp_path / "people.png").write_bytes(png(people))
    answer = client.predict(handle_file(tmp_path / "people.png"), api_name="/recognise")
    assert (answer["width"], answer["height"]) == (640, 480)
    assert answer["sentence"] == "2 faces, numbered from the biggest."
    found = engine.find(people)
    read = engine.classify(np.stack([one.pixels for one in found]))
    for said, one, row in zip(answer["faces"], found, read, strict=True):
        place = Face(said["x"], said["y"], said["side"], said["roll"], one.face.score)
        assert place == one.face
        assert list(said["probabilities"]) == list(EMOTIONS)
        assert np.allclose(list(said["probabilities"].values()), row, atol=1e-5)
        assert said["strongest"] == EMOTIONS[row.argmax()]
        assert said["sentence"] == recognise.words(row)


def test_the_endpoint_keeps_no_photo(client, face, tmp_path):
    (tmp_path / "only-here.png").write_bytes(png(face))
    client.predict(handle_file(tmp_path / "only-here.png"), api_name="/recognise")
    assert not list(Path(gr.File(render=False).GRADIO_CACHE).rglob("only-here.png"))


def test_what_cannot_be_read_gets_a_sentence(client, tmp_path):
    (tmp_path / "note.png").write_bytes(b"hello")
    with pytest.raises(AppError, match="not a picture that can be read"):
        client.predict(handle_file(tmp_path / "note.png"), api_name="/recognise")
    (tmp_path / "grey.png").write_bytes(png(Image.new("L", (300, 300), 99)))
    answer = client.predict(handle_file(tmp_path / "grey.png"), api_name="/recognise")
    assert answer["faces"] == []
    assert answer["sentence"].startswith("No face was found")


# --- what the page asks ---


def test_a_face_drawn_here_reads_as_it_is(ask, engine, face):
    answer = ask("recognise", sent(png(face)))
    [said] = answer["faces"]
    assert np.array_equal(picture(said["crop"]), face)
    assert np.allclose(list(said["probabilities"].values()), engine.classify(face[None])[0], atol=1e-6)
    assert (said["x"], said["y"], said["side"], said["roll"]) == (24, 24, 48, 0)


def test_any_picture_can_be_taken_for_a_face(ask):
    content = png(Image.linear_gradient("L").resize((300, 200)))
    assert ask("recognise", sent(content))["faces"] == []
    [said] = ask("recognise", sent(content, whole=True))["faces"]
    assert (said["x"], said["y"], said["side"]) == (150, 100, 200)


def test_where_the_network_looked(ask, engine, face):
    fields = {"face": base64.b64encode(png(face)).decode(), "model": "judge"}
    maps = {name: picture(ask("explain", {**fields, "emotion": name})["map"]) for name in ("happy", "sad")}
    for name, heat in maps.items():
        assert heat.shape == (48, 48, 4)
        seen = engine.explain(face[None], EMOTIONS.index(name))[0]
        assert np.corrcoef(heat[..., 3].ravel(), seen.ravel())[0, 1] > 0.9  # denser where it looked
    assert not np.array_equal(maps["happy"], maps["sad"])


def test_examples_are_drawn_here(ask):
    answer = ask("examples", {})
    assert len({face for face in answer["faces"]}) == 4
    assert picture(answer["faces"][0]).shape == (48, 48)


@pytest.mark.parametrize(
    ("verb", "fields", "words"),
    [
        ("recognise", None, "Reading a face needs photo, as text; got None."),
        ("recognise", {"photo": 3}, "Reading a face needs photo, as text; got 3."),
        ("recognise", {"photo": "!", "model": "judge"}, "did not arrive whole"),
        ("recognise", {"photo": "A" * (theme.MAX_UPLOAD * 4 // 3 + 8), "model": "judge"}, "larger than 8 MB"),
        ("recognise", sent(b"hello"), "not a picture that can be read"),
        ("recognise", sent(png(Image.new("L", (48, 48)))) | {"model": "cgan"}, None),
        ("recognise", sent(png(Image.linear_gradient("L").resize((48, 48)))) | {"model": "cgan"}, "reads no emotions"),
        ("recognise", sent(png(Image.new("L", (48, 48)))) | {"model": "jury"}, "There is no model 'jury'"),
        ("explain", {"face": "", "emotion": "happy", "model": "judge"}, "not a picture"),
        ("explain", {"face": sent(png(Image.new("L", (48, 48))))["photo"], "emotion": "joy", "model": "judge"}, "Unknown emotion 'joy'"),
        ("explain", {"face": sent(png(Image.new("L", (48, 513))))["photo"], "emotion": "sad", "model": "judge"}, "at most 512 pixels wide"),
    ],
)  # fmt: skip
def test_requests_that_make_no_sense_get_a_sentence(ask, verb, fields, words):
    answer = ask(verb, fields)
    if words is None:  # no face was there to read: no reader was asked
        assert answer["faces"] == []
    else:
        assert list(answer) == ["error"]
        assert re.search(re.escape(words), answer["error"])


def test_without_a_classifier_the_page_starts_and_says_so(weights):
    page = app.build_app(Engine([weights / "cgan"], device="cpu"))
    [tab] = [block for block in page.blocks.values() if block.elem_id == "recognise-tab"]
    assert tab.props["facts"]["missing"] == recognise.UNREADABLE
    with TestClient(gr.routes.App.create_app(page)) as http:
        answer = asking(page, http, "recognise-tab")("recognise", sent(b""))
    assert list(answer) == ["error"]


def test_the_engine_crops_as_the_model_takes_it(engine, people):
    [first, second] = engine.find(people)
    assert first.face.side > second.face.side
    assert first.pixels.shape == second.pixels.shape == (48, 48)
    [whole] = engine.find(people, whole=True)
    assert whole.face == Face(320, 240, 480)
    with pytest.raises(ValueError, match="There is no model 'nope'"):
        engine.find(people, "nope")
