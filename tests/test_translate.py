"""The tab Translate without a browser: what may be asked, what is changed, the endpoint."""

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
from fergan import provenance
from fergan.emotions import EMOTIONS, only
from fergan.engine import Engine, Face
from fergan.images import from_photo
from fergan.ui import edit, models, theme, translate
from tests import factory
from tests.asking import asking
from tests.test_recognise import people, png  # noqa: F401 - people is a fixture

HAPPY = np.eye(7)[EMOTIONS.index("happy")]
FACE = {"x": 80, "y": 60, "side": 90, "roll": 10}
ASKED = {"model": "stargan", "emotion": {"happy": 1}, "intensity": 0.8, "faces": [FACE]}


@pytest.fixture(scope="session")
def translating_weights(weights, tmp_path_factory):
    """The shared tiny models, and a translator whose changes are noise, but large."""

    def heads(generator):
        return [parameter for head in generator._heads() for parameter in head.parameters()]

    folder = tmp_path_factory.mktemp("translating")
    return factory.add_model(weights, folder, "stargan", 0.1, heads, width=8, blocks=1)


@pytest.fixture(scope="session")
def translating(translating_weights):
    return Engine([translating_weights], device="cpu")


@pytest.fixture(scope="module")
def page(translating):
    return app.build_app(translating)


@pytest.fixture
def ask(page, http):
    return asking(page, http, "translate-tab")


@pytest.fixture(scope="module")
def client(translating, tmp_path_factory):
    page = app.build_app(translating)
    folder = str(tmp_path_factory.mktemp("got"))
    yield Client(app.serve(page, "127.0.0.1"), verbose=False, download_files=folder)
    page.close(verbose=False)


@pytest.fixture(scope="module")
def photo():
    """A colour picture of no one, 160 x 120."""
    ramp = np.linspace(0, 255, 160 * 120).reshape(120, 160)
    rings = 127 + 120 * np.sin(np.hypot(*np.mgrid[-60:60, -80:80]) / 6)
    return Image.fromarray(np.stack([rings, ramp, 255 - rings], -1).astype(np.uint8))


def sent(content, **more):
    return {**ASKED, "photo": base64.b64encode(content).decode(), **more}


def opened(uri):
    return np.array(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def face(fields):
    return Face(*(fields[name] for name in ("x", "y", "side", "roll")))


# --- what the page asks ---


def test_a_photo_is_changed_as_the_engine_does(ask, translating, photo):
    answer = ask("change", sent(png(photo)))
    [change], changed = (
        translating.translate("stargan", photo, HAPPY, 0.8, [face(FACE)]).faces,
        translating.translate("stargan", photo, HAPPY, 0.8, [face(FACE)]).photo,
    )
    assert np.array_equal(opened(answer["photo"]), changed)
    assert not np.array_equal(opened(answer["photo"]), photo)
    assert np.array_equal(opened(answer["before"]), change.before)
    assert np.array_equal(opened(answer["after"]), change.after)
    assert np.abs(opened(answer["mask"]) / 255 - change.mask).max() < 0.01
    assert np.array(answer["arrows"]).shape == (translate.ARROWS, translate.ARROWS, 2)


def test_at_intensity_0_it_is_the_very_photo(ask, photo):
    assert np.array_equal(opened(ask("change", sent(png(photo), intensity=0))["photo"]), photo)


def test_arrows_point_to_where_the_skin_went():
    flow = np.zeros((48, 48, 2), np.float32)
    flow[:, 24:, 0] = 0.1  # what lies right comes from further right: it has moved to the left
    arrows = np.array(translate._arrows(flow))
    assert np.allclose(arrows[:, :6], 0)
    assert np.allclose(arrows[:, 6:], [-0.1, 0], atol=1e-4)


def test_faces_are_found(ask, translating, people):
    fields = {"model": "stargan", "photo": base64.b64encode(png(people)).decode()}
    answer = ask("find", fields)
    assert (answer["width"], answer["height"]) == people.size
    found = [one.face for one in translating.find(people, "stargan")]
    assert [(f["x"], f["y"], f["side"], f["roll"]) for f in answer["faces"]] == [
        (f.cx, f.cy, f.side, f.roll) for f in found
    ]
    [whole] = ask("find", {**fields, "whole": True})["faces"]
    assert whole == {"x": 320, "y": 240, "side": 480, "roll": 0}
    nobody = {**fields, "photo": base64.b64encode(png(Image.new("L", (300, 200), 9))).decode()}
    assert ask("find", nobody)["faces"] == []


def test_all_faces_are_changed_at_once(ask, people):
    fields = {"model": "stargan", "photo": base64.b64encode(png(people)).decode()}
    faces = ask("find", fields)["faces"]
    shown = [
        opened(ask("change", {**ASKED, **fields, "faces": some})["photo"]) for some in (faces, faces[:1])
    ]
    for changed, halves in zip(shown, ((True, True), (True, False)), strict=True):
        moved = np.abs(changed.astype(int) - np.asarray(people)).max(axis=0) > 30
        assert (bool(moved[:320].any()), bool(moved[420:].any())) == halves


def test_the_same_face_in_all_seven(ask, translating, photo):
    small = photo.crop((0, 0, 100, 100))
    square = {"x": 50, "y": 50, "side": 80, "roll": 0}
    answer = ask("seven", sent(png(small), faces=[square], emotion={"neutral": 1}))
    for row, uri in zip(np.eye(7), answer["faces"], strict=True):
        assert np.array_equal(
            opened(uri), translating.translate("stargan", small, row, 0.8, [face(square)]).photo
        )
    assert len(set(answer["faces"])) == 7
    assert "at most 176 pixels" in ask("seven", sent(png(photo.resize((300, 100)))))["error"]


def test_a_cameras_square_comes_back_changed(ask, translating):
    grey = np.random.default_rng(0).integers(0, 256, (96, 96), np.uint8)
    fields = {**ASKED, "emotion": {"happy": 1, "sad": 3}, "grey": base64.b64encode(grey.tobytes()).decode()}
    answer = ask("live", fields)
    assert list(answer) == ["grey"]
    shown = np.frombuffer(base64.b64decode(answer["grey"]), np.uint8).reshape(96, 96)
    row = [0, 0, 0, 0.25, 0.75, 0, 0]
    assert np.array_equal(shown, translating.translate_faces("stargan", grey[None], [row], [0.8])[0])
    read = ask("live", {**fields, "read": True})["probabilities"]
    assert np.allclose(read, translating.classify(np.stack([grey, shown])), atol=1e-5)
    wrong = {**fields, "grey": base64.b64encode(grey[:48].tobytes()).decode()}
    assert ask("live", wrong)["error"] == "A camera's square has 96 x 96 pixels; got 4608 bytes."


def test_the_judge_reads_before_and_after(ask, translating, photo):
    answer = ask("change", sent(png(photo)))
    read = ask("read", [answer["before"], answer["after"]])["probabilities"]
    both = np.stack([opened(answer[name]) for name in ("before", "after")])
    assert np.allclose(read, translating.classify(both), atol=1e-5)


def test_nobody_reads_where_there_is_no_judge(translating_weights):
    engine = Engine([translating_weights / "stargan", translating_weights / "judge"], device="cpu")
    assert "read" in [verb.__name__ for verb in translate._verbs(engine, models.judge(engine))]
    assert "read" not in [verb.__name__ for verb in translate._verbs(engine, None)]


def test_examples_are_drawn_here(ask):
    faces = ask("examples", {})["faces"]
    assert len(set(faces)) == 4
    assert opened(faces[0]).shape == (384, 384)


GREY = base64.b64encode(png(Image.linear_gradient("L").resize((100, 100)))).decode()


@pytest.mark.parametrize("verb", ["change", "seven", "save", "film"])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"photo": None}, "A photo is sent in the field photo, as text; got None."),
        ({"photo": "!"}, "did not arrive whole"),
        ({"photo": base64.b64encode(b"hello").decode()}, "not a picture that can be read"),
        ({"photo": "A" * (theme.MAX_UPLOAD * 4 // 3 + 8)}, "larger than 8 MB"),
        ({"faces": []}, "This takes a list of 1 to 12 faces; got 0."),
        ({"faces": [FACE] * 13}, "This takes a list of 1 to 12 faces; got 13."),
        ({"faces": "all"}, "This takes a list of 1 to 12 faces; got 'all'."),
        ({"faces": [3]}, "A face is its place, side and roll; got 3."),
        ({"faces": [{**FACE, "side": 0}]}, "side is at least 1 pixel; got 0.0."),
        ({"faces": [{**FACE, "roll": "up"}]}, "A face's roll is a number; got 'up'."),
        ({"faces": [{**FACE, "x": 900}]}, "The square lies outside the photo"),
        ({"faces": [{**FACE, "side": 20}]}, "only 20 pixels wide"),
        ({"intensity": 1.3}, "The intensity runs from 0 to 1.25; got 1.3."),
        ({"intensity": None}, "The intensity is a number; got None."),
        ({"model": "judge"}, "The model judge changes no faces"),
    ],
)
def test_requests_that_make_no_sense_get_a_sentence(ask, verb, wrong, words):
    fields = {**ASKED, "photo": GREY, "start": "photo", "kind": "gif", "seconds": 0.4, **wrong}
    answer = ask(verb, fields)
    assert list(answer) == ["error"]
    assert words in answer["error"]


@pytest.mark.parametrize("verb", ["find", "change", "seven", "live", "save", "film"])
@pytest.mark.parametrize("fields", [None, [], "photo", {}])
def test_requests_without_fields_get_a_sentence(ask, verb, fields):
    answer = ask(verb, fields)
    assert list(answer) == ["error"]
    assert answer["error"].endswith(".")
    assert "went wrong" not in answer["error"]


@pytest.mark.parametrize("emotion", [{}, {"happy": 0}, {"happy": -1}, {"happy": 2, "sad": -1}])
def test_an_emotion_of_nothing_gets_a_sentence(ask, emotion):
    answer = ask("change", {**ASKED, "photo": GREY, "emotion": emotion})
    assert answer == {"error": "Weights of emotions are at least 0, and one is above it."}


@pytest.mark.parametrize(
    ("emotion", "words"),
    [
        ("happy", "An expression is asked for by named fields"),
        ({"joy": 1}, "Unknown emotion 'joy'"),
        ({"sad": True}, "The weight of sad is a number; got True."),
    ],
)
def test_an_emotion_that_is_none_gets_a_sentence(ask, emotion, words):
    assert words in ask("change", {**ASKED, "photo": GREY, "emotion": emotion})["error"]


def test_a_fault_is_logged_and_not_shown(ask, monkeypatch, caplog):
    def broken(self, *_):
        raise RuntimeError("secret path")

    monkeypatch.setattr(Engine, "translate", broken)
    answer = ask("change", {**ASKED, "photo": GREY})
    assert answer == {"error": "Something went wrong on the server; its log says what."}
    assert "secret path" in caplog.text


# --- the named endpoint ---


def test_the_endpoint_is_named_typed_and_documented(client, http):
    found = client.view_api(return_format="dict", print_info=False)["named_endpoints"]["/translate"]
    names = [parameter["parameter_name"] for parameter in found["parameters"]]
    assert names == ["photo", "emotion", "intensity", "model", "face"]
    types = [parameter["python_type"]["type"] for parameter in found["parameters"]]
    assert types == ["filepath", "str", "float", "str", "int"]
    said = http.get("/gradio_api/info").json()["named_endpoints"]["/translate"]["description"]
    assert "edited by AI" in said


def test_a_photo_is_changed_through_the_endpoint(client, translating, people, tmp_path):
    (tmp_path / "only-here.png").write_bytes(png(people))
    sending = handle_file(tmp_path / "only-here.png")
    all_faces = [one.face for one in translating.find(people, "stargan")]
    for number, faces in ((0, all_faces), (1, all_faces[:1]), (2, all_faces[1:])):
        path = Path(client.predict(sending, "Sad", 0.5, "stargan", number, api_name="/translate"))
        assert path.name == "edited_sad_stargan.png"
        changed = translating.translate("stargan", people, only("sad"), 0.5, faces).photo
        assert np.array_equal(np.array(Image.open(path)), changed)
        assert provenance.read(path).edited == (0.5, len(faces))
    assert not list(Path(gr.File(render=False).GRADIO_CACHE).rglob("only-here.png"))


def test_what_cannot_be_changed_gets_a_sentence(client, people, tmp_path):
    (tmp_path / "note.png").write_bytes(b"hello")
    (tmp_path / "grey.png").write_bytes(png(Image.new("L", (300, 300), 99)))
    (tmp_path / "people.png").write_bytes(png(people))
    for file, wrong, words in (
        ("note.png", {}, "not a picture that can be read"),
        ("grey.png", {}, "No face was found in this picture."),
        ("people.png", {"emotion": "joy"}, "Unknown emotion 'joy'"),
        ("people.png", {"intensity": 2}, "The intensity runs from 0 to 1.25; got 2"),
        ("people.png", {"model": "acgan"}, "The model acgan changes no faces; choose one of stargan."),
        ("people.png", {"model": "nope"}, "There is no model 'nope'"),
        ("people.png", {"face": 3}, "Faces in this photo are numbered 1 to 2; got 3."),
        ("people.png", {"face": -1}, "Faces in this photo are numbered 1 to 2; got -1."),
    ):
        with pytest.raises(AppError, match=re.escape(words)):
            client.predict(handle_file(tmp_path / file), **wrong, api_name="/translate")


def test_without_a_translator_the_page_starts_and_says_so(engine, tmp_path):
    page = app.build_app(engine)
    [tab] = [block for block in page.blocks.values() if block.elem_id == "translate-tab"]
    assert tab.props["facts"]["missing"] == translate.NONE
    assert "python -m train.stargan" in theme.static("translate.html")
    with TestClient(gr.routes.App.create_app(page)) as http:
        answer = asking(page, http, "translate-tab")("change", {**ASKED, "photo": GREY})
        assert answer == {"error": "There is no model 'stargan'; none here does that."}
    address = app.serve(page, "127.0.0.1")
    (tmp_path / "photo.png").write_bytes(png(Image.linear_gradient("L")))
    with pytest.raises(AppError, match="No translator is here yet.*python -m train.stargan"):
        Client(address, verbose=False).predict(handle_file(tmp_path / "photo.png"), api_name="/translate")
    page.close(verbose=False)


def test_what_is_sent_of_a_photo_is_what_is_read(photo):
    """Pictures on their way are exact where they are small, and good where they are not."""
    kind, content = edit.encoded(photo)
    assert kind == "image/png"
    assert np.array_equal(from_photo(content), photo)
    kind, content = edit.encoded(photo.resize((640, 480)))
    assert kind == "image/jpeg"
    assert np.abs(np.array(from_photo(content), int) - photo.resize((640, 480))).mean() < 2
