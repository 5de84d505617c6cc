"""The tab Evolution: how models learnt to draw, the same noise from the first step to the last.

Nothing comes with the page but the models' names; a film is read when its model is chosen, and then scrubbed in
the browser. Scripts ask through the named endpoint /evolution.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from fergan.emotions import EMOTIONS
from fergan.engine import Engine
from fergan.ui import models
from fergan.ui.film import WIDTH, WIDTHS, film, filmed, gif
from fergan.ui.server import Answer, Verb, answering, sentence
from fergan.ui.sheet import handed, written
from fergan.ui.theme import script, static

GROUPS = (
    {
        "title": "Losses",
        "curves": [
            ["d_loss", "opponent", "How badly the discriminator tells real faces from drawn ones"],
            ["g_loss", "generator", "How badly the generator fools the discriminator"],
        ],
    },
    {
        "title": "Diversity",
        "curves": [
            ["diversity", "diversity", "How much drawn faces differ from each other; real ones: 1"],
            ["twins", "twins", "Share of drawn faces that have a near copy in their batch"],
        ],
    },
    {
        "title": "Emotion",
        "curves": [
            ["d_class", "in real faces", "How badly the discriminator reads the emotion of real faces"],
            ["g_class", "in drawn faces", "How badly the emotion asked for is read in drawn faces"],
        ],
    },
)
"""The charts: of each its title, and its curves by their name in the log, in words, and what they mean."""


def build(engine: Engine) -> None:
    """Fills the tab; reads no film."""
    names = filmed(engine)
    first = models.default(names) if names else ""
    facts = {
        "models": [
            {"name": name, "title": models.title(name), "sentence": models.sentence(engine, name)}
            for name in names
        ],
        "emotions": EMOTIONS,
        "groups": GROUPS,
        "first": first,
    }
    gr.HTML(
        html_template=static("evolution.html"),
        js_on_load=script("evolution.js", "evolution-curves.js", "evolution-controls.js"),
        server_functions=_verbs(engine),
        apply_default_css=False,
        elem_id="evolution-tab",
        facts=facts,
    )
    _endpoint(engine, names, first)


def _verbs(engine: Engine) -> list[Verb]:
    """What the page may ask, as `await server.<name>(fields)`."""
    reads, saves = answering(), answering()  # no film waits for somebody's file

    @reads
    def watch(fields: Any) -> Answer:
        return film(engine, str(fields))

    @saves
    def save(fields: Any) -> Answer:
        return handed(gif(engine, str(fields)))

    return [watch, save]


def _endpoint(engine: Engine, names: list[str], first: str) -> None:
    """The named endpoint /evolution, for gradio_client and whoever speaks HTTP."""
    hidden = {"visible": False}
    model = gr.Textbox(
        first, label="One of: " + (", ".join(names) or "none came with an evolution"), **hidden
    )
    width = gr.Number(WIDTH, precision=0, label=f"Pixels, {WIDTHS[0]} to {WIDTHS[1]}", **hidden)
    file = gr.File(label="GIF file", **hidden)

    def evolution(model: str = first, width: int = WIDTH) -> str:
        """Shows how a model learnt: the same noise from the first step of its training to the last, as a GIF.

        Each page says after how many images it was drawn; the file says in its comment that it is synthetic.
        """
        try:
            return written([gif(engine, model, width)], Path(file.GRADIO_CACHE))[0]
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from error

    gr.Button(**hidden).click(evolution, [model, width], file, api_name="evolution")
