"""The table of classifiers, from what their trainings left behind: `python -m train.table runs/* weights/judge`."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from fergan import checkpoint, data
from fergan.emotions import EMOTIONS, index
from fergan.images import to_model
from fergan.models import MODELS
from train import run, transfer
from train.features import BATCH
from train.report import REPORT

HEAD = (
    "classifier",
    "emotions",
    "parameters",
    "PrivateTest",
    "without faces of Training",
    "calibration error",
    "epoch",
    "minutes",
)
PUBLISHED = (
    # network, accuracy: as the student project's notebook prints it, on four emotions
    ("M1", "65.6 % of 128 test faces"),
    ("M2", "59.2 % in 10 folds of Training"),
    ("M3", "62.4 % in 10 folds of Training"),
    ("M4", "62.2 % in 10 folds of Training"),
    ("M5", "63.2 % in 10 folds of Training"),
)


@dataclass(frozen=True)
class TableConfig:
    """The words of `python -m train.table`."""

    folders: tuple[str, ...] = field(
        default=(), metadata={"help": "runs of train.classifier, or checkpoints of classifiers"}
    )

    data: str = field(
        default="",
        metadata={"help": "FER2013: adds what each reads of the faces of --among; empty: does not"},
    )
    among: str = field(
        default="happy,neutral,sad,surprise",
        metadata={"help": "emotions of which all are to choose then: the students' four"},
    )

    def __post_init__(self) -> None:
        if not self.folders:
            raise ValueError("Name at least one folder of a run or of a checkpoint.")
        if len(self.labels) < 2:
            raise ValueError(f"--among needs two emotions or more; got {self.among!r}.")

    @property
    def labels(self) -> list[int]:
        """FER2013 labels of `among`, rising."""
        return sorted({index(name) for name in self.among.split(",")})


def facts(folder: Path) -> dict[str, Any] | None:
    """What a run's report or a classifier's checkpoint says; None where the folder holds neither.

    Raises:
        ValueError: a broken file.
    """
    for name in (REPORT, checkpoint.CONFIG):
        if (path := folder / name).is_file():
            try:
                found: dict[str, Any] = json.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise ValueError(f"{path} is no JSON: {error}.") from error
            return found if found.get("model") == "classifier" else None
    return None


def parameters(preset: str, config: dict[str, Any]) -> str:
    """Parameters that learn, of networks of MODELS; of torchvision's nothing, as building them needs weights."""
    if preset in transfer.NETWORKS:
        return ""
    networks = MODELS["classifier"][preset]
    network = networks.network(networks.config(**config))
    return f"{sum(parameter.numel() for parameter in network.parameters()):,}"


def row(folder: Path, found: dict[str, Any]) -> list[str]:
    """A line of the table, but for the command."""
    metrics, known = found["metrics"], found["config"]["emotions"].split(",")
    private, clean = (metrics.get(name, {}) for name in ("private", "private_clean"))
    many = "all seven" if len(known) == len(EMOTIONS) else ", ".join(known)
    return [
        folder.name,
        many,
        parameters(found["preset"], found["config"]),
        f"{private['accuracy']:.1%}" if private else "",
        f"{clean['accuracy']:.1%}" if clean else "",
        f"{private['ece']:.1%}" if private else "",
        str(metrics.get("epoch", "")),
        str(found["training"].get("minutes", "")),
    ]


@torch.inference_mode()
def among(folder: Path, place: str, labels: list[int]) -> str:
    """How many of PrivateTest's faces of these labels a network reads right where it may answer with these alone.

    Networks that know more emotions than others are compared so; empty where a run left no checkpoint.

    Raises:
        FileNotFoundError, ValueError: a broken checkpoint, no such data, or none of these faces in it.
    """
    kept = [path for path in (folder, folder / "checkpoint") if (path / checkpoint.CONFIG).is_file()]
    if not kept:
        return ""
    described, network = checkpoint.load(kept[0])
    config = described.build_config()
    faces = data.load(Path(place), size=config.image_size, channels=config.channels)
    faces = faces.split("PrivateTest", clean=False)
    faces = faces.subset(torch.isin(faces.labels, torch.tensor(labels)))
    if not len(faces):
        raise ValueError(
            f"{place} has no face of {', '.join(EMOTIONS[label] for label in labels)} in PrivateTest."
        )
    logits = torch.cat([network(to_model(images)) for images in faces.images.split(BATCH)])
    answers = torch.tensor(labels)[logits[:, labels].argmax(dim=1)]
    return f"{(answers == faces.labels).double().mean().item():.1%}"


def folds(folder: Path) -> str | None:
    """One line for a cross-validation, where the folder holds one."""
    path = folder / "folds.json"
    if not path.is_file():
        return None
    told = json.loads(path.read_text("utf-8"))
    return f"{folder.name}: {len(told['accuracy'])} folds, {told['mean']:.1%} ± {told['deviation']:.1%}"


def table(config: TableConfig) -> str:
    """Markdown: the table, the commands under it, what cross-validation found, and the published figures.

    Raises:
        ValueError: no folder holds a classifier.
    """
    lines, commands, crossed, head = [], [], [], list(HEAD)
    if config.data:
        head.append("PrivateTest among " + ", ".join(EMOTIONS[label] for label in config.labels))
    for folder in map(Path, config.folders):
        if found := facts(folder):
            lines.append(row(folder, found))
            if config.data:
                lines[-1].append(among(folder, config.data, config.labels))
            if line := found["training"].get("command"):
                commands.append(f"- {folder.name}: `{line}`")
        if told := folds(folder):
            crossed.append(f"- {told}")
    if not lines and not crossed:
        raise ValueError(f"None of {', '.join(config.folders)} holds a trained classifier.")
    marks = ["---", "---"] + ["---:"] * (len(head) - 2)
    text = ["\n".join("| " + " | ".join(line) + " |" for line in [head, marks, *lines])]
    text += ["\n".join(part) for part in (commands, crossed) if part]
    published = "\n".join(f"| {name} | {value} |" for name, value in PUBLISHED)
    text.append(f"| published, four emotions | accuracy |\n| --- | --- |\n{published}")
    return "\n\n".join(text)


def main() -> None:
    """The command line."""
    run.measure(TableConfig, (__doc__ or "").splitlines()[0], table, "No table")


if __name__ == "__main__":
    main()
