"""Measure generators against real faces: `python -m train.evaluate weights/acgan`, or `--all` for the README's table.

Every model draws N faces, seeds 0 to N - 1, rounded to 8 bits, in the emotions of the test faces; one that learnt from
votes as well draws them once more, asked so. Test faces are both tests of FER2013 without those that stand in Training.
The floor says how far real faces are from each other.
"""

import dataclasses
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from fergan import checkpoint, data, metrics
from fergan.card import PICTURES, write_card
from fergan.emotions import EMOTIONS, index, one_hot
from fergan.metrics import METRICS
from fergan.models import PUBLISHED, preset
from train import features, measure, plots, run
from train.features import Faces
from train.record import grid
from train.report import draw_confusion

FEWEST = 14  # faces: two an emotion, and more than the neighbours that prdc looks at
SHOWN = 16  # faces beside their nearest training faces
ROOT, RUNS = Path("weights"), Path("runs")
ARROWS = {"lower": " ↓", "higher": " ↑", "one": " ≈ 1", "": ""}


@dataclass(frozen=True)
class EvaluateConfig:
    """The words and flags of `python -m train.evaluate`."""

    checkpoints: tuple[str, ...] = field(default=(), metadata={"help": "checkpoint folders to measure"})
    data: str = field(
        default="fer2013", metadata={"help": "FER2013: the CSV, the image folders or the packed form"}
    )
    judge: str = field(default="weights/judge", metadata={"help": "checkpoint folder of the classifier"})
    inception: str = field(
        default="", metadata={"help": "Inception v3's weights, TorchScript or torchvision's"}
    )
    emotion: str = field(
        default="", metadata={"help": "this emotion's faces alone, as for a dcgan of one; empty: all"}
    )
    n: int = field(default=7178, metadata={"help": "faces that each model draws"})
    cas: int = field(
        default=0, metadata={"help": "epochs of a classifier that learns from drawn faces, 20 say; 0: none"}
    )
    all: bool = field(default=False, metadata={"help": "every generator in weights/, and the published ones"})
    write: bool = field(default=True, metadata={"help": "write numbers, card and pictures into each folder"})
    cpu: bool = field(default=False, metadata={"help": "the CPU even where there is a GPU"})

    def __post_init__(self) -> None:
        if not self.checkpoints and not self.all:
            raise ValueError("Name a checkpoint folder, or measure them all with --all.")
        if self.n < FEWEST or self.cas < 0:
            raise ValueError(f"--n is {FEWEST} or more and --cas at least 0; got {self.n}, {self.cas}.")
        if self.emotion:
            index(self.emotion)

    def command(self, *folders: str) -> str:
        """The command line that measures these folders as this one does."""
        return run.command("train.evaluate", self, *folders, without=("all", "write"))


class Evaluation:
    """The real faces, read once, and the measures of drawn ones against them."""

    def __init__(self, config: EvaluateConfig) -> None:
        """Reads test and Training faces.

        Raises:
            FileNotFoundError, ValueError: no judge, no data, or what does not fit, in a sentence.
        """
        self.config = config
        self.device = torch.device("cuda" if torch.cuda.is_available() and not config.cpu else "cpu")
        judge, self.judge = features.judge(Path(config.judge), self.device)
        self.readers, self.inception = {"judge": judge}, "give its weights with --inception PATH."
        try:
            if config.inception:
                self.readers["inception"] = features.inception(Path(config.inception), self.device)
        except (OSError, ValueError) as error:
            self.inception = str(error)
        size = self.judge.build_config()
        faces = data.load(config.data, size=size.image_size, channels=size.channels)
        if config.emotion:
            faces = faces.subset(faces.labels == index(config.emotion))
        self.tests, training = [faces.split(name) for name in data.SPLITS[1:]], faces.split("Training")
        images, labels = (torch.cat([getattr(t, part) for t in self.tests]) for part in ("images", "labels"))
        if min(len(labels), len(training)) < FEWEST:
            raise ValueError(
                f"{config.data} has {len(training)} training and {len(labels)} test faces"
                f"{f' that are {config.emotion}' if config.emotion else ''}; at least {FEWEST} of each are due."
            )
        mixed = measure.shuffled(len(labels))  # so that any first rows are a fair sample
        self.fingerprint = faces.fingerprint
        self.test = self.look(images[mixed], labels[mixed], "test faces", keep=True)
        if not bool(self.test.features.std(0).any()):
            raise ValueError(f"{config.judge} gives every face the same features: it cannot judge.")
        read = {
            "judge": judge.read(training.images, "training faces", keep=True)
        }  # Inception would take hours
        self.training = Faces(training.images, training.labels, read)

    def look(self, images: Tensor, labels: Tensor, what: str, *, keep: bool = False) -> Faces:
        """What every reader says of faces."""
        readings = {name: reader.read(images, what, keep=keep) for name, reader in self.readers.items()}
        return Faces(images, labels, readings)

    def drawn(self, folder: Path) -> tuple[checkpoint.Checkpoint, nn.Module, Faces]:
        """A generator and the N faces that it draws.

        Raises:
            ValueError: a broken checkpoint, or one whose faces cannot be measured.
        """
        described, network = checkpoint.load(folder)
        config, due = described.build_config(), tuple(self.test.images.shape[1:])
        if (came := (config.channels, config.image_size, config.image_size)) != due:
            raise ValueError(f"{folder} draws faces of the shape {came}; the judge reads {due}.")
        labels = measure.asked(self.test.labels.bincount(minlength=len(EMOTIONS)), self.config.n)
        try:
            images = measure.draw(network.to(self.device), config.noise_dim, one_hot(labels), self.device)
        except FloatingPointError as error:
            raise ValueError(f"{folder}: {error}") from error
        return described, network, self.look(images, labels, folder.name)

    def as_learnt(
        self, described: checkpoint.Checkpoint, network: nn.Module, fake: Faces
    ) -> dict[str, float]:
        """FID of faces that are asked for what the network learnt from; `fake` are asked for pure emotions."""
        kind, judge = described.training.get("conditions", "onehot"), self.readers["judge"]
        seen = fake.features
        if kind != "onehot" and all(part.votes is not None for part in self.tests):
            rows = measure.as_learnt(self.tests, kind, self.config.n)
            images = measure.draw(network, described.build_config().noise_dim, rows, self.device)
            seen = judge.read(images, "the same, asked as learnt")["features"]
        return {"fid_learnt": metrics.frechet_distance(self.test.features, seen)}

    @property
    def heads(self) -> list[str]:
        """What stands above the columns of a grid: of one emotion it has as many seeds."""
        return [self.config.emotion] * len(EMOTIONS) if self.config.emotion else list(EMOTIONS)

    def cas(self, faces: Faces) -> dict[str, float]:
        """What a classifier learns from these faces, where it is asked for."""
        if not self.config.cas:
            return {}
        score = measure.classification_accuracy(self.judge, faces, self.test, self.config.cas, self.device)
        return {"cas": score}

    def model(self, folder: Path) -> dict[str, Any]:
        """Measures a generator and, unless told not to, writes what it found into the folder."""
        described, network, fake = self.drawn(folder)
        judge = self.readers["judge"]
        numbers = measure.overall(fake, self.test, self.training) | self.cas(fake)
        numbers |= self.as_learnt(described, network, fake)
        found = {
            **_rounded(numbers),
            "emotions": _rounded(measure.by_emotion(self.test, fake)),
            "confusion": metrics.confusion(fake.predicted, fake.labels).tolist(),
            "n": self.config.n,
            "n_real": len(self.test),
            "seeds": f"0 to {self.config.n - 1}",
            "judge": f"{judge.name} {judge.sha256[:12]}",
            "evaluation_data": self.fingerprint,
            "command": self.config.command(str(folder)),
        }
        if self.config.write:
            noise_dim = described.build_config().noise_dim
            pictures = {
                "samples.png": png(plots.framed(grid(network, noise_dim, self.device), self.heads)),
                "confusion.png": draw_confusion(found["confusion"], "asked for"),
                "neighbours.png": png(self.neighbours(fake)),
            }
            write(folder, dataclasses.replace(described, metrics=found), pictures)
        return found

    def neighbours(self, fake: Faces) -> Image.Image:
        """The first drawn faces beside their nearest training faces."""
        few, training = fake.rows(slice(0, SHOWN)), self.training
        _, by_features = metrics.nearest(few.features, training.features)
        _, by_pixels = metrics.nearest(few.pixels, training.pixels)
        return plots.neighbours(few.images, training.images[by_features], training.images[by_pixels])

    def floors(self) -> dict[str, dict[str, Any]]:
        """Real faces measured as if they were drawn: the best that a generator can be expected to reach.

        The judge learnt from Training and knows its faces; hence also two halves of the test, though fewer
        faces make FID larger.
        """
        half, n = len(self.test) // 2, min(self.config.n, len(self.training))
        training = self.training.rows(measure.shuffled(len(self.training))[:n])
        for name in self.readers.keys() - training.readings.keys():
            training.readings[name] = self.readers[name].read(training.images, "training faces", keep=True)
        one, other = self.test.rows(slice(0, half)), self.test.rows(slice(half, None))
        found = {
            "floor: training faces": measure.distances(self.test, training) | self.cas(training) | {"n": n},
            "floor: half of the test against half": measure.distances(other, one) | {"n": half},
        }
        accuracy = metrics.accuracy(self.test.predicted, self.test.labels)
        return {name: row | {"accuracy_real": accuracy} for name, row in found.items()}


def _rounded(value: Any) -> Any:
    """Floats to six digits, in dicts too; JSON and a table need no more."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value


def png(picture: Image.Image) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def write(folder: Path, described: checkpoint.Checkpoint, pictures: dict[str, bytes]) -> None:
    """The metrics into config.json, the card anew, the pictures beside them; the weights stay as they are.

    Raises:
        OSError: the folder cannot be written.
    """
    for name, picture in pictures.items():
        checkpoint.replace_file(folder / name, picture)
    there = [name for name in PICTURES if (folder / name).is_file()]
    checkpoint.replace_file(folder / "README.md", write_card(described, there).encode())
    config = json.loads((folder / checkpoint.CONFIG).read_text("utf-8"))
    config["metrics"] = described.metrics
    checkpoint.replace_file(folder / checkpoint.CONFIG, (json.dumps(config, indent=2) + "\n").encode())


def is_generator(folder: Path) -> bool:
    """Whether the checkpoint there draws faces from noise, which is what is measured here."""
    described = checkpoint.describe(folder)
    return preset(described.model, described.preset).kind == "generator"


def everything() -> list[Path]:
    """Every generator in weights/, and of runs/ the last published ones, but for those that weights/ holds.

    Raises:
        ValueError: there is none, or a broken checkpoint.
    """
    runs = [sorted(folder.glob(f"checkpoints/*/{checkpoint.CONFIG}")) for folder in sorted(RUNS.glob("*"))]
    lasts = [configs[-1].parent for configs in runs if configs]
    ours = sorted(path.parent for path in ROOT.glob(f"*/{checkpoint.CONFIG}"))
    shipped = {checkpoint.fingerprint(folder) for folder in ours}
    published = [
        folder
        for folder in lasts
        if checkpoint.describe(folder).preset in PUBLISHED and checkpoint.fingerprint(folder) not in shipped
    ]
    if not (found := [folder for folder in ours + published if is_generator(folder)]):
        raise ValueError(f"There is no generator in {ROOT}/: train one with `python -m train.gan`.")
    return found


def table(rows: dict[str, dict[str, Any]], kind: str = "faces") -> str:
    """Markdown: a row for each set, a column for each metric that any of them has."""
    columns = [name for name in METRICS if any(name in row for row in rows.values())]
    heads = [f"{METRICS[name].title}{ARROWS[METRICS[name].better]}" for name in columns]
    lines = [[kind, *heads], ["---"] * (len(columns) + 1)]
    for title, row in rows.items():
        lines.append([title, *(METRICS[c].show(row[c]) if c in row else "" for c in columns)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def evaluate(config: EvaluateConfig) -> str:
    """Measures what the config names, writes it, and returns the tables as Markdown.

    Raises:
        FileNotFoundError, ValueError, OSError: what cannot be read, measured or written, in a sentence.
    """
    folders = [Path(name) for name in config.checkpoints] + (everything() if config.all else [])
    for folder in folders:
        if not is_generator(folder):
            raise ValueError(f"{folder} draws no faces from noise: train.evaluate measures generators.")
    bench = Evaluation(config)
    models = {str(folder): bench.model(folder) for folder in tqdm(folders, unit="model")}
    text = [table(models | bench.floors())]
    if not config.all:
        text += [f"{name}:\n\n{table(found['emotions'], 'emotion')}" for name, found in models.items()]
    judge = bench.readers["judge"]
    text.append(
        f"{config.n:,} drawn faces (seeds 0 to {config.n - 1}) against {len(bench.test):,} test faces (both tests"
        f" without faces that stand in Training{f', {config.emotion} alone' if config.emotion else ''}), data {bench.fingerprint}, judge {judge.name}"
        f" {judge.sha256[:12]}: `{config.command(*config.checkpoints, *['--all'] * config.all)}`"
    )
    if "inception" not in bench.readers:
        text.append(f"Without Inception: {bench.inception}")
    return "\n\n".join(text)


def main() -> None:
    """The command line."""
    run.measure(EvaluateConfig, (__doc__ or "").splitlines()[0], evaluate, "Nothing was measured")


if __name__ == "__main__":
    main()
