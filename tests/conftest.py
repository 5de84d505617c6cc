"""Fixtures that more than one test file needs."""

import gc
import sys
from collections import Counter
from pathlib import Path

import gradio as gr
import pytest
import torch
from starlette.testclient import TestClient

from fergan.engine import Engine
from fergan.ui import models
from tests import factory

BROWSER = Path(__file__).parent / "browser"
BROWSERS = 2  # at most, at a time: each waits as much as it works, but its tests also watch the clock

gc.disable()  # until all tests are imported, and with them the libraries: there is no garbage in those


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups, which it else does as if there were none
def pytest_collection_modifyitems(items):
    """Of several processes (`-n`) each takes whole files; those that need a browser are shared out among BROWSERS."""
    sizes = Counter(Path(item.path) for item in items)
    shares = [0] * BROWSERS
    groups = {}
    for file, size in sizes.most_common():
        groups[file] = file.stem
        if BROWSER in file.parents:
            share = shares.index(min(shares))
            shares[share] += size
            groups[file] = f"browser{share}"
    for item in items:
        item.add_marker(pytest.mark.xdist_group(groups[Path(item.path)]))


def pytest_collection_finish():
    """No search for garbage goes through the libraries again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def uploads(tmp_path_factory):
    """Each process has a folder of its own: Gradio names an upload by its content, and endpoints delete what they have read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        yield


@pytest.fixture
def refusal(monkeypatch, capsys):
    """Runs a command line that refuses -> what it says. Here, since a process of its own takes six seconds to start."""

    def refusal(main, *words):
        monkeypatch.setattr(sys, "argv", ["command", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code
        said = capsys.readouterr().err
        assert "Traceback" not in said
        return said

    return refusal


@pytest.fixture(scope="session", autouse=True)
def favourites():
    """Pages of the tests open with acgan and seed 7, whichever model and people look best just now."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "FAVOURITES", ("acgan",))
        patch.setattr(models, "SEED", 7)
        yield


@pytest.fixture
def own_cache(tmp_path_factory, monkeypatch):
    """A cache of data that no other test has seen."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FERGAN_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory):
    """A folder of a test file's own, with the cache of the data that its tests read."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERGAN_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def http(page):
    """Speaks HTTP with the test file's `page`."""
    with TestClient(gr.routes.App.create_app(page)) as client:
        yield client


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A folder of tiny checkpoints: acgan and cgan, whose faces are noise of their own, and a judge."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    for name in ("acgan", "cgan"):
        # stirred: else emotions look alike until trained
        factory.write_checkpoint(folder / name, name, by=0.3, images_seen=2_112_000, width=8)
    factory.write_checkpoint(
        folder / "judge", "classifier", "judge", images_seen=713_600, width=8, stem_stride=2
    )
    return folder


@pytest.fixture(scope="session")
def engine(weights):
    return Engine([weights], device="cpu")
