"""fergan.tally: answers of the quiz, counted, with their intervals."""

import pytest

from fergan import tally


@pytest.mark.parametrize(
    ("errors", "n", "low", "high"),
    [
        (0, 10, 0, 0.277533),
        (1, 10, 0.017876, 0.404150),
        (5, 10, 0.236593, 0.763407),
        (10, 10, 0.722467, 1),
        (15, 148, 0.062375, 0.160577),  # Newcombe 1998, table I: 0.0624 to 0.1605
        (81, 263, 0.255290, 0.366210),  # and 0.2553 to 0.3662
    ],
)
def test_wilsons_interval_against_published_values(errors, n, low, high):
    assert tally.wilson(errors, n) == pytest.approx((low, high), abs=2e-4)


def test_wilsons_ends_are_where_the_score_test_turns():
    for end in tally.wilson(7, 31):
        assert abs(7 / 31 - end) == pytest.approx(1.959964 * (end * (1 - end) / 31) ** 0.5, rel=1e-6)


@pytest.mark.parametrize(("errors", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_rate(errors, n):
    with pytest.raises(ValueError, match="some errors of one trial"):
        tally.wilson(errors, n)


def session(name, *answers, mode="real"):
    """Answers as (said, truth, model, emotion, judge)."""
    return {
        "session": name,
        "mode": mode,
        "rounds": [
            {
                "said": said, "truth": truth, "model": model, "emotion": emotion,
                "machines": {"judge": judge} if judge else {},
            }
            for said, truth, model, emotion, judge in answers
        ],
    }  # fmt: skip


def test_answers_are_counted_by_truth_model_and_emotion():
    played = [
        session("a", ("real", "real", None, "happy", "real"), ("real", "fake", "acgan", "sad", "fake")),
        session("b", ("fake", "real", None, "sad", "fake"), ("fake", "fake", "cgan", "sad", None)),
        session("c", ("acgan", "cgan", "cgan", "sad", None), mode="which"),
    ]
    found = tally.summary([*played, played[0]])  # a file that was added twice counts once
    assert found["real"]["sessions"] == 2
    assert found["real"]["machines"] == ["judge"]
    rows = {(row["kind"], row["name"]): row for row in found["real"]["rows"]}
    assert list(rows) == [
        ("all", ""), ("truth", "real"), ("truth", "fake"), ("model", "acgan"), ("model", "cgan"),
        ("emotion", "happy"), ("emotion", "sad"),
    ]  # fmt: skip
    low, high = tally.wilson(2, 4)
    everybody = rows["all", ""]
    assert everybody["people"] == {"n": 4, "errors": 2, "rate": 0.5, "low": low, "high": high}
    assert (everybody["machines"]["judge"]["errors"], everybody["machines"]["judge"]["n"]) == (1, 3)
    assert rows["truth", "fake"]["people"]["errors"] == 1
    assert rows["model", "cgan"]["machines"]["judge"] is None
    assert rows["emotion", "sad"]["people"]["errors"] == 2
    assert [row["kind"] for row in found["which"]["rows"]] == ["all", "model", "emotion"]
    assert tally.summary([]) == {}


@pytest.mark.parametrize("named", ["model", "machines"])
def test_only_so_many_names_are_told_apart(named):
    """Each is a row or a column of what is answered, which grows with both."""
    played = session("a", *[("real", "real", None, "happy", None)] * (tally.NAMES + 1))
    for place, answer in enumerate(played["rounds"]):
        answer[named] = {f"n{place}": "real"} if named == "machines" else f"n{place}"
    with pytest.raises(ValueError, match="at most 100 models and 100 networks"):
        tally.summary([played])
    del played["rounds"][0]
    found = tally.summary([played])["real"]
    assert len(found["machines"] if named == "machines" else found["rows"]) >= tally.NAMES


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"mode": "nope"}, "no result of this quiz"),
        ({"rounds": []}, "1 to 200 rounds"),
        ({"rounds": [{}] * 201}, "1 to 200 rounds"),
        ({"rounds": [{"emotion": "joy"}]}, "has an emotion"),
        ({"rounds": [{"emotion": "sad", "said": "real"}]}, "names its truth; got None"),
        ({"rounds": [{"emotion": "sad", "said": "x" * 201, "truth": "real"}]}, "names its said"),
        ({"rounds": [{"emotion": "sad", "said": "a", "truth": "a", "machines": [1]}]}, "by their names"),
        ({"session": 3}, "names its session; got 3"),
    ],
)
def test_files_of_strangers_are_checked(wrong, sentence):
    fields = session("a", ("real", "real", None, "happy", "real")) | wrong
    with pytest.raises(ValueError, match=sentence):
        tally.summary([fields])
