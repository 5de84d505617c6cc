"""Which models are found where, and when their weights are read; through the engine, as everybody asks."""

import shutil

import numpy as np
import pytest

from fergan import checkpoint
from fergan.engine import Engine
from tests import factory
from tests.test_engine import house  # noqa: F401 - a fixture


def test_one_checkpoint_is_a_source(house):
    assert list(Engine([house / "cgan"]).models) == ["cgan"]


def test_bad_sources_get_a_sentence(house, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="neither a checkpoint folder nor a Hub id"):
        Engine(["/nowhere/at/all"])
    with pytest.raises(ValueError, match="Two models are named cgan"):
        Engine([house, house / "cgan"])
    with pytest.raises(ValueError, match="No model found in"):
        Engine([tmp_path])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="format None came"):
        Engine([tmp_path])


def test_a_folder_without_a_model_is_refused_beside_others(house, tmp_path):
    for seen in ("0000000064", "0000000128"):
        shutil.copytree(house / "acgan", tmp_path / "run" / "checkpoints" / seen)
    newest = tmp_path / "run" / "checkpoints" / "0000000128"
    for source in (tmp_path / "run", tmp_path):
        with pytest.raises(ValueError) as caught:
            Engine([house, source])
        assert str(caught.value) == f"No model found in {source}; name one of its checkpoints, as {newest}."
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"^No model found in \S+empty\.$"):
        Engine([house, tmp_path / "empty"])
    assert "0000000128" in Engine([house, newest]).models


def test_one_place_may_stand_alone(house):
    assert sorted(Engine(house).models) == sorted(Engine(str(house)).models) == ["acgan", "big", "cgan"]


def test_a_relative_place_stays_where_it_is(house, tmp_path, monkeypatch):
    monkeypatch.chdir(house)
    engine = Engine(["cgan"], device="cpu")
    monkeypatch.chdir(tmp_path)
    assert engine.generate("cgan", np.eye(7)[:1], [0]).shape == (1, 48, 48)


def test_weights_that_were_exchanged_or_taken_away_draw_nothing(house, tmp_path):
    folder = shutil.copytree(house / "cgan", tmp_path / "cgan")
    used, late, last = (Engine([folder], device="cpu") for _ in range(3))
    before = used.generate("cgan", np.eye(7)[:1], [0])
    described, network = checkpoint.load(folder)
    checkpoint.save(folder, described, {name: 0 * tensor for name, tensor in network.state_dict().items()})
    assert np.array_equal(used.generate("cgan", np.eye(7)[:1], [0]), before)  # as its fingerprint says
    with pytest.raises(ValueError, match="holds other weights than when it was looked up; start anew"):
        late.generate("cgan", np.eye(7)[:1], [0])
    shutil.rmtree(folder)
    with pytest.raises(ValueError, match="cgan is gone since it was looked up"):
        last.generate("cgan", np.eye(7)[:1], [0])


def test_a_hub_id_is_fetched(house, monkeypatch):
    monkeypatch.setattr("fergan.registry.hub.fetch", lambda repo: house / "cgan")
    engine = Engine(["someone/faces"])
    assert list(engine.models) == ["someone/faces"]
    assert engine.generate("someone/faces", np.eye(7)[:1], [0]).shape == (1, 48, 48)


def test_what_students_published_comes_last(tmp_path):
    for name, model, preset in (
        ("a", "cgan", "published"),
        ("b", "classifier", "m1"),
        ("c", "classifier", "teacher"),
        ("d", "acgan", "fixed"),
    ):
        factory.write_checkpoint(tmp_path / name, model, preset)
    found = Engine([tmp_path], device="cpu")
    assert (list(found.models), found.published) == (["c", "d", "a", "b"], ["a", "b"])
    assert (found.generators, found.classifiers) == (["d", "a"], ["c", "b"])


def test_an_embedder_is_no_model_of_the_page(house, tmp_path):
    factory.write_checkpoint(tmp_path / "identity", "identity", "simclr", width=8)
    assert sorted(Engine([house, tmp_path]).models) == ["acgan", "big", "cgan"]
    with pytest.raises(ValueError, match="No model found"):
        Engine([tmp_path])
