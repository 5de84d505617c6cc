"""The tab "Real or fake?" between a click and its answer, and from one game to the next."""

import pytest

from tests.browser.conftest import held_back, until
from tests.browser.test_quiz import address, answer, face, fer, finish, play, said  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def test_an_answer_on_its_way_is_marked(play):
    page = play()
    group = page.get_by_role("group", name="Your answer")
    held, let_go = held_back(page, "reveal")
    answer(page, "fake").click()
    expect(page.locator(".quiz-answer.saying")).to_have_attribute("data-say", "fake")
    expect(answer(page, "fake")).to_have_attribute("aria-busy", "true")
    expect(answer(page, "real")).to_have_attribute("aria-busy", "false")
    expect(group).to_have_attribute("aria-disabled", "true")
    assert said(page).text_content() == ""
    answer(page, "real").click(force=True)  # not heard
    until(page, lambda: held)
    page.locator(".quiz [data-do=begin]").click()  # another game waits for no old answer
    expect(face(page)).to_be_visible()
    expect(page.locator(".quiz-answer.saying")).to_have_count(0)
    expect(group).to_have_attribute("aria-disabled", "false")
    page.locator(".quiz [data-do=stage]").click()
    page.get_by_role("dialog").get_by_role("button", name="Real").click()
    expect(page.locator(".quiz-show .saying")).to_have_attribute("aria-busy", "true")
    until(page, lambda: len(held) == 2)
    let_go()
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("of 1")
    page.keyboard.press("Escape")
    expect(page.locator(".quiz-answer.said")).to_have_attribute("data-say", "real")
    expect(page.locator(".quiz-answer.saying")).to_have_count(0)
    expect(group).to_have_attribute("aria-disabled", "false")


@pytest.mark.parametrize("way", ["Play again", "Enter"])
def test_another_game_takes_the_focus_to_its_question(play, way):
    page = play()
    finish(page)
    if way == "Enter":
        page.keyboard.press("Enter")
    else:
        page.get_by_role("button", name=way).click()
    question = page.get_by_role("heading", name="Is this face real or fake?")
    expect(question).to_be_focused()
    expect(question).to_have_accessible_description("Round 1 of 10, 0 right so far")
    expect(page.locator(".quiz-hint")).not_to_contain_text("may show no photos")
