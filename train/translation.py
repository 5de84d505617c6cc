"""Measure translators: `python -m train.translation weights/stargan`.

`--n` faces of PrivateTest, of those that do not stand in Training, are translated to every emotion but its own. The judge,
which is in no loss, says what it sees then; the yardstick says whether it is still the same face.
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from fergan import checkpoint, data, metrics
from fergan.augment import vary_faces
from fergan.emotions import EMOTIONS, one_hot
from fergan.images import sheet, to_array, to_model, to_pixels
from fergan.models import preset, stargan
from fergan.models.classifier import Classifier
from train import features, measure, run
from train.evaluate import png, table, write
from train.report import draw_confusion

BATCH = 128
STEPS = 6  # intensities, from 0 to 1, at which the emotion should rise
SHOWN = 8  # faces of the picture


@dataclass(frozen=True)
class TranslationConfig:
    """The words and flags of `python -m train.translation`."""

    checkpoints: tuple[str, ...] = field(default=(), metadata={"help": "checkpoint folders of translators"})
    data: str = field(
        default="fer2013", metadata={"help": "FER2013: the CSV, the image folders or the packed form"}
    )
    judge: str = field(default="weights/judge", metadata={"help": "classifier that reads what comes out"})
    teacher: str = field(
        default="weights/teacher", metadata={"help": "classifier that reads what goes in; empty: its label"}
    )
    yardstick: str = field(
        default="weights/identity", metadata={"help": "embedder that tells faces apart; best one in no loss"}
    )
    n: int = field(default=1000, metadata={"help": "faces that are translated, six times each"})
    write: bool = field(default=True, metadata={"help": "write numbers, card and pictures into each folder"})
    cpu: bool = field(default=False, metadata={"help": "the CPU even where there is a GPU"})

    def __post_init__(self) -> None:
        if not self.checkpoints or self.n < 2:
            raise ValueError(f"Name a checkpoint folder, and 2 faces or more; got --n {self.n}.")


class Bench:
    """The faces, read once, and the networks that say what became of them."""

    def __init__(self, config: TranslationConfig) -> None:
        """Reads data and networks.

        Raises:
            FileNotFoundError, ValueError: one that is not there or does not fit, in a sentence.
        """
        self.config = config
        self.device = torch.device("cuda" if torch.cuda.is_available() and not config.cpu else "cpu")
        self.reader, described = features.judge(Path(config.judge), self.device)
        size = described.build_config()
        self.shape = size.image_size, size.channels
        self.judge = self._network(config.judge, "classifier")
        self.yardstick = self._network(config.yardstick, "embedder")
        teacher = self._network(config.teacher, "classifier") if config.teacher else None
        faces = data.load(config.data, size=size.image_size, channels=size.channels)
        # PublicTest chose the guide's epoch, and what a StarGAN hears of it
        tests = faces.split("PrivateTest")
        few = measure.shuffled(len(tests))[: config.n]
        self.fingerprint, self.images, self.labels = faces.fingerprint, tests.images[few], tests.labels[few]
        self.training = faces.split("Training")
        self.source = one_hot(self.labels)
        with torch.inference_mode():
            if teacher is not None:
                read = [teacher(to_model(part).to(self.device)).softmax(1).cpu() for part in self._parts()]
                self.source = torch.cat(read)
            self.before, self.itself, self.others = self._likeness()
            self.seen = self.features(self.images)

    def _network(self, folder: str, kind: str) -> nn.Module:
        described, network = checkpoint.load(Path(folder))
        if (found := preset(described.model, described.preset).kind) != kind:
            raise ValueError(f"{folder} holds a network of the kind {found}; {kind} is due.")
        self._fits(folder, described)
        return network.to(self.device)

    def _fits(self, folder: object, described: checkpoint.Checkpoint) -> None:
        own, (size, channels) = described.build_config(), self.shape
        if (own.image_size, own.channels) != self.shape:
            raise ValueError(
                f"{folder} is for {own.channels} x {own.image_size}; the judge's faces are {channels} x {size}."
            )

    def _parts(self) -> tuple[Tensor, ...]:
        return self.images.split(BATCH)

    def _likeness(self) -> tuple[Tensor, float, float]:
        """The faces' rows [N, F]; how like a face is to itself in another light and place, and to another."""
        rng = torch.Generator().manual_seed(0)
        rows = [self.yardstick(to_model(part).to(self.device)).cpu() for part in self._parts()]
        varied = [
            self.yardstick(vary_faces(to_model(part), rng, strength=0.3, erase=0.0).to(self.device)).cpu()
            for part in self._parts()
        ]
        before, again = torch.cat(rows), torch.cat(varied)
        return (
            before,
            float((before * again).sum(1).mean()),
            float((before * before.roll(1, 0)).sum(1).mean()),
        )

    @torch.inference_mode()
    def translated(self, network: nn.Module, target: Tensor, intensity: float) -> Tensor:
        """Every face towards a target, [N, 7], uint8 [N, C, H, W]."""
        return self._led(network, self.images, self.source, target, intensity)

    def _led(
        self, network: nn.Module, images: Tensor, source: Tensor, target: Tensor, intensity: float
    ) -> Tensor:
        parts = []
        for some, *rows in zip(*(each.split(BATCH) for each in (images, source, target)), strict=True):
            amount = torch.full((len(some),), intensity, device=self.device)
            start, end = (row.to(self.device) for row in rows)
            parts.append(to_pixels(network(to_model(some).to(self.device), start, end, amount)).cpu())
        return torch.cat(parts)

    @torch.inference_mode()
    def returned(self, network: nn.Module, faces: Tensor, target: Tensor) -> Tensor:
        """How far faces that were led to a target, [N, 7], are from themselves once they are led back, [N]."""
        back = self._led(network, faces, target, self.source, 1.0)
        return (back.float() - self.images.float()).abs().mean((1, 2, 3))

    @torch.inference_mode()
    def spilled(self, network: stargan.Generator, faces: Tensor, target: Tensor) -> Tensor:
        """How much faces changed where the mask covers less than a tenth, mean of 255 levels, [N]."""
        found = []
        each = (part.split(BATCH) for part in (self.images, faces, self.source, target))
        for some, drawn, start, end in zip(*each, strict=True):
            whole = torch.ones(len(some), device=self.device)
            face = to_model(some).to(self.device)
            mask = network.change(face, start.to(self.device), end.to(self.device), whole).mask
            bare = (mask.cpu() < 0.1).float()
            apart = (drawn.float() - some.float()).abs().mean(dim=1, keepdim=True)
            found.append((apart * bare).sum((1, 2, 3)) / bare.sum((1, 2, 3)).clamp(min=1))
        return torch.cat(found)

    @torch.inference_mode()
    def read(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """The judge's probabilities [N, 7], and the yardstick's rows [N, F]."""
        assert isinstance(self.judge, Classifier)
        images = [to_model(part).to(self.device) for part in faces.split(BATCH)]
        read = torch.cat([self.judge(part).softmax(1).cpu() for part in images])
        return read, torch.cat([self.yardstick(part).cpu() for part in images])

    def model(self, folder: Path) -> dict[str, Any]:
        """Measures a translator and, unless told not to, writes what it found into the folder.

        Raises:
            ValueError: a broken checkpoint, or no translator of such faces.
        """
        described, network = checkpoint.load(folder)
        if preset(described.model, described.preset).kind != "translator":
            raise ValueError(f"{folder} is no translator: train.translation measures those.")
        self._fits(folder, described)
        network.to(self.device)
        counts = torch.zeros(7, 7, dtype=torch.long)
        likeness, changed, rising = [], [], []
        returned, spilled = [], []
        per: dict[str, dict[str, float]] = {}
        for label, name in enumerate(tqdm(EMOTIONS, desc=folder.name, unit="emotion", leave=False)):
            target, rows = one_hot(torch.full((len(self.labels),), label)), self.labels != label
            faces = self.translated(network, target, 1.0)
            read, after = self.read(faces)
            predicted = read.argmax(1)[rows]
            counts += metrics.confusion(predicted, torch.full_like(predicted, label))
            alike = (self.before * after).sum(1)[rows]
            likeness.append(alike)
            changed.append((faces.float() - self.images.float()).abs().mean((1, 2, 3))[rows])
            rising.append(self.rise(network, target, label, read)[rows])
            returned.append(self.returned(network, faces, target)[rows])
            if isinstance(network, stargan.Generator):
                spilled.append(self.spilled(network, faces, target)[rows])
            near = self.shown(label)
            per[name] = {
                "n": int(rows.sum()),
                "target_read": float((predicted == label).double().mean()),
                "identity": float(alike.mean()) / self.itself,
                "rising": float(rising[-1].mean()),
                "changed": float(changed[-1].mean()),
                "cycle": float(returned[-1].mean()),
                "kid": metrics.kernel_distance(near, self.features(faces[rows])),
                "kid_before": metrics.kernel_distance(near, self.seen[rows]),
            }
        still = self.translated(network, one_hot((self.labels + 1) % 7), 0.0)
        confusion: list[list[int]] = counts.tolist()
        found = {
            "target_read": float(counts.diagonal().sum() / counts.sum()),
            "identity": float(torch.cat(likeness).mean()) / self.itself,
            "identity_other": self.others / self.itself,
            "rising": float(torch.cat(rising).mean()),
            "exact": float((still == self.images).flatten(1).all(1).double().mean()),
            "changed": float(torch.cat(changed).mean()),
            "cycle": float(torch.cat(returned).mean()),
            "emotions": per,
            "confusion": confusion,
            "n": len(self.labels),
            "seeds": "none: every face is translated",
            "judge": f"{self.reader.name} {self.reader.sha256[:12]}",
            "evaluation_data": self.fingerprint,
            "command": run.command("train.translation", self.config, str(folder), without=("write",)),
        }
        if spilled:
            found["outside"] = float(torch.cat(spilled).mean())
        if self.config.write:
            pictures = {
                "confusion.png": draw_confusion(confusion, "asked for"),
                "translated.png": png(self.picture(network)),
            }
            write(folder, dataclasses.replace(described, metrics=found), pictures)
        return found

    def rise(self, network: nn.Module, target: Tensor, label: int, last: Tensor) -> Tensor:
        """Rank correlation of intensity and the judge's p(target), for each face, [N]."""
        steps = torch.linspace(0, 1, STEPS)
        seen = [self.read(self.translated(network, target, float(step)))[0][:, label] for step in steps[:-1]]
        return metrics.rank_correlation(
            steps.expand(len(target), -1), torch.stack([*seen, last[:, label]], dim=1)
        )

    def features(self, faces: Tensor) -> Tensor:
        """What the judge reads emotions from, [N, F]."""
        return self.reader.read(faces, "faces")["features"]

    def shown(self, label: int) -> Tensor:
        """Features of faces of Training that show an emotion, as many as are translated, where there are."""
        images = self.training.images[self.training.labels == label]
        few = images[measure.shuffled(len(images))[: len(self.images)]]
        return self.reader.read(few, EMOTIONS[label], keep=True)["features"]

    @torch.inference_mode()
    def picture(self, network: nn.Module) -> Any:
        """A few faces, each before and in all seven emotions. They are real: for the eye, not for the Hub."""
        few, eye = slice(0, SHOWN), torch.eye(len(EMOTIONS))
        rows = []
        for image, source in zip(self.images[few].split(1), self.source[few].split(1), strict=True):
            face = to_model(image).to(self.device)
            seven, whole = face.expand(7, -1, -1, -1), torch.ones(7, device=self.device)
            told = source.to(self.device).expand(7, -1)
            rows += [face, network(seven, told, eye.to(self.device), whole)]
        return sheet(to_array(torch.cat(rows)), columns=len(EMOTIONS) + 1).resize(
            (2 * (50 * 8 - 2), 2 * (50 * SHOWN - 2))
        )


def evaluate(config: TranslationConfig) -> str:
    """Measures what the config names, writes it, and returns the tables as Markdown.

    Raises:
        FileNotFoundError, ValueError, OSError: what cannot be read, measured or written, in a sentence.
    """
    bench = Bench(config)
    models = {name: bench.model(Path(name)) for name in config.checkpoints}
    text = [table(models, "translator")]
    text += [f"{name}:\n\n{table(found['emotions'], 'to')}" for name, found in models.items()]
    text.append(
        f"{len(bench.labels):,} faces of PrivateTest to each emotion but their own, data {bench.fingerprint}, judge"
        f" {bench.reader.name} {bench.reader.sha256[:12]}; a face's likeness to another one is"
        f" {bench.others / bench.itself:.1%} of its likeness to itself (cosine {bench.itself:.3f}):"
        f" `{run.command('train.translation', config, *config.checkpoints, without=('write',))}`"
    )
    return "\n\n".join(text)


def main() -> None:
    """The command line."""
    run.measure(TranslationConfig, (__doc__ or "").splitlines()[0], evaluate, "Nothing was measured")


if __name__ == "__main__":
    main()
