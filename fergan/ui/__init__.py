"""The page: one tab a file, each with `build(engine)`; the page knows the engine, the engine knows no page."""

from collections.abc import Callable

from fergan.engine import Engine
from fergan.ui import evolution, gallery, generate, mix, quiz, recognise, translate

TABS: dict[str, Callable[[Engine], None]] = {
    "Generate": generate.build,
    "Mix": mix.build,
    "Translate": translate.build,
    "Recognise": recognise.build,
    "Models": gallery.build,
    "Evolution": evolution.build,
    "Real or fake?": quiz.build,
}
"""What fills each tab, by its title, in the order shown."""
