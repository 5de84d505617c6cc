"""How long a visitor waits, beside DESIGN's targets: `python -m tests.browser.measure [SOURCE ...]`.

Starts `python app.py` as a user does, opens it in headless Chromium and prints a Markdown table.
"""

import os
import re
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from fergan.emotions import EMOTIONS
from tests.browser.conftest import CHROMIUM

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5
# From the click to the display frame after the last face of the emotion has been decoded.
CLICK = """async (emotion) => {
  const said = document.querySelector('.said'), began = performance.now();
  document.querySelector(`.chip input[value=${emotion}]`).click();
  while (!said.textContent.includes(` ${emotion} face`)) await new Promise(requestAnimationFrame);
  await Promise.all([...document.querySelectorAll('.cell img[src]')].map((image) => image.decode()));
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""

# From the click to the judge's hit rate under the faces.
JUDGED = """async (emotion) => {
  const hits = document.querySelector('.hits b'), began = performance.now();
  document.querySelector(`.chip input[value=${emotion}]`).click();
  while (!hits.textContent.includes(` ${emotion} in `)) await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""

# What has travelled for the page so far, in bytes.
TRAVELLED = """() => ['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))
  .reduce((bytes, {encodedBodySize}) => bytes + encodedBodySize, 0)"""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def resident(process: int) -> int:
    """Megabytes of memory that a process holds now."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1]) // 1024


def first_sheet(page: Page, address: str, deadline: float) -> None:
    """Waits for the server, then for the faces."""
    while time.monotonic() < deadline:
        try:
            page.goto(address)
            page.wait_for_selector(".cell img[src]")
            return
        except Exception as error:
            if not any(words in str(error) for words in ("ERR_CONNECTION_REFUSED", "chrome-error")):
                raise
            time.sleep(0.05)
    raise SystemExit("The page did not come within a minute.")


def main(sources: list[str]) -> None:
    """Prints the table."""
    port = free_port()
    command = [sys.executable, "app.py", "--port", str(port), *(["--models", *sources] if sources else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        began = time.monotonic()
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            first_sheet(page, f"http://127.0.0.1:{port}", began + 60)
            sheet = time.monotonic() - began
            idle, travelled = resident(server.pid), page.evaluate(TRAVELLED)
            clicks, judged = [], []
            for _ in range(ROUNDS):
                for emotion in EMOTIONS:
                    clicks.append(page.evaluate(CLICK, emotion))
                page.locator("[data-do=new-seed]").click()
                page.wait_for_timeout(500)
                if page.locator(".hits").count():
                    judged += [page.evaluate(JUDGED, emotion) for emotion in EMOTIONS[:-1]]
                    page.locator("[data-do=new-seed]").click()
                    page.wait_for_timeout(500)
            used = resident(server.pid)
        finally:
            server.terminate()
            server.wait()
        browser.close()
    p95 = statistics.quantiles(clicks, n=20)[-1]
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f}\n\n| what | seen | target |\n| --- | --- | --- |")
    print(f"| `python app.py` to the first sheet on screen | {sheet:.1f} s | 6 s |")
    print(f"| bytes that travel for it | {travelled / 1000:.0f} kB | |")
    print(f"| memory, page open | {idle} MB | 900 MB |")
    print(f"| memory, after {len(clicks)} clicks | {used} MB | 900 MB |")
    print(f"| click to 16 faces on screen, median | {statistics.median(clicks):.0f} ms | |")
    print(f"| click to 16 faces on screen, p95 | {p95:.0f} ms | |")
    if judged:
        print(f"| click to the judge's hit rate, median | {statistics.median(judged):.0f} ms | |")


if __name__ == "__main__":
    main(sys.argv[1:])
