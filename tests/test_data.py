import logging
from pathlib import Path

import pytest
import torch

from fergan import data
from fergan.batches import Batches
from fergan.data import SPLITS, VOTES, Faces, conditions, load
from tests import factory

REAL = Path(__file__).resolve().parents[2] / "shared" / "fer2013"
needs_real = pytest.mark.skipif(not (REAL / "labels.csv").is_file(), reason=f"FER2013 is not in {REAL}")
N = 30
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def faces():
    return factory.draw_faces(N)


def same(one: Faces, other: Faces) -> bool:
    names = ("images", "labels", "splits", "duplicate", "usable")
    votes = (one.votes is None) == (other.votes is None) and (
        one.votes is None or torch.equal(one.votes, other.votes)
    )
    tensors = all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)
    return votes and tensors and one.fingerprint == other.fingerprint


def votes_of(**given: int) -> list[int]:
    return [given.get(name, 0) for name in VOTES]


def packed(tmp_path, votes, faces=None, **more) -> Faces:
    faces = factory.draw_faces(len(votes)) if faces is None else faces
    return load(factory.write_packed(tmp_path / "packed", faces, votes=votes, **more))


# Forms


# Cache


@pytest.fixture
def reads(monkeypatch):
    """Counts how often the packed form is read."""
    counted, form = [], data.DATASETS["packed"]
    read = lambda *args: counted.append(args) or form.read(*args)  # noqa: E731
    monkeypatch.setitem(data.DATASETS, "packed", form._replace(read=read))
    return counted


def test_a_second_load_comes_from_the_cache(tmp_path, own_cache, faces, reads):
    folder = factory.write_packed(tmp_path, faces, votes=[votes_of(fear=2, NF=1)] * N)
    first, second = load(folder), load(folder)
    assert same(first, second) and first.source == second.source and len(reads) == 1
    assert len(list(own_cache.iterdir())) == 1
    assert load(folder, size=24).images.shape[-1] == 24 and len(reads) == 2
    load(folder, cache=None)
    assert len(reads) == 3


def test_a_changed_source_is_read_again(tmp_path, own_cache, faces, reads):
    folder = factory.write_packed(tmp_path, faces)
    load(folder)
    factory.write_packed(tmp_path, faces[:20])
    assert len(load(folder)) == 20 and len(reads) == 2
    assert len(list(own_cache.iterdir())) == 1


@pytest.mark.parametrize("harm", ["cut short", "no cache", "one byte"])
def test_a_harmed_cache_is_written_anew(tmp_path, own_cache, faces, reads, harm, caplog):
    folder = factory.write_packed(tmp_path, faces)
    first = load(folder)
    (file,) = own_cache.iterdir()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes({"cut short": content[:-99], "no cache": b"hello", "one byte": content}[harm])
    with caplog.at_level(logging.WARNING):
        assert same(load(folder), first)
    assert "written anew" in caplog.text and len(reads) == 2
    assert same(load(folder), first) and len(reads) == 2


def test_a_cache_that_cannot_be_written_breaks_nothing(tmp_path, faces, monkeypatch, caplog):
    folder = factory.write_packed(tmp_path / "packed", faces)
    (tmp_path / "file").write_text("where the cache should be")
    assert len(load(folder, cache=tmp_path / "file")) == N

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(data, "save_file", full)
    assert len(load(folder, cache=tmp_path / "cache")) == N
    assert "No space left" in caplog.text and list((tmp_path / "cache").iterdir()) == []


def test_the_cache_is_where_the_environment_says(tmp_path, faces, monkeypatch):
    folder = factory.write_packed(tmp_path / "packed", faces)
    monkeypatch.delenv("FERGAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    load(folder)
    assert len(list((tmp_path / "xdg" / "fergan").iterdir())) == 1
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    load(folder)
    assert len(list((tmp_path / "home" / ".cache" / "fergan").iterdir())) == 1


# Marks, subsets and conditions


def test_duplicates_and_flat_rows_are_marked_and_left_out(tmp_path, faces):
    faces = faces[:10].copy()
    faces[1] = 128
    faces[7], faces[9] = faces[0], faces[6]  # a test row from Training, a test row from the other test
    splits = ["Training"] * 5 + ["PublicTest"] * 3 + ["PrivateTest"] * 2
    found = load(factory.write_csv(tmp_path / "f.csv", faces, splits=splits))
    assert found.duplicate.nonzero().flatten().tolist() == [7]
    assert (~found.usable).nonzero().flatten().tolist() == [1]
    assert [len(found.split(name)) for name in SPLITS] == [4, 2, 2]
    assert [len(found.split(name, clean=False)) for name in SPLITS] == [5, 3, 2]
    with pytest.raises(ValueError, match="Unknown split 'test'"):
        found.split("test")


def test_flat_test_rows_stay(tmp_path, faces):
    faces = faces[:5].copy()
    faces[4] = 7
    found = load(factory.write_csv(tmp_path / "f.csv", faces))
    assert not found.usable[4] and len(found.split("PrivateTest")) == 1


def test_not_a_face_is_unusable(tmp_path):
    votes = [
        votes_of(NF=10),
        votes_of(NF=5, happiness=5),
        votes_of(NF=2, happiness=8),
        votes_of(contempt=6, unknown=4),
        votes_of(),
    ]
    assert packed(tmp_path, votes).usable.tolist() == [False, False, True, True, True]


def test_subsets_keep_rows_together(tmp_path):
    found = packed(tmp_path, [votes_of(fear=row + 1) for row in range(N)])
    some = found.subset(torch.tensor([4, 2]))
    assert some.labels.tolist() == [4, 2] and some.votes is not None and some.votes[:, 6].tolist() == [5, 3]
    assert torch.equal(some.images, found.images[[4, 2]]) and some.fingerprint == found.fingerprint
    assert len(found.subset(found.labels == 0)) == 5
    assert same(found.to("cpu"), found)


def test_each_vote_lands_on_its_emotion(tmp_path):
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    found = packed(tmp_path, [votes_of(**{name: 10}) for name in names])
    assert torch.equal(conditions(found, "votes"), torch.eye(7))


def test_conditions_are_rows_of_seven(tmp_path):
    found = packed(
        tmp_path,
        [votes_of(happiness=3, neutral=1, contempt=4, NF=2), votes_of(unknown=10), votes_of(surprise=9)],
    )
    onehot, votes, mix = (conditions(found, kind) for kind in ("onehot", "votes", "mix"))
    assert torch.equal(onehot, torch.eye(7)[:3])
    assert votes.tolist() == [[0, 0, 0, 0.75, 0, 0, 0.25], [0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0]]
    assert torch.equal(mix, (onehot + votes) / 2)
    for rows in (onehot, votes, mix):
        assert rows.dtype == torch.float32 and torch.allclose(rows.sum(1), torch.ones(3))


def test_conditions_that_cannot_be_are_refused(tmp_path, faces):
    found = load(factory.write_packed(tmp_path, faces))
    with pytest.raises(ValueError, match="has no FER\\+ votes for 'mix'"):
        conditions(found, "mix")
    with pytest.raises(ValueError, match="Unknown kind of condition 'soft'"):
        conditions(found, "soft")


# The real data


@pytest.fixture(scope="module")
def real():
    return load(REAL, cache=None)


@needs_real
def test_real_counts(real):
    counts = [torch.bincount(real.labels[real.splits == split], minlength=7).tolist() for split in range(3)]
    assert counts == [
        [3995, 436, 4097, 7215, 4830, 3171, 4965],
        [467, 56, 496, 895, 653, 415, 607],
        [491, 55, 528, 879, 594, 416, 626],
    ]


@needs_real
def test_real_flaws(real):
    assert [int(real.duplicate[real.splits == split].sum()) for split in range(3)] == [0, 280, 288]
    flat = [6458, 7629, 10423, 11286, 13148, 13402, 13988, 15894, 22198, 22927, 28601, 30002]
    pixels = real.images.flatten(1)
    assert (pixels.amin(1) == pixels.amax(1)).nonzero().flatten().tolist() == flat
    assert not real.usable[flat].any() and int((~real.usable).sum()) == 178
    assert int((real.votes[:, VOTES.index("NF")] == 10).sum()) == 176


@needs_real
def test_real_conditions(real):
    for kind in data.CONDITIONS:
        sums = conditions(real, kind).sum(-1)
        assert torch.allclose(sums, torch.ones_like(sums))
    agree = conditions(real, "votes").argmax(1) == real.labels
    assert 0.6 < agree.float().mean() < 0.7  # FER+ agrees with FER2013 in 65.3 % of the rows


def test_either_takes_the_label_or_the_votes_at_each_draw(tmp_path):
    found = packed(tmp_path, [votes_of(happiness=6, neutral=4)] * N)
    both = conditions(found, "either")
    assert torch.equal(both[0], conditions(found, "onehot"))
    assert torch.equal(both[1], conditions(found, "votes"))
    batches = Batches(found, both, 256, seed=0)
    for emotion in (next(batches)[1], batches.draw_emotion(256)):
        assert [round(value, 4) for value in emotion.amax(1).unique().tolist()] == [0.6, 1.0]
        assert 0.4 < float((emotion.amax(1) == 1).float().mean()) < 0.6
