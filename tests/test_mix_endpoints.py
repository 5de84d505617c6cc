"""The named endpoints of the tab Mix: /mix and /animate."""

import re
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

import app
from fergan import provenance
from fergan.emotions import EMOTIONS
from tests.test_mix import HALF, MOMENTS, SAD, page, styled, styled_weights  # noqa: F401 - fixtures


@pytest.fixture(scope="module")
def client(styled, tmp_path_factory):
    page = app.build_app(styled)
    address = app.serve(page, "127.0.0.1")
    yield Client(address, verbose=False, download_files=str(tmp_path_factory.mktemp("got")))
    page.close(verbose=False)


def test_mix_is_named_typed_and_documented(client, http):
    found = client.view_api(return_format="dict", print_info=False)["named_endpoints"]["/mix"]
    names = [parameter["parameter_name"] for parameter in found["parameters"]]
    assert names == [*EMOTIONS, "seed", "model", "truncation"]
    defaults = [parameter["parameter_default"] for parameter in found["parameters"]]
    assert defaults == [0, 0, 0, 0, 0, 0, 0, 0, "stylegan", 1]
    types = [parameter["python_type"]["type"] for parameter in found["parameters"]]
    assert types == ["float"] * 7 + ["int", "str", "float"]
    said = http.get("/gradio_api/info").json()["named_endpoints"]["/mix"]["description"]
    assert "all at 0 is neutral" in said


def test_mix_draws_the_engines_face(client, styled):
    path = Path(client.predict(happy=1, sad=3, seed=5, model="cgan", truncation=0.5, api_name="/mix"))
    assert path.name == "happy25-sad75_cgan_seed000005.png"
    face = styled.generate("cgan", [[0, 0, 0, 1, 3, 0, 0]], [5], 0.5)[0]
    assert np.array_equal(np.asarray(Image.open(path)), face)
    record = provenance.read(path)
    assert (record.emotion, record.seed, record.truncation) == ({"happy": 0.25, "sad": 0.75}, 5, 0.5)
    neutral = np.asarray(Image.open(client.predict(seed=5, model="cgan", api_name="/mix")))
    assert np.array_equal(neutral, styled.generate("cgan", [[0, 0, 0, 0, 0, 0, 1]], [5])[0])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"model": "judge"}, "The model judge draws no faces"),
        ({"happy": -1}, "at least 0"),
        ({"seed": -1}, "A seed is a whole number from 0 to 4294967295; got -1."),
        ({"truncation": 2}, "Truncation runs from 0 to 1; got 2"),
    ],
)
def test_mix_refuses_in_a_sentence(client, wrong, sentence):
    with pytest.raises(AppError, match=re.escape(sentence)):
        client.predict(**wrong, api_name="/mix")


@pytest.mark.parametrize("kind", ["gif", "webp", "mp4"])
def test_animate_writes_every_kind(client, kind):
    path = Path(
        client.predict(
            moments=[HALF, {**SAD, "coarse_seed": 3}], kind=kind, width=256, seconds=0.4, api_name="/animate"
        )
    )
    record = provenance.read(path)
    assert record.model == "stylegan"
    assert [moment.coarse_seed for moment in record.moments] == [None, 3]


def test_animate_is_named_typed_and_documented(client, http):
    found = client.view_api(return_format="dict", print_info=False)["named_endpoints"]["/animate"]
    names = [parameter["parameter_name"] for parameter in found["parameters"]]
    assert names == ["moments", "kind", "width", "seconds", "model", "loop"]
    defaults = [parameter.get("parameter_default") for parameter in found["parameters"]]
    assert defaults[1:] == ["gif", 384, 1.5, "stylegan", True]
    said = http.get("/gradio_api/info").json()["named_endpoints"]["/animate"]["description"]
    assert "from moment to moment" in said


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"moments": [HALF]}, "This takes a list of 2 to 24 moments; got 1."),
        ({"moments": {"a": 1}}, "This takes a list of 2 to 24 moments"),
        ({"moments": [HALF, {"emotion": {"joy": 1}, "seed": 1}]}, "Unknown emotion 'joy'"),
        ({"kind": "mov"}, "An animation is one of gif, webp, mp4; got 'mov'."),
        ({"seconds": 60}, "it takes 0.4 to 5.0 seconds; got 60.0."),
    ],
)
def test_animate_refuses_in_a_sentence(client, wrong, sentence):
    with pytest.raises(AppError, match=re.escape(sentence)):
        client.predict(**{"moments": MOMENTS} | wrong, api_name="/animate")
