"""The tab Models without a browser: cards, which number is better, the first pair, the endpoint."""

import base64
import dataclasses
import io
import json

import gradio as gr
import numpy as np
import pytest
from PIL import Image

import app
from fergan import checkpoint
from fergan.emotions import EMOTIONS
from fergan.engine import Engine
from fergan.metrics import METRICS
from fergan.ui import cards, gallery, models, theme
from tests import factory
from tests.asking import asking
from tests.test_app import _colour, _contrast

COUNTS = [[8 if row == column else int(column == 6) for column in range(7)] for row in range(7)]
DRAWN = {
    "fid": 0.0602606,
    "kid": 0.00013,
    "accuracy": 0.603,
    "diversity": 0.97,
    "emotions": {"angry": {"n": 96, "accuracy": 0.44}, "happy": {"n": 90, "accuracy": 0.9, "kid": 0.001}},
    "confusion": COUNTS,
    "n": 7178,
    "n_real": 6610,
    "seeds": "0 to 7177",
    "judge": "judge 9c7300dc43ff",
    "evaluation_data": "1f8d",
    "command": "python -m train.evaluate weights/cgan",
}
READ = {
    "epoch": 25,
    "temperature": 0.9,
    "private": {
        "n": 3589,
        "accuracy": 0.60992,
        "ece": 0.04692,
        "precision": {"angry": 0.618, "happy": 0.83},
        "recall": {"angry": 0.49, "happy": 0.89},
        "confusion": COUNTS,
    },
    "private_clean": {"n": 3301, "accuracy": 0.59952, "ece": 0.05129},
}


@pytest.fixture(scope="module")
def engine_of(weights, tmp_path_factory):
    """An engine over tiny models that say what the test wants: `engine_of(cgan={...}, judge={...})`."""

    def engine_of(training=None, **metrics):
        folder = tmp_path_factory.mktemp("measured")
        for name, found in metrics.items():
            described, network = checkpoint.load(weights / name)
            described = dataclasses.replace(described, metrics=found, training=training or {})
            checkpoint.save(folder / name, described, network.state_dict())
        return Engine([folder], device="cpu")

    return engine_of


def card(engine_of, name, metrics):
    return cards.card(engine_of(**{name: metrics}), name)


def shown(numbers):
    return {name: number["shown"] for name, number in numbers.items()}


# --- what was measured ---


def test_a_generators_numbers_are_those_of_its_evaluation(engine_of):
    found = card(engine_of, "cgan", DRAWN)
    assert shown(found["numbers"]) == {
        "n": "7,178",
        "fid": "0.06026",
        "kid": "0.00013",
        "accuracy": "60.3%",
        "diversity": "0.97",
    }
    assert found["counts"] == COUNTS
    assert shown(found["emotions"]["happy"]) == {"n": "90", "accuracy": "90.0%", "kid": "0.001"}
    assert found["emotions"]["sad"] == {}
    assert (
        found["measured"]
        == "Measured on 7,178 drawn faces of the seeds 0 to 7177 with the judge 9c7300dc43ff."
    )
    assert found["unmeasured"] is None


def test_a_classifiers_numbers_are_those_of_its_test(engine_of):
    found = card(engine_of, "judge", READ)
    assert shown(found["numbers"]) == {
        "n": "3,589",
        "accuracy": "61.0%",
        "accuracy_clean": "60.0%",
        "ece": "4.7%",
    }
    assert shown(found["emotions"]["angry"]) == {"precision": "61.8%", "recall": "49.0%"}
    assert found["counts"] == COUNTS
    assert found["measured"] == "Measured on the faces of PrivateTest."


def test_a_fold_stands_in_for_the_test(engine_of):
    found = card(engine_of, "judge", {"public": {"accuracy": 0.4}, "held_out": {"accuracy": 0.5, "n": 7}})
    assert shown(found["numbers"]) == {"n": "7", "accuracy": "50.0%"}
    assert "the fold held out" in found["measured"]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("acgan", "python -m train.evaluate weights/acgan"),
        ("judge", "python -m train.classifier --model judge --data fer2013"),
    ],
)
def test_a_model_without_numbers_says_how_to_measure_it(engine_of, name, command):
    found = card(engine_of, name, {})
    assert found["unmeasured"]["command"] == command  # and not where this server keeps it
    assert (found["numbers"], found["emotions"], found["counts"], found["measured"]) == ({}, {}, None, "")


@pytest.mark.parametrize(
    "metrics",
    [
        {"fid": "low", "kid": None, "n": True, "precision": float("nan"), "recall": 10**400},
        {"confusion": [[1]], "emotions": []},
        {"confusion": [[1] * 7] * 6 + [3], "emotions": {"angry": 3}},
        {"confusion": [["a"] * 7] * 7},
        {"confusion": [[-1] * 7] * 7},
        {"confusion": [[0] * 7] * 7, "emotions": {"joy": {"n": 3}}},
        {"private": 3, "public": {}},
        {"private": {"precision": [], "recall": {"angry": "x"}, "confusion": {}}},
    ],
)
def test_what_is_no_measure_is_left_out(engine_of, metrics):
    engine = engine_of(cgan=metrics, judge=metrics)
    for name in engine.models:
        found = cards.card(engine, name)
        assert (found["numbers"], found["emotions"], found["counts"]) == ({}, {}, None)
        assert found["unmeasured"]
        json.dumps(found, allow_nan=False)


def test_numbers_compare_under_one_yardstick_alone(engine_of):
    yardsticks = {
        card(engine_of, "cgan", DRAWN | other)["yardstick"]
        for other in ({}, {"n": 50}, {"judge": "another"}, {"evaluation_data": "2"}, {"fid": 3.0})
    }
    assert len(yardsticks) == 4
    assert card(engine_of, "cgan", DRAWN)["yardstick"] == card(engine_of, "acgan", DRAWN)["yardstick"]


@pytest.mark.parametrize(
    ("name", "better", "worse"),
    [
        ("fid", 0.06, 0.11),
        ("kid", -0.001, 0.0),
        ("recall", 0.9, 0.8),
        ("accuracy", 0.6, 0.59),
        ("diversity", 0.97, 0.84),
        ("diversity", 0.97, 1.04),
        ("copying", 1.01, 0.5),
    ],
)
def test_the_better_number_has_the_larger_merit(name, better, worse):
    assert cards.merit(METRICS[name], better) > cards.merit(METRICS[name], worse)


def test_merits_that_are_equal():
    assert cards.merit(METRICS["diversity"], 0.98) == cards.merit(METRICS["diversity"], 1.02)
    assert cards.merit(METRICS["n"], 50) is None


def test_every_number_is_explained():
    for kind, shown in cards.SHOWN.items():
        for name, metric in shown.items():
            words = cards.meanings()[kind][name]
            assert words["meaning"]
            assert bool(words["good"]) == bool(metric.better)
    assert cards.meanings()["generator"]["fid"]["good"] == "lower is better"


# --- the rest of a card ---


@pytest.mark.parametrize(
    ("taught", "words"),
    [
        ("happy,sad,surprise,neutral", " It was never taught angry or disgust or fear."),
        (",".join(EMOTIONS), ""),
        (None, ""),
    ],
)
def test_a_sentence_says_which_emotions_it_was_not_taught(engine_of, taught, words):
    told = cards.card(engine_of({"emotions": taught}, acgan={}), "acgan")
    assert told["sentence"].endswith(f"faces seen.{words}")


def test_a_sentence_says_what_it_is_and_how_much_it_has_seen(engine):
    found = {name: cards.card(engine, name) for name in engine.models}
    assert "Preset fixed (our own recipe), 2.11 million faces seen." in found["acgan"]["sentence"]
    assert (
        found["judge"]["sentence"]
        == "Says which emotion a face shows. Preset judge, 714 thousand faces seen."
    )
    assert found["judge"]["title"] == "Judge"
    assert {name: one["kind"] for name, one in found.items()} == {
        "acgan": "generator",
        "cgan": "generator",
        "judge": "classifier",
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"images_seen": 1500, "discriminator": "new", "opponent": "cgan"},
            "after 1,500 faces: discriminator new, opponent cgan",
        ),
        ({"images_seen": 0, "opponent": "dcgan"}, "from the first face on: opponent dcgan"),
        ({"guide_weight": [None, 0.1]}, "guide weight none to 0.1"),
        ("something else", "something else"),
    ],
)
def test_a_change_on_the_way_is_told_in_words(engine_of, change, words):
    engine = engine_of({"changes": [change]}, cgan=DRAWN, judge=READ)
    assert dict(cards.card(engine, "cgan")["history"])["Changed on the way"] == words


def test_history_is_told_in_words(engine_of):
    training = {
        "device": "cpu",
        "minutes": 64.8,
        "flip": True,
        "learning_rate": 0.0005,
        "changes": [{"images_seen": 139392, "fake_power": [0.2, 0.1], "flip": [False, True]}],
    }
    engine = engine_of(training, cgan=DRAWN, judge=READ)
    terms = dict(cards.card(engine, "cgan")["history"])
    assert terms["Trained on"] == "cpu"
    assert terms["Minutes of training"] == "64.8"
    assert terms["Faces seen in training"] == "2,112,000"
    assert terms["Changed on the way"] == "after 139,392 faces: fake power 0.2 to 0.1, flip no to yes"
    assert terms["Recipe"] == "flip yes · learning rate 0.0005"
    assert terms["Measured with"] == DRAWN["command"]
    assert terms["Fingerprint of the weights"] == engine.fingerprint("cgan")
    assert dict(cards.card(engine, "judge")["history"])["Weights are those of epoch"] == "25"


@pytest.mark.parametrize("changes", [None, {"a": 1}, ["x"], [{"power": 2}], [{"images_seen": "x", "a": [1]}]])
def test_changes_of_another_form_do_no_harm(engine_of, changes):
    found = cards.card(engine_of({"changes": changes}, cgan={}), "cgan")
    assert all(isinstance(value, str) for _, value in found["history"])


def test_the_first_pair_is_two_generators_where_there_are_two(engine, engine_of):
    assert gallery.first_pair(engine) == ("acgan", "cgan")
    assert gallery.first_pair(engine_of(cgan={}, judge={})) == ("cgan", "judge")
    assert gallery.first_pair(engine_of(cgan={})) == ("cgan", "cgan")
    assert gallery.first_pair(engine_of(judge={})) == ("judge", "judge")


def test_the_first_pair_is_the_best_and_what_it_grew_from(weights, tmp_path):
    factory.write_checkpoint(tmp_path / "first", "cgan", "published", images_seen=78_080, noise_dim=8)
    both = Engine([weights, tmp_path], device="cpu")
    assert gallery.first_pair(both) == ("acgan", "first")
    [line] = [fact["line"] for fact in models.facts(both) if fact["name"] == "first"]
    assert (
        line == "cGAN, the student project's system, bugs included, trained: it has seen 78.1 thousand faces."
    )


# --- what the page and scripts ask ---


@pytest.fixture(scope="module")
def measured(engine_of):
    return engine_of(cgan=DRAWN | {"recall": float("nan")}, judge=READ)


@pytest.fixture(scope="module")
def page(measured):
    return app.build_app(measured)


@pytest.fixture
def ask(page, http):
    return asking(page, http, "models-tab")


def test_the_endpoint_lists_the_models_as_their_checkpoints_have_them(http, measured):
    answer = http.post("/gradio_api/run/models", json={"data": []})
    assert answer.status_code == 200
    [listed] = answer.json()["data"]
    found = {model["name"]: model for model in listed}
    assert list(found) == ["cgan", "judge"]
    assert found["cgan"]["kind"] == "generator"
    assert found["cgan"]["metrics"] == DRAWN | {"recall": None}  # JSON has no NaN
    assert found["judge"]["metrics"] == READ
    assert found["judge"]["fingerprint"] == measured.fingerprint("judge")
    assert found["cgan"]["config"]["width"] == 8


def test_a_row_is_drawn_from_the_same_seeds_as_anywhere(ask, measured):
    row = {"model": "cgan", "emotion": "fear", "seed": 5, "count": gallery.PEOPLE, "truncation": 1}
    faces = measured.generate("cgan", np.tile(np.eye(7)[2], (4, 1)), [5, 6, 7, 8])
    for uri, face in zip(ask("draw", row)["faces"], faces, strict=True):
        picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
        assert np.array_equal(np.asarray(picture), face)
    assert "draws no faces" in ask("draw", row | {"model": "judge"})["error"]


def test_the_evolution_comes_when_it_is_asked_for(ask, page, measured):
    assert "came without pictures" in ask("evolution", "cgan")["error"]
    file = measured.folder("cgan") / cards.EVOLUTION
    Image.new("L", (7, 6)).save(file)
    assert cards.card(measured, "cgan")["evolution"]
    kind, _, content = ask("evolution", "cgan")["picture"].partition(",")
    assert kind == "data:image/webp;base64"
    assert base64.b64decode(content) == file.read_bytes()


@pytest.mark.parametrize("name", ["nope", "../cgan", None, ["cgan"], {}])
def test_no_evolution_of_what_is_no_model(ask, name):
    assert "There is no model" in ask("evolution", name)["error"]


def test_nothing_is_drawn_when_the_page_is_built(engine, monkeypatch):
    def refuse(self, *arguments):
        raise AssertionError("drawn")

    monkeypatch.setattr(Engine, "generate", refuse)
    with gr.Blocks():
        gallery.build(engine)


@pytest.mark.parametrize(("side", "theme_name"), [(0, "light"), (1, "dark")])
def test_the_deepest_cell_of_a_matrix_is_readable(side, theme_name):
    css = theme.static("fergan.css")
    block = css.split(".dark {")[side].split("}")[0] if side else css.split(".dark {")[0]
    share = int(theme.static("gallery.css").split("--deepest: ")[1].split("%")[0]) / 100
    ground, text = theme._PAPER["background_fill_primary"][side], theme._PAPER["body_text_color"][side]
    deep = [_colour(block, f"--emotion-{emotion}") for emotion in EMOTIONS]
    for colour in [*deep, theme._PAPER["input_border_color"][side]]:
        assert _contrast(_mixed(colour, ground, share), text) >= 4.5, (colour, theme_name)


def _mixed(colour, ground, share):
    """CSS's color-mix in srgb of two #rrggbb colours."""
    levels = [
        round(share * int(colour[i : i + 2], 16) + (1 - share) * int(ground[i : i + 2], 16))
        for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{level:02x}" for level in levels)
