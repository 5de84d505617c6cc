"""The tab Mix, and Generate, on a small screen under a finger."""

import pytest

from fergan.ui.blend import PLACES
from tests.browser.test_mix import POINT, address, mix, moments, percents  # noqa: F401 - fixtures
from tests.test_mix import styled, styled_weights  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

PHONE = {"has_touch": True, "is_mobile": True}
WIDER = """(width) => [...document.querySelectorAll('.tabitem *')].filter((one) => one.checkVisibility()
    && !one.closest('.mix-moments') && one.getBoundingClientRect().right > width + 0.5).map((one) => one.outerHTML)"""


def swipe(page, x, y, to_x, to_y, steps=12):
    """A finger goes from one place to another."""
    finger = page.context.new_cdp_session(page)

    def touch(kind, *points):
        finger.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
        )

    touch("touchStart", (x, y))
    for step in range(1, steps + 1):
        touch("touchMove", (x + (to_x - x) * step / steps, y + (to_y - y) * step / steps))
    touch("touchEnd")


def strongest(page):
    found = percents(page)
    return max(found, key=found.get)


def test_a_finger_scrolls_over_the_wheel_taps_on_it_and_drags_its_knob(mix):
    page = mix(width=390, height=844, **PHONE)
    page.locator(".mix-film").evaluate("film => film.scrollIntoView({block: 'end'})")
    edges = page.locator(".mix-wheel svg").bounding_box()

    def at(name):
        x, y = PLACES[name]
        return edges["x"] + edges["width"] * (x + 1.42) / 2.84, edges["y"] + edges["height"] * (1.5 - y) / 2.6

    for name in ("neutral", "happy"):
        page.touchscreen.tap(*at(name))
        assert strongest(page) == name
    before = page.evaluate("scrollY")
    swipe(page, *at("happy"), *at("surprise"))
    assert page.evaluate("scrollY") == before
    assert strongest(page) == "surprise"
    place, (x, y) = page.evaluate(POINT), at("neutral")
    swipe(page, x, y, x, y - 120)
    page.wait_for_function("(before) => scrollY > before + 60", arg=before)
    assert page.evaluate(POINT) == place


def test_a_mouse_drags_from_anywhere_on_the_wheel(mix):
    page = mix()
    edges = page.locator(".mix-wheel svg").bounding_box()
    x, y = edges["x"] + edges["width"] / 2, edges["y"] + edges["height"] * 1.5 / 2.6
    page.mouse.move(x, y)
    page.mouse.down()
    assert percents(page)["neutral"] > 95
    page.mouse.move(x + edges["width"] / 5, y, steps=4)
    place = page.evaluate(POINT)
    assert place[0] == pytest.approx(2.84 / 5, abs=0.03)
    page.mouse.up()
    assert page.evaluate(POINT) == place


def test_nothing_of_mix_is_wider_than_a_small_phone(mix):
    page = mix("&model=stylegan", width=320, height=640, **PHONE)
    moments(page, "happy", "sad", "neutral")
    expect(page.locator(".mix-judge .percent").first).not_to_be_empty()
    page.locator(".mix details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    page.locator(".mix-progress").evaluate("one => { one.hidden = false; }")
    page.locator(".mix-progress span").evaluate("one => { one.textContent = 'Drawing the film…'; }")
    assert page.evaluate(WIDER, 320) == []


def test_nothing_of_generate_is_wider_than_a_small_phone(visit):
    page = visit(width=320, height=640, **PHONE)
    expect(page.locator(".hits.done b")).not_to_be_empty()
    page.locator(".hits b").evaluate("one => { one.textContent = 'The judge read surprise in 64 of 64'; }")
    page.locator(".generate details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    assert page.evaluate(WIDER, 320) == []
