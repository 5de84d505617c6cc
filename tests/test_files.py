"""The page's files without a browser: faces, sheets and zips that are saved, and the settings that a picture restores."""

import base64
import dataclasses
import io
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

from fergan import images, provenance
from fergan.ui import blend, generate, mix, server, sheet, theme
from tests.test_app import ASKED, ask, page  # noqa: F401 - fixtures


@pytest.mark.parametrize(("kind", "width", "name"), [("face", 48, ""), ("large", 512, "_512px")])
def test_a_face_is_saved_at_either_size(ask, engine, kind, width, name):
    answer = ask("save", {**ASKED, "truncation": 0.5, "kind": kind, "face": 6})
    assert answer["name"] == f"happy_acgan_seed000006{name}.png"
    content = base64.b64decode(answer["content"])
    face = Image.fromarray(engine.generate("acgan", np.eye(7)[[3]], [6], 0.5)[0])
    with Image.open(io.BytesIO(content)) as picture:
        assert np.array_equal(picture, images.resize(face, width))
    assert provenance.read(content).seed == 6
    assert ask("save", {**ASKED, "kind": kind, "face": 8})["error"] == "The seed 8 is not on this sheet."


def test_a_sheet_is_saved_as_one_picture(ask, engine):
    content = base64.b64decode(ask("save", {**ASKED, "kind": "sheet"})["content"])
    record = provenance.read(content)
    assert (record.seed, record.count) == (5, 3)
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.width == picture.height  # three faces lie in two rows of two
        step = sheet._CELL + sheet._GAP
        for place, face in enumerate(engine.generate("acgan", np.eye(7)[[3] * 3], [5, 6, 7])):
            left, top = place % 2 * step, place // 2 * step
            cell = picture.crop((left, top, left + sheet._CELL, top + sheet._CELL))
            assert np.array_equal(cell, images.resize(Image.fromarray(face), sheet._CELL))


def test_all_faces_are_saved_in_a_zip(ask):
    answer = ask("save", {**ASKED, "kind": "zip"})
    again = ask("save", {**ASKED, "kind": "zip"})
    assert answer == again
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(answer["content"]))) as archive:
        assert archive.namelist() == [f"happy_acgan_seed00000{seed}.png" for seed in (5, 6, 7)]
        assert provenance.read(archive.read(archive.namelist()[2])).seed == 7


def test_a_picture_restores_its_settings(ask):
    face = ask("save", {**ASKED, "truncation": 0.5, "kind": "large", "face": 6})
    found = ask("restore", face["content"])
    assert {name: found[name] for name in ASKED} == {**ASKED, "truncation": 0.5}
    assert found["face"] == 6
    sheet = ask("save", {**ASKED, "kind": "sheet"})
    assert ask("restore", sheet["content"])["face"] is None


def test_pictures_that_restore_nothing_get_a_sentence(ask):
    record = provenance.Record("elsewhere", {"happy": 1.0}, 3)
    unknown = base64.b64encode(provenance.png(Image.new("L", (4, 4)), record)).decode()
    assert "elsewhere, which is not here" in ask("restore", unknown)["error"]
    record = provenance.Record("acgan", {"joy": 1.0}, 3)
    joy = base64.b64encode(provenance.png(Image.new("L", (4, 4)), record)).decode()
    assert "Unknown emotion 'joy'" in ask("restore", joy)["error"]
    record = provenance.Record("stargan", {"happy": 1.0}, 0, edited=(1.0, 1))
    edited = base64.b64encode(provenance.png(Image.new("L", (4, 4)), record)).decode()
    assert "edited photo" in ask("restore", edited)["error"]
    assert ask("restore", base64.b64encode(b"hello").decode())["error"] == "This file is not a picture."
    Image.new("L", (4, 4)).save(photo := io.BytesIO(), "JPEG")
    assert ask("restore", base64.b64encode(photo.getvalue()).decode())["error"] == (
        "This picture does not say that it was made here."
        " To change or read a photo, open Translate or Recognise."
    )
    assert "whole" in ask("restore", "!")["error"]
    assert "larger than 8 MB" in ask("restore", "A" * (theme.MAX_UPLOAD * 4 // 3 + 8))["error"]


def test_a_blend_is_told(ask):
    record = provenance.Record("acgan", {"happy": 0.25, "sad": 0.75}, 3)
    blend = base64.b64encode(provenance.png(Image.new("L", (4, 4)), record)).decode()
    found = ask("restore", blend)
    assert found["emotion"] == "sad"
    assert "strongest" in found["note"]


@pytest.mark.parametrize("moments", [0, 2])
@pytest.mark.parametrize("coarse", [None, 9])
def test_what_only_mix_can_draw_is_told(ask, moments, coarse):
    face = provenance.Record("acgan", {"happy": 1.0}, 3, coarse_seed=coarse)
    record = dataclasses.replace(face, moments=(face,) * moments)
    found = ask("restore", base64.b64encode(provenance.png(Image.new("L", (4, 4)), record)).decode())
    assert (found["emotion"], found["seed"]) == ("happy", 3)
    assert ("It is a film; this tab shows where it begins" in found["note"]) == bool(moments)
    assert ("Its pose and shape are another face's: open it in Mix." in found["note"]) == bool(coarse)


@pytest.mark.parametrize(
    ("tab", "where", "reader", "fields"),
    [
        (generate, generate, "_settings", ASKED),
        (mix, blend, "settings", {"model": "acgan", "moments": [{"emotion": {"sad": 1}, "seed": 9}]}),
    ],
)
def test_no_face_waits_for_files_that_are_looked_into(engine, monkeypatch, tab, where, reader, fields):
    looked, done = threading.Semaphore(0), threading.Event()
    monkeypatch.setattr(where, reader, lambda *_: looked.release() or {"waited": done.wait(60)})
    verbs = {verb.__name__: verb for verb in tab._verbs(engine, None)}
    restoring = [threading.Thread(target=verbs["restore"], args=("",)) for _ in range(server.AT_ONCE)]
    answers = []
    drawing = threading.Thread(target=lambda: answers.append(verbs["draw"](fields)))
    try:
        for thread in restoring:
            thread.start()
            assert looked.acquire(timeout=60)
        drawing.start()
        drawing.join(10)
        assert answers and "faces" in answers[0]
    finally:
        done.set()
        for thread in [*restoring, drawing]:
            thread.join()


def test_other_weights_are_told(ask):
    own = ask("save", {**ASKED, "kind": "face", "face": 6})["content"]
    assert ask("restore", own)["note"] == ""
    record = provenance.Record("acgan", {"happy": 1.0}, 3, weights="0" * 12)
    older = base64.b64encode(provenance.png(Image.new("L", (4, 4)), record)).decode()
    assert "trained anew" in ask("restore", older)["note"]
