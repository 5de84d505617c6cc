"""What stands around the tabs: the head of the page, with the icons that every tab uses, and its foot."""

import re

import gradio as gr

from fergan.ui.theme import static


def tab_id(title: str) -> str:
    """A tab's name in links, `?tab=real-or-fake`: its title in small letters, joined by dashes."""
    return "-".join(re.findall("[a-z]+", title.lower()))


def header() -> None:
    """The name, one sentence, and the sprite of icons (`<use href="#icon-happy">`)."""
    gr.HTML(
        static("icons.svg") + static("header.html"),
        js_on_load=static("frame.js"),
        apply_default_css=False,
        elem_id="fergan-header",
    )


def footer() -> None:
    """What this is and what it cannot do."""
    gr.HTML(static("footer.html"), js_on_load=None, apply_default_css=False, elem_id="fergan-footer")
