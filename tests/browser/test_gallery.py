"""The tab Models in a browser: two models side by side."""

import base64
import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image

import app
from fergan import checkpoint
from fergan.emotions import EMOTIONS
from fergan.engine import Engine
from fergan.ui.cards import EVOLUTION
from tests.browser.conftest import cut_off
from tests.test_gallery import DRAWN, READ

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

NONE = "\u2013 not measured"
HOSTILE = "<img src=x onerror=window.harmed=1>"
SAID = {
    "acgan": ("acgan", DRAWN),
    "cgan": ("cgan", DRAWN | {"fid": 0.2, "accuracy": 0.7, "diversity": 1.03, "recall": 0.5}),
    "elsewhere": ("cgan", DRAWN | {"n": 50, "fid": 0.9}),
    "new": ("cgan", {}),
    "judge": ("judge", READ),
}


@pytest.fixture(scope="module")
def gallery(weights, tmp_path_factory):
    """Generators measured alike, otherwise and not at all, and a judge; one has an evolution."""
    folder = tmp_path_factory.mktemp("gallery")
    for name, (source, metrics) in SAID.items():
        described, network = checkpoint.load(weights / source)
        described = dataclasses.replace(described, metrics=metrics, training={"device": HOSTILE})
        checkpoint.save(folder / name, described, network.state_dict())
    frames = [Image.new("L", (28, 24), level) for level in (0, 255)]
    frames[0].save(
        folder / "acgan" / EVOLUTION, save_all=True, append_images=frames[1:], duration=100, loop=0
    )
    return Engine([folder], device="cpu")


@pytest.fixture(scope="module")
def address(gallery):
    page = app.build_app(gallery)
    yield app.serve(page, "127.0.0.1")
    page.close(verbose=False)


@pytest.fixture
def compare(visit):
    """Opens the tab by a link and waits until all is drawn."""

    def compare(query="", **options):
        page = visit("?tab=models" + query, **options)
        expect(told(page)).to_contain_text("Seed")
        return page

    return compare


def told(page):
    return page.locator(".told")


def faces(page, side):
    return page.locator(f".four[data-side={side}] img").evaluate_all("all => all.map(image => image.src)")


def notice(page):
    return page.locator(".gallery .notice")


def seed_field(page):
    return page.locator(".gallery").get_by_label("First seed")


def choose(page, side, title):
    page.get_by_label(f"Model {side}").select_option(title)


def number(page, title):
    """The row of the table of numbers as its texts."""
    row = page.locator(".numbers tr").filter(has=page.get_by_role("rowheader", name=re.compile(f"^{title}")))
    return [" ".join(text.split()) for text in row.locator("td").all_inner_texts()]


def test_nothing_is_asked_before_the_tab_is_opened(visit):
    asked = []
    page = visit(
        before=lambda page: page.on("request", lambda request: asked.append(request.post_data or ""))
    )
    page.wait_for_timeout(300)
    assert not [body for body in asked if '"draw"' in body]
    assert page.locator(".gallery").count() == 0
    page.get_by_role("tab", name="Models").click()
    expect(told(page)).to_have_text("Seeds 7 to 10 by AC-GAN and cGAN")
    assert len([body for body in asked if '"draw"' in body]) == 14  # a row of one side each


def test_both_sides_draw_the_same_seeds(compare, gallery):
    page = compare("&left=acgan&right=cgan&seed=4294967294")
    for side, model in (("left", "acgan"), ("right", "cgan")):
        shown = faces(page, side)
        assert len(set(shown)) == 28
        drawn = gallery.generate(model, np.repeat(np.eye(7), 4, 0), [2**32 - 2, 2**32 - 1, 0, 1] * 7)
        for uri, face in zip(shown, drawn, strict=True):
            picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
            assert np.array_equal(np.asarray(picture), face)


def test_new_seeds_change_both_sides(compare):
    page = compare()
    before = {*faces(page, "left"), *faces(page, "right")}
    page.get_by_role("button", name="New seeds").click()
    expect(told(page)).to_contain_text("Seeds")
    expect(told(page)).not_to_contain_text("Seeds 7 to")
    assert not before & {*faces(page, "left"), *faces(page, "right")}
    field = seed_field(page)
    field.fill("-1")
    field.press("Enter")
    expect(notice(page)).to_contain_text("A seed is a whole number from 0 to 4294967295.")
    field.fill("7")
    field.press("Enter")
    expect(told(page)).to_contain_text("Seeds 7 to 10")
    assert before == {*faces(page, "left"), *faces(page, "right")}


def test_faces_that_were_drawn_are_kept(compare):
    page = compare()
    before = faces(page, "left")
    choose(page, "A", "new")
    expect(told(page)).to_contain_text("by new and cGAN")
    assert faces(page, "left") != before
    cut_off(page)
    choose(page, "A", "AC-GAN")
    expect(told(page)).to_contain_text("by AC-GAN and cGAN")
    assert faces(page, "left") == before


def test_a_link_restores_tab_models_and_seed(compare, visit, address):
    page = compare()
    choose(page, "A", "elsewhere")
    choose(page, "B", "new")
    seed_field(page).fill("5")
    seed_field(page).press("Enter")
    expect(page).to_have_url(f"{address}?tab=models&left=elsewhere&right=new&seed=5")
    expect(told(page)).to_contain_text("Seeds 5 to 8 by elsewhere and new")
    again = visit(page.url.removeprefix(address))
    expect(told(again)).to_have_text("Seeds 5 to 8 by elsewhere and new")
    assert faces(again, "left") == faces(page, "left")


def test_each_tab_has_the_address_while_it_is_open(visit, address):
    page = visit("?emotion=sad&seed=3")
    page.get_by_role("tab", name="Models").click()
    expect(page).to_have_url(f"{address}?tab=models&left=acgan&right=cgan&seed=7")  # 3 was the other tab's
    page.get_by_role("tab", name="Generate").click()
    expect(page).to_have_url(f"{address}?tab=generate&model=acgan&emotion=sad&seed=3&count=16")
    page.get_by_role("tab", name="Models").click()
    expect(page).to_have_url(f"{address}?tab=models&left=acgan&right=cgan&seed=7")


def test_a_broken_link_is_told_and_what_is_right_in_it_kept(compare):
    page = compare("&left=nope&right=new&seed=1e3")
    expect(notice(page)).to_contain_text("(left, seed)")
    expect(told(page)).to_have_text("Seeds 7 to 10 by AC-GAN and new")


def test_each_number_says_which_model_is_better(compare):
    page = compare()
    assert number(page, "FID") == ["0.06026 better", "0.2"]  # lower
    assert number(page, "emotion read") == ["60.3%", "70.0% better"]  # higher
    assert number(page, "diversity") == ["0.97", "1.03"]  # as near to 1
    assert number(page, "KID") == ["0.00013", "0.00013"]
    assert number(page, "N") == ["7,178", "7,178"]
    assert number(page, "recall") == [NONE, "0.500"]
    choose(page, "B", "AC-GAN")
    expect(page.locator(".numbers .better")).to_have_count(0)


def test_numbers_of_different_yardsticks_are_not_compared(compare):
    page = compare("&left=acgan&right=elsewhere")
    expect(page.locator(".comparison")).to_contain_text("measured in different ways")
    expect(page.locator(".better")).to_have_count(0)
    assert number(page, "FID") == ["0.06026", "0.9"]
    choose(page, "B", "Judge")
    expect(page.locator(".comparison")).to_contain_text("They do different work")
    assert number(page, "calibration error") == [NONE, "4.7%"]


def test_numbers_are_explained_on_hover_and_on_demand(compare):
    page = compare()
    assert "real faces" in page.get_by_role("rowheader", name="FID").get_attribute("title")
    words = page.locator(".meanings dl")
    expect(words).to_be_hidden()
    page.get_by_text("What these numbers mean").click()
    expect(words).to_contain_text("share of real faces that lie among drawn ones; higher is better")


def test_the_matrix_has_shares_and_on_hover_counts(compare):
    page = compare("&left=acgan&right=judge")
    for side, asked in (("left", "asked for"), ("right", "labelled")):
        matrix = page.locator(f".readings[data-side={side}] .matrix")
        assert matrix.get_by_role("columnheader").all_inner_texts() == list(EMOTIONS)
        happy = matrix.get_by_role("row", name=re.compile("^happy"))
        assert happy.get_by_role("cell").all_inner_texts() == ["0", "0", "0", "89", "0", "0", "11"]
        title = f"8 of 9 faces {asked} happy: read as happy"
        assert happy.get_by_role("cell").nth(3).get_attribute("title") == title


def test_a_model_without_numbers_says_which_command_measures_it(compare):
    page = compare("&left=new&right=acgan")
    expect(page.locator(".readings[data-side=left]")).to_contain_text("python -m train.evaluate weights/new")
    expect(page.locator(".readings[data-side=left] table")).to_have_count(0)
    assert number(page, "FID") == [NONE, "0.06026"]


def test_a_classifier_draws_nothing_and_says_so(compare):
    page = compare("&left=judge&right=acgan")
    instead = page.locator(".instead[data-side=left]")
    expect(instead).to_have_text(re.compile(r"Judge reads faces and draws none\."))
    expect(instead.get_by_role("button")).to_have_count(0)
    expect(page.get_by_role("img", name=re.compile("face by"))).to_have_count(28)
    choose(page, "B", "Judge")
    expect(page.locator(".instead[data-side=right]")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("face by"))).to_have_count(0)


def test_words_of_a_checkpoint_are_text(compare):
    page = compare()
    page.get_by_text("How AC-GAN was trained").click()
    expect(page.locator(".history[data-side=left]")).to_contain_text(HOSTILE)
    assert page.evaluate("window.harmed") is None


def test_the_training_is_watched_on_demand(compare):
    page = compare()
    button = page.locator(".head[data-side=left]").get_by_role("button", name="Watch it learn")
    expect(page.get_by_role("button", name="Watch it learn")).to_have_count(1)  # the other came without
    button.click()
    dialog = page.get_by_role("dialog", name="AC-GAN learns")
    expect(dialog.get_by_role("img", name=re.compile("grow out of noise"))).to_have_attribute(
        "src", re.compile("^data:image/webp;base64,")
    )
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()


def test_an_evolution_that_does_not_come_is_told(compare):
    page = compare()
    cut_off(page)
    page.get_by_role("button", name="Watch it learn").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("The server does not answer.")


def test_a_server_that_is_gone_is_told_and_retried(compare):
    page = compare()
    place = page.locator("#gallery-read").bounding_box()
    cut_off(page)
    page.get_by_role("button", name="New seeds").click()
    for side in ("left", "right"):
        expect(page.locator(f".instead[data-side={side}]")).to_contain_text("The server does not answer.")
    assert page.locator("#gallery-read").bounding_box() == place
    page.unroute("**/component_server/**")
    page.get_by_role("button", name="Retry").first.click()
    expect(told(page)).to_contain_text("by AC-GAN and cGAN")
    expect(page.locator(".instead:visible")).to_have_count(0)


def test_waiting_faces_keep_their_place(compare):
    page = compare()
    place = page.locator(".spot").last.bounding_box()
    page.route("**/component_server/**", lambda route: None)  # never answered
    page.get_by_role("button", name="New seeds").click()
    expect(page.locator(".spot.waiting")).to_have_count(56)
    assert page.locator(".spot").last.bounding_box() == place


def test_the_tab_in_a_screen_readers_words(compare):
    page = compare()
    snapshot = page.locator(".gallery").aria_snapshot()
    for line in (
        'spinbutton "First seed"',
        'button "New seeds"',
        'combobox "Model A"',
        'combobox "Model B"',
        'group "angry"',
        'img "angry face by AC-GAN, seed 7, synthetic"',
        "status: Seeds 7 to 10 by AC-GAN and cGAN",
        'heading "How each emotion is read" [level=2]',
        'table "Numbers of both models"',
        'rowheader "FID lower is better"',
        'cell "0.06026 better"',
    ):
        assert line in snapshot


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1024, 768), (1440, 900)])
@pytest.mark.parametrize("query", ["", "&left=judge&right=new&seed=4294967290"])
def test_the_page_never_scrolls_sideways(compare, width, height, query):
    page = compare(query, width=width, height=height)
    for summary in page.locator(".gallery summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    boxes = page.locator(".gallery table").evaluate_all(
        "all => all.map(table => [table.scrollWidth, table.parentElement.clientWidth])"
    )
    assert all(inner <= outer for inner, outer in boxes)
