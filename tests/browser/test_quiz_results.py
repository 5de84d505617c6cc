"""The tab "Real or fake?" in a browser: what is saved of games, and their summary."""

import csv
import json
import re

import pytest

from tests.browser.test_quiz import address, fer, finish, play, right  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def test_results_are_saved_as_json_and_csv(play, tmp_path):
    page = play()
    finish(page)
    expect(page.locator(".quiz-detail table")).to_be_visible(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON", exact=True).click()
    download.value.save_as(tmp_path / "one.json")
    found = json.loads((tmp_path / "one.json").read_text())
    assert (found["mode"], len(found["rounds"]), found["choices"]) == ("real", 10, ["real", "fake"])
    assert sum(one["right"] for one in found["rounds"]) == right(page)
    assert [one["said"] for one in found["rounds"]] == ["real", "fake"] * 5
    assert all(one["machines"]["judge"] in ("real", "fake") for one in found["rounds"])
    assert all((one["seed"] is None) == (one["truth"] == "real") for one in found["rounds"])
    assert "image" not in json.dumps(found)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert re.fullmatch(r"fergan_quiz_\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d\.csv", download.value.suggested_filename)
    download.value.save_as(tmp_path / "one.csv")
    with (tmp_path / "one.csv").open() as file:
        lines = list(csv.DictReader(file))
    for line, one in zip(lines, found["rounds"], strict=True):
        assert (line["said"], line["truth"], line["emotion"]) == (one["said"], one["truth"], one["emotion"])
        assert line["seed"] == ("" if one["seed"] is None else str(one["seed"]))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["time"])


def test_the_summary_counts_this_browser_and_added_files(play, tmp_path):
    page = play()
    page.locator(".quiz-summary summary").click()
    expect(page.locator(".quiz-all")).to_contain_text("Nothing yet")
    page.evaluate("document.activeElement.blur()")
    finish(page)
    wrong = 10 - right(page)
    people = page.locator(".quiz-all tbody tr").first.locator("td").first
    expect(people).to_have_attribute(
        "title", re.compile(rf"^{wrong} of 10 wrong; 95 % interval \d+ to \d+ %")
    )
    rounds = [
        {"said": "real", "truth": "fake", "model": "cgan", "emotion": "sad", "machines": {"judge": "fake"}}
    ] * 10
    other = {"session": "<img src=x onerror=window.harmed=1>", "mode": "real", "rounds": rounds}
    (tmp_path / "other.json").write_text(json.dumps(other))
    (tmp_path / "twice.json").write_text(json.dumps([other]))
    field = page.locator("[data-field=files]")
    field.set_input_files([tmp_path / "other.json", tmp_path / "twice.json"])
    expect(people).to_have_attribute("title", re.compile(f"^{wrong + 10} of 20 wrong"))
    expect(page.locator(".quiz-all h3")).to_contain_text("2 games")
    (tmp_path / "bad.json").write_text("[3]")
    field.set_input_files([tmp_path / "bad.json"])
    expect(page.locator(".quiz .notice")).to_contain_text("This is no result of this quiz")
    (tmp_path / "torn.json").write_text("{")
    field.set_input_files([tmp_path / "torn.json"])
    expect(page.locator(".quiz .notice")).to_contain_text("torn.json is no JSON file of this quiz.")
    assert page.evaluate("window.harmed") is None
    page.reload()
    page.locator(".quiz-summary summary").click()
    expect(people).to_have_attribute("title", re.compile(f"^{wrong} of 10 wrong"))
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_role("button", name="Clear all?").click()
    expect(page.locator(".quiz-all")).to_contain_text("Nothing yet")
    assert page.evaluate("localStorage.getItem('fergan.quiz')") == "[]"


def test_many_games_are_saved(play):
    page = play()
    one = {"said": "real", "truth": "fake", "model": "cgan", "emotion": "sad", "machines": {}}
    games = [{"session": f"{number}", "mode": "real", "rounds": [one] * 10} for number in range(250)]
    assert len(json.dumps(games)) > 200_000
    page.evaluate("games => localStorage.setItem('fergan.quiz', JSON.stringify(games))", games)
    page.locator(".quiz-summary summary").click()
    expect(page.locator(".quiz-all h3")).to_contain_text("250 games")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save all").click()
    assert json.loads(download.value.path().read_text()) == games
