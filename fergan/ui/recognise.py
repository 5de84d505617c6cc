"""The tab Recognise: a photo, and how each face in it reads: seven probabilities, a sentence, where it shows.

The tab is one `gr.HTML` (static/recognise*): a photo arrives in one request, is answered from memory and
forgotten. Scripts ask through the named endpoint /recognise.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from fergan import emotions
from fergan.emotions import EMOTIONS
from fergan.engine import JUDGE, NOBODY, Engine, Found
from fergan.images import from_photo
from fergan.ui import models
from fergan.ui.server import Answer, Verb, answering, received, remembered, sentence, taken
from fergan.ui.sheet import LARGE, data_uri
from fergan.ui.theme import MAX_UPLOAD, script, static

UNREADABLE = "No classifier is here, so no face can be read; name a checkpoint of one with --models."
SENT = 1280
"""Pixels of a photo's longer side that the page sends: it scales down what is larger."""
LIVE = 320
"""The same of a camera's picture."""
MOST_FACES = 24
"""Faces of one photo that are read: the biggest."""
_EXAMPLES = (("happy", 97), ("surprise", 99), ("angry", 98), ("sad", 105))
_UNSURE = 0.5


def build(engine: Engine) -> None:
    """Fills the tab; without a classifier, with the sentence that says so."""
    readers = engine.classifiers
    facts = {
        "emotions": EMOTIONS,
        "models": [
            {
                "name": name,
                "title": _who(name),
                "line": models.sentence(engine, name),
                "untaught": models.untaught(engine, name),
            }
            for name in readers
        ],
        "model": _default(readers) if readers else None,
        "missing": None if readers else UNREADABLE,
        "examples": [emotion for emotion, _ in _EXAMPLES] if engine.generators else [],
        "maxUpload": MAX_UPLOAD,
        "sent": SENT,
        "live": LIVE,
        "nobody": NOBODY,
    }
    files = ("", "-live", "-batch", "-sources")
    gr.HTML(
        html_template=static("recognise.html"),
        js_on_load=script("camera.js", *(f"recognise{part}.js" for part in files)),
        server_functions=_verbs(engine),
        apply_default_css=False,
        elem_id="recognise-tab",
        facts=facts,
    )
    _endpoint(engine)


def words(probabilities: Sequence[float] | np.ndarray[Any, Any], model: str = JUDGE) -> str:
    """Seven probabilities -> one sentence: the likeliest emotion, how sure that is, and the next one."""
    first, second = np.argsort(probabilities)[::-1][:2]
    sure, next_best = share(probabilities[first]), share(probabilities[second])
    if probabilities[first] < _UNSURE:
        return (
            f"{_who(model)} is unsure: {EMOTIONS[first]} comes first with {sure},"
            f" {EMOTIONS[second]} next with {next_best}."
        )
    return (
        f"{_who(model)} reads {EMOTIONS[first]}, {sure} sure; next comes {EMOTIONS[second]} with {next_best}."
    )


def share(probability: float) -> str:
    """A probability as people write it; never 0 % or 100 %, which no network may claim."""
    percent = math.floor(100 * probability + 0.5)
    return "under 1 %" if percent < 1 else "over 99 %" if percent > 99 else f"{percent} %"


def read(engine: Engine, photo: Image.Image, model: str, whole: bool = False) -> tuple[list[Found], Answer]:
    """The faces of a photo, and what the page and /recognise both say of them."""
    found = engine.find(photo, model, whole)[:MOST_FACES]
    if not found:
        return [], {"width": photo.width, "height": photo.height, "faces": [], "sentence": NOBODY}
    read = engine.classify(np.stack([face.pixels for face in found]), model)
    faces = [
        {
            "x": one.face.cx,
            "y": one.face.cy,
            "side": one.face.side,
            "roll": one.face.roll,
            "probabilities": dict(zip(EMOTIONS, map(float, row), strict=True)),
            "strongest": EMOTIONS[int(row.argmax())],
            "sentence": words(row, model),
        }
        for one, row in zip(found, read, strict=True)
    ]
    said = faces[0]["sentence"] if len(faces) == 1 else f"{len(faces)} faces, numbered from the biggest."
    return found, {"width": photo.width, "height": photo.height, "faces": faces, "sentence": said}


def _verbs(engine: Engine) -> list[Verb]:
    """What the page may ask, as `await server.<name>(fields)`."""
    answers = answering()

    @answers
    def recognise(fields: Any) -> Answer:
        photo, model = from_photo(received(_text(fields, "photo"))), _text(fields, "model")
        found, answer = read(engine, photo, model, whole=fields.get("whole") is True)
        for one, face in zip(found, answer["faces"], strict=True):
            face["crop"] = data_uri(one.pixels)
        return answer

    @answers
    def explain(fields: Any) -> Answer:
        face = from_photo(received(_text(fields, "face")))
        if max(face.size) > LARGE:  # the page sends a crop of the model's own size; the map is as large
            raise ValueError(
                f"A face to explain is at most {LARGE} pixels wide and high; got {face.width} x {face.height}."
            )
        emotion = emotions.index(_text(fields, "emotion"))
        return {"map": _heat(engine.explain(np.array(face)[None], emotion, _text(fields, "model"))[0])}

    @remembered
    @answers
    def examples(_: Any) -> Answer:
        return {"faces": _examples(engine)}

    return [recognise, explain, examples]


def _examples(engine: Engine) -> list[str]:
    """Faces to try, drawn here: nobody's photo is needed."""
    rows = np.eye(len(EMOTIONS))[[emotions.index(emotion) for emotion, _ in _EXAMPLES]]
    seeds = [seed for _, seed in _EXAMPLES]
    drawn = engine.generate(models.default(engine.generators), rows, seeds, models.TYPICAL)
    return [data_uri(face) for face in drawn]


def _heat(seen: np.ndarray[Any, Any]) -> str:
    """A map [H, W] in [0, 1] -> a picture to lay over the face: warmer and denser where it is higher."""
    clear, warm, hot = np.array([[255, 120, 0, 0], [255, 90, 0, 200], [255, 235, 90, 235]], np.float32)
    level = seen[..., None]
    colour = np.where(
        level < 0.6, clear + (warm - clear) * level / 0.6, warm + (hot - warm) * (level - 0.6) / 0.4
    )
    return data_uri(np.rint(colour).astype(np.uint8))


def _text(fields: Any, name: str) -> str:
    """One field of JSON.

    Raises:
        ValueError: it is missing, or no text.
    """
    value = fields.get(name) if isinstance(fields, dict) else None
    if not isinstance(value, str):
        raise ValueError(f"Reading a face needs {name}, as text; got {value!r}.")
    return value


def _default(readers: list[str]) -> str:
    return JUDGE if JUDGE in readers else readers[0]


def _who(model: str) -> str:
    return "The judge" if model == JUDGE else models.title(model)


def _endpoint(engine: Engine) -> None:
    """The named endpoint /recognise, for gradio_client and whoever speaks HTTP."""
    hidden = {"visible": False}
    file = gr.File(label="A photo: JPEG, PNG, WebP, GIF or BMP", **hidden)
    answer = gr.JSON(label="Faces from the biggest on: place in pixels, probabilities, a sentence", **hidden)

    def recognise(photo: str) -> Answer:
        """Finds the faces in a photo and reads the emotion that each shows.

        Probabilities are calibrated; an emotion is a posed look, not what somebody feels. x, y is the middle
        of a face and side that of the square read, in the photo's pixels; roll its tilt in degrees,
        clockwise. The upload is deleted once it is read.
        """
        try:
            if not engine.classifiers:
                raise ValueError(UNREADABLE)
            if photo is None:
                raise ValueError("Send a photo; none came.")
            return read(engine, from_photo(taken(Path(photo))), _default(engine.classifiers))[1]
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from error

    gr.Button(**hidden).click(recognise, file, answer, api_name="recognise")
