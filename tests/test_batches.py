import pytest
import torch

from fergan.batches import Batches, Sampler
from fergan.data import conditions, load
from tests import factory

N = 30
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def faces():
    return factory.draw_faces(N)


@pytest.mark.parametrize(
    ("power", "due"), [(0.5, [30, 10, 0, 20]), (1.0, [900, 100, 0, 400]), (0.0, [1, 1, 0, 1])]
)
def test_sampler_frequencies(power, due):
    labels = torch.tensor([0] * 900 + [1] * 100 + [3] * 400)[
        torch.randperm(1400, generator=torch.Generator())
    ]
    rows = Sampler(labels, seed=1, power=power).draw(60_000)
    share = torch.bincount(labels[rows], minlength=4) / len(rows)
    assert torch.allclose(share, torch.tensor(due) / sum(due), atol=0.01)
    hits = torch.bincount(rows[labels[rows] == 0], minlength=1400)[labels == 0].float()
    assert hits.min() > 0 and hits.var() / hits.mean() < 1.3  # rows of a class alike: Poisson


def test_sampler_state_round_trip():
    sampler = Sampler(torch.arange(7).repeat(9), seed=3)
    sampler.draw(5)
    state = sampler.state()
    rows = sampler.draw(50)
    assert state.dtype == torch.uint8 and rows.dtype == torch.int64 and rows.shape == (50,)
    other = Sampler(torch.arange(7).repeat(9), seed=99)
    other.load_state(state)
    assert torch.equal(other.draw(50), rows)
    assert Sampler(torch.full((4,), 5), seed=0).draw(20).unique().tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="no face to draw from"):
        Sampler(torch.zeros(0, dtype=torch.int64), seed=0)


def test_batches_are_faces_with_their_condition(tmp_path, faces):
    found = load(factory.write_packed(tmp_path, faces))
    images, emotion = next(iter(Batches(found, conditions(found, "onehot"), 64, seed=0)))
    assert images.shape == (64, 1, 48, 48) and emotion.shape == (64, 7)
    assert images.dtype == torch.float32 and images.min() >= -1 and images.max() <= 1
    pixels = ((images + 1) * 127.5).round().to(torch.uint8)
    known = {face.numpy().tobytes(): (row, False) for row, face in enumerate(found.images)}
    known |= {face.flip(-1).numpy().tobytes(): (row, True) for row, face in enumerate(found.images)}
    drawn = [known[face.numpy().tobytes()] for face in pixels]
    assert [row % 7 for row, _ in drawn] == emotion.argmax(1).tolist()
    assert 16 < sum(flipped for _, flipped in drawn) < 48


def test_batches_without_flips(tmp_path, faces):
    found = load(factory.write_packed(tmp_path, faces))
    images, _ = next(Batches(found, conditions(found, "onehot"), 64, seed=0, flip=False))
    known = {face.numpy().tobytes() for face in found.images}
    assert all(((face + 1) * 127.5).round().to(torch.uint8).numpy().tobytes() in known for face in images)


def test_batches_go_on_from_their_state(tmp_path, faces):
    found = load(factory.write_packed(tmp_path, faces))
    rows = conditions(found, "onehot")
    batches, again = (Batches(found, rows, 8, seed, fake_power=0.0) for seed in (1, 2))
    next(batches), batches.draw_emotion(3)
    state = batches.state()
    due = (*next(batches), batches.draw_emotion(5), *next(batches))
    again.load_state(state)
    came = (*next(again), again.draw_emotion(5), *next(again))
    assert all(torch.equal(one, other) for one, other in zip(due, came, strict=True))


def test_fakes_have_a_power_of_their_own(tmp_path, faces):
    found = load(factory.write_packed(tmp_path, faces, labels=[0] * 27 + [3] * 3))
    rows = conditions(found, "onehot")
    share = Batches(found, rows, 4, seed=0).draw_emotion(20_000).mean(0)
    assert share[0] == pytest.approx(0.75, abs=0.01)  # sqrt 27 : sqrt 3
    share = Batches(found, rows, 4, seed=0, power=1.0, fake_power=0.0).draw_emotion(20_000).mean(0)
    assert share[0] == pytest.approx(0.5, abs=0.015)


def test_batches_that_cannot_be_are_refused(tmp_path, faces):
    found = load(factory.write_packed(tmp_path, faces))
    with pytest.raises(ValueError, match="got 30 faces, 29 conditions, a batch of 4"):
        Batches(found, conditions(found, "onehot")[1:], 4, seed=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_on_the_device_are_those_of_the_cpu(tmp_path, faces):
    found = load(factory.write_packed(tmp_path, faces))
    rows = conditions(found, "onehot")
    images, emotion = next(Batches(found, rows, 8, seed=0))
    device_images, device_emotion = next(Batches(found.to("cuda"), rows, 8, seed=0))
    assert device_images.is_cuda and torch.equal(device_emotion.cpu(), emotion)
    assert torch.allclose(device_images.cpu(), images, atol=1e-6)
