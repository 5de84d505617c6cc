"""What learns in train.classifier: schedule, targets, early stopping, folds."""

import pytest
import torch

from fergan import data
from tests import factory
from tests.test_classifier import FOUR, small
from train.classifier_recipes import ClassifierRecipe, EarlyStopping
from train.folds import k_folds, same_faces
from train.learner import Schedule, hold_out, split, targets


@pytest.fixture(scope="module")
def faces(own_folder):
    return factory.write_voted(own_folder / "packed")


def test_the_learning_rate_warms_up_and_falls_to_0():
    recipe = ClassifierRecipe(learning_rate=0.2)
    assert recipe.rate(0.01) == pytest.approx(0.1, rel=1e-3)
    assert recipe.rate(0.5) == pytest.approx(0.1)
    assert recipe.rate(1.0) == pytest.approx(0, abs=1e-12)


def test_an_epoch_is_every_face_once():
    schedule = Schedule(ClassifierRecipe(batch=10, epochs=3), 50, seed=4)
    assert (schedule.per_epoch, schedule.planned) == (5, 150)
    first, second = (torch.cat([schedule.rows(step) for step in range(s, s + 5)]) for s in (0, 5))
    assert first.sort().values.tolist() == second.sort().values.tolist() == list(range(50))
    assert not torch.equal(first, second)
    assert torch.equal(Schedule(ClassifierRecipe(batch=10, epochs=3), 50, seed=4).rows(7), second[20:30])
    frozen = Schedule(ClassifierRecipe(batch=10, epochs=3, frozen_epochs=1, unfrozen_rate=0.1), 50, 4)
    assert frozen.rate(4) == pytest.approx(schedule.rate(4))
    assert frozen.rate(5) == pytest.approx(0.1 * schedule.rate(5))


@pytest.mark.parametrize(
    ("patience", "delta", "values", "stops_after", "best"),
    [
        (2, 0.0, [0.1, 0.3, 0.2, 0.3, 0.4], 4, 0.3),  # an equal value is no better
        (2, 0.0, [0.1, 0.3, 0.2, 0.4, 0.3], None, 0.4),
        (0, 0.0, [0.5, 0.1, 0.1, 0.1], None, 0.5),
        (2, 0.1, [0.1, 0.15, 0.19], 3, 0.1),  # the students' ten points
    ],
)
def test_early_stopping(patience, delta, values, stops_after, best):
    stopping, stopped = EarlyStopping(patience, delta), None
    for number, value in enumerate(values, 1):
        stopping.better(value)
        if stopping.over:
            stopped = number
            break
    assert (stopped, stopping.best) == (stops_after, best)


def test_folds_are_disjoint_cover_all_and_are_stratified():
    labels = torch.randint(0, 7, (503,), generator=torch.Generator().manual_seed(1))
    groups = torch.arange(503)
    groups[100:104] = groups[7]  # four copies of a face
    groups = torch.unique(groups, return_inverse=True)[1]
    fold = k_folds(labels, groups, 10, seed=0)
    assert fold.shape == labels.shape
    counts = fold.bincount(minlength=10)
    assert int(counts.sum()) == 503  # each row in one fold: disjoint, and all are covered
    assert int(counts.max() - counts.min()) <= 5
    for label in range(7):
        shares = fold[labels == label].bincount(minlength=10)
        assert int(shares.max() - shares.min()) <= 5
    assert len(fold[groups == groups[7]].unique()) == 1
    assert torch.equal(fold, k_folds(labels, groups, 10, seed=0))
    assert not torch.equal(fold, k_folds(labels, groups, 10, seed=1))
    alone = k_folds(labels, torch.arange(503), 10, seed=0)  # without copies, to the face
    for label in range(7):
        shares = alone[labels == label].bincount(minlength=10)
        assert int(shares.max() - shares.min()) <= 1
    with pytest.raises(ValueError, match="at most the 3 faces"):
        k_folds(labels[:3], torch.arange(3), 4, seed=0)


def test_same_faces_and_what_is_held_out(faces):
    images = torch.randint(0, 255, (5, 1, 4, 4), dtype=torch.uint8)
    images[3] = images[1]
    assert same_faces(images).tolist() == [0, 1, 2, 1, 3]
    parts = split(data.load(faces), list(range(7)), ClassifierRecipe())
    fold = torch.arange(len(parts.training)) % 3
    held = hold_out(parts, fold, 1)
    assert len(held.training) + len(held.tests["held_out"]) == len(parts.training)
    assert torch.equal(held.target, parts.target[fold != 1])


@pytest.mark.parametrize("kind", ["onehot", "votes", "mix"])
def test_targets_sum_to_1_over_the_known_emotions(faces, kind):
    known = small("m1", emotions=FOUR).known()
    recipe = ClassifierRecipe(targets=kind, smoothing=0.1)
    parts = split(data.load(faces), known, recipe)
    assert torch.allclose(parts.target.sum(1), torch.ones(len(parts.target)), atol=1e-5)
    assert bool((parts.target[:, [0, 1, 2]] == 0).all())
    assert float(parts.target[:, known].min()) >= 0.1 / 4 - 1e-6
    assert set(parts.training.labels.tolist()) == set(known)
    assert (len(parts.tests["private"]), len(parts.tests["private_clean"])) == (24, 23)


@pytest.mark.parametrize(("balance", "sums"), [(0.0, [4, 2, 1]), (0.5, [2, 2**0.5, 1]), (1.0, [1, 1, 1])])
def test_balanced_targets_weigh_an_emotion_by_its_rarity(balance, sums):
    rare = torch.tensor([0] * 4 + [1] * 2 + [6])
    pictures, all_of = torch.zeros(7, 1, 4, 4, dtype=torch.uint8), torch.ones(7, dtype=torch.bool)
    seven = data.Faces(pictures, rare, torch.zeros(7), None, ~all_of, all_of, "seven", "7")
    rows = targets(seven, list(range(7)), ClassifierRecipe(smoothing=0.0, balance=balance))
    shares = torch.tensor([*sums[:2], 0.0, 0.0, 0.0, 0.0, sums[2]]) / sum(sums)
    assert torch.allclose(rows.sum(0) / 7, shares, atol=1e-5)
    assert float(rows.sum()) == pytest.approx(7, abs=1e-4)
    assert rows.argmax(1).tolist() == rare.tolist()


def test_each_part_is_its_own_split(faces):
    found = data.load(faces)
    parts = split(found, list(range(7)), ClassifierRecipe())
    for part, name, clean in (
        (parts.training, "Training", True),
        (parts.validation, "PublicTest", True),
        (parts.tests["private"], "PrivateTest", False),
        (parts.tests["private_clean"], "PrivateTest", True),
    ):
        assert torch.equal(part.images, found.split(name, clean=clean).images)
