"""Pictures of the page to look at: `python -m tests.browser.screenshots OUT [SOURCE ...]`.

Serves the models of weights/, or of the sources named, and photographs every state worth seeing, light and
dark, at the three sizes that DESIGN.md names.
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

import app
from fergan.engine import Engine
from tests.browser.conftest import CHROMIUM

SIZES = {"wide": (1440, 900), "middle": (1024, 768), "phone": (360, 740)}
STATES = {
    # name: the query that leads there, what to click on, and what must be there before it is worth a picture
    "sheet": ("", "", "document.querySelector('.said')?.textContent"),
    "face": ("?face=9", "", "document.querySelector('.enlarged[open] .bars .first')"),
    "many": ("?count=64&emotion=surprise", "", "document.querySelector('.said')?.textContent"),
    "mix": ("?tab=mix&happy=0.6&surprise=0.4&seed=9", "", "document.querySelector('.mix img[src]')"),
    "stage": ("?view=stage&seed=9", "", "document.querySelector('.mix img[src]')"),
    "translate": (
        "?tab=translate",
        ".translate .example img[src]",
        "document.querySelectorAll('.tr-mood img[src]').length > 6"
        " && document.querySelector('.tr-heard').textContent",
    ),
    "recognise": ("?tab=recognise", "", "document.querySelectorAll('.recognise img[src]').length > 3"),
    "models": ("?tab=models", "", "document.querySelectorAll('.gallery img[src]').length > 55"),
    "evolution": ("?tab=evolution", "", "document.querySelector('.evo-film:not(.waiting)')"),
    "quiz": ("?tab=real-or-fake", "", "document.querySelector('.quiz-face:not(.waiting)')"),
}


def main(out: Path, sources: list[str]) -> None:
    """Writes one PNG for each state, size and theme."""
    out.mkdir(parents=True, exist_ok=True)
    page = app.build_app(Engine(sources or ("weights",)))
    address = app.serve(page, "127.0.0.1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for state, (query, click, ready) in STATES.items():
            for size, (width, height) in SIZES.items():
                for theme in ("light", "dark"):
                    context = browser.new_context(
                        viewport={"width": width, "height": height}, color_scheme=theme
                    )
                    view = context.new_page()
                    view.goto(address + query)
                    if click:
                        view.locator(click).first.click()
                    view.wait_for_function(ready)
                    view.wait_for_timeout(700)  # fades end
                    view.screenshot(path=out / f"{state}-{size}-{theme}.png")
                    context.close()
        browser.close()
    page.close(verbose=False)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m tests.browser.screenshots OUT [SOURCE ...]")
    main(Path(sys.argv[1]), sys.argv[2:])
