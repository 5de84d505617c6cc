"""The tab Recognise in a browser: what a person does, and sees. Its judge is tiny and untrained."""

import base64
import csv
import io
import re

import numpy as np
import pytest
from PIL import Image

from fergan.emotions import EMOTIONS
from fergan.ui import recognise
from tests.browser.conftest import (
    cut_off,
    held_back,
    until,
)

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def png(picture, size=None):
    file = io.BytesIO()
    (picture.resize(size) if size else picture).save(file, "PNG")
    return file.getvalue()


GREY = png(Image.new("L", (200, 150), 120))


@pytest.fixture
def face(engine):
    """A drawn face of 48 pixels, as its file."""
    return png(Image.fromarray(engine.generate("cgan", np.eye(7)[:1], [5])[0]))


@pytest.fixture
def opened(visit):
    """Opens the tab."""

    def opened(**options):
        page = visit(**options)
        page.get_by_role("tab", name="Recognise").click()
        page.wait_for_selector(".example img[src]")
        return page

    return opened


def choose(page, *files):
    page.get_by_label("Choose photos").set_input_files(
        [{"name": name, "mimeType": "image/png", "buffer": content} for name, content in files]
    )


def transfer(page, event, target, content, name="face.png"):
    """Drops or pastes a file, as a hand would."""
    page.evaluate(
        """([event, target, content, name]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
            if (content) transfer.items.add(new File([bytes], name, {type: 'image/png'}));
            const sent = event === 'paste'
              ? new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true})
              : new DragEvent(event, {dataTransfer: transfer, bubbles: true, cancelable: true});
            document.querySelector(target).dispatchEvent(sent);
        }""",
        [event, target, base64.b64encode(content).decode(), name],
    )


def state(page, name):
    expect(page.locator(".recognise")).to_have_attribute("data-state", name, timeout=20_000)


def said(page):
    return page.locator(".read-said")


def expected(engine, face):
    [row] = engine.classify(np.array(Image.open(io.BytesIO(face)))[None])
    return row, recognise.words(row)


def test_a_chosen_photo_is_read(opened, engine, face):
    page = opened()
    expect(page.locator(".photo-empty")).to_contain_text("Drop a photo")
    choose(page, ("face.png", face))
    row, words = expected(engine, face)
    expect(said(page)).to_have_text(words)
    for name, share in zip(EMOTIONS, row, strict=True):
        bar = page.get_by_role("button", name=re.compile(rf"^{name}, "))
        expect(bar).to_have_attribute("aria-label", f"{name}, {round(float(share) * 100)} %")
    expect(page.get_by_role("button", name=f"Face 1 of 1: {EMOTIONS[row.argmax()]}")).to_be_visible()
    expect(page.locator("[data-seen=map]")).to_have_attribute("src", re.compile("^data:image/png"))


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photo_comes_by_drop_and_paste(opened, engine, face, way):
    page = opened()
    transfer(page, way, "body", face)
    expect(said(page)).to_have_text(expected(engine, face)[1])


def test_an_empty_clipboard_is_told(opened):
    page = opened()
    transfer(page, "paste", "body", b"")
    expect(page.locator(".recognise .notice")).to_contain_text("The clipboard holds no picture.")


def test_what_is_dropped_on_another_tab_is_not_read(opened, face):
    page = opened()
    page.get_by_role("tab", name="Generate").click()
    transfer(page, "drop", "body", face)
    page.get_by_role("tab", name="Recognise").click()
    state(page, "empty")


def test_an_example_is_read(opened, engine):
    page = opened()
    page.get_by_role("button", name="Example 2").click()
    state(page, "done")
    drawn = page.locator(".example img").nth(1).get_attribute("src")
    content = base64.b64decode(drawn.partition(",")[2])
    expect(said(page)).to_have_text(expected(engine, content)[1])


def test_of_two_photos_the_later_stays_however_large_the_first(opened, engine, face):
    page = opened()
    page.evaluate(
        """() => {
            const read = window.createImageBitmap;
            window.createImageBitmap = async (file) => {
                if (file.name === 'large.png') await new Promise((done) => setTimeout(done, 800));
                return read(file);
            };
        }"""
    )
    choose(page, ("large.png", GREY))
    choose(page, ("face.png", face))
    expect(said(page)).to_have_text(expected(engine, face)[1])
    page.wait_for_timeout(1000)
    expect(page.locator(".photo-view img")).to_have_attribute("alt", "face.png")
    state(page, "done")


def test_what_only_the_server_can_open_is_read(opened, engine, face):
    page = opened()
    page.evaluate("() => { window.createImageBitmap = async () => { throw new DOMException(''); }; }")
    choose(page, ("face.png", face))
    expect(said(page)).to_have_text(expected(engine, face)[1])
    state(page, "done")


def test_a_press_on_an_emotion_shows_where_it_was_seen(opened, face):
    page = opened()
    choose(page, ("face.png", face))
    page.wait_for_selector("[data-seen=map][src]")
    seen = page.locator("[data-seen=map]").get_attribute("src")
    unlike = page.locator(".read-bar[aria-pressed=false]").first
    name = unlike.get_attribute("data-emotion")
    unlike.press("Enter")
    expect(page.locator(f".read-bar[data-emotion={name}]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".seen-hint")).to_contain_text(f"spoke for {name}.")
    expect(page.locator("[data-seen=map]")).not_to_have_attribute("src", seen)
    page.get_by_label("Show where it looked").fill("0")
    expect(page.locator("[data-seen=map]")).to_have_css("opacity", "0")


def test_no_face_is_told_and_the_middle_can_be_read(opened):
    page = opened()
    choose(page, ("grey.png", GREY))
    expect(page.get_by_role("alert")).to_contain_text("No face was found in this picture.")
    expect(page.get_by_role("button", name="Retry")).to_be_hidden()
    page.get_by_role("button", name="Read the middle as one face").click()
    state(page, "done")
    expect(said(page)).to_contain_text("The judge")


def test_what_is_no_picture_gets_a_sentence(opened, engine, face):
    page = opened()
    choose(page, ("note.png", b"hello"))
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("note.png: This file is not a picture that can be read")
    choose(page, ("face.png", face))  # and the next photo is read as if nothing had been
    expect(said(page)).to_have_text(expected(engine, face)[1])
    expect(alert).to_be_hidden()


def test_a_server_that_is_gone_is_told_and_retried(opened, engine, face):
    page = opened()
    cut_off(page)
    choose(page, ("face.png", face))
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    page.unroute("**/component_server/**")
    page.get_by_role("button", name="Retry").click()
    expect(said(page)).to_have_text(expected(engine, face)[1])


def test_a_large_photo_is_scaled_down_before_it_is_sent(opened):
    page = opened()
    with page.expect_request(lambda request: '"recognise"' in (request.post_data or "")) as sent:
        choose(page, ("large.png", png(Image.linear_gradient("L"), (3000, 2000))))
    content = base64.b64decode(sent.value.post_data_json["data"]["photo"])
    assert Image.open(io.BytesIO(content)).size == (1280, 853)
    state(page, "failed")


def test_no_map_lies_over_another_face(opened, face):
    page = opened()
    choose(page, ("one.png", face))
    seen = page.locator("[data-seen=map]")
    expect(seen).to_have_attribute("src", re.compile("^data:"), timeout=20_000)
    held, let_go = held_back(page, "explain")
    page.get_by_role("button", name="Example 1").click()
    until(page, lambda: held)
    expect(page.locator("[data-seen=face]")).to_have_attribute("src", re.compile("^data:"))
    assert seen.get_attribute("src") is None
    let_go()
    expect(seen).to_have_attribute("src", re.compile("^data:"))


def test_many_files_become_a_table(opened, engine, face):
    page = opened()
    choose(page, ("=a,b.png", face), ("note.png", b"hello"), ("grey.png", GREY), ("again.png", face))
    state(page, "batch-done")
    expect(page.locator(".batch-head p")).to_have_text("2 faces in 4 files.")
    rows = page.locator(".batch tbody tr")
    row, _ = expected(engine, face)
    expect(rows.nth(0)).to_contain_text(EMOTIONS[row.argmax()])
    expect(rows.nth(1)).to_contain_text("not a picture")
    expect(rows.nth(2)).to_contain_text("No face was found")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save CSV").click()
    assert download.value.suggested_filename == "emotions.csv"
    assert download.value.path().read_bytes().startswith(b"\xef\xbb\xbf")  # else Excel garbles accents
    with download.value.path().open(newline="", encoding="utf-8-sig") as file:
        table = list(csv.DictReader(file))
    assert [line["file"] for line in table] == ["'=a,b.png", "note.png", "grey.png", "again.png"]
    assert [float(table[0][name]) for name in EMOTIONS] == pytest.approx(row, abs=1e-4)
    assert table[0]["strongest"] == EMOTIONS[row.argmax()]
    assert table[1]["error"].startswith("This file is not a picture")


def test_many_files_outlast_a_gap_in_the_network(opened, face):
    page = opened()
    gap = []

    def lose(route):
        if len(gap) < 1 and (route.request.post_data_json or {}).get("fn_name") == "recognise":
            gap.append(route)
            route.abort()
        else:
            route.continue_()

    page.route("**/component_server/**", lose)
    choose(page, *[(f"{number}.png", face) for number in range(3)])
    expect(page.locator(".batch-head p")).to_have_text("No answer for 0.png: trying again")
    state(page, "batch-done")
    expect(page.locator(".batch-head p")).to_have_text("3 faces in 3 files.")


def test_many_files_can_be_stopped(opened, face):
    page = opened()
    held = []
    page.route("**/component_server/**", lambda route: held.append(route))
    choose(page, *[(f"{number}.png", face) for number in range(3)])
    expect(page.locator(".batch-head p")).to_have_text("Reading 1 of 3: 0.png")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".batch-head p")).to_have_text("Stopped after 0 files.")
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    expect(page.locator(".batch tbody tr")).to_have_count(0)
    assert len(held) == 1


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (360, 740)])
def test_nothing_lies_beside_the_page(opened, face, width, height):
    page = opened(width=width, height=height)
    for files in ([("face.png", face)], [("grey.png", GREY)], [("a.png", face), ("note.png", b"no")]):
        choose(page, *files)
        expect(page.locator(".recognise")).to_have_attribute("data-state", re.compile("done|failed"))
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for part in page.locator(".photo-stage:visible, .reading:visible, .sources:visible").all():
            box = part.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width


def test_the_tab_in_a_screen_readers_words(opened, engine, face):
    page = opened()
    choose(page, ("face.png", face))
    _, words = expected(engine, face)
    expect(said(page)).to_have_text(words)
    snapshot = page.locator(".recognise").aria_snapshot()
    for line in (
        f'status: "{words}"',
        'button "Use camera"',
        'button "Example 1, drawn here"',
        'slider "Show where',
    ):
        assert line in snapshot


def test_the_link_opens_the_tab(opened, browser, address):
    page = opened()
    expect(page).to_have_url(re.compile(r"\?tab=recognise$"))
    again = browser.new_page()
    again.goto(page.url)
    expect(again.locator(".photo-empty")).to_be_visible(timeout=20_000)
    expect(again).to_have_url(page.url)
    again.close()
