"""Small GANs: their flags, a run of them, and the game that one is in."""

import torch
from accelerate import Accelerator

from fergan.models import MODELS
from train import gan
from train.game import Game
from train.recipes import RECIPES

SMALL = {"fixed": "width=8 discriminator_width=8 noise_dim=8 batch=8", "published": "noise_dim=8 batch=8"}
DCGAN = {"fixed": SMALL["fixed"], "published": "width=8 noise_dim=8 batch=8"}


def config(faces, out, model="acgan", name="fixed", **changes):
    small = (DCGAN if model == "dcgan" else SMALL)[name]
    options = {"images": 64, "precision": "fp32", "cpu": True, "set": small, "keep": 32}
    if model == "dcgan":
        options["emotion"] = "happy"
    return gan.TrainConfig(data=str(faces), out=str(out), model=model, preset=name, **options | changes)


def train(settings):
    return gan.train(settings, Accelerator(cpu=True))


def game(model, name, recipe=None):
    torch.manual_seed(0)
    small = (DCGAN if model == "dcgan" else SMALL)[name]
    small = dict(pair.split("=") for pair in small.split() if not pair.startswith("batch"))
    settings = MODELS[model][name].config(**{key: int(value) for key, value in small.items()})
    made = Game(model, name, settings, recipe or RECIPES[model, name], 0, torch.device("cpu"))
    made.dtype = torch.float32
    return made
