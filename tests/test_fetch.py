"""fergan.hub.fetch against a Hub in memory: from the network, from the cache, and what is refused."""

import json

import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.utils.tqdm import enable_progress_bars

from fergan import checkpoint, hub
from tests import fake_hub
from tests.test_hub import PUBLIC, REPO, folder, repo, server  # noqa: F401 - fixtures


def test_pushed_and_fetched_is_the_same_model(server, repo, folder):
    found = hub.fetch(REPO)
    assert {path.name for path in found.iterdir()} == PUBLIC
    (_, sent), (_, came) = checkpoint.load(folder), checkpoint.load(found)
    assert all(torch.equal(a, b) for a, b in zip(sent.parameters(), came.parameters(), strict=True))


def test_a_bar_shows_how_far_fetching_is(server, repo, capsys, monkeypatch):
    enable_progress_bars()  # a training with a bar of its own may have asked for quiet
    hub.fetch(REPO)
    assert "Fetching" in capsys.readouterr().err
    monkeypatch.setattr(constants, "HF_HUB_CACHE", f"{constants.HF_HUB_CACHE}-anew")
    hub.be_quiet()
    hub.fetch(REPO)
    assert capsys.readouterr().err == ""
    enable_progress_bars()


def test_the_cache_is_enough(server, repo):
    first = hub.fetch(REPO)
    server.requests.clear()
    assert hub.fetch(REPO) == first
    assert server.requests == []


def test_the_cache_without_its_pictures_is_enough_where_there_is_no_network(server, repo):
    first = hub.fetch(REPO)
    (first / "evolution.webp").unlink()
    assert not hub._cached(REPO, "", hub.FILES)
    server.lose_network()
    assert hub.fetch(REPO) == first
    (first / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="not in the cache and the Hub cannot be reached"):
        hub.fetch(REPO)


def test_a_revision_is_fetched(server, repo, folder):
    [tag] = repo.tags
    (folder / "samples.png").unlink()
    hub.push(folder, REPO)
    assert (hub.fetch(f"{REPO}@{tag}") / "samples.png").is_file()
    assert not (hub.fetch(f"{REPO}@main") / "samples.png").is_file()
    with pytest.raises(ValueError, match="tester/faces has no revision 'v9'"):
        hub.fetch(f"{REPO}@v9")


def test_only_what_a_model_needs_is_fetched(server, repo):
    repo.commit({**repo.files, "evil.pkl": b"x", "model.py": b"x"})
    assert {path.name for path in hub.fetch(REPO).iterdir()} == PUBLIC
    assert not server.asked("evil.pkl")
    assert not server.asked("model.py")


@pytest.mark.parametrize("name", ["tester/none", "somebody/secret"])
def test_a_repo_that_is_not_there_or_not_for_us(server, name):
    server.repos["model", "somebody/secret"] = fake_hub.Repo(private=True)
    with pytest.raises(ValueError, match=f"The Hub has no model {name}"):
        hub.fetch(name)


def test_a_gated_repo(server):
    server.fault = lambda method, path: fake_hub.refusal(403, code="GatedRepo")
    with pytest.raises(ValueError, match="tester/faces@v9 is gated"):
        hub.fetch(f"{REPO}@v9")


def test_no_network_and_nothing_in_the_cache(server):
    server.lose_network()
    with pytest.raises(ValueError, match="not in the cache and the Hub cannot be reached"):
        hub.fetch(REPO)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"pytorch_model.bin": b"x"}, "holds no config.json"),
        ({"config.json": b'{"architectures": ["Bert"]}', "model.safetensors": b"x"}, "format None came"),
        ({"config.json": b"{", "model.safetensors": b"x"}, "is not JSON"),
    ],
)
def test_a_foreign_repo_is_refused_before_its_weights_come(server, files, words):
    server.repos["model", REPO] = fake_hub.Repo(private=False)
    server.repos["model", REPO].commit(files)
    with pytest.raises(ValueError, match=f"{REPO}.*{words}.*no model that fergan can run"):
        hub.fetch(REPO)
    assert not server.asked("model.safetensors")
    assert not server.asked("pytorch_model.bin")


def test_tampered_weights_are_refused(server, repo):
    broken = bytearray(repo.files["model.safetensors"])
    broken[-1] ^= 1
    repo.commit({**repo.files, "model.safetensors": bytes(broken)})
    for _ in range(2):  # from the network, then from the cache
        with pytest.raises(
            ValueError, match=r"tester/faces: model.safetensors and config.json do not belong"
        ):
            hub.fetch(REPO)


def test_a_config_that_lies_is_refused(server, repo):
    described = json.loads(repo.files["config.json"])
    described["config"]["width"] = 16
    repo.commit({**repo.files, "config.json": json.dumps(described).encode()})
    with pytest.raises(ValueError, match="tester/faces: layer .* has the shape"):
        hub.fetch(REPO)
