"""Jobs: work that is made aside, asked about, stopped and forgotten."""

import time

import pytest

from fergan.ui import jobs
from fergan.ui.sheet import File


def slow(told):
    for step in range(1, 2000):
        told(step)
        time.sleep(0.005)
    return File("late", "x", b"")


def ended(job, seconds=5.0):
    deadline = time.monotonic() + seconds
    while job.runs and time.monotonic() < deadline:
        time.sleep(0.01)
    return not job.runs


def test_a_stopped_job_ends_and_too_many_are_refused():
    works = jobs.Jobs()
    names = [works.start(slow, 2000) for _ in range(jobs.AT_ONCE)]
    with pytest.raises(ValueError, match="2 films are being made just now"):
        works.start(slow, 2000)
    running = [works.ask(name) for name in names]
    assert all(job.runs for job in running)
    for name in names:
        works.stop(name)
    assert all(ended(job) for job in running)
    assert [job.error for job in running] == ["Stopped."] * 2
    assert works.start(slow, 2000) not in names
    works.stop("nobody's")


def test_a_job_that_nobody_asks_about_ends_and_is_forgotten(monkeypatch):
    works = jobs.Jobs()
    name = works.start(slow, 2000)
    job = works.ask(name)
    monkeypatch.setattr(jobs, "PATIENCE", 0.05)
    assert ended(job)
    works.stop(works.start(slow, 2000))
    with pytest.raises(ValueError, match="not being made any more"):
        works.ask(name)


def test_a_file_is_handed_over_until_the_page_has_it():
    works = jobs.Jobs()
    name = works.start(lambda told: File("film.gif", "image/gif", b"film"), 1)
    assert ended(works.ask(name))
    assert [works.ask(name).file.content for _ in range(2)] == [b"film"] * 2
    works.stop(name)
    with pytest.raises(ValueError, match="not being made any more"):
        works.ask(name)


def test_a_fault_in_a_job_is_told_in_a_sentence(caplog):
    def broken(told):
        raise RuntimeError("secret path")

    works = jobs.Jobs()
    name = works.start(broken, 1)
    time.sleep(0.1)
    assert works.ask(name).error == "Something went wrong on the server; its log says what."
    assert "secret path" in caplog.text
    works.stop(name)
    with pytest.raises(ValueError, match="not being made any more"):
        works.ask(name)
