"""train.showcase on tiny models: what is in the pictures, and what they say of themselves."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from fergan import provenance
from fergan.emotions import EMOTIONS
from fergan.images import enlarge
from tests.test_translate import translating, translating_weights  # noqa: F401 - fixtures
from train import showcase
from train.showcase import ShowcaseConfig


@pytest.fixture
def config(translating_weights):
    return ShowcaseConfig(str(translating_weights), "acgan", "stargan", seeds="7, 9", face=3, factor=1)


def frames(content):
    with Image.open(io.BytesIO(content)) as moving:
        for number in range(moving.n_frames):
            moving.seek(number)
            yield np.asarray(moving.convert("L"))


def test_people_are_those_of_their_seeds(config, translating):
    shown = np.asarray(showcase.people(translating, config))
    assert shown.shape == (7 * 50 - 2, 2 * 50 - 2)
    due = translating.generate("acgan", np.eye(7)[[5]], [9], 0.7)[0]
    assert np.array_equal(shown[5 * 50 : 5 * 50 + 48, 50:98], due)


def test_other_systems_stand_above_ours(config, translating_weights, translating):
    asked = dataclasses.replace(config, before=f"{translating_weights}/cgan")
    shown = np.asarray(showcase.compared(asked))
    assert shown.shape == (4 * 50 - 2, 2 * 50 - 2)
    other = translating.generate("cgan", np.eye(7)[[0]], [9])[0]
    assert np.array_equal(shown[50:98, 50:98], other)
    ours = translating.generate("acgan", np.eye(7)[[3]], [7], 0.7)[0]
    assert np.array_equal(shown[100:148, :48], ours)


def test_the_film_rests_at_each_emotion(config, translating):
    content = showcase.film(translating, config, steps=2)
    assert next(frames(content)).shape == (98, 48)  # two people, one above the other
    record = provenance.read(content)
    assert [max(moment.emotion) for moment in record.moments] == [EMOTIONS[label] for label in showcase.ORDER]
    assert record.count == 2


def test_a_film_rests_at_its_moments():
    moving = [np.full((2, 2), level) for level in range(4)]
    rested = [int(frame[0, 0]) for frame in showcase.resting(iter(moving), 2)]
    assert rested == [0] * showcase.HOLD + [1] + [2] * showcase.HOLD + [3]


def test_the_strip_begins_with_the_face_and_the_film_ends_there(config, translating):
    face = showcase.drawn(translating, config)[0]
    shown = np.asarray(showcase.strip(translating, config))
    assert shown.shape == (96, 2 * (7 * 50 - 2))
    alone = np.asarray(enlarge(Image.fromarray(face), 2))
    assert np.array_equal(shown[:, :88], alone[:, :88])  # beyond, its neighbour shines in
    moving = list(frames(showcase.turning(translating, config, steps=3)))
    assert (
        np.abs(moving[0].astype(int) - moving[-1]).mean() < np.abs(moving[0].astype(int) - moving[3]).mean()
    )


def test_all_are_written(config, tmp_path):
    text = showcase.write(
        ShowcaseConfig(config.models, "acgan", "stargan", seeds="7", factor=1, out=str(tmp_path))
    )
    names = {"people.png", "film.webp", "strip.png", "turning.gif"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert text.count("kB") == 4
    for name in names:
        provenance.read(tmp_path / name)


def test_what_cannot_be_drawn_is_refused(config):
    with pytest.raises(ValueError, match="--seeds names people"):
        ShowcaseConfig(seeds="anna")
    with pytest.raises(ValueError, match="cgan2"):
        showcase.write(ShowcaseConfig(config.models, "cgan2"))
