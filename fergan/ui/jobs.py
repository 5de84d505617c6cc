"""Work of many seconds, done aside while the page asks how far it is, and may stop it. No Gradio."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fergan.ui.server import Answer, Verb, sentence
from fergan.ui.sheet import File, handed

AT_ONCE = 2
"""Jobs that run at the same time; more are refused, since each takes a core."""
PATIENCE = 15.0
"""Seconds after which a job that nobody asks about stops; what it made is forgotten when the next one starts.

Until then it is handed over as often as somebody asks, since an answer may be lost on its way."""

Told = Callable[[int], None]


class Stopped(Exception):
    """Somebody stopped the job, or left."""


@dataclass
class _Job:
    of: int
    """Steps in all."""
    done: int = 0
    asked: float = field(default_factory=time.monotonic)
    stopped: bool = False
    file: File | None = None
    error: str | None = None

    @property
    def runs(self) -> bool:
        return self.file is None and self.error is None

    @property
    def left(self) -> bool:
        return time.monotonic() - self.asked > PATIENCE

    def told(self, done: int) -> None:
        """Hears how far the work is.

        Raises:
            Stopped: somebody stopped it, or nobody asks about it any more.
        """
        self.done = done
        if self.stopped or self.left:
            raise Stopped


class Jobs:
    """The jobs of one page: few, each forgotten once it is given up or left alone."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()

    def start(self, work: Callable[[Told], File], of: int) -> str:
        """Begins work of `of` steps, which tells each step done, and returns the job's name.

        Raises:
            ValueError: AT_ONCE jobs are running already.
        """
        job = _Job(of)
        with self._lock:
            self._jobs = {name: other for name, other in self._jobs.items() if other.runs or not other.left}
            if sum(other.runs for other in self._jobs.values()) >= AT_ONCE:
                raise ValueError(f"{AT_ONCE} films are being made just now; try again in a moment.")
            name = secrets.token_urlsafe(12)
            self._jobs[name] = job
        threading.Thread(target=_run, args=(work, job), daemon=True).start()
        return name

    def ask(self, name: Any) -> _Job:
        """The job of that name, as far as it is.

        Raises:
            ValueError: there is none (any more).
        """
        with self._lock:
            job = self._jobs.get(str(name))
            if job is None:
                raise ValueError("This film is not being made any more; start it anew.")
            job.asked = time.monotonic()
            return job

    def stop(self, name: Any) -> None:
        """Ends a job at its next step, or forgets one that has ended; it is no fault if there is none."""
        with self._lock:
            job = self._jobs.get(str(name))
            if job is not None and not job.runs:
                del self._jobs[str(name)]
        if job is not None:
            job.stopped = True

    def verbs(self, answers: Callable[[Verb], Verb]) -> list[Verb]:
        """What the page may ask of its jobs: `progress`, which hands over the file that is done, and `stop`, also when it has it."""

        @answers
        def progress(fields: Any) -> Answer:
            job = self.ask(fields)
            if job.error:
                return {"error": job.error}
            return handed(job.file) if job.file else {"done": job.done, "of": job.of}

        @answers
        def stop(fields: Any) -> Answer:
            self.stop(fields)
            return {}

        return [progress, stop]


def _run(work: Callable[[Told], File], job: _Job) -> None:
    try:
        job.file = work(job.told)
    except Stopped:
        job.error = "Stopped."
    except Exception as error:
        job.error = sentence(error)
