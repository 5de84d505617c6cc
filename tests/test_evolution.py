"""The tab Evolution without a browser: which models are offered, their films, what strangers may write, the GIF."""

import base64
import io
import json
import shutil
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image
from starlette.testclient import TestClient

import app
from fergan import provenance
from fergan.emotions import EMOTIONS
from fergan.engine import Engine
from fergan.ui import film, sheet
from tests import factory
from tests.asking import asking
from train import history, record

SEEN = (64, 128, 256)
LOG = [{"images_seen": seen, "d_loss": 0.5, "diversity": 0.9, "twins": 0.0} for seen in SEEN]


def frames(folder: Path, columns: int = 7, channels: int = 1) -> None:
    """Three grids of six rows, named by images seen."""
    folder.mkdir(parents=True)
    for seen in SEEN:
        faces = factory.draw_faces(6 * columns, channels=channels, seed=seen)
        record.sheet(faces, columns).save(folder / f"{seen:010d}.png")


def lay(folder: Path, place: Path) -> None:
    """The evolution and the history of a run with those frames."""
    (folder / record.EVOLUTION).write_bytes(record.evolution(place, "acgan"))
    (folder / history.HISTORY).write_bytes(history.encoded(history.history(LOG, SEEN)))


@pytest.fixture(scope="module")
def folder(weights, tmp_path_factory):
    """acgan with evolution and history, cgan with neither, a judge."""
    folder = shutil.copytree(weights, tmp_path_factory.mktemp("filmed") / "weights")
    frames(folder.parent / "frames")
    lay(folder / "acgan", folder.parent / "frames")
    return folder


@pytest.fixture
def engine(folder, tmp_path):
    """An engine over a copy, for tests that change it."""
    return Engine([shutil.copytree(folder, tmp_path / "weights")], device="cpu")


def pixels(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


# --- films ---


def test_only_models_with_an_evolution_are_offered(engine):
    assert film.filmed(engine) == ["acgan"]
    with pytest.raises(ValueError, match="cgan came without pictures"):
        film.film(engine, "cgan")
    with pytest.raises(ValueError, match="There is no model"):
        film.film(engine, "../acgan")


def test_a_film_has_its_pages_without_captions(engine, folder):
    found = film.film(engine, "acgan")
    assert found["frames"] == list(SEEN)
    assert found["curves"]["diversity"] == [(seen, 0.9) for seen in SEEN]
    assert (found["size"], found["gap"], found["columns"]) == (48, 2, list(EMOTIONS))
    for uri, path in zip(found["pages"], sorted((folder.parent / "frames").iterdir()), strict=True):
        drawn, due = pixels(uri), np.asarray(Image.open(path))
        assert drawn.shape == due.shape
        assert np.abs(drawn.astype(int) - due).mean() < 8  # WebP's loss; another page is off by 40


def test_colours_stay(engine, tmp_path):
    frames(tmp_path / "frames", channels=3)
    lay(engine.folder("acgan"), tmp_path / "frames")
    assert pixels(film.film(engine, "acgan")["pages"][0]).shape == (298, 348, 3)


def test_without_a_history_pages_keep_their_captions(engine):
    (engine.folder("acgan") / film.HISTORY).unlink()
    found = film.film(engine, "acgan")
    assert (found["frames"], found["curves"], found["notes"]) == ([], {}, [])
    assert pixels(found["pages"][0]).shape == (298 + record.CAPTION, 348)


def test_a_history_of_another_film_names_no_page(engine):
    told = history.history(LOG, SEEN[:2])
    (engine.folder("acgan") / film.HISTORY).write_bytes(history.encoded(told))
    found = film.film(engine, "acgan")
    assert found["frames"] == []
    assert len(found["pages"]) == 3
    assert found["curves"]


@pytest.mark.parametrize(
    "told",
    [
        [],
        {},
        {"frames": 3, "curves": 3, "notes": 3},
        {"frames": [1, 2, "3"], "curves": {"d_loss": [[1, "x"], [1], "a", [True, 1.0], [-1, 2.0]]}},
        {"frames": [3, 2, 1], "notes": [[1, 2], ["a", "b"], [1.5, "c"]]},
        {"frames": [1, 1, 2], "curves": {"d_loss": [[1, float("nan")], [2, float("inf")]]}},
    ],
)
def test_what_strangers_write_is_left_out(engine, told):
    (engine.folder("acgan") / film.HISTORY).write_text(json.dumps(told))
    assert film.history(engine, "acgan") == film.History([], {}, [])
    json.dumps(film.film(engine, "acgan"), allow_nan=False)


def test_a_torn_evolution_gets_a_sentence(engine):
    (engine.folder("acgan") / film.EVOLUTION).write_bytes(b"RIFF torn")
    with pytest.raises(ValueError, match="cannot be read"):
        film.film(engine, "acgan")


def test_columns_are_named_by_what_the_model_draws(engine, monkeypatch):
    assert film._columns(engine, "acgan") == list(EMOTIONS)
    monkeypatch.setitem(engine.models["acgan"].config, "emotions", "happy")
    assert film._columns(engine, "acgan") == ["happy"] * 7


# --- the GIF ---


def test_the_gif_holds_every_page_and_says_what_it_is(engine):
    file = film.gif(engine, "acgan", 348)
    assert (file.name, file.media_type) == ("evolution_acgan.gif", "image/gif")
    with Image.open(io.BytesIO(file.content)) as moving:
        times = []
        for number in range(moving.n_frames):
            moving.seek(number)
            times.append(moving.info["duration"])
    assert times == [400, 400, 2000]
    found = provenance.read(file.content)
    assert (found.model, found.weights) == ("acgan", engine.fingerprint("acgan"))
    assert found.emotion == dict.fromkeys(EMOTIONS, 1)
    assert found.training == (3, 256)


def test_the_reader_prints_what_a_gif_shows(engine, tmp_path, capsys):
    (tmp_path / "film.gif").write_bytes(film.gif(engine, "acgan", 348).content)
    assert provenance.main([str(tmp_path / "film.gif")]) == 0
    said = capsys.readouterr().out
    assert (
        "how the model acgan learnt, the same synthetic faces on 3 pages, the last after 256 images" in said
    )
    assert json.loads(said.splitlines()[-1])["pages"] == 3


def test_pages_without_a_history_are_counted_alone(engine):
    (engine.folder("acgan") / film.HISTORY).unlink()
    assert provenance.read(film.gif(engine, "acgan", 348).content).training == (3, 0)


def test_a_film_of_a_training_draws_no_face_again(engine):
    with pytest.raises(ValueError, match="training of the model acgan: watch it in the tab Evolution"):
        sheet.drawn_by(film.gif(engine, "acgan", 348).content, engine)


@pytest.mark.parametrize("width", [347, 1025])
def test_a_width_out_of_range_is_refused(engine, width):
    with pytest.raises(ValueError, match="348 to 1024 pixels wide"):
        film.gif(engine, "acgan", width)


# --- what the page and scripts ask ---


@pytest.fixture(scope="module")
def page(folder):
    return app.build_app(Engine([folder], device="cpu"))


@pytest.fixture(scope="module")
def address(page):
    yield app.serve(page, "127.0.0.1")
    page.close(verbose=False)


def props(page):
    [found] = [one for one in page.config["components"] if one["props"].get("elem_id") == "evolution-tab"]
    return found


def test_the_page_comes_with_names_alone(page):
    facts = props(page)["props"]["props"]["facts"]
    assert [model["name"] for model in facts["models"]] == ["acgan"]
    assert facts["first"] == "acgan"
    assert "data:image" not in json.dumps(facts)


def test_the_page_reads_and_saves(page):
    with TestClient(gr.routes.App.create_app(page)) as http:
        ask = asking(page, http, "evolution-tab")
        assert len(ask("watch", "acgan")["pages"]) == 3
        assert base64.b64decode(ask("save", "acgan")["content"]).startswith(b"GIF8")
        for verb in ("watch", "save"):
            assert "came without" in ask(verb, "cgan")["error"]
            assert "There is no model" in ask(verb, ["acgan"])["error"]


def test_the_endpoint_answers_with_a_gif(address, tmp_path):
    client = Client(address, verbose=False, download_files=str(tmp_path))
    found = client.view_api(return_format="dict", print_info=False)["named_endpoints"]["/evolution"]
    assert [one["parameter_name"] for one in found["parameters"]] == ["model", "width"]
    assert [one["python_type"]["type"] for one in found["parameters"]] == ["str", "int"]
    with Image.open(client.predict("acgan", 400, api_name="/evolution")) as moving:
        assert (moving.width, moving.n_frames) == (400, 3)
    with pytest.raises(AppError, match="cgan came without pictures"):
        client.predict("cgan", api_name="/evolution")


def test_no_film_at_all_is_told(weights):
    page = app.build_app(Engine([weights], device="cpu"))
    assert props(page)["props"]["props"]["facts"]["models"] == []
