"""Make a translator of a hardened classifier: `python -m train.guided runs/guide/checkpoint --out weights/guided`.

It has nothing to learn: the classifier did (`python -m train.classifier --model guide --start weights/teacher`).
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from fergan import checkpoint
from fergan.card import write_card
from fergan.checkpoint import Checkpoint, replace_file
from fergan.models import guided
from fergan.models.classifier import TeacherConfig
from train import run


@dataclass(frozen=True)
class GuidedConfig:
    """The words and flags of `python -m train.guided`."""

    guide: tuple[str, ...] = field(
        default=(), metadata={"help": "checkpoint folder of a classifier, preset guide"}
    )
    out: str = field(default="runs/guided", metadata={"help": "folder of the translator's checkpoint"})
    set: str = field(default="", metadata={"help": "changes, as 'steps=6 shade=3'"})

    def __post_init__(self) -> None:
        if len(self.guide) != 1:
            raise ValueError(f"Name one checkpoint folder of a guide; got {len(self.guide)}.")


def make(config: GuidedConfig) -> str:
    """Writes the translator's checkpoint, and says so.

    Raises:
        FileNotFoundError, ValueError, OSError: no guide there, settings that do not fit, or no place to write.
    """
    folder, out = Path(config.guide[0]), Path(config.out)
    told, network = checkpoint.load(folder)
    own = told.build_config()
    if (told.model, told.preset) != ("classifier", "guide") or not isinstance(own, TeacherConfig):
        raise ValueError(
            f"{folder} holds {told.model} {told.preset}; a guide is due, which"
            " `python -m train.classifier --model guide` trains."
        )
    (settings,) = run.override(config.set, guided.Config(**dataclasses.asdict(own)))
    weights = {f"guide.{name}": tensor for name, tensor in network.state_dict().items()}
    made = Checkpoint(
        "guided",
        "fixed",
        dataclasses.asdict(settings),
        step=told.step,
        images_seen=told.images_seen,
        data=told.data,
        training=told.training,
    )
    checkpoint.save(out, made, weights)
    replace_file(out / "README.md", write_card(made, ()).encode())
    return f"{out} holds the translator."


def main() -> None:
    """The command line."""
    run.measure(GuidedConfig, (__doc__ or "").splitlines()[0], make, "Nothing was made")


if __name__ == "__main__":
    main()
