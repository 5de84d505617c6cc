"""The tab Evolution in a browser: scrubbing, playing, comparing, curves, notes, and what is missing."""

import re
import shutil

import pytest
from PIL import Image

import app
from fergan.engine import Engine
from fergan.ui import film
from tests import factory
from tests.browser.conftest import cut_off
from train import history, record

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

STEPS = {"acgan": (100, 200, 400, 800), "cgan": (150, 400, 1600), "old": (1, 2, 3)}
HOSTILE = "<img src=x onerror=window.harmed=1>"


def lay(folder, place, steps, told):
    """Pages that are all different, and what the log told."""
    place.mkdir()
    for seen in steps:
        record.sheet(factory.draw_faces(42, seed=seen), 7).save(place / f"{seen:010d}.png")
    (folder / film.EVOLUTION).write_bytes(record.evolution(place, "acgan"))
    if told is not None:
        (folder / film.HISTORY).write_bytes(history.encoded(history.history(told, steps)))


@pytest.fixture(scope="module")
def folder(weights, tmp_path_factory):
    """acgan with all, cgan with a collapse, an old one with a film alone, a judge."""
    place = tmp_path_factory.mktemp("evolution")
    folder = place / "weights"
    for name, source in (("acgan", "acgan"), ("cgan", "cgan"), ("old", "cgan"), ("judge", "judge")):
        shutil.copytree(weights / source, folder / name)
    good = [
        {"images_seen": seen, "d_loss": seen / 800, "g_loss": 1.5, "diversity": 0.9, "twins": 0.0}
        for seen in STEPS["acgan"]
    ]
    bad = [{"images_seen": seen, "d_loss": 0.5, "g_loss": 1.0} for seen in STEPS["cgan"]]
    bad.append({"images_seen": 400, "note": f"The faces collapse. {HOSTILE}"})
    lay(folder / "acgan", place / "a", STEPS["acgan"], good)
    lay(folder / "cgan", place / "c", STEPS["cgan"], bad)
    lay(folder / "old", place / "o", STEPS["old"], None)
    return folder


@pytest.fixture(scope="module")
def address(folder):
    page = app.build_app(Engine([folder], device="cpu"))
    yield app.serve(page, "127.0.0.1")
    page.close(verbose=False)


@pytest.fixture
def watch(visit):
    """Opens the tab by a link and waits until its films are there."""

    def watch(query="", **options):
        page = visit("?tab=evolution" + query, **options)
        expect(page.locator(".evo-film.waiting:visible")).to_have_count(0)
        expect(slider(page)).to_be_enabled()
        return page

    return watch


def slider(page):
    return page.get_by_label("Step of the training")


def seen(page, side="left"):
    return page.locator(f".evo-side[data-side={side}] .evo-seen")


def drawn(page, side="left"):
    """What the canvas shows, as one string."""
    return page.locator(f".evo-side[data-side={side}] canvas").evaluate("canvas => canvas.toDataURL()")


def value(page, chart, curve):
    return page.get_by_role("region", name=chart).locator("li", has_text=curve).locator("b")


def test_nothing_is_read_before_the_tab_is_opened(opened_late):
    opened_late("Evolution", "watch", lambda page: expect(seen(page)).to_have_text("800 images seen"))


def test_scrubbing_shows_each_step_and_asks_nothing(watch):
    page = watch()
    asked = []
    page.on(
        "request", lambda request: asked.append((request.post_data_json or {}).get("fn_name", request.url))
    )
    found = []
    for place, images in enumerate(STEPS["acgan"]):
        slider(page).fill(str(place))
        expect(seen(page)).to_have_text(f"{images} images seen")
        expect(slider(page)).to_have_attribute("aria-valuetext", f"{images} images seen")
        found.append(drawn(page))
    assert len(set(found)) == len(found)
    assert set(asked) <= {"read"}  # the judge on the tab Generate may be late


def test_a_copied_link_has_no_token(watch):
    page = watch("&__sign=secret")
    page.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text; }; }")
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function("window.copied")
    assert re.search(r"/\?tab=evolution&model=acgan$", page.evaluate("copied"))
    assert "__sign=secret" in page.url


def test_curves_have_the_chosen_step_marked(watch):
    page = watch("&seen=200")
    expect(value(page, "Losses of AC-GAN", "opponent")).to_have_text("0.25")
    expect(value(page, "Losses of AC-GAN", "generator")).to_have_text("1.50")
    expect(value(page, "Diversity of AC-GAN", "diversity")).to_have_text("0.90")
    line = page.locator(".evo-line").first
    before = line.bounding_box()["x"]
    slider(page).press("End")
    expect(value(page, "Losses of AC-GAN", "opponent")).to_have_text("1.00")
    assert line.bounding_box()["x"] > before + 50


def test_hovering_tells_values_and_a_click_goes_there(watch):
    page = watch()
    box = page.locator(".evo-plot").first.bounding_box()
    across = box["x"] + box["width"] / 3  # a third of the way from 100 to 800 by its logarithm: 200
    page.mouse.move(across, box["y"] + 20)
    expect(value(page, "Losses of AC-GAN", "opponent")).to_have_text("0.25")
    expect(seen(page)).to_have_text("800 images seen")
    page.mouse.click(across, box["y"] + 20)
    expect(seen(page)).to_have_text("200 images seen")
    page.mouse.move(0, 0)
    expect(value(page, "Losses of AC-GAN", "opponent")).to_have_text("0.25")


def test_curves_are_told_apart_without_colour(watch):
    page = watch()
    dashes = page.locator(".evo-chart:first-child .evo-legend path").evaluate_all(
        "all => all.map(path => getComputedStyle(path).strokeDasharray)"
    )
    assert len(dashes) == 2
    assert len(set(dashes)) == 2


def test_two_models_are_aligned_by_images_seen(watch):
    page = watch("&model=acgan&beside=cgan&seen=200")
    expect(seen(page)).to_have_text("200 images seen")
    expect(seen(page, "right")).to_have_text("150 images seen")
    slider(page).press("End")
    expect(seen(page)).to_have_text("800 images seen, its last")
    expect(seen(page, "right")).to_have_text("1,600 images seen")
    slider(page).press("Home")
    expect(seen(page, "right")).to_have_text("150 images seen")  # not begun: its first page
    left, right = (page.locator(f".evo-side[data-side={side}]").bounding_box() for side in ("left", "right"))
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]


def test_a_collapse_is_told_at_its_place(watch):
    page = watch("&model=cgan&seen=150")
    note = page.locator(".evo-notes li")
    expect(note).to_contain_text("The faces collapse.")
    expect(note).to_contain_text(HOSTILE)
    assert page.evaluate("window.harmed") is None
    expect(page.locator(".evo-noted")).to_have_count(1)
    assert "reached" not in (note.get_attribute("class") or "")
    page.get_by_role("button", name="400 images").click()
    expect(page).to_have_url(re.compile("seen=400"))
    expect(seen(page)).to_have_text("400 images seen")
    expect(note).to_have_class("reached")
    expect(page.locator(".evo-lacking")).to_contain_text("holds no diversity")


def test_a_model_without_a_history_has_pages_and_a_sentence(watch):
    page = watch("&model=old")
    expect(seen(page)).to_have_text("page 3 of 3")
    expect(page.locator(".evo-chart")).to_have_count(0)
    expect(page.locator(".evo-lacking")).to_contain_text("without a history")
    before = drawn(page)
    slider(page).press("ArrowLeft")
    expect(seen(page)).to_have_text("page 2 of 3")
    assert drawn(page) != before
    page.locator(".evo [data-field=right]").select_option("AC-GAN")
    expect(seen(page, "right")).to_contain_text("images seen")
    expect(page.locator(".evo-at")).to_have_text("page 2 of 4")


def test_playing_goes_to_the_end_and_starts_again(watch):
    page = watch("&seen=100")
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(seen(page)).to_have_text("800 images seen")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator(".evo-side figcaption").first.click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    expect(seen(page)).to_have_text("100 images seen")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_reduced_motion_steps_instead(watch):
    page = watch("&seen=100", reduced_motion="reduce")
    page.get_by_role("button", name="Step", exact=True).click()
    expect(seen(page)).to_have_text("200 images seen")
    page.wait_for_timeout(900)
    expect(seen(page)).to_have_text("200 images seen")


def test_keys_step(watch):
    page = watch("&seen=200")
    page.keyboard.press("ArrowRight")
    expect(seen(page)).to_have_text("400 images seen")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(seen(page)).to_have_text("100 images seen")
    page.keyboard.press("ArrowLeft")
    expect(seen(page)).to_have_text("100 images seen")
    page.get_by_role("tab", name="Evolution").click()
    page.keyboard.press("ArrowRight")
    expect(seen(page)).to_have_text("200 images seen")


def test_the_link_restores_what_is_shown(watch):
    page = watch("&model=cgan&beside=acgan&seen=400")
    assert "model=cgan" in page.url and "beside=acgan" in page.url and "seen=400" in page.url
    slider(page).press("Home")
    expect(page).to_have_url(re.compile("seen=100"))
    page = watch("&model=nope&seen=x")
    expect(page.locator(".evo .notice")).to_contain_text("(model, seen)")
    expect(seen(page)).to_have_text("800 images seen")


def test_the_link_follows_the_curves_and_the_notes(watch):
    page = watch("&model=acgan")
    box = page.locator(".evo-plot").first.bounding_box()
    page.mouse.click(box["x"] + 1, box["y"] + box["height"] / 2)
    expect(seen(page)).to_have_text("100 images seen")
    expect(page).to_have_url(re.compile("seen=100"))


def test_the_gif_is_saved(watch, tmp_path):
    page = watch("&model=acgan&beside=cgan")
    with page.expect_download() as download:
        page.get_by_role("button", name="GIF of B").click()
    assert download.value.suggested_filename == "evolution_cgan.gif"
    download.value.save_as(tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as moving:
        assert moving.n_frames == 3
    expect(page.locator(".evo .notice")).to_contain_text("Saved evolution_cgan.gif.")


def test_a_film_that_does_not_come_is_told_and_asked_for_again(watch):
    page = watch()
    cut_off(page)
    page.locator(".evo [data-field=left]").select_option("cGAN")
    failed = page.locator(".evo-side[data-side=left] .failed")
    expect(failed).to_contain_text("server does not answer")
    page.unroute("**/component_server/**")
    failed.get_by_role("button", name="Retry").click()
    expect(seen(page)).to_have_text("1,600 images seen")
    expect(failed).to_be_hidden()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (360, 740)])
@pytest.mark.parametrize("query", ["", "&model=acgan&beside=cgan"])
def test_it_fits_and_the_faces_are_the_largest_thing(watch, width, height, query):
    page = watch(query, width=width, height=height)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    faces = page.locator(".evo-film").first.bounding_box()
    assert faces["y"] + faces["height"] < height
    for other in (".evo-plot", ".evo-run", ".evo-choice"):
        box = page.locator(other).first.bounding_box()
        assert faces["width"] * faces["height"] > box["width"] * box["height"]
    expect(slider(page)).to_be_in_viewport()
    for title in ("Generate", "Models", "Evolution"):
        expect(page.get_by_role("tab", name=title)).to_be_in_viewport()


def test_no_film_at_all_is_told(visit_of, weights):
    page = visit_of(weights, "?tab=evolution")
    expect(page.get_by_role("heading", name="No training to watch")).to_be_visible()
