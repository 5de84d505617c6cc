"""The tab Models: two models side by side, from the same seeds, with what was measured of each.

It comes with the page as words and numbers alone; faces are drawn, a row at a time, when it is first opened.
Scripts ask through the named endpoint /models.
"""

import base64
import dataclasses
from typing import Any

import gradio as gr

from fergan.emotions import EMOTIONS
from fergan.engine import EVOLUTION, LAST_SEED, Engine
from fergan.ui import cards, models
from fergan.ui.server import Answer, Verb, answering, remembered
from fergan.ui.sheet import Sheet, data_uri
from fergan.ui.theme import script, static

PEOPLE = 4
"""Seeds that each emotion is drawn of."""


def build(engine: Engine) -> None:
    """Fills the tab; draws nothing."""
    left, right = first_pair(engine)
    facts = {
        "emotions": EMOTIONS,
        "people": PEOPLE,
        "lastSeed": LAST_SEED,
        "cards": [cards.card(engine, name) for name in engine.models],
        "meanings": cards.meanings(),
        "first": {"left": left, "right": right, "seed": models.SEED},
    }
    gr.HTML(
        html_template=static("gallery.html"),
        js_on_load=script("gallery.js", "gallery-tables.js"),
        server_functions=_verbs(engine),
        apply_default_css=False,
        elem_id="models-tab",
        facts=facts,
    )
    _endpoint(engine)


def first_pair(engine: Engine) -> tuple[str, str]:
    """The models that the tab opens with: the page's own, and what it grew from, or else another generator, or any."""
    left = models.default(engine.generators) if engine.generators else next(iter(engine.models))
    before = [name for name in engine.generators if name in engine.published]
    others = [name for name in (*before, *engine.generators, *engine.models) if name != left]
    return left, others[0] if others else left


def _verbs(engine: Engine) -> list[Verb]:
    """What the page may ask, as `await server.<name>(fields)`."""
    decorate = answering()

    @remembered
    @decorate
    def draw(fields: Any) -> Answer:
        return {"faces": [data_uri(face) for face in Sheet.parse(fields).draw(engine)]}

    @decorate
    def evolution(fields: Any) -> Answer:
        return {"picture": _evolution(engine, str(fields))}

    return [draw, evolution]


def _evolution(engine: Engine, name: str) -> str:
    """The animation of a model's training, for an <img>.

    Raises:
        ValueError: an unknown model, or one that came without it.
    """
    file = engine.folder(name) / EVOLUTION
    if not file.is_file():
        raise ValueError(f"The model {name} came without pictures of its training.")
    return "data:image/webp;base64," + base64.b64encode(file.read_bytes()).decode()


def _endpoint(engine: Engine) -> None:
    """The named endpoint /models, for gradio_client and whoever speaks HTTP."""
    listed = gr.JSON(visible=False, label="One object a model, as its config.json has it, and its kind")

    def list_models() -> list[dict[str, Any]]:
        """Lists the models: name, kind (generator, translator, classifier), history and measured numbers."""
        return [
            {
                "name": name,
                "title": models.title(name),
                "kind": models.kind(engine, name),
                "fingerprint": engine.fingerprint(name),
                **dataclasses.asdict(found),
            }
            for name, found in engine.models.items()
        ]

    gr.Button(visible=False).click(list_models, None, listed, api_name="models")
