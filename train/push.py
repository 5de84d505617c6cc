"""Share on the Hugging Face Hub: `python -m train.push weights/stargan USER/fergan-stargan`, or --space USER/fergan.

The first pushes a model, the second the page; --dataset pushes what train.generate drew, --space with --static what
train.export --web wrote. The token is HF_TOKEN's, or that of `hf auth login`.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from queue import Empty, SimpleQueue

from packaging.requirements import Requirement

from fergan import checkpoint, hub
from fergan.models import preset
from train import generate, run

ROOT = Path(__file__).resolve().parents[1]
MANY = 100
"""Files of one folder, from which on a dry run counts them."""
LEFTOVERS = (".pyc", ".pyi")  # Gradio writes .pyi files beside modules
PINS = """# Written by train.push: the very versions that the pushed page ran with, so that it runs tomorrow too. What these
# need in turn is not pinned: a Space's image brings some of it along.
# The second index has PyTorch without CUDA, which a Space without a GPU would download and never use.
--extra-index-url https://download.pytorch.org/whl/cpu
"""


@dataclass(frozen=True)
class PushConfig:
    """The words and flags of `python -m train.push`."""

    model: tuple[str, ...] = field(
        default=(), metadata={"help": "a checkpoint folder, and the repo OWNER/NAME that is to hold it"}
    )
    dataset: bool = field(
        default=False, metadata={"help": "the folder is a data set of train.generate, and so is the repo"}
    )
    tag: str = field(
        default="",
        metadata={"help": "a new tag; empty: named by the step and the weights' sha256, or by the count"},
    )
    private: bool = field(default=False, metadata={"help": "a repo that does not exist yet is made private"})
    space: str = field(default="", metadata={"help": "push the page as this Gradio Space, OWNER/NAME"})
    static: str = field(
        default="", metadata={"help": "make --space a static one, of this folder of train.export --web"}
    )
    space_folder: str = field(default="", metadata={"help": "write the Space into a new folder, to try it"})
    dry_run: bool = field(default=False, metadata={"help": "list what would go, and ask no network"})

    def __post_init__(self) -> None:
        page = bool(self.space or self.space_folder)
        if page == bool(self.model) or len(self.model) not in (0, 2):
            raise ValueError("Name a checkpoint folder and a repo OWNER/NAME, or --space, or --space-folder.")
        if page and (self.tag or self.dataset):
            raise ValueError("--tag and --dataset are for a folder and a repo; a Space has none.")
        if self.static and (not self.space or self.space_folder):
            raise ValueError("--static needs --space OWNER/NAME, and is a folder already.")
        for repo in filter(None, (self.space, *self.model[1:])):
            if not hub.is_repo(repo) or "@" in repo:
                raise ValueError(f"A repo is named OWNER/NAME; got {repo!r}.")


def push(config: PushConfig) -> str:
    """Does what the flags say, and says what came of it.

    Raises:
        FileNotFoundError, OSError, ValueError: what cannot be read, written or pushed, in a sentence.
    """
    if config.static:
        return push_static(config)
    if not config.model:
        return push_space(config)
    folder, repo = Path(config.model[0]), config.model[1]
    if config.dataset:
        return push_dataset(config, folder, repo)
    checkpoint.load(folder)  # strictly, as whoever fetches it will
    tag = config.tag or hub.default_tag(folder)
    if config.dry_run:
        return listing(hub.publishable(folder), f"{repo}, tagged {tag}", config)
    address = hub.push(folder, repo, private=config.private, tag=config.tag or None)
    return f"{address} holds {folder}, as it is here to the bit: python app.py --models weights {repo}@{tag}"


def push_dataset(config: PushConfig, folder: Path, repo: str) -> str:
    """As `push`, for drawn faces."""
    files, tag = generate.files(folder), config.tag or generate.default_tag(folder)
    fullest, many = Counter(name.rpartition("/")[0] for name in files).most_common(1)[0]
    if many > hub.MOST_FILES:
        raise ValueError(
            f"{folder / fullest} holds {many:,} files, and a folder on the Hub {hub.MOST_FILES:,} at most: draw the"
            " faces with --form parquet."
        )
    if config.dry_run:
        return listing(files, f"the data set {repo}, tagged {tag}", config)
    default = generate.default_tag(folder)
    address = hub.push_dataset(files, repo, default, private=config.private, tag=config.tag or None)
    return f"{address} holds {folder}, as it is here to the bit: load_dataset({repo!r}, revision={tag!r})"


def listing(files: Mapping[str, hub.Content], where: str, config: PushConfig) -> str:
    """What a push would send, and where; a folder of many files is a line."""
    sizes = {name: len(c) if isinstance(c, bytes) else c.stat().st_size for name, c in files.items()}
    crowds = Counter(name.rpartition("/")[0] for name in files)
    rows: dict[str, int] = {}
    for name, size in sizes.items():
        folder = name.rpartition("/")[0]
        row = f"{folder}/: {crowds[folder]:,} files" if crowds[folder] > MANY else name
        rows[row] = rows.get(row, 0) + size
    lines = [f"{size:>12,}  {name}" for name, size in rows.items()]
    total = f"{sum(sizes.values()):>12,}  bytes in {len(files):,} files"
    kind = "private, if it is new" if config.private else "public, if it is new"
    return "\n".join([*lines, total, f"would go to {where} ({kind}). Nothing was sent."])


# --- the page ---


def push_space(config: PushConfig) -> str:
    """As `push`, for the page."""
    files, said = space_files(ROOT), []
    if config.dry_run:
        return listing(files, config.space or config.space_folder, config)
    if config.space_folder:
        write_folder(files, Path(config.space_folder))
        said.append(
            f"{config.space_folder} holds the Space: pip install -r requirements.txt && python app.py there."
        )
    if config.space:
        address = hub.push_space(files, config.space, private=config.private)
        said.append(f"{address} holds the page; the Hub builds it now, which takes minutes.")
    return "\n".join(said)


def push_static(config: PushConfig) -> str:
    """As `push`, for the page that needs no server."""
    from train import web  # which takes write_folder from here

    files = web.read(Path(config.static))
    if config.dry_run:
        return listing(files, f"the static Space {config.space}", config)
    address = hub.push_static(files, config.space, private=config.private)
    return f"{address} holds {config.static}, as it is here to the bit."


def space_files(root: Path) -> dict[str, bytes]:
    """The page as a Gradio Space: exactly the app's files, by name.

    It runs on CPUs, where a face takes 4 to 8 ms. ZeroGPU has nothing to guard: the app never asks for CUDA in such
    a Space, and without a function for it ZeroGPU would not start one; hence cpu-basic in the README's head.

    Raises:
        FileNotFoundError, ValueError: no app there, a broken checkpoint, or a version that does not fit.
    """
    files = {name: (root / name).read_bytes() for name in ("app.py", "LICENSE")}
    files["requirements.txt"] = (PINS + pinned((root / "requirements.txt").read_text("utf-8"))).encode()
    files["README.md"] = space_readme((root / "README.md").read_text("utf-8")).encode()
    for path in sorted((root / "fergan").rglob("*")):
        inside = path.relative_to(root)
        hidden = any(part.startswith((".", "__pycache__")) for part in inside.parts)
        if path.is_file() and not hidden and path.suffix not in LEFTOVERS:
            files[inside.as_posix()] = path.read_bytes()
    for config in sorted((root / "weights").glob(f"*/{checkpoint.CONFIG}")):
        described = checkpoint.describe(config.parent)
        if preset(described.model, described.preset).kind != "embedder":  # of use in training alone
            for name, content in hub.publishable(config.parent).items():
                files[f"weights/{config.parent.name}/{name}"] = content
    return files


def pinned(requirements: str) -> str:
    """Requirements, a line each -> the same, each at the version that is installed here.

    Raises:
        ValueError: one that is not installed, or not in the range asked for.
    """
    lines = []
    for line in requirements.splitlines():
        if not (asked := line.partition("#")[0].strip()):
            continue
        need = Requirement(asked)
        try:
            version = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            raise ValueError(
                f"{need.name} is not installed: a Space is pinned to what runs here; install requirements.txt."
            ) from None
        if not need.specifier.contains(version, prereleases=True):
            raise ValueError(f"{need.name} {version} is installed; requirements.txt asks for {asked}.")
        lines.append(f"{need.name}=={version.partition('+')[0]}\n")  # +cpu is the index's matter
    return "".join(lines)


def space_readme(readme: str) -> str:
    """Our README -> the Space's: the head that the Hub reads, what the page is, and on what terms."""
    head, body = re.fullmatch(r"(---\n.*?\n---\n)(.*)", readme, re.DOTALL).groups()  # type: ignore[union-attr]
    first, *sections = re.split(r"^(?=## )", body, flags=re.MULTILINE)
    kept = [first, *(section for section in sections if section.startswith("## Licence"))]
    return head + re.sub(r"^!\[.*\n\n?", "", "".join(kept), flags=re.MULTILINE)  # its pictures stay here


def write_folder(files: dict[str, bytes], folder: Path) -> None:
    """Writes files by name into a folder that is new or empty.

    Raises:
        ValueError: there is something in it.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: name a new folder.")
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


# --- from a training's loop ---


@dataclass(frozen=True)
class SharingFlags(run.TrainFlags):
    """The flags of a training that can push what it keeps."""

    push_to: str = field(default="", metadata={"help": "Hub repo OWNER/NAME that gets the last checkpoint"})
    push_every: int = field(
        default=0, metadata={"help": "images between pushes of the newest kept checkpoint; 0: the last alone"}
    )
    push_private: bool = field(default=False, metadata={"help": "make the repo private, if it is new"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.push_every < 0 or (not self.push_to and (self.push_every or self.push_private)):
            raise ValueError(
                "--push-every is 0 or more, and it and --push-private need --push-to OWNER/NAME."
            )
        if self.push_to and (not hub.is_repo(self.push_to) or "@" in self.push_to):
            raise ValueError(f"--push-to takes a repo OWNER/NAME; got {self.push_to!r}.")


class Pusher:
    """Pushes checkpoints in the background: whoever trains never waits for the Hub, and never stops for it.

    The thread builds no network: that would draw from the random numbers of the training.
    """

    def __init__(self, repo: str, *, private: bool = False) -> None:
        self.repo, self.private = repo, private
        self.pushed: Path | None = None
        """The last one that is there."""
        self._notes: SimpleQueue[str] = SimpleQueue()
        self._thread: threading.Thread | None = None
        hub.be_quiet()

    def offer(self, folder: Path) -> bool:
        """Begins to push a folder; False where it is there already, or another push is under way."""
        if folder == self.pushed or (self._thread is not None and self._thread.is_alive()):
            return False
        self._thread = threading.Thread(target=self._push, args=(folder,), daemon=True)
        self._thread.start()
        return True

    def _push(self, folder: Path) -> None:
        try:
            address = hub.push(folder, self.repo, private=self.private)
        except Exception as error:  # a thread's error would be lost: whatever it is, the log gets it
            words = str(error) if isinstance(error, OSError | ValueError) else repr(error)
            self._notes.put(f"warning: {folder} was not pushed: {words}")
        else:
            self.pushed = folder
            self._notes.put(f"{address} holds {folder}")

    def notes(self) -> list[str]:
        """What came of pushes since this was last asked."""
        found = []
        while True:
            try:
                found.append(self._notes.get_nowait())
            except Empty:
                return found

    def finish(self, folder: Path, seconds: float) -> list[str]:
        """Pushes the last checkpoint, after a push that is under way; in all it waits so long and no longer."""
        until = time.monotonic() + seconds
        for last in (False, True):
            if last and not (self._thread and self._thread.is_alive()):
                self.pushed = None  # the end writes the last one anew: the Hub may have what was before
                self.offer(folder)
            if self._thread is not None:
                self._thread.join(max(0.0, until - time.monotonic()))
        unfinished = self._thread is not None and self._thread.is_alive()
        late = f"warning: the Hub took more than {seconds:g} s; go on with python -m train.push {folder} {self.repo}"
        return [*self.notes(), *[late] * unfinished]


def main() -> None:
    """The command line."""
    config = run.parse_args(PushConfig, (__doc__ or "").splitlines()[0])
    try:
        print(push(config))
    except KeyboardInterrupt:
        run.fail(
            "Interrupted. A push is one commit: all of it is there or nothing; the same command goes on."
        )
    except (OSError, ValueError) as error:
        run.fail(f"Not pushed: {error}")


if __name__ == "__main__":
    main()
