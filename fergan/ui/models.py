"""Models in a person's words: a title, and what their checkpoints say of them."""

from typing import Any

from fergan.engine import Engine
from fergan.metrics import METRICS

TITLES = {
    "cgan": "cGAN",
    "acgan": "AC-GAN",
    "dcgan": "DCGAN",
    "stylegan": "StyleGAN",
    "stargan": "StarGAN",
}
FAVOURITES = ("stylegan", "acgan")
"""The model that a page opens with is the first of these that is there, else the first of all."""


def default(names: list[str]) -> str:
    """The model that the page opens with.

    Raises:
        ValueError: there is none.
    """
    if not names:
        raise ValueError("None of the models draws faces from noise; name one that does with --models.")
    return next((name for name in FAVOURITES if name in names), names[0])


def facts(engine: Engine) -> list[dict[str, Any]]:
    """Each generator for the page: its name, its title, one line, and terms with their values."""
    return [
        {"name": name, "title": title(name), "line": _line(engine, name), "terms": _terms(engine, name)}
        for name in engine.generators
    ]


def title(name: str) -> str:
    """A known name in the field's spelling; any other, a Hub id say, as it is."""
    return TITLES.get(name, name)


def _line(engine: Engine, name: str) -> str:
    found = engine.models[name]
    if not found.images_seen:
        return f"{title(found.model)}, not trained yet: its faces are noise."
    return f"{title(found.model)}, trained: it has seen {_round(found.images_seen)} faces."


def _terms(engine: Engine, name: str) -> list[tuple[str, str]]:
    found = engine.models[name]
    terms = [
        ("Architecture", f"{title(found.model)}, {found.preset}"),
        ("Faces seen in training", f"{found.images_seen:,}"),
        ("Training steps", f"{found.step:,}"),
    ]
    if found.data:
        terms.append(("Fingerprint of the training data", found.data))
    measured = [(METRICS[name], value) for name, value in found.metrics.items() if name in METRICS]
    return terms + [(f"{metric.title}: {metric.meaning}", metric.show(value)) for metric, value in measured]


def _round(number: int) -> str:
    for size, word in ((10**6, "million"), (10**3, "thousand")):
        if number >= size:
            return f"{number / size:.3g} {word}"
    return str(number)
