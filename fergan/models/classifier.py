"""Classifiers: the judge (ResNet-18), the teacher (VGG) and the student project's baselines M1 to M5.

The judge measures and is in no loss; the teacher, of another architecture, may be used inside losses, and so may the
guide: a teacher hardened against small changes, whose slopes show an emotion as people see it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fergan.emotions import EMOTIONS, index
from fergan.models.layers import keras_init

ABSENT = -1e4
"""The logit of an emotion that a network does not know: a probability of 0, and 0 times it is 0."""


@dataclass(frozen=True)
class Config:
    """What every classifier has."""

    image_size: int = 48
    channels: int = 1
    emotions: str = ",".join(EMOTIONS)
    """The emotions that the network tells apart, by name."""

    def __post_init__(self) -> None:
        if self.image_size < 8 or self.image_size % 8:
            raise ValueError(f"image_size must be a multiple of 8, got {self.image_size}.")
        self.known()

    def known(self) -> list[int]:
        """FER2013 labels of the emotions that the network tells apart, rising.

        Raises:
            ValueError: an unknown name, one given twice, or fewer than two.
        """
        labels = sorted(index(name) for name in self.emotions.split(","))
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise ValueError(f"emotions needs two names or more, each once; got {self.emotions!r}.")
        return labels


class Head(nn.Module):
    """Features [B, F] -> logits, float32 [B, 7], whose softmax is calibrated once `temperature` is set."""

    temperature: Tensor
    """Divides the logits (Guo et al. 2017, section 4.2); 1 until it is fitted, after training."""
    known: Tensor

    def __init__(self, features: int, known: list[int]) -> None:
        super().__init__()
        self.linear = nn.Linear(features, len(known))
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("known", torch.tensor(known), persistent=False)  # the config says it

    def forward(self, features: Tensor) -> Tensor:
        """Emotions that the network does not know get ABSENT. In float32 even where the rest is bf16."""
        with torch.autocast(features.device.type, enabled=False):
            logits = self.linear(features.float()) / self.temperature
        rows = logits.new_full((logits.shape[0], len(EMOTIONS)), ABSENT)
        return rows.index_copy(1, self.known, logits)


class Classifier(nn.Module, ABC):
    """images [B, C, H, W] in [-1, 1] -> logits, float32 [B, 7]."""

    head: Head

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] -> what the head reads, float32 [B, F]."""

    def forward(self, images: Tensor) -> Tensor:
        """The head on the features."""
        return self.head(self.features(images))


@dataclass(frozen=True)
class JudgeConfig(Config):
    """ResNet-18 (He et al. 2016) with the stem that the paper has for CIFAR: 3x3, no pooling."""

    width: int = 64
    """Channels of the first stage; the last has eight times as many."""
    stem_stride: int = 1
    """2 halves the images at once: four times cheaper."""
    dropout: float = 0.0
    """Share of the features that the head does not see in training."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; it begins as the shortcut alone (Goyal et al. 2017)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.skip = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.skip.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.skip.append(nn.BatchNorm2d(outputs))
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C', H / stride, W / stride]."""
        main = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(main + self.skip(x))


class Judge(Classifier):
    """ResNet-18 for 48x48 faces; 11.2 million parameters at width 64."""

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        widths = [config.width * 2**stage for stage in range(4)]
        self.stem = nn.Conv2d(config.channels, config.width, 3, config.stem_stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(config.width)
        blocks: list[nn.Module] = []
        for inputs, outputs in zip([config.width, *widths], widths, strict=False):
            blocks.append(ResidualBlock(inputs, outputs, stride=1 if inputs == outputs else 2))
            blocks.append(ResidualBlock(outputs, outputs, stride=1))
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(config.dropout)
        self.head = Head(widths[-1], config.known())
        _relu_init(self)

    def features(self, images: Tensor) -> Tensor:
        """The means of the last stage's maps, float32 [B, 8 * width]."""
        x = self.blocks(F.relu(self.norm(self.stem(images))))
        return self.dropout(x.float().mean(dim=(2, 3)))


@dataclass(frozen=True)
class TeacherConfig(Config):
    """VGG (Simonyan & Zisserman 2015) with batch norm: no shortcut, no layer in common with the judge."""

    width: int = 32
    """Channels of the first of four stages; the last has eight times as many."""
    dropout: float = 0.2


class Teacher(Classifier):
    """Four stages of two 3x3 convolutions; 1.2 million parameters at width 32, cheap inside a loss.

    Maps are halved by their mean, not their maximum: gradients then reach every pixel (Gatys et al. 2016).
    """

    def __init__(self, config: TeacherConfig) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        inputs = config.channels
        for stage in range(4):
            outputs = config.width * 2**stage
            for channels in (inputs, outputs):
                stages += [
                    nn.Conv2d(channels, outputs, 3, 1, 1, bias=False),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(),
                ]
            if stage < 3:
                stages.append(nn.AvgPool2d(2))
            inputs = outputs
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(config.dropout)
        self.head = Head(inputs, config.known())
        _relu_init(self)

    def features(self, images: Tensor) -> Tensor:
        """The means of the last stage's maps, float32 [B, 8 * width]."""
        return self.dropout(self.stages(images).float().mean(dim=(2, 3)))

    def maps(self, images: Tensor) -> list[Tensor]:
        """The second and the third stage's maps, [B, 2 * width, H / 2, W / 2] and [B, 4 * width, H / 4, W / 4]."""
        found, x = [], images
        for layer in self.stages:
            if isinstance(layer, nn.AvgPool2d):  # a stage is over
                found.append(x)
                if len(found) == 3:
                    break
            x = layer(x)
        return found[1:]


def _relu_init(network: nn.Module) -> None:
    """He et al. 2015, by the fan out, as ResNet's authors do."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")


@dataclass(frozen=True)
class M1Config(Config):
    """The student project's first CNN: 185,444 parameters for four emotions.

    Of M1 to M5 the report gives the widths, the dropout and the counts. Inferred, as what alone gives the
    counts exactly: "same" padding, a 2x2 pooling after each convolution, a Dense of 64 in M1; a global mean
    in place of Flatten in M3 to M5; batch norm after the convolutions alone in M4 and in M5, which has M4's
    dense layers. Chosen, as no count can tell: leaky ReLU 0.1 everywhere, norms before it, M3's dropout in
    M4 and M5. M2 has no published count.
    """

    convs: str = "64,128,32"
    dense: str = "64"
    dropouts: str = "0"
    """After each dense layer."""
    batch_norm: bool = False
    global_mean: bool = False
    """The mean of each map in place of all its values."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(_numbers(self.convs)) != 3 or len(_numbers(self.dense)) != len(_numbers(self.dropouts)):
            raise ValueError(
                "convs needs three widths, dense and dropouts as many numbers as each other;"
                f" got {self.convs!r}, {self.dense!r} and {self.dropouts!r}."
            )


@dataclass(frozen=True)
class M2Config(M1Config):
    """M1 with a global mean: 113,764 parameters for four emotions."""

    global_mean: bool = True


@dataclass(frozen=True)
class M3Config(M2Config):
    """M2 with three dense layers and dropout: 130,340 parameters for four emotions."""

    dense: str = "64,128,64"
    dropouts: str = "0.2,0.4,0.2"


@dataclass(frozen=True)
class M4Config(M3Config):
    """M3 with batch norm and other dense layers: 215,652 parameters for four emotions in Keras' count."""

    dense: str = "128,512,64"
    batch_norm: bool = True


@dataclass(frozen=True)
class M5Config(M4Config):
    """M4 with wider convolutions: 1,496,644 parameters for four emotions in Keras' count."""

    convs: str = "64,256,512"


class Baseline(Classifier):
    """M1 to M5: three convolutions, dense layers, a head."""

    def __init__(self, config: M1Config) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = config.channels
        for outputs in map(int, _numbers(config.convs)):
            layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
            if config.batch_norm:  # Keras' defaults; its momentum is 1 - ours
                layers.append(nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01))
            layers += [nn.MaxPool2d(2), nn.LeakyReLU(0.1)]  # theirs the other way round: the same, slower
            inputs = outputs
        if config.global_mean:
            layers.append(nn.AdaptiveAvgPool2d(1))
        else:
            inputs *= (config.image_size // 8) ** 2
        layers.append(nn.Flatten())
        for size, dropout in zip(_numbers(config.dense), _numbers(config.dropouts), strict=True):
            layers += [nn.Linear(inputs, int(size)), nn.LeakyReLU(0.1), nn.Dropout(dropout)]
            inputs = int(size)
        self.layers = nn.Sequential(*layers)
        self.head = Head(inputs, config.known())
        keras_init(self)

    def features(self, images: Tensor) -> Tensor:
        """The last dense layer, float32 [B, 64]."""
        return self.layers(images).float()


def _numbers(text: str) -> list[float]:
    """Numbers between commas.

    Raises:
        ValueError: something else.
    """
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise ValueError(f"Numbers with commas between them were due, got {text!r}.") from None
