"""The links of the tab Generate: what they keep, restore, refuse, and never tell."""

import re

import pytest

from tests.browser.conftest import held_back, until
from tests.browser.test_page import faces, said

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def test_the_link_restores_the_page(visit, address):
    page = visit()
    page.keyboard.press("6")
    page.get_by_label("First seed").fill("4294967294")
    page.get_by_label("First seed").press("Enter")
    page.get_by_role("slider", name="Faces").fill("5")
    expect(said(page)).to_have_text("5 surprise faces by AC-GAN, seeds 4294967294 to 2")
    page.get_by_role("button", name="Seed 0,").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    link = page.url
    assert (
        link
        == f"{address}?tab=generate&model=acgan&emotion=surprise&seed=4294967294&count=5&variety=70&face=0"
    )
    again = visit(link.removeprefix(address))
    expect(again.locator("#enlarged-title")).to_have_text("Seed 0, surprise, by AC-GAN")
    assert faces(again) == faces(page)


def test_a_link_that_is_handed_out_has_no_token(visit):
    page = visit("?__theme=dark&__sign=secret")
    page.evaluate(
        """() => {
            window.told = [];
            navigator.clipboard.writeText = async (text) => { told.push(text); };
            window.parent = {postMessage: ({queryString}) => told.push(queryString)};
        }"""
    )
    page.keyboard.press("6")
    expect(page).to_have_url(re.compile("emotion=surprise"))
    places = {"Generate": ".generate", "Mix": ".mix"}
    for count, (tab, place) in enumerate(places.items(), 1):
        page.get_by_role("tab", name=tab).click()
        button = page.locator(f"{place} [data-do=copy-link]").first
        button.click()
        page.wait_for_function(f"told.filter((text) => text.startsWith('http')).length === {count}")
    told = page.evaluate("told")
    assert "?tab=generate&model=acgan&emotion=surprise&seed=7&count=16&variety=70" in told
    assert not [text for text in told if "__" in text or "secret" in text]
    assert "__theme=dark" in page.url  # the frame's own address stays
    assert "__sign=secret" in page.url


def test_a_face_of_a_link_does_not_block_another_tab(browser, address):
    page = browser.new_page()
    held, let_go = held_back(page, "draw")
    page.goto(address + "?count=64&face=9")
    until(page, lambda: held)
    page.get_by_role("tab", name="Models").click()
    let_go()
    expect(page.locator(".cell img[src]")).to_have_count(64)
    page.get_by_role("tab", name="Generate").click()
    expect(said(page)).to_contain_text("64 happy")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.close()


def test_a_browser_that_takes_no_more_links_goes_on(visit):
    """As Safari does after 100 in half a minute."""
    page = visit()
    page.evaluate("() => { history.replaceState = () => { throw new DOMException('', 'SecurityError'); }; }")
    page.keyboard.press("5")
    expect(said(page)).to_contain_text("16 sad")
    page.get_by_role("tab", name="Mix").click()
    page.evaluate("delete history.replaceState")
    expect(page).to_have_url(re.compile("tab=mix"))


def test_a_hand_that_drags_writes_the_link_when_it_rests(visit):
    page = visit()
    page.evaluate(
        """() => { window.written = 0; const replace = history.replaceState.bind(history);
            history.replaceState = (...all) => { window.written++; replace(...all); }; }"""
    )
    slider = page.locator("#generate-variety")
    slider.evaluate(
        """slider => { for (let value = 100; value >= 31; value--) {
            slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); } }"""
    )
    expect(page).to_have_url(re.compile("variety=31"))
    assert page.evaluate("window.written") < 5


def test_a_broken_link_is_told_and_what_is_right_in_it_kept(visit):
    page = visit("?tab=nowhere&model=nope&emotion=sad&seed=-4&count=900&face=x")
    expect(said(page)).to_have_text("16 sad faces by AC-GAN, seeds 7 to 22")
    expect(page.get_by_role("alert")).to_contain_text("(model, seed, count, face)")
    expect(page).to_have_url(re.compile(r"\?tab=generate&model=acgan&emotion=sad&seed=7&count=16$"))


@pytest.mark.parametrize(
    ("link", "variety"), [("", "70"), ("?seed=40", "100"), ("?face=9", "100"), ("?seed=40&variety=20", "20")]
)
def test_a_page_opens_with_plain_faces_and_a_link_with_its_own(visit, link, variety):
    expect(visit(link).locator("#generate-variety")).to_have_value(variety)


def test_back_and_forward_go_through_the_tabs(visit):
    page = visit()
    for tab in ("Mix", "Models", "Mix"):
        page.get_by_role("tab", name=tab).click()
    page.wait_for_selector(".mix-face img[src]")
    page.get_by_role("slider", name="sad").fill("60")
    expect(page).to_have_url(re.compile("tab=mix.*sad="))
    for step, tab in (("back", "Models"), ("back", "Mix"), ("back", "Generate"), ("forward", "Mix")):
        page.evaluate(f"history.{step}()")
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        expect(page).to_have_url(
            re.compile(f"tab={tab.lower()}" if step == "forward" or tab != "Generate" else "$")
        )
    expect(page).to_have_url(re.compile("tab=mix.*sad="))  # it is as it was left
    page.get_by_role("button", name="Stage").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.evaluate("history.back()")
    expect(page.get_by_role("tab", name="Generate")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_click_on_the_open_tab_is_no_step(visit):
    page = visit()
    steps = page.evaluate("history.length")
    page.get_by_role("tab", name="Generate").click()
    page.keyboard.press("6")
    expect(page).to_have_url(re.compile("emotion=surprise"))
    assert page.evaluate("history.length") == steps


@pytest.mark.parametrize("tab", ["Generate", "Models", "Evolution", "Real or fake?"])
def test_no_dropped_file_takes_the_place_of_the_page(visit, tab):
    page = visit()
    page.get_by_role("tab", name=tab).click()
    found = page.evaluate(
        """() => ['dragover', 'drop'].map((name) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File(['x'], 'x.png', {type: 'image/png'}));
            const event = new DragEvent(name, {dataTransfer, bubbles: true, cancelable: true});
            document.body.dispatchEvent(event);
            return event.defaultPrevented;
        })"""
    )
    assert found == [True, True]


def test_what_the_keyboard_comes_to_is_not_under_the_picture(visit):
    """A window of 1440x900 at 200 % (WCAG 2.2, 2.4.11)."""
    page = visit(width=720, height=450)
    for tab in ("Generate", "Mix", "Recognise", "Real or fake?"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(300)
        page.evaluate(
            """() => [...document.querySelectorAll('.tabitem :is(button, input, select, summary)')]
                .filter((one) => one.offsetParent && !one.disabled).at(-1).focus()"""
        )
        for _ in range(15):
            page.keyboard.press("Shift+Tab")
            covered = page.evaluate(
                """() => {
                    const one = document.activeElement.closest('label') ?? document.activeElement;
                    const {left, right, top, bottom} = one.getBoundingClientRect();
                    if (right - left < 2 || !one.closest('.tabitem')) return '';
                    const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
                    return at && (one.contains(at) || at.contains(one)) ? '' : one.outerHTML.slice(0, 120);
                }"""
            )
            assert covered == "", tab
