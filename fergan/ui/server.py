"""How a tab answers: refusals as sentences, few requests at a time, files in and out. No tab of its own."""

import base64
import binascii
import functools
import hashlib
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from fergan.ui.theme import MAX_UPLOAD

Answer = dict[str, Any]
Verb = Callable[[Any], Answer]
AT_ONCE = 2
"""Requests of one tab that are worked on at the same time: they pass by Gradio's queue and its limits."""

KEPT, OVERHEAD = 8 * 2**20, 1024
"""Characters of the answers that a verb remembers, and what each answer counts for beside its own."""

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


def remembered(verb: Verb) -> Verb:
    """Keeps a verb's newest answers, the refusals not: a room of visitors opens the page on the same faces.

    For verbs whose answer follows from what they are asked alone. What is remembered passes no gate, and what
    several ask at once is worked on once.
    """
    kept: OrderedDict[bytes, tuple[Answer, int]] = OrderedDict()
    coming: dict[bytes, Future[Answer]] = {}
    lock, size = threading.Lock(), 0

    def keep(asked: bytes, found: Answer) -> None:
        nonlocal size
        characters = len(json.dumps(found)) + OVERHEAD
        kept[asked], size = (found, characters), size + characters
        while size > KEPT:
            size -= kept.popitem(last=False)[1][1]

    @functools.wraps(verb)
    def answer(fields: Any) -> Answer:
        try:
            asked = _digest(fields)
        except (TypeError, ValueError, RecursionError):
            return verb(fields)  # which refuses what no page sends
        with lock:
            if asked in kept:
                kept.move_to_end(asked)
                return dict(kept[asked][0])
            others = coming.get(asked)
            mine = others or coming.setdefault(asked, Future())
        if others:
            return dict(others.result())
        try:
            found = verb(fields)
            with lock:
                if "error" not in found:
                    keep(asked, dict(found))
            mine.set_result(dict(found))
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with lock:
                del coming[asked]
        return found

    return answer


def _digest(fields: Any) -> bytes:
    """Tells what was asked apart; piece by piece, since photos in it are large."""
    hashed = hashlib.sha256()
    for piece in json.JSONEncoder().iterencode(fields):
        hashed.update(piece.encode())
    return hashed.digest()


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
