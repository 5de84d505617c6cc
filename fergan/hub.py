"""The Hugging Face Hub: fetches models, pushes models and Spaces. The only importer of huggingface_hub.

A push is one commit, so a repo holds all of it or nothing of it. What was pushed is loaded back and compared.
"""

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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
SPACE = ("app.py", "requirements.txt", CARD, "LICENSE", "fergan/", "weights/")
"""Where a Space's files lie; what else somebody put there is left alone."""
_REPO = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
_TAG = re.compile(r"\w[\w.-]*")
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
    return _Push("model", repo, files, message, private, tag, default_tag(folder)).run()


def push_space(files: Mapping[str, bytes], repo: str, *, private: bool = False) -> str:
    """Makes the Gradio Space `owner/name` hold these files, in one commit; returns its address.

    Raises:
        ValueError: as `push`.
    """
    return _Push("space", repo, files, "The app", private).run()


@dataclass(frozen=True)
class _Push:
    kind: str
    """model or space."""
    repo: str
    files: Mapping[str, bytes]
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
                sdk = "gradio" if self.kind == "space" else None  # hardware: a new Space has CPUs
                api.create_repo(
                    self.repo, repo_type=self.kind, private=self.private, space_sdk=sdk, exist_ok=True
                )
                head, there = self._state(api)
            gone = [name for name in there if self._ours(name) and name not in self.files]
            operations = [CommitOperationAdd(name, content) for name, content in self.files.items()]
            done = api.create_commit(
                self.repo,
                [*operations, *map(CommitOperationDelete, gone)],
                commit_message=self.message,
                repo_type=self.kind,
                parent_commit=head,
            )
        with self._in_words("the files are there, but could not be compared and tagged; push again", who):
            self._compare(api, done.oid)
            if tag := self.tag or self.default:
                api.create_tag(
                    self.repo, tag=tag, revision=done.oid, repo_type=self.kind, exist_ok=not self.tag
                )
        return f"{constants.ENDPOINT}/{'spaces/' if self.kind == 'space' else ''}{self.repo}"

    def _state(self, api: HfApi) -> tuple[str | None, list[str]]:
        """The last commit and the files of the repo; None and none where there is no repo.

        Raises:
            ValueError: it holds something else, is public where private was asked for, or has the tag.
        """
        try:
            info = api.repo_info(self.repo, repo_type=self.kind)
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
            ref.name for ref in api.list_repo_refs(self.repo, repo_type=self.kind).tags
        ):
            raise ValueError(f"{self.repo} has a tag {self.tag}, and tags stay where they are: name another.")
        return info.sha, there

    def _is_foreign(self, api: HfApi, head: str | None, there: list[str], sdk: str | None) -> bool:
        if self.kind == "space":
            return sdk not in (None, "gradio") or ("app.py" in there and "fergan/__init__.py" not in there)
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

    def _ours(self, name: str) -> bool:
        if self.kind == "model":
            return name in FILES
        return any(name == place or (place.endswith("/") and name.startswith(place)) for place in SPACE)

    def _compare(self, api: HfApi, commit: str) -> None:
        """Loads what was pushed back from the Hub, past every cache.

        Raises:
            ValueError: a file that is not there, or not the same to the bit.
        """
        with tempfile.TemporaryDirectory() as place:
            found = Path(
                api.snapshot_download(
                    self.repo,
                    repo_type=self.kind,
                    revision=commit,
                    cache_dir=place,
                    allow_patterns=list(self.files),
                )
            )
            for name, content in self.files.items():
                if not (found / name).is_file() or (found / name).read_bytes() != content:
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
                402: f"{owner} would have to pay for this {self.kind}, says the Hub",
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
