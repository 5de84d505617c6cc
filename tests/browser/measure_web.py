"""How fast a face follows the hand on the page without a server: `python -m tests.browser.measure_web FOLDER`.

FOLDER is what `python -m train.export --web` wrote. It is served as a static host does, and with `--isolated` with the
headers that allow threads; opened in headless Chromium; a Markdown table is printed beside DESIGN's targets.
"""

import functools
import os
import statistics
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM

SECONDS = 6.0
# A slow wave of one slider against another, a movement each display frame. `lags`: from the movement that was newest
# when a face was asked for (the face before it came) to that face's own display frame.
DRAG = """async (seconds) => {
  const [one, other] = ['sad', 'surprise'].map((name) => document.querySelector(`#weight-${name}`));
  const context = document.querySelector('.box canvas').getContext('2d');
  const lags = [], late = [], frame = () => new Promise(requestAnimationFrame);
  let moved = 0, asked = null, faces = 0, moves = 0;
  context.putImageData = function (...fields) {
    faces++;
    if (asked !== null) { const from = asked; frame().then(() => lags.push(performance.now() - from)); }
    asked = moved;
    return CanvasRenderingContext2D.prototype.putImageData.apply(this, fields);
  };
  const began = performance.now();
  let before = began;
  while (performance.now() - began < 1000 * seconds) {
    const slider = moves % 2 ? one : other, speed = moves % 2 ? 1.7 : 0.61;
    slider.value = 50 + 50 * Math.sin((performance.now() - began) / 1000 * speed);
    moved = performance.now();
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    moves++;
    await frame();
    late.push(performance.now() - before);
    before = performance.now();
  }
  delete context.putImageData;
  const passed = (performance.now() - began) / 1000;
  return {lags, late, faces: faces / passed, moves: moves / passed};
}"""
READINGS = """async (seconds) => {
  const seen = new Set(), began = performance.now(), slider = document.querySelector('#weight-fear');
  while (performance.now() - began < 1000 * seconds) {
    slider.value = 50 + 50 * Math.sin((performance.now() - began) / 500);
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    seen.add([...document.querySelectorAll('.judge li')].map((row) => row.style.getPropertyValue('--share')).join());
    await new Promise(requestAnimationFrame);
  }
  return seen.size / seconds;
}"""


class _Files(SimpleHTTPRequestHandler):
    headers_too: tuple[tuple[str, str], ...] = ()

    def end_headers(self) -> None:
        for name, value in self.headers_too:
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Isolated(_Files):
    headers_too = (
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Embedder-Policy", "require-corp"),
    )


@contextmanager
def serving(folder: Path, isolated: bool = False) -> Iterator[str]:
    """Serves a folder's files while the block runs, and gives its address."""
    files = functools.partial(_Isolated if isolated else _Files, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def main(arguments: list[str]) -> None:
    """Prints the table."""
    isolated = "--isolated" in arguments
    [folder] = [Path(word) for word in arguments if word != "--isolated"]
    with serving(folder, isolated) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.wait_for_selector(".box canvas", state="visible", timeout=60_000)
        first = page.evaluate("performance.now()")
        judged = page.locator(".judge").is_visible()
        if judged:
            page.wait_for_selector(".judge .first", timeout=60_000)
        page.evaluate("document.querySelector('#weight-happy').value = 73")
        drag = page.evaluate(DRAG, SECONDS)
        readings = page.evaluate(READINGS, SECONDS) if judged else 0
        said = page.locator(".model-line").text_content()
        threads = page.evaluate("crossOriginIsolated")
        browser.close()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, threads {'on' if threads else 'off'}. {said}\n"
    )
    print("| what | seen | target |\n| --- | ---: | ---: |")
    print(f"| opened to the first face on screen | {first / 1000:.1f} s | |")
    print(f"| faces a second while dragging | {drag['faces']:.0f} | 30 |")
    for name, times, target in (
        ("movement to its face on screen", drag["lags"], "60 ms"),
        ("from display frame to display frame", drag["late"], ""),
    ):
        print(f"| {name}, median | {statistics.median(times):.0f} ms | |")
        print(f"| {name}, p95 | {statistics.quantiles(times, n=20)[-1]:.0f} ms | {target} |")
    if judged:
        print(f"| readings of the judge a second while dragging | {readings:.0f} | |")


if __name__ == "__main__":
    main(sys.argv[1:])
