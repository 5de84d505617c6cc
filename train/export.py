"""Export checkpoints as ONNX, which runs where PyTorch does not: `python -m train.export weights/acgan`.

Each file is then run by onnxruntime beside PyTorch, on the same inputs in batches of two sizes, and the largest
difference is told. With `--web` a page that runs them in the browser is written instead (train.web).
"""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from fergan import checkpoint
from fergan.checkpoint import Checkpoint, replace_file
from fergan.emotions import EMOTIONS
from fergan.models import preset
from fergan.models.dcgan import Bank
from train import run

BATCHES = (1, 5)
"""At which a file is compared; it was exported from a batch of two."""
LARGE = 256
"""Numbers from which on a tensor of weights is stored in half precision."""
INPUTS = {
    # kind of network: names of what it takes, and of what it answers
    "generator": (("noise", "emotion"), "images"),
    "translator": (("images", "source", "target", "intensity"), "changed"),
    "classifier": (("images",), "logits"),
    "embedder": (("images",), "rows"),
}


@dataclass(frozen=True)
class ExportConfig:
    """The words and flags of `python -m train.export`."""

    checkpoints: tuple[str, ...] = field(default=(), metadata={"help": "checkpoint folders to export"})
    out: str = field(default="runs/export", metadata={"help": "folder of the files, <name>.onnx"})
    half: bool = field(
        default=False,
        metadata={"help": "store weights in 16 bits, half the size; they are computed with in 32"},
    )
    web: bool = field(
        default=False,
        metadata={
            "help": "write a page of static files, which runs generators and a classifier in the browser"
        },
    )

    def __post_init__(self) -> None:
        if not self.checkpoints:
            raise ValueError("Name at least one checkpoint folder.")
        names = [Path(folder).resolve().name for folder in self.checkpoints]
        if len(set(names)) < len(names):
            raise ValueError(
                f"Two of {', '.join(self.checkpoints)} have one name, and files are named by it."
            )


class Whole(nn.Module):
    """A bank of generators as one graph without branches: all networks draw, and shares of 0 count for nothing."""

    def __init__(self, bank: Bank) -> None:
        super().__init__()
        self.networks = nn.ModuleList(bank.networks.values())
        self.labels = [EMOTIONS.index(name) for name in bank.networks]

    def forward(self, noise: Tensor, emotion: Tensor) -> Tensor:
        """As the bank's own forward; a row that asks for none of its emotions is not refused but grey."""
        rows = emotion[:, self.labels]
        shares = rows / rows.sum(dim=1, keepdim=True).clamp_min(1e-6)
        drawn = [
            share[:, None, None, None] * network(noise)
            for share, network in zip(shares.unbind(1), self.networks, strict=True)
        ]
        return torch.stack(drawn).sum(0)


def inputs(kind: str, config: Any, batch: int, seed: int = 0) -> dict[str, Tensor]:
    """Something of each input that a network of this kind takes, by name: [batch, ...]."""
    rng = torch.Generator().manual_seed(seed)

    def rows() -> Tensor:
        return torch.rand(batch, len(EMOTIONS), generator=rng).softmax(1)

    size = (batch, config.channels, config.image_size, config.image_size)
    if kind == "generator":
        return {"noise": torch.randn(batch, config.noise_dim, generator=rng), "emotion": rows()}
    images = {"images": torch.rand(size, generator=rng) * 2 - 1}
    if kind == "translator":
        amount = torch.linspace(0, 1, batch)  # 0 is a case of its own: the face itself
        return {**images, "source": rows(), "target": rows(), "intensity": amount}
    return images


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on its own insides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def export(folder: Path, half: bool = False) -> tuple[bytes, Checkpoint]:
    """A checkpoint -> an ONNX model whose batch is any size, with the checkpoint's facts in its metadata.

    Raises:
        ValueError: a broken checkpoint, or a guided one, whose work is no graph.
    """
    described, network = checkpoint.load(folder)
    if described.model == "guided":
        raise ValueError(
            f"{folder} cannot be exported, as it climbs slopes when it is asked: export a StarGAN."
        )
    kind = preset(described.model, described.preset).kind
    network = Whole(network) if isinstance(network, Bank) else network
    example = inputs(kind, described.build_config(), 2)
    names, answer = INPUTS[kind]
    with _quiet():
        program = torch.onnx.export(
            network.eval(),
            tuple(example.values()),
            dynamo=True,
            dynamic_shapes=tuple({0: torch.export.Dim("batch")} for _ in names),
            input_names=list(names),
            output_names=[answer],
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    if half:
        _halve(model.graph)
    facts = {
        "model": described.model,
        "preset": described.preset,
        "emotions": json.dumps(EMOTIONS),
        "config": json.dumps(described.config),
        "images_seen": str(described.images_seen),
        "weights": checkpoint.fingerprint(folder),
    }
    for name, fact in facts.items():
        model.metadata_props.add(key=f"fergan.{name}", value=fact)
    content: bytes = model.SerializeToString()
    return content, described


def _halve(graph: Any) -> None:
    """Stores large weights in half precision, each with a cast: checkpoints hold them so, hence nothing is lost."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for place, weight in enumerate(graph.initializer):
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < LARGE:
            continue
        small = numpy_helper.from_array(
            numpy_helper.to_array(weight).astype(np.float16), weight.name + "_half"
        )
        casts.append(helper.make_node("Cast", [small.name], [weight.name], to=TensorProto.FLOAT))
        graph.initializer[place].CopyFrom(small)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def difference(content: bytes, folder: Path) -> float:
    """The largest difference of onnxruntime's answers from PyTorch's, over batches of BATCHES.

    Of images in [-1, 1] or of logits, whichever the network answers.
    """
    import onnxruntime

    described, network = checkpoint.load(folder)
    kind = preset(described.model, described.preset).kind
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found = 0.0
    for batch in BATCHES:
        given = inputs(kind, described.build_config(), batch, seed=1)
        with torch.inference_mode():
            due = network.eval()(*given.values()).numpy()
        (came,) = session.run(None, {name: tensor.numpy() for name, tensor in given.items()})
        found = max(found, float(np.abs(came - due).max()))
    return found


def export_all(config: ExportConfig) -> str:
    """Writes each checkpoint's file and returns a table of them as Markdown.

    Raises:
        OSError, ValueError: a folder that is no checkpoint, or cannot be written to.
    """
    lines = [
        "| model | file | MB | answers | largest difference from PyTorch |",
        "| --- | --- | ---: | --- | ---: |",
    ]
    for folder in tqdm(list(map(Path, config.checkpoints)), unit="model"):
        content, described = export(folder, config.half)
        path = Path(config.out) / f"{folder.resolve().name}.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
        _, answer = INPUTS[preset(described.model, described.preset).kind]
        off = difference(content, folder)
        lines.append(f"| {folder} | {path} | {len(content) / 1e6:.1f} | {answer} | {off:.2g} |")
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    from train import web  # which takes export() from here

    config = run.parse_args(ExportConfig, (__doc__ or "").splitlines()[0])
    try:
        print(
            web.write(list(map(Path, config.checkpoints)), Path(config.out))
            if config.web
            else export_all(config)
        )
    except ImportError as error:
        run.fail(
            f"Nothing was exported: {error.name} is missing; `pip install -r train/requirements.txt` brings it."
        )
    except (OSError, ValueError) as error:
        run.fail(f"Nothing was exported: {error}")


if __name__ == "__main__":
    main()
