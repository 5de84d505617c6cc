"""Engine: all that the page may ask of the models. NumPy in and out, no state per request, thread-safe."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import nn

from fergan import checkpoint, emotions, hub, opponents, saliency
from fergan.checkpoint import EVOLUTION as EVOLUTION
from fergan.checkpoint import HISTORY as HISTORY
from fergan.faces import NOBODY as NOBODY
from fergan.faces import Face as Face
from fergan.faces import crop, find_faces, whole_photo
from fergan.images import Batch, Pixels, as_batch, fit, from_array, to_array
from fergan.models import preset
from fergan.models.layers import FaceGenerator
from fergan.moments import LAST_SEED as LAST_SEED
from fergan.moments import TYPICAL as TYPICAL
from fergan.moments import VARIETY as VARIETY
from fergan.moments import Drawer
from fergan.moments import Moment as Moment
from fergan.translation import Change as Change
from fergan.translation import Translation as Translation
from fergan.translation import Translator

JUDGE = "judge"
"""The classifier that reads every face, unless another is asked for."""
TEACHER = "teacher"
"""The classifier that translators were trained with; where it is here, it reads a face before it is changed."""
Seeds = Sequence[int] | NDArray[np.integer[Any]]
UNABLE = {"generator": "draws no faces", "classifier": "reads no emotions", "translator": "changes no faces"}
MOST_FRAMES = 1200
"""Frames of one animation."""


@dataclass(frozen=True)
class Found:
    """A face in a photo, and what a network gets to see of it."""

    face: Face
    pixels: Pixels
    """Turned upright and cropped, uint8 [H, W] or [H, W, 3]."""


@dataclass
class _Slot:
    """A checkpoint known by its description; the network comes with the first face asked of it."""

    folder: Path
    checkpoint: checkpoint.Checkpoint
    fingerprint: str
    network: nn.Module | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Engine:
    """The models found in some places, and the verbs that they answer."""

    def __init__(
        self,
        sources: str | Path | Sequence[str | Path] = ("weights",),
        device: str | None = None,
        *,
        real_faces: str | Path | None = None,
        discriminators: str | Path | Sequence[str | Path] = (),
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
        self._slots: dict[str, _Slot] = {}
        places = _each(sources)
        for source in places:
            for name, folder in _find(source).items():
                if name in self._slots:
                    raise ValueError(f"Two models are named {name}: {self._slots[name].folder} and {folder}.")
                described = checkpoint.describe(folder)
                if preset(described.model, described.preset).kind != "embedder":  # of use in training alone
                    self._slots[name] = _Slot(folder, described, checkpoint.fingerprint(folder))
        if not self._slots:
            raise ValueError(f"No model found in {', '.join(map(str, places)) or 'no source'}.")
        self.real_faces = Path(real_faces) if real_faces else None
        self.opponents = [opponents.load(Path(run), self.device) for run in _each(discriminators)]

    @property
    def models(self) -> dict[str, checkpoint.Checkpoint]:
        """What each model's checkpoint says of it, by the name that the verbs take."""
        return {name: slot.checkpoint for name, slot in self._slots.items()}

    @property
    def generators(self) -> list[str]:
        """Names of the models that draw a face from noise: those that `generate` takes."""
        return self._of_kind("generator")

    @property
    def mixers(self) -> list[str]:
        """Names of the generators with styles: those that take `coarse_seeds`."""
        return [name for name in self.generators if self.models[name].model == "stylegan"]

    @property
    def classifiers(self) -> list[str]:
        """Names of the models that read a face's emotion: those that `classify` takes."""
        return self._of_kind("classifier")

    @property
    def translators(self) -> list[str]:
        """Names of the models that give a face another expression: those that `translate` takes."""
        return self._of_kind("translator")

    def _of_kind(self, kind: str) -> list[str]:
        return [name for name, found in self.models.items() if preset(found.model, found.preset).kind == kind]

    def drawn_emotions(self, model: str) -> list[str]:
        """The emotions that a model draws: all seven, unless its config names some.

        Raises:
            ValueError: an unknown model.
        """
        said = str(self._slot(model).checkpoint.config.get("emotions")).split(",")
        return [name for name in said if name in emotions.EMOTIONS] or list(emotions.EMOTIONS)

    def folder(self, model: str) -> Path:
        """Where a model's checkpoint lies (its card and its evolution lie beside it)."""
        return self._slot(model).folder

    def fingerprint(self, model: str) -> str:
        """The first digits of the sha256 of a model's weights: with other weights a seed is another face."""
        return self._slot(model).fingerprint

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
        rounding depends on the shape of its batch; on a CPU a batch saves no time at this size.
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
        with torch.inference_mode():
            faces += [drawer.face(moment) for moment in moments]
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
        slot = self._slot(model, "generator")
        config, network = slot.checkpoint.build_config(), self._network(slot)
        assert isinstance(network, FaceGenerator)  # as its kind says
        return Drawer(network, config.noise_dim, self.device), config

    def find(self, photo: Image.Image, model: str = JUDGE, whole: bool = False) -> list[Found]:
        """Photo, as fergan.images.from_photo reads it -> its faces, the biggest first, cropped as `model` takes them.

        A small square picture is a face by itself (see fergan.faces); `whole` takes any photo for one face.

        Raises:
            ValueError: an unknown model.
        """
        config = self._slot(model).checkpoint.build_config()
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
        slot = self._slot(model, "classifier")
        config = slot.checkpoint.build_config()
        images = from_array(faces).to(self.device)
        return self._network(slot), fit(images, config.image_size, config.channels) if len(faces) else images

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
        slot = self._slot(model, "translator")
        readers = sorted(self.classifiers, key=lambda name: (name != TEACHER, name != JUDGE))
        read = partial(self.classify, model=readers[0]) if readers else _unread
        return Translator(self._network(slot), slot.checkpoint.build_config(), self.device, read)

    def _slot(self, model: str, kind: str | None = None) -> _Slot:
        able = self._of_kind(kind) if kind else list(self._slots)
        if model not in able:
            said = f"The model {model} {UNABLE[kind]}" if kind and model in self._slots else ""
            said = said or f"There is no model {model!r}"
            raise ValueError(
                f"{said}; choose one of {', '.join(able)}." if able else f"{said}; none here does that."
            )
        return self._slots[model]

    def _network(self, slot: _Slot) -> nn.Module:
        with slot.lock:
            if slot.network is None:
                layout = torch.channels_last  # of ways to run on a CPU the fastest that draws the same faces
                with torch.inference_mode(False):  # where it is first asked must not say what it can do
                    network = self._loaded(slot).to(self.device, memory_format=layout)  # type: ignore[call-overload]
                    slot.network = network.freeze() if isinstance(network, FaceGenerator) else network
            return slot.network

    def _loaded(self, slot: _Slot) -> nn.Module:
        """The network that was looked up; with another in its place, what is said of it would be untrue."""
        try:
            _, network = checkpoint.load(slot.folder)
            now = checkpoint.fingerprint(slot.folder)
        except FileNotFoundError as error:
            raise ValueError(f"{slot.folder} is gone since it was looked up: {error}") from error
        if now != slot.fingerprint:
            raise ValueError(f"{slot.folder} holds other weights than when it was looked up; start anew.")
        return network


def _each(places: str | Path | Sequence[str | Path]) -> Sequence[str | Path]:
    """One place is a list of one."""
    return [places] if isinstance(places, str | Path) else places


def _find(source: str | Path) -> dict[str, Path]:
    """Checkpoint folders of one source by model name.

    Raises:
        ValueError: there are none.
    """
    folder = Path(source).absolute()  # it stays where it is when this process goes elsewhere
    if (folder / checkpoint.CONFIG).is_file():
        return {folder.resolve().name: folder}
    if folder.is_dir():
        if models := sorted(folder.glob(f"*/{checkpoint.CONFIG}")):
            return {found.parent.name: found.parent for found in models}
        ways = [f"{way}checkpoints/*/{checkpoint.CONFIG}" for way in ("", "*/")]  # a run has them there
        kept = sorted(found.parent for way in ways for found in Path(source).glob(way))
        hint = f"; name one of its checkpoints, as {kept[-1]}" if kept else ""
        raise ValueError(f"No model found in {source}{hint}.")
    if hub.is_repo(str(source)):
        return {str(source): hub.fetch(str(source))}
    raise ValueError(f"{source} is neither a checkpoint folder nor a Hub id (owner/name).")


def _unread(faces: Batch) -> NDArray[np.float32]:
    """What nobody reads: every emotion is as likely, [B, 7]."""
    return np.full((len(as_batch(faces)), len(emotions.EMOTIONS)), 1 / len(emotions.EMOTIONS), np.float32)
