"""train.push --space as a user runs it: the page as a Space, and its folder by itself."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest
import torch
from huggingface_hub import metadata_load

from fergan import checkpoint, hub
from tests import fake_hub
from tests.test_architecture import imported
from tests.test_push import REPO, command, server  # noqa: F401 - fixtures
from train import push

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def space():
    return push.space_files(ROOT)


def test_a_space_has_exactly_what_the_app_needs(space):
    tops = {name.split("/")[0] for name in space}
    assert tops == {"app.py", "LICENSE", "README.md", "requirements.txt", "fergan", "weights"}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "fergan").rglob("*.py")}
    assert modules <= space.keys()
    assert {name.rpartition("/")[2] for name in space if name.startswith("weights/")} <= set(hub.FILES)
    assert "weights/acgan/model.safetensors" in space
    assert not [name for name in space if name.endswith(push.LEFTOVERS) or "/." in name]
    for name in ("neighbours.png", "translated.png"):
        assert not [found for found in space if found.endswith(name)]


def test_embedders_and_real_faces_stay_at_home(tmp_path, weights):
    (tmp_path / "fergan").mkdir()
    for name in ("app.py", "LICENSE", "requirements.txt"):
        (tmp_path / name).touch()
    (tmp_path / "README.md").write_text("---\nsdk: gradio\n---\n")
    shutil.copytree(weights / "judge", tmp_path / "weights" / "judge")
    for name in ("neighbours.png", "translated.png"):  # real faces, which a clone does not have
        (tmp_path / "weights" / "judge" / name).write_bytes(b"real faces")
    described = checkpoint.Checkpoint("identity", "simclr", {})
    checkpoint.save(tmp_path / "weights" / "identity", described, {"w": torch.zeros(1)})
    found = push.space_files(tmp_path)
    assert {name for name in found if name.startswith("weights/")} == {
        f"weights/judge/{name}" for name in ("README.md", "config.json", "model.safetensors")
    }


def test_a_readme_is_utf_8_whatever_the_machine_reads(tmp_path, monkeypatch):
    monkeypatch.setattr("io.text_encoding", lambda encoding, stacklevel=2: encoding or "cp1252")
    for name in ("app.py", "LICENSE"):
        (tmp_path / name).touch()
    (tmp_path / "requirements.txt").write_bytes("# Gau\u00df\nnumpy\n".encode())
    (tmp_path / "README.md").write_bytes("---\nemoji: \U0001f642\n---\n".encode())
    assert push.space_files(tmp_path)["README.md"] == (tmp_path / "README.md").read_bytes()


def test_versions_are_pinned_to_what_runs_here(space):
    lines = [line for line in space["requirements.txt"].decode().splitlines() if line[0] not in "#-"]
    asked = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line[0] != "#"]
    assert len(lines) == len(asked)
    assert f"torch=={torch.__version__.partition('+')[0]}" in lines
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in lines)
    with pytest.raises(ValueError, match="pytest .* is installed; requirements.txt asks for pytest<1"):
        push.pinned("pytest<1  # older than anything")
    with pytest.raises(ValueError, match="no-such-thing is not installed"):
        push.pinned("# a comment\n\nno-such-thing>=1\n")


def test_a_space_imports_what_its_requirements_name_and_nothing_else(space, tmp_path):
    push.write_folder(space, tmp_path / "page")
    own = {"app", *(path.name for path in (tmp_path / "page").iterdir() if path.is_dir())}
    found = {name.partition(".")[0] for path in (tmp_path / "page").rglob("*.py") for name in imported(path)}
    brought = metadata.packages_distributions()
    foreign = found - own - sys.stdlib_module_names - {"spaces"}  # the hardware ZeroGPU brings it
    needed = {brought[name][0].lower().replace("_", "-") for name in foreign}
    lines = [line for line in space["requirements.txt"].decode().splitlines() if line[0] not in "#-"]
    assert needed == {line.partition("==")[0] for line in lines}


def test_a_space_needs_no_gpu_and_brings_its_models(space, tmp_path):
    """Weights are in it, so that nothing is fetched when it starts."""
    push.write_folder(space, tmp_path / "page")
    bundled = sorted((tmp_path / "page" / "weights").iterdir())
    assert all(checkpoint.load(folder) for folder in bundled)
    assert {"acgan", "judge"} <= {folder.name for folder in bundled}
    head = metadata_load(tmp_path / "page" / "README.md")
    assert "zero" not in head["suggested_hardware"]


def test_the_spaces_readme_is_a_head_that_the_hub_reads(space, tmp_path):
    (tmp_path / "README.md").write_bytes(space["README.md"])
    head = metadata_load(tmp_path / "README.md")
    assert (head["sdk"], head["app_file"], head["suggested_hardware"]) == ("gradio", "app.py", "cpu-basic")
    assert f"gradio=={head['sdk_version']}\n" in space["requirements.txt"].decode()
    assert len(head["short_description"]) < 60
    body = space["README.md"].decode()
    assert "# fergan" in body
    assert "## Licence and terms" in body
    assert "](tests/" not in body
    assert "## Train" not in body


def test_a_space_goes_and_comes_back(server, space, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(push, "ROOT", ROOT)
    command(monkeypatch, "--space", "tester/page", "--space-folder", tmp_path / "page")
    assert server.repos["space", "tester/page"].files == {**fake_hub.NEW, **space}
    assert "https://huggingface.co/spaces/tester/page holds the page" in capsys.readouterr().out
    written = [path for path in (tmp_path / "page").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "page").as_posix(): path.read_bytes() for path in written} == space
    with pytest.raises(SystemExit):
        command(monkeypatch, "--space-folder", tmp_path / "page")
    assert "is not empty" in capsys.readouterr().err


def test_the_folder_runs_by_itself(space, tmp_path):
    push.write_folder(space, tmp_path / "page")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    page = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)],
        cwd=tmp_path / "page",
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert page.stdout.readline() == f"fergan is at http://127.0.0.1:{port}/\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert json.load(answer) == {"ok": True}
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/?view=stage&__theme=dark") as answer:
            # what would keep another page from showing this one in a frame
            assert answer.headers.get("X-Frame-Options") is None
            assert "frame-ancestors" not in answer.headers.get("Content-Security-Policy", "")
    finally:
        page.terminate()
        page.wait()
        page.stdout.close()
