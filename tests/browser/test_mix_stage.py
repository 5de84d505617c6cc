"""The tab Mix in a browser: the stage, its tour, sizes and words."""

import re

import numpy as np
import pytest

from tests.browser.test_mix import address, drawn, mix, moments, percents, pixels, said  # noqa: F401 - fixtures
from tests.test_mix import styled, styled_weights  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def test_the_stage_is_a_face_and_nothing_else(visit, styled):
    page = visit("?view=stage&model=acgan&seed=9")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("img")).to_be_visible()
    assert np.array_equal(pixels(dialog.locator("img").get_attribute("src")), drawn(styled, 9, happy=1))
    covered = """() => [0.02, 0.25, 0.5, 0.75, 0.98].every((x) => [0.02, 0.5, 0.98].every((y) =>
        document.elementFromPoint(x * innerWidth, y * innerHeight).closest('.mix-show')))"""
    assert page.evaluate(covered)
    assert dialog.evaluate("(one) => [one.clientWidth, one.clientHeight]") == [1440, 900]
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("status")).to_have_text("sad")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(dialog.get_by_role("status")).to_have_text("fear")
    page.keyboard.press("7")
    expect(dialog.get_by_role("status")).to_have_text("neutral")
    expect(page).to_have_url(re.compile(r"\?tab=mix&model=acgan&seed=9&neutral=1&view=stage$"))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("tab", name="Mix")).to_be_visible()
    assert percents(page) == {"neutral": 100}
    expect(page).to_have_url(re.compile(r"neutral=1$"))


def test_the_tour_goes_on_by_itself_and_in_a_frame(visit, address):
    page = visit()
    page.evaluate(
        """(source) => {
            const frame = document.createElement('iframe');
            Object.assign(frame, {src: source, width: 500, height: 500});
            document.body.replaceChildren(frame);
        }""",
        address + "?view=stage&autoplay=1&model=acgan",
    )
    frame = page.frame_locator("iframe")
    status = frame.get_by_role("dialog").get_by_role("status")
    expect(frame.locator(".mix-show canvas")).to_be_visible(timeout=30_000)
    expect(status).to_have_text("happy")
    expect(status).to_have_text("sad")
    frame.locator(".mix-show").press("ArrowRight")
    expect(frame.locator(".mix-show canvas")).to_be_hidden()
    expect(status).to_have_text("surprise")


@pytest.mark.parametrize("key", ["n", "h"])
def test_another_face_ends_the_tour(visit, key):
    page = visit("?view=stage&autoplay=1&model=acgan")
    expect(page.locator(".mix-show canvas")).to_be_visible(timeout=30_000)
    before = page.locator(".mix-show img").get_attribute("src")
    page.keyboard.press(key)
    expect(page.locator(".mix-show canvas")).to_be_hidden()
    expect(page.locator(".mix-show img")).not_to_have_attribute("src", before)


def test_the_tour_stands_still_with_reduced_motion(visit):
    page = visit("?view=stage&autoplay=1&model=acgan", reduced_motion="reduce")
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("step with the arrow keys")
    expect(page.locator(".mix-show canvas")).to_be_hidden()


def test_clicks_on_the_stage_leave_the_blend_as_it_was_and_keys_do_not(mix):
    page = mix("&model=acgan&happy=0.6&sad=0.4")
    stage = page.get_by_role("dialog", name="Stage")
    for key, left in ((None, {"happy": 60, "sad": 40}), ("5", {"sad": 100})):
        page.get_by_role("button", name="Stage").click()
        stage.locator(".mix-show-face").click()
        expect(stage.get_by_role("status")).to_have_text("sad")
        stage.locator(".mix-show-face").click()
        expect(stage.get_by_role("status")).to_have_text("surprise")
        if key:
            page.keyboard.press(key)
        page.keyboard.press("Escape")
        expect(stage).to_have_count(0)
        assert percents(page) == left
    expect(said(page)).to_contain_text("sad, seed 7")
    expect(page).to_have_url(re.compile("&sad=1$"))


@pytest.mark.parametrize("touch", [False, True])
def test_the_stage_shows_its_way_out(mix, touch):
    page = mix(width=600, height=600, has_touch=touch, is_mobile=touch)
    page.locator("[data-do=stage]").click()
    if not touch:
        page.mouse.move(200, 300)
    leave = page.get_by_role("button", name="Leave the stage")
    page.wait_for_function("(one) => getComputedStyle(one).opacity >= 0.5", arg=leave.element_handle())
    leave.tap() if touch else leave.click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_phone_keeps_the_face_in_sight_and_never_scrolls_sideways(mix):
    page = mix(width=360, height=740, has_touch=True, is_mobile=True)
    moments(page, "happy", "sad", "fear", "angry", "surprise", "neutral")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert percents(page) == {"neutral": 100}  # the widest number
    cut = "[...document.querySelectorAll('.mix-slider .number')].filter(n => n.scrollWidth > n.clientWidth).length"
    assert page.evaluate(cut) == 0
    size = page.locator(".mix-face").bounding_box()
    assert size["width"] == pytest.approx(size["height"], abs=1)
    assert size["width"] > 270
    for name in ("angry", "neutral"):
        page.get_by_role("slider", name=name).scroll_into_view_if_needed()
        expect(page.locator(".mix-face")).to_be_in_viewport(ratio=1)
    page.locator(".mix .advanced summary").first.scroll_into_view_if_needed()
    expect(page.locator(".mix-face")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_the_face_is_the_largest_thing_and_stays_in_sight(mix, width, height):
    page = mix(width=width, height=height)
    size = page.locator(".mix-face").bounding_box()
    assert size["width"] >= 0.6 * height - 20
    expect(page.locator(".mix-look")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    moments(page, "happy", "sad")
    page.get_by_role("button", name="Save film").scroll_into_view_if_needed()
    expect(page.locator(".mix-face")).to_be_in_viewport(ratio=0.75)


def test_the_tab_in_a_screen_readers_words(mix):
    page = mix()
    expect(said(page)).to_contain_text("happy")
    snapshot = page.locator(".mix").aria_snapshot()
    for line in (
        'img "Synthetic face: happy, seed 7"',
        'group "How strong: from neutral to this blend"',
        'button "50 % of this blend"',
        'button "happy" [pressed]',
        "status: happy, seed 7, by AC-GAN.",
        'group "Blend"',
        'slider "Mood"',
        'spinbutton "Seed"',
        'heading "Film"',
    ):
        assert line in snapshot
    happy = page.get_by_role("slider", name="happy")
    assert happy.get_attribute("aria-valuetext") == "100, 100 % of the blend"


@pytest.mark.parametrize(("link", "typical"), [("", "30"), ("&seed=40", "0"), ("&seed=40&typical=55", "55")])
def test_it_opens_with_a_plain_face_and_a_link_with_its_own(visit, link, typical):
    expect(visit(f"?tab=mix{link}").locator("#mix-typical")).to_have_value(typical)
