"""A run's curves beside its pictures: history.json for the page, curves.png for whoever trains.

`python -m train.history runs/acgan weights/acgan` makes them for weights that were trained before there were any.
"""

import argparse
import io
import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from fergan import checkpoint
from fergan.checkpoint import EVOLUTION, HISTORY, replace_file

CURVES = "curves.png"
POINTS = 300
"""Points of a curve, at most: more would show no more on a page."""
NOT_ITS_OWN = ("images_seen", "images_per_second")
"""Numbers of a log that say nothing of the networks."""
HUB = "hub"
"""What a note is about that concerns a push alone: it stays at home."""
PANELS = {"losses": ("d_loss", "g_loss"), "diversity, and share of twins": ("diversity", "twins")}
"""The parts of curves.png, each with its curves."""
Point = tuple[int, float]


def history(
    log: Iterable[Mapping[str, Any]], frames: Iterable[int], until: float = math.inf
) -> dict[str, Any]:
    """Lines of a log.jsonl, and the images seen at each page of an evolution -> what history.json holds.

    `frames`: images seen, page by page. `curves`: for each name of the log points [images seen, value], at most
    POINTS. `notes`: [images seen, words]. Nothing is taken from after `until` images.
    """
    curves: dict[str, list[Point]] = {}
    notes: list[tuple[int, str]] = []
    for line in log:
        seen = line["images_seen"]
        if seen > until:
            continue
        if "note" in line:
            if line.get("about") != HUB:
                notes.append((seen, line["note"]))
            continue
        for name, value in line.items():
            if name not in NOT_ITS_OWN:
                curves.setdefault(name, []).append((seen, value))
    return {
        "frames": [seen for seen in frames if seen <= until],
        "curves": {name: thin(points) for name, points in curves.items()},
        "notes": notes,
    }


def together(runs: Mapping[str, Path]) -> list[dict[str, Any]]:
    """The logs of runs by name, trained alike but each on faces of its own -> one log, in order of images seen.

    Its numbers are means over the runs at equal images seen by each, where all of them logged that number: images
    of one run, not of all. Its notes are theirs, with the run's name before them.

    Raises:
        ValueError: as `lines`.
    """
    logs = {name: lines(run) for name, run in runs.items()}
    numbers = [{line["images_seen"]: line for line in log if "note" not in line} for log in logs.values()]
    joined = []
    for seen in set.intersection(*map(set, numbers)):
        each = [log[seen] for log in numbers]
        names = [name for name in each[0] if all(name in line for line in each)]
        joined.append({name: sum(line[name] for line in each) / len(each) for name in names})
        joined[-1]["images_seen"] = seen
    for name, log in logs.items():
        joined += [{**line, "note": f"{name}: {line['note']}"} for line in log if "note" in line]
    return sorted(joined, key=lambda line: line["images_seen"])


def thin(points: list[Point], most: int = POINTS) -> list[Point]:
    """At most so many points: each the mean of as many neighbours, the last perhaps of fewer."""
    each = max(1, math.ceil(len(points) / most))
    groups = (points[start : start + each] for start in range(0, len(points), each))
    return [
        (round(sum(seen for seen, _ in group) / len(group)), _short(sum(v for _, v in group) / len(group)))
        for group in groups
    ]


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def draw(told: Mapping[str, Any]) -> bytes:
    """A history -> PNG: losses above, diversity and twins below, a dotted line at each note."""
    panels = {title: names for title, names in PANELS.items() if told["curves"].keys() & set(names)}
    figure = Figure(figsize=(8, 2.6 * max(1, len(panels))), layout="constrained")
    plots = figure.subplots(max(1, len(panels)), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, names) in zip(plots, panels.items(), strict=False):
        for name, style in zip(names, ("-", "--"), strict=True):
            if points := told["curves"].get(name):
                axes.plot([seen for seen, _ in points], [value for _, value in points], style, label=name)
        for seen, _ in told["notes"]:
            axes.axvline(seen, color="grey", linewidth=1, linestyle=":")
        axes.set_title(title, loc="left")
        axes.legend(loc="upper right")
    figure.axes[-1].set_xlabel("images seen")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def lines(run: Path) -> list[dict[str, Any]]:
    """A run's log.jsonl; nothing where it has none.

    Raises:
        ValueError: lines that are not JSON.
    """
    path = run / "log.jsonl"
    written = path.read_text("utf-8").splitlines() if path.is_file() else []
    try:
        return [json.loads(line) for line in written]
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}.") from error


def frame(run: Path, seen: int) -> Path:
    """The file of the grid that a run draws at so many images seen."""
    return run / "frames" / f"{seen:010d}.png"


def frames(run: Path) -> list[int]:
    """The images seen at each grid of a run."""
    return sorted(int(picture.stem) for picture in (run / "frames").glob("*.png"))


def read(run: Path, until: float = math.inf) -> dict[str, Any]:
    """The history of a run's folder, as far as `until` images seen; empty of what it has not logged.

    Raises:
        ValueError: as `lines`.
    """
    return history(lines(run), frames(run), until)


def encoded(told: Mapping[str, Any]) -> bytes:
    """A history as its file."""
    return (json.dumps(told, separators=(",", ":")) + "\n").encode()


def make(run: Path, folder: Path) -> str:
    """Writes the history of a checkpoint that came of a run, where the evolution beside it is that run's too.

    Returns:
        What was written, for a person.

    Raises:
        FileNotFoundError, ValueError: no such run or checkpoint, or an evolution of another run.
    """
    if not (run / "log.jsonl").is_file():
        raise FileNotFoundError(f"{run} holds no log.jsonl: name the folder of a run.")
    told = read(run, checkpoint.describe(folder).images_seen)
    if (folder / EVOLUTION).is_file():
        with Image.open(folder / EVOLUTION) as film:
            pages = getattr(film, "n_frames", 1)
        if pages != len(told["frames"]):
            raise ValueError(
                f"{folder / EVOLUTION} has {pages} pages, and {run} drew {len(told['frames'])} until then: they are"
                " of two trainings."
            )
    replace_file(folder / HISTORY, encoded(told))
    replace_file(run / CURVES, draw(told))
    points = max(map(len, told["curves"].values()), default=0)
    return f"{folder / HISTORY}: {len(told['frames'])} pages, {len(told['curves'])} curves of up to {points} points."


def main(arguments: list[str] | None = None) -> int:
    """1, and a sentence on stderr, where it cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m train.history", description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder: its log.jsonl and its frames")
    parser.add_argument("checkpoint", type=Path, help="the folder of a checkpoint that came of it")
    options = parser.parse_args(arguments)
    try:
        print(make(options.run, options.checkpoint))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
