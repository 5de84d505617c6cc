"""The order (cache, then network) and the sentences of hub.fetch; the Hub itself is not asked."""

import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from fergan import hub


class Answer:
    """As little of an HTTP answer as the errors look at."""

    status_code, headers, text, content = 404, {}, "", b""

    def __init__(self):
        self.request = None

    def json(self):
        return {}


def failing(error, message="said the server\nin two lines"):
    try:
        return error(message, response=Answer())
    except TypeError:
        return error(message)


@pytest.fixture
def downloads(monkeypatch):
    """Replaces the library's download by a list of answers; an exception in it is raised."""
    calls, answers = [], []

    def snapshot_download(name, revision=None, allow_patterns=None, local_files_only=False):
        calls.append((name, revision, local_files_only))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    return calls, answers


def whole(folder):
    for name in hub.FILES[:2]:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("name", "due"),
    [("me/faces", True), ("me/faces@v1.0", True), ("faces", False), ("a/b/c", False), ("me/fa ces", False)],
)
def test_is_repo(name, due):
    assert hub.is_repo(name) is due


def test_the_cache_is_enough(downloads, tmp_path):
    calls, answers = downloads
    answers.append(whole(tmp_path))
    assert hub.fetch("me/faces@v1") == tmp_path
    assert calls == [("me/faces", "v1", True)]


@pytest.mark.parametrize("cached", [LocalEntryNotFoundError("nothing"), "half"])
def test_else_the_network(downloads, tmp_path, cached):
    calls, answers = downloads
    (tmp_path / "half").mkdir()
    answers += [tmp_path / "half" if cached == "half" else cached, whole(tmp_path)]
    assert hub.fetch("me/faces") == tmp_path
    assert calls == [("me/faces", None, True), ("me/faces", None, False)]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RepositoryNotFoundError, "The Hub has no model me/faces"),
        (GatedRepoError, "me/faces@v9 is gated"),
        (RevisionNotFoundError, "me/faces has no revision 'v9'"),
        (LocalEntryNotFoundError, "not in the cache and the Hub cannot be reached"),
        (HfHubHTTPError, "could not be fetched: said the server$"),
    ],
)
def test_what_fails_is_said_in_a_sentence(downloads, error, words):
    downloads[1].extend([LocalEntryNotFoundError("nothing"), failing(error)])
    with pytest.raises(ValueError, match=words):
        hub.fetch("me/faces@v9")
