"""The tab Generate: a click on an emotion, and a sheet of faces shows it.

The tab is one `gr.HTML` (static/generate*): a click costs one small request, no queue, no file.
Scripts ask through the named endpoint /generate, which takes the queue and answers with files.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from fergan.emotions import EMOTIONS
from fergan.engine import LAST_SEED, Engine
from fergan.provenance import Foreign
from fergan.ui import models
from fergan.ui.server import Answer, Verb, answering, received, remembered, sentence
from fergan.ui.sheet import (
    LARGE,
    MOST,
    Sheet,
    data_uri,
    drawn_by,
    face_file,
    face_files,
    handed,
    pictures,
    sheet_file,
    whole,
    written,
    zip_file,
)
from fergan.ui.theme import MAX_UPLOAD, script, static


def build(engine: Engine) -> None:
    """Fills the tab; draws its first sheet now, so that the faces come with the page.

    Raises:
        ValueError: the model that the page opens with cannot be loaded.
        FileNotFoundError: its weights are not there.
    """
    first = Sheet(models.default(engine.generators), "happy", seed=models.SEED, truncation=models.VARIETY)
    judge = models.judge(engine)
    facts = {
        "emotions": EMOTIONS,
        "models": models.facts(engine),
        "judge": models.judge_line(engine, judge) if judge else None,
        "most": MOST,
        "lastSeed": LAST_SEED,
        "large": LARGE,
        "translates": bool(engine.translators),
        "maxUpload": MAX_UPLOAD,
        "first": {
            "model": first.model,
            "emotion": first.emotion,
            "seed": first.seed,
            "count": first.count,
            "variety": round(100 * first.truncation),
        },
        "faces": [data_uri(face) for face in first.draw(engine)],
    }
    gr.HTML(
        html_template=static("generate.html"),
        js_on_load=script("generate.js", "generate-judge.js", "generate-controls.js"),
        server_functions=_verbs(engine, judge),
        apply_default_css=False,
        elem_id="generate-tab",
        facts=facts,
    )
    _endpoint(engine, first)


def _verbs(engine: Engine, judge: str | None) -> list[Verb]:
    """What the page may ask, as `await server.<name>(fields)`; nobody reads faces where there is no judge."""
    answers = answering()
    aside, dropped = answering(), answering()  # gates of their own: no face waits for a reading or a file

    @remembered
    @answers
    def draw(fields: Any) -> Answer:
        return {"faces": [data_uri(face) for face in Sheet.parse(fields).draw(engine)]}

    @answers
    def save(fields: Any) -> Answer:
        sheet, kind = Sheet.parse(fields), fields.get("kind")
        if kind == "sheet":
            file = sheet_file(engine, sheet)
        elif kind == "zip":
            file = zip_file(engine, sheet)
        elif kind in ("face", "large"):
            width = LARGE if kind == "large" else None
            file = face_file(engine, sheet, whole(fields.get("face"), "A seed"), width)
        else:
            raise ValueError(f"There is nothing named {kind!r} to save.")
        return handed(file)

    @dropped
    def restore(fields: Any) -> Answer:
        return _settings(str(fields), engine)

    @remembered
    @aside
    def read(fields: Any) -> Answer:
        probabilities = engine.classify(pictures(fields), str(judge))
        return {"probabilities": probabilities.astype(float).round(6).tolist()}

    return [draw, save, restore, read] if judge else [draw, save, restore]


def _settings(encoded: str, engine: Engine) -> Answer:
    """A dropped file, base64 -> the settings of the sheet that it shows, or of the sheet its face is from.

    Raises:
        ValueError: too large, not a picture, not one of ours, or one that no model here can draw again.
    """
    try:
        record = drawn_by(received(encoded), engine)
    except Foreign as error:
        raise ValueError(f"{error} To change or read a photo, open Translate or Recognise.") from error
    emotion = max(record.emotion, key=lambda name: record.emotion[name])
    seed, count = record.sheet or (record.seed, record.count)
    sheet = Sheet(record.model, emotion, seed, count, record.truncation)
    notes = []
    if sum(weight > 0 for weight in record.emotion.values()) > 1:
        notes.append(f"It blends emotions; this tab shows the strongest, {emotion}.")
    if record.moments:
        notes.append("It is a film; this tab shows where it begins: open it in Mix to play it.")
    if record.coarse_seed is not None:
        notes.append("Its pose and shape are another face's: open it in Mix.")
    if record.weights and record.weights != engine.fingerprint(record.model):
        notes.append("The model has been trained anew since: it draws another face from this seed.")
    return {
        "model": sheet.model,
        "emotion": sheet.emotion,
        "seed": sheet.seed,
        "count": sheet.count,
        "truncation": sheet.truncation,
        "face": record.seed if record.count == 1 else None,
        "said": record.sentence(),
        "note": " ".join(notes),
    }


def _endpoint(engine: Engine, first: Sheet) -> None:
    """The named endpoint /generate, for gradio_client and whoever speaks HTTP."""
    hidden = {"visible": False}
    model = gr.Textbox(first.model, label="One of: " + ", ".join(engine.generators), **hidden)
    emotion = gr.Textbox(first.emotion, label="One of: " + ", ".join(EMOTIONS), **hidden)
    count = gr.Number(first.count, precision=0, label=f"Faces, 1 to {MOST}", **hidden)
    seed = gr.Number(0, precision=0, label=f"Seed of the first face, 0 to {LAST_SEED}", **hidden)
    files = gr.File(file_count="multiple", label="PNG files, one a face, at the model's own size", **hidden)

    def generate(model: str, emotion: str, count: int = 16, seed: int = 0) -> list[str]:
        """Draws faces that show an emotion; one seed is one face, in any batch.

        The faces have the given seed and those after it. Each PNG says in its text chunk "fergan" that it
        is synthetic, and of which model, emotion and seed.
        """
        asked = {"model": model, "emotion": emotion, "seed": seed, "count": count, "truncation": 1.0}
        try:
            return written(face_files(engine, Sheet.parse(asked)), Path(files.GRADIO_CACHE))
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from error

    gr.Button(**hidden).click(generate, [model, emotion, count, seed], files, api_name="generate")
