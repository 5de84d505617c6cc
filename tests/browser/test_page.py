"""The tab Generate in a browser: what a person does, and sees."""

import base64
import io
import re
import zipfile

import pytest
from PIL import Image

from fergan import provenance
from fergan.emotions import EMOTIONS
from fergan.ui import models
from fergan.ui.sheet import Sheet
from tests.browser.conftest import cut_off

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

UNREADABLE = b"hello"


def faces(page):
    return page.locator(".cell img").evaluate_all("images => images.map(image => image.src)")


def said(page):
    return page.locator(".said")


def drop(page, name, content):
    """Drops a file on the page, as a hand would."""
    transfer = page.evaluate_handle(
        """([name, content]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
            transfer.items.add(new File([bytes], name, {type: 'image/png'}));
            return transfer;
        }""",
        [name, base64.b64encode(content).decode()],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("body", event, {"dataTransfer": transfer})


def test_a_sheet_is_there_when_the_page_opens(visit, engine):
    page = visit()
    expect(said(page)).to_have_text("16 happy faces by AC-GAN, seeds 7 to 22")
    shown = faces(page)
    assert len(set(shown)) == 16
    content = base64.b64decode(shown[2].partition(",")[2])
    drawn = Sheet("acgan", "happy", 7, truncation=models.VARIETY).draw(engine)[2]
    assert Image.open(io.BytesIO(content)).tobytes() == drawn.tobytes()


def test_a_click_on_an_emotion_changes_the_faces(visit):
    page = visit()
    seen = {tuple(faces(page))}
    for emotion in EMOTIONS:
        page.locator(".chip", has_text=emotion).click()
        expect(said(page)).to_have_text(f"16 {emotion} faces by AC-GAN, seeds 7 to 22")
        seen.add(tuple(faces(page)))
    assert len(seen) == 7  # happy, the first, was drawn twice and came out the same


def test_the_last_of_many_clicks_wins(visit):
    page = visit("?count=64")
    expect(said(page)).to_contain_text("64 happy")
    page.evaluate(
        """() => { for (let round = 0; round < 5; round++)
            for (const radio of document.querySelectorAll('.chip input')) radio.click();
            document.querySelector('.chip input[value=fear]').click(); }"""
    )
    expect(said(page)).to_contain_text("64 fear")
    shown = faces(page)
    alone = visit("?count=64&emotion=fear")
    expect(said(alone)).to_contain_text("64 fear")
    assert faces(alone) == shown


def test_a_chip_under_the_pointer_is_drawn_before_the_click(visit):
    page = visit()
    with page.expect_response("**/component_server/**"):
        page.locator(".chip", has_text="sad").hover()
    page.wait_for_timeout(200)  # the answer is put away
    cut_off(page)
    page.locator(".chip", has_text="sad").click()
    expect(said(page)).to_contain_text("16 sad")
    expect(page.locator(".failed")).to_be_hidden()


def test_new_seed_brings_others_and_the_count_keeps_them(visit):
    page = visit()
    before = faces(page)
    page.get_by_role("button", name="New seed").click()
    expect(said(page)).not_to_contain_text("seeds 7 to 22")
    first = page.get_by_label("First seed").input_value()
    expect(said(page)).to_contain_text(f"seeds {first} to")
    after = faces(page)
    assert not set(before) & set(after)
    page.get_by_role("slider", name="Faces").fill("3")
    expect(said(page)).to_contain_text("3 happy faces")
    assert faces(page) == after[:3]
    page.get_by_role("slider", name="Faces").fill("64")
    expect(said(page)).to_contain_text("64 happy faces")
    assert faces(page)[:16] == after


def test_the_other_model_draws_others(visit):
    page = visit()
    before = faces(page)
    page.get_by_label("Model").select_option("cGAN")
    expect(said(page)).to_contain_text("by cGAN")
    assert not set(before) & set(faces(page))


def test_everything_by_keyboard(visit):
    page = visit()
    page.keyboard.press("5")
    expect(said(page)).to_contain_text("16 sad")
    page.get_by_role("radio", name="sad").focus()
    page.keyboard.press("ArrowRight")
    expect(said(page)).to_contain_text("16 surprise")
    page.get_by_role("button", name="Seed 7,").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    title = page.locator("#enlarged-title")
    expect(title).to_have_text("Seed 12, surprise, by AC-GAN")
    page.keyboard.press("ArrowLeft")
    expect(title).to_have_text("Seed 11, surprise, by AC-GAN")
    page.keyboard.press("4")
    expect(title).to_have_text("Seed 11, happy, by AC-GAN")
    for _ in range(30):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement.closest('dialog') || document.activeElement === document.body"
        )
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Seed 11,")).to_be_focused()
    page.keyboard.press("n")
    expect(said(page)).not_to_contain_text("seeds 7 to 22")


def test_keys_are_not_taken_from_fields(visit):
    page = visit()
    field = page.get_by_label("First seed")
    field.press("ControlOrMeta+a")
    field.press_sequentially("123")
    field.press("Enter")
    expect(said(page)).to_have_text("16 happy faces by AC-GAN, seeds 123 to 138")
    field.fill("-1")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("whole number from 0 to 4294967295")
    expect(field).to_have_value("123")


def test_single_keys_can_be_switched_off(visit):
    page = visit()
    page.locator(".advanced summary").click()
    page.get_by_label("Keys 1 to 7 and N").uncheck()
    page.keyboard.press("1")
    page.keyboard.press("n")
    page.reload()
    page.wait_for_selector(".cell img[src]")
    page.keyboard.press("1")
    page.get_by_role("slider", name="Faces").fill("2")
    expect(said(page)).to_have_text("2 happy faces by AC-GAN, seeds 7 to 8")


def test_one_tab_stop_for_the_sheet(visit):
    page = visit()
    assert page.locator(".cell[tabindex='0']").count() == 1
    page.get_by_role("button", name="Seed 7,").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.sheet')") is None


def test_the_page_in_a_screen_readers_words(visit):
    page = visit("?count=1")
    snapshot = page.locator(".generate").aria_snapshot()
    for line in (
        'button "Seed 7, happy"',
        "status: 1 happy face by AC-GAN, seed 7",
        'radiogroup "Emotion"',
        'radio "happy" [checked]',
        'spinbutton "First seed"',
        'combobox "Model"',
        'slider "Faces"',
    ):
        assert line in snapshot


def test_a_face_is_saved_and_its_file_restores_it(visit, tmp_path):
    page = visit("?emotion=fear&seed=40&count=4&face=42")
    for button, width in (("Save 48 px", 48), ("Save 512 px", 512)):
        with page.expect_download() as download:
            page.get_by_role("dialog").get_by_role("button", name=button).click()
        download.value.save_as(tmp_path / "face.png")
        assert Image.open(tmp_path / "face.png").width == width
        assert provenance.read(tmp_path / "face.png").seed == 42
    other = visit()
    drop(other, "face.png", (tmp_path / "face.png").read_bytes())
    expect(other.locator("#enlarged-title")).to_have_text("Seed 42, fear, by AC-GAN")
    expect(other).to_have_url(page.url)
    chosen = visit()
    chosen.get_by_label("Restore PNG").set_input_files(tmp_path / "face.png")
    expect(chosen).to_have_url(page.url)


def test_a_second_saved_face_takes_the_place_of_the_first(visit):
    page = visit("?emotion=fear&seed=40&count=4&face=42")
    files = {}
    for seed in (42, 43):
        with page.expect_download() as download:
            page.get_by_role("dialog").get_by_role("button", name="Save 48 px").click()
        files[seed] = download.value.path().read_bytes()
        page.keyboard.press("ArrowRight")
    other = visit()
    for seed, content in files.items():
        drop(other, "face.png", content)
        expect(other.locator("#enlarged-title")).to_have_text(f"Seed {seed}, fear, by AC-GAN")
        expect(other).to_have_url(re.compile(f"face={seed}$"))
    other.wait_for_timeout(300)  # what else is to come would come now
    expect(other.locator("#enlarged-title")).to_have_text("Seed 43, fear, by AC-GAN")


def test_sheet_and_zip_are_saved(visit, tmp_path):
    page = visit("?count=4")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save sheet").click()
    assert download.value.suggested_filename == "happy_acgan_seed000007_sheet.png"
    download.value.save_as(tmp_path / "sheet.png")
    assert provenance.read(tmp_path / "sheet.png").count == 4
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as zip").click()
    download.value.save_as(tmp_path / "all.zip")
    assert len(zipfile.ZipFile(tmp_path / "all.zip").namelist()) == 4


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("note.txt", "not a picture"), ("foreign.png", "does not say that it was made here")],
)
def test_other_files_get_a_sentence(visit, name, sentence):
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    page = visit()
    drop(page, name, UNREADABLE if name.endswith("txt") else file.getvalue())
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    expect(page.get_by_role("alert")).to_contain_text(name)
    expect(said(page)).to_contain_text("16 happy")


def test_a_server_that_is_gone_is_told_and_retried(visit):
    page = visit()
    cut_off(page)
    page.keyboard.press("1")
    # Gradio's client may still be connecting on a busy machine, and asks only then
    expect(page.locator(".failed")).to_contain_text("The server does not answer.", timeout=20_000)
    page.unroute("**/component_server/**")
    page.get_by_role("button", name="Retry").click()
    expect(said(page)).to_contain_text("16 angry")
    expect(page.locator(".failed")).to_be_hidden()


def test_a_waiting_sheet_keeps_its_place(visit):
    page = visit()
    before = page.locator(".cell").last.bounding_box()
    page.route("**/component_server/**", lambda route: None)  # never answered
    page.keyboard.press("1")
    expect(page.locator(".cell.waiting")).to_have_count(16)
    assert page.locator(".cell").last.bounding_box() == before


def test_true_pixels_are_a_click_away(visit):
    page = visit()
    style = "image => getComputedStyle(image).imageRendering"
    assert page.locator(".cell img").first.evaluate(style) == "auto"
    page.get_by_label("True pixels").check()
    assert page.locator(".cell img").first.evaluate(style) == "pixelated"


@pytest.mark.parametrize("query", ["", "?count=64&seed=4294967290", "?count=1", "?face=7"])
def test_a_phone_shows_faces_and_chips_and_never_scrolls_sideways(visit, query):
    page = visit(query, width=360, height=740, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate("document.scrollingElement.scrollLeft") == 0
    if "face" not in query:
        expect(page.locator(".stage")).to_be_in_viewport(ratio=1)
        expect(page.locator(".chips")).to_be_in_viewport(ratio=1)
        page.locator(".advanced summary").scroll_into_view_if_needed()
        expect(page.locator(".cell").first).to_be_in_viewport()


def test_dark_follows_the_system_and_the_address(visit):
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = visit(color_scheme="light"), visit(color_scheme="dark")
    asked = visit("?__theme=dark", color_scheme="light")
    assert light.evaluate(ground) != dark.evaluate(ground)
    assert asked.evaluate(ground) == dark.evaluate(ground)
    assert "__theme=dark" in asked.url
