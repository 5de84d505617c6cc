"""What says that faces collapse."""

import pytest
import torch
from torch import Tensor

from train import collapse


def line(*places: float) -> Tensor:
    """Images of one pixel, whose distances are those of the places."""
    return torch.tensor(places).view(-1, 1, 1, 1)


def test_as_different_as_real_ones():
    real = line(0, 1, 3)
    found = collapse.signs(real, real + 5)
    assert float(found["diversity"]) == pytest.approx(1)
    assert float(found["twins"]) == 0


def test_half_as_different_by_hand():
    """Mean distances 2 and 1; each real one keeps 1, 1, 2, so a twin is nearer than half of 1."""
    found = collapse.signs(line(0, 1, 3), line(0, 0.4, 1.5))
    assert float(found["diversity"]) == pytest.approx(0.5)
    assert float(found["twins"]) == pytest.approx(2 / 3)


def test_one_face_over_and_over():
    found = collapse.signs(torch.randn(8, 1, 6, 6), torch.zeros(8, 1, 6, 6))
    assert float(found["diversity"]) == 0
    assert float(found["twins"]) == 1


def test_no_gradient_is_kept():
    fake = torch.randn(4, 1, 6, 6, requires_grad=True)
    assert not any(value.requires_grad for value in collapse.signs(torch.randn(4, 1, 6, 6), fake).values())


def grown() -> collapse.Watch:
    """One that has seen faces differ."""
    watch = collapse.Watch()
    for _ in range(collapse.WINDOW):
        watch.look(0, GOOD)
    return watch


BAD, GOOD = {"diversity": 0.1, "twins": 0.9}, {"diversity": 0.9, "twins": 0.0}


def test_says_so_once_when_readings_agree():
    watch = grown()
    said = [watch.look(100 * step, BAD) for step in range(1, 10)]
    assert [step for step, sentence in enumerate(said, 1) if sentence] == [collapse.WINDOW]
    assert "500 images" in said[collapse.WINDOW - 1] and "0.10" in said[collapse.WINDOW - 1]
    assert watch.collapsed_at == 500


def test_a_young_run_may_start_with_one_face():
    watch = collapse.Watch()
    assert not any(watch.look(seen, BAD) for seen in range(0, collapse.YOUNG, 1000))
    assert watch.look(collapse.YOUNG, BAD)


def test_one_unlucky_batch_is_no_collapse():
    watch = collapse.Watch()
    assert not any(watch.look(step, BAD if step % collapse.WINDOW else GOOD) for step in range(50))
    assert watch.collapsed_at is None


@pytest.mark.parametrize("bad", [{"diversity": 0.1, "twins": 0.0}, {"diversity": 1.0, "twins": 0.5}])
def test_either_sign_is_enough(bad: dict[str, float]):
    watch = grown()
    assert [watch.look(step, bad) for step in range(collapse.WINDOW)][-1]


def test_well_again():
    watch = grown()
    for step in range(collapse.WINDOW):
        watch.look(step, BAD)
    said = [watch.look(100 + step, GOOD) for step in range(2 * collapse.WINDOW)]
    assert [bool(sentence) for sentence in said].count(True) == 1
    assert watch.collapsed_at == collapse.WINDOW - 1


def test_a_log_without_signs():
    assert collapse.Watch().look(1, {"loss": 1.0}) is None
