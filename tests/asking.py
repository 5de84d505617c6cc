"""Asks the server as a tab of the page does, without a browser."""

import time
from collections.abc import Callable
from typing import Any


def asking(page: Any, http: Any, tab: str) -> Callable[[str, Any], Any]:
    """`ask("draw", fields)` for the tab whose component has the id `tab`: the answer to `server.draw(fields)`."""
    [component] = [found["id"] for found in page.config["components"] if found["props"].get("elem_id") == tab]

    def ask(verb: str, fields: Any) -> Any:
        body = {"data": fields, "component_id": component, "fn_name": verb, "session_hash": "test"}
        answer = http.post("/gradio_api/component_server/", json=body)
        assert answer.status_code == 200
        return answer.json()

    return ask


def awaited(ask: Callable[[str, Any], Any], job: Any, frames: int) -> Any:
    """What a job of so many frames came to."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = ask("progress", job)
        if "of" not in answer:
            return answer
        assert 0 <= answer["done"] <= answer["of"] == frames
        time.sleep(0.02)
    raise AssertionError("the film was not made within a minute")
