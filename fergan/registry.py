"""Registry: the models found in some places, what is said of each, and its network once it is asked for."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from fergan import checkpoint, hub
from fergan.models import PUBLISHED, preset
from fergan.models.layers import FaceGenerator

Places = str | Path | Sequence[str | Path]
UNABLE = {"generator": "draws no faces", "classifier": "reads no emotions", "translator": "changes no faces"}


@dataclass
class Slot:
    """A checkpoint known by its description; the network comes with the first face asked of it."""

    folder: Path
    checkpoint: checkpoint.Checkpoint
    fingerprint: str
    network: nn.Module | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def kind(self) -> str:
        """What the model does: a key of UNABLE, or an embedder."""
        return preset(self.checkpoint.model, self.checkpoint.preset).kind

    @property
    def published(self) -> bool:
        """Whether it is a student project's own system, to be compared with."""
        return self.checkpoint.preset in PUBLISHED


class Registry:
    """Slots by the name that a model goes by here; safe for threads, and never more than one copy of a network."""

    def __init__(self, sources: Places, device: torch.device) -> None:
        """Looks up each source: a checkpoint folder, a folder of such folders, or a Hub id.

        Only descriptions are read here; weights are loaded when a network is first asked for.

        Raises:
            ValueError: a source that is none of these, a broken checkpoint, two models of one name, or no
                model at all.
        """
        self.device = device
        self.slots: dict[str, Slot] = {}
        places = each(sources)
        for source in places:
            for name, folder in _find(source).items():
                if name in self.slots:
                    raise ValueError(f"Two models are named {name}: {self.slots[name].folder} and {folder}.")
                slot = Slot(folder, checkpoint.describe(folder), checkpoint.fingerprint(folder))
                if slot.kind != "embedder":  # of use in training alone
                    self.slots[name] = slot
        # a student project's own systems come last: nobody is to meet one who did not choose it
        self.slots = dict(sorted(self.slots.items(), key=lambda item: item[1].published))
        if not self.slots:
            raise ValueError(f"No model found in {', '.join(map(str, places)) or 'no source'}.")

    def of_kind(self, kind: str) -> list[str]:
        """The names of all models of a kind."""
        return [name for name, slot in self.slots.items() if slot.kind == kind]

    def slot(self, model: str, kind: str | None = None) -> Slot:
        """A model's slot.

        Raises:
            ValueError: an unknown model, or one of another kind than is asked for.
        """
        able = self.of_kind(kind) if kind else list(self.slots)
        if model not in able:
            said = f"The model {model} {UNABLE[kind]}" if kind and model in self.slots else ""
            said = said or f"There is no model {model!r}"
            raise ValueError(
                f"{said}; choose one of {', '.join(able)}." if able else f"{said}; none here does that."
            )
        return self.slots[model]

    def network(self, slot: Slot) -> nn.Module:
        """A slot's network, on the device, loaded once.

        Raises:
            ValueError: the checkpoint is gone, broken or another one since it was looked up.
        """
        with slot.lock:
            if slot.network is None:
                layout = torch.channels_last  # of ways to run on a CPU the fastest that draws the same faces
                with torch.inference_mode(False):  # where it is first asked must not say what it can do
                    network = _loaded(slot).to(self.device, memory_format=layout)  # type: ignore[call-overload]
                    slot.network = network.freeze() if isinstance(network, FaceGenerator) else network
            return slot.network


def each(places: Places) -> Sequence[str | Path]:
    """One place is a list of one."""
    return [places] if isinstance(places, str | Path) else places


def _loaded(slot: Slot) -> nn.Module:
    """The network that was looked up; with another in its place, what is said of it would be untrue."""
    try:
        _, network = checkpoint.load(slot.folder)
        now = checkpoint.fingerprint(slot.folder)
    except FileNotFoundError as error:
        raise ValueError(f"{slot.folder} is gone since it was looked up: {error}") from error
    if now != slot.fingerprint:
        raise ValueError(f"{slot.folder} holds other weights than when it was looked up; start anew.")
    return network


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
