"""Draw a labelled data set of faces: `python -m train.generate weights/acgan --count 100000 --out faces`.

Faces come in shards. `accelerate launch` shares them out over processes and machines that see one folder, and
whoever starts the command again goes on where it was broken off: a face is its seed and emotion, whoever draws it.
"""

import dataclasses
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from fergan import checkpoint, provenance
from fergan.checkpoint import Checkpoint, replace_file
from fergan.emotions import EMOTIONS, one_hot
from fergan.images import to_array
from fergan.models import draw_noise, preset
from train import run

BATCH = 256
ORDER = "generate.json"
"""What was asked for: another order needs another folder."""
KEPT = ("count", "form", "seed", "shard")
"""The flags that are part of an order."""
CARD = "README.md"
Face = tuple[int, int, bytes]
"""Seed, label, PNG; as every picture that leaves the house it says what it is."""


@dataclass(frozen=True)
class GenerateConfig:
    """The words and flags of `python -m train.generate`."""

    checkpoints: tuple[str, ...] = field(
        default=(), metadata={"help": "checkpoint folder of the generator that draws"}
    )
    count: int = field(default=10_000, metadata={"help": "faces in all, as many of each emotion"})
    out: str = field(default="faces", metadata={"help": "folder of the data set"})
    form: str = field(
        default="folders",
        metadata={"help": "folders (train/<emotion>/<seed>.png) or parquet (as the Hub's datasets)"},
    )
    seed: int = field(default=0, metadata={"help": "of the first face; the others count up"})
    shard: int = field(default=5_000, metadata={"help": "faces that are drawn and written at once"})
    cpu: bool = field(default=False, metadata={"help": "the CPU even where there is a GPU"})

    def __post_init__(self) -> None:
        if len(self.checkpoints) != 1:
            raise ValueError(f"Name one checkpoint folder; got {len(self.checkpoints)}.")
        if self.form not in WRITERS:
            raise ValueError(f"--form is {' or '.join(WRITERS)}; got {self.form!r}.")
        if min(self.count, self.shard) < 1 or self.seed < 0:
            raise ValueError("--count and --shard must be 1 or more, --seed 0 or more.")

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-self.count // self.shard)

    def seeds(self, shard: int) -> range:
        """The faces of one shard."""
        first = shard * self.shard
        return range(self.seed + first, self.seed + min(first + self.shard, self.count))


def write_folders(folder: Path, config: GenerateConfig, shard: int, faces: list[Face]) -> None:
    """PNGs in a folder for each emotion, as train.gan reads them; then a table, which says that all are there."""
    rows = ["file,emotion,seed"]
    for seed, label, content in faces:
        name = f"train/{EMOTIONS[label]}/{seed:08d}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)  # a broken one is drawn anew: its shard is not yet done
        rows.append(f"{name},{EMOTIONS[label]},{seed}")
    replace_file(done(folder, config, shard), ("\n".join(rows) + "\n").encode())


def write_parquet(folder: Path, config: GenerateConfig, shard: int, faces: list[Face]) -> None:
    """One table with the columns image, label and seed, and the features that `datasets` reads from it."""
    import pyarrow
    from pyarrow import parquet

    features = {
        "image": {"_type": "Image"},
        "label": {"names": list(EMOTIONS), "_type": "ClassLabel"},
        "seed": {"dtype": "int64", "_type": "Value"},
    }
    table = pyarrow.table(
        {
            "image": [{"bytes": content, "path": f"{seed:08d}.png"} for seed, _, content in faces],
            "label": pyarrow.array([label for _, label, _ in faces], pyarrow.int64()),
            "seed": pyarrow.array([seed for seed, _, _ in faces], pyarrow.int64()),
        }
    )
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    replace_file(done(folder, config, shard), buffer.getvalue())


WRITERS: dict[str, Callable[[Path, GenerateConfig, int, list[Face]], None]] = {
    "folders": write_folders,
    "parquet": write_parquet,
}


def done(folder: Path, config: GenerateConfig, shard: int) -> Path:
    """The file that says that a shard is whole; of parquet the shard itself."""
    if config.form == "folders":
        return folder / ".shards" / f"{shard:05d}.csv"  # hidden from who reads emotions' folders
    return folder / "data" / f"train-{shard:05d}-of-{config.shards:05d}.parquet"


class Painter:
    """A generator that draws faces by seed, each emotion in its turn."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        """Loads it.

        Raises:
            FileNotFoundError, ValueError: a broken checkpoint, or one that draws nothing.
        """
        self.described, network = checkpoint.load(folder)
        if preset(self.described.model, self.described.preset).kind != "generator":
            raise ValueError(f"{folder} draws no faces: name a generator.")
        self.config = self.described.build_config()
        known = getattr(self.config, "emotions", ",".join(EMOTIONS)).split(",")
        self.labels = [EMOTIONS.index(name) for name in known]
        self.network, self.device = network.to(device).eval(), device
        self.name, self.weights = folder.resolve().name, checkpoint.fingerprint(folder)

    def label(self, seed: int) -> int:
        """Which emotion a seed shows: they take turns, so that there are as many of each."""
        return self.labels[seed % len(self.labels)]

    @torch.inference_mode()
    def draw(self, seeds: range) -> list[Face]:
        """The faces of some seeds."""
        faces: list[Face] = []
        for start in range(0, len(seeds), BATCH):
            part = seeds[start : start + BATCH]
            labels = torch.tensor([self.label(seed) for seed in part])
            noise: Tensor = draw_noise(list(part), self.config.noise_dim)
            drawn = to_array(self.network(noise.to(self.device), one_hot(labels).to(self.device)))
            for seed, label, pixels in zip(part, labels.tolist(), drawn, strict=True):
                record = provenance.Record(self.name, {EMOTIONS[label]: 1.0}, seed, weights=self.weights)
                faces.append((seed, label, provenance.png(Image.fromarray(pixels), record)))
        return faces


def order(config: GenerateConfig, described: Checkpoint) -> dict[str, Any]:
    """What makes two data sets the same one."""
    asked = dataclasses.asdict(config)
    kept = {name: asked[name] for name in KEPT}
    weights = checkpoint.fingerprint(Path(config.checkpoints[0]))
    return {"model": described.model, "preset": described.preset, "weights": weights, **kept}


def card(config: GenerateConfig, painter: Painter) -> str:
    """The data set's README, with the metadata that the Hub reads."""
    names = [EMOTIONS[label] for label in painter.labels]
    told = painter.described
    count = {name: 0 for name in names}
    for place in range(config.seed, config.seed + config.count):
        count[EMOTIONS[painter.label(place)]] += 1
    rows = "\n".join(f"| {name} | {number:,} |" for name, number in count.items())
    size = told.config.get("image_size", 48)
    places = "train/*/*.png" if config.form == "folders" else "data/*.parquet"
    return f"""---
task_categories: [image-classification]
annotations_creators: [machine-generated]
size_categories: [{size_category(config.count)}]
tags: [synthetic, faces, emotion]
configs: [{{"config_name": "default", "data_files": [{{"split": "train", "path": "{places}"}}]}}]
license: other
license_name: research-only
pretty_name: Drawn faces that show an emotion
---
# {config.count:,} drawn faces of {size}x{size}

Nobody shown exists: the model {told.model} ({told.preset} preset, {told.images_seen:,} images of FER2013 seen, weights
`{checkpoint.fingerprint(Path(config.checkpoints[0]))}`) drew each from a seed, {config.seed} to {config.seed + config.count - 1}.
The label is the emotion that was asked for; how often a classifier reads it back, and how far the faces are from real
ones, stands in the model's card.

| emotion | faces |
| --- | ---: |
{rows}

`{run.command("train.generate", config, *config.checkpoints)}`

FER2013's labels are a guess from a posed picture and its people those of an image search of 2013; what a network
learnt from them, these faces repeat. For research and demonstration alone, not to deceive nor to judge anyone.
"""


def size_category(count: int) -> str:
    """The Hub's word for so many rows."""
    edges = {1_000: "1K", 10_000: "10K", 100_000: "100K", 1_000_000: "1M", 10_000_000: "10M"}
    below = [name for edge, name in edges.items() if count >= edge]
    above = [name for edge, name in edges.items() if count < edge]
    if not below:
        return f"n<{above[0]}"
    return f"{below[-1]}<n<{above[0]}" if above else f"n>{below[-1]}"


def files(folder: Path) -> dict[str, Path]:
    """The files of a data set that is whole, by name; what else lies in its folder is not among them.

    Raises:
        ValueError: no data set, or faces that are not drawn yet.
    """
    try:
        asked = json.loads((folder / ORDER).read_text("utf-8"))
        config = GenerateConfig((asked["weights"],), **{name: asked[name] for name in KEPT})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder} holds no data set of train.generate: {ORDER} is not there or torn."
        ) from error
    found = [folder / CARD, folder / ORDER, *(done(folder, config, shard) for shard in range(config.shards))]
    missing = sum(not path.is_file() for path in found)
    if config.form == "folders":
        drawn = {path.stem: path for path in folder.glob("train/*/*.png")}
        due = [f"{seed:08d}" for seed in range(config.seed, config.seed + config.count)]
        found += [drawn[name] for name in due if name in drawn]
        missing += sum(name not in drawn for name in due)
    if missing:
        raise ValueError(
            f"{folder} is not whole, {missing:,} files are missing: draw on with train.generate."
        )
    return {path.relative_to(folder).as_posix(): path for path in found}


def default_tag(folder: Path) -> str:
    """Names the count and the order, so that it says the same for ever: faces-100000-4b90fb27."""
    order = (folder / ORDER).read_bytes()
    return f"faces-{json.loads(order)['count']}-{hashlib.sha256(order).hexdigest()[:8]}"


def generate(config: GenerateConfig, state: PartialState) -> str:
    """Draws the shards that are not there yet, this process's share of them.

    Raises:
        OSError, ValueError: a folder of another order, a broken checkpoint, or what cannot be written.
    """
    painter, folder = Painter(Path(config.checkpoints[0]), state.device), Path(config.out)
    asked = json.dumps(order(config, painter.described), indent=2) + "\n"
    place = folder / ORDER
    if place.is_file() and place.read_text("utf-8") != asked:
        raise ValueError(f"{folder} holds another data set (see {place}): name another folder with --out.")
    if state.is_main_process:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(place, asked.encode())
        replace_file(folder / CARD, card(config, painter).encode())
    state.wait_for_everyone()
    mine = range(state.process_index, config.shards, state.num_processes)
    left = [shard for shard in mine if not done(folder, config, shard).is_file()]
    with tqdm(total=sum(len(config.seeds(shard)) for shard in left), unit="face") as bar:
        for shard in left:
            done(folder, config, shard).parent.mkdir(parents=True, exist_ok=True)
            WRITERS[config.form](folder, config, shard, painter.draw(config.seeds(shard)))
            bar.update(len(config.seeds(shard)))
    state.wait_for_everyone()
    whole = sum(done(folder, config, shard).is_file() for shard in range(config.shards))
    return f"{folder} holds {whole} of {config.shards} shards, {config.count:,} faces when all are there."


def main() -> None:
    """The command line."""
    config = run.parse_args(GenerateConfig, (__doc__ or "").splitlines()[0])
    state = PartialState(cpu=config.cpu)
    try:
        said = generate(config, state)
    except ImportError as error:
        run.fail(f"Nothing was drawn: {error.name} is missing; `pip install {error.name}` brings it.")
    except (OSError, ValueError) as error:
        run.fail(f"Faces were not all drawn: {error}")
    except KeyboardInterrupt:
        run.fail(f"Stopped; the same command goes on from the shards in {config.out}.")
    state.print(said)


if __name__ == "__main__":
    main()
