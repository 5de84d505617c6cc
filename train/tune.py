"""Look for a classifier's best settings: `python -m train.tune --data PATH --trials 50`.

Started several times on one --storage, the searches share one study.
"""

import json
import os
import shlex
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import optuna
from accelerate import Accelerator
from optuna.exceptions import OptunaError
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from fergan import data
from fergan.checkpoint import replace_file
from train import classifier, run
from train.classifier_recipes import RECIPES
from train.learner import Learner, Parts, Schedule, split

WIDTHS = {"judge": (16, 32, 64), "teacher": (16, 32, 48)}
"""Widths to choose from, of the networks that have one."""
ENOUGH = 5  # trials that end before any is pruned
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


class BrokenOffError(Exception):
    """A trial that time or a signal ended: it says nothing of its settings."""


@dataclass(frozen=True)
class TuneConfig:
    """The flags of `python -m train.tune`."""

    data: str = field(metadata={"help": "FER2013: the CSV, the image folders or the packed form"})
    model: str = field(default="judge", metadata={"help": "one of " + ", ".join(RECIPES)})
    trials: int = field(default=50, metadata={"help": "trials of the study in all, by all that work on it"})
    epochs: int = field(default=10, metadata={"help": "epochs of a trial, a whole schedule each"})
    minutes: float = field(default=0.0, metadata={"help": "stop after this many minutes; 0: no limit"})
    out: str = field(default="runs/tune", metadata={"help": "folder of the plots and of best.json"})
    storage: str = field(default="", metadata={"help": "of the study; empty: sqlite:///OUT/study.db"})
    study: str = field(default="", metadata={"help": "name of the study; empty: the model's"})
    set: str = field(default="", metadata={"help": "what is not searched, as 'width=32 batch=64'"})
    pretrained: str = field(default="", metadata={"help": "file of weights for one of torchvision's"})
    seed: int = field(default=0, metadata={"help": "of the search and of each training"})
    cpu: bool = field(default=False, metadata={"help": "train on the CPU even where there is a GPU"})
    precision: str = field(default="auto", metadata={"help": "auto, bf16 or fp32"})

    def __post_init__(self) -> None:
        if self.trials < 1 or self.epochs < 1 or self.minutes < 0:
            raise ValueError("--trials and --epochs must be 1 or more, --minutes 0 or more.")
        self.training("").settings()

    def training(self, settings: str) -> classifier.TrainConfig:
        """The flags of a training with these settings; what is fixed by --set comes last."""
        return classifier.TrainConfig(
            data=self.data,
            model=self.model,
            epochs=self.epochs,
            set=f"{settings} {self.set}",
            pretrained=self.pretrained,
            seed=self.seed,
            cpu=self.cpu,
            precision=self.precision,
        )


def suggest(trial: optuna.Trial, model: str, fixed: str) -> str:
    """A trial's settings as "name=value ...": what `fixed` names is left out, as is a width that is not there."""
    usual = RECIPES[model].learning_rate
    draws: dict[str, Callable[[str], Any]] = {
        "learning_rate": lambda name: trial.suggest_float(name, usual / 10, usual * 4, log=True),
        "weight_decay": lambda name: trial.suggest_float(name, 1e-5, 1e-2, log=True),
        "smoothing": lambda name: trial.suggest_float(name, 0.0, 0.2),
        "mixup": lambda name: trial.suggest_float(name, 0.0, 1.0),
        "augment": lambda name: trial.suggest_float(name, 0.0, 1.5),
        "erase": lambda name: trial.suggest_float(name, 0.0, 0.6),
        "width": lambda name: trial.suggest_categorical(name, WIDTHS[model]),
    }
    if model not in WIDTHS:
        del draws["width"]
    taken = {setting.partition("=")[0] for setting in fixed.split()}
    found = {name: draw(name) for name, draw in draws.items() if name not in taken}
    return " ".join(f"{name}={value:.6g}" for name, value in found.items())


def attempt(
    config: TuneConfig, trial: optuna.Trial, faces: data.Faces, stopper: run.Stopper, accelerator: Accelerator
) -> float:
    """One trial: the best PublicTest accuracy of its epochs; PrivateTest is never looked at.

    Raises:
        optuna.TrialPruned: worse than the median of the others at an epoch, or a loss that is not finite.
        BrokenOffError: time is over, or a signal came.
    """
    settings = suggest(trial, config.model, config.set)
    flags = config.training(settings)
    network_config, recipe = flags.settings()
    trial.set_user_attr("settings", flags.set.strip())
    parts = split(faces, network_config.known(), recipe)
    parts = Parts(parts.training, parts.target, parts.validation, {})
    learner = Learner(
        classifier.build(flags, network_config), recipe, config.seed, accelerator.device, config.precision
    )
    schedule = Schedule(recipe, len(parts.training), config.seed)
    stopper.images = schedule.planned
    best = 0.0
    try:
        for epoch in classifier.fit(learner, parts, schedule, stopper, accelerator):
            best = max(best, epoch.accuracy)
            trial.report(epoch.accuracy, epoch.number)
            if trial.should_prune():
                raise optuna.TrialPruned
    except FloatingPointError as error:
        raise optuna.TrialPruned(str(error)) from error
    if learner.seen < schedule.planned:
        trial.study.stop()
        raise BrokenOffError
    return best


def open_study(config: TuneConfig, folder: Path) -> optuna.Study:
    """The study in its storage, made where it is not there yet.

    Raises:
        ValueError: a storage that cannot be opened.
    """
    storage = config.storage or f"sqlite:///{folder / 'study.db'}"
    if storage.startswith("sqlite:///"):
        Path(storage.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    for wait in (0.5, 1.0, 2.0, 0.0):
        try:
            patient = {"connect_args": {"timeout": 60}} if storage.startswith("sqlite") else None  # seconds
            return optuna.create_study(
                study_name=config.study or config.model,
                storage=optuna.storages.RDBStorage(storage, patient) if patient else storage,
                load_if_exists=True,
                direction="maximize",
                # the process's number, or workers and restarts would all make the same first draws
                sampler=optuna.samplers.TPESampler(seed=config.seed + os.getpid(), constant_liar=True),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=ENOUGH, n_warmup_steps=1),
            )
        except (IntegrityError, OperationalError) as error:  # another worker makes the tables just now
            problem: Exception = error
            time.sleep(wait)
        except Exception as error:  # SQLAlchemy, Redis and gRPC each raise their own
            problem = error
            break
    first = str(problem).splitlines()[0]
    raise ValueError(f"The storage {storage} cannot be opened: {first}") from problem


def draw_plots(study: optuna.Study, folder: Path) -> list[str]:
    """The study's plots as PNGs; returns the names of those that its trials are enough for."""
    from optuna.visualization import matplotlib as plots

    kinds: dict[str, Callable[..., Any]] = {
        "history.png": plots.plot_optimization_history,
        "importance.png": plots.plot_param_importances,
        "slice.png": plots.plot_slice,
        "parallel.png": plots.plot_parallel_coordinate,
    }
    written = []
    for name, draw in kinds.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Optuna calls these plots experimental, each time
                axes = draw(study, target_name="accuracy")
        except (ValueError, RuntimeError):  # importance needs two trials that differ
            continue
        figure = np.ravel(np.asarray(axes))[0].figure
        figure.set_size_inches(max(figure.get_size_inches()[0], 10), 6)
        figure.savefig(folder / name, dpi=90, bbox_inches="tight")
        plt.close(figure)
        written.append(name)
    return written


def tune(config: TuneConfig, accelerator: Accelerator) -> str:
    """Searches until trials, minutes or a signal say stop; says what was best and how to train with it.

    Raises:
        ValueError, FileNotFoundError: data, settings or a storage that do not fit, in a sentence.
    """
    if accelerator.num_processes > 1:  # a trial each would wait for the others' gradients
        raise ValueError("train.tune runs as one process: start it several times on one --storage.")
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    network_config, _ = config.training("").settings()
    faces = data.load(config.data, size=network_config.image_size, channels=network_config.channels)
    study = open_study(config, folder)
    stopper = run.Stopper(0, config.minutes)
    left = config.trials - len(study.get_trials(deepcopy=False, states=DONE))
    if left > 0:
        with stopper.catching():
            study.optimize(
                lambda trial: attempt(config, trial, faces, stopper, accelerator),
                n_trials=left,
                callbacks=[optuna.study.MaxTrialsCallback(config.trials, states=DONE)],
                catch=(BrokenOffError,),
                show_progress_bar=True,
            )
    done = study.get_trials(deepcopy=False, states=DONE)
    complete = [trial for trial in done if trial.state == TrialState.COMPLETE]
    stopped = f"Stopped: {stopper.signal}. " if stopper.signal else ""
    if not complete:
        return f"{stopped}No trial of {study.study_name} has ended yet; start again to go on."
    best = max(complete, key=lambda trial: trial.value or 0.0)
    settings, value = best.user_attrs["settings"], best.value or 0.0
    found = {"study": study.study_name, "trials": len(done), "accuracy": value, "settings": settings}
    replace_file(folder / "best.json", (json.dumps(found, indent=2) + "\n").encode())
    plots = draw_plots(study, folder)
    command = ["python", "-m", "train.classifier", "--data", config.data, "--model", config.model]
    return (
        f"{stopped}{len(done)} trials done; best: {value:.1%} of PublicTest. {', '.join(plots) or 'No plot'}"
        f" and best.json are in {folder}. Train with it:\n{shlex.join([*command, '--set', settings])}"
    )


def main() -> None:
    """The command line."""
    config = run.parse_args(TuneConfig, __doc__ or "")
    matplotlib.use("Agg")
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # the bar shows what matters
    try:
        print(tune(config, Accelerator(cpu=config.cpu)))
    except (OSError, ValueError, OptunaError, SQLAlchemyError) as error:
        run.fail(f"The search stopped: {error}")


if __name__ == "__main__":
    main()
