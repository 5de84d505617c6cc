"""How the page looks and is served: colours of its grounds, launch options, and the static files.

Colours of the emotions live in static/fergan.css. Nothing here, nor in static/, asks another host for anything.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

from fergan.emotions import EMOTIONS

STATIC = Path(__file__).parent / "static"
MAX_UPLOAD = 8 * 2**20
"""Bytes of a file that the page takes."""

_PAPER = {
    # name: (light, dark); native components of Gradio follow the same names
    "body_background_fill": ("#f6f5f2", "#141417"),
    "background_fill_primary": ("#ffffff", "#1e1e23"),
    "background_fill_secondary": ("#efede8", "#26262c"),
    "block_background_fill": ("#ffffff", "#1e1e23"),
    "body_text_color": ("#1c1b19", "#eeedea"),
    "body_text_color_subdued": ("#5c5953", "#a9a8ad"),
    "border_color_primary": ("#dcd8d0", "#393940"),
    "input_background_fill": ("#ffffff", "#17171a"),
    "input_border_color": ("#8d8980", "#74747d"),
}


@cache
def static(name: str) -> str:
    """The text of a file in static/."""
    return (STATIC / name).read_text(encoding="utf-8")


def script(*names: str) -> str:
    """What a tab's HTML runs when it mounts: EMOTIONS, the helpers that all tabs share, then its own files."""
    files = (static(name) for name in ("fergan.js", *names))
    return f"const EMOTIONS = {json.dumps(EMOTIONS)};\n" + "".join(files)


class PageInGzip(GZipMiddleware):
    """The page in a third of its 660 KB, which were three quarters of a first visit's bytes.

    The page alone: Gradio compresses what has a suffix, and pictures and streams are not to wait for it.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As any middleware."""
        is_page = scope["type"] == "http" and scope["path"] == "/"
        await (super().__call__ if is_page else self.app)(scope, receive, send)


def paper() -> gr.themes.Base:
    """Gradio's own components in the page's colours, in fonts that every machine has."""
    colours = {}
    for name, (light, dark) in _PAPER.items():
        colours[name] = light
        colours[f"{name}_dark"] = dark
    return gr.themes.Base(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], neutral_hue="stone"
    ).set(**colours)


def launch_options() -> dict[str, Any]:
    """What `launch()` is given besides host and port; tests launch with the same.

    The style sheets go in through `head`: Gradio rewrites every rule of `css`, and loses some.
    """
    sheets = "".join(f"<style>{static(path.name)}</style>" for path in sorted(STATIC.glob("*.css")))
    about = "Click an emotion and a face shows it. Every face that is drawn here is synthetic."
    return {
        "theme": paper(),
        "head": f'<meta name="description" content="{about}">{sheets}',
        "app_kwargs": {"middleware": [Middleware(PageInGzip, compresslevel=5)]},
        "favicon_path": str(STATIC / "icon.svg"),
        "footer_links": ["api", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "max_file_size": MAX_UPLOAD,
        "ssr_mode": False,
        "quiet": True,
    }
