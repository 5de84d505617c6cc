"""The tab "Real or fake?" in a browser: ten rounds by click, touch and key, the end, the summary, the stage."""

import re
import shutil

import pytest

import app
from fergan import quiz
from fergan.engine import Engine
from tests import factory
from tests.browser.conftest import cut_off

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

TAB = "?tab=real-or-fake"
REQUESTS = "**/component_server/**"


@pytest.fixture(scope="module")
def fer(tmp_path_factory):
    return factory.write_packed(tmp_path_factory.mktemp("fer"), factory.draw_faces(350))


@pytest.fixture(scope="module")
def address(weights, fer):
    """A page whose owner allows real faces; the judge learns from few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quiz, "EACH", 3)
        page = app.build_app(Engine([weights], device="cpu", real_faces=fer))
        yield app.serve(page, "127.0.0.1")
        page.close(verbose=False)


@pytest.fixture
def play(visit):
    """Opens the tab by a link and waits for its first face."""

    def play(query="", **options):
        page = visit(TAB + query, **options)
        expect(face(page)).to_be_visible()
        return page

    return play


def face(page):
    return page.locator(".quiz-face img[src]")


def answer(page, name):
    return page.locator(f".quiz-answer[data-say={name}]")


def said(page):
    return page.locator(".quiz-said")


def on(page):
    return page.locator(".quiz [data-do=next]")


def pips(page):
    return page.locator(".quiz-pips li").evaluate_all("all => all.map(one => one.className)")


def finish(page, keys="rf"):
    """Answers every round by keys, in turn; what was said of each."""
    for number in range(10):
        expect(page.locator(".quiz-round")).to_contain_text(f"Round {number + 1} of 10")
        page.keyboard.press(keys[number % len(keys)])
        expect(said(page)).to_contain_text(re.compile("Right|Wrong"))
        page.keyboard.press("Enter")
    expect(page.locator("#quiz-result-title")).to_be_visible()


def right(page):
    return int(re.search(r"about (\d+) of 10", page.locator("#quiz-result-title").text_content())[1])


def test_nothing_is_dealt_before_the_tab_is_opened(opened_late):
    page = opened_late("Real or fake?", "deal", lambda page: expect(face(page)).to_be_visible())
    expect(page).to_have_url(re.compile(r"tab=real-or-fake&mode=real$"))


def test_an_answer_is_told_at_once_and_only_then(play):
    page = play()
    before = face(page).get_attribute("src")
    assert face(page).get_attribute("alt") == "A face"
    assert said(page).text_content() == ""
    expect(on(page)).to_be_hidden()
    answer(page, "fake").click()
    expect(said(page)).to_contain_text(
        re.compile(r"^(Right|Wrong)\. (A photo of a real person|.* drew it: )")
    )
    wrong = "Wrong" in said(page).text_content()
    drawn = "drew it" in said(page).text_content()
    assert wrong != drawn
    assert pips(page)[0] == ("wrong" if wrong else "right")
    expect(page.locator(".quiz-answer.truth")).to_have_attribute("data-say", "fake" if drawn else "real")
    assert re.search(r"seed \d+\." if drawn else "labelled ", said(page).text_content())
    expect(on(page)).to_be_focused()
    answer(page, "real").click(force=True)  # too late
    expect(page.locator(".quiz-round")).to_contain_text(f"{1 - wrong} right")
    page.keyboard.press("Enter")
    expect(page.locator(".quiz-round")).to_contain_text("Round 2 of 10")
    assert face(page).get_attribute("src") != before
    expect(page.get_by_role("heading", name="Is this face real or fake?")).to_be_focused()


def test_ten_rounds_end_with_scores_beside_the_judges(play):
    page = play()
    finish(page)
    assert right(page) == pips(page).count("right")
    you = page.locator(".quiz-scores li").nth(0)
    expect(you).to_have_text(f"You{right(page)} of 10")
    expect(page.locator(".quiz-scores li").nth(1)).to_have_text(re.compile(r"Judge\d+ of 10"), timeout=60_000)
    expect(page.locator(".quiz-scores li").nth(2)).to_have_text("Guessing5 of 10")
    expect(page.locator(".quiz-past li.right")).to_have_count(right(page))
    expect(page.locator(".quiz-past img")).to_have_count(10)
    rows = page.locator(".quiz-detail tbody tr")
    expect(rows.first).to_have_text(re.compile(rf"All{right(page)} of 10\d+ of 10"))
    assert rows.count() >= 1 + 2 + 1 + 7
    expect(page.locator(".quiz-how")).to_contain_text(re.compile(r"right about \d+ % of faces"))
    page.keyboard.press("Enter")
    expect(page.locator(".quiz-round")).to_have_text("Round 1 of 10, 0 right so far")
    assert pips(page) == ["now", *[""] * 9]


def test_arrows_answer_too(play):
    page = play()
    for key, name in (("ArrowLeft", "real"), ("ArrowRight", "fake"), ("F", "fake")):
        page.keyboard.press(key)
        expect(page.locator(".quiz-answer.said")).to_have_attribute("data-say", name)
        page.keyboard.press("Enter")
    expect(page.locator(".quiz-round")).to_contain_text("Round 4")
    page.keyboard.press("Enter")  # says nothing of this face
    expect(page.locator(".quiz-round")).to_contain_text("Round 4")


def test_keys_answer_from_the_tab_and_the_mode_that_were_clicked(play):
    page = play("&mode=which")
    page.get_by_role("tab", name="Real or fake?").click()
    page.keyboard.press("2")
    expect(page.locator(".quiz-answer.said")).to_have_attribute("data-say", "cgan")
    page.locator(".quiz-mode", has_text="Real or fake?").click()
    expect(face(page)).to_be_visible()
    expect(page.get_by_role("radio", name="Real or fake?")).to_be_focused()
    page.keyboard.press("f")
    expect(page.locator(".quiz-answer.said")).to_have_attribute("data-say", "fake")
    page.get_by_role("radio", name="Real or fake?").focus()
    page.keyboard.press("ArrowRight")  # is the radio's own
    expect(page.locator(".quiz-question")).to_have_text("Which network drew this face?")


def test_which_network_by_number_keys(play):
    page = play("&mode=which")
    expect(page.locator(".quiz-question")).to_have_text("Which network drew this face?")
    expect(page.locator(".quiz-answer")).to_have_text([re.compile("AC-GAN"), re.compile("cGAN")])
    page.keyboard.press("2")
    expect(page.locator(".quiz-answer.said")).to_have_attribute("data-say", "cgan")
    expect(said(page)).to_contain_text(re.compile("(AC-GAN|cGAN) drew it: "))
    page.keyboard.press("Enter")
    page.keyboard.press("9")  # no such network
    expect(page.locator(".quiz-round")).to_contain_text("Round 2")
    page.locator(".quiz-mode", has_text="Real or fake?").click()
    expect(page.locator(".quiz-question")).to_have_text("Is this face real or fake?")
    expect(page.locator(".quiz-round")).to_have_text("Round 1 of 10, 0 right so far")
    expect(page).to_have_url(re.compile("mode=real"))


def test_by_touch_on_a_phone_the_face_stays_in_sight(play):
    page = play(width=360, height=740, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for _ in range(10):
        answer(page, "real").tap()
        expect(on(page)).to_be_in_viewport(ratio=1)
        expect(face(page)).to_be_in_viewport(ratio=0.9)
        on(page).tap()
    expect(page.get_by_role("button", name="Play again")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for title in ("Generate", "Evolution", "Real or fake?"):
        expect(page.get_by_role("tab", name=title)).to_be_visible()


def test_the_stage_is_a_face_and_keys(visit):
    page = visit(TAB + "&view=stage")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("img[src]")).to_be_visible()
    covered = """() => [0.02, 0.5, 0.98].every((x) => [0.02, 0.5, 0.98].every((y) =>
        document.elementFromPoint(x * innerWidth, y * innerHeight).closest('.quiz-show')))"""
    assert page.evaluate(covered)
    expect(page).to_have_url(re.compile(r"\?tab=real-or-fake&mode=real&view=stage$"))
    status = dialog.get_by_role("status")
    expect(status).to_contain_text("Real")
    before = dialog.locator("img").get_attribute("src")
    page.keyboard.press("ArrowRight")
    expect(status).to_have_text(re.compile(r"^(Right|Wrong)\. .*[01] of 1$"))
    page.keyboard.press("Enter")
    expect(status).to_contain_text("Fake")
    assert dialog.locator("img").get_attribute("src") != before
    for _ in range(9):
        page.keyboard.press("r")
        expect(status).to_contain_text(re.compile("Right|Wrong"))
        page.keyboard.press("Enter")
    expect(status).to_contain_text("of 10 right. Enter plays again.")
    page.keyboard.press("Enter")
    expect(status).to_contain_text("Fake")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Is this face real or fake?")).to_be_visible()
    expect(page).to_have_url(re.compile(r"mode=real$"))


def test_the_stage_is_played_by_touch(visit):
    page = visit(TAB + "&view=stage", width=360, height=740)
    dialog = page.get_by_role("dialog")
    status = dialog.get_by_role("status")
    for number in range(1, 11):
        dialog.get_by_role("button", name="Fake").click()
        expect(status).to_have_text(re.compile(rf"^(Right|Wrong)\. .*\d of {number}$"))
        dialog.locator(".mix-show-face").click()
    expect(status).to_contain_text("of 10 right.")
    dialog.locator(".mix-show-face").click()
    expect(dialog.get_by_role("button", name="Real")).to_be_visible()


def test_a_server_that_is_gone_is_told_and_asked_again(play):
    page = play()
    failed = page.locator(".quiz .failed")
    cut_off(page)
    page.keyboard.press("r")
    expect(failed).to_contain_text("The server does not answer.")
    page.unroute(REQUESTS)
    failed.get_by_role("button", name="Retry").click()
    expect(said(page)).to_contain_text(re.compile("Right|Wrong"))  # the answer went through after all
    expect(page.locator(".quiz-answer.said")).to_have_attribute("data-say", "real")
    expect(failed).to_be_hidden()
    cut_off(page)
    page.locator(".quiz [data-do=begin]").click()
    expect(failed).to_contain_text("The server does not answer.")
    page.unroute(REQUESTS)
    failed.get_by_role("button", name="Retry").click()
    expect(face(page)).to_be_visible()


def test_a_server_that_was_started_anew_deals_another_game(play, monkeypatch):
    page = play()
    monkeypatch.setattr(
        quiz.Quiz, "_digest", lambda self, words: quiz.hmac.digest(b"x", words.encode(), "sha256")
    )
    page.keyboard.press("r")
    expect(page.locator(".quiz .failed")).to_contain_text("begin another one")
    page.get_by_role("button", name="Retry").click()
    expect(face(page)).to_be_visible()
    page.keyboard.press("r")
    expect(said(page)).to_contain_text(re.compile("Right|Wrong"))


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (360, 740)])
def test_it_fits_and_nothing_jumps(play, width, height):
    page = play(width=width, height=height)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    box = page.locator(".quiz-face").bounding_box()
    assert box["y"] + box["height"] < height
    for other in (".quiz-answers", ".quiz-modes", ".quiz-verdict"):
        found = page.locator(other).bounding_box()
        assert box["width"] * box["height"] > found["width"] * found["height"]
    places = [page.locator(part).bounding_box() for part in (".quiz-face", ".quiz-answers", ".quiz-hint")]
    page.keyboard.press("r")
    expect(on(page)).to_be_in_viewport(ratio=1)
    assert places == [
        page.locator(part).bounding_box() for part in (".quiz-face", ".quiz-answers", ".quiz-hint")
    ]


@pytest.mark.parametrize(
    ("names", "heading"),
    [(("acgan", "judge"), "Nothing to tell apart yet"), (("acgan", "cgan"), "Which network drew this face?")],
)
def test_without_real_faces(visit_of, weights, tmp_path, names, heading):
    for name in names:
        shutil.copytree(weights / name, tmp_path / name)
    page = visit_of(tmp_path, TAB)
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    if "cgan" in names:  # and no judge
        expect(page.locator(".quiz-modes")).to_be_hidden()
        expect(face(page)).to_be_visible()
        expect(page.locator(".quiz-hint")).to_contain_text("this page may show no photos. The tab Models")
        finish(page, "12")
        expect(page.locator(".quiz-scores li")).to_have_count(2)
        expect(page.locator(".quiz-detail tbody tr").first).to_contain_text("of 10")
    else:
        expect(page.locator(".evo-empty")).to_contain_text("--real-faces")
