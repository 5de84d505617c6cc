"""One sitting at a run, from its first step to what it leaves behind."""

import math
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from train import history, run
from train.collapse import Watch
from train.push import Pusher
from train.record import Painter, Recorder, next_frame

LOG_EVERY = 50  # steps
PATIENCE = 300.0  # seconds that a training which is over waits for the Hub


class Flags(Protocol):
    """What a session reads of a script's flags."""

    @property
    def folder(self) -> Path:
        """Where the run's files go."""

    @property
    def images(self) -> int:
        """After how many images seen to stop."""

    @property
    def minutes(self) -> float:
        """After how many minutes to stop; 0 is no limit."""

    @property
    def keep(self) -> int:
        """Images between kept checkpoints."""

    @property
    def save_minutes(self) -> float:
        """Minutes between saved states."""

    @property
    def push_to(self) -> str:
        """The Hub's repo for kept checkpoints; empty is none."""

    @property
    def push_every(self) -> int:
        """Images between pushes; 0 pushes the last checkpoint alone."""

    @property
    def push_private(self) -> bool:
        """Whether a new repo is private."""


class Session:
    """One sitting at a run: counts steps, says when to stop, logs, draws, keeps and saves when each is due.

    `with session:` catches signals and shows the bar. Only the main process writes.
    """

    def __init__(
        self,
        flags: Flags,
        own: dict[str, Any],
        facts: dict[str, Any],
        last: dict[str, Any],
        accelerator: Accelerator,
        paint: Painter,
        average: nn.Module,
        state: Callable[[], dict[str, Tensor]],
        *,
        opponent: nn.Module | None = None,
        public: bool = True,
    ) -> None:
        """`own` is the run's identity, `facts` go into its checkpoints, `last` is what a resumed state says.

        Where an `opponent` is given, checkpoints have it beside them.
        """
        self.opponent = opponent
        self.flags, self.accelerator, self.average, self.state = flags, accelerator, average, state
        self.step, self.seen, self.before = last.get("step", 0), last.get("seen", 0), last.get("minutes", 0.0)
        main = accelerator.is_main_process
        public = public and last.get("public", True)  # grids of before stay in the evolution
        if main and not self.seen:  # what a run without a state has left
            shutil.rmtree(flags.folder / "frames", ignore_errors=True)
        changes = last.get("changes", [])
        self.recorder = Recorder(flags.folder, own, facts, changes, paint, public) if main else None
        self.log = run.Log(flags.folder, self.seen) if main else None
        self.stopper, self.means, self.saved = run.Stopper(flags.images, flags.minutes), run.Means(), 0.0
        self.frame_due, self.keep_due = next_frame(self.seen), self.seen + flags.keep
        self.pusher = Pusher(flags.push_to, private=flags.push_private) if main and flags.push_to else None
        self.kept: Path | None = None
        self.push_due = self.seen + flags.push_every if flags.push_every else math.inf
        self.reason, self.watch = "", Watch()
        self.watch.collapsed_at = last.get("collapsed_at")
        self._stack = ExitStack()

    def __enter__(self) -> "Session":
        quiet = self.recorder is None
        bar = tqdm(total=self.flags.images, initial=self.seen, unit="img", disable=quiet, smoothing=0.05)
        self.bar = self._stack.enter_context(bar)
        self._stack.enter_context(self.stopper.catching())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def minutes(self) -> float:
        """Of training, in all sittings."""
        return float(self.before + self.stopper.elapsed)

    def going(self) -> bool:
        """Whether another step is due; `reason` says why not."""
        self.reason = self.stopper.reason(self.seen, self.accelerator) or ""
        return not self.reason

    def add(self, parts: dict[str, Tensor]) -> None:
        """A step's losses, by name."""
        self.means.add(parts)

    def advance(self, images: int) -> None:
        """A step is done, with so many images: whatever is due now is done.

        Raises:
            FloatingPointError: a loss that is not finite; what was saved before it is still good.
        """
        self.step, self.seen = self.step + 1, self.seen + images
        self.bar.update(images)
        if self.recorder is None or self.log is None:
            return
        if self.step % LOG_EVERY == 0:
            values = self.means.read()  # refuses what is not finite, so a broken state is never saved
            self.log.write(self.seen, {**values, "images_per_second": self.bar.format_dict["rate"] or 0.0})
            if words := self.watch.look(self.seen, values):
                self._note([words])
            left = {"minutes left": f"{self.stopper.left:.0f}"} if self.flags.minutes else {}
            self.bar.set_postfix(left | {name: f"{value:.2f}" for name, value in values.items()})
        if self.seen >= self.frame_due:
            self.recorder.frame(self.average, self.seen)
            self.frame_due = next_frame(self.seen)
        if self.seen >= self.keep_due:
            self.kept = self.recorder.keep(self.average, self.opponent, **self._now)
            self.keep_due = self.seen + self.flags.keep
        if self.pusher:
            self._note(self.pusher.notes(), history.HUB)
            if self.kept and self.seen >= self.push_due and self.pusher.offer(self.kept):
                self.push_due = self.seen + self.flags.push_every
        if self.stopper.elapsed - self.saved >= self.flags.save_minutes:
            self._save()
            self.saved = self.stopper.elapsed

    @property
    def sentence(self) -> str:
        """Why the sitting ended, and what there is now."""
        return f"Stopped: {self.reason}. {self.seen:,} images seen in all; the run is in {self.flags.folder}."

    def finish(self) -> None:
        """Saves all.

        Raises:
            FloatingPointError: as `advance`.
        """
        self.means.check()
        if self.recorder and self.log:
            self._save()
            self.recorder.frame(self.average, self.seen)
            last = self.recorder.keep(self.average, self.opponent, **self._now)
            if self.pusher:
                self._note(self.pusher.finish(last, PATIENCE), history.HUB)
            self.log.close()

    @property
    def _now(self) -> dict[str, Any]:
        """How far the run is."""
        return {
            "step": self.step,
            "seen": self.seen,
            "minutes": self.minutes,
            "collapsed_at": self.watch.collapsed_at,
        }

    def _note(self, notes: list[str], about: str = "faces") -> None:
        assert self.log is not None
        for words in notes:
            self.log.note(self.seen, words, about)
            tqdm.write(words, file=sys.stderr)

    def _save(self) -> None:
        self.means.check()
        assert self.recorder is not None
        self.recorder.save_state(self.state(), **self._now)
