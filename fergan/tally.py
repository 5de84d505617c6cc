"""People's answers in the quiz, counted: error rates with their confidence intervals. Nothing is kept."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fergan.emotions import EMOTIONS

MODES: tuple[str, ...] = ("real", "which")
"""Real or fake, and which network drew this."""
REAL, FAKE = "real", "fake"
"""What a face is in the mode "real"; in "which" it is its network's name."""
MOST = 5000
"""Sessions that are counted at once."""
LONGEST = 200
"""Rounds of one session, and signs of a name: more than any quiz has."""
NAMES = 100
"""Models, and networks that played along, that are told apart: each model is a row, each network a column."""
Z95 = 1.959963984540054  # of the normal distribution, 95 % lie within so many deviations


@dataclass(frozen=True)
class Answer:
    """What was said of one face, by a person and by the networks that played along."""

    said: str
    truth: str
    model: str | None
    """The network that drew it; None for a photo."""
    emotion: str
    machines: dict[str, str]
    """What each network said, by its name; those that had no answer are not here."""


@dataclass(frozen=True)
class Session:
    """One quiz played to its end."""

    id: str
    mode: str
    answers: tuple[Answer, ...]


def wilson(errors: int, n: int) -> tuple[float, float]:
    """The 95 % confidence interval of a rate, of which `errors` of `n` were seen: the score interval.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22. Unlike the
    normal approximation it stays in [0, 1], and says something where no error was seen.

    Raises:
        ValueError: no trial, or no such number of errors among them.
    """
    if n < 1 or not 0 <= errors <= n:
        raise ValueError(f"A rate is some errors of one trial or more; got {errors} of {n}.")
    share, square = errors / n, Z95**2
    middle = (share + square / (2 * n)) / (1 + square / n)
    reach = Z95 * math.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    low = 0.0 if errors == 0 else middle - reach  # exactly there; rounding would miss it
    high = 1.0 if errors == n else middle + reach
    return low, high


def summary(sessions: Any) -> dict[str, Any]:
    """Sessions as the page keeps and downloads them -> for each mode that was played, its error rates.

    A session that comes twice, in two files say, counts once. `rows` are groups of answers: all, by what the
    face was, by model, by emotion; each with the rates of the person and of the networks.

    Raises:
        ValueError: anything that is no list of sessions, or that names more than NAMES models or networks.
    """
    if not isinstance(sessions, list) or len(sessions) > MOST:
        raise ValueError(f"Results are a list of at most {MOST} sessions.")
    found = {session.id: session for session in map(_session, sessions)}
    return {
        mode: _told([session for session in found.values() if session.mode == mode])
        for mode in MODES
        if any(session.mode == mode for session in found.values())
    }


def _told(sessions: Sequence[Session]) -> dict[str, Any]:
    answers = [answer for session in sessions for answer in session.answers]
    machines = list(dict.fromkeys(name for answer in answers for name in answer.machines))
    models = sorted({answer.model for answer in answers if answer.model})
    if max(len(machines), len(models)) > NAMES:
        raise ValueError(f"Results name at most {NAMES} models and {NAMES} networks that played along.")
    truths = (REAL, FAKE) if sessions[0].mode == "real" else ()
    groups = [
        ("all", ""),
        *(("truth", name) for name in truths),
        *(("model", name) for name in models),
        *(("emotion", name) for name in EMOTIONS),
    ]
    said: Counter[tuple[str, str | None, str | None]] = Counter()  # of a group, by people (None) or a network
    wrong = said.copy()
    for answer in answers:  # each once, however many groups there are
        mine = ("all", ""), ("truth", answer.truth), ("model", answer.model), ("emotion", answer.emotion)
        for who, word in ((None, answer.said), *answer.machines.items()):
            for kind, name in mine:
                said[kind, name, who] += 1
                wrong[kind, name, who] += word != answer.truth

    def rate(kind: str, name: str, who: str | None = None) -> dict[str, float] | None:
        return _rate(wrong[kind, name, who], said[kind, name, who])

    rows = [
        {
            "kind": kind,
            "name": name,
            "people": rate(kind, name),
            "machines": {who: rate(kind, name, who) for who in machines},
        }
        for kind, name in groups
        if said[kind, name, None]
    ]
    return {"sessions": len(sessions), "machines": machines, "rows": rows}


def _rate(errors: int, n: int) -> dict[str, float] | None:
    """Errors among n answers, with the interval; None where there was no answer."""
    if not n:
        return None
    low, high = wilson(errors, n)
    return {"n": n, "errors": errors, "rate": errors / n, "low": low, "high": high}


def _session(fields: Any) -> Session:
    """Checks what somebody's file says.

    Raises:
        ValueError: a field that is missing or makes no sense.
    """
    if not isinstance(fields, Mapping) or fields.get("mode") not in MODES:
        raise ValueError("This is no result of this quiz: a session has a mode, real or which.")
    rounds = fields.get("rounds")
    if not isinstance(rounds, list) or not 1 <= len(rounds) <= LONGEST:
        raise ValueError(f"A session of this quiz has 1 to {LONGEST} rounds.")
    return Session(_name(fields, "session"), fields["mode"], tuple(map(_answer, rounds)))


def _answer(fields: Any) -> Answer:
    if not isinstance(fields, Mapping) or fields.get("emotion") not in EMOTIONS:
        raise ValueError(f"A round of this quiz has an emotion, one of {', '.join(EMOTIONS)}.")
    machines = fields.get("machines") or {}
    if not isinstance(machines, Mapping) or len(machines) > LONGEST:
        raise ValueError("What networks said is told by their names.")
    return Answer(
        _name(fields, "said"),
        _name(fields, "truth"),
        _name(fields, "model") if fields.get("model") else None,
        fields["emotion"],
        {str(name)[:LONGEST]: _name(machines, name) for name in machines},
    )


def _name(fields: Mapping[str, Any], field: str) -> str:
    value = fields.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        raise ValueError(f"A result of this quiz names its {field}; got {repr(value)[:40]}.")
    return value
