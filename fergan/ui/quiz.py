"""The tab "Real or fake?": ten faces, a person's guess at each, and beside it what networks take them for.

The page gets a game's faces with a ticket for each, and learns what a face is when it brings back the ticket with
an answer. Answers are kept in the visitor's browser alone; here they are counted and forgotten.
"""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from fergan import tally
from fergan.emotions import EMOTIONS
from fergan.engine import JUDGE, Engine
from fergan.quiz import DISCRIMINATORS, ROUNDS, Quiz
from fergan.ui import models
from fergan.ui.server import Answer, Verb, answering
from fergan.ui.sheet import data_uri
from fergan.ui.theme import script, static

MACHINES = {
    JUDGE: (
        "Judge",
        "The judge learnt emotions, not this: from what it sees in a face a simple rule guesses (logistic regression),"
        " fitted on other photos and other drawn faces.",
    ),
    DISCRIMINATORS: (
        "Discriminators",
        "The discriminators, the networks' opponents in training, only say which of two faces is more real: here too"
        " a rule guesses, fitted on the same other faces.",
    ),
}
"""Of each network that plays along: its title, and by what it guesses."""


def build(engine: Engine) -> None:
    """Fills the tab; deals nothing.

    Raises:
        ValueError: real faces are allowed, and are not there or cannot be read.
    """
    quiz = Quiz(engine)
    facts = {
        "emotions": EMOTIONS,
        "rounds": ROUNDS,
        "answers": quiz.answers,
        "models": {name: models.title(name) for name in quiz.generators},
        "machines": {
            name: {"title": title, "line": line}
            for name, (title, line) in MACHINES.items()
            if name in quiz.networks
        },
    }
    gr.HTML(
        html_template=static("quiz.html"),
        js_on_load=script("quiz.js", "quiz-results.js", "quiz-summary.js", "quiz-controls.js"),
        server_functions=_verbs(quiz),
        apply_default_css=False,
        elem_id="quiz-tab",
        facts=facts,
    )


def _verbs(quiz: Quiz) -> list[Verb]:
    """What the page may ask, as `await server.<name>(fields)`."""
    plays, compares = answering(), answering()  # no face waits for what networks say

    @plays
    def deal(fields: Any) -> Answer:
        faces, tickets = quiz.deal(str(fields))
        return {"faces": [data_uri(face) for face in faces], "tickets": tickets}

    @plays
    def reveal(fields: Any) -> Answer:
        [ticket], said = _tickets(fields, most=1), fields.get("said")
        face = quiz.round(ticket)
        if said not in quiz.answers[face.mode]:
            raise ValueError(f"An answer is one of {', '.join(quiz.answers[face.mode])}; got {said!r}.")
        return {
            "truth": face.truth,
            "model": face.model,
            "emotion": EMOTIONS[face.emotion],
            "seed": None if face.model is None else face.seed,
        }

    @compares
    def compare(fields: Any) -> Answer:
        tickets = _tickets(fields)
        said = quiz.guesses(tickets)
        mode = quiz.round(tickets[0]).mode
        if said is None:
            return {"progress": quiz.progress(mode)}
        rules = quiz.rules(mode) if said else {}
        return {"said": said, "heldOut": {name: rule.held_out for name, rule in (rules or {}).items()}}

    @compares
    def count(fields: Any) -> Answer:
        return {"modes": tally.summary(fields)}

    return [deal, reveal, compare, count]


def _tickets(fields: Any, most: int = ROUNDS) -> Sequence[str]:
    """The tickets that a request brings.

    Raises:
        ValueError: none, too many, or something else.
    """
    tickets = fields.get("tickets") if isinstance(fields, dict) else None
    if (
        not isinstance(tickets, list)
        or not 1 <= len(tickets) <= most
        or not all(isinstance(ticket, str) for ticket in tickets)
    ):
        raise ValueError(f"Faces of the quiz are named by their tickets, 1 to {most} at once.")
    return tickets
