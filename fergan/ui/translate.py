"""The tab Translate: a photo in, the same photo with another expression out, as strong as the slider says.

The tab is one `gr.HTML` (static/translate*). A photo travels with each request and is dropped with its answer:
nothing of a visitor's is kept here. Scripts ask through the named endpoint /translate.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from fergan import images
from fergan.animate import KINDS
from fergan.emotions import EMOTIONS, only
from fergan.engine import NOBODY, Engine, Face
from fergan.images import from_photo
from fergan.ui import blend, edit, models
from fergan.ui.edit import Edit, Film
from fergan.ui.jobs import Jobs
from fergan.ui.server import Answer, Verb, answering, received, remembered, sentence, taken
from fergan.ui.sheet import data_uri, handed, pictures, written
from fergan.ui.theme import MAX_UPLOAD, script, static

NONE = "No translator is here yet, so no photo can be changed."
SENT = 1024
"""Pixels of a photo's longer side that the page works with; what is saved has all of the photo's own."""
THUMB = 176
"""Side in pixels of the seven small faces."""
LIVE = 96
"""Side in pixels of the grey crop that a camera sends."""
ARROWS = 12
"""Arrows a side that show where a face is bent."""
_EXAMPLES = (("neutral", 99), ("neutral", 103), ("neutral", 105), ("neutral", 98))
_LARGE = 8  # times the 48 pixels of an example: bent more finely


def build(engine: Engine) -> None:
    """Fills the tab; without a translator, with how to get one."""
    translators = engine.translators
    judge = models.judge(engine)
    facts = {
        "emotions": EMOTIONS,
        "models": [
            {"name": name, "title": models.title(name), "untaught": models.untaught(engine, name)}
            for name in translators
        ],
        "lines": {name: models.sentence(engine, name) for name in translators},
        "first": {
            "model": models.default(translators) if translators else None,
            "emotion": "happy",
            "intensity": 100,
        },
        "missing": None if translators else NONE,
        "judge": models.judge_line(engine, judge) if judge else None,
        "examples": [emotion for emotion, _ in _EXAMPLES] if engine.generators else [],
        "strongest": round(100 * edit.STRONGEST),
        "most": edit.MOST_FACES,
        "lossless": edit.LOSSLESS,
        "maxUpload": MAX_UPLOAD,
        "mostPixels": images.MOST_PIXELS,
        "sent": SENT,
        "thumb": THUMB,
        "live": LIVE,
        "film": edit.WIDEST,
        "rate": blend.RATE,
        "kinds": {kind: title for kind, title in zip(KINDS, ("GIF", "WebP", "MP4"), strict=True)},
        "nobody": NOBODY,
    }
    files = ("", "-crop", "-look", "-sources", "-live", "-film", "-controls")
    gr.HTML(
        html_template=static("translate.html"),
        js_on_load=script("camera.js", *(f"translate{part}.js" for part in files)),
        server_functions=_verbs(engine, judge),
        apply_default_css=False,
        elem_id="translate-tab",
        facts=facts,
    )
    _endpoint(engine)


def _verbs(engine: Engine, judge: str | None) -> list[Verb]:
    """What the page may ask, as `await server.<name>(fields)`; nobody reads faces where there is no judge."""
    answers, aside, slowly = answering(), answering(), answering()  # no face waits for a reading or a film
    jobs = Jobs()

    @aside
    def find(fields: Any) -> Answer:
        photo = _photo(fields)
        found = engine.find(photo, str(fields.get("model")), whole=fields.get("whole") is True)
        faces = [_told(one.face) for one in found[: edit.MOST_FACES]]
        return {"width": photo.width, "height": photo.height, "faces": faces}

    @answers
    def change(fields: Any) -> Answer:
        changed = Edit.parse(fields).apply(engine, _photo(fields))
        first = changed.faces[0]
        return {
            "photo": _uri(changed.photo),
            "before": data_uri(first.before),
            "after": data_uri(first.after),
            "mask": data_uri(np.rint(255 * first.mask).astype(np.uint8)),
            "arrows": _arrows(first.flow),
        }

    @aside
    def seven(fields: Any) -> Answer:
        photo, asked = _photo(fields), Edit.parse({**fields, "emotion": {EMOTIONS[0]: 1}})
        if max(photo.size) > THUMB:
            raise ValueError(f"Small faces are at most {THUMB} pixels wide and high; got {photo.size}.")
        drawn = [Edit(asked.model, only(name), asked.intensity, asked.faces) for name in EMOTIONS]
        return {"faces": [_uri(one.apply(engine, photo).photo) for one in drawn]}

    @answers
    def live(fields: Any) -> Answer:
        return _live(engine, judge, fields)

    @aside
    def save(fields: Any) -> Answer:
        return handed(Edit.parse(fields).file(engine, received(_text(fields, "photo"))))

    @slowly
    def film(fields: Any) -> Answer:
        asked, photo = Film.parse(fields), _photo(fields)
        edit.check_film(photo)
        asked.edit.apply(engine, photo)  # refuses now
        return {"job": jobs.start(lambda told: asked.file(engine, photo, told), asked.steps + 1)}

    @aside
    def read(fields: Any) -> Answer:
        return {"probabilities": _read(engine, str(judge), pictures(fields))}

    @remembered
    @aside
    def examples(_: Any) -> Answer:
        return {"faces": _examples(engine)}

    verbs = [find, change, seven, live, save, film, *jobs.verbs(slowly), examples]
    return [*verbs, read] if judge else verbs


def _live(engine: Engine, judge: str | None, fields: Any) -> Answer:
    """One grey square of a camera's picture, LIVE pixels a side, in base64 without a header -> the same, changed.

    Raises:
        ValueError: another number of pixels, or what `Edit.parse` and the engine refuse.
    """
    grey = np.frombuffer(received(_text(fields, "grey")), np.uint8)
    if grey.size != LIVE**2:
        raise ValueError(f"A camera's square has {LIVE} x {LIVE} pixels; got {grey.size} bytes.")
    asked = Edit.parse({**fields, "faces": [{"x": 0, "y": 0, "side": LIVE, "roll": 0}]})
    before = grey.reshape(1, LIVE, LIVE).copy()  # torch wants it writable
    after = engine.translate_faces(asked.model, before, [asked.emotion], [asked.intensity])
    answer: Answer = {"grey": base64.b64encode(after.tobytes()).decode()}
    if judge and fields.get("read") is True:
        answer["probabilities"] = _read(engine, judge, np.concatenate([before, after]))
    return answer


def _read(engine: Engine, judge: str, faces: images.Pixels) -> list[list[float]]:
    probabilities: list[list[float]] = engine.classify(faces, judge).astype(float).round(6).tolist()
    return probabilities


def _examples(engine: Engine) -> list[str]:
    """Faces to try, drawn here: nobody's photo is needed."""
    rows = [only(emotion) for emotion, _ in _EXAMPLES]
    seeds = [seed for _, seed in _EXAMPLES]
    drawn = engine.generate(models.default(engine.generators), rows, seeds, models.TYPICAL)
    return [_uri(images.enlarge(Image.fromarray(face), _LARGE)) for face in drawn]


def _arrows(flow: np.ndarray[Any, Any]) -> list[list[list[float]]]:
    """A flow [h, w, 2], where each point's grey comes from -> ARROWS x ARROWS x (x, y), where it has gone."""
    rows, columns = (((np.arange(ARROWS) + 0.5) * length / ARROWS).astype(int) for length in flow.shape[:2])
    moved: list[list[list[float]]] = (-flow[np.ix_(rows, columns)]).astype(float).round(4).tolist()
    return moved


def _told(face: Face) -> Answer:
    return {"x": face.cx, "y": face.cy, "side": face.side, "roll": face.roll}


def _photo(fields: Any) -> Image.Image:
    return from_photo(received(_text(fields, "photo")))


def _uri(picture: Image.Image) -> str:
    kind, content = edit.encoded(picture)
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _text(fields: Any, name: str) -> str:
    """One field of JSON.

    Raises:
        ValueError: it is missing, or no text.
    """
    value = fields.get(name) if isinstance(fields, Mapping) else None
    if not isinstance(value, str):
        raise ValueError(f"A photo is sent in the field {name}, as text; got {repr(value)[:40]}.")
    return value


def _endpoint(engine: Engine) -> None:
    """The named endpoint /translate, for gradio_client and whoever speaks HTTP."""
    hidden = {"visible": False}
    first = models.default(engine.translators) if engine.translators else "stargan"
    photo = gr.File(label="A photo: JPEG, PNG, WebP, GIF or BMP", **hidden)
    emotion = gr.Textbox("happy", label="One of: " + ", ".join(EMOTIONS), **hidden)
    intensity = gr.Number(1, label=f"0, the photo as it is, to {edit.STRONGEST}", **hidden)
    model = gr.Textbox(first, label="One of: " + ", ".join(engine.translators or [first]), **hidden)
    face = gr.Number(0, precision=0, label="0 for every face, 1 for the biggest, 2 for the next", **hidden)
    file = gr.File(label="JPEG file, or PNG where the photo was lossless, at the photo's own size", **hidden)

    def translate(
        photo: str, emotion: str = "happy", intensity: float = 1, model: str = first, face: int = 0
    ) -> str:
        """Gives the faces in a photo another expression; all else in it stays.

        The file says in its tags that it is edited by AI, and by which model to which emotion. The upload is
        deleted once it is read.
        """
        try:
            if not engine.translators:
                raise ValueError(f"{NONE} `python -m train.stargan` trains one.")
            if photo is None:
                raise ValueError("Send a photo; none came.")
            content = taken(Path(photo))
            faces = _chosen(engine, from_photo(content), model, face)
            asked = Edit(model, only(emotion), edit.strength(intensity), faces)
            return written([asked.file(engine, content)], Path(file.GRADIO_CACHE))[0]
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from error

    asked = [photo, emotion, intensity, model, face]
    gr.Button(**hidden).click(translate, asked, file, api_name="translate")


def _chosen(engine: Engine, photo: Image.Image, model: str, number: int) -> tuple[Face, ...]:
    """The faces of a photo, the biggest first: all, or the one of that number.

    Raises:
        ValueError: there is none, or fewer.
    """
    faces = tuple(one.face for one in engine.find(photo, model)[: edit.MOST_FACES])
    if not faces:
        raise ValueError(NOBODY)
    if not 0 <= number <= len(faces):
        raise ValueError(f"Faces in this photo are numbered 1 to {len(faces)}; got {number}.")
    return faces[number - 1 : number] if number else faces
