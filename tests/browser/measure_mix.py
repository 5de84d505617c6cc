"""How fast a face follows the hand on the tab Mix: `python -m tests.browser.measure_mix [SOURCE ...]`.

Starts `python app.py` as a user does, opens the tab in headless Chromium, moves a slider, and prints a Markdown
table beside DESIGN's targets. First one movement at a time; then drags, a movement each display frame.
"""

import os
import statistics
import subprocess
import sys
import time
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM
from tests.browser.measure import ROOT, first_sheet, free_port

MOVES = 60
SECONDS = 5.0
# From one movement to the display frame after its face has been decoded; no blend comes twice.
MOVE = """async ([name, value]) => {
  const slider = document.querySelector(`#mix-${name}`), face = document.querySelector('.mix-face img');
  const came = new Promise((done) => new MutationObserver(done).observe(face, {attributeFilter: ['src']}));
  const began = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
  await came;
  await face.decode();
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""
# A slow wave of one slider against another. `lags`: from the movement that wished for a face, told by the request that
# brought it, to the display frame after it has been decoded.
DRAG = """async (seconds) => {
  const [one, other] = ['sad', 'surprise'].map((name) => document.querySelector(`#mix-${name}`));
  const face = document.querySelector('.mix-face img'), ask = window.fetch;
  const wished = new Map(), blends = new Map(), lags = [], shown = [];
  const blend = (sad, surprise) => `${Math.round(sad)} ${Math.round(surprise)}`;
  window.fetch = async (...request) => {
    const answer = await ask(...request), body = request[1]?.body;
    if (typeof body !== 'string' || JSON.parse(body).fn_name !== 'draw') return answer;
    const {moments} = JSON.parse(body).data, {faces} = await answer.clone().json();
    moments.forEach(({emotion}, i) => blends.set(faces[i], blend(100 * (emotion.sad ?? 0), 100 * (emotion.surprise ?? 0))));
    return answer;
  };
  let before = face.src, moves = 0, last = '';
  const painted = async (from) => {
    await face.decode();
    await new Promise(requestAnimationFrame);
    lags.push(performance.now() - from);
  };
  const seen = new MutationObserver(() => {
    if (face.src === before) return;
    before = face.src;
    shown.push(performance.now());
    if (wished.has(blends.get(before))) painted(wished.get(blends.get(before))).catch(() => {});
  });
  seen.observe(face, {attributeFilter: ['src']});
  const began = performance.now();
  while (performance.now() - began < 1000 * seconds) {
    const slider = moves % 2 ? one : other, speed = moves % 2 ? 1.7 : 0.61;
    slider.value = 50 + 50 * Math.sin((performance.now() - began) / 1000 * speed);
    const now = blend(one.value, other.value);
    if (now !== last) wished.set(last = now, performance.now());
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    moves++;
    await new Promise(requestAnimationFrame);
  }
  seen.disconnect();
  window.fetch = ask;
  return {lags, moves, frames: shown.length, seconds: (performance.now() - began) / 1000};
}"""


def measured(page: Any) -> tuple[list[float], dict[str, Any]]:
    """Single movements, then one drag, on a page whose tab Mix is open."""
    page.wait_for_function(
        "document.querySelector('.mix-face img')?.src && !document.querySelector('.mix-thumb.stale')"
    )
    alone = []
    for move in range(MOVES):
        page.wait_for_timeout(250)  # the hand rests: small faces and the judge have had their turn
        alone.append(page.evaluate(MOVE, [("sad", "fear", "angry")[move % 3], 3 + move]))
    page.evaluate("document.querySelector('#mix-happy').value = 73")
    return alone, page.evaluate(DRAG, SECONDS)


def main(sources: list[str]) -> None:
    """Prints the table."""
    port = free_port()
    command = [sys.executable, "app.py", "--port", str(port), *(["--models", *sources] if sources else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            first_sheet(page, f"http://127.0.0.1:{port}", time.monotonic() + 120)
            page.get_by_role("tab", name="Mix").click()
            alone, drag = measured(page)
            said = page.locator(".mix .model-line").text_content()
        finally:
            server.terminate()
            server.wait()
        browser.close()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f}. {said}\n\n| what | seen | target |\n| --- | --- | --- |")
    for name, times in (("one movement", alone), ("while dragging", drag["lags"])):
        p95 = statistics.quantiles(times, n=20)[-1]
        print(f"| {name} to its face on screen, median | {statistics.median(times):.0f} ms | |")
        print(f"| {name} to its face on screen, p95 | {p95:.0f} ms | 60 ms |")
    print(f"| faces a second while dragging | {drag['frames'] / drag['seconds']:.0f} | 30 |")
    print(f"| movements a second while dragging | {drag['moves'] / drag['seconds']:.0f} | |")


if __name__ == "__main__":
    main(sys.argv[1:])
