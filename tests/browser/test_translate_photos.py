"""The tab Translate in a browser: photos that come and go, and the square on them. Its translator is noise."""

import base64
import dataclasses
import io
import itertools
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from fergan import checkpoint, provenance
from fergan.emotions import EMOTIONS
from fergan.engine import Face
from fergan.images import from_photo
from tests.browser.conftest import cut_off, held_back, until
from tests.browser.test_recognise import transfer
from tests.browser.test_translate import REQUESTS, address, choose, done, opened, places, said, shown, state  # noqa: F401 - fixtures
from tests.test_recognise import people, png  # noqa: F401 - people is a fixture
from tests.test_translate import translating, translating_weights  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


GREY = png(Image.new("L", (200, 150), 120))


SHOWN = """async (address) => {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), {width: image.naturalWidth, height: image.naturalHeight});
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const rows = Array.from({length: canvas.height}, (_, y) => [...context.getImageData(0, y, canvas.width, 1).data]);
  return rows.map((row) => row.filter((_, i) => i % 4 === 0));
}"""  # rows of levels, of a picture's address


def test_photos_lie_here_as_the_server_sees_them(opened):
    """Else the squares that it finds would lie beside the faces."""
    page, picture, exif = opened(), Image.new("L", (80, 40)), Image.Exif()
    picture.paste(255, (0, 0, 16, 16))
    for kind, turn in itertools.product(("JPEG", "PNG", "WEBP"), (3, 6)):
        file, exif[0x0112] = io.BytesIO(), turn
        picture.save(file, kind, exif=exif)
        content = base64.b64encode(file.getvalue()).decode()
        here = np.asarray(page.evaluate(SHOWN, f"data:image/{kind.lower()};base64,{content}"))
        found = np.asarray(from_photo(file.getvalue()).convert("L"), int)
        assert here.shape == found.shape, (kind, turn)
        assert np.abs(here - found).max() < 12, (kind, turn)


def test_the_square_is_nudged_by_button_key_and_hand(done):
    page = done()
    page.get_by_label("Adjust the square").check()
    box = page.locator(".translate .box").first
    seen = page.locator("[data-seen=before]").get_attribute("src")
    found = places(page)
    for name in ("Left", "Down", "Larger", "Turn right"):
        before = places(page)
        page.get_by_role("button", name=name, exact=True).click()
        assert places(page)[0] != before[0]
        assert places(page)[1] == before[1]
    expect(page.locator("[data-seen=before]")).not_to_have_attribute("src", seen)
    for key in ("ArrowUp", "Shift+ArrowRight", "-", "[", "+", "]"):
        before = places(page)
        box.press(key)
        assert places(page)[0] != before[0]
    edges = box.bounding_box()
    for corner in (0.5, 1):
        before = box.evaluate("box => [parseFloat(box.style.left), parseFloat(box.style.width)]")
        page.mouse.move(edges["x"] + edges["width"] * corner, edges["y"] + edges["height"] * corner)
        page.mouse.down()
        page.mouse.move(edges["x"] + edges["width"] * corner + 30, edges["y"] + edges["height"] * corner + 30)
        page.mouse.up()
        after = box.evaluate("box => [parseFloat(box.style.left), parseFloat(box.style.width)]")
        if corner == 0.5:
            assert after[0] > before[0]
            assert after[1] == pytest.approx(before[1])
            edges = box.bounding_box()
        else:
            assert after[1] > before[1]
    page.get_by_role("button", name="As it was found").click()
    assert places(page) == found


def test_nobody_is_told_and_a_square_is_placed_by_hand(opened):
    page = opened()
    choose(page, GREY, "grey.png")
    expect(page.get_by_role("alert")).to_contain_text("No face was found in this picture.")
    page.get_by_role("button", name="Place a square by hand").click()
    state(page, "done")
    expect(page.locator(".translate .box")).to_have_count(1)
    expect(page.locator(".translate .box")).to_be_focused()
    expect(page.locator(".tr-nudges")).to_be_visible()
    expect(said(page)).to_contain_text("happy at 100")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photo_comes_by_drop_and_paste(opened, people, way):
    page = opened()
    transfer(page, way, "body", png(people))
    expect(said(page)).to_contain_text("Face 1 of 2", timeout=20_000)


def test_an_example_is_changed(opened):
    page = opened()
    page.get_by_role("button", name="Example 2").click()
    expect(said(page)).to_have_text("happy at 100\u00a0%, by StarGAN.", timeout=20_000)
    assert shown(page, "before").shape == (384, 384, 3)


def test_the_seven_are_those_of_the_later_photo(opened):
    page = opened()
    held, let_go = held_back(page, "seven")
    page.get_by_role("button", name="Example 1").click()
    until(page, lambda: held)
    with page.expect_request(lambda request: '"find"' in (request.post_data or "")):
        page.get_by_role("button", name="Example 2").click()
    expect(said(page)).not_to_be_empty(timeout=20_000)
    page.wait_for_timeout(400)  # the hand rests
    let_go()
    expect(page.locator(".tr-mood img[src]")).to_have_count(7)
    other = opened()
    other.get_by_role("button", name="Example 2").click()
    expect(other.locator(".tr-mood img[src]")).to_have_count(7)
    late, due = (
        one.locator(".tr-mood img").evaluate_all("all => all.map(image => image.src)")
        for one in (page, other)
    )
    assert late == due


def test_what_is_no_picture_is_told_and_nothing_is_lost(opened, people):
    page = opened()
    choose(page, b"hello", "note.png")
    expect(page.get_by_role("alert")).to_contain_text("note.png: This file is not a picture")
    choose(page, png(people))
    expect(said(page)).to_contain_text("Face 1 of 2", timeout=20_000)
    changed = shown(page)
    choose(page, b"hello", "note.png")
    expect(page.locator(".translate .notice")).to_contain_text("note.png: This file is not a picture")
    state(page, "done")
    assert np.array_equal(shown(page), changed)


def test_a_server_that_is_gone_while_it_looks_for_faces_is_retried(opened, people):
    page = opened()
    cut_off(page)
    choose(page, png(people))
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    page.unroute(REQUESTS)
    page.get_by_role("button", name="Retry").click()
    expect(said(page)).to_contain_text("Face 1 of 2", timeout=20_000)


def test_a_photo_that_the_server_would_not_read_is_saved_as_the_page_shows_it(opened, people):
    page = opened()
    page.get_by_label("Choose a photo").set_input_files(
        [{"name": "two.avif", "mimeType": "image/avif", "buffer": png(people)}]
    )
    expect(said(page)).to_contain_text("happy at 100", timeout=20_000)
    asking = page.expect_request(lambda request: '"save"' in (request.post_data or ""))
    with asking as saving, page.expect_download() as download:
        page.get_by_role("button", name="Save photo").click()
    assert saving.value.post_data_json["data"]["photo"].startswith("/9j/")  # a JPEG
    with Image.open(download.value.path()) as saved:
        assert saved.size == people.size


def test_a_photo_is_saved_at_its_own_size(opened, people, translating):
    page = opened("&emotion=sad&intensity=50")
    large = people.resize((1920, 1440), Image.Resampling.BICUBIC)
    with page.expect_request(lambda request: '"find"' in (request.post_data or "")) as sent:
        choose(page, png(large))
    looked = base64.b64decode(sent.value.post_data_json["data"]["photo"])
    assert Image.open(io.BytesIO(looked)).size == (1024, 768)
    expect(said(page)).to_contain_text("Face 1 of 2: sad at 50", timeout=20_000)
    saving = page.expect_request(lambda request: '"save"' in (request.post_data or ""))
    with saving as asked, page.expect_download() as download:
        page.get_by_role("button", name="Save photo").click()
    assert download.value.suggested_filename == "edited_sad_stargan.png"
    found = download.value.path()
    assert provenance.read(found).edited == (0.5, 1)
    [square] = asked.value.post_data_json["data"]["faces"]
    changed = translating.translate(
        "stargan", large, np.eye(7)[EMOTIONS.index("sad")], 0.5,
        [Face(square["x"], square["y"], square["side"], square["roll"])],
    ).photo  # fmt: skip
    with Image.open(found) as picture:
        assert np.array_equal(picture, changed)


def test_what_was_never_taught_is_marked_and_told(visit_of, translating_weights, people, tmp_path):
    described, network = checkpoint.load(translating_weights / "stargan")
    taught = dataclasses.replace(described, training={"emotions": "happy,sad,surprise,neutral"})
    checkpoint.save(tmp_path / "stargan", taught, network.state_dict())
    shutil.copytree(translating_weights / "cgan", tmp_path / "cgan")  # a page has a generator
    page = visit_of(tmp_path, "?tab=translate&emotion=happy")
    expect(page.locator(".tr-mood.untaught")).to_have_count(3)
    choose(page, png(people))
    expect(said(page)).to_contain_text("happy at 100\u00a0%, by StarGAN.")
    fear = page.get_by_role("radio", name="fear")
    expect(fear).to_have_accessible_description(re.compile("StarGAN was never taught it"))
    fear.check(force=True)
    expect(said(page)).to_contain_text("fear at 100\u00a0%, by StarGAN, which was never taught fear.")
