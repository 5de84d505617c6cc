"""How each classifier is trained: the judge's recipe, the students', and fine-tuning."""

import math
from dataclasses import dataclass, replace

from train import run

TARGETS = ("onehot", "votes", "mix")
"""Those of fergan.data.CONDITIONS that are one row a face."""


@dataclass(frozen=True)
class ClassifierRecipe:
    """Everything of a training that is neither the network nor the run.

    The defaults are those of the best published ResNet-18 (LetheSec), made for hundreds of epochs.
    """

    epochs: int = 100
    batch: int = 128
    """Faces of a step, of all processes together."""
    optimizer: str = "sgd"
    """sgd (Nesterov momentum 0.9) or adamw."""
    learning_rate: float = 0.1
    """Where the cosine begins, after a warm-up."""
    weight_decay: float = 1e-4
    smoothing: float = 0.1
    """Share of the target spread over all emotions (Szegedy et al. 2016, section 7)."""
    mixup: float = 1.0
    """Share of faces blended with another."""
    targets: str = "onehot"
    """onehot, votes or mix (see fergan.data.conditions)."""
    balance: float = 0.0
    """Each face counts by how rare what it should be read as is: by frequency to minus this power. 0 counts all faces
    alike, 1 all emotions."""
    flip: bool = True
    augment: float = 1.0
    """Strength of fergan.augment.vary_faces; 0 is none."""
    erase: float = 0.5
    """Share of faces that lose a rectangle."""
    ema_images: int = 0
    """Half-life of the average of the weights that is tested and kept, in images; 0 is no average."""
    patience: int = 0
    """Epochs without a better PublicTest accuracy after which to stop; 0 never stops early."""
    min_delta: float = 0.0
    """By how much an epoch must be better to count, as a share of the faces."""
    frozen_epochs: int = 0
    """Epochs in which the head alone learns."""
    radius: float = 0.0
    """How far each face is moved against the network before it learns from it: an L2 norm, of pixels in [-1, 1].
    What then changes an answer is what people see, too (Tsipras et al. 2019)."""
    born_again: float = 0.0
    """Share of the target that is what the network of --start reads in a face and its mirror image: labels err, and who
    has met them all has an idea where (Furlanello et al. 2018, arXiv 1805.04770)."""
    unfrozen_rate: float = 1.0
    """Factor of the learning rate once all layers learn, after frozen epochs."""

    def __post_init__(self) -> None:
        if self.optimizer not in ("sgd", "adamw"):
            raise ValueError(f"optimizer must be sgd or adamw, got {self.optimizer!r}.")
        if self.targets not in TARGETS:
            raise ValueError(f"targets must be one of {', '.join(TARGETS)}; got {self.targets!r}.")
        for name in ("smoothing", "mixup", "erase", "born_again"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}.")
        if self.epochs < 1 or self.batch < 2 or self.learning_rate <= 0:
            raise ValueError("epochs must be 1 or more, batch 2 or more, learning_rate above 0.")
        for name in (
            "weight_decay",
            "balance",
            "augment",
            "ema_images",
            "patience",
            "min_delta",
            "frozen_epochs",
            "radius",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}.")

    def rate(self, progress: float) -> float:
        """The learning rate at a share of the run, in [0, 1]: see run.cosine."""
        return run.cosine(self.learning_rate, progress)


class EarlyStopping:
    """Waits for a better value, for so many epochs, then says stop."""

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        self.patience, self.min_delta = patience, min_delta
        self.best = -math.inf
        self.waited = 0

    def better(self, value: float) -> bool:
        """Takes an epoch's value; True where it is the best so far, by more than min_delta."""
        if value > self.best + self.min_delta:
            self.best, self.waited = value, 0
            return True
        self.waited += 1
        return False

    @property
    def over(self) -> bool:
        """Whether `patience` epochs in a row were no better; never with a patience of 0."""
        return 0 < self.patience <= self.waited


_OURS = ClassifierRecipe(  # what dozens of epochs can use: see RESULTS.md
    epochs=60,
    optimizer="adamw",
    learning_rate=2e-3,
    weight_decay=0.05,
    mixup=0.2,
    erase=0.25,
    ema_images=20_000,
)
_GUIDE = replace(
    _OURS, epochs=10, learning_rate=1e-3, smoothing=0.0, mixup=0.0, erase=0.0, radius=1.0, balance=1.0
)
_BASELINE = ClassifierRecipe(
    epochs=60,
    optimizer="adamw",
    learning_rate=1e-3,
    weight_decay=0.0,
    smoothing=0.0,
    mixup=0.0,
    erase=0.0,
    augment=0.7,  # the students' brightness and shear, milder, beside the originals and not in their place
    patience=15,  # theirs asked for ten points more each time, and stopped at once
)
_PRETRAINED = ClassifierRecipe(
    epochs=20,
    batch=64,
    optimizer="adamw",
    learning_rate=1e-3,
    weight_decay=0.01,
    mixup=0.0,
    erase=0.25,
    frozen_epochs=2,
    unfrozen_rate=0.2,
)

RECIPES: dict[str, ClassifierRecipe] = {
    "judge": _OURS,
    "teacher": _OURS,
    "guide": _GUIDE,
    "m1": _BASELINE,
    "m2": _BASELINE,
    "m3": _BASELINE,
    "m4": _BASELINE,
    "m5": replace(_BASELINE, weight_decay=0.004),
    "resnet18": _PRETRAINED,
    "mobilenet_v3": _PRETRAINED,
    "efficientnet_b0": _PRETRAINED,
    "vgg16": replace(_PRETRAINED, learning_rate=5e-4),
}
