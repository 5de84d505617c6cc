"""The quiz without a browser: which faces are asked about, what stays secret, what is counted."""

import base64
import io
import json
import re
import shutil
import time
from collections import Counter

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import app
from fergan import data, quiz
from fergan.emotions import EMOTIONS
from fergan.engine import Engine
from fergan.quiz import QUIZ_SEEDS, REFERENCE_SEED, ROUNDS, Quiz
from tests import factory
from tests.asking import asking

FACES = 350
SECRET = b"of the tests"


@pytest.fixture(scope="module")
def faces():
    """70 faces of each test, of which the first of PrivateTest stands in Training too."""
    drawn = factory.draw_faces(FACES)
    drawn[280] = drawn[0]
    return drawn


@pytest.fixture(scope="module")
def fer(faces, tmp_path_factory):
    return factory.write_packed(tmp_path_factory.mktemp("fer"), faces)


@pytest.fixture(scope="module", autouse=True)
def few():
    """Few reference faces: tiny networks have nothing to learn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quiz, "EACH", 3)
        yield


@pytest.fixture
def both(weights, fer):
    return Quiz(Engine([weights], device="cpu", real_faces=fer), SECRET)


@pytest.fixture
def alone(weights, tmp_path):
    """A folder with one generator and the judge."""
    for name in ("acgan", "judge"):
        shutil.copytree(weights / name, tmp_path / "alone" / name)
    return tmp_path / "alone"


def rounds(player, mode="real", games=200):
    return [player.round(ticket) for _ in range(games) for ticket in deal(player, mode)]


def deal(player, mode):
    """Tickets of a game, without its faces."""
    game = quiz.secrets.token_hex(16)
    return [player._ticket(mode, game, number) for number in range(ROUNDS)]


# --- which faces are asked about ---


def test_modes_follow_from_what_there_is(weights, fer, alone):
    assert Quiz(Engine([weights], device="cpu")).answers == {"which": ("acgan", "cgan")}
    assert Quiz(Engine([alone], device="cpu")).answers == {}
    assert Quiz(Engine([alone], device="cpu", real_faces=fer)).answers == {"real": ("real", "fake")}
    assert list(Quiz(Engine([weights], device="cpu", real_faces=fer)).answers) == ["real", "which"]


def test_a_student_projects_blurs_are_no_question_beside_others(weights, tmp_path):
    factory.write_checkpoint(tmp_path / "before", "cgan", "published", noise_dim=8)
    player = Quiz(Engine([weights, tmp_path], device="cpu"))
    assert player.answers == {"which": ("acgan", "cgan")}
    assert {one.model for one in rounds(player, "which", 20)} == {"acgan", "cgan"}
    factory.write_checkpoint(tmp_path / "older", "acgan", "published", noise_dim=8)
    assert Quiz(Engine([tmp_path], device="cpu")).answers == {"which": ("before", "older")}


def test_a_config_may_leave_its_size_to_the_default(weights, tmp_path):
    shutil.copytree(weights / "acgan", tmp_path / "acgan")
    path = tmp_path / "acgan" / "config.json"
    described = json.loads(path.read_text())
    del described["config"]["image_size"], described["config"]["channels"]
    path.write_text(json.dumps(described))
    player = Quiz(Engine([tmp_path, weights / "cgan"], device="cpu"))
    assert player.deal("which")[0].shape == (ROUNDS, 48, 48)


def test_real_and_fake_come_alike_and_show_the_same_emotions(both):
    found = rounds(both)
    real = [one.emotion for one in found if one.model is None]
    fake = [one.emotion for one in found if one.model is not None]
    assert len(real) / len(found) == pytest.approx(0.5, abs=0.05)  # 4.5 deviations
    for label in range(len(EMOTIONS)):
        assert real.count(label) / len(real) == pytest.approx(1 / 7, abs=0.05)
        assert fake.count(label) / len(fake) == pytest.approx(1 / 7, abs=0.05)
    models = Counter(one.model for one in found if one.model)
    assert models["acgan"] / len(fake) == pytest.approx(0.5, abs=0.07)
    assert all(one.truth == ("real" if one.model is None else "fake") for one in found)


def test_the_next_face_does_not_follow_from_those_before(both):
    """Who counts gains nothing: games have all numbers of real faces, and the last is as open as the first."""
    games = [[one.model is None for one in (both.round(t) for t in deal(both, "real"))] for _ in range(200)]
    assert len({sum(game) for game in games}) > 5
    behind = [game[-1] for game in games if sum(game[:-1]) >= 6]
    assert 0.2 < sum(behind) / len(behind) < 0.8


def test_a_game_shows_no_photo_twice_and_every_emotion(both):
    for _ in range(50):
        game = [both.round(ticket) for ticket in deal(both, "real")]
        photos = [one.seed for one in game if one.model is None]
        assert len(set(photos)) == len(photos)
        assert max(Counter(one.emotion for one in game).values()) <= 2
        assert len({one.emotion for one in game}) == 7


def test_photos_are_those_of_private_test_without_duplicates(both, faces):
    shown = {face.tobytes() for face in both.photos.show(range(len(both.photos.asked)))}
    assert shown == {face.tobytes() for face in faces[281:]}
    for one in (one for one in rounds(both, games=20) if one.model is None):
        [face] = both.faces([one])
        row = int(np.flatnonzero((faces == face).all((1, 2)))[0])
        assert row > 280
        assert row % 7 == one.emotion


def test_drawn_faces_are_the_engines_at_full_variety(both, engine):
    for one in [one for one in rounds(both, games=3) if one.model][:5]:
        drawn = engine.generate(one.model, np.eye(7)[[one.emotion]], [one.seed], truncation=1.0)
        assert np.array_equal(both.faces([one]), drawn)


def test_all_faces_have_one_size_and_colour(weights, fer, tmp_path):
    folder = factory.add_model(
        weights, tmp_path / "large", "stylegan", 0.1, width=8, image_size=64, channels=3
    )
    for mode in ("real", "which"):
        faces, tickets = Quiz(Engine([folder], device="cpu", real_faces=fer)).deal(mode)
        assert faces.shape == (ROUNDS, 48, 48)
        assert len(tickets) == ROUNDS


def test_flat_pictures_are_not_asked_about(faces, weights, tmp_path):
    flat = faces.copy()
    flat[300] = 90
    found = Quiz(Engine([weights], device="cpu", real_faces=factory.write_packed(tmp_path, flat)))
    assert len(found.photos.asked) == 68


def test_nothing_of_the_photos_is_written(weights, fer, tmp_path, monkeypatch):
    monkeypatch.setenv("FERGAN_CACHE", str(tmp_path / "cache"))
    Quiz(Engine([weights], device="cpu", real_faces=fer)).deal("real")
    assert not (tmp_path / "cache").exists()
    data.load(fer)
    assert (tmp_path / "cache").exists()  # else the line above could not fail


def test_data_without_tests_is_refused(weights, faces, tmp_path):
    path = factory.write_csv(tmp_path / "fer2013.csv", faces[:14], splits=["Training"] * 14)
    with pytest.raises(ValueError, match="holds no faces of PrivateTest"):
        Quiz(Engine([weights], device="cpu", real_faces=path))


# --- what stays secret ---


def test_tickets_tell_nothing_and_cannot_be_made(both):
    faces, tickets = both.deal("real")
    assert all(re.fullmatch(r"real\.[0-9a-f]{32}\.\d\.[0-9a-f]{32}", ticket) for ticket in tickets)
    assert np.array_equal(both.faces([both.round(ticket) for ticket in tickets]), faces)
    mode, game, number, seal = tickets[3].split(".")
    for wrong in (
        f"which.{game}.{number}.{seal}",
        f"{mode}.{game[::-1]}.{number}.{seal}",
        f"{mode}.{game}.4.{seal}",
        f"{mode}.{game}.{number}.{seal[:-1]}",
        f"{mode}.{game}.99.{seal}",
        f"{mode}.{game}.²0.{seal}",
        "real", "", "real.x.0.é",
    ):  # fmt: skip
        with pytest.raises(ValueError, match="begin another one"):
            both.round(wrong)


def test_another_start_of_the_server_deals_other_games(both, weights, fer):
    other = Quiz(Engine([weights], device="cpu", real_faces=fer))
    with pytest.raises(ValueError, match="begin another one"):
        other.round(deal(both, "real")[0])
    game = "0" * 32
    same = Quiz(Engine([weights], device="cpu", real_faces=fer), SECRET)
    assert same._game("real", game) == both._game("real", game) != other._game("real", game)


# --- the page's own requests ---


@pytest.fixture(scope="module")
def page(weights, fer):
    return app.build_app(Engine([weights], device="cpu", real_faces=fer))


@pytest.fixture
def ask(page):
    with TestClient(gr.routes.App.create_app(page)) as http:
        yield asking(page, http, "quiz-tab")


def chunks(content):
    """Names and lengths of a PNG's parts, but for that of its pixels, and its header."""
    place, found = 8, []
    while place < len(content):
        length, name = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        found.append((name, content[place + 8 : place + 8 + length] if name != b"IDAT" else b""))
        place += 12 + length
    return found


def test_pictures_and_tickets_are_all_that_comes_before_the_answer(ask):
    answer = ask("deal", "real")
    assert set(answer) == {"faces", "tickets"}
    told = json.dumps(answer["tickets"])
    assert not any(word in told for word in ("acgan", "cgan", "fake", *EMOTIONS))
    pictures = [base64.b64decode(face.partition("base64,")[2]) for face in answer["faces"]]
    assert {tuple(chunks(picture)) for picture in pictures} == {tuple(chunks(pictures[0]))}
    assert {name for name, _ in chunks(pictures[0])} == {b"IHDR", b"IDAT", b"IEND"}


def test_the_page_comes_without_faces(page):
    [tab] = [one for one in page.config["components"] if one["props"].get("elem_id") == "quiz-tab"]
    assert "base64" not in json.dumps(tab["props"]["props"]["facts"])


def test_an_answer_is_told_what_the_face_is(ask, faces, engine):
    answer = ask("deal", "real")
    kinds = set()
    for picture, ticket in zip(answer["faces"], answer["tickets"], strict=True):
        found = ask("reveal", {"tickets": [ticket], "said": "real"})
        assert found == ask("reveal", {"tickets": [ticket], "said": "fake"})
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))))
        kinds.add(found["truth"])
        if found["truth"] == "real":
            assert (found["model"], found["seed"]) == (None, None)  # nor which photo it is
            assert (faces[281:] == pixels).all((1, 2)).any()
        else:
            row = np.eye(7)[[EMOTIONS.index(found["emotion"])]]
            assert np.array_equal(engine.generate(found["model"], row, [found["seed"]])[0], pixels)
    assert kinds <= {"real", "fake"}


def test_which_network_is_told_by_its_name(ask):
    ticket = ask("deal", "which")["tickets"][0]
    found = ask("reveal", {"tickets": [ticket], "said": "cgan"})
    assert found["truth"] == found["model"] in ("acgan", "cgan")


@pytest.mark.parametrize(
    ("verb", "fields", "sentence"),
    [
        ("deal", "nope", "There is no quiz 'nope' here; choose one of real, which."),
        ("deal", None, "There is no quiz 'None' here"),
        ("reveal", {}, "named by their tickets, 1 to 1 at once"),
        ("reveal", {"tickets": ["a", "b"], "said": "real"}, "named by their tickets"),
        ("reveal", {"tickets": [3]}, "named by their tickets"),
        ("reveal", {"tickets": ["real.0.0.0"], "said": "real"}, "begin another one"),
        ("compare", {"tickets": []}, "named by their tickets, 1 to 10"),
        ("compare", {"tickets": ["x"] * 11}, "named by their tickets"),
        ("compare", {"tickets": ["x"]}, "begin another one"),
        ("count", "x", "Results are a list"),
        ("count", [3], "no result of this quiz"),
    ],
)
def test_what_makes_no_sense_gets_a_sentence(ask, verb, fields, sentence):
    assert sentence in ask(verb, fields)["error"]


def test_an_answer_must_be_one_of_those_asked_for(ask):
    ticket = ask("deal", "real")["tickets"][0]
    found = ask("reveal", {"tickets": [ticket], "said": "acgan"})
    assert found == {"error": "An answer is one of real, fake; got 'acgan'."}


def test_the_judge_learns_aside_and_then_guesses(ask):
    for mode, answers in (("real", {"real", "fake"}), ("which", {"acgan", "cgan"})):
        tickets = ask("deal", mode)["tickets"]
        for _ in range(600):
            found = ask("compare", {"tickets": tickets})
            if "progress" not in found:
                break
            assert 0 <= found["progress"] <= 1
            time.sleep(0.1)
        assert len(found["said"]["judge"]) == ROUNDS
        assert set(found["said"]["judge"]) <= answers
        assert 0 <= found["heldOut"]["judge"] <= 1


def test_no_network_learns_from_faces_that_are_asked_about(both, monkeypatch):
    seen = []
    generate = Engine.generate

    def watched(self, model, emotion, seeds, truncation=1.0):
        seen.extend(seeds)
        return generate(self, model, emotion, seeds, truncation)

    monkeypatch.setattr(Engine, "generate", watched)
    rows = both._reference_rows()
    known = list(both._reference("real", both.photos.reference.labels[rows].numpy(), rows))
    asked = {face.tobytes() for face in both.photos.show(range(len(both.photos.asked)))}
    assert min(seen) >= REFERENCE_SEED > QUIZ_SEEDS
    assert not asked & {face.tobytes() for part in known for face in part.faces}
    by_class = [np.concatenate([part.emotions for part in known if part.classes[0] == c]) for c in (0, 1)]
    assert np.array_equal(*by_class)
    assert Counter(by_class[0].tolist()) == dict.fromkeys(range(7), 3)
    which = list(both._reference("which", np.repeat(range(7), 2), None))
    assert Counter(np.concatenate([part.classes for part in which]).tolist()) == {0: 14, 1: 14}


# --- the flags ---


def test_nothing_real_is_shown_unless_the_owner_allows_it(monkeypatch):
    monkeypatch.delenv("FERGAN_REAL_FACES", raising=False)
    monkeypatch.delenv("FERGAN_DISCRIMINATORS", raising=False)
    found = app.parse([])
    assert (found.real_faces, found.discriminators) == (None, [])
    monkeypatch.setenv("FERGAN_REAL_FACES", "")
    assert app.parse([]).real_faces is None
    monkeypatch.setenv("FERGAN_REAL_FACES", "there")
    monkeypatch.setenv("FERGAN_DISCRIMINATORS", "runs/a runs/b")
    assert (app.parse([]).real_faces, app.parse([]).discriminators) == ("there", ["runs/a", "runs/b"])
    assert app.parse(["--real-faces", "here"]).real_faces == "here"


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--real-faces", "/nowhere does not exist: give FER2013"),
        ("--discriminators", "/nowhere is no folder"),
    ],
)
def test_a_wrong_path_gets_a_sentence_and_2(weights, capsys, flag, sentence):
    assert app.main(["--models", str(weights), flag, "/nowhere"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"app.py: {sentence}")
    assert printed.count("\n") == 1
