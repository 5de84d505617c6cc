"""train.tune on small drawn faces: a study, its plots, going on with it."""

import json

import matplotlib
import optuna
import pytest
from accelerate import Accelerator

from tests import factory
from train import classifier, run, tune
from train.classifier_recipes import RECIPES
from train.learner import Learner

matplotlib.use("Agg")
optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture(scope="module")
def faces(own_folder):
    return factory.write_packed(own_folder / "packed", factory.draw_faces(70))


@pytest.fixture
def no_plots(monkeypatch):
    monkeypatch.setattr(tune, "draw_plots", lambda study, folder: [])


def config(faces, out, **changes):
    options = {"model": "teacher", "trials": 3, "epochs": 2, "cpu": True, "set": "batch=16 width=4"}
    return tune.TuneConfig(data=str(faces), out=str(out), precision="fp32", **options | changes)


def search(settings):
    return tune.tune(settings, Accelerator(cpu=True))


def trials(settings):
    return tune.open_study(settings, tune.Path(settings.out)).trials


def test_a_study_ends_with_plots_and_a_command(faces, tmp_path):
    settings = config(faces, tmp_path)
    sentence = search(settings)
    assert sentence.startswith("3 trials done; best: ")
    done = trials(settings)
    assert len(done) == 3
    assert {"learning_rate", "weight_decay", "smoothing", "mixup", "augment", "erase"} == done[
        0
    ].params.keys()
    for name in ("history.png", "slice.png", "parallel.png", "importance.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG"), name
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["accuracy"] == max(trial.value for trial in done if trial.value is not None)
    assert best["settings"] in sentence
    classifier.TrainConfig(data="x", model="teacher", set=best["settings"]).settings()  # it can be trained


def test_a_study_goes_on(faces, tmp_path, no_plots):
    search(config(faces, tmp_path, trials=2, epochs=1))
    before = [trial.params for trial in trials(config(faces, tmp_path))]
    assert search(config(faces, tmp_path, trials=3, epochs=1)).startswith("3 trials done")
    after = [trial.params for trial in trials(config(faces, tmp_path))]
    assert after[:2] == before
    assert len(after) == 3
    assert search(config(faces, tmp_path, trials=3, epochs=1)).startswith(
        "3 trials done"
    )  # nothing left to do


def test_workers_share_a_study(faces, tmp_path, no_plots):
    storage = f"sqlite:///{tmp_path / 'shared' / 'study.db'}"
    search(config(faces, tmp_path / "a", trials=1, epochs=1, storage=storage))
    search(config(faces, tmp_path / "b", trials=2, epochs=1, storage=storage))
    assert len(trials(config(faces, tmp_path / "a", storage=storage))) == 2
    assert json.loads((tmp_path / "b" / "best.json").read_text())["trials"] == 2


def test_a_bad_trial_is_pruned(faces, tmp_path, monkeypatch):
    def diverge(self, pixels, target, rate):
        raise FloatingPointError("The loss is not finite.")

    monkeypatch.setattr(Learner, "step", diverge)
    assert "No trial of teacher has ended" in search(config(faces, tmp_path, trials=1))
    assert trials(config(faces, tmp_path))[0].state == optuna.trial.TrialState.PRUNED


def test_the_median_prunes(faces, tmp_path, monkeypatch, no_plots):
    monkeypatch.setattr(tune, "ENOUGH", 1)
    first = [classifier.Epoch(n, 0.9) for n in (1, 2, 3)]
    second = [classifier.Epoch(n, 0.1) for n in (1, 2, 3)]
    runs = iter([first, second])

    def fit(learner, parts, schedule, *rest):
        learner.seen = schedule.planned
        return iter(next(runs))

    monkeypatch.setattr(classifier, "fit", fit)
    assert search(config(faces, tmp_path, trials=2)).startswith("2 trials done; best: 90.0%")
    states = [trial.state.name for trial in trials(config(faces, tmp_path))]
    assert states == ["COMPLETE", "PRUNED"]


def test_a_signal_ends_the_search_and_the_trial_does_not_count(faces, tmp_path, monkeypatch):
    def fit(learner, parts, schedule, stopper, *rest):
        stopper.signal = "SIGINT"
        return iter([])

    monkeypatch.setattr(classifier, "fit", fit)
    assert search(config(faces, tmp_path)) == (
        "Stopped: SIGINT. No trial of teacher has ended yet; start again to go on."
    )
    assert [trial.state.name for trial in trials(config(faces, tmp_path))] == ["FAIL"]


@pytest.mark.parametrize("model", RECIPES)
def test_what_is_fixed_is_not_searched(model):
    study = optuna.create_study()
    settings = tune.suggest(study.ask(), model, "learning_rate=0.1 width=8")
    assert "learning_rate" not in settings
    assert "width" not in settings
    assert ("width=" in tune.suggest(study.ask(), model, "")) == (model in tune.WIDTHS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trials": 0}, "1 or more"),
        ({"model": "vae"}, "Unknown classifier"),
        ({"set": "widht=1"}, "got 'widht=1'"),
        ({"storage": "nosuch://x"}, "The storage nosuch://x cannot be opened"),
    ],
)
def test_what_cannot_run_is_refused_in_a_sentence(faces, tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        search(config(faces, tmp_path, **changes))


def test_flags():
    parsed = run.parse_args(tune.TuneConfig, "", ["--data", "x", "--trials", "7", "--set", "width=8"])
    assert (parsed.trials, parsed.set, parsed.model) == (7, "width=8", "judge")
