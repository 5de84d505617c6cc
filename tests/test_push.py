"""train.push as a user runs it: dry runs, sentences, the Space."""

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
from huggingface_hub import DatasetCard, metadata_load, snapshot_download

from fergan import checkpoint, hub
from tests import fake_hub
from tests.test_architecture import imported
from tests.test_generate import Process
from train import generate, push, web

ROOT = Path(__file__).resolve().parents[1]
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


# --- the command ---


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


# --- the Space ---


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


def test_embedders_stay_at_home(tmp_path, weights):
    (tmp_path / "fergan").mkdir()
    for name in ("app.py", "LICENSE", "requirements.txt"):
        (tmp_path / name).touch()
    (tmp_path / "README.md").write_text("---\nsdk: gradio\n---\n")
    shutil.copytree(weights / "judge", tmp_path / "weights" / "judge")
    described = checkpoint.Checkpoint("identity", "simclr", {})
    checkpoint.save(tmp_path / "weights" / "identity", described, {"w": torch.zeros(1)})
    found = push.space_files(tmp_path)
    assert {name.split("/")[1] for name in found if name.startswith("weights/")} == {"judge"}


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


# --- drawn faces, and the page without a server ---


@pytest.fixture(scope="module")
def drawn(weights, tmp_path_factory):
    """Data sets of 31 faces, by form."""
    found = {}
    for form in generate.WRITERS:
        out = tmp_path_factory.mktemp(form) / "faces"
        asked = {"count": 31, "shard": 10, "out": str(out), "form": form}
        generate.generate(generate.GenerateConfig((str(weights / "acgan"),), **asked), Process())
        (out / "notes.txt").write_text("mine")
        found[form] = out
    return found


@pytest.fixture(scope="module")
def static(weights, tmp_path_factory):
    """What train.export --web writes, over a runtime and a network that are none: test_web.py has the real one."""
    out = tmp_path_factory.mktemp("static") / "page"
    runtime = {name: f"// {name}".encode() for name in web.PARTS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web.export, "export", lambda folder, half: (b"onnx", checkpoint.describe(folder)))
        push.write_folder(web.page([weights / "acgan"], runtime), out)
    (out / ".hidden").write_text("mine")
    return out


@pytest.fixture(params=["folders", "parquet", "static"])
def shared(request, drawn, static, tmp_path):
    """(kind of repo, a copy of a folder, the words that push it, the files that go)."""
    if request.param == "static":
        folder = shutil.copytree(static, tmp_path / "mine")
        return "space", folder, ["--space", REPO, "--static", folder], {**web.read(static)}
    folder = shutil.copytree(drawn[request.param], tmp_path / "mine")
    due = {name: path.read_bytes() for name, path in generate.files(folder).items()}
    return "dataset", folder, ["--dataset", folder, REPO], due


def test_a_folder_goes_in_one_commit_and_comes_back(server, shared, monkeypatch, capsys, tmp_path):
    kind, folder, words, due = shared
    command(monkeypatch, *words, "--private")
    repo = server.repos[kind, REPO]
    assert (repo.private, repo.sdk, len(repo.commits)) == (True, "static" if kind == "space" else None, 2)
    assert repo.files == {**fake_hub.NEW, **due}  # and not what the Hub began a static Space with
    assert len(due) == sum(path.is_file() for path in folder.rglob("*")) - 1
    if kind == "dataset":
        assert list(repo.tags) == [generate.default_tag(folder)]
        assert capsys.readouterr().out.endswith(
            f"load_dataset({REPO!r}, revision={next(iter(repo.tags))!r})\n"
        )
        back = Path(snapshot_download(REPO, repo_type=kind, revision=next(iter(repo.tags))))
        assert {name: path.read_bytes() for name, path in generate.files(back).items()} == due
    else:
        back = Path(snapshot_download(REPO, repo_type=kind))
        assert web.read(back) == due
    command(monkeypatch, *words)
    assert len(repo.commits) == 2  # the same again is no commit


def test_what_an_earlier_folder_had_goes_and_what_others_added_stays(server, shared, monkeypatch):
    kind, _, words, due = shared
    command(monkeypatch, *words)
    repo = server.repos[kind, REPO]
    old = "train/sad/99999999.png" if kind == "dataset" else "models/old.onnx"
    repo.commit({**repo.files, "notes.md": b"theirs", old: b"ours"})
    command(monkeypatch, *words)
    assert repo.files == {**fake_hub.NEW, **due, "notes.md": b"theirs"}


def test_a_dry_run_of_a_folder_asks_nobody(server, shared, monkeypatch, capsys):
    _, _, words, due = shared
    monkeypatch.setattr(push, "MANY", 3)
    command(monkeypatch, *words, "--dry-run")
    printed = capsys.readouterr().out
    assert f"{sum(map(len, due.values())):,}  bytes in {len(due)} files" in printed
    assert "Nothing was sent." in printed
    assert re.search(r"^ +[\d,]+  (train/happy|\.shards|data|runtime|)/: \d+ files$", printed, re.MULTILINE)
    assert server.requests == []


def test_what_keeps_a_folder_from_going_is_one_sentence(server, shared, monkeypatch, capsys):
    kind, folder, words, due = shared
    monkeypatch.setattr(fake_hub._http.time, "sleep", lambda seconds: None)

    def refused(said):
        with pytest.raises(SystemExit) as refusal:
            command(monkeypatch, *words)
        assert refusal.value.code == 1
        assert re.fullmatch(said + r"\n", capsys.readouterr().err)

    for token, said in {
        "": "There is no token",
        "hf_wrong": "The Hub does not know this token",
        "reads": "tester may not write",
        "other": "somebody may not write",
    }.items():
        monkeypatch.setenv("HF_TOKEN", token)
        refused(f"Not pushed: {said}.*")
    monkeypatch.setenv("HF_TOKEN", "good")
    server.lose_network()
    refused("Not pushed: The Hub cannot be reached.*")
    assert server.repos == {}
    for fault, said in {
        500: ".*; nothing was pushed",
        KeyboardInterrupt(): "Interrupted. A push is one.*",
    }.items():
        server.fail("/commit/", fault)
        refused(f"(Not pushed: )?{said}.*")
    repo = server.repos[kind, REPO]
    assert len(repo.commits) == 1  # the Hub's own
    server.fault = None
    entry = "index.html" if kind == "space" else "train.csv"
    repo.commit({**repo.files, entry: b"theirs"})
    refused("Not pushed: tester/faces is taken.*")
    [name] = [
        name for name in due if name.startswith(("models/", "data/train-00001", "train/happy/00000003"))
    ]
    (folder / name).unlink()
    refused("Not pushed: .* is not (whole|as it was written).*")
    (folder / ("facts.js" if kind == "space" else generate.ORDER)).write_text("torn")
    refused("Not pushed: .* is not there or torn.*")
    assert len(repo.commits) == 2


def test_what_the_hub_changed_of_a_folder_is_seen(server, shared, monkeypatch, capsys):
    kind, _, words, _ = shared

    def fault(method, path):
        if "/resolve/" in path:
            server.repos[kind, REPO].files["README.md"] = b"theirs"

    server.fault = fault
    with pytest.raises(SystemExit):
        command(monkeypatch, *words)
    assert "holds as README.md is not what was pushed" in capsys.readouterr().err
    assert server.repos[kind, REPO].tags == {}


def test_more_files_than_a_folder_of_the_hub_takes(server, drawn, monkeypatch, capsys):
    monkeypatch.setattr(hub, "MOST_FILES", 4)
    with pytest.raises(SystemExit):
        command(monkeypatch, "--dataset", drawn["folders"], REPO)
    assert "holds 5 files, and a folder on the Hub 4 at most" in capsys.readouterr().err
    command(monkeypatch, "--dataset", drawn["parquet"], REPO, "--tag", "v1")
    assert list(server.repos["dataset", REPO].tags) == ["v1"]
    with pytest.raises(SystemExit):
        command(monkeypatch, "--dataset", drawn["parquet"], REPO, "--tag", "v1")
    assert "has a tag v1" in capsys.readouterr().err


def test_the_hub_knows_ours_by_the_files_that_we_write(drawn, static):
    assert (hub.DATASET.mark, hub.STATIC.mark) == (generate.ORDER, web.FACTS)
    for kind, files in ((hub.DATASET, generate.files(drawn["folders"])), (hub.STATIC, web.read(static))):
        assert kind.mark in files
        assert all(kind.ours(name) for name in files)


@pytest.mark.parametrize("form", ["folders", "parquet"])
def test_the_data_card_is_one_that_the_hub_takes(server, drawn, form):
    found = DatasetCard.load(drawn[form] / "README.md")
    found.validate()
    assert server.asked("/api/validate-yaml")
    assert found.data.size_categories == ["n<1K"]
    [part] = found.data.configs[0]["data_files"]
    assert len(list(drawn[form].glob(part["path"]))) == {"folders": 31, "parquet": 4}[form]


@pytest.mark.parametrize(
    ("count", "due"), [(999, "n<1K"), (1_000, "1K<n<10K"), (100_000, "100K<n<1M"), (10**8, "n>10M")]
)
def test_size_categories(count, due):
    assert generate.size_category(count) == due


def test_one_name_for_a_model_a_data_set_and_a_page(server, folder, drawn, static, monkeypatch):
    command(monkeypatch, folder, REPO)
    command(monkeypatch, "--dataset", drawn["parquet"], REPO)
    command(monkeypatch, "--space", REPO, "--static", static)
    assert {kind for kind, _ in server.repos} == {"model", "dataset", "space"}
    with pytest.raises(ValueError, match="is taken"):  # the Gradio page does not replace the static one
        hub.push_space({"app.py": b"", "fergan/__init__.py": b""}, REPO)
