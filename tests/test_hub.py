"""fergan.hub against a Hub in memory: push, pull, and whatever can go wrong on the way."""

import shutil

import pytest
import torch
from huggingface_hub import constants

from fergan import checkpoint, hub
from fergan.card import write_card
from tests import fake_hub

REPO = "tester/faces"
PICTURES = {"evolution.webp", "samples.png", "confusion.png"}
PUBLIC = {"config.json", "model.safetensors", "README.md", "history.json", *PICTURES}


@pytest.fixture
def server(monkeypatch, tmp_path):
    with fake_hub.serving(monkeypatch, tmp_path) as server:
        yield server


@pytest.fixture
def folder(weights, tmp_path):
    """A checkpoint's folder with every picture, those of real faces too."""
    folder = shutil.copytree(weights / "acgan", tmp_path / "acgan")
    for name in (*PICTURES, "neighbours.png", "translated.png"):
        (folder / name).write_bytes(f"picture {name}".encode())
    (folder / "history.json").write_text("{}")
    (folder / "README.md").write_text("written by hand")
    return folder


@pytest.fixture
def repo(server, folder):
    """The model's repo after a push."""
    hub.push(folder, REPO)
    return server.repos["model", REPO]


@pytest.mark.parametrize(
    ("name", "due"),
    [("me/faces", True), ("me/faces@v1.0", True), ("faces", False), ("a/b/c", False), ("me/fa ces", False)],
)
def test_is_repo(name, due):
    assert hub.is_repo(name) is due


# --- push ---


def test_a_push_is_one_commit_of_what_may_leave_the_house(server, folder):
    assert hub.push(folder, REPO) == f"https://huggingface.co/{REPO}"
    repo = server.repos["model", REPO]
    assert len(repo.commits) == 2  # the Hub's own first one, and ours
    assert repo.files.keys() - fake_hub.NEW.keys() == PUBLIC
    for name in PUBLIC - {"README.md"}:
        assert repo.files[name] == (folder / name).read_bytes()
    assert repo.files["README.md"].decode() == write_card(checkpoint.describe(folder), PUBLIC)
    assert repo.private is False


def test_the_default_tag_names_step_and_weights(repo, folder):
    tag = f"step-0-{checkpoint.fingerprint(folder)[:8]}"
    assert repo.tags == {tag: repo.commits[-1][0]}


def test_a_private_repo_and_a_tag_of_ones_own(server, folder):
    hub.push(folder, REPO, private=True, tag="v1.0")
    repo = server.repos["model", REPO]
    assert repo.private
    assert repo.tags == {"v1.0": repo.commits[1][0]}
    assert hub.fetch(f"{REPO}@v1.0")


def test_a_push_draws_no_random_number(server, folder):
    before = torch.get_rng_state()
    hub.push(folder, REPO)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_an_earlier_push_had_goes(repo, folder):
    (folder / "samples.png").unlink()
    (folder / "confusion.png").write_bytes(b"another")
    hub.push(folder, REPO)
    assert repo.files.keys() - fake_hub.NEW.keys() == PUBLIC - {"samples.png"}
    assert repo.files["confusion.png"] == b"another"
    assert len(repo.commits) == 3


def test_the_same_again_is_no_commit(repo, folder):
    hub.push(folder, REPO)
    assert len(repo.commits) == 2


@pytest.mark.parametrize(
    "files",
    [
        {"model.safetensors": b"x", "config.json": b'{"architectures": ["Bert"]}'},
        {"model.safetensors": b"x"},
        {"config.json": b"no JSON"},
        {"pytorch_model.bin": b"x"},
    ],
)
def test_a_name_that_holds_something_else_is_left_alone(server, folder, files):
    repo = server.repos["model", REPO] = fake_hub.Repo(private=False)
    repo.commit({**fake_hub.NEW, **files})
    with pytest.raises(ValueError, match=f"{REPO} is taken"):
        hub.push(folder, REPO)
    assert len(repo.commits) == 2


def test_what_was_to_be_private_does_not_become_public(repo, folder):
    (folder / "samples.png").unlink()
    with pytest.raises(ValueError, match="is there already and public"):
        hub.push(folder, REPO, private=True)
    assert len(repo.commits) == 2


def test_a_tag_stays_where_it_is(repo, folder):
    hub.push(folder, REPO, tag="v1")
    (folder / "samples.png").unlink()
    with pytest.raises(ValueError, match="has a tag v1"):
        hub.push(folder, REPO, tag="v1")
    assert repo.tags["v1"] == repo.commits[1][0]
    assert len(repo.commits) == 2


@pytest.mark.parametrize(("name", "tag"), [("faces", None), (f"{REPO}@v1", None), (REPO, "v 1"), (REPO, "")])
def test_names_that_are_none_are_refused_before_anything_is_asked(server, folder, name, tag):
    with pytest.raises(ValueError, match="is named owner/name|A tag has"):
        hub.push(folder, name, tag=tag)
    assert server.requests == []


@pytest.mark.parametrize(
    ("token", "name", "words"),
    [
        ("", REPO, "There is no token"),
        ("hf_wrong", REPO, "does not know this token"),
        ("reads", REPO, "tester may not write to tester/faces"),
        ("good", "somebody/faces", "tester may not write to somebody/faces.*nothing was pushed"),
    ],
)
def test_tokens_that_may_not(server, folder, monkeypatch, token, name, words):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ValueError, match=words) as refusal:
        hub.push(folder, name)
    assert "\n" not in str(refusal.value)
    assert "hf_wrong" not in str(refusal.value)
    assert server.repos == {}


def test_no_network(server, folder):
    server.lose_network()
    with pytest.raises(ValueError, match="The Hub cannot be reached"):
        hub.push(folder, REPO)


def test_offline_by_will(server, folder, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    fake_hub.set_client_factory(fake_hub._http.default_client_factory)  # the one that asks whether it may
    with pytest.raises(ValueError, match="HF_HUB_OFFLINE is set"):
        hub.push(folder, REPO)


@pytest.mark.parametrize("where", ["preupload", "commit"])
@pytest.mark.parametrize("error", [500, 402, 403, KeyboardInterrupt(), fake_hub.http.ConnectError("gone")])
def test_an_interrupted_push_leaves_nothing_and_goes_through_later(server, folder, monkeypatch, where, error):
    monkeypatch.setattr(fake_hub._http.time, "sleep", lambda seconds: None)  # the library tries five times
    server.fail(f"/{where}/", error)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else ValueError) as refusal:
        hub.push(folder, REPO)
    if not isinstance(error, KeyboardInterrupt):
        assert str(refusal.value).endswith("nothing was pushed.")
    repo = server.repos["model", REPO]
    assert repo.files == fake_hub.NEW
    assert not repo.tags
    server.fault = None
    hub.push(folder, REPO)
    assert repo.files.keys() >= PUBLIC
    assert len(repo.tags) == 1


def test_interrupted_before_the_tag(server, folder):
    server.fail("/tag/", 500)
    with pytest.raises(ValueError, match="could not be compared and tagged; push again"):
        hub.push(folder, REPO, tag="v1")
    repo = server.repos["model", REPO]
    server.fault = None
    hub.push(folder, REPO, tag="v1")
    assert len(repo.commits) == 2
    assert repo.tags == {"v1": repo.commits[1][0]}


def test_somebody_else_pushes_meanwhile(server, repo, folder):
    def fault(method, path):
        if "/preupload/" in path and len(repo.commits) == 2:
            repo.commit({**repo.files, "confusion.png": b"theirs"})

    server.fault = fault
    (folder / "samples.png").unlink()
    with pytest.raises(ValueError, match="Somebody else changed tester/faces meanwhile; nothing was pushed"):
        hub.push(folder, REPO)
    assert repo.files["confusion.png"] == b"theirs"


def test_what_the_hub_changed_is_seen_and_not_tagged(server, folder):
    def fault(method, path):
        repo = server.repos.get(("model", REPO))
        if "/resolve/" in path and repo:
            repo.files["model.safetensors"] = repo.files["model.safetensors"][:-1] + b"!"

    server.fault = fault
    with pytest.raises(ValueError, match="holds as model.safetensors is not what was pushed"):
        hub.push(folder, REPO)
    assert server.repos["model", REPO].tags == {}


def test_a_torn_checkpoint_is_not_pushed(server, folder):
    (folder / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(ValueError, match="do not belong together"):
        hub.push(folder, REPO)
    assert server.requests == []


# --- Spaces ---

APP = {
    "app.py": b"print()",
    "README.md": b"---\nsdk: gradio\n---\n",
    "fergan/__init__.py": b"",
    "fergan/a.py": b"a",
}
SPACE = "tester/fergan"


def test_a_space_holds_the_app_and_what_its_owner_added(server):
    assert hub.push_space(APP, SPACE, private=True) == f"https://huggingface.co/spaces/{SPACE}"
    space = server.repos["space", SPACE]
    assert (space.sdk, space.private, len(space.commits)) == ("gradio", True, 2)
    assert space.files == {**fake_hub.NEW, **APP}
    space.commit({**space.files, "notes.md": b"mine", "app.py.old": b"mine"})
    files = {name: content for name, content in APP.items() if name != "fergan/a.py"}
    hub.push_space({**files, "fergan/b.py": b"b"}, SPACE)
    assert space.files == {
        **fake_hub.NEW,
        **files,
        "fergan/b.py": b"b",
        "notes.md": b"mine",
        "app.py.old": b"mine",
    }


@pytest.mark.parametrize(("sdk", "files"), [("docker", {}), ("gradio", {"app.py": b"another app"})])
def test_a_space_of_another_app_is_left_alone(server, sdk, files):
    space = server.repos["space", SPACE] = fake_hub.Repo(private=False, sdk=sdk)
    space.commit(files)
    with pytest.raises(ValueError, match=f"{SPACE} is taken"):
        hub.push_space(APP, SPACE)
    assert space.files == files


def test_a_model_and_a_space_of_one_name_are_two(server, folder):
    hub.push(folder, REPO)
    hub.push_space(APP, REPO)
    assert {kind for kind, _ in server.repos} == {"model", "space"}
    assert "app.py" not in server.repos["model", REPO].files
