"""How a tab answers: refusals as sentences, few requests at a time, files in and out. No tab of its own."""

import base64
import binascii
import functools
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fergan.ui.theme import MAX_UPLOAD

Answer = dict[str, Any]
Verb = Callable[[Any], Answer]
AT_ONCE = 2
"""Requests of one tab that are worked on at the same time: they pass by Gradio's queue and its limits."""

_log = logging.getLogger(__name__)


def answering() -> Callable[[Verb], Verb]:
    """A decorator for what the page may ask of one tab, as `await server.<name>(fields)`.

    An exception would reach the browser as nothing at all, so refusals are answers too: {"error": sentence}.
    """
    gate = threading.BoundedSemaphore(AT_ONCE)

    def decorate(verb: Verb) -> Verb:
        @functools.wraps(verb)
        def answer(fields: Any) -> Answer:
            try:
                with gate:
                    return verb(fields)
            except Exception as error:
                return {"error": sentence(error)}

        return answer

    return decorate


def sentence(error: Exception) -> str:
    """What a person is told: a refusal in its own words; of a fault only that it is in the log."""
    if isinstance(error, OSError | ValueError):
        return str(error)
    _log.error("A request failed.", exc_info=error)
    return "Something went wrong on the server; its log says what."


def received(encoded: str) -> bytes:
    """A file that the page sent in base64.

    Raises:
        ValueError: larger than the page takes, or torn on its way.
    """
    if len(encoded) > MAX_UPLOAD * 4 / 3 + 4:
        raise ValueError(f"This file is larger than {MAX_UPLOAD // 2**20} MB.")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError("The file did not arrive whole.") from error


def taken(upload: Path) -> bytes:
    """What an upload holds; the file itself, in Gradio's cache, is gone.

    Raises:
        ValueError: it is gone already.
    """
    try:
        content = upload.read_bytes()
    except FileNotFoundError:
        raise ValueError("The photo is no longer here; send it once more.") from None
    upload.unlink(missing_ok=True)
    return content
