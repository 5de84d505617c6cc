"""The tab Recognise before there is a photo, and while an answer is on its way."""

import pytest

from tests.browser.conftest import held_back, until
from tests.browser.test_recognise import opened, said, state  # noqa: F401 - a fixture

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def test_nothing_read_of_another_stands_beside_a_face(opened):
    page = opened()
    page.get_by_role("button", name="Example 1").click()
    expect(page.locator("[data-seen=map][src]")).to_be_visible()
    words = said(page).text_content()
    held, let_go = held_back(page, "recognise")
    other_photo = page.get_by_role("button", name="Example 2").click
    other_reader = lambda: page.locator(".reader select").dispatch_event("change")  # noqa: E731
    for count, turn in enumerate((other_photo, other_reader), 1):
        turn()
        until(page, lambda count=count: len(held) == count)
        state(page, "waiting")
        expect(said(page)).to_have_text("Reading…")
        assert "".join(page.locator(".read-bar .percent").all_text_contents()) == ""
        expect(page.locator(".read-bar:enabled")).to_have_count(0)
        expect(page.locator("[data-seen][src]")).to_have_count(0)
    let_go()
    state(page, "done")
    expect(said(page)).to_contain_text("The judge")
    page.get_by_role("button", name="Example 1").click()
    expect(said(page)).to_have_text(words)


def test_the_empty_stage_opens_a_file_and_is_no_second_stop(opened):
    page = opened()
    box, stage = (page.locator(f".recognise .photo-{part}").bounding_box() for part in ("empty", "stage"))
    assert box == stage
    with page.expect_file_chooser() as chooser:
        page.locator(".recognise .photo-empty .icon").click()
    assert chooser.value.is_multiple()
    field = page.locator(".recognise [type=file]")
    expect(field).to_have_accessible_name("Choose photos")
    assert page.locator(".recognise").aria_snapshot().count("Drop a photo") == 1
    assert page.locator(".photo-stage [tabindex]:visible, .photo-stage button:visible").count() == 0


def test_keys_are_not_told_of_where_a_finger_is_all_there_is(opened):
    expect(opened().locator(".recognise kbd").first).to_be_visible()
    page = opened(has_touch=True, is_mobile=True, width=390, height=844)
    expect(page.locator(".recognise .photo-empty")).to_contain_text("Drop a photo")
    expect(page.locator(".recognise kbd").first).to_be_hidden()
