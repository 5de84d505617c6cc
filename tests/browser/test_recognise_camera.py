"""The tab Recognise and a camera: read live, refused, gone."""

import base64
import io

import pytest
from PIL import Image

from tests.browser.conftest import ask_a_camera_that_is_not_allowed, ask_for_the_camera_twice
from tests.browser.test_recognise import choose, expected, face, opened, said, state  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def test_the_camera_is_read_until_it_is_stopped(opened):
    page = opened(permissions=["camera"])
    with page.expect_response(lambda answer: '"recognise"' in (answer.request.post_data or "")) as read:
        page.get_by_role("button", name="Use camera").click()
    content = base64.b64decode(read.value.request.post_data_json["data"]["photo"])
    assert max(Image.open(io.BytesIO(content)).size) == 320
    state(page, "live")
    page.get_by_role("button", name="Stop camera").click()
    state(page, "empty")
    expect(page.get_by_role("button", name="Use camera")).to_be_visible()
    assert page.evaluate("document.querySelector('.recognise video').srcObject") is None


def test_two_clicks_open_one_camera(opened):
    ask_for_the_camera_twice(opened(permissions=["camera"]))


def test_the_camera_goes_off_with_the_tab(opened):
    page = opened(permissions=["camera"])
    page.get_by_role("button", name="Use camera").click()
    state(page, "live")
    page.get_by_role("tab", name="Generate").click()
    page.get_by_role("tab", name="Recognise").click()
    state(page, "empty")


def keep_the_camera(page):
    """Keeps the stream that the page is given, to end it as an unplugged camera does."""
    page.evaluate(
        """() => {
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (wish) => window.camera = await ask(wish);
        }"""
    )


def hide(page):
    """What a browser does whose tab goes to the back."""
    page.evaluate(
        """() => {
            Object.defineProperty(document, 'hidden', {configurable: true, get: () => true});
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )


def unplug(page):
    page.evaluate(
        "() => window.camera.getTracks().forEach((track) => track.dispatchEvent(new Event('ended')))"
    )


@pytest.mark.parametrize("way", [hide, unplug])
def test_the_camera_goes_off_with_the_window_and_the_plug(opened, way):
    page = opened(permissions=["camera"])
    keep_the_camera(page)
    page.get_by_role("button", name="Use camera").click()
    state(page, "live")
    way(page)
    state(page, "empty")
    assert not page.evaluate("window.camera.active")
    expect(page.get_by_role("button", name="Use camera")).to_be_visible()
    expect(page.locator(".recognise .notice", has_text="The camera is gone")).to_have_count(
        int(way is unplug)
    )


def test_what_was_read_outlasts_a_refused_camera_and_file(opened, engine, face):
    page = opened()
    choose(page, ("face.png", face))
    _, words = expected(engine, face)
    expect(said(page)).to_have_text(words)
    notice = page.locator(".recognise .notice")
    choose(page, ("note.png", b"hello"))  # which the server alone can tell
    expect(notice).to_contain_text("note.png: This file is not a picture that can be read")
    state(page, "done")
    expect(said(page)).to_have_text(words)
    expect(page.locator(".photo-view img")).to_have_attribute("alt", "face.png")
    ask_a_camera_that_is_not_allowed(page)
    expect(notice).to_contain_text("The camera was not allowed.")
    page.evaluate("() => { FileReader.prototype.readAsDataURL = function () { this.onerror(); }; }")
    page.evaluate(
        "() => Object.defineProperty(FileReader.prototype, 'error', {get: () => new Error('Gone.')})"
    )
    choose(page, ("other.png", face))
    expect(notice).to_contain_text("other.png: Gone.")
    state(page, "done")
    expect(said(page)).to_have_text(words)
    choose(page, ("a.png", face), ("b.png", face))
    state(page, "batch-done")
    page.get_by_role("button", name="Use camera").click()
    expect(notice).to_contain_text("The camera was not allowed.")
    state(page, "batch-done")
    expect(page.locator(".batch tbody tr")).to_have_count(2)


def test_a_camera_that_is_not_allowed_gets_a_sentence(opened):
    ask_a_camera_that_is_not_allowed(page := opened())
    expect(page.get_by_role("alert")).to_contain_text("The camera was not allowed.")
