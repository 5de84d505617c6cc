"""What a room of visitors waits for: `python -m tests.measure_room [SOURCE ...]`.

Starts `python app.py` as a user does and sends it what so many browsers would: all open the page at once, then click
emotions, each a second after its last answer, first of the people that all see, then of others each; then they drag
the sliders of Mix, each with two requests on their way. Prints a Markdown table, whose first row is a visitor alone. Speaks HTTP itself: so many browsers would take the processors
that are measured.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

import httpx

from fergan.emotions import EMOTIONS
from tests.browser.measure import ROOT, free_port, resident

ROOMS = (1, 4, 16, 32)
CLICKS = 5
REST = 1.0
"""Seconds that a visitor looks at faces before the next click."""
SECONDS = 6.0
"""Of dragging."""
HANDS = 2
"""Requests of one page that are on their way while it drags."""


@dataclass(frozen=True)
class Visitor:
    """One browser with the page open."""

    client: httpx.Client
    parts: dict[str, Any]
    """The page's, by their names."""
    seed: int

    @property
    def asked(self) -> dict[str, Any]:
        """The model that the page opens with, its variety, and a seed of this visitor's own."""
        first = self.parts["generate-tab"]["props"]["props"]["facts"]["first"]
        return {"model": first["model"], "truncation": first["variety"] / 100, "seed": self.seed}

    def ask(self, tab: str, verb: str, fields: dict[str, Any]) -> None:
        """What the page's `server.verb(fields)` does.

        Raises:
            SystemExit: the server refused.
        """
        body = {"session_hash": f"visitor{self.seed}", "fn_name": verb, "data": fields}
        body["component_id"] = self.parts[f"{tab}-tab"]["id"]
        answer = self.client.post("/gradio_api/component_server/", json=body).raise_for_status().json()
        if "error" in answer:
            raise SystemExit(f"The server refused: {answer['error']}")

    def open(self) -> float:
        """Milliseconds until the page, with its first faces, has come."""
        return timed(lambda: self.client.get("/").raise_for_status())

    def click(self, people: int) -> list[float]:
        """Milliseconds of each click until its sixteen faces, the first of which has the seed `people`, have come."""
        times = []
        for turn in range(CLICKS):
            time.sleep(REST)
            emotion = EMOTIONS[(self.seed + turn) % len(EMOTIONS)]
            sheet = self.asked | {"emotion": emotion, "seed": people, "count": 16}
            times.append(timed(lambda sheet=sheet: self.ask("generate", "draw", sheet)))
        return times

    def drag(self, hand: int) -> list[float]:
        """Milliseconds from each wish of one hand to its face."""
        asked, times, until = self.asked, [], time.perf_counter() + SECONDS
        while time.perf_counter() < until:
            sad = (HANDS * len(times) + hand) / 1000  # no blend comes twice
            moment = {key: asked[key] for key in ("seed", "truncation")} | {
                "emotion": {"happy": 1, "sad": sad}
            }
            fields = {"model": asked["model"], "moments": [moment]}
            times.append(timed(lambda fields=fields: self.ask("mix", "draw", fields)))
        return times


def timed(work: Callable[[], object]) -> float:
    """Milliseconds that it takes."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def opened(address: str) -> dict[str, Any]:
    """The page's parts by their names, once it can be asked.

    Raises:
        SystemExit: it never can.
    """
    for _ in range(600):
        try:
            parts = httpx.get(f"{address}/config", timeout=60).raise_for_status().json()["components"]
        except httpx.ConnectError:
            time.sleep(0.1)
        else:
            return {part["props"].get("elem_id"): part for part in parts}
    raise SystemExit("The page did not come within a minute.")


def told(times: list[float]) -> str:
    """Median and 95th percentile."""
    return f"{statistics.median(times):.0f} ({statistics.quantiles(times, n=20, method='inclusive')[-1]:.0f})"


def room(address: str, parts: dict[str, Any], people: int) -> str:
    """One row of the table."""
    clients = [httpx.Client(base_url=address, timeout=120) for _ in range(HANDS * people)]
    hands = [Visitor(client, parts, 1000 * people + n // HANDS) for n, client in enumerate(clients)]
    with ThreadPoolExecutor(len(hands)) as pool:
        pages = list(pool.map(Visitor.open, hands[::HANDS])) * 2  # a quantile needs two
        same = list(
            chain.from_iterable(pool.map(Visitor.click, hands[::HANDS], [1000 * people + 200] * people))
        )
        own = range(1000 * people + 300, 1000 * people + 999, 16)  # of nobody in another room
        other = list(chain.from_iterable(pool.map(Visitor.click, hands[::HANDS], own)))
        faces = list(chain.from_iterable(pool.map(Visitor.drag, hands, range(len(hands)))))
    for client in clients:
        client.close()
    rate = len(faces) / SECONDS
    cells = [str(people), *map(told, (pages, same, other, faces)), f"{rate / people:.1f}", f"{rate:.0f}"]
    return f"| {' | '.join(cells)} |"


def main(sources: list[str]) -> None:
    """Prints the table."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "app.py", "--port", str(port), *(["--models", *sources] if sources else [])]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        parts = opened(address)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; milliseconds, median (p95)\n")
        print(
            "| visitors | page | click, the same people | others | Mix: wish to face | faces a second, each | all |"
        )
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for people in ROOMS:
            print(room(address, parts, people), flush=True)
        print(f"\n{resident(server.pid)} MB of memory at the end")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
