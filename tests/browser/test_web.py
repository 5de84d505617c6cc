"""The page without a server, in a browser: its folder is served as files, under a path of its own."""

import re
import time
import urllib.parse

import numpy as np
import pytest
import torch
from PIL import Image

from fergan import provenance
from fergan.emotions import EMOTIONS
from fergan.engine import LAST_SEED
from fergan.models import draw_noise
from tests.browser.measure_web import serving
from train import web

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")
expect = playwright.expect


@pytest.fixture(scope="module")
def site(weights, tmp_path_factory):
    """Where the page over two tiny generators and a judge is served."""
    try:
        runtime = web.runtime()
    except ValueError as error:
        pytest.skip(str(error))
    root = tmp_path_factory.mktemp("site")
    files = web.page([weights / name for name in ("acgan", "cgan", "judge")], runtime)
    web.write_folder(files, root / "some" / "where")
    with serving(root) as address:
        yield address + "some/where/"


@pytest.fixture
def visit(browser, site):
    """Opens the page; no other host may be asked, nor any script fail or complain, while the test runs."""
    contexts, hosts, faults = [], set(), []

    def visit(query="", width=1440, height=900, before=lambda page: None, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("request", lambda request: hosts.add(urllib.parse.urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: line.type == "error" and faults.append(line.text))
        before(page)
        page.goto(site + query)
        return page

    visit.faults = faults
    yield visit
    for context in contexts:
        context.close()
    assert hosts - {""} == {urllib.parse.urlsplit(site).netloc}
    assert faults == []


def said(page):
    return page.locator(".said")


def file(page, tmp_path, kind="48"):
    """What the button saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Save {kind} px").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path


def face(page, tmp_path):
    return np.array(Image.open(file(page, tmp_path)).convert("L"))


def drawn(engine, seed=7, model="acgan", **weights):
    return engine.generate(model, [[weights.get(name, 0) for name in EMOTIONS]], [seed])[0]


def apart(one, other):
    """Levels between two faces, at most; the runtimes' roundings are one."""
    return np.abs(one.astype(int) - other).max()


def canvas(page):
    return page.locator(".box canvas").evaluate("canvas => canvas.toDataURL()")


def test_noise_is_pytorchs(visit):
    page = visit()
    seeds, lengths = [0, 1, 7, 4242, 2**31, LAST_SEED], [1, 7, 15, 16, 17, 31, 100, 128, 512, 700]
    rows = page.evaluate(
        """async ([seeds, lengths]) => {
            const {drawNoise} = await import('./noise.js');
            return seeds.map((seed) => lengths.map((length) => [...drawNoise(seed, length)]));
        }""",
        [seeds, lengths],
    )
    for seed, by_length in zip(seeds, rows, strict=True):
        for length, row in zip(lengths, by_length, strict=True):
            due = draw_noise([seed], length)[0]
            assert torch.allclose(torch.tensor(row), due, rtol=0, atol=2e-6)


def test_the_first_face_is_the_apps(visit, engine, tmp_path):
    page = visit()
    expect(said(page)).to_have_text("happy, seed 7, by AC-GAN.")
    assert apart(face(page, tmp_path), drawn(engine, happy=1)) <= 1
    assert apart(face(page, tmp_path), drawn(engine, seed=8, happy=1)) > 20  # the measure itself


def test_a_link_brings_a_face_back(visit, engine, tmp_path):
    page = visit("?model=cgan&seed=4294967295&sad=30&fear=90")
    expect(said(page)).to_have_text("75\u00a0% fear and 25\u00a0% sad, seed 4294967295, by Conditional GAN.")
    assert apart(face(page, tmp_path), drawn(engine, LAST_SEED, "cgan", fear=3, sad=1)) <= 1
    page.get_by_role("button", name="angry", exact=True).click()
    expect(said(page)).to_contain_text("angry, seed")
    expect(page).to_have_url(re.compile(r"/where/\?model=cgan&seed=4294967295&angry=100$"))


def test_dragging_a_slider_moves_face_shares_and_bars(visit, engine, tmp_path):
    page = visit()
    expect(page.locator(".heard")).not_to_be_empty()
    before, read = canvas(page), page.locator(".judge").inner_html()
    edges = page.get_by_role("slider", name="surprise").bounding_box()
    middle = edges["y"] + edges["height"] / 2
    page.mouse.move(edges["x"] + 8, middle)
    page.mouse.down()
    page.mouse.move(edges["x"] + edges["width"] / 2, middle, steps=8)
    expect(page.locator(".slider[data-emotion=surprise] .number")).not_to_have_text("0 %")
    deadline = time.monotonic() + 10
    while canvas(page) == before:  # it moves while the hand is down
        assert time.monotonic() < deadline
    page.mouse.up()
    value = int(page.get_by_role("slider", name="surprise").input_value())
    assert 30 < value < 70
    share = round(100 * value / (100 + value))
    expect(said(page)).to_have_text(
        f"{100 - share}\u00a0% happy and {share}\u00a0% surprise, seed 7, by AC-GAN."
    )
    expect(page.locator(".heard")).not_to_be_empty()
    assert page.locator(".judge").inner_html() != read
    found = face(page, tmp_path)
    assert apart(found, drawn(engine, happy=100, surprise=value)) <= 1
    [due] = engine.classify(found[None])
    shown = page.locator(".judge .percent").all_text_contents()
    assert [int(text.split()[0]) for text in shown] == pytest.approx(100 * due, abs=1)


def test_the_last_wish_wins(visit, engine, tmp_path):
    page = visit()
    expect(said(page)).to_contain_text("happy")
    page.evaluate(
        """async () => {
            const slider = document.querySelector('#weight-sad');
            for (let value = 1; value <= 100; value++) {
                slider.value = value;
                slider.dispatchEvent(new Event('input', {bubbles: true}));
                if (value % 10 === 0) await new Promise((done) => setTimeout(done, 5));
            }
        }"""
    )
    expect(said(page)).to_contain_text("50\u00a0% happy and 50\u00a0% sad")
    assert apart(face(page, tmp_path), drawn(engine, happy=1, sad=1)) <= 1


def test_what_is_on_screen_is_the_face_enlarged(visit, engine, tmp_path):
    page = visit()
    expect(said(page)).to_contain_text("happy")
    small, large = (np.array(Image.open(file(page, tmp_path, size)).convert("L")) for size in ("48", "384"))
    due = Image.fromarray(small.astype(np.float32)).resize((384, 384), Image.Resampling.BICUBIC)
    assert apart(large, np.array(due).round().clip(0, 255)) <= 1
    shown = page.locator(".box canvas").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, 384, 384).data].filter((_, i) => i % 4 === 1)"
    )
    assert np.array_equal(np.reshape(shown, (384, 384)), large)


@pytest.mark.parametrize("size", ["48", "384"])
def test_a_saved_file_says_what_it_is(visit, engine, tmp_path, size):
    page = visit("?seed=9&happy=60&neutral=40")
    expect(said(page)).to_contain_text("seed 9")
    path = file(page, tmp_path, size)
    record = provenance.read(path)
    emotion = {"happy": 0.6, "neutral": 0.4}
    assert record == provenance.Record("acgan", emotion, 9, weights=engine.fingerprint("acgan"))
    with Image.open(path) as picture:
        picture.verify()
        assert picture.info["Description"] == record.sentence()
        assert provenance.SOURCE_TYPE in picture.info["XML:com.adobe.xmp"]
        del picture.info["fergan"]
        found = provenance._SETTINGS.search(picture.info["XML:com.adobe.xmp"])
    assert provenance._parse(provenance.html.unescape(found[1])) == record


def test_keys_buttons_and_another_model(visit, engine, tmp_path):
    page = visit()
    page.keyboard.press("5")
    expect(said(page)).to_contain_text("sad, seed 7")
    expect(page.get_by_role("button", name="sad", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("n")
    expect(said(page)).not_to_contain_text("seed 7,")
    page.get_by_role("spinbutton", name="Seed").fill("12")
    page.get_by_role("spinbutton", name="Seed").press("Enter")
    expect(said(page)).to_contain_text("sad, seed 12")
    page.get_by_role("combobox", name="Model").select_option("Conditional GAN")
    expect(said(page)).to_have_text("sad, seed 12, by Conditional GAN.")
    assert apart(face(page, tmp_path), drawn(engine, 12, "cgan", sad=1)) <= 1
    slider = page.get_by_role("slider", name="sad")
    slider.fill("0")
    expect(page.locator(".hint")).to_contain_text("All sliders are at zero")
    expect(said(page)).to_contain_text("neutral, seed 12")
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "1, 100 % of the blend")
    page.get_by_label("Keys 1 to 7 and N").uncheck()
    page.keyboard.press("1")
    page.wait_for_timeout(100)
    expect(slider).to_have_value("1")


def test_the_way_to_the_first_face_is_told(visit):
    held = []

    def hold(route):
        held.append(route)

    page = visit(before=lambda page: page.route("**/models/acgan.onnx*", hold))
    expect(page.locator(".loading")).to_have_text(re.compile(r"Downloading: 14 of 1[45] MB"))
    expect(page.get_by_role("progressbar", name="Download")).to_be_visible()
    expect(page.locator(".box")).to_have_attribute("aria-busy", "true")
    held[0].continue_()
    expect(page.locator(".loading")).to_be_hidden()
    expect(page.locator(".box canvas")).to_be_visible()
    expect(page.locator(".box")).to_have_attribute("aria-busy", "false")


@pytest.mark.parametrize(
    ("status", "due"), [(404, "the server answers 404"), (None, "the server cannot be reached")]
)
def test_a_download_that_fails_is_told_and_tried_again(visit, status, due):
    def refuse(route):
        route.fulfill(status=status) if status else route.abort()

    page = visit(before=lambda page: page.route("**/models/acgan.onnx*", refuse))
    expect(page.get_by_role("alert")).to_contain_text(f"models/acgan.onnx could not be downloaded: {due}.")
    expect(page.locator(".loading")).to_be_hidden()
    page.unroute("**/models/acgan.onnx*")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".box canvas")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()
    visit.faults[:] = [
        fault for fault in visit.faults if "Failed to load resource" not in fault
    ]  # as was meant


def test_a_model_that_does_not_come_leaves_the_others(visit):
    page = visit(before=lambda page: page.route("**/models/cgan.onnx*", lambda route: route.abort()))
    expect(said(page)).to_have_text("happy, seed 7, by AC-GAN.")
    models = page.get_by_role("combobox", name="Model")
    models.select_option("Conditional GAN")
    expect(page.get_by_role("alert")).to_contain_text("models/cgan.onnx could not be downloaded")
    expect(said(page)).to_be_empty()
    models.select_option("AC-GAN")
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(said(page)).to_have_text("happy, seed 7, by AC-GAN.")
    visit.faults[:] = [fault for fault in visit.faults if "Failed to load resource" not in fault]


def test_another_model_may_be_chosen_while_the_first_one_comes(visit):
    held = []
    page = visit(before=lambda page: page.route("**/models/acgan.onnx*", lambda route: held.append(route)))
    expect(page.locator(".loading")).to_contain_text("Downloading: 14 of")
    page.get_by_role("combobox", name="Model").select_option("Conditional GAN")
    held[0].continue_()
    expect(said(page)).to_have_text("happy, seed 7, by Conditional GAN.")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_file_that_is_no_network_is_told(visit):
    def damage(route):
        route.fulfill(body=b"\0" * len(route.fetch().body()))

    page = visit(before=lambda page: page.route("**/models/acgan.onnx*", damage))
    expect(page.get_by_role("alert")).to_contain_text("could not run the network")
    visit.faults.clear()


def test_faces_go_on_without_the_judge(visit):
    asked = []

    def refuse(route):
        asked.append(route)
        route.fulfill(status=500)

    page = visit(before=lambda page: page.route("**/models/judge.onnx*", refuse))
    expect(page.locator(".judge")).to_contain_text("the server answers 500")
    page.get_by_role("button", name="fear", exact=True).click()
    expect(said(page)).to_contain_text("fear, seed 7")
    assert len(asked) == 1  # not with each face
    page.unroute("**/models/judge.onnx*")
    page.locator(".judge").get_by_role("button", name="Retry").click()
    expect(page.locator(".heard")).to_contain_text("The judge reads")
    expect(page.locator(".judge").get_by_role("button", name="Retry")).to_be_hidden()
    visit.faults[:] = [fault for fault in visit.faults if "Failed to load resource" not in fault]


@pytest.mark.parametrize(("scheme", "due"), [("light", "rgb(246, 245, 242)"), ("dark", "rgb(20, 20, 23)")])
def test_a_phone_has_the_face_in_sight_and_nothing_beyond_its_edge(visit, scheme, due):
    page = visit(width=360, height=740, color_scheme=scheme)
    expect(said(page)).to_contain_text("happy")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == due
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("combobox", name="Model").scroll_into_view_if_needed()
    box = page.locator(".box").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] < 370
