"""The tab Translate in a browser: films of a change, and the camera. Its translator is noise."""

import base64

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import (
    ask_a_camera_that_is_not_allowed,
    ask_for_the_camera_twice,
    held_back,
    until,
)
from tests.browser.test_recognise_camera import hide, keep_the_camera, unplug
from tests.browser.test_translate import CHANGED, address, choose, done, opened, said, shown, state  # noqa: F401 - fixtures
from tests.test_recognise import people, png  # noqa: F401 - people is a fixture
from tests.test_translate import translating, translating_weights  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def test_a_film_is_played_and_saved(done):
    page = done()
    page.locator(".translate .advanced summary").click()
    page.get_by_role("slider", name="Film, seconds one way").fill("0.4")
    still = shown(page)
    was = page.locator(".tr-after").evaluate("canvas => canvas.toDataURL()")
    page.get_by_role("button", name="Play").click()
    stop = page.locator(".translate [data-do=play]", has_text="Stop")
    expect(stop).to_be_visible(timeout=20_000)
    page.wait_for_function("was => document.querySelector('.tr-after').toDataURL() !== was", arg=was)
    stop.click()
    expect(said(page)).to_contain_text("happy at 100")
    assert np.array_equal(shown(page), still)
    page.locator(".translate [data-field=kind]").select_option("WebP")
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="Save film").click()
    assert download.value.suggested_filename == "edited_film_happy_stargan.webp"
    with Image.open(download.value.path()) as film:
        assert film.size == (640, 480)
        assert film.n_frames > 15
    expect(page.locator(".tr-progress")).to_be_hidden()


def test_after_a_film_and_another_tab_the_result_is_back(done):
    page = done()
    page.locator(".translate .advanced summary").click()
    page.get_by_role("slider", name="Film, seconds one way").fill("4")
    still = shown(page)
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".translate [data-do=play]")).to_have_text("Stop", timeout=20_000)
    page.wait_for_timeout(600)
    page.get_by_role("tab", name="Generate").click()
    page.get_by_role("tab", name="Translate").click()
    expect(page.locator(".translate [data-do=play]")).to_have_text("Play")
    assert np.array_equal(shown(page), still)


def test_a_film_is_saved_while_somebody_goes_on(done):
    page = done()
    page.locator(".translate .advanced summary").click()
    with page.expect_download(timeout=60_000) as download:
        held, let_go = held_back(page, "progress")
        page.get_by_role("button", name="Save film").click()
        until(page, lambda: held)
        page.keyboard.press("5")
        page.get_by_role("tab", name="Generate").click()
        let_go()
    assert download.value.suggested_filename == "edited_film_happy_stargan.gif"


def test_making_a_film_can_be_stopped(done):
    page = done()
    page.locator(".translate .advanced summary").click()
    page.get_by_role("slider", name="Film, seconds one way").fill("4")
    page.get_by_role("button", name="Save film").click()
    expect(page.locator(".tr-progress")).to_contain_text("Making the file")
    page.locator(".tr-progress").get_by_role("button", name="Stop").click()
    expect(page.locator(".translate .notice")).to_contain_text("Stopped; nothing was saved.")
    expect(page.locator(".tr-progress")).to_be_hidden()


def test_with_reduced_motion_a_film_is_stepped(done):
    page = done(reduced_motion="reduce")
    pictures = [shown(page).tobytes()]
    for _ in range(2):
        was = page.locator(".tr-after").evaluate("canvas => canvas.toDataURL()")
        page.get_by_role("button", name="Step").click()
        page.wait_for_function(
            "was => document.querySelector('.tr-after').toDataURL() !== was", arg=was, timeout=20_000
        )
        pictures.append(shown(page).tobytes())
    assert len(set(pictures)) == 3


# --- the camera ---


def test_of_the_camera_only_a_small_grey_square_goes_out(opened, translating):
    page = opened(permissions=["camera"])
    sent = []
    page.on("request", lambda request: sent.append(request.post_data or ""))
    with page.expect_response(lambda answer: '"live"' in (answer.request.post_data or "")) as live:
        page.get_by_role("button", name="Use camera").click()
    asked = live.value.request.post_data_json["data"]
    assert len(base64.b64decode(asked["grey"])) == 96 * 96
    state(page, "live")
    page.wait_for_function("document.querySelector('.translate').dataset.pictures > 5")
    assert max(map(len, sent)) < 14_000
    moved = page.evaluate(CHANGED)
    assert max(moved) > 20
    assert max(moved[:20]) == max(moved[-20:]) == 0  # beside the square nothing changes
    page.get_by_role("button", name="Stop camera").click()
    state(page, "empty")
    asked = len(sent)
    page.wait_for_timeout(300)
    assert len(sent) == asked


def test_a_camera_picture_becomes_a_photo(opened):
    page = opened(permissions=["camera"])
    page.get_by_role("button", name="Use camera").click()
    page.wait_for_function("document.querySelector('.translate').dataset.pictures > 1")
    page.get_by_role("button", name="Take this picture").click()
    expect(page.get_by_role("alert")).to_contain_text("No face was found", timeout=20_000)
    expect(page.get_by_role("button", name="Use camera")).to_be_visible()


def test_after_the_camera_the_photo_is_back(done):
    page = done(permissions=["camera"])
    changed = shown(page)
    page.get_by_role("button", name="Use camera").click()
    page.wait_for_function("document.querySelector('.translate').dataset.pictures > 1")
    page.get_by_role("tab", name="Generate").click()
    page.get_by_role("tab", name="Translate").click()
    state(page, "done")
    expect(said(page)).to_contain_text("Face 1 of 2")
    assert np.array_equal(shown(page), changed)


@pytest.mark.parametrize("way", [hide, unplug])
def test_the_camera_goes_off_with_the_window_and_the_plug(done, way):
    page = done(permissions=["camera"])
    changed = shown(page)
    keep_the_camera(page)
    page.get_by_role("button", name="Use camera").click()
    page.wait_for_function("document.querySelector('.translate').dataset.pictures > 1")
    way(page)
    state(page, "done")
    assert not page.evaluate("window.camera.active")
    expect(page.get_by_role("button", name="Use camera")).to_be_visible()
    expect(page.locator(".translate .notice", has_text="The camera is gone")).to_have_count(
        int(way is unplug)
    )
    assert np.array_equal(shown(page), changed)


def test_two_clicks_open_one_camera(opened):
    ask_for_the_camera_twice(opened(permissions=["camera"]))


def test_no_film_is_saved_of_the_photo_from_before_the_camera(done):
    page = done(permissions=["camera"])
    page.locator(".translate .advanced summary").click()
    page.get_by_role("button", name="Use camera").click()
    state(page, "live")
    page.get_by_role("button", name="Save film").click()
    expect(page.locator(".translate .notice")).to_contain_text("Take the camera's picture first.")
    expect(page.locator(".tr-progress")).to_be_hidden()


@pytest.mark.parametrize("allowed", [True, False])
def test_faces_are_found_though_the_camera_came_first(opened, people, allowed):
    page = opened(permissions=["camera"] if allowed else [])
    held, let_go = held_back(page, "find")
    choose(page, png(people))
    until(page, lambda: held)
    if allowed:
        page.get_by_role("button", name="Use camera").click()
        state(page, "live")
        let_go()
        page.get_by_role("button", name="Stop camera").click()
    else:
        ask_a_camera_that_is_not_allowed(page)
        expect(page.locator(".translate .notice")).to_contain_text("The camera was not allowed.")
        let_go()
    expect(said(page)).to_contain_text("Face 1 of 2", timeout=20_000)
    state(page, "done")


def test_a_camera_that_is_not_allowed_gets_a_sentence(opened):
    ask_a_camera_that_is_not_allowed(page := opened())
    expect(page.get_by_role("alert")).to_contain_text("The camera was not allowed.")
