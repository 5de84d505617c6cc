"""Train a classifier of emotions: `python -m train.classifier --model judge --data PATH`."""

import copy
import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor
from tqdm import tqdm

from fergan import checkpoint, data
from fergan.checkpoint import replace_file
from fergan.metrics import accuracy
from fergan.models import MODELS
from fergan.models.classifier import Classifier, Config
from train import report, run, states, transfer
from train.classifier_recipes import RECIPES, ClassifierRecipe, EarlyStopping
from train.folds import k_folds, same_faces
from train.learner import Learner, Parts, Schedule, hold_out, split
from train.processes import agree, share_of

LOG_EVERY = 50  # steps


@dataclass(frozen=True)
class TrainConfig(run.TrainFlags):
    """The flags of `python -m train.classifier`."""

    model: str = field(default="judge", metadata={"help": "one of " + ", ".join(RECIPES)})
    emotions: str = field(default="", metadata={"help": "as happy,neutral,sad,surprise; empty: all seven"})
    targets: str = field(default="", metadata={"help": "onehot, votes or mix; empty: the recipe's"})
    folds: int = field(default=0, metadata={"help": "cross-validate on Training with so many folds"})
    epochs: int = field(default=0, metadata={"help": "length of the schedule; 0: the recipe's"})
    pretrained: str = field(default="", metadata={"help": "file of weights for one of torchvision's"})
    start: str = field(default="", metadata={"help": "checkpoint of the same network to begin from"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model not in RECIPES:
            raise ValueError(f"Unknown classifier {self.model!r}: there are {', '.join(RECIPES)}.")
        if self.start and self.model in transfer.NETWORKS:
            raise ValueError(
                f"--start is for networks of ours; {self.model} begins from torchvision's weights."
            )
        if self.pretrained and self.model not in transfer.NETWORKS:
            raise ValueError(f"--pretrained is for {', '.join(transfer.NETWORKS)}; {self.model} has none.")
        if min(self.epochs, self.folds) < 0:
            raise ValueError("--epochs and --folds must be 0 or more.")
        if self.folds and self.start:
            raise ValueError("--start has learnt from the faces that --folds holds out: give one of them.")
        if self.folds == 1:
            raise ValueError("--folds must be 2 or more, or 0 for none.")

    @property
    def folder(self) -> Path:
        """Where the run's files go."""
        return Path(self.out or f"runs/{self.model}")

    def settings(self) -> tuple[Config, ClassifierRecipe]:
        """The network's config and the recipe, with the flags' changes.

        Raises:
            ValueError: a change that does not fit.
        """
        presets = MODELS["classifier"]
        cls = presets[self.model].config if self.model in presets else transfer.TransferConfig
        recipe = RECIPES[self.model]
        network, recipe = run.override(self.set, cls(image_size=self.size, channels=self.channels), recipe)
        chosen = {"targets": self.targets, "epochs": self.epochs}
        recipe = dataclasses.replace(recipe, **{name: value for name, value in chosen.items() if value})
        return (dataclasses.replace(network, emotions=self.emotions) if self.emotions else network), recipe


class Epoch(NamedTuple):
    """What an epoch came to, on the faces that choose."""

    number: int
    """From 1."""
    accuracy: float


def fit(
    learner: Learner,
    parts: Parts,
    schedule: Schedule,
    stopper: run.Stopper,
    accelerator: Accelerator,
    log: run.Log | None = None,
) -> Iterator[Epoch]:
    """Trains until the stopper says stop; gives each epoch as it ends, and goes on when asked for the next.

    Raises:
        FloatingPointError: a loss that is not finite.
    """
    pixels, target = parts.training.images.to(learner.device), parts.target.to(learner.device)
    means, begun = run.Means(), -1
    bar = tqdm(total=schedule.planned, initial=learner.seen, unit="img", smoothing=0.05, disable=log is None)
    with bar:
        while stopper.reason(learner.seen, accelerator) is None:
            epoch = learner.steps // schedule.per_epoch
            if epoch != begun:
                learner.begin(epoch)
                begun = epoch
            rows = schedule.rows(learner.steps).to(learner.device, non_blocking=True)
            means.add(learner.step(pixels[rows], target[rows], schedule.rate(learner.steps)))
            bar.update(len(rows))
            if log and learner.steps % LOG_EVERY == 0:
                values = means.read()
                log.write(learner.seen, {**values, "images_per_second": bar.format_dict["rate"] or 0.0})
                bar.set_postfix({name: f"{value:.2f}" for name, value in values.items()})
            if learner.steps % schedule.per_epoch == 0:
                means.check()
                logits, labels = learner.answers(learner.tested, parts.validation), parts.validation.labels
                right = agree(accuracy(logits.argmax(dim=1), labels), accelerator)
                if log:
                    log.write(
                        learner.seen,
                        {
                            "epoch": epoch + 1,
                            "accuracy": right,
                            "cross_entropy": float(F.cross_entropy(logits, labels)),
                        },
                    )
                    bar.write(f"epoch {epoch + 1}: {right:.1%} of PublicTest")
                yield Epoch(epoch + 1, right)


def build(config: TrainConfig, network_config: Config) -> Classifier:
    """The network, drawn from the seed or pretrained.

    Raises:
        FileNotFoundError, ValueError: nothing to begin from there, or another network.
    """
    torch.manual_seed(config.seed)
    if isinstance(network_config, transfer.TransferConfig):
        return transfer.build(config.model, network_config, config.pretrained)
    made = MODELS["classifier"][config.model].network(network_config)
    assert isinstance(made, Classifier)
    if config.start and not config.resume:
        made.load_state_dict(begin(config, made).state_dict())
        made.head.temperature.fill_(1.0)  # it is fitted anew, at the end
    return made


def begin(config: TrainConfig, made: Classifier) -> Classifier:
    """The network of --start, which is to be like the one that was made.

    Raises:
        FileNotFoundError, ValueError: nothing there, or another network.
    """
    network_config = config.settings()[0]
    described, begun = checkpoint.load(Path(config.start))
    if type(begun) is not type(made) or described.build_config() != network_config:
        raise ValueError(
            f"{config.start} holds {described.model} {described.preset} with {described.config};"
            f" {config.model} needs the same network with {dataclasses.asdict(network_config)}."
        )
    return begun


def reread(config: TrainConfig, parts: Parts, learner: Learner) -> Tensor:
    """What to answer for each face of Training, [N, 7]: in part what the network of --start reads in it.

    Raises:
        FileNotFoundError, ValueError: nothing there, another network, or none is named.
    """
    if not config.start:
        raise ValueError("born_again is for a network that another has taught: name that one with --start.")
    network = begin(config, learner.network).to(learner.device)
    mirrored = dataclasses.replace(parts.training, images=parts.training.images.flip(-1))
    two = [learner.answers(network, faces).softmax(dim=1) for faces in (parts.training, mirrored)]
    total = parts.target.sum(dim=1, keepdim=True)  # balanced rows have weights
    return parts.target.lerp(total * (two[0] + two[1]) / 2, learner.recipe.born_again)


def identity(config: TrainConfig, parts: Parts, fold: str) -> dict[str, Any]:
    """What makes two runs the same experiment, as JSON can hold it."""
    network_config, recipe = config.settings()
    own = {
        "model": "classifier",
        "preset": config.model,
        "config": dataclasses.asdict(network_config),
        "recipe": dataclasses.asdict(recipe),
        "data": parts.training.fingerprint,
        "fold": fold,
    }
    if config.start:  # told now: its folder may hold another checkpoint when the run is resumed
        first = checkpoint.describe(Path(config.start))
        told = f"{first.training.get('minutes')} minutes, {first.training.get('command')}"
        own["began_from"] = f"{first.images_seen:,} images, {told}"
    return own


def check(path: Path, facts: dict[str, Any], own: dict[str, Any]) -> None:
    """Raises ValueError where what a file says of its run is not this run's."""
    for key, value in own.items():
        if facts.get(key) != value:
            raise ValueError(f"{path} is of a run with {key} {facts.get(key)}; this one has {value}.")


def resume(
    path: Path, own: dict[str, Any], learner: Learner, stopping: EarlyStopping, best: report.Best
) -> float:
    """Puts a state file back; returns the minutes that the run has had.

    Raises:
        FileNotFoundError: no state there.
        ValueError: a state of another network, recipe, data or fold.
    """
    tensors, facts = states.load(path)
    check(path, facts, own)
    best.epoch = facts["best_epoch"]
    best.weights = {
        name.removeprefix("best."): tensors.pop(name) for name in [*tensors] if name.startswith("best.")
    }
    stopping.best, stopping.waited = facts["best"], facts["waited"]
    learner.restore(tensors, facts["step"], facts["seen"])
    return float(facts["minutes"])


def learn(
    config: TrainConfig, parts: Parts, folder: Path, fold: str, accelerator: Accelerator
) -> tuple[str, dict[str, Any]]:
    """One training: why it stopped, and its metrics; none where a signal broke it off, to be resumed.

    Only the main process writes.

    Raises:
        ValueError: a folder that holds a run, a state of another, or a batch that the processes cannot share.
        FloatingPointError: a loss that is not finite.
    """
    if not config.resume:
        states.vacant(folder)
    network_config, recipe = config.settings()
    own = identity(config, parts, fold)
    network = build(config, network_config)
    learner = Learner(network, recipe, config.seed, accelerator.device, config.precision)
    if recipe.born_again:
        parts = parts._replace(target=reread(config, parts, learner))
    schedule = Schedule(recipe, len(parts.training), config.seed)
    learner.share, learner.accelerator = share_of(accelerator, schedule.batch), accelerator
    stopping, best, before = EarlyStopping(recipe.patience, recipe.min_delta), report.Best(), 0.0
    if config.resume:
        before = resume(folder / states.FILE, own, learner, stopping, best)
    folder.mkdir(parents=True, exist_ok=True)
    log = run.Log(folder, learner.seen) if accelerator.is_main_process else None
    stopper = run.Stopper(min(schedule.planned, config.images or schedule.planned), config.minutes)

    def save() -> None:
        facts = {**own, "step": learner.steps, "seen": learner.seen, "minutes": before + stopper.elapsed}
        facts |= {"best": stopping.best, "waited": stopping.waited, "best_epoch": best.epoch}
        kept = {f"best.{name}": tensor for name, tensor in best.weights.items()}
        if accelerator.is_main_process:
            states.save(folder / states.FILE, learner.state() | kept, facts)

    saved = 0.0
    with stopper.catching():
        for epoch in () if stopping.over else fit(learner, parts, schedule, stopper, accelerator, log):
            if stopping.better(epoch.accuracy):
                best = report.Best(epoch.number, copy.deepcopy(learner.tested.state_dict()))
            if stopping.over:
                break
            if stopper.elapsed - saved >= config.save_minutes:
                save()
                saved = stopper.elapsed
    save()
    if log:
        log.close()
    reason = stopper.reason(learner.seen, accelerator) or f"{stopping.waited} epochs brought nothing better"
    if stopper.signal:
        return f"Stopped: {reason}, {learner.seen:,} images seen; go on with --resume.", {}
    if not best.weights:  # not one epoch was over
        best = report.Best(0, copy.deepcopy(learner.tested.state_dict()))
    outcome = report.finish(learner, parts, best)
    training = {
        "device": torch.cuda.get_device_name() if learner.device.type == "cuda" else learner.device.type,
        "processes": accelerator.num_processes,
        "precision": str(learner.dtype).removeprefix("torch."),
        "seed": config.seed,
        "faces": parts.training.name,
        "minutes": round(before + stopper.elapsed, 1),
        "command": run.command(
            "train.classifier", config, without=("out", "resume", "minutes", "images", "save_minutes")
        ),
    }
    if config.start:
        training["began_from"] = own["began_from"]
    if accelerator.is_main_process:
        report.keep(folder, own, outcome, training=training, step=learner.steps, seen=learner.seen)
    return f"Stopped: {reason}.", outcome.metrics


def cross_validate(config: TrainConfig, parts: Parts, accelerator: Accelerator) -> str:
    """Trains once for each fold of Training; PublicTest chooses the epoch, the fold that is held out is told.

    With --resume, folds that are done are read, and the one that was broken off goes on.
    """
    fold = k_folds(parts.training.labels, same_faces(parts.training.images), config.folds, config.seed)
    found = []
    for number in range(config.folds):
        name, folder = f"{number + 1} of {config.folds}", config.folder / f"fold-{number + 1:02d}"
        done = folder / report.REPORT
        if config.resume and done.is_file():
            told = json.loads(done.read_text("utf-8"))
            check(done, told, identity(config, parts, name))
            found.append(told["metrics"]["held_out"]["accuracy"])
            continue
        own = dataclasses.replace(config, resume=config.resume and (folder / states.FILE).is_file())
        sentence, metrics = learn(own, hold_out(parts, fold, number), folder, name, accelerator)
        if not metrics:
            return f"Fold {name}: {sentence}"
        found.append(metrics["held_out"]["accuracy"])
        accelerator.print(f"fold {name}: {found[-1]:.1%}")
    scores = torch.tensor(found, dtype=torch.float64)
    summary = {"accuracy": found, "mean": float(scores.mean()), "deviation": float(scores.std())}
    if accelerator.is_main_process:
        replace_file(config.folder / "folds.json", (json.dumps(summary, indent=2) + "\n").encode())
    mean, deviation = summary["mean"], summary["deviation"]
    return f"{config.folds} folds: {mean:.1%} of the faces held out, give or take {deviation:.1%}; in {config.folder}."


def train(config: TrainConfig, accelerator: Accelerator) -> str:
    """One training or one for each fold; says what came of it.

    Raises:
        ValueError, FileNotFoundError: data or settings that do not fit, in a sentence.
    """
    network_config, recipe = config.settings()
    faces = data.load(config.data, size=config.size, channels=config.channels)
    parts = split(faces, network_config.known(), recipe)
    if config.folds:
        return cross_validate(config, parts, accelerator)
    sentence, metrics = learn(config, parts, config.folder, "", accelerator)
    if not metrics:
        return sentence
    told, clean = metrics["private"], metrics["private_clean"]
    return (
        f"{sentence} PrivateTest: {told['accuracy']:.1%} of {told['n']:,} faces, {clean['accuracy']:.1%} of the"
        f" {clean['n']:,} that are not in Training, with epoch {metrics['epoch']}; calibration error"
        f" {told['ece_before']:.1%}, after the temperature {told['ece']:.1%}. The run is in {config.folder}."
    )


def main() -> None:
    """The command line."""
    run.launch(TrainConfig, (__doc__ or "").splitlines()[0], train)


if __name__ == "__main__":
    main()
