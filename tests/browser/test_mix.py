"""The tab Mix in a browser: sliders, wheel, small faces, stage."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

import app
from fergan.emotions import EMOTIONS
from fergan.engine import Engine
from fergan.ui import models
from fergan.ui.blend import PLACES
from tests.browser.test_page import drop
from tests.test_mix import styled, styled_weights  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

POINT = """() => {
    const knob = document.querySelector('.mix-point');
    return [-1.42 + 2.84 * parseFloat(knob.style.left) / 100, 1.5 - 2.6 * parseFloat(knob.style.top) / 100];
}"""
REQUESTS = "**/component_server/**"


@pytest.fixture(scope="module")
def address(styled):
    page = app.build_app(styled)
    yield app.serve(page, "127.0.0.1")
    page.close(verbose=False)


@pytest.fixture
def mix(visit):
    """Opens the tab by a link and waits for its face."""

    def mix(query="&model=acgan", **options):
        page = visit("?tab=mix" + query, **options)
        page.wait_for_selector(".mix-face img[src]", state="attached")
        return page

    return mix


def pixels(uri):
    return np.array(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def face(page):
    return pixels(page.locator(".mix-face img").get_attribute("src"))


def drawn(engine, seed=7, model="acgan", truncation=1.0, **weights):
    return engine.generate(model, [[weights.get(name, 0) for name in EMOTIONS]], [seed], truncation)[0]


def said(page):
    return page.locator(".mix-said")


def percents(page):
    shown = page.locator(".mix-slider .number").all_text_contents()
    return {name: int(text.split()[0]) for name, text in zip(EMOTIONS, shown, strict=True) if text[0] != "0"}


def moments(page, *emotions):
    for emotion in emotions:
        page.keyboard.press(str(EMOTIONS.index(emotion) + 1))
        page.get_by_role("button", name="Add moment").click()


def test_a_face_is_drawn_when_the_tab_is_opened_and_not_before(visit, styled):
    page = visit()
    assert page.locator(".mix").count() == 0
    page.get_by_role("tab", name="Mix").click()
    expect(said(page)).to_have_text("happy, seed 7, by AC-GAN.")  # as Generate had it
    assert np.array_equal(face(page), drawn(styled, model="acgan", truncation=models.VARIETY, happy=1))


def test_sliders_blend_and_say_their_shares(mix, styled):
    page = mix()
    page.get_by_role("slider", name="sad").fill("50")
    expect(said(page)).to_have_text("67\u00a0% happy and 33\u00a0% sad, seed 7, by AC-GAN.")
    assert percents(page) == {"happy": 67, "sad": 33}
    assert np.array_equal(face(page), drawn(styled, happy=2, sad=1))
    page.get_by_role("slider", name="sad").fill("0")
    page.get_by_role("slider", name="happy").fill("0")
    expect(page.locator(".mix-hint")).to_have_text("All sliders are at zero: the face is drawn as neutral.")
    expect(said(page)).to_contain_text("neutral, seed 7")
    assert percents(page) == {"neutral": 100}
    assert np.array_equal(face(page), drawn(styled, neutral=1))


def test_the_wheel_gives_each_emotion_at_its_place_and_neutral_in_the_centre(mix):
    page = mix()
    edges = page.locator(".mix-wheel svg").bounding_box()
    for name, (x, y) in PLACES.items():
        page.mouse.move(
            edges["x"] + edges["width"] * (x + 1.42) / 2.84, edges["y"] + edges["height"] * (1.5 - y) / 2.6
        )
        page.mouse.down()
        page.mouse.up()
        found = percents(page)
        assert max(found, key=found.get) == name
        assert found[name] >= 96  # a pixel is two percent
    page.mouse.move(edges["x"] + edges["width"] * 0.999, edges["y"] + edges["height"] * 0.999)
    page.mouse.down()  # outside: the nearest point of the rim
    assert set(percents(page)) <= {"happy", "sad"}
    page.mouse.up()


def test_sliders_and_wheel_agree(mix):
    page = mix()
    assert page.evaluate(POINT) == pytest.approx(PLACES["happy"], abs=1e-3)
    for name, value in (("fear", 50), ("happy", 30), ("neutral", 20)):
        page.get_by_role("slider", name=name).fill(str(value))
    mean = 0.5 * np.array(PLACES["fear"]) + 0.3 * np.array(PLACES["happy"])
    assert page.evaluate(POINT) == pytest.approx(mean, abs=1e-3)
    knob = page.get_by_role("slider", name="Mood")
    before = page.evaluate(POINT)
    knob.press("ArrowLeft")
    knob.press("Shift+ArrowDown")
    after = page.evaluate(POINT)
    assert after == pytest.approx([before[0] - 0.05, before[1] - 0.2], abs=0.02)
    shares = percents(page)
    again = sum(share / 100 * np.array(PLACES[name]) for name, share in shares.items())
    assert again == pytest.approx(after, abs=0.02)
    assert "pleasant" in knob.get_attribute("aria-valuetext")
    knob.press("Home")
    assert percents(page) == {"neutral": 100}


def test_presets_by_hand_and_by_key(mix, styled):
    page = mix()
    for place, emotion in enumerate(EMOTIONS, 1):
        page.keyboard.press(str(place))
        assert percents(page) == {emotion: 100}
    page.get_by_role("button", name="sad", exact=True).click()
    page.keyboard.press("4")
    page.keyboard.press("h")
    assert percents(page) == {"happy": 50, "sad": 50}
    expect(said(page)).to_contain_text("50\u00a0% happy and 50\u00a0% sad")
    assert np.array_equal(face(page), drawn(styled, happy=1, sad=1))
    page.get_by_role("slider", name="fear").fill("90")
    page.get_by_role("button", name="Half and half").click()
    assert percents(page)["fear"] == 50
    page.get_by_role("button", name="Reset").click()
    assert percents(page) == {"neutral": 100}
    page.keyboard.press("n")
    expect(said(page)).not_to_contain_text("seed 7,")


def test_the_row_and_the_column_show_faces_and_give_them(mix, styled):
    page = mix()
    expect(page.locator(".mix-row .stale, .mix-column .stale")).to_have_count(0)
    row = page.locator(".mix-row img").evaluate_all("images => images.map(image => image.src)")
    for emotion, uri in zip(EMOTIONS, row, strict=True):
        assert np.array_equal(pixels(uri), drawn(styled, **{emotion: 1}))
    page.get_by_role("button", name="50 % of this blend").click()
    assert percents(page) == {"happy": 50, "neutral": 50}
    assert np.array_equal(face(page), drawn(styled, happy=1, neutral=1))
    expect(page.get_by_role("button", name="50 % of this blend")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="100 % of this blend").click()  # the column still leads to happy
    assert percents(page) == {"happy": 100}


def test_the_judges_bars_come_after_the_face(mix, styled):
    page = mix()
    expect(page.locator(".mix-judge .percent").first).not_to_be_empty()
    expect(page.locator(".mix-judge li.asked")).to_have_attribute("data-emotion", "happy")
    [read] = styled.classify(face(page)[None])
    shown = page.locator(".mix-judge .percent").all_text_contents()
    assert [int(text.split()[0]) for text in shown] == pytest.approx(100 * read, abs=1)
    expect(page.locator(".mix-heard")).to_contain_text(f"The judge reads {EMOTIONS[int(read.argmax())]}")


def test_nothing_of_a_judge_is_shown_where_there_is_none(weights, browser):
    page = app.build_app(Engine([weights / "acgan"], device="cpu"))
    try:
        view = browser.new_page()
        view.goto(app.serve(page, "127.0.0.1") + "?tab=mix")
        expect(view.locator(".mix-said")).to_have_text("happy, seed 7, by AC-GAN.")
        assert "judge" not in view.locator(".mix").inner_text().lower()
        view.close()
    finally:
        page.close(verbose=False)


def test_the_shape_of_another_face_is_for_models_with_styles(mix, styled):
    page = mix("&model=stylegan&happy=1")
    before = face(page)
    page.locator(".mix .advanced summary").first.click()
    other = page.get_by_label("Shape and pose of another face")
    other.fill("12")
    other.press("Enter")
    expect(said(page)).to_contain_text("the shape of seed 12")
    shaped = styled.generate("stylegan", [[0, 0, 0, 1, 0, 0, 0]], [7], 1.0, [12])[0]
    assert np.array_equal(face(page), shaped)
    assert not np.array_equal(face(page), before)
    page.get_by_role("slider", name="How typical").fill("40")
    expect(page).to_have_url(re.compile("typical=40&shape=12$"))
    page.locator(".mix [data-field=model]").select_option("AC-GAN")
    expect(other).to_be_hidden()
    expect(said(page)).to_have_text("happy, seed 7, by AC-GAN.")
    assert np.array_equal(face(page), drawn(styled, happy=1, truncation=0.6))


def test_the_link_restores_the_blend(mix, visit, address, styled):
    page = mix("&model=acgan&seed=4294967295&happy=0.3&sad=0.9&typical=20")
    expect(said(page)).to_contain_text("75\u00a0% sad and 25\u00a0% happy, seed 4294967295")
    assert np.array_equal(face(page), drawn(styled, 4294967295, truncation=0.8, happy=1, sad=3))
    page.get_by_role("slider", name="fear").fill("40")
    link = f"{address}?tab=mix&model=acgan&seed=4294967295&fear=0.4&happy=0.3&sad=0.9&typical=20"
    expect(page).to_have_url(link)
    again = visit(link.removeprefix(address))
    expect(said(again)).to_contain_text("19\u00a0% happy")
    assert np.array_equal(face(again), face(page))
    page.get_by_role("button", name="Reset").click()
    expect(page).to_have_url(f"{address}?tab=mix&model=acgan&seed=4294967295&neutral=0&typical=20")
    page.get_by_role("tab", name="Generate").click()
    expect(page).to_have_url(re.compile(r"\?tab=generate&model=acgan"))


def test_a_broken_link_is_told_and_what_is_right_in_it_kept(mix):
    page = mix("&model=nope&seed=-1&happy=2&sad=0.5&typical=x&shape=1.5")
    expect(page.get_by_role("alert")).to_contain_text("(happy, model, seed, typical, shape)")
    expect(said(page)).to_have_text("sad, seed 7, by StyleGAN.")


def test_a_face_is_saved_and_its_file_restores_it(mix, tmp_path):
    page = mix("&model=stylegan&seed=40&fear=0.5&happy=0.25&typical=30&shape=2")
    for button, width in (("Save 48 px", 48), ("Save 512 px", 512)):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        download.value.save_as(tmp_path / "face.png")
        assert Image.open(tmp_path / "face.png").width == width
    other = mix()
    drop(other, "face.png", (tmp_path / "face.png").read_bytes())
    expect(said(other)).to_contain_text("67\u00a0% fear and 33\u00a0% happy, seed 40, the shape of seed 2")
    off = np.abs(face(other).astype(int) - face(page))
    assert off.mean() < 0.5  # the file keeps six digits of each share
    drop(other, "note.png", b"hello")
    expect(other.get_by_role("alert")).to_contain_text("note.png: This file is not a picture.")


def test_generate_hands_a_face_over(visit, styled):
    page = visit("?emotion=fear&seed=40&count=4&face=42&variety=50&model=acgan")
    page.get_by_role("dialog").get_by_role("button", name="Mix this face").click()
    expect(said(page)).to_have_text("fear, seed 42, by AC-GAN.")
    assert np.array_equal(face(page), drawn(styled, 42, truncation=0.5, fear=1))
    expect(page).to_have_url(re.compile(r"\?tab=mix&model=acgan&seed=42&fear=1&typical=50$"))
    page.get_by_role("tab", name="Generate").click()  # and again, now that the tab is there
    page.get_by_role("button", name="Seed 41,").click()
    page.get_by_role("dialog").get_by_role("button", name="Mix this face").click()
    expect(said(page)).to_have_text("fear, seed 41, by AC-GAN.")


def test_history_brings_faces_back_after_a_reload(mix):
    page = mix("&model=acgan&seed=21&sad=1")
    page.wait_for_function("JSON.parse(localStorage['fergan.mix.past'] ?? '[]').length === 1")
    page.keyboard.press("4")
    page.wait_for_function("JSON.parse(localStorage['fergan.mix.past']).length === 2")
    page.reload()
    page.wait_for_selector(".mix-face img[src]")
    page.keyboard.press("n")
    page.locator(".mix-history summary").click()
    page.get_by_role("button", name="sad, seed 21", exact=True).click()
    expect(said(page)).to_have_text("sad, seed 21, by AC-GAN.")
    first = page.locator(".mix-past button").first
    expect(first).to_have_attribute("title", "sad, seed 21")  # once it was looked at for a while
    expect(first).to_be_focused()
    page.get_by_role("button", name="Forget them").click()
    expect(page.locator(".mix-past button")).to_have_count(0)
