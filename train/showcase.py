"""The README's pictures of drawn faces, drawn anew: `python -m train.showcase --out tests/browser`.

Nobody in them exists: the translator's face, too, is a drawn one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from fergan import animate
from fergan.checkpoint import replace_file
from fergan.emotions import EMOTIONS, only
from fergan.engine import TYPICAL, VARIETY, Engine, Moment
from fergan.images import Pixels, enlarge, sheet
from fergan.provenance import Record, png
from train import run

ORDER = (6, 3, 5, 2, 1, 0, 4)
"""The way through the emotions: neighbours lie near each other on the wheel of the tab Mix."""
HOLD = 6  # frames that a film rests at each emotion
RATE = 15  # frames a second


@dataclass(frozen=True)
class ShowcaseConfig:
    """The flags of `python -m train.showcase`."""

    models: str = field(default="weights", metadata={"help": "folder of checkpoints"})
    generator: str = field(default="stylegan", metadata={"help": "the model of sheet and film"})
    translator: str = field(default="guided", metadata={"help": "the model of the strip"})
    before: str = field(
        default="", metadata={"help": "checkpoints of other systems, a comma between: their faces above ours"}
    )
    seeds: str = field(default="94,95,96,97,98,99,100,101", metadata={"help": "people of sheet and film"})
    face: int = field(default=99, metadata={"help": "seed of the translator's neutral face"})
    truncation: float = field(default=VARIETY, metadata={"help": "variety, 0 to 1"})
    factor: int = field(default=2, metadata={"help": "how many times larger than its pixels a face is shown"})
    out: str = field(default="tests/browser", metadata={"help": "folder of the pictures"})

    def __post_init__(self) -> None:
        if not self.people() or self.factor < 1:
            raise ValueError("--seeds names people as 7,8,9, and --factor is 1 or more.")

    def people(self) -> list[int]:
        """The seeds as numbers."""
        return [int(seed) for seed in self.seeds.split(",") if seed.strip().isdigit()]


def record(engine: Engine, model: str, config: ShowcaseConfig, **facts: object) -> Record:
    """What a picture says of itself."""
    return Record(
        model,
        {EMOTIONS[ORDER[0]]: 1.0},
        config.people()[0],
        truncation=config.truncation,
        weights=engine.fingerprint(model),
        **facts,  # type: ignore[arg-type]
    )


def people(engine: Engine, config: ShowcaseConfig) -> Image.Image:
    """A row for each emotion, a column for each person."""
    seeds, rows = config.people(), []
    for label in range(len(EMOTIONS)):
        rows.append(
            engine.generate(config.generator, [only(EMOTIONS[label])] * len(seeds), seeds, config.truncation)
        )
    return enlarge(sheet(np.concatenate(rows), columns=len(seeds)), config.factor)


def compared(config: ShowcaseConfig) -> Image.Image:
    """Happy and angry people as each of the other systems draws them, then as ours does."""
    seeds, labels = config.people(), [EMOTIONS.index(name) for name in ("happy", "angry")]
    rows = []
    for folder in (*config.before.split(","), f"{config.models}/{config.generator}"):
        engine = Engine([folder])
        if len(engine.generators) != 1:
            raise ValueError(f"--before names checkpoints of one generator each; {folder} is none.")
        name = engine.generators[0]
        variety = config.truncation if name == config.generator else 1.0  # theirs know none
        rows += [
            engine.generate(name, [only(EMOTIONS[label])] * len(seeds), seeds, variety) for label in labels
        ]
    return enlarge(sheet(np.concatenate(rows), columns=len(seeds)), config.factor)


def together(films: Sequence[Iterator[Pixels]], columns: int) -> Iterator[Pixels]:
    """Films of equal length, side by side."""
    for faces in zip(*films, strict=True):
        yield np.asarray(sheet(np.stack(faces), columns))


def resting(frames: Iterator[Pixels], steps: int) -> Iterator[Pixels]:
    """A film that stays a while at each moment, which are `steps` frames apart."""
    for place, frame in enumerate(frames):
        yield from [frame] * (HOLD if place % steps == 0 else 1)


def film(engine: Engine, config: ShowcaseConfig, steps: int = 8) -> bytes:
    """All people at once through all emotions, as WebP."""
    seeds = config.people()
    ways = [[Moment(only(EMOTIONS[label]), seed, config.truncation) for label in ORDER] for seed in seeds]
    films = [engine.animate(config.generator, way, steps) for way in ways]
    columns = (len(seeds) + 1) // 2
    moments = tuple(
        Record(config.generator, {EMOTIONS[label]: 1.0}, seeds[0], len(seeds), config.truncation)
        for label in ORDER
    )
    told = record(engine, config.generator, config, count=len(seeds), moments=moments)
    frames = tqdm(
        resting(together(films, columns), steps), "film", len(ORDER) * (steps + HOLD - 1), leave=False
    )
    width = min(config.factor * (50 * columns - 2), animate.WIDEST)
    return animate.encode(iter(frames), "webp", told, width, RATE)


def drawn(engine: Engine, config: ShowcaseConfig) -> Pixels:
    """The neutral face that is translated, uint8 [1, H, W]: a plain one, as the page's own examples are."""
    return engine.generate(config.generator, [only("neutral")], [config.face], TYPICAL)


def strip(engine: Engine, config: ShowcaseConfig) -> Image.Image:
    """The face as it was drawn, then what a translator makes of it: its six other emotions."""
    face, asked = drawn(engine, config), [label for label in ORDER if EMOTIONS[label] != "neutral"]
    six = [engine.translate_faces(config.translator, face, [only(EMOTIONS[label])], [1.0]) for label in asked]
    return enlarge(sheet(np.concatenate([face, *six]), columns=7), 2 * config.factor)


def turning(engine: Engine, config: ShowcaseConfig, steps: int = 8) -> bytes:
    """The six there and back again, side by side, as GIF."""
    face, asked = drawn(engine, config), [label for label in ORDER if EMOTIONS[label] != "neutral"]

    def way(label: int) -> Iterator[Pixels]:
        shares = [(1 - np.cos(np.pi * step / steps)) / 2 for step in range(steps + 1)]
        for share in [0.0] * HOLD + shares + [1.0] * HOLD + shares[-2:0:-1]:
            yield engine.translate_faces(config.translator, face, [only(EMOTIONS[label])], [share])[0]

    frames = together([way(label) for label in asked], columns=len(asked))
    told = record(engine, config.translator, config, edited=(1.0, len(asked)))
    return animate.encode(frames, "gif", told, config.factor * (50 * len(asked) - 2), RATE)


def write(config: ShowcaseConfig) -> str:
    """Draws what the models can; says what was written.

    Raises:
        ValueError, FileNotFoundError: a model that is not there or cannot do it, in a sentence.
    """
    engine, out = Engine([config.models]), Path(config.out)
    told = record(engine, config.generator, config, count=len(config.people()))
    files = {"people.png": png(people(engine, config), told), "film.webp": film(engine, config)}
    if config.before:
        files["before.png"] = png(compared(config), told)
    if config.translator in engine.translators:
        edited = record(engine, config.translator, config, edited=(1.0, 6))
        files["strip.png"] = png(strip(engine, config), edited)
        files["turning.gif"] = turning(engine, config)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        replace_file(out / name, content)
    return "\n".join(f"{out / name}: {len(content) / 1000:,.0f} kB" for name, content in files.items())


def main() -> None:
    """The command line."""
    run.measure(ShowcaseConfig, (__doc__ or "").splitlines()[0], write, "Nothing was drawn")


if __name__ == "__main__":
    main()
