"""The tab Translate in a browser: photos and faces, the seven, the divider. Its translator is noise."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

import app
from fergan import images
from fergan.emotions import EMOTIONS
from fergan.ui import models
from fergan.ui.sheet import LARGE
from tests.browser.conftest import cut_off
from tests.test_recognise import people, png  # noqa: F401 - people is a fixture
from tests.test_translate import translating, translating_weights  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

REQUESTS = "**/component_server/**"
CHANGED = """() => {
    const [one, other] = ['before', 'after'].map((name) => {
        const canvas = document.querySelector(`.tr-${name}`);
        return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    });
    const columns = new Array(one.width).fill(0);
    one.data.forEach((level, at) => {
        const column = (at >> 2) % one.width;
        columns[column] = Math.max(columns[column], Math.abs(level - other.data[at]));
    });
    return columns;
}"""  # the largest difference in each column, of one moment


@pytest.fixture(scope="module")
def address(translating):
    page = app.build_app(translating)
    yield app.serve(page, "127.0.0.1")
    page.close(verbose=False)


@pytest.fixture
def opened(visit):
    """Opens the tab by a link."""

    def opened(query="", **options):
        page = visit("?tab=translate" + query, **options)
        page.wait_for_selector(".translate .example img[src]")
        return page

    return opened


def choose(page, content, name="people.png"):
    page.get_by_label("Choose a photo").set_input_files(
        [{"name": name, "mimeType": "image/png", "buffer": content}]
    )


def state(page, name):
    expect(page.locator(".translate")).to_have_attribute("data-state", name, timeout=20_000)


def said(page):
    return page.locator(".tr-said")


def shown(page, which="after"):
    uri = page.locator(f".tr-{which}").evaluate("canvas => canvas.toDataURL()")
    return np.array(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"), int)


def places(page):
    return page.locator(".translate .box").evaluate_all("all => all.map(box => box.style.cssText)")


@pytest.fixture
def done(opened, people):
    """The tab with a photo of two, the first of them changed."""

    def done(query="", **options):
        page = opened(query, **options)
        choose(page, png(people))
        expect(said(page)).not_to_be_empty(timeout=20_000)
        return page

    return done


def test_a_photo_is_changed_without_a_click(done, people, translating):
    page = done()
    expect(said(page)).to_have_text("Face 1 of 2: happy at 100\u00a0%, by StarGAN.")
    expect(page.locator(".tr-heard")).to_contain_text("The judge read ")
    expect(page.locator(".translate .box")).to_have_count(2)
    expect(page.locator(".translate .box").first).to_have_attribute("aria-pressed", "true")
    first = translating.find(people, "stargan")[0].face
    changed = translating.translate("stargan", people, np.eye(7)[3], 1.0, [first]).photo.convert("RGB")
    moved = np.abs(np.asarray(changed, int) - np.asarray(people.convert("RGB"))).mean()
    assert moved > 1
    assert np.abs(shown(page) - np.asarray(changed)).mean() < moved / 3  # but for the JPEG on its way
    assert np.array_equal(shown(page, "before"), np.asarray(people.convert("RGB")))


def enlarged(engine, seed, emotion, truncation=1.0):
    """A drawn face at 512 pixels, as the canvas of the tab shows it."""
    drawn = engine.generate("acgan", np.eye(7)[[EMOTIONS.index(emotion)]], [seed], truncation)[0]
    return np.asarray(images.resize(Image.fromarray(drawn), LARGE).convert("RGB"), int)


def test_drawn_faces_are_handed_over(visit, translating):
    page = visit("?model=acgan&emotion=happy&seed=40&count=4&face=42")
    page.get_by_role("dialog").get_by_role("button", name="Translate this face").click()
    expect(said(page)).to_have_text("angry at 100\u00a0%, by StarGAN.", timeout=20_000)  # happy it is already
    assert np.array_equal(shown(page, "before"), enlarged(translating, 42, "happy"))
    page.get_by_role("tab", name="Mix").click()
    page.get_by_label("Seed", exact=True).locator("visible=true").fill("9")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="angry", exact=True).locator("visible=true").click()
    expect(page.locator(".mix-said")).to_have_text("angry, seed 9, by AC-GAN.")
    page.get_by_role("button", name="Translate", exact=True).click()  # again, now that the tab is there
    expect(said(page)).to_have_text("happy at 100\u00a0%, by StarGAN.", timeout=20_000)
    assert np.array_equal(shown(page, "before"), enlarged(translating, 9, "angry", models.VARIETY))


def test_a_face_is_chosen_and_all_at_once(done, people):
    page = done()

    def halves():
        moved = np.abs(shown(page) - np.asarray(people.convert("RGB"))).max(axis=(0, 2)) > 40
        return bool(moved[:320].any()), bool(moved[420:].any())

    assert halves() == (True, False)
    page.locator(".translate .box").nth(1).click()
    expect(said(page)).to_contain_text("Face 2 of 2: happy")
    assert halves() == (False, True)
    page.get_by_role("button", name="All faces").click()
    expect(said(page)).to_contain_text("All 2 faces: happy")
    assert halves() == (True, True)
    page.get_by_role("button", name="Face 1", exact=True).press("Enter")
    expect(said(page)).to_contain_text("Face 1 of 2")


def test_emotions_by_click_key_and_arrow(done):
    page = done()
    seen = {shown(page).tobytes()}
    page.locator(".tr-mood", has_text="sad").click()
    expect(said(page)).to_contain_text("sad at 100")
    seen.add(shown(page).tobytes())
    page.keyboard.press("6")
    expect(said(page)).to_contain_text("surprise at 100")
    seen.add(shown(page).tobytes())
    page.get_by_role("radio", name="surprise").focus()
    page.keyboard.press("ArrowRight")
    expect(said(page)).to_contain_text("neutral at 100")
    seen.add(shown(page).tobytes())
    assert len(seen) == 4


def test_the_seven_show_the_same_face(done):
    page = done()
    expect(page.locator(".tr-mood img[src]")).to_have_count(7)
    thumbs = page.locator(".tr-mood img").evaluate_all("images => images.map(image => image.src)")
    assert len(set(thumbs)) == 7
    page.get_by_role("slider", name="How strong").fill("20")
    expect(page.locator(".tr-mood img").first).not_to_have_attribute("src", thumbs[0])


def test_intensity_0_is_the_photo_to_the_pixel(done):
    page = done()
    assert not np.array_equal(shown(page), shown(page, "before"))
    page.get_by_role("slider", name="How strong").fill("0")
    expect(said(page)).to_contain_text("happy at 0\u00a0%")
    assert np.array_equal(shown(page), shown(page, "before"))


def test_one_request_at_a_time_and_the_last_wins(done):
    page = done()
    expect(page.locator(".tr-mood img[src]")).to_have_count(7)
    flying, most, last = [], [], []

    def begun(request):
        body = json.loads(request.post_data or "{}")
        if body.get("fn_name") == "change":
            flying.append(request)
            most.append(len(flying))
            last.append(body["data"]["intensity"])

    page.on("request", begun)
    page.on("requestfinished", lambda request: request in flying and flying.remove(request))
    page.evaluate(
        """async () => {
            const slider = document.querySelector('#translate-intensity');
            for (let value = 100; value >= 31; value--) {
                slider.value = value;
                slider.dispatchEvent(new Event('input', {bubbles: true}));
                await new Promise((done) => setTimeout(done, 5));
            }
        }"""
    )
    expect(said(page)).to_contain_text("at 31\u00a0%")
    assert max(most) == 1
    assert len(most) < 70
    assert last[-1] == 0.31
    drawn = shown(page)
    page.get_by_role("slider", name="How strong").fill("90")
    expect(said(page)).to_contain_text("at 90\u00a0%")
    asked = len(most)
    page.get_by_role("slider", name="How strong").fill("31")
    expect(said(page)).to_contain_text("at 31\u00a0%")
    assert len(most) - asked <= 1  # what was drawn before is not asked for again, but once for its detail
    assert np.array_equal(shown(page), drawn)


def test_the_divider_goes_by_key_and_by_hand(done):
    page = done()
    divider = page.get_by_role("slider", name="Before and after")
    divider.press("Home")
    assert divider.get_attribute("aria-valuenow") == "0"
    divider.press("ArrowRight")
    divider.press("Shift+ArrowRight")
    assert divider.get_attribute("aria-valuenow") == "12"
    expect(page.locator(".tr-after")).to_have_css("clip-path", "inset(0px 0px 0px 12%)")
    edges = page.locator(".tr-view").bounding_box()
    line = divider.bounding_box()
    page.mouse.move(line["x"] + line["width"] / 2, line["y"] + 40)
    page.mouse.down()
    page.mouse.move(edges["x"] + edges["width"] * 0.75, line["y"] + 40, steps=3)
    page.mouse.up()
    assert divider.get_attribute("aria-valuenow") == "75"
    divider.press("End")
    assert divider.get_attribute("aria-valuenow") == "100"


def test_a_second_emotion_is_mixed_in(done):
    page = done()
    page.locator(".translate .advanced summary").click()
    alone = shown(page)
    page.get_by_label("With a little of").select_option("sad")
    page.get_by_role("slider", name="How much of the second emotion").fill("40")
    expect(said(page)).to_contain_text("60\u00a0% happy and 40\u00a0% sad at 100")
    assert not np.array_equal(shown(page), alone)
    expect(page).to_have_url(re.compile("with=sad&share=40"))


def test_a_server_that_is_gone_is_told_and_retried(done):
    page = done()
    cut_off(page)
    page.keyboard.press("5")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    expect(page.get_by_role("radio", name="sad")).to_be_checked()
    page.unroute(REQUESTS)
    page.get_by_role("button", name="Retry").click()
    expect(said(page)).to_contain_text("sad at 100")


# --- the page around it ---


def test_the_link_brings_the_settings_back(opened):
    page = opened("&emotion=fear&intensity=70&with=sad&share=25")
    expect(page.get_by_role("radio", name="fear")).to_be_checked()
    expect(page.get_by_role("slider", name="How strong")).to_have_value("70")
    expect(page).to_have_url(
        re.compile("tab=translate&model=stargan&emotion=fear&intensity=70&with=sad&share=25$")
    )
    page = opened("&emotion=joy&intensity=500&share=3")
    expect(page.locator(".translate .notice")).to_contain_text(
        "asks for what is not here (emotion, intensity)"
    )
    expect(page.get_by_role("radio", name="happy")).to_be_checked()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (360, 740)])
def test_nothing_lies_beside_the_page(done, width, height):
    page = done(width=width, height=height)
    page.get_by_label("Adjust the square").check()
    page.locator(".translate .advanced summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for part in page.locator(".tr-stage, .tr-moods, .translate .panel, .translate .sources").all():
        box = part.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_the_tab_in_a_screen_readers_words(done):
    page = done()
    snapshot = page.locator(".translate").aria_snapshot()
    for line in (
        'slider "Before and after"',
        'button "Face 1 of 2" [pressed]',
        'radio "happy" [checked]',
        'slider "How strong"',
        'img "Where it changed"',
        'button "Save photo"',
    ):
        assert line in snapshot


def test_without_a_translator_the_tab_says_how_to_get_one(engine, browser):
    page = app.build_app(engine)
    try:
        view = browser.new_page()
        faults = []
        view.on("pageerror", lambda error: faults.append(str(error)))
        view.goto(app.serve(page, "127.0.0.1") + "?tab=translate")
        none = view.get_by_role("region", name="No translator")
        expect(none).to_contain_text("No translator is here yet, so no photo can be changed.", timeout=20_000)
        expect(none).to_contain_text("python -m train.stargan")
        expect(view.locator(".translate button:visible, .translate input")).to_have_count(0)
        assert faults == []
        view.close()
    finally:
        page.close(verbose=False)


@pytest.mark.parametrize(
    "order", [("Mix", "Translate"), ("Translate", "Mix"), ("Translate", "Models", "Evolution")]
)
def test_a_tab_takes_no_offence_at_the_link_of_another(visit, order):
    page = visit("?seed=9")
    for name in order:
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        page.wait_for_timeout(700)  # the tab's script runs when it is first shown
    expect(page.get_by_text("asks for what is not here")).to_have_count(0)
