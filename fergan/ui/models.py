"""Models in a person's words: a title, and what their checkpoints say of them."""

from typing import Any

from fergan.emotions import EMOTIONS
from fergan.engine import JUDGE, Engine
from fergan.engine import TYPICAL as TYPICAL
from fergan.engine import VARIETY as VARIETY
from fergan.metrics import METRICS, is_number

TITLES = {
    "cgan": "cGAN",
    "cgan-published": "cGAN, published",
    "acgan": "AC-GAN",
    "dcgan": "DCGAN",
    "stylegan": "StyleGAN",
    "stargan": "StarGAN",
    "stargan-published": "StarGAN, published",
    "guided": "Guided",
    "classifier": "Classifier",
    "judge": "Judge",
    "teacher": "Teacher",
    "guide": "Guide",
    "m1": "M1",
}
WHAT = {
    "cgan": "Draws a face that shows the emotion asked for; its opponent is told the emotion too",
    "acgan": "Draws a face that shows the emotion asked for; its opponent also names emotions",
    "guided": "Gives a face another expression: bends and shades it until a hardened classifier sees that",
    "generator": "Draws a face that shows the emotion asked for",
    "translator": "Gives a face another expression",
    "classifier": "Says which emotion a face shows",
}
"""What a model does, by its architecture or else by its kind."""
PRESETS = {
    "fixed": "our own recipe",
    "published": "the student project's system, bugs included",
    **{f"m{n}": "the student project's network" for n in range(1, 6)},
}
FAVOURITES = ("stylegan", "acgan", "guided")
"""The model of a kind that a page opens with is the first of these that is there, the best measured, else the first of all."""

SEED = 198
"""The first person of a page: happy, as it opens, this one and the fifteen after are whole in what ships, but for one of the DCGAN's."""


def default(names: list[str]) -> str:
    """The model that the page opens with.

    Raises:
        ValueError: there is none.
    """
    if not names:
        raise ValueError("None of the models draws faces from noise; name one that does with --models.")
    return next((name for name in FAVOURITES if name in names), names[0])


def judge(engine: Engine) -> str | None:
    """The classifier that reads every face: the one named JUDGE, else the first that is there, else none."""
    names = engine.classifiers
    return JUDGE if JUDGE in names else next(iter(names), None)


def judge_line(engine: Engine, name: str) -> str:
    """Who the judge is, and how often it is right on real faces where its checkpoint says so."""
    line = "The judge is an independent classifier: it was never used to train the models that draw."
    if name != JUDGE:  # of any other we do not know that
        line = f"The judge here is the classifier {title(name)}."
    metrics = engine.models[name].metrics
    for split in ("private_clean", "private"):
        measured = metrics.get(split)
        accuracy = measured.get("accuracy") if isinstance(measured, dict) else None
        if isinstance(accuracy, float) and 0 <= accuracy <= 1:
            return line + (
                f" Of real faces that it had never seen it reads {100 * accuracy:.0f} % as people named them;"
                " people do not always agree either."
            )
    return line


def facts(engine: Engine) -> list[dict[str, Any]]:
    """Each generator for the page: its name, its title, one line, and terms with their values."""
    return [
        {"name": name, "title": title(name), "line": _line(engine, name), "terms": _terms(engine, name)}
        for name in engine.generators
    ]


def title(name: str) -> str:
    """A known name in the field's spelling; any other, a Hub id say, as it is."""
    return TITLES.get(name, name)


def kind(engine: Engine, name: str) -> str:
    """What a model does: generator, classifier or translator."""
    if name in engine.generators:
        return "generator"
    return "classifier" if name in engine.classifiers else "translator"


def sentence(engine: Engine, name: str) -> str:
    """What a model is, of which preset, and how much it has seen."""
    found = engine.models[name]
    what = WHAT.get(found.model) or WHAT[kind(engine, name)]
    recipe = f"{found.preset} ({PRESETS[found.preset]})" if found.preset in PRESETS else found.preset
    seen = f"{_round(found.images_seen)} faces seen" if found.images_seen else "not trained yet"
    missing = " or ".join(untaught(engine, name))
    return f"{what}. Preset {recipe}, {seen}." + (f" It was never taught {missing}." if missing else "")


def untaught(engine: Engine, name: str) -> list[str]:
    """The emotions that a model was not taught, where its run or its config names those that it was."""
    found = engine.models[name]
    known = found.training.get("emotions") or found.config.get("emotions") or ",".join(EMOTIONS)
    return [emotion for emotion in EMOTIONS if emotion not in str(known).split(",")]


def origin(engine: Engine, name: str) -> list[tuple[str, str]]:
    """What a model is and what it learnt from: terms with their values."""
    found = engine.models[name]
    terms = [
        ("Architecture", f"{title(found.model)}, {found.preset}"),
        ("Faces seen in training", f"{found.images_seen:,}"),
        ("Training steps", f"{found.step:,}"),
    ]
    if found.data:
        terms.append(("Fingerprint of the training data", found.data))
    return terms


def _line(engine: Engine, name: str) -> str:
    found = engine.models[name]
    if not found.images_seen:
        return f"{title(found.model)}, not trained yet: its faces are noise."
    whose = f", {PRESETS['published']}" if name in engine.published else ""
    return f"{title(found.model)}{whose}, trained: it has seen {_round(found.images_seen)} faces."


def _terms(engine: Engine, name: str) -> list[tuple[str, str]]:
    metrics = engine.models[name].metrics
    known = [(METRICS[name], value) for name, value in metrics.items() if name in METRICS]
    return origin(engine, name) + [
        (f"{metric.title}: {metric.meaning}", metric.show(value))
        for metric, value in known
        if is_number(value)  # a checkpoint may say anything of itself
    ]


def _round(number: int) -> str:
    for size, word in ((10**6, "million"), (10**3, "thousand")):
        if number >= size:
            return f"{number / size:.3g} {word}"
    return str(number)
