"""The app without a browser: flags, endpoints, and what the page's own requests answer."""

import base64
import dataclasses
import gzip
import io
import json
import re
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

import app
from fergan import checkpoint, provenance
from fergan.emotions import EMOTIONS
from fergan.engine import LAST_SEED, Engine
from fergan.ui import TABS, models, theme
from fergan.ui.sheet import MOST, Sheet
from tests.asking import asking

ROOT = Path(app.__file__).parent
ASKED = {"model": "acgan", "emotion": "happy", "seed": 5, "count": 3, "truncation": 1.0}


@pytest.fixture(scope="module")
def page(engine):
    return app.build_app(engine)


@pytest.fixture(scope="module")
def address(engine):
    page = app.build_app(engine)
    yield app.serve(page, "127.0.0.1")
    page.close(verbose=False)


@pytest.fixture(scope="module")
def client(address, tmp_path_factory):
    return Client(address, verbose=False, download_files=str(tmp_path_factory.mktemp("got")))


@pytest.fixture
def ask(page, http):
    """Asks as the page does: `ask("draw", fields)`."""
    return asking(page, http, "generate-tab")


# --- the named endpoint ---


def test_the_endpoints_are_these(client):
    found = client.view_api(return_format="dict", print_info=False)
    names = {"/generate", "/mix", "/animate", "/translate", "/recognise", "/models", "/evolution"}
    assert set(found["named_endpoints"]) == names
    assert not found["unnamed_endpoints"]
    parameters = found["named_endpoints"]["/generate"]["parameters"]
    assert [parameter["parameter_name"] for parameter in parameters] == ["model", "emotion", "count", "seed"]
    assert [parameter["python_type"]["type"] for parameter in parameters] == ["str", "str", "int", "int"]
    assert parameters[2]["parameter_default"] == 16
    assert all(emotion in parameters[1]["label"] for emotion in EMOTIONS)


def test_the_endpoint_says_what_it_does(http):
    found = http.get("/gradio_api/info").json()["named_endpoints"]["/generate"]
    assert "one seed is one face" in found["description"]


def test_files_are_the_engines_faces_and_say_what_they_are(client, engine):
    paths = client.predict("acgan", "surprise", 3, LAST_SEED, api_name="/generate")
    seeds = [LAST_SEED, 0, 1]
    faces = engine.generate("acgan", np.tile(np.eye(7)[5], (3, 1)), seeds)
    assert [Path(path).name for path in paths] == [f"surprise_acgan_seed{seed:06d}.png" for seed in seeds]
    for path, face, seed in zip(paths, faces, seeds, strict=True):
        with Image.open(path) as picture:
            assert np.array_equal(np.asarray(picture), face)
        record = provenance.read(Path(path))
        assert (record.model, record.emotion, record.seed) == ("acgan", {"surprise": 1.0}, seed)
        assert record.sheet == (LAST_SEED, 3)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"model": "nope"}, "There is no model 'nope'; choose one of acgan, cgan."),
        ({"emotion": "joy"}, "Unknown emotion 'joy': choose one of angry, "),
        ({"count": 0}, "A sheet has 1 to 64 faces; got 0."),
        ({"count": 65}, "A sheet has 1 to 64 faces; got 65."),
        ({"seed": -1}, "A seed is a whole number from 0 to 4294967295; got -1."),
        ({"seed": 2**32}, "A seed is a whole number from 0 to 4294967295; got 4294967296."),
    ],
)
def test_bad_arguments_get_a_sentence(client, wrong, sentence):
    with pytest.raises(AppError, match=re.escape(sentence)):
        client.predict(
            **{"model": "acgan", "emotion": "happy", "count": 1, "seed": 0} | wrong, api_name="/generate"
        )


def test_health(address):
    with urllib.request.urlopen(f"{address.rstrip('/')}/healthz") as answer:
        assert json.load(answer) == {"ok": True}


# --- what the page asks ---


def test_the_page_travels_in_a_third_and_nothing_else_is_held_back(address):
    def got(path, **headers):
        with urllib.request.urlopen(urllib.request.Request(address + path, headers=headers)) as answer:
            return answer.headers.get("Content-Encoding"), answer.read()

    plain, packed = got(""), got("", **{"Accept-Encoding": "gzip"})
    assert (plain[0], packed[0]) == (None, "gzip")
    assert b"<style>" in plain[1]
    assert gzip.decompress(packed[1]).count(b"js_on_load") == plain[1].count(b"js_on_load") > len(TABS)
    assert len(packed[1]) < len(plain[1]) / 3
    assert got("gradio_api/info", **{"Accept-Encoding": "gzip"})[0] is None


def test_faces_for_the_page_are_the_engines(ask, engine):
    answer = ask("draw", ASKED)
    faces = engine.generate("acgan", np.tile(np.eye(7)[3], (3, 1)), [5, 6, 7])
    for uri, face in zip(answer["faces"], faces, strict=True):
        kind, _, content = uri.partition(",")
        assert kind == "data:image/png;base64"
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), face)


@pytest.mark.parametrize(
    "fields",
    [
        None,
        "happy",
        [],
        {},
        {**ASKED, "model": "nope"},
        {**ASKED, "model": ["acgan"]},
        {**ASKED, "emotion": "joy"},
        {**ASKED, "seed": 1.5},
        {**ASKED, "seed": "5"},
        {**ASKED, "seed": True},
        {**ASKED, "seed": -1},
        {**ASKED, "count": MOST + 1},
        {**ASKED, "count": None},
        {**ASKED, "truncation": 1.01},
        {**ASKED, "truncation": "1"},
    ],
)
def test_requests_that_make_no_sense_get_a_sentence(ask, fields):
    for verb in ("draw", "save"):
        answer = ask(verb, fields)
        assert list(answer) == ["error"]
        assert answer["error"].endswith(".")
        assert "went wrong" not in answer["error"]


def test_a_fault_is_logged_and_not_shown(ask, monkeypatch, caplog):
    def broken(self, engine):
        raise RuntimeError("secret path")

    monkeypatch.setattr(Sheet, "draw", broken)
    answer = ask("draw", ASKED | {"seed": 12345})
    assert answer == {"error": "Something went wrong on the server; its log says what."}
    assert "secret path" in caplog.text


# --- the page ---


def test_a_tab_for_each_entry(page):
    labels = [found["props"]["label"] for found in page.config["components"] if found["type"] == "tabitem"]
    assert labels == list(TABS)


def test_the_page_asks_no_other_host():
    for path in theme.STATIC.iterdir():
        hosts = set(re.findall(r"https?://([\w.-]+)", path.read_text()))
        # The namespace of SVG is fetched by nobody; a Space tells its own frame the query string.
        assert hosts <= {"www.w3.org", "huggingface.co"}, path.name


def test_emotions_have_an_icon_and_readable_colours_in_both_themes():
    css, icons = theme.static("fergan.css"), theme.static("icons.svg")
    light, dark = css.split(".dark {")[0], css.split(".dark {")[1].split("}")[0]
    for emotion in EMOTIONS:
        assert f'id="icon-{emotion}"' in icons
        for block, (name, side) in ((light, ("light", 0)), (dark, ("dark", 1))):
            colour = _colour(block, f"--emotion-{emotion}")
            assert _contrast(colour, _colour(block, "--on-emotion")) >= 4.5, (emotion, name)
            for ground in ("body_background_fill", "background_fill_primary"):
                assert _contrast(colour, theme._PAPER[ground][side]) >= 4.5, (emotion, name)


@pytest.mark.parametrize("side", [0, 1])
def test_text_is_readable_on_every_ground(side):
    for text in ("body_text_color", "body_text_color_subdued"):
        for ground in ("body_background_fill", "background_fill_primary", "background_fill_secondary"):
            assert _contrast(theme._PAPER[text][side], theme._PAPER[ground][side]) >= 4.5


def test_the_favourite_model_opens_the_page(monkeypatch):
    monkeypatch.setattr(models, "FAVOURITES", ("stylegan", "acgan"))
    assert models.default(["cgan", "acgan", "stylegan"]) == "stylegan"
    assert models.default(["cgan", "acgan"]) == "acgan"
    assert models.default(["owner/name"]) == "owner/name"
    with pytest.raises(ValueError, match="draws faces from noise"):
        models.default([])


def test_models_are_told_in_words(engine):
    found = {model["name"]: model for model in models.facts(engine)}
    assert found["acgan"]["title"] == "AC-GAN"
    assert "2.11 million" in found["acgan"]["line"]


def test_measures_are_told_with_their_meaning(weights, tmp_path):
    described, network = checkpoint.load(weights / "cgan")
    measured = dataclasses.replace(described, metrics={"accuracy": 0.765, "n": 70, "confusion": [[1]]})
    checkpoint.save(tmp_path / "cgan", measured, network.state_dict())
    [found] = models.facts(Engine([tmp_path], device="cpu"))
    terms = dict(found["terms"])
    assert terms["emotion read: drawn faces whose emotion the judge reads as asked"] == "76.5%"
    assert not any("confusion" in term for term in terms)


def test_what_is_no_measure_is_not_told(weights, tmp_path):
    described, network = checkpoint.load(weights / "cgan")
    said = {"n": 7178.0, "fid": None, "kid": "low", "recall": [1], "precision": True, "accuracy": 0.5}
    said_so = dataclasses.replace(described, metrics=said)
    checkpoint.save(tmp_path / "cgan", said_so, network.state_dict())
    [found] = models.facts(Engine([tmp_path], device="cpu"))
    told = {term.partition(":")[0]: value for term, value in found["terms"] if ":" in term}
    assert told == {"N": "7,178", "emotion read": "50.0%"}


# --- models of the Hub ---


def test_analytics_are_off(page):
    assert page.analytics_enabled is False
    assert theme.launch_options()["run_history"] is False


def _colour(block, name):
    return re.search(rf"{name}: (#[0-9a-f]{{6}});", block)[1]


def _contrast(one, other):
    """WCAG 2's contrast ratio of two #rrggbb colours."""

    def luminance(colour):
        levels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_analytics_are_off_whatever_the_environment_says(engine, monkeypatch):
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")  # the gate sets it to False
    assert app.build_app(engine).analytics_enabled is False
