"""Films in the tab Mix in a browser: moments, playing, saving, stopping."""

import numpy as np
import pytest

from fergan import provenance
from fergan.emotions import EMOTIONS
from tests.browser.conftest import held_back, until
from tests.browser.test_mix import REQUESTS, address, drawn, mix, moments, percents, pixels, said  # noqa: F401 - fixtures
from tests.browser.test_page import drop
from tests.test_mix import styled, styled_weights  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def test_a_film_goes_through_its_moments(mix):
    page = mix()
    moments(page, "happy")
    expect(page.locator(".mix-player")).to_be_hidden()
    moments(page, "sad", "fear")
    page.get_by_role("slider", name="Seconds a step").fill("0.4")
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    place = page.get_by_role("slider", name="Place in the film")
    before = float(place.input_value())
    page.wait_for_timeout(150)
    assert float(place.input_value()) != before
    page.get_by_role("button", name="Pause").click()
    at = place.input_value()
    page.wait_for_timeout(150)
    assert place.input_value() == at
    assert place.get_attribute("max") == "30"
    still = page.locator(".mix-face canvas")
    colours = []
    for value in ("0", "10", "15"):
        place.fill(value)
        colours.append(still.evaluate("canvas => canvas.toDataURL()"))
    assert len(set(colours)) == 3
    page.get_by_role("slider", name="angry").fill("30")
    expect(still).to_be_hidden()  # the face is back


def test_without_a_loop_a_film_ends_at_its_last_moment(mix, styled):
    page = mix()
    moments(page, "happy", "sad")
    page.get_by_role("slider", name="Seconds a step").fill("0.4")
    page.get_by_label("Loop").uncheck()
    page.get_by_role("button", name="Play", exact=True).click()
    place = page.get_by_role("slider", name="Place in the film")
    expect(place).to_have_value("10")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    shown = pixels(page.locator(".mix-face canvas").evaluate("canvas => canvas.toDataURL()"))
    assert np.abs(shown[..., 0].astype(int) - drawn(styled, sad=1)).max() <= 1


def test_moments_are_moved_and_removed_by_keyboard(mix):
    page = mix()
    moments(page, "happy", "sad")

    def titles():
        return [
            title.split(": ")[1].split(",")[0]
            for title in page.locator(".mix-moments .mix-thumb").evaluate_all(
                "all => all.map(one => one.title)"
            )
        ]

    assert titles() == ["happy", "sad"]
    page.get_by_role("button", name="Moment 1 later").press("Enter")
    assert titles() == ["sad", "happy"]
    expect(page.get_by_role("button", name="Remove moment 1")).to_be_visible()
    page.get_by_role("button", name="Remove moment 1").press("Enter")
    assert titles() == ["happy"]
    page.get_by_role("button", name="Moment 1: happy").click()
    assert percents(page) == {"happy": 100}


def test_drawing_a_film_can_be_stopped(mix):
    page = mix()
    moments(page, "happy", "sad")
    expect(page.locator(".mix-moments .stale")).to_have_count(0)
    held = []

    def hold(route):  # the judge may read a face meanwhile
        if route.request.post_data_json["fn_name"] == "strip":
            held.append(route)
        else:
            route.continue_()

    page.route(REQUESTS, hold)
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.locator(".mix-progress")).to_contain_text("Drawing the film")
    page.get_by_role("button", name="Stop").click()
    assert len(held) == 1
    held[0].continue_()
    expect(page.locator(".mix-progress")).to_be_hidden()
    assert len(held) == 1  # the second half of the loop was not asked for
    expect(page.locator(".mix-face canvas")).to_be_hidden()


@pytest.mark.parametrize("way", ["face", "tab"])
def test_a_film_does_not_start_where_somebody_has_gone_on(mix, way):
    page = mix()
    moments(page, "happy", "sad")
    held, let_go = held_back(page, "strip")
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, lambda: held)
    if way == "face":
        page.get_by_role("slider", name="angry").fill("30")
    else:
        page.get_by_role("tab", name="Generate").click()
        page.get_by_role("tab", name="Mix").click()
    let_go()
    expect(page.locator(".mix-progress")).to_be_hidden()
    expect(page.locator(".mix-face canvas")).to_be_hidden()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_two_clicks_save_one_film(mix):
    page = mix()
    moments(page, "happy", "sad")
    page.get_by_role("slider", name="Seconds a step").fill("0.4")
    asked = []
    page.on("request", lambda request: asked.append(request.post_data or ""))
    with page.expect_download():
        page.get_by_role("button", name="Save film").evaluate("button => { button.click(); button.click(); }")
    assert len([body for body in asked if '"film"' in body]) == 1


@pytest.mark.parametrize(("kind", "name"), [("GIF", "gif"), ("MP4", "mp4")])
def test_a_film_is_saved_and_restores_its_moments(mix, tmp_path, kind, name):
    page = mix()
    moments(page, "happy", "sad")
    page.get_by_role("slider", name="Seconds a step").fill("0.4")
    page.locator("[data-field=kind]").select_option(kind)
    page.locator("[data-field=width]").select_option("256 px")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save film").click()
    file = tmp_path / f"film.{name}"
    download.value.save_as(file)
    assert [moment.emotion for moment in provenance.read(file).moments] == [{"happy": 1}, {"sad": 1}]
    other = mix("&model=cgan&seed=3&fear=1")
    drop(other, file.name, file.read_bytes())
    expect(said(other)).to_have_text("happy, seed 7, by AC-GAN.")
    expect(other.locator(".mix-moments li")).to_have_count(2)


def test_a_lost_answer_does_not_end_a_film(mix):
    page = mix()
    moments(page, "happy", "sad")
    page.get_by_role("slider", name="Seconds a step").fill("0.4")
    lost, given_up = [], []

    def lose(route):
        asked = route.request.post_data_json["fn_name"]
        answer = route.fetch()
        with_file = "content" in answer.text()
        if asked == "progress" and (len(lost) < 3 or (with_file and True not in lost)):
            lost.append(with_file)
            return route.abort()
        given_up.extend([asked] * (asked == "stop"))
        return route.fulfill(response=answer)

    page.route(REQUESTS, lose)
    with page.expect_download():
        page.get_by_role("button", name="Save film").click()
    assert True in lost  # the file itself, once
    until(page, lambda: given_up)  # the server keeps it no longer


def test_a_film_that_failed_in_a_hidden_tab_is_told_when_the_tab_is_opened(mix):
    page = mix()
    moments(page, "happy", "sad")
    page.get_by_role("slider", name="Seconds a step").fill("0.4")
    held = []

    def spoil(route):
        asked = route.request.post_data_json
        if asked["fn_name"] == "progress":
            held.append(asked)
            page.get_by_role("tab", name="Generate").click()
            route.continue_(post_data={**asked, "data": "another"})
        else:
            route.continue_()

    page.evaluate(  # a second is 20 ms
        "() => { const set = setInterval; window.setInterval = (tell, ms) => set(tell, ms / 50); }"
    )
    page.route(REQUESTS, spoil)
    page.get_by_role("button", name="Save film").click()
    until(page, lambda: held)
    notice = page.locator(".mix .notice p")
    expect(notice).to_have_text("This film is not being made any more; start it anew.")
    page.wait_for_timeout(500)
    assert page.locator(".mix .notice").evaluate("notice => !notice.hidden")
    page.get_by_role("tab", name="Mix").click()
    expect(page.locator(".mix .notice")).to_have_attribute("hidden", "")


def test_a_file_being_made_can_be_stopped(mix):
    page = mix()
    moments(page, "happy", "sad", "fear", "angry")
    page.get_by_role("slider", name="Seconds a step").fill("5")
    page.locator("[data-field=kind]").select_option("WebP")
    page.locator("[data-field=width]").select_option("512 px")
    page.get_by_role("button", name="Save film").click()
    expect(page.locator(".mix-progress")).to_contain_text("Making the file")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("alert")).to_contain_text("Stopped; nothing was saved.")
    expect(page.locator(".mix-progress")).to_be_hidden()


def test_with_reduced_motion_a_film_takes_steps(mix):
    page = mix(reduced_motion="reduce")
    moments(page, "happy", "sad")
    step = page.get_by_role("button", name="Step", exact=True)
    step.click()
    place = page.get_by_role("slider", name="Place in the film")
    expect(page.locator(".mix-face canvas")).to_be_visible()
    page.wait_for_timeout(200)
    assert place.input_value() == "0"
    step.click()
    expect(place).to_have_value("10")  # a quarter of 1.6 seconds
    page.wait_for_timeout(200)
    assert place.input_value() == "10"


def test_moments_are_there_again_after_a_reload(mix):
    page = mix()
    moments(page, "happy", "sad", "fear")
    page.get_by_role("button", name="Remove moment 2").click()
    page.reload()
    titles = page.locator(".mix-moments .mix-thumb")
    expect(titles).to_have_count(2)
    expect(titles.first).to_have_attribute("title", "Moment 1: happy, seed 7")
    expect(page.locator(".mix-moments img:not([src])")).to_have_count(0)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_stored_moments_that_are_broken_are_left_out(mix):
    weights = dict.fromkeys(EMOTIONS, 0) | {"sad": 100}
    sound = {"model": "acgan", "seed": 3, "weights": weights, "typical": 0, "coarse": None}
    wrong = {"model": "nope", "seed": -1, "weights": {"sad": "100"}, "typical": 0.5, "coarse": "2"}
    page = mix()
    for kept, count in (
        ([sound] + [sound | {name: value} for name, value in wrong.items()], 1),
        ([None], 0),
        (7, 0),
    ):
        page.evaluate("(kept) => localStorage.setItem('fergan.mix.moments', JSON.stringify(kept))", kept)
        page.reload()
        expect(said(page)).to_contain_text("happy")
        expect(page.locator(".mix-moments li")).to_have_count(count)
