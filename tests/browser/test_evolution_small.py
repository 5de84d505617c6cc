"""The tab Evolution on small screens: fingers on the curves, and room for the slider."""

import pytest

from tests.browser.conftest import until
from tests.browser.test_evolution import address, folder, seen, slider, watch  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def swipe(page, start, across, down):
    """A finger that comes down, moves in steps and leaves."""
    session = page.context.new_cdp_session(page)
    x, y = start
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for part in range(1, 11):
        point = {"x": x + across * part / 10, "y": y + down * part / 10}
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        page.wait_for_timeout(16)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def middle(page, plot):
    """The plot's box, and its middle, once the page scrolls no more."""
    before = None
    while (now := page.evaluate("scrollY")) != before:
        before = now
        page.wait_for_timeout(150)
    box = plot.bounding_box()
    return box, box["y"] + box["height"] / 2


def test_a_finger_scrolls_over_a_curve_and_seeks_across_it(watch):
    page = watch("&model=acgan&seen=200", width=390, height=844, has_touch=True, is_mobile=True)
    plot = page.locator(".evo-plot").first
    plot.evaluate("plot => plot.scrollIntoView({block: 'center'})")
    box, y = middle(page, plot)
    before = page.evaluate("scrollY")
    link = page.url
    swipe(page, (box["x"] + box["width"] - 30, y), 4, -60)
    page.wait_for_function("before => scrollY > before + 20", arg=before)
    expect(seen(page)).to_have_text("200 images seen")
    assert page.url == link
    plot.evaluate("plot => plot.scrollIntoView({block: 'center'})")
    box, y = middle(page, plot)
    swipe(page, (box["x"] + 40, y), box["width"] - 60, 4)
    expect(seen(page)).to_have_text("800 images seen")

    def tapped():  # a tap right after a swipe only stops its scrolling
        box, y = middle(page, plot)
        page.touchscreen.tap(box["x"] + 3, y)
        page.wait_for_timeout(100)
        return seen(page).text_content() == "100 images seen"

    until(page, tapped)
    assert page.url.endswith("seen=100")


@pytest.mark.parametrize("width", [768, 900, 1041, 1440])
def test_the_slider_has_room_and_its_words_stay_in_their_column(watch, width):
    page = watch(width=width, height=1024)
    words = page.locator(".evo-at")
    words.evaluate("words => { words.textContent = '1,521,152 images seen'; }")
    assert slider(page).bounding_box()["width"] > 150
    assert words.evaluate("words => words.scrollWidth <= words.clientWidth")
    assert words.is_visible() == (width > 1040)
