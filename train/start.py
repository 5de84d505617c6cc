"""Goes on from a checkpoint whose run is gone: one of `weights/`, or of the Hub, by `--start FOLDER`.

A checkpoint holds the generator's average, so that is what the generator begins as; all moments begin anew. So does the
discriminator, where none is beside the checkpoint, and it may learn alone until it has something to say. By `--opponent
RUN` it begins as another run's: what a real face looks like it knows then, and only these fakes are new to it. That
holds for a generator that begins with nothing, too.
"""

import dataclasses
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from PIL import Image
from torch import nn

from fergan import checkpoint, opponents
from fergan.checkpoint import EVOLUTION, HISTORY, Checkpoint, replace_file
from fergan.images import CAPTION
from fergan.models.dcgan import ALL
from train import bank, history
from train.players import Players
from train.push import SharingFlags
from train.record import recipe_changes

NEW, OWN = "new", "its own"


@dataclass(frozen=True)
class StartFlags(SharingFlags):
    """The flags of a training that may begin with a checkpoint."""

    start: str = field(
        default="",
        metadata={
            "help": "checkpoint to go on from, with the discriminator beside it or a new one; empty: from nothing"
        },
    )
    opponent: str = field(
        default="",
        metadata={
            "help": "run whose discriminator a new one begins as, from nothing or after --start; empty: as none"
        },
    )
    alone: int = field(
        default=20_000, metadata={"help": "images after --start that the new discriminator learns from alone"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alone < 0:
            raise ValueError(f"--alone must be 0 or more, got {self.alone}.")
        if self.start and self.resume:
            raise ValueError("--start begins a run and --resume goes on with one: give one of them.")
        if self.opponent and self.resume:
            raise ValueError(
                "--opponent is for a run that begins, and --resume goes on with one: give one of them."
            )
        if self.start:  # before minutes go into what a run begins with
            checkpoint.describe(Path(self.start))


def start(
    flags: StartFlags, own: dict[str, Any], game: Players, run: Path, accelerator: Accelerator
) -> dict[str, Any]:
    """Puts a checkpoint's network into the game, its pictures and curves into the new run; returns the run's facts.

    Where the flags name none, the generator begins with nothing, and only its opponent, if it is another's, does not.
    Only the main process writes.

    Raises:
        FileNotFoundError: no checkpoint there, or no run of an opponent.
        ValueError: one of another model, shape or data, or that has seen all that is asked for already, or an
            opponent that does not fit.
    """
    if not flags.start:
        return from_nothing(flags.opponent, own, game)
    folder = Path(flags.start)
    described, network = checkpoint.load(folder)
    emotions = own["config"].get("emotions", "")
    seen = bank.seen(described, emotions) if emotions else described.images_seen
    if 0 < flags.images <= seen:
        raise ValueError(
            f"{folder} has seen {seen:,} images already, and --images says to stop at {flags.images:,}: ask for more."
        )
    told = bank.training_of(described, emotions) if emotions else described.training
    part = seen / max(1, described.images_seen)
    facts = {
        "model": described.model,
        "preset": described.preset,
        "config": own["config"],  # what fits the generator's weights may differ: its opponent is new
        "data": described.data,
        "recipe": {name: told.get(name) for name in own["recipe"]},
        "changes": told.get("changes", []),
        "seen": seen,
        "step": round(part * described.step),
        "minutes": part * told.get("minutes", 0.0),
        "collapsed_at": told.get("collapsed_at"),
    }
    facts = recipe_changes(folder, facts, own)
    before = dataclasses.asdict(described.build_config())
    changed = {
        name: [before.get(name), now] for name, now in own["config"].items() if before.get(name) != now
    }
    mode = OWN if not flags.opponent and adopt(folder, own, game.discriminator) else NEW
    change = {"images_seen": facts["seen"], "discriminator": mode, **changed}
    if flags.opponent:
        change["opponent"] = borrow(Path(flags.opponent), game.discriminator, emotions)
    facts["changes"] = [*facts["changes"], change]
    try:
        weights = network.state_dict()
        if emotions:
            weights = bank.pick(weights, emotions)
        for network in (game.generator, game.average):
            network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            f"{folder} is of a generator of another shape: {described.config}; this one has {own['config']}."
        ) from error
    accelerator.wait_for_everyone()  # until all have seen that there is no run yet
    if accelerator.is_main_process:
        unroll(folder, described, run)
    return facts


def from_nothing(opponent: str, own: dict[str, Any], game: Players) -> dict[str, Any]:
    """The facts of a run that begins with nothing but, where one is named, the discriminator of another run.

    It meets the first faces: a generator that draws noise has nothing to lose to an opponent that is new to it.

    Raises:
        FileNotFoundError, ValueError: as `borrow`.
    """
    if not opponent:
        return {}
    model = borrow(Path(opponent), game.discriminator, own["config"].get("emotions", ""))
    return {"changes": [{"images_seen": 0, "opponent": model}]}


def adopt(folder: Path, own: dict[str, Any], discriminator: nn.Module) -> bool:
    """Puts the discriminator beside a checkpoint into a run's, in place, where there is one of the same shape.

    Raises:
        ValueError: it cannot be read.
    """
    if not (folder / opponents.FILE).is_file():
        return False
    weights = opponents.load(folder, next(discriminator.parameters()).device).network.state_dict()
    if emotions := own["config"].get("emotions"):
        weights = bank.pick(weights, emotions)
    ours = discriminator.state_dict()
    if {name: tensor.shape for name, tensor in weights.items()} != {n: t.shape for n, t in ours.items()}:
        return False
    discriminator.load_state_dict(weights)
    return True


def borrow(run: Path, discriminator: nn.Module, emotions: str = "") -> str:
    """Puts the discriminator of a run's last state into another, in place; returns whose it was.

    A head that it does not have begins anew: what counts is the trunk, which knows real faces. `emotions`: of a
    DCGAN's the name of the network that it is put into.

    Raises:
        FileNotFoundError: there is no run.
        ValueError: one whose discriminator has another trunk, or another size of it.
    """
    other = opponents.load(run, next(discriminator.parameters()).device)
    theirs, ours = other.network.state_dict(), discriminator.state_dict()
    if hasattr(other.network, "networks"):
        picked = bank.pick(theirs, emotions or ALL)
        theirs = {name.split(".", 2)[2]: tensor for name, tensor in picked.items()}
    place = f"networks.{emotions}." if emotions else ""
    theirs = {place + name: tensor for name, tensor in theirs.items()}
    trunk = [name for name in {**theirs, **ours} if name.startswith(place + "trunk.")]
    known = {name for name in theirs if name in ours and theirs[name].shape == ours[name].shape}
    if not trunk or not known.issuperset(trunk):
        raise ValueError(
            f"{run} has the discriminator of a {other.model} of another shape: give this one the same"
            " discriminator_width, image_size and patch, or do without --opponent."
        )
    discriminator.load_state_dict({**ours, **{name: theirs[name] for name in known}})
    return other.model


def unroll(folder: Path, described: Checkpoint, run: Path) -> None:
    """The frames and the log that a checkpoint's evolution and history were made of, as far as they tell."""
    shutil.rmtree(run / "frames", ignore_errors=True)  # of a run that has left no state
    (run / "frames").mkdir(parents=True)
    told: dict[str, Any] = {"frames": [], "curves": {}, "notes": []}
    if (folder / HISTORY).is_file():
        told = json.loads((folder / HISTORY).read_text("utf-8"))
    lines: dict[int, dict[str, Any]] = {}
    for name, points in told["curves"].items():
        for seen, value in points:
            lines.setdefault(seen, {"images_seen": seen})[name] = value
    noted = [{"images_seen": seen, "note": words, "about": "faces"} for seen, words in told["notes"]]
    log = sorted([*lines.values(), *noted], key=lambda line: line["images_seen"])
    replace_file(run / "log.jsonl", "".join(json.dumps(line) + "\n" for line in log).encode())
    if told["frames"] and (folder / EVOLUTION).is_file():
        mode = "RGB" if described.config["channels"] == 3 else "L"
        with Image.open(folder / EVOLUTION) as film:
            for page, seen in enumerate(told["frames"]):
                film.seek(page)
                grid = film.convert(mode).crop((0, 0, film.width, film.height - CAPTION))
                grid.save(history.frame(run, seen))


def begun(facts: dict[str, Any]) -> int:
    """At how many images a run began by --start; 0 where it began with nothing."""
    found = [change["images_seen"] for change in facts.get("changes", []) if "discriminator" in change]
    return found[-1] if found else 0


def alone(flags: StartFlags, facts: dict[str, Any], seen: int) -> bool:
    """Whether the discriminator still learns by itself: it is new, and has seen fewer images than --alone."""
    fresh = [
        change["images_seen"] for change in facts.get("changes", []) if change.get("discriminator") == NEW
    ]
    return bool(fresh) and seen < fresh[-1] + flags.alone
