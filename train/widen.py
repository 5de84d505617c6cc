"""Goes on from a run with a wider generator: `python -m train.widen runs/stylegan --out runs/wide --width 80`.

For the StyleGAN, whose layers the width alone sizes. The wider network draws what the narrower one drew: new channels
begin as in a new network, but what reads them begins at zero, so that they count as soon as they have learnt something
(Net2Net, Chen et al. 2016, with zeros in place of copies: nothing has to tell twins apart).
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from fergan.emotions import EMOTIONS
from fergan.models import draw_noise, preset
from train import run, states
from train.record import GRID_SEEDS, branch

GROWING = "stylegan"
MOST = 1e-4
"""The most that a pixel in [-1, 1] of the wider network may differ by: float32 sums in another order."""


@dataclass(frozen=True)
class WidenConfig:
    """The flags of `python -m train.widen`."""

    runs: tuple[str, ...] = field(metadata={"help": "folder of the run to go on from"})
    out: str = field(metadata={"help": "folder of the new run"})
    width: int = field(metadata={"help": "channels of its largest feature map from here on"})
    seed: int = field(default=0, metadata={"help": "of the new channels"})

    def __post_init__(self) -> None:
        if len(self.runs) != 1:
            raise ValueError(f"Name one run to go on from; got {len(self.runs)}.")
        if Path(self.out).exists():
            raise ValueError(f"{self.out} exists: name a new folder.")


def grown(narrow: Tensor, fresh: Tensor, *, reads: bool) -> Tensor:
    """`fresh`, with `narrow` in its first rows and columns; what old rows read of new columns is 0 where it `reads`."""
    made = fresh.clone()
    if reads and made.dim() > 1:
        made[: narrow.shape[0], narrow.shape[1] :] = 0
    made[tuple(slice(n) for n in narrow.shape)] = narrow
    return made


def widened(tensors: dict[str, Tensor], prefix: str, fresh: nn.Module) -> dict[str, Tensor]:
    """A network of a state, named under `prefix`, grown to the size of `fresh`."""
    return {
        f"{prefix}.{name}": grown(tensors[f"{prefix}.{name}"], tensor, reads=name.endswith("weight"))
        for name, tensor in fresh.state_dict().items()
    }


def moments(tensors: dict[str, Tensor], fresh: nn.Module) -> dict[str, Tensor]:
    """Adam's for the generator: means of gradients are 0 for new weights, and of squares the mean of the old ones.

    With zeros there the first steps of new weights would be ten times too long.
    """
    found = {}
    for i, parameter in enumerate(fresh.parameters()):
        for key in ("step", "exp_avg", "exp_avg_sq"):
            name = f"adam.generator.{i}.{key}"
            old = tensors[name]
            if key == "step":
                found[name] = old
            else:
                like = torch.full(parameter.shape, float(old.mean()) if key == "exp_avg_sq" else 0.0)
                found[name] = grown(old, like, reads=False)
    return found


def farthest(narrow: nn.Module, wide: nn.Module, noise_dim: int) -> float:
    """The most that a pixel differs by, over the grid's faces with every emotion."""
    noise = draw_noise(GRID_SEEDS, noise_dim).repeat_interleave(len(EMOTIONS), 0)
    emotion = torch.eye(len(EMOTIONS)).repeat(len(GRID_SEEDS), 1)
    with torch.inference_mode():
        return float((narrow.eval()(noise, emotion) - wide.eval()(noise, emotion)).abs().max())


def widen(config: WidenConfig) -> str:
    """Writes the new run: state, log and frames so far; says how to go on.

    Raises:
        FileNotFoundError: no such run.
        ValueError: another model than a stylegan, or one that is as wide already.
    """
    source, out = Path(config.runs[0]), Path(config.out)
    tensors, facts = states.load(source / states.FILE)
    if facts["model"] != GROWING:
        raise ValueError(f"{source} is a run of {facts['model']}; only a {GROWING}'s width grows.")
    networks = preset(facts["model"], facts["preset"])
    before = networks.config(**facts["config"])
    if config.width <= before.width:
        raise ValueError(f"--width must be above {before.width}, as wide as {source} is; got {config.width}.")
    after = dataclasses.replace(before, width=config.width)
    torch.manual_seed(config.seed)
    narrow, wide = networks.network(before), networks.network(after)
    made = widened(tensors, "generator", wide) | widened(tensors, "average", wide) | moments(tensors, wide)
    states.to_module(narrow, "average", tensors)
    states.to_module(wide, "average", made)
    apart = farthest(narrow, wide, after.noise_dim)
    if apart > MOST:
        raise ValueError(f"the wider network would draw other faces, by up to {apart:.2g} of [-1, 1].")
    change = {"width": [before.width, after.width]}
    branch(source, out, tensors | made, facts, dataclasses.asdict(after), change)
    return (
        f"{out} holds the wider network, which draws the same faces (to {apart:.1g}): go on with\n"
        f'python -m train.gan --model {facts["model"]} --set "width={config.width}" --out {out} --resume --data PATH'
        " and the run's other settings"
    )


def main() -> None:
    """The command line."""
    run.measure(WidenConfig, (__doc__ or "").splitlines()[0], widen, "Nothing was widened")


if __name__ == "__main__":
    main()
