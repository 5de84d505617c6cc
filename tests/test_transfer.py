"""train.classifier with torchvision's pretrained networks."""

import json

import pytest
import torch

from tests import factory
from tests.test_classifier_training import config, train
from train import report

torchvision = pytest.importorskip("train.transfer")._torchvision


@pytest.fixture(scope="module")
def faces(own_folder):
    return factory.write_packed(own_folder / "packed", factory.draw_faces(210))


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory):
    """torchvision's MobileNetV3 with random weights, as a file."""
    path = tmp_path_factory.mktemp("weights") / "mobilenet.pth"
    torch.manual_seed(0)
    torch.save(torchvision().models.get_model("mobilenet_v3_large").state_dict(), path)
    return path


def test_transfer_from_a_local_file(faces, tmp_path, mobilenet):
    settings = "batch=8 frozen_epochs=1 enlarge=1"
    own = {"model": "mobilenet_v3", "set": settings, "pretrained": str(mobilenet), "epochs": 2, "images": 24}
    assert "PrivateTest" in train(config(faces, tmp_path, **own))
    found = json.loads((tmp_path / report.REPORT).read_text())
    assert found["preset"] == "mobilenet_v3"
    assert (tmp_path / "confusion.png").is_file()
    assert not (tmp_path / "checkpoint").exists()  # the app could not load it


@pytest.mark.parametrize(("name", "maps"), [("resnet18", 512), ("efficientnet_b0", 1280), ("vgg16", 512)])
def test_every_pretrained_network_has_the_contract(name, maps, monkeypatch):
    from train import transfer

    def drawn(models, full):
        with torch.device("meta"):
            due = models.get_model(full).state_dict()
        return {
            key: torch.full((1,), 0.01).expand(tensor.shape)
            if tensor.is_floating_point()
            else torch.zeros(tensor.shape, dtype=tensor.dtype)
            for key, tensor in due.items()
        }

    monkeypatch.setattr(transfer, "_fetched", drawn)
    made = transfer.build(name, transfer.TransferConfig(enlarge=1)).eval()
    images = torch.rand(2, 1, 48, 48) * 2 - 1
    assert made(images).shape == (2, 7)
    assert made.features(images).shape == (2, maps)
    assert sum(p.numel() for p in made.parameters()) < 15e6  # vgg16 without its dense layers


def test_weights_that_are_nowhere_are_a_sentence(faces, tmp_path, monkeypatch, mobilenet):
    from urllib.error import URLError

    def offline(*args, **kwargs):
        raise URLError("offline")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(ValueError, match="not at hand and could not be fetched .*https://.*--pretrained"):
        train(config(faces, tmp_path, model="resnet18", set="batch=8"))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        train(config(faces, tmp_path, model="resnet18", set="batch=8", pretrained="/nowhere.pth"))
    with pytest.raises(ValueError, match="does not hold torchvision's resnet18: .* layers missing"):
        train(config(faces, tmp_path, model="resnet18", set="batch=8", pretrained=str(mobilenet)))
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="no weights that can be read"):
        train(
            config(faces, tmp_path, model="resnet18", set="batch=8", pretrained=str(tmp_path / "broken.pth"))
        )
