"""How a tab answers: what is remembered of it."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from fergan.engine import Engine
from fergan.ui import gallery, generate, mix, server
from fergan.ui.server import answering, remembered


@pytest.fixture
def asked():
    return []


@pytest.fixture
def verb(asked):
    """Answers with what it is asked; refuses what is negative."""

    @remembered
    @answering()
    def repeat(fields):
        asked.append(fields)
        if isinstance(fields, int) and fields < 0:
            raise ValueError("Too little.")
        return {"said": fields}

    return repeat


def test_what_is_asked_again_is_worked_on_once(verb, asked):
    questions = [{"seed": 1}, {"seed": "1"}, {"seed": 2}, [1, 2], [12], None]
    first, second = ([verb(question) for question in questions] for _ in range(2))
    assert first == second == [{"said": question} for question in questions]
    assert asked == questions
    assert verb.__name__ == "repeat"  # by which the page asks for it


def test_a_refusal_is_not_remembered(verb, asked):
    assert verb(-1) == verb(-1) == {"error": "Too little."}
    assert asked == [-1, -1]


def test_what_no_page_sends_is_answered_too(verb, asked):
    assert verb({1}) == verb({1}) == {"said": {1}}  # no JSON: nothing to know it by
    assert asked == [{1}, {1}]


def test_nobody_changes_what_others_are_told(verb):
    for _ in range(3):
        told = verb(1)
        assert told == {"said": 1}
        told["said"] = 2


def test_what_was_asked_long_ago_is_forgotten(verb, asked, monkeypatch):
    monkeypatch.setattr(server, "KEPT", 3 * (server.OVERHEAD + len('{"said": 1}')))
    for number in (1, 2, 3, 1, 4, 1, 2):  # 4 pushes out 2, which nobody has asked for again since
        verb(number)
    assert asked == [1, 2, 3, 4, 2]
    assert verb("x" * 4000) == {"said": "x" * 4000}  # too long for all others together
    assert verb(1) == {"said": 1} and asked[-1] == 1


def test_what_is_remembered_waits_for_no_work():
    gate, begun = threading.Event(), threading.Semaphore(0)

    @remembered
    @answering()
    def slow(fields):
        if fields:
            begun.release()
            gate.wait(20)
        return {"said": fields}

    slow(0)
    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(slow, number) for number in (1, 2)]
        try:
            assert all(begun.acquire(timeout=20) for _ in range(2))  # the gate lets no third in
            assert pool.submit(slow, 0).result(timeout=20) == {"said": 0}
        finally:
            gate.set()
        assert [one.result() for one in working] == [{"said": 1}, {"said": 2}]


@pytest.mark.parametrize("fails", [False, True])
def test_what_several_ask_at_once_is_worked_on_once(fails, monkeypatch):
    gate, asked, waiting = threading.Event(), [], threading.Semaphore(0)

    class Coming(Future):
        def result(self, timeout=None):
            waiting.release()
            return super().result(timeout)

    monkeypatch.setattr(server, "Future", Coming)

    @remembered
    def slow(fields):
        asked.append(fields)
        gate.wait(20)
        if fails:
            raise MemoryError
        return {"said": fields}

    def ask():
        try:
            return slow(1)
        except MemoryError:
            return "failed"

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(ask) for _ in range(4)]
        try:
            assert all(waiting.acquire(timeout=20) for _ in range(3))
        finally:
            gate.set()
        told = [one.result(timeout=20) for one in working]
    assert told == ["failed" if fails else {"said": 1}] * 4
    assert asked == [1]
    ask()
    assert len(asked) == 1 + fails  # a failure is not remembered


def test_faces_that_are_asked_for_again_are_not_drawn_again(engine, monkeypatch):
    drawn, generate_faces = [], Engine.generate

    def count(self, model, emotion, seeds, *more):
        drawn.append(len(seeds))
        return generate_faces(self, model, emotion, seeds, *more)

    monkeypatch.setattr(Engine, "generate", count)
    sheet = {"model": "acgan", "emotion": "happy", "seed": 5, "count": 3, "truncation": 1.0}
    moment = {"emotion": {"happy": 1}, "seed": 5, "truncation": 1.0}
    for verbs, fields in (
        (generate._verbs(engine, "judge"), sheet),
        (gallery._verbs(engine), sheet),
        (mix._verbs(engine, "judge"), {"model": "acgan", "moments": [moment]}),
    ):
        [draw] = [verb for verb in verbs if verb.__name__ == "draw"]
        drawn.clear()
        once, again, other = draw(fields), draw(fields), draw(fields | {"model": "cgan"})
        assert once == again != other
        assert len(drawn) == 2
