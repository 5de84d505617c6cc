"""train.push of whole folders, as a user runs it: drawn faces, and the page without a server."""

import re
import shutil
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, snapshot_download

from fergan import checkpoint, hub
from tests import fake_hub
from tests.test_generate import Process
from tests.test_push import REPO, command, folder, server  # noqa: F401 - fixtures
from train import generate, push, web


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
