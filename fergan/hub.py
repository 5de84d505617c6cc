"""The Hugging Face Hub: fetches models, pushes models, Spaces and data sets. The only importer of huggingface_hub.

A push is one commit, so a repo holds all of it or nothing of it. What was pushed is loaded back and compared.
"""

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    errors,
    get_token,
    snapshot_download,
)
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import disable_progress_bars

from fergan import checkpoint
from fergan.card import PICTURES, write_card

Unreachable: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
"""What its HTTP library raises, httpx or another; what the Hub answers is an HfHubHTTPError, one of these."""
CARD = "README.md"
NEEDED = (checkpoint.CONFIG, checkpoint.WEIGHTS)
HISTORY = checkpoint.HISTORY
FILES = (*NEEDED, CARD, HISTORY, *PICTURES)
"""What a model's repo may hold. Other pictures of a checkpoint's folder show real faces and stay at home."""
MADE = (CARD, ".gitattributes")
"""What the Hub may put into a repo itself."""
MOST_FILES = 10_000
"""That the Hub takes in one folder of a repo."""
_REPO = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
_TAG = re.compile(r"\w[\w.-]*")
Content = bytes | Path
"""Of a file that is pushed: itself, or where it lies."""
_MAKE_TOKEN = "make one that may write at https://huggingface.co/settings/tokens and set HF_TOKEN"


def is_repo(name: str) -> bool:
    """Whether a name reads as `owner/name` or `owner/name@revision`."""
    return _REPO.fullmatch(name) is not None


def be_quiet() -> None:
    """No progress bars from here on, for a process that has one of its own."""
    disable_progress_bars()


# --- fetching ---


def fetch(repo: str) -> Path:
    """The local folder of a model repo, `owner/name[@revision]`: from the cache, else from the network.

    The pair of config and weights is loaded once, strictly: whoever takes the folder has a model.

    Raises:
        ValueError: no such repo or revision, no access, no network and nothing in the cache, or a repo that is
            no model of this house, or a broken one.
    """
    name, _, revision = repo.partition("@")
    try:
        found = _cached(name, revision, FILES)
        if found is None:
            try:
                found = _download(repo, name, revision)
            except LocalEntryNotFoundError:  # no network; without its pictures a model still runs
                found = _cached(name, revision, NEEDED)
                if found is None:
                    raise
    except GatedRepoError as error:
        raise ValueError(f"{repo} is gated: accept its terms on the Hub and set HF_TOKEN.") from error
    except RepositoryNotFoundError as error:
        raise ValueError(f"The Hub has no model {name}, or HF_TOKEN may not see it.") from error
    except RevisionNotFoundError as error:
        raise ValueError(f"{name} has no revision {revision!r}.") from error
    except LocalEntryNotFoundError as error:
        raise ValueError(f"{repo} is not in the cache and the Hub cannot be reached.") from error
    except (Unreachable, HFValidationError) as error:
        raise ValueError(f"{repo} could not be fetched: {_first_line(error)}") from error
    return _accept(repo, found, checkpoint.load)


def _cached(name: str, revision: str, files: tuple[str, ...]) -> Path | None:
    try:
        found = Path(
            snapshot_download(
                name, revision=revision or None, allow_patterns=list(files), local_files_only=True
            )
        )
    except LocalEntryNotFoundError:
        return None
    return found if all((found / file).is_file() for file in NEEDED) else None


def _download(repo: str, name: str, revision: str) -> Path:
    """config.json first: a foreign repo is refused before its weights, however large, have come."""
    asked = revision or None
    first = Path(snapshot_download(name, revision=asked, allow_patterns=[checkpoint.CONFIG]))
    _accept(repo, first, checkpoint.describe)
    return Path(snapshot_download(name, revision=asked, allow_patterns=list(FILES)))


def _accept(repo: str, folder: Path, read: Callable[[Path], object]) -> Path:
    """The folder, where `read` can read it.

    Raises:
        ValueError: it cannot; the sentence names the repo.
    """
    try:
        read(folder)
    except (FileNotFoundError, ValueError) as error:
        said = str(error).replace(str(folder), repo)
        raise ValueError(f"{said} It is no model that fergan can run (its files are in {folder}).") from error
    return folder


# --- pushing ---


def publishable(folder: Path) -> dict[str, bytes]:
    """What a push of a checkpoint's folder sends, by name. The card is written anew from config.json.

    Raises:
        FileNotFoundError, ValueError: no checkpoint there, or a broken one.
    """
    described = checkpoint.verify(folder)
    files = {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
    return files | {CARD: write_card(described, files.keys()).encode()}


def read(content: Content) -> bytes:
    """The bytes of a file that is pushed."""
    return content if isinstance(content, bytes) else content.read_bytes()


def default_tag(folder: Path) -> str:
    """Names the step and the weights, so that it says the same for ever: step-6112-4b90fb27."""
    return f"step-{checkpoint.describe(folder).step}-{checkpoint.fingerprint(folder)[:8]}"


def push(folder: Path, repo: str, *, private: bool = False, tag: str | None = None) -> str:
    """Makes the repo `owner/name` hold a checkpoint's folder, in one commit, and tags it; returns its address.

    A tag that is given must be new. The default one stays with the first commit of its weights.

    Raises:
        FileNotFoundError, ValueError: a broken checkpoint, a repo that holds something else, or whatever the
            Hub refuses, in a sentence.
    """
    files = publishable(folder)
    described = checkpoint.describe(folder)
    message = f"{described.model} {described.preset}, {described.images_seen:,} images seen"
    return _Push(MODEL, repo, files, message, private, tag, default_tag(folder)).run()


def push_space(files: Mapping[str, Content], repo: str, *, private: bool = False) -> str:
    """Makes the Gradio Space `owner/name` hold these files, in one commit; returns its address.

    Raises:
        ValueError: as `push`.
    """
    return _Push(SPACE, repo, files, "The app", private).run()


def push_static(files: Mapping[str, Content], repo: str, *, private: bool = False) -> str:
    """As `push_space`, for a page that needs no server."""
    return _Push(STATIC, repo, files, "The page", private).run()


def push_dataset(
    files: Mapping[str, Content], repo: str, default: str, *, private: bool = False, tag: str | None = None
) -> str:
    """Makes the data set `owner/name` hold these files, in one commit, and tags it; returns its address.

    `tag` is as in `push`, `default` the one where none is given.

    Raises:
        ValueError: as `push`.
    """
    return _Push(DATASET, repo, files, "Drawn faces", private, tag, default).run()


@dataclass(frozen=True)
class _Kind:
    """A kind of repo, and how one of ours is known."""

    name: str
    """model, space or dataset, as the Hub has it."""
    places: tuple[str, ...]
    """Patterns of what a push may write and clear; what else somebody put there is left alone."""
    entry: str = ""
    """Pattern of a file without which a repo is nobody's yet."""
    mark: str = ""
    """A file that says that the repo is ours."""
    sdk: str | None = None
    """Of a Space."""

    @property
    def prefix(self) -> str:
        """Of its addresses."""
        return "" if self.name == "model" else f"{self.name}s/"

    def ours(self, name: str) -> bool:
        """Whether a push writes such a file."""
        return any(fnmatchcase(name, place) for place in self.places)


MODEL = _Kind("model", FILES)
SPACE = _Kind(
    "space",
    ("app.py", "requirements.txt", CARD, "LICENSE", "fergan/*", "weights/*"),
    entry="app.py",
    mark="fergan/__init__.py",
    sdk="gradio",
)
STATIC = _Kind(
    "space",
    (CARD, "*.html", "*.js", "*.css", "*.svg", "models/*", "runtime/*"),
    entry="index.html",
    mark="facts.js",
    sdk="static",
)
DATASET = _Kind(
    "dataset", (CARD, "generate.json", ".shards/*", "train/*", "data/*"), entry="*", mark="generate.json"
)


@dataclass(frozen=True)
class _Push:
    kind: _Kind
    repo: str
    files: Mapping[str, Content]
    message: str
    private: bool
    tag: str | None = None
    """One that must be new."""
    default: str | None = None
    """The tag where none is asked for; it may be there already."""

    def run(self) -> str:
        """Whatever can be refused is refused before anything is written."""
        if not is_repo(self.repo) or "@" in self.repo:
            raise ValueError(f"A repo is named owner/name; got {self.repo!r}.")
        if self.tag is not None and not _TAG.fullmatch(self.tag):
            raise ValueError(f"A tag has letters, digits, dots and dashes; got {self.tag!r}.")
        if (token := get_token()) is None:
            raise ValueError(f"There is no token: {_MAKE_TOKEN}, or log in with `hf auth login`.")
        api = HfApi(token=token)
        with self._in_words("the token could not be checked"):
            who = str(api.whoami()["name"])
        with self._in_words("nothing was pushed", who):
            head, there = self._state(api)
            if head is None:
                api.create_repo(  # hardware: a new Space has CPUs
                    self.repo,
                    repo_type=self.kind.name,
                    private=self.private,
                    space_sdk=self.kind.sdk,
                    exist_ok=True,
                )
                head, there = self._state(api)
            gone = [name for name in there if self.kind.ours(name) and name not in self.files]
            operations = [CommitOperationAdd(name, content) for name, content in self.files.items()]
            done = api.create_commit(
                self.repo,
                [*operations, *map(CommitOperationDelete, gone)],
                commit_message=self.message,
                repo_type=self.kind.name,
                parent_commit=head,
            )
        with self._in_words("the files are there, but could not be compared and tagged; push again", who):
            self._compare(api, done.oid)
            if tag := self.tag or self.default:
                api.create_tag(
                    self.repo, tag=tag, revision=done.oid, repo_type=self.kind.name, exist_ok=not self.tag
                )
        return f"{constants.ENDPOINT}/{self.kind.prefix}{self.repo}"

    def _state(self, api: HfApi) -> tuple[str | None, list[str]]:
        """The last commit and the files of the repo; None and none where there is no repo.

        Raises:
            ValueError: it holds something else, is public where private was asked for, or has the tag.
        """
        try:
            info = api.repo_info(self.repo, repo_type=self.kind.name)
        except RepositoryNotFoundError:
            return None, []
        there = [file.rfilename for file in getattr(info, "siblings", None) or []]
        if self._is_foreign(api, info.sha, there, getattr(info, "sdk", None)):
            raise ValueError(f"{self.repo} is taken: it holds something else; choose another name.")
        if self.private and not info.private:
            raise ValueError(
                f"{self.repo} is there already and public: make it private in its settings, or push without"
                " --private."
            )
        if self.tag and self.tag in (
            ref.name for ref in api.list_repo_refs(self.repo, repo_type=self.kind.name).tags
        ):
            raise ValueError(f"{self.repo} has a tag {self.tag}, and tags stay where they are: name another.")
        return info.sha, there

    def _is_foreign(self, api: HfApi, head: str | None, there: list[str], sdk: str | None) -> bool:
        if self.kind.sdk not in (None, sdk or self.kind.sdk):
            return True
        if self.kind.mark:
            taken = [name for name in there if name not in MADE and fnmatchcase(name, self.kind.entry)]
            if self.kind.mark in there or not taken:
                return False
            # the Hub begins a static Space with a page of its own
            return self.kind is not STATIC or len(api.list_repo_commits(self.repo, repo_type="space")) > 1
        if any(name not in FILES and name != ".gitattributes" for name in there):
            return True
        if checkpoint.CONFIG not in there:
            return checkpoint.WEIGHTS in there
        with tempfile.TemporaryDirectory() as place:
            path = api.hf_hub_download(self.repo, checkpoint.CONFIG, revision=head, cache_dir=place)
            try:
                described = json.loads(Path(path).read_bytes())
            except ValueError:
                return True
        return not isinstance(described, dict) or not {"format", "emotions", "sha256"} <= described.keys()

    def _compare(self, api: HfApi, commit: str) -> None:
        """Loads what was pushed back from the Hub, past every cache.

        Raises:
            ValueError: a file that is not there, or not the same to the bit.
        """
        with tempfile.TemporaryDirectory() as place:
            found = Path(
                api.snapshot_download(
                    self.repo,
                    repo_type=self.kind.name,
                    revision=commit,
                    cache_dir=place,
                    allow_patterns=list(self.kind.places),
                )
            )
            for name, content in self.files.items():
                if not (found / name).is_file() or (found / name).read_bytes() != read(content):
                    raise ValueError(f"{self.repo}: what the Hub holds as {name} is not what was pushed.")

    @contextmanager
    def _in_words(self, state: str, who: str = "this token") -> Iterator[None]:
        """What the library raises becomes a sentence that ends with `state`, how far it came."""
        try:
            yield
        except OfflineModeIsEnabled as error:
            raise ValueError(f"HF_HUB_OFFLINE is set, so {state}: unset it.") from error
        except (Unreachable, LocalEntryNotFoundError, HFValidationError) as error:
            code = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
            owner = self.repo.partition("/")[0]
            said = {
                401: f"The Hub does not know this token: {_MAKE_TOKEN}",
                402: f"{owner} would have to pay for this {self.kind.name}, says the Hub",
                403: f"{who} may not write to {self.repo}: the token must have write permission, and the account"
                f" be {owner} or a member of it",
                409: f"{self.repo} is taken or being changed",
                412: f"Somebody else changed {self.repo} meanwhile",
            }
            if isinstance(error, LocalEntryNotFoundError) or not isinstance(error, OSError | ValueError):
                said[code] = "The Hub cannot be reached"
            words = said.get(code) or f"{self.repo}: {_first_line(error)}"
            raise ValueError(f"{words.rstrip('.')}; {state}.") from error


def _first_line(error: Exception) -> str:
    """The library's messages go on for paragraphs."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
