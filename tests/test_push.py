"""train.push as a user runs it: dry runs, sentences, the Space."""

import re
import shutil
import sys

import pytest

from fergan import checkpoint, hub
from tests import fake_hub
from train import push

REPO = "tester/faces"


@pytest.fixture
def server(monkeypatch, tmp_path):
    with fake_hub.serving(monkeypatch, tmp_path) as server:
        yield server


@pytest.fixture
def folder(weights, tmp_path):
    folder = shutil.copytree(weights / "acgan", tmp_path / "acgan")
    (folder / "neighbours.png").write_bytes(b"real faces")
    return folder


def command(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["train.push", *map(str, words)])
    push.main()


def test_a_model_goes_and_the_last_line_says_how_to_run_it(server, folder, monkeypatch, capsys):
    command(monkeypatch, folder, REPO, "--tag", "v1", "--private")
    assert server.repos["model", REPO].private
    assert capsys.readouterr().out.endswith(f"python app.py --models weights {REPO}@v1\n")
    assert hub.fetch(f"{REPO}@v1")


@pytest.mark.parametrize("token", ["good", ""])
def test_a_dry_run_lists_and_asks_nobody(server, folder, monkeypatch, capsys, token):
    monkeypatch.setenv("HF_TOKEN", token)
    command(monkeypatch, folder, REPO, "--dry-run")
    printed = capsys.readouterr().out
    size = (folder / "model.safetensors").stat().st_size
    assert re.search(rf"^ +{size:,}  model.safetensors$", printed, re.MULTILINE)
    assert "neighbours.png" not in printed
    assert f"{REPO}, tagged step-0-{checkpoint.fingerprint(folder)[:8]} (public" in printed
    command(monkeypatch, "--space", REPO, "--dry-run", "--private")
    assert "fergan/ui/static/fergan.css" in capsys.readouterr().out
    assert server.requests == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["weights/acgan"],
        ["a", "b/c", "d"],
        ["weights/acgan", "no-owner"],
        ["weights/acgan", "me/faces@v1"],
        ["weights/acgan", "me/faces", "--space", "me/page"],
        ["--space", "page"],
        ["--space", "me/page", "--tag", "v1"],
        ["--space", "me/page", "--dataset"],
        ["--static", "site"],
        ["weights/acgan", "me/faces", "--static", "site"],
        ["--space", "me/page", "--static", "site", "--space-folder", "here"],
    ],
)
def test_words_that_make_no_sense_end_with_usage(monkeypatch, capsys, words):
    with pytest.raises(SystemExit) as refusal:
        command(monkeypatch, *words)
    assert refusal.value.code == 2
    assert "usage: " in capsys.readouterr().err


def test_what_goes_wrong_is_one_sentence(server, folder, monkeypatch, capsys):
    def refused(words, *arguments):
        with pytest.raises(SystemExit) as refusal:
            command(monkeypatch, *arguments)
        assert refusal.value.code == 1
        assert re.fullmatch(words + r"\n", capsys.readouterr().err)

    refused("Not pushed: .*holds no config.json.*", folder / "none", REPO)
    server.fail("/commit/", KeyboardInterrupt())
    refused("Interrupted. A push is one commit.*", folder, REPO)
    server.lose_network()
    refused("Not pushed: The Hub cannot be reached.*", folder, REPO)
    monkeypatch.setenv("HF_TOKEN", "")
    refused("Not pushed: There is no token.*", folder, REPO)
    (folder / "model.safetensors").write_bytes(b"torn")
    refused("Not pushed: .*do not belong together.*", folder, REPO)
    assert server.repos["model", REPO].files == fake_hub.NEW
