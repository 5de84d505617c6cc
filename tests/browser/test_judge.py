"""The judge on the tab Generate in a browser: hit rate, marks, bars."""

import re
import shutil

import numpy as np
import pytest
import torch

import app
from fergan import checkpoint
from fergan.emotions import EMOTIONS
from fergan.engine import Engine
from fergan.images import fit, from_array
from fergan.ui.sheet import Sheet

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


@pytest.fixture(scope="module")
def judged(weights, tmp_path_factory):
    """The tiny models, with a judge that reads another emotion in almost every face."""
    folder = tmp_path_factory.mktemp("judged")
    for name in ("acgan", "cgan"):
        shutil.copytree(weights / name, folder / name)
    faces = np.concatenate([Sheet("acgan", name, 7).draw(Engine([folder], "cpu")) for name in EMOTIONS])
    described, network = checkpoint.load(weights / "judge")
    with torch.no_grad():
        logits = network(fit(from_array(faces), 48, 1))
        linear = network.head.linear
        linear.weight /= logits.std(0)[:, None]
        linear.bias.copy_((linear.bias - logits.mean(0)) / logits.std(0))
    checkpoint.save(folder / "judge", described, network.state_dict())
    return Engine([folder], device="cpu")


@pytest.fixture(scope="module")
def address(request, judged):
    """Where the page is served: with the judge, or for the parameter "alone" without one."""
    alone = getattr(request, "param", "") == "alone"
    page = app.build_app(Engine([judged.folder("acgan")], device="cpu") if alone else judged)
    yield app.serve(page, "127.0.0.1")
    page.close(verbose=False)


@pytest.fixture
def reads(visit):
    """Opens the page and watches what it asks the judge: `page, asked = reads(query)`."""

    def reads(query="", **options):
        page = visit(query, **options)
        asked = []
        page.on("request", lambda request: asked.append(request) if is_read(request) else None)
        return page, asked

    return reads


def is_read(request):
    return "component_server" in request.url and (request.post_data_json or {}).get("fn_name") == "read"


def probabilities(engine, emotion, count=16):
    return engine.classify(Sheet("acgan", emotion, 7, count).draw(engine))


def hits(page):
    return page.locator(".hits b")


def click(page, emotion):
    page.locator(".chip", has_text=emotion).click()


def only_reading(handle):
    return lambda route: handle(route) if is_read(route.request) else route.continue_()


def test_the_sheets_hit_rate_is_the_engines(visit, judged):
    page = visit("?variety=100")
    seen = set()
    for emotion in EMOTIONS:
        click(page, emotion)
        found = probabilities(judged, emotion).argmax(axis=1)
        right = int((found == EMOTIONS.index(emotion)).sum())
        expect(hits(page)).to_have_text(f"The judge read {emotion} in {right} of 16")
        expect(page.locator(".cell .other:visible")).to_have_count(16 - right)
        shown = page.locator(".cell .other").evaluate_all(
            "marks => marks.map(mark => mark.hidden ? null : mark.dataset.emotion)"
        )
        assert shown == [None if EMOTIONS[label] == emotion else EMOTIONS[label] for label in found]
        seen.add(right)
    assert len(seen) > 1
    assert "independent classifier" in page.locator(".hits").get_attribute("title")


def test_the_bars_are_the_engines_numbers(visit, judged):
    page = visit("?emotion=fear&face=9")
    found = probabilities(judged, "fear")[2]
    first = int(found.argmax())
    rows = page.locator(".verdict .bars li")
    expect(rows.nth(first)).to_have_class(re.compile(r"\bfirst\b"))
    assert rows.evaluate_all("rows => rows.map(row => row.dataset.emotion)") == list(EMOTIONS)
    shares = rows.evaluate_all("rows => rows.map(row => Number(row.style.getPropertyValue('--share')))")
    assert np.allclose(shares, found, atol=2e-6)
    percents = [int(text.removesuffix(" %")) for text in page.locator(".verdict .percent").all_inner_texts()]
    assert sum(percents) == 100
    assert np.abs(np.array(percents) - 100 * found).max() < 1
    expect(page.locator(".verdict p")).to_have_text(
        f"The judge reads {EMOTIONS[first]}, {percents[first]} % sure."
    )
    expect(page.locator(".verdict .asked")).to_have_text(
        re.compile(rf"^\s*fear, asked for\s*{percents[2]} %$")
    )
    expect(page.locator(".verdict .mark:visible")).to_have_count(1)


def test_the_same_person_in_other_moods_is_read_too(visit, judged):
    page = visit("?face=9")
    for emotion in EMOTIONS:
        found = int(probabilities(judged, emotion)[2].argmax())
        mood = page.locator(f".mood[data-mood={emotion}]")
        expect(mood).to_have_attribute("title", re.compile(f"^The judge reads {EMOTIONS[found]}, "))
        expect(mood.locator(".other:visible")).to_have_count(int(EMOTIONS[found] != emotion))


def test_one_face_gets_its_verdict_as_the_hit_rate(visit, judged):
    page = visit("?count=1")
    right = int(probabilities(judged, "happy", 1)[0].argmax() == EMOTIONS.index("happy"))
    expect(hits(page)).to_have_text(f"The judge read happy in {right} of 1")


def test_going_back_asks_nobody(reads):
    page, asked = reads()
    expect(hits(page)).to_contain_text("happy in")  # else a click under load may leave it unread
    click(page, "sad")
    expect(hits(page)).to_contain_text("sad")
    before = len(asked)
    assert before >= 1
    page.route("**/component_server/**", only_reading(lambda route: route.abort()))
    click(page, "happy")
    expect(hits(page)).to_contain_text("happy in")
    click(page, "sad")
    expect(hits(page)).to_contain_text("sad in")
    page.wait_for_timeout(300)
    assert len(asked) == before


def test_a_quick_hand_gets_faces_and_the_judge_reads_the_last(reads, judged):
    page, asked = reads()
    expect(hits(page)).to_contain_text("happy in")
    asked.clear()
    page.evaluate("() => { for (const radio of document.querySelectorAll('.chip input')) radio.click(); }")
    expect(hits(page)).to_contain_text("neutral in")
    assert len(asked) == 1
    assert len(asked[0].post_data_json["data"]) == 16


def test_faces_do_not_wait_for_the_judge_and_nothing_moves_when_it_answers(visit):
    page = visit()
    expect(hits(page)).to_contain_text("happy in")
    held = []
    page.route("**/component_server/**", only_reading(held.append))
    click(page, "sad")
    expect(page.locator(".said")).to_contain_text("16 sad")
    expect(hits(page)).to_have_text("")
    expect(page.locator(".status")).to_have_attribute("aria-busy", "true")  # spoken once, when it is whole
    page.wait_for_timeout(300)
    places = [".said", ".caption", ".panel", ".cell:last-child"]
    before = [page.locator(place).bounding_box() for place in places]
    assert len(held) == 1
    held[0].continue_()
    expect(hits(page)).to_contain_text("sad in")
    expect(page.locator(".status")).to_have_attribute("aria-busy", "false")
    assert [page.locator(place).bounding_box() for place in places] == before


def test_the_dialog_keeps_its_size_until_the_judge_answers(visit):
    page = visit()
    expect(hits(page)).to_contain_text("happy in")
    held = []
    page.route("**/component_server/**", only_reading(held.append))
    click(page, "sad")
    expect(page.locator(".said")).to_contain_text("16 sad")
    page.get_by_role("button", name="Seed 9,").click()
    expect(page.locator(".verdict")).to_be_visible()
    assert page.locator(".verdict p").inner_text() == ""
    before = [page.locator(place).bounding_box() for place in (".enlarged", ".verdict", ".look .face")]
    page.wait_for_timeout(300)
    held[0].continue_()
    expect(page.locator(".verdict p")).to_contain_text("The judge reads")
    assert [
        page.locator(place).bounding_box() for place in (".enlarged", ".verdict", ".look .face")
    ] == before


def test_a_judge_that_gives_no_answer_is_told(visit):
    page = visit()
    expect(hits(page)).to_contain_text("happy in")
    page.route("**/component_server/**", only_reading(lambda route: route.abort()))
    click(page, "sad")
    expect(hits(page)).to_have_text("The judge gave no answer")
    expect(page.locator(".said")).to_contain_text("16 sad")
    expect(page.locator(".status")).to_have_attribute("aria-busy", "false")
    page.get_by_role("button", name="Seed 9,").click()
    expect(page.locator(".verdict p")).to_contain_text("Check that it is running")
    page.keyboard.press("Escape")
    page.unroute("**/component_server/**")
    click(page, "fear")
    expect(hits(page)).to_contain_text("fear in")


def test_the_judge_can_be_switched_off_and_stays_off(reads):
    page, asked = reads()
    expect(hits(page)).to_contain_text("happy in")
    page.locator(".advanced summary").click()
    page.get_by_label("Show the judge").uncheck()
    expect(hits(page)).to_have_text("")
    expect(page.locator(".cell .other:visible")).to_have_count(0)
    page.reload()
    page.wait_for_selector(".cell img[src]")
    asked.clear()
    click(page, "sad")
    expect(page.locator(".said")).to_contain_text("16 sad")
    page.get_by_role("button", name="Seed 9,").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.wait_for_timeout(400)
    expect(page.locator(".verdict")).to_be_hidden()
    expect(hits(page)).to_have_text("")
    assert asked == []


@pytest.mark.parametrize("address", ["alone"], indirect=True)
def test_without_a_judge_nothing_of_it_is_shown(reads):
    page, asked = reads("?face=9")
    expect(page.locator("#enlarged-title")).to_have_text("Seed 9, happy, by AC-GAN")
    page.keyboard.press("1")
    expect(page.locator(".said")).to_have_text("16 angry faces by AC-GAN, seeds 7 to 22")
    page.wait_for_timeout(300)
    for part in (".hits", ".verdict", ".bars", ".other:visible", "[data-field=judge]", ".judge-line"):
        expect(page.locator(".generate " + part)).to_have_count(0)
    assert "judge" not in page.locator(".generate").inner_text().lower()
    assert asked == []


def test_on_a_phone_the_face_stays_the_largest_thing(visit):
    page = visit("?face=9", width=360, height=740, has_touch=True, is_mobile=True)
    expect(page.locator(".verdict p")).to_contain_text("The judge reads")
    dialog = page.get_by_role("dialog")
    assert dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    face, verdict = (page.locator(part).bounding_box() for part in (".look .face", ".verdict"))
    assert face["width"] >= verdict["width"] - 1
    assert face["height"] > 1.5 * verdict["height"]
    expect(page.locator(".verdict")).to_be_in_viewport(ratio=1)
