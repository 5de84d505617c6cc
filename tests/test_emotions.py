import numpy as np
import pytest
import torch

from fergan.emotions import EMOTIONS, blend, index, normalize, one_hot


def test_order_is_fer2013s():
    assert EMOTIONS == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert index(" Happy ") == 3


def test_one_hot():
    assert torch.equal(one_hot(torch.tensor([3, 0])).argmax(1), torch.tensor([3, 0]))


def test_blend_sums_to_one():
    row = blend(happy=3, sad=1)
    assert row[3] == 0.75
    assert row[4] == 0.25
    assert row.sum() == 1


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"joy": 1}, "Unknown emotion 'joy'"),
        ({"happy": -1}, "at least 0"),
        ({"happy": float("nan")}, "finite"),
        ({"happy": 0}, "above 0"),
        ({"happy": "much"}, "The weight of happy is a number; got 'much'"),
        ({"happy": 3e38, "sad": 3e38}, "finite, and so their sum"),
    ],
)
def test_blend_refuses(weights, words):
    with pytest.raises(ValueError, match=words):
        blend(**weights)


def test_blend_takes_what_a_classifier_says():
    assert blend(happy=np.float32(0.75), sad=torch.tensor(0.25)).tolist() == blend(happy=3, sad=1).tolist()


def test_normalize_refuses_other_widths():
    with pytest.raises(ValueError, match="7 weights"):
        normalize(torch.ones(2, 6))
