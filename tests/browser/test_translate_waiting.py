"""The tab Translate before there is a photo, and while a result is long on its way."""

import re

import pytest

from tests.browser.conftest import held_back, until
from tests.browser.test_translate import address, done, opened, said, state  # noqa: F401 - fixtures
from tests.test_recognise import people  # noqa: F401 - a fixture
from tests.test_translate import translating, translating_weights  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

BUSY = re.compile(r"\bbusy\b")
SHIMMER = "view => getComputedStyle(view, '::after').content"


def test_what_takes_long_shimmers_until_it_is_there(done):
    page = done()
    root, view = page.locator(".translate"), page.locator(".tr-view")
    held, let_go = held_back(page, "change")
    page.locator(".tr-mood", has_text="sad").click()
    until(page, lambda: held)
    expect(root).to_have_class(BUSY)
    state(page, "done")
    assert view.evaluate(SHIMMER) == '""'
    expect(page.get_by_role("slider", name="Before and after")).to_be_visible()
    page.locator(".tr-mood", has_text="happy").click()  # which is shown already
    expect(root).not_to_have_class(BUSY)
    page.locator(".tr-mood", has_text="fear").click()
    expect(root).to_have_class(BUSY)
    let_go()
    expect(said(page)).to_contain_text("fear at 100")
    expect(root).not_to_have_class(BUSY)
    assert view.evaluate(SHIMMER) == "none"


def test_quick_answers_and_detail_alone_do_not_shimmer(done):
    page = done()
    expect(page.locator(".tr-mood img[src]")).to_have_count(7)
    page.evaluate(
        """() => {
            const root = document.querySelector('.translate');
            new MutationObserver(() => { window.shimmered ||= root.classList.contains('busy'); })
                .observe(root, {attributes: true});
        }"""
    )
    held = []

    def hold_detail(route):
        if '"change"' in (route.request.post_data or "") and (held or "0.6" in route.request.post_data):
            held.append(route)
        if len(held) == 2:  # the first is of the hand that drags, the second of the hand that rests
            page.wait_for_timeout(700)
        route.continue_()

    page.keyboard.press("5")
    expect(said(page)).to_contain_text("sad at 100")
    page.route("**/component_server/**", hold_detail)
    page.get_by_role("slider", name="How strong").fill("60")
    expect(said(page)).to_contain_text("at 60")
    assert len(held) == 2
    assert page.evaluate("window.shimmered") is not True


def test_before_there_is_a_photo_the_page_says_so(opened):
    page = opened()
    notice = page.locator(".translate .notice")
    page.get_by_role("button", name="Play").click()
    expect(notice).to_contain_text("Choose a photo first.")
    notice.get_by_role("button", name="Dismiss").click()
    page.get_by_label("Adjust the square").check()
    page.get_by_role("button", name="Turn left").click()
    expect(notice).to_contain_text("Choose a photo first.")
    with page.expect_file_chooser() as chooser:
        page.locator(".translate .photo-empty .icon").click()
    assert not chooser.value.is_multiple()
    expect(page.locator(".translate [type=file]")).to_have_accessible_name("Choose a photo")
