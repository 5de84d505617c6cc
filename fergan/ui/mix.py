"""The tab Mix: seven sliders and a wheel move one face at the display's rate; moments of it become a film.

The tab is one `gr.HTML` (static/mix*), which draws nothing before it is first opened. Scripts ask through the
named endpoints /mix and /animate, which take the queue and answer with files.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from fergan.animate import KINDS
from fergan.emotions import EMOTIONS
from fergan.engine import LAST_SEED, Engine
from fergan.ui import blend, models
from fergan.ui.jobs import Jobs
from fergan.ui.server import Answer, Verb, answering, received, remembered, sentence
from fergan.ui.sheet import LARGE, data_uri, handed, pictures, whole, written
from fergan.ui.theme import MAX_UPLOAD, script, static


def build(engine: Engine) -> None:
    """Fills the tab; draws nothing.

    Raises:
        ValueError: there is no model that draws.
    """
    judge = models.judge(engine)
    first = models.default(engine.mixers or engine.generators)  # one that lends shapes, where there is one
    facts = {
        "emotions": EMOTIONS,
        "places": blend.PLACES,
        "models": models.facts(engine),
        "mixers": engine.mixers,
        "judge": models.judge_line(engine, judge) if judge else None,
        "lastSeed": LAST_SEED,
        "large": LARGE,
        "translates": bool(engine.translators),
        "most": blend.MOST,
        "rate": blend.RATE,
        "shortest": blend.SHORTEST,
        "longest": blend.LONGEST,
        "kinds": {"gif": "GIF", "webp": "WebP", "mp4": "MP4"},
        "widths": blend.WIDTHS,
        "maxUpload": MAX_UPLOAD,
        "first": {
            "model": first,
            "seed": models.SEED,
            "emotion": "happy",
            "typical": round(100 * (1 - models.VARIETY)),
        },
    }
    gr.HTML(
        html_template=static("mix.html"),
        js_on_load=script(
            "mix.js", "mix-wheel.js", "mix-thumbs.js", "mix-film.js", "mix-stage.js", "mix-controls.js"
        ),
        server_functions=_verbs(engine, judge),
        apply_default_css=False,
        elem_id="mix-tab",
        facts=facts,
    )
    _mix_endpoint(engine, first)
    _animate_endpoint(engine, first)


def _verbs(engine: Engine, judge: str | None) -> list[Verb]:
    """What the page may ask, as `await server.<name>(fields)`; nobody reads faces where there is no judge."""
    answers = answering()
    aside, dropped, slowly = answering(), answering(), answering()  # no face waits for these
    jobs = Jobs()

    @remembered
    @answers
    def draw(fields: Any) -> Answer:
        moments = blend.parse_all(_fields(fields).get("moments"))
        return {"faces": [data_uri(face) for face in blend.draw(engine, str(fields.get("model")), moments)]}

    @answers
    def save(fields: Any) -> Answer:
        moment, kind = blend.parse(_fields(fields).get("moment")), fields.get("kind")
        if kind not in ("face", "large"):
            raise ValueError(f"There is nothing named {kind!r} to save.")
        width = LARGE if kind == "large" else None
        return handed(blend.face_file(engine, str(fields.get("model")), moment, width))

    @dropped
    def restore(fields: Any) -> Answer:
        return blend.settings(received(str(fields)), engine)

    @slowly
    def strip(fields: Any) -> Answer:
        start, end = blend.parse_all(_fields(fields).get("moments"), least=2)[:2]
        steps = whole(fields.get("steps"), "The number of frames")
        return {"strip": blend.strip(engine, str(fields.get("model")), start, end, steps)}

    @slowly
    def film(fields: Any) -> Answer:
        asked = blend.Film.parse(fields)
        # refuses now, draws nothing yet
        engine.animate(asked.model, asked.moments, asked.steps, loop=asked.loop)
        return {"job": jobs.start(lambda told: asked.file(engine, told), asked.frames)}

    @aside
    def read(fields: Any) -> Answer:
        probabilities = engine.classify(pictures(fields), str(judge))
        return {"probabilities": probabilities.astype(float).round(6).tolist()}

    verbs = [draw, save, restore, strip, film, *jobs.verbs(slowly)]
    return [*verbs, read] if judge else verbs


def _fields(fields: Any) -> dict[str, Any]:
    """Named fields of JSON.

    Raises:
        ValueError: anything else.
    """
    if not isinstance(fields, dict):
        raise ValueError(f"Faces are asked for by named fields; got {repr(fields)[:40]}.")
    return fields


def _mix_endpoint(engine: Engine, first: str) -> None:
    """The named endpoint /mix, for gradio_client and whoever speaks HTTP."""
    hidden = {"visible": False}
    weights = [gr.Number(0, label=f"Weight of {name}, 0 or more", **hidden) for name in EMOTIONS]
    seed = gr.Number(0, precision=0, label=f"Seed of the face, 0 to {LAST_SEED}", **hidden)
    model = gr.Textbox(first, label="One of: " + ", ".join(engine.generators), **hidden)
    truncation = gr.Number(1, label="0, the most typical face, to 1, the seed's own", **hidden)
    file = gr.File(label="PNG file, at the model's own size", **hidden)

    def mix(
        angry: float = 0,
        disgust: float = 0,
        fear: float = 0,
        happy: float = 0,
        sad: float = 0,
        surprise: float = 0,
        neutral: float = 0,
        seed: int = 0,
        model: str = first,
        truncation: float = 1,
    ) -> str:
        """Draws one face that shows a blend of emotions; one seed is one person.

        Weights count by their share of the sum; all at 0 is neutral. The PNG says in its text chunk "fergan"
        that it is synthetic, and of which model, blend and seed.
        """
        row = (angry, disgust, fear, happy, sad, surprise, neutral)
        asked = {"emotion": dict(zip(EMOTIONS, row, strict=True)), "seed": seed, "truncation": truncation}
        try:
            drawn = blend.face_file(engine, model, blend.parse(asked))
            return written([drawn], Path(file.GRADIO_CACHE))[0]
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from error

    gr.Button(**hidden).click(mix, [*weights, seed, model, truncation], file, api_name="mix")


def _animate_endpoint(engine: Engine, first: str) -> None:
    """The named endpoint /animate, for gradio_client and whoever speaks HTTP."""
    hidden = {"visible": False}
    example = '{"emotion": {"happy": 0.5, "sad": 0.5}, "seed": 7, "truncation": 1, "coarse_seed": null}'
    moments = gr.JSON(label=f"A list of 2 to {blend.MOST} moments, each like {example}", **hidden)
    kind = gr.Textbox("gif", label="One of: " + ", ".join(KINDS), **hidden)
    width = gr.Number(384, precision=0, label=f"Pixels, {min(blend.WIDTHS)} to {max(blend.WIDTHS)}", **hidden)
    seconds = gr.Number(
        1.5, label=f"From one moment to the next, {blend.SHORTEST} to {blend.LONGEST}", **hidden
    )
    model = gr.Textbox(first, label="One of: " + ", ".join(engine.generators), **hidden)
    loop = gr.Checkbox(True, label="Lead back to the first moment", **hidden)
    file = gr.File(label="GIF, WebP or MP4 file", **hidden)

    def animate(
        moments: list[dict[str, Any]],
        kind: str = "gif",
        width: int = 384,
        seconds: float = 1.5,
        model: str = first,
        loop: bool = True,
    ) -> str:
        """Draws an animation from moment to moment, each a blend of emotions and a seed.

        Only "emotion" (weights by name) and "seed" must be given; "coarse_seed" lends pose and shape of another
        face, with models that have styles. The file says in its tags that it is synthetic, and from what.
        """
        asked = {
            "model": model,
            "moments": moments,
            "seconds": seconds,
            "loop": loop,
            "kind": kind,
            "width": width,
        }
        try:
            return written([blend.Film.parse(asked).file(engine)], Path(file.GRADIO_CACHE))[0]
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from error

    gr.Button(**hidden).click(animate, [moments, kind, width, seconds, model, loop], file, api_name="animate")
