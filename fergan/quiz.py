"""The quiz "Real or fake?": which faces a game has, and what they were. No Gradio, no state per game.

A game is drawn from a secret of this process and a number that anybody may see, so nothing needs to be
remembered of it, and nothing that is sent with a face tells what the face is.
"""

import hmac
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fergan import data, emotions
from fergan.engine import JUDGE, Engine
from fergan.images import Pixels, fit, from_array, to_array
from fergan.machines import Known, Rule, See, Study
from fergan.tally import FAKE, MODES, REAL

ROUNDS = 10
"""Faces of one game."""
QUIZ_SEEDS = 10**6
"""Faces of the quiz have seeds below: six digits, short enough to say aloud."""
REFERENCE_SEED = 2**31
"""Faces that networks learn from have seeds from here on, so that none of them is asked for."""
EACH = 100
"""Reference faces of each emotion and class, where there are as many."""
CHUNK = 28
"""Reference faces that are drawn and read at once: the page's own requests come between."""
DISCRIMINATORS = "discriminators"
"""The opponents of the networks, which play as one: a photo has no opponent of its own."""
STALE = "This game was dealt before the server was started anew: begin another one."


@dataclass(frozen=True)
class Round:
    """One face that is asked about."""

    mode: str
    emotion: int
    """FER2013 label: of a photo as people named it, of a drawn face as it was asked for."""
    model: str | None
    """Which network draws it; None for a photo."""
    seed: int
    """Of the drawn face; of a photo its place among the quiz's photos."""

    @property
    def truth(self) -> str:
        """What was to be said."""
        if self.mode == "which":
            return str(self.model)
        return REAL if self.model is None else FAKE


@dataclass(frozen=True)
class Photos:
    """Real faces, in memory alone: those of PrivateTest are asked about, networks learn from PublicTest's."""

    asked: data.Faces
    reference: data.Faces

    @classmethod
    def read(cls, path: Path, size: int, channels: int) -> "Photos":
        """FER2013 in any of its forms, without duplicates and what is no face; nothing is written, no cache either.

        Raises:
            FileNotFoundError: nothing is at the path.
            ValueError: no data set, or one that has no faces of both tests.
        """
        faces = data.load(path, size=size, channels=channels, cache=None)
        asked, reference = (_usable(faces.split(name)) for name in ("PrivateTest", "PublicTest"))
        if not len(asked) or not len(reference):
            raise ValueError(
                f"{path} holds no faces of PrivateTest, or none of PublicTest: real faces are shown from the"
                " first alone, since networks were trained on the others."
            )
        return cls(asked, reference)

    def show(self, rows: Sequence[int]) -> Pixels:
        """Faces that are asked about, uint8 [B, H, W] or [B, H, W, 3]."""
        return _pixels(self.asked.subset(torch.tensor(rows, dtype=torch.long)))


class Quiz:
    """What the page may ask: deal a game, tell what a face was, tell what the networks take it for."""

    def __init__(self, engine: Engine, secret: bytes | None = None) -> None:
        """Reads the real faces where the engine's owner allows them.

        Raises:
            ValueError: what `Photos.read` refuses.
            FileNotFoundError: nothing is where real faces were due.
        """
        self._engine = engine
        self._secret = secret or secrets.token_bytes(32)
        ours = [name for name in engine.generators if name not in engine.published]
        self.generators = ours or engine.generators
        """Those whose faces are asked about: a student project's blurs would be no question beside others."""
        configs = [engine.models[name].config for name in self.generators]
        # One size and colour for all: a face must not be told by the shape of its picture.
        self._size = min((int(config["image_size"]) for config in configs), default=48)
        self._channels = min((int(config["channels"]) for config in configs), default=1)
        self.photos = (
            Photos.read(engine.real_faces, self._size, self._channels) if engine.real_faces else None
        )
        self.networks = self._networks()
        self.answers = self._modes()
        self._studies = {mode: self._study(mode) for mode in self.answers} if self.networks else {}

    def _networks(self) -> dict[str, See]:
        """The networks that play along, by name, each with what it sees of faces."""
        engine, found = self._engine, dict[str, See]()
        if JUDGE in engine.classifiers:
            found[JUDGE] = lambda faces, labels: engine.features(faces)
        if engine.opponents:
            found[DISCRIMINATORS] = lambda faces, labels: np.stack(
                [opponent.realness(faces, labels) for opponent in engine.opponents], axis=1
            )
        return found

    def _modes(self) -> dict[str, tuple[str, ...]]:
        """The modes that can be played, each with the answers that may be given."""
        networks = tuple(self.generators)
        playable = {"real": bool(networks and self.photos), "which": len(networks) > 1}
        answers = {"real": (REAL, FAKE), "which": networks}
        return {mode: answers[mode] for mode in MODES if playable[mode] and self._emotions(mode)}

    def _emotions(self, mode: str) -> list[int]:
        """Labels that photos have and every network draws: no emotion may give an answer away."""
        found = set(range(len(emotions.EMOTIONS)))
        for name in self.generators:
            found &= {emotions.index(emotion) for emotion in self._engine.drawn_emotions(name)}
        if mode == "real" and self.photos:
            found &= set(self.photos.asked.labels.tolist()) & set(self.photos.reference.labels.tolist())
        return sorted(found)

    def deal(self, mode: str) -> tuple[Pixels, list[str]]:
        """A new game: its faces, uint8 [ROUNDS, H, W] or [ROUNDS, H, W, 3], and a ticket for each.

        Raises:
            ValueError: a mode that cannot be played here.
        """
        if mode not in self.answers:
            raise ValueError(f"There is no quiz {mode!r} here; choose one of {', '.join(self.answers)}.")
        if self.networks:
            self._studies[mode].begin()  # while the person plays
        game = secrets.token_hex(16)
        tickets = [self._ticket(mode, game, number) for number in range(ROUNDS)]
        return self.faces(self._game(mode, game)), tickets

    def round(self, ticket: str) -> Round:
        """What the face of a ticket is.

        Raises:
            ValueError: a ticket that this process did not write.
        """
        mode, _, rest = ticket.partition(".")
        game, _, number = rest.partition(".")
        number = number.partition(".")[0]
        known = mode in self.answers and number.isdecimal() and int(number) < ROUNDS
        if not known or not hmac.compare_digest(
            ticket.encode(), self._ticket(mode, game, int(number)).encode()
        ):
            raise ValueError(STALE)
        return self._game(mode, game)[int(number)]

    def _ticket(self, mode: str, game: str, number: int) -> str:
        return f"{mode}.{game}.{number}.{self._digest(f'ticket {mode} {game} {number}').hex()[:32]}"

    def _digest(self, words: str) -> bytes:
        return hmac.digest(self._secret, words.encode(), "sha256")

    def _game(self, mode: str, game: str) -> list[Round]:
        """The rounds of a game, always the same ones.

        Each face is real or fake, or of any network, by a fair draw of its own: with exactly half of each,
        somebody who counts would know the last ones. Emotions are dealt round, and apart from that draw, so
        that real and fake faces have the same of them.
        """
        rng = np.random.default_rng(int.from_bytes(self._digest(f"game {mode} {game}"), "big"))
        known = self._emotions(mode)
        deck = np.concatenate([rng.permutation(known) for _ in range(-(-ROUNDS // len(known)))])
        photos: dict[int, Iterator[int]] = {}
        if mode == "real" and self.photos:
            asked = self.photos.asked
            photos = {label: iter(rng.permutation(_rows(asked, label)).tolist()) for label in known}
        rounds = []
        for label in deck[:ROUNDS].tolist():
            row = next(photos[label], None) if photos and rng.integers(2) else None
            model = str(rng.choice(self.generators)) if row is None else None
            seed = int(rng.integers(QUIZ_SEEDS)) if row is None else row
            rounds.append(Round(mode, label, model, seed))
        return rounds

    def faces(self, rounds: Sequence[Round]) -> Pixels:
        """The faces of some rounds, uint8 [B, H, W] or [B, H, W, 3], drawn at their full variety."""
        return np.concatenate([self._face(one) for one in rounds])

    def _face(self, one: Round) -> Pixels:
        if one.model is None and self.photos:
            return self.photos.show([one.seed])
        return self._draw(one.model, [one.emotion], [one.seed])

    def _draw(self, model: str | None, labels: Sequence[int], seeds: Sequence[int]) -> Pixels:
        rows = np.eye(len(emotions.EMOTIONS))[list(labels)]
        drawn = from_array(self._engine.generate(str(model), rows, seeds, truncation=1.0))
        return to_array(fit(drawn, self._size, self._channels))

    # --- the networks' guesses ---

    def guesses(self, tickets: Sequence[str]) -> dict[str, list[str]] | None:
        """What each network takes the faces of some tickets for, in one mode; None while they learn.

        Raises:
            ValueError: tickets of several modes, or one that this process did not write.
        """
        rounds = [self.round(ticket) for ticket in tickets]
        if len({one.mode for one in rounds}) != 1:
            raise ValueError("Guesses are asked for faces of one game.")
        if not self.networks:
            return {}
        mode = rounds[0].mode
        rules = self.rules(mode)
        if rules is None:
            return None
        faces, labels = self.faces(rounds), np.array([one.emotion for one in rounds])
        return {
            name: [self.answers[mode][place] for place in rules[name].guess(see(faces, labels))]
            for name, see in self.networks.items()
        }

    def rules(self, mode: str) -> dict[str, Rule] | None:
        """What the networks guess by in a mode, once they have learnt it.

        Raises:
            Exception: what learning failed with; the next one that asks may have better luck.
        """
        study = self._studies[mode]
        try:
            return study.rules()
        finally:
            study.begin()  # once more where it failed

    def progress(self, mode: str) -> float:
        """How far the networks have learnt a mode, from 0 to 1."""
        return self._studies[mode].progress

    def _study(self, mode: str) -> Study:
        rows = self._reference_rows() if mode == "real" else None
        labels = np.repeat(self._emotions(mode), EACH)
        if rows is not None and self.photos:
            labels = self.photos.reference.labels[rows].numpy()
        size = len(labels) * len(self.answers[mode])
        return Study(self.networks, size, lambda: self._reference(mode, labels, rows))

    def _reference_rows(self) -> NDArray[np.int64]:
        """Photos to learn from: of each emotion as many as there are up to EACH, without those that are asked about."""
        assert self.photos is not None
        seen = {row.tobytes() for row in self.photos.asked.images.numpy()}
        pixels, rng = self.photos.reference.images.numpy(), np.random.default_rng(0)
        fresh = np.array([row.tobytes() not in seen for row in pixels])
        groups = [_rows(self.photos.reference, label) for label in self._emotions("real")]
        return np.concatenate([rng.permutation(group[fresh[group]])[:EACH] for group in groups])

    def _reference(
        self, mode: str, labels: NDArray[np.int64], rows: NDArray[np.int64] | None
    ) -> Iterator[Known]:
        """Faces that none of the quiz's is among; every class has the same emotions."""
        for place, answer in enumerate(self.answers[mode]):
            models = [answer] if mode == "which" else self.generators
            for start in range(0, len(labels), CHUNK):
                part = labels[start : start + CHUNK]
                if answer == REAL and rows is not None and self.photos:
                    faces = _pixels(
                        self.photos.reference.subset(torch.from_numpy(rows[start : start + CHUNK]))
                    )
                else:
                    drawn = [
                        self._draw(models[n % len(models)], [label], [REFERENCE_SEED + start + n])
                        for n, label in enumerate(part.tolist())
                    ]
                    faces = np.concatenate(drawn)
                yield Known(faces, part, np.full(len(part), place))


def _usable(faces: data.Faces) -> data.Faces:
    return faces.subset(faces.usable)


def _rows(faces: data.Faces, label: int) -> NDArray[np.int64]:
    """Which of the faces have a label."""
    return np.flatnonzero((faces.labels == label).numpy())


def _pixels(faces: data.Faces) -> Pixels:
    """uint8 [N, H, W] or [N, H, W, 3]."""
    pixels: Pixels = np.moveaxis(faces.images.numpy(), 1, -1)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels
