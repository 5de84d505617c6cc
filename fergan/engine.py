"""Engine: all that the page may ask of the models. NumPy in and out, no state per request, thread-safe."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor, nn

from fergan import checkpoint, emotions, opponents, saliency
from fergan.checkpoint import EVOLUTION as EVOLUTION
from fergan.checkpoint import HISTORY as HISTORY
from fergan.faces import NOBODY as NOBODY
from fergan.faces import Face as Face
from fergan.faces import crop, find_faces, whole_photo
from fergan.images import Batch, Pixels, as_batch, fit, from_array, to_array
from fergan.models.layers import FaceGenerator
from fergan.moments import LAST_SEED as LAST_SEED
from fergan.moments import TYPICAL as TYPICAL
from fergan.moments import VARIETY as VARIETY
from fergan.moments import Drawer
from fergan.moments import Moment as Moment
from fergan.registry import Places, Registry, each
from fergan.translation import Change as Change
from fergan.translation import Translation as Translation
from fergan.translation import Translator

JUDGE = "judge"
"""The classifier that reads every face, unless another is asked for."""
TEACHER = "teacher"
"""The classifier that translators were trained with; where it is here, it reads a face before it is changed."""
Seeds = Sequence[int] | NDArray[np.integer[Any]]
MOST_FRAMES = 1200
"""Frames of one animation."""
MOST_HANDS = 4
"""Faces of one sheet that are drawn at the same time: more only wait for Python."""


@dataclass(frozen=True)
class Found:
    """A face in a photo, and what a network gets to see of it."""

    face: Face
    pixels: Pixels
    """Turned upright and cropped, uint8 [H, W] or [H, W, 3]."""


class Engine:
    """The models found in some places, and the verbs that they answer."""

    def __init__(
        self,
        sources: Places = ("weights",),
        device: str | None = None,
        *,
        real_faces: str | Path | None = None,
        discriminators: Places = (),
    ) -> None:
        """Looks up each source: a checkpoint folder, a folder of such folders, or a Hub id.

        Only descriptions are read here; weights are loaded when a model is first asked for a face.
        `real_faces` is where FER2013 lies, where its owner allows the quiz to show photos of it;
        `discriminators` are folders of training runs, or of checkpoints with theirs, whose opponents may play along there.

        Raises:
            ValueError: a source that is none of these, a broken checkpoint, two models of one name, no
                model at all, or a run whose discriminator cannot be used.
            FileNotFoundError: a run that is not there.
        """
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._registry = Registry(sources, self.device)
        self._hands = _hands(self.device)
        self.real_faces = Path(real_faces) if real_faces else None
        self.opponents = [opponents.load(Path(run), self.device) for run in each(discriminators)]

    @property
    def models(self) -> dict[str, checkpoint.Checkpoint]:
        """What each model's checkpoint says of it, by the name that the verbs take."""
        return {name: slot.checkpoint for name, slot in self._registry.slots.items()}

    @property
    def generators(self) -> list[str]:
        """Names of the models that draw a face from noise: those that `generate` takes."""
        return self._registry.of_kind("generator")

    @property
    def mixers(self) -> list[str]:
        """Names of the generators with styles: those that take `coarse_seeds`."""
        return [name for name in self.generators if self.models[name].model == "stylegan"]

    @property
    def published(self) -> list[str]:
        """Names of the models that are a student project's own system: here to be compared with."""
        return [name for name, slot in self._registry.slots.items() if slot.published]

    @property
    def classifiers(self) -> list[str]:
        """Names of the models that read a face's emotion: those that `classify` takes."""
        return self._registry.of_kind("classifier")

    @property
    def translators(self) -> list[str]:
        """Names of the models that give a face another expression: those that `translate` takes."""
        return self._registry.of_kind("translator")

    def drawn_emotions(self, model: str) -> list[str]:
        """The emotions that a model draws: all seven, unless its config names some.

        Raises:
            ValueError: an unknown model.
        """
        said = str(self._registry.slot(model).checkpoint.config.get("emotions")).split(",")
        return [name for name in said if name in emotions.EMOTIONS] or list(emotions.EMOTIONS)

    def folder(self, model: str) -> Path:
        """Where a model's checkpoint lies (its card and its evolution lie beside it)."""
        return self._registry.slot(model).folder

    def fingerprint(self, model: str) -> str:
        """The first digits of the sha256 of a model's weights: with other weights a seed is another face."""
        return self._registry.slot(model).fingerprint

    def generate(
        self,
        model: str,
        emotion: ArrayLike,
        seeds: Seeds,
        truncation: float = 1.0,
        coarse_seeds: Seeds | None = None,
    ) -> Pixels:
        """Emotion [B, 7] (weights at least 0, normalised here), seeds [B] -> faces, uint8 [B, H, W] or [B, H, W, 3].

        One seed is one face, to the bit, in any batch: faces are drawn one at a time, since a convolution's
        rounding depends on the shape of its batch. Where a face takes one thread, other cores draw others.
        `truncation` in [0, 1] moves towards the model's most typical face: of the emotion where the model
        has styles, else by scaling the noise. `coarse_seeds` [B] lends each face the pose and shape of
        another one (style mixing; models in `mixers` alone).

        Raises:
            ValueError: an unknown model, shapes that do not match, weights, seeds or a truncation out of range,
                coarse seeds for a model without styles.
        """
        rows = np.asarray(emotion, dtype=object)
        coarse = [None] * len(seeds) if coarse_seeds is None else coarse_seeds
        if rows.ndim != 2 or not len(rows) == len(seeds) == len(coarse):
            raise ValueError(
                f"Each seed needs a row of emotion; got {rows.shape} for {len(seeds)} seeds"
                + ("." if coarse_seeds is None else f" and {len(coarse)} coarse seeds.")
            )
        drawer, config = self._drawer(model)
        moments = [
            Moment(tuple(row), seed, truncation, other)
            for row, seed, other in zip(rows, seeds, coarse, strict=True)
        ]
        faces = [torch.empty(0, config.channels, config.image_size, config.image_size, device=self.device)]

        def draw(moment: Moment) -> Tensor:
            with torch.inference_mode():  # which each thread has to say for itself
                return drawer.face(moment)

        # a face alone waits for no sheet, and a sheet for no more than a few faces of another
        if self._hands and len(moments) > 1:
            for first in range(0, len(moments), MOST_HANDS):
                faces += self._hands.map(draw, moments[first : first + MOST_HANDS])
        else:
            faces += map(draw, moments)
        return to_array(torch.cat(faces))

    def animate(
        self, model: str, moments: Sequence[Moment], steps: int = 24, *, loop: bool = True
    ) -> Iterator[Pixels]:
        """Moments, two or more -> frames, uint8 [H, W] or [H, W, 3], one by one: `steps` from each to the next.

        With `loop` the way leads back to the first; without, the last moment is the last frame. Frames are
        drawn as they are asked for, so a caller may stop, or say how far it is.

        Raises:
            ValueError: an unknown model, fewer than two moments, more than MOST_FRAMES frames.
        """
        if len(moments) < 2 or steps < 1:
            raise ValueError(
                f"An animation needs two moments and a step; got {len(moments)} and {steps} steps."
            )
        frames = len(moments) * steps if loop else (len(moments) - 1) * steps + 1
        if frames > MOST_FRAMES:
            raise ValueError(f"An animation has at most {MOST_FRAMES} frames; this one would have {frames}.")
        drawer, _ = self._drawer(model)
        return self._frames(drawer, list(moments), steps, loop)

    def _frames(self, drawer: Drawer, moments: list[Moment], steps: int, loop: bool) -> Iterator[Pixels]:
        walk = drawer.walk(moments, steps, loop=loop)
        while True:
            with torch.inference_mode():  # not across a yield: the caller's own code would run in it
                image = next(walk, None)
            if image is None:
                return
            yield to_array(image)[0]

    def _drawer(self, model: str) -> tuple[Drawer, Any]:
        slot = self._registry.slot(model, "generator")
        config, network = slot.checkpoint.build_config(), self._registry.network(slot)
        assert isinstance(network, FaceGenerator)  # as its kind says
        return Drawer(network, config.noise_dim, self.device), config

    def find(self, photo: Image.Image, model: str = JUDGE, whole: bool = False) -> list[Found]:
        """Photo, as fergan.images.from_photo reads it -> its faces, the biggest first, cropped as `model` takes them.

        A small square picture is a face by itself (see fergan.faces); `whole` takes any photo for one face.

        Raises:
            ValueError: an unknown model.
        """
        config = self._registry.slot(model).checkpoint.build_config()
        seen = [whole_photo(photo)] if whole else find_faces(photo)
        return [Found(face, crop(photo, face, config.image_size, config.channels)) for face in seen]

    def explain(self, faces: Batch, emotion: int | None = None, model: str = JUDGE) -> NDArray[np.float32]:
        """Faces, uint8 [B, H, W] or [B, H, W, 3] -> where the network saw an emotion, float32 [B, H, W] in [0, 1].

        `emotion` is a FER2013 label; None asks of each face for what `classify` finds likeliest. See
        fergan.saliency.

        Raises:
            ValueError: what `classify` refuses, or no such emotion.
        """
        asked = None if emotion is None else emotions.label(emotion)
        faces = as_batch(faces)
        likeliest = torch.from_numpy(self.classify(faces, model).argmax(axis=1))
        labels = likeliest if asked is None else torch.full_like(likeliest, asked)
        if len(faces) == 0:
            return np.zeros(faces.shape[:3], np.float32)
        network, images = self._before(model, faces)
        maps = saliency.layercam(network, images, labels.to(self.device))[:, None]
        maps = nn.functional.interpolate(maps, faces.shape[1:3], mode="bilinear", antialias=True)[:, 0]
        answer: NDArray[np.float32] = maps.cpu().numpy()
        return answer

    def classify(self, faces: Batch, model: str = JUDGE) -> NDArray[np.float32]:
        """Faces, uint8 [B, H, W] or [B, H, W, 3] -> probabilities of the seven emotions, float32 [B, 7].

        They are calibrated on PublicTest (see fergan.calibration), and 0 where the network does not know the
        emotion. Faces of another size, or in colour, are fitted to what the network takes.

        Raises:
            ValueError: an unknown model, one that is no classifier, or an array that is no batch of faces.
        """
        network, images = self._before(model, as_batch(faces))
        if len(images) == 0:
            return np.zeros((0, len(emotions.EMOTIONS)), np.float32)
        with torch.inference_mode():
            answer: NDArray[np.float32] = network(images).softmax(dim=1).cpu().numpy()
        return answer

    def features(self, faces: Batch, model: str = JUDGE) -> NDArray[np.float32]:
        """Faces, one or more, uint8 [B, H, W] or [B, H, W, 3] -> what a classifier reads emotions from, float32 [B, F].

        Raises:
            ValueError: what `classify` refuses, or no face.
        """
        network, images = self._before(model, as_batch(faces))
        if len(images) == 0:
            raise ValueError("Features are of one face or more; got none.")
        with torch.inference_mode():
            answer: NDArray[np.float32] = network.features(images).float().cpu().numpy()  # type: ignore[operator]
        return answer

    def _before(self, model: str, faces: Pixels) -> tuple[nn.Module, torch.Tensor]:
        """A classifier, and faces as it takes them."""
        slot = self._registry.slot(model, "classifier")
        config = slot.checkpoint.build_config()
        images = from_array(faces).to(self.device)
        return self._registry.network(slot), fit(images, config.image_size, config.channels) if len(
            faces
        ) else images

    def translate_faces(
        self,
        model: str,
        faces: Batch,
        emotion: ArrayLike,
        intensity: ArrayLike,
        source: ArrayLike | None = None,
    ) -> Pixels:
        """Faces, uint8 [B, H, W] or [B, H, W, 3], emotion [B, 7], intensity [B] in [0, 1.5] -> such faces.

        Intensity 0 gives the face itself, bit for bit. Faces of another size or colour than the model's are
        fitted to it, and the change is brought to them. `source` [B, 7] says which emotions they show now;
        None asks the teacher, else the judge, else any classifier, and without one takes each for as likely.
        Weights of emotions are normalised here.

        Raises:
            ValueError: an unknown model, one that changes no faces, arrays that do not match, or numbers out
                of range.
        """
        translator = self._translator(model)
        return translator.faces(as_batch(faces), emotion, intensity, source)

    def translate(
        self,
        model: str,
        photo: Image.Image,
        emotion: ArrayLike,
        intensity: float,
        faces: Sequence[Face] | None = None,
    ) -> Translation:
        """Photo, mode L or RGB, emotion [7], intensity in [0, 1.5] -> the photo with its faces changed in place.

        At its own resolution, and nowhere but in the faces' squares; at intensity 0 it is the very photo.
        `faces` None changes every face that is found; looking for them takes longer than changing them.

        Raises:
            ValueError: as `translate_faces` has it; no face, too many, or one too small or outside the photo.
        """
        translator = self._translator(model)
        return translator.photo(photo, emotion, intensity, find_faces(photo) if faces is None else faces)

    def _translator(self, model: str) -> Translator:
        slot = self._registry.slot(model, "translator")
        readers = sorted(self.classifiers, key=lambda name: (name != TEACHER, name != JUDGE))
        read = partial(self.classify, model=readers[0]) if readers else _unread
        return Translator(self._registry.network(slot), slot.checkpoint.build_config(), self.device, read)


def _unread(faces: Batch) -> NDArray[np.float32]:
    """What nobody reads: every emotion is as likely, [B, 7]."""
    return np.full((len(as_batch(faces)), len(emotions.EMOTIONS)), 1 / len(emotions.EMOTIONS), np.float32)


def _hands(device: torch.device) -> ThreadPoolExecutor | None:
    """Threads that draw the faces of a sheet, one for each core, where torch leaves the cores to them."""
    hands = min(_cores(), MOST_HANDS)
    if device.type != "cpu" or torch.get_num_threads() > 1 or hands < 2:
        return None
    return ThreadPoolExecutor(hands, thread_name_prefix="hand")


def _cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Cores that this process may use: those it is bound to, or fewer where its container has a share of them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        most, period = map(int, quota.read_text(encoding="ascii").split())
    except (OSError, ValueError):  # no container, or "max"
        return cores
    return min(cores, max(1, most // period))
