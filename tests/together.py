"""Every training there is, in small: `accelerate launch -m tests.together FACES HELPERS OUT` runs it in each process."""

import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from accelerate import Accelerator, PartialState

from train import classifier, gan, generate, identity, stargan, tune

GAN = "width=8 discriminator_width=8 noise_dim=8 batch=16"
SMALL = {
    "acgan-fixed": (gan, GAN),
    "cgan-fixed": (gan, GAN),
    "stylegan-fixed": (gan, GAN + " noise_inputs=true"),
    "dcgan-fixed": (gan, GAN),
    "dcgan-published": (gan, "width=8 noise_dim=8 batch=16"),
    "stargan-fixed": (
        stargan,
        "width=8 discriminator_width=8 style_dim=8 blocks=1 batch=16 pairs=42 trusted=0 identity=1",
    ),
    "stargan-published": (stargan, "width=4 blocks=1 critics=2 batch=16"),
    "judge": (classifier, "width=16 stem_stride=2 batch=16"),
    "m3": (classifier, "batch=16"),
    "identity": (identity, "width=8 features=16 batch=16 epochs=2"),
}
"""Script and settings by model and preset; a discriminator's batch deviation groups eight rows, a share of 16."""


def train(name, accelerator, faces, helpers, out, **changes):
    """Two steps of it; the run is in OUT/name."""
    script, small = SMALL[name]
    model, _, preset = name.partition("-")
    flags = {"data": str(faces), "out": str(out / name), "precision": "fp32", "cpu": True, "set": small}
    if script is gan:
        flags |= {"model": model, "preset": preset, "emotion": "happy" if model == "dcgan" else ""}
        flags["keep"] = 16  # the main process does so while the others wait
    elif script is stargan:
        own = {
            "teacher": "teacher",
            "guide": "teacher",
            "embedder": "identity",
            "examples": "acgan",
            "pairs": "acgan",
        }
        flags |= {"preset": preset, **{flag: str(helpers / helper) for flag, helper in own.items()}}
    elif script is classifier:
        flags |= {"model": model, "epochs": 2}
    return script.train(script.TrainConfig(**{**flags, "images": 32, **changes}), accelerator)


def draw(state, helpers, out):
    """A data set of four shards, in OUT/faces."""
    order = {"count": 31, "shard": 10, "out": str(out / "faces"), "cpu": True}
    return generate.generate(generate.GenerateConfig((str(helpers / "acgan"),), **order), state)


def search(worker, faces, out, meet):
    """One of the workers on a study; each is a process alone. They meet in their first trial, or one may do all."""
    tune.draw_plots = lambda study, folder: []
    attempt, waits = tune.attempt, [meet]

    def attempt_together(*trial):
        while waits:
            waits.pop()()
        return attempt(*trial)

    tune.attempt = attempt_together
    flags = {"trials": 6, "epochs": 1, "cpu": True, "precision": "fp32", "set": "batch=16 width=4"}
    storage = f"sqlite:///{out / 'study.db'}"
    asked = tune.TuneConfig(str(faces), "teacher", out=str(out / worker), storage=storage, **flags)
    return tune.tune(asked, SimpleNamespace(num_processes=1, device=torch.device("cpu")))


def main():
    faces, helpers, out = map(Path, sys.argv[1:])
    accelerator = Accelerator(cpu=True)
    for name in SMALL:
        train(name, accelerator, faces, helpers, out)
    draw(PartialState(), helpers, out)
    accelerator.wait_for_everyone()
    search(f"worker-{accelerator.process_index}", faces, out, accelerator.wait_for_everyone)
    accelerator.wait_for_everyone()
    accelerator.end_training()


if __name__ == "__main__":
    main()
