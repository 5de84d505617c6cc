"""fergan.machines: the rule that networks guess by, and how it is learnt aside."""

import re
import subprocess
import sys

import numpy as np
import pytest

from fergan import machines
from tests.test_app import ROOT


def test_a_rule_finds_what_tells_classes_apart_and_nothing_where_nothing_does():
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], 60)
    noise = rng.normal(size=(180, 5)).astype(np.float32)
    told = noise.copy()
    told[:, 2] += 12 * classes
    rule = machines.fit(told, classes)
    assert rule.held_out > 0.98
    assert rule.guess(told) == classes.tolist()
    assert machines.fit(noise, classes).held_out == pytest.approx(1 / 3, abs=0.11)  # three deviations
    assert machines.fit(np.zeros((20, 2), np.float32), np.repeat([0, 1], 10)).held_out <= 0.6


@pytest.mark.parametrize(
    ("features", "classes", "sentence"),
    [
        (np.zeros((9, 2), np.float32), np.zeros(9, int), "10 faces or more"),
        (np.zeros((20, 2), np.float32), np.zeros(19, int), "got [20, 2] features for 19"),
        (np.full((20, 2), np.nan, np.float32), np.zeros(20, int), "not finite"),
    ],
)
def test_a_rule_needs_features_that_fit(features, classes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        machines.fit(features, classes)


def test_a_study_that_fails_says_so_and_can_begin_again():
    broken = [True]

    def parts():
        if broken:
            raise ValueError("The light went out.")
        faces = np.zeros((20, 4, 4), np.uint8)
        yield machines.Known(faces, np.zeros(20, np.int64), np.repeat([0, 1], 10))

    study = machines.Study({"eye": lambda faces, labels: np.zeros((len(faces), 1), np.float32)}, 20, parts)
    assert study.rules() is None
    study.begin()
    study._thread.join()
    with pytest.raises(ValueError, match="light went out"):
        study.rules()
    broken.clear()
    study.begin()
    study._thread.join()
    assert list(study.rules()) == ["eye"]
    assert study.progress == 1
    thread = study._thread
    study.begin()
    assert study._thread is thread  # once is enough


def test_a_program_that_ends_waits_for_a_study_begun_by_a_daemon():
    """Servers answer in daemon threads; one that is cut off within torch aborts the whole program."""
    code = """
import threading, time
import numpy as np
from fergan.machines import Known, Study

def chunks():
    for _ in range(100):
        time.sleep(0.05)
        yield Known(np.zeros((1, 8, 8), np.uint8), np.zeros(1, int), np.zeros(1, int))

study = Study({"eye": lambda faces, labels: np.zeros((1, 2), np.float32)}, 100, chunks)
asking = threading.Thread(target=study.begin, daemon=True)
asking.start()
asking.join()
print([thread.daemon for thread in threading.enumerate() if thread.name == "quiz"])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "[False]"), done.stderr
