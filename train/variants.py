"""Train the student project's six DCGANs and ours on one emotion, and print their table: `python -m train.variants --data PATH`.

The six are {upsampling then convolution, transposed convolution} x {plain, norm, norm and dropout}; each stops
after as many images, or minutes. With --resume those that are done are only measured.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from PIL import Image

from fergan import checkpoint
from fergan.checkpoint import replace_file
from fergan.emotions import index
from fergan.images import sheet
from fergan.metrics import METRICS
from train import bank, evaluate, gan, history, measure, plots, run, states

OURS = "ours"
DROPOUT = 0.25  # after each doubling; the report names the layer and no rate
_WAYS = {"upsampling": "transposed=false", "transposed": "transposed=true"}
_LAYERS = {
    "": "norm=false dropout=0",
    "-norm": "norm=true dropout=0",
    "-norm-dropout": f"norm=true dropout={DROPOUT}",
}
VARIANTS: dict[str, str] = {
    way + layers: f"{_WAYS[way]} {settings}" for way in _WAYS for layers, settings in _LAYERS.items()
}
"""The six by name, each as changes to the published config."""
SHOWN = 3
"""Faces of each variant in a row of the picture."""
HEAD = ("variant", "images seen", "FID ↓", "diversity ≈ 1", "twins ↓", "collapses at iteration", "minutes")


@dataclass(frozen=True)
class VariantsConfig(run.TrainFlags):
    """The flags of `python -m train.variants`."""

    emotion: str = field(default="happy", metadata={"help": "whose faces they draw"})
    out: str = field(default="runs/variants", metadata={"help": "folder of their runs"})
    images: int = field(
        default=80_000, metadata={"help": "stop each after so many; 80,000: 5,000 iterations"}
    )
    minutes: float = field(default=0.0, metadata={"help": "stop each after so many minutes; 0: no limit"})
    set: str = field(default="", metadata={"help": "changes to the six, as 'width=64 optimizer=adam'"})
    judge: str = field(default="weights/judge", metadata={"help": "checkpoint folder of the classifier"})
    beside: str = field(
        default="weights/dcgan",
        metadata={
            "help": "checkpoint folders, by commas, that are measured beside them and left as they are"
        },
    )
    n: int = field(default=1600, metadata={"help": "faces that each draws to be measured"})

    def __post_init__(self) -> None:
        super().__post_init__()
        index(self.emotion)
        if self.images < 1:
            raise ValueError(f"--images must be above 0, got {self.images}.")

    def training(self, name: str) -> gan.TrainConfig:
        """The flags of `python -m train.gan` that train one of them."""
        shared = {flag.name: getattr(self, flag.name) for flag in dataclasses.fields(run.TrainFlags)}
        folder = self.folder / name
        own = {
            "out": str(folder),
            "set": "" if name == OURS else f"{VARIANTS[name]} {self.set}",
            "resume": self.resume and (folder / states.FILE).is_file(),
        }
        preset = "fixed" if name == OURS else "published"
        return gan.TrainConfig(**shared | own, model="dcgan", preset=preset, emotion=self.emotion)

    def evaluation(self) -> evaluate.EvaluateConfig:
        """How they are measured."""
        return evaluate.EvaluateConfig(
            (str(self.folder),), self.data, self.judge, emotion=self.emotion, n=self.n, cpu=self.cpu
        )


def row(bench: evaluate.Evaluation, place: Path) -> list[str]:
    """A line of the table: of the last checkpoint of a run, which gets its numbers written into it."""
    folder = bank.last(place)
    found, described = bench.model(folder), checkpoint.describe(folder)
    training, twins = described.training, history.read(place)["curves"].get("twins")
    collapsed = training["collapsed_at"]
    return [
        place.name,
        f"{described.images_seen:,}",
        *(METRICS[name].show(found[name]) if name in found else "" for name in ("fid", "diversity")),
        f"{twins[-1][1]:.0%}" if twins else "",
        f"{collapsed // training['batch']:,}" if collapsed else "none",
        str(training["minutes"]),
    ]


def row_of_another(bench: evaluate.Evaluation, folder: str) -> list[str]:
    """A line of the table: of a checkpoint that has learnt elsewhere, of other emotions too."""
    described, _, fake = bench.drawn(Path(folder))
    found = measure.overall(fake, bench.test, bench.training)
    numbers = [METRICS[name].show(found[name]) for name in ("fid", "diversity")]
    return [
        folder,
        f"{described.images_seen:,}",
        *numbers,
        "",
        "",
        str(described.training.get("minutes", "")),
    ]


def picture(runs: Mapping[str, Path]) -> Image.Image:
    """Runs by name -> their evolution: a row for each count of images that all drew at, SHOWN faces of each run.

    Where they stopped apart, a row more shows the last that each drew. A column is one seed from top to bottom.
    The six begin with the same noise; ours has longer rows of it.
    """
    places = list(runs.values())
    rows = {f"{seen:,}": [seen] * len(places) for seen in bank.pages(places)}
    last = [history.frames(place)[-1] for place in places]
    if len(set(last)) > 1:
        rows["its last"] = last
    faces = [
        bank.first_column(place, seen)[:SHOWN]
        for row in rows.values()
        for place, seen in zip(places, row, strict=True)
    ]
    return plots.framed(sheet(np.concatenate(faces), columns=SHOWN * len(runs)), list(runs), list(rows))


def train(config: VariantsConfig, accelerator: Accelerator) -> str:
    """Trains them one after the other, measures them, draws evolution.png, and returns the table as Markdown.

    Raises:
        FileNotFoundError, ValueError, OSError: what cannot be read, trained or measured, in a sentence.
    """
    if accelerator.num_processes > 1:
        raise ValueError("train.variants runs as one process: start it without a launcher.")
    with run.exact():
        bench = evaluate.Evaluation(config.evaluation())  # first: it refuses in seconds
    others = [folder for folder in config.beside.split(",") if folder]
    for folder in others:
        checkpoint.verify(Path(folder))
    runs = {name: config.folder / name for name in [*VARIANTS, OURS]}
    for name in runs:
        session = gan.sit(config.training(name), accelerator)
        accelerator.print(f"{name}: {session.sentence}")
        if session.stopper.signal:
            return "Stopped by a signal before all were trained; go on with --resume."
    with run.exact():
        lines = [list(HEAD), ["---"] * len(HEAD), *(row(bench, place) for place in runs.values())]
        lines += [row_of_another(bench, folder) for folder in others]
        floors = bench.floors()
    for title, found in floors.items():
        lines.append(
            [title, "", *(METRICS[name].show(found[name]) for name in ("fid", "diversity")), "", "", ""]
        )
    replace_file(config.folder / "evolution.png", evaluate.png(picture(runs)))
    command = run.command("train.variants", config, without=("resume", "save_minutes"))
    return "\n\n".join(
        [
            "\n".join("| " + " | ".join(line) + " |" for line in lines),
            f"{config.n:,} drawn faces of each (seeds 0 to {config.n - 1}) against {len(bench.test):,} test faces that"
            f" are {config.emotion}, in the judge's features; twins within a batch of training: `{command}`",
            f"Side by side, images seen from top to bottom: {config.folder / 'evolution.png'}",
        ]
    )


def main() -> None:
    """The command line."""
    run.launch(VariantsConfig, (__doc__ or "").splitlines()[0], train)


if __name__ == "__main__":
    main()
