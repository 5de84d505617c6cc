"""The protocol of an evaluation: which faces are drawn, and what is said of them beside real ones."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from fergan import data, metrics
from fergan.checkpoint import Checkpoint
from fergan.emotions import EMOTIONS
from fergan.images import to_model, to_pixels
from fergan.models import draw_noise, preset
from train.features import BATCH, Faces

PER_EMOTION = 1000  # faces of an emotion that its own distance looks at
LOOKED_UP = 1000  # faces whose nearest training face is looked up


def shuffled(n: int) -> Tensor:
    """0 to n - 1 in a fixed random order."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))


def quotas(counts: Tensor, n: int) -> Tensor:
    """Counts [7] -> n shared out in proportion, int64 [7], by largest remainder; the counts where n is their sum."""
    exact = counts.double() * n / counts.sum()
    shares = exact.floor().long()
    shares[(exact - shares).argsort(descending=True, stable=True)[: n - int(shares.sum())]] += 1
    return shares


def asked(counts: Tensor, n: int) -> Tensor:
    """The emotion asked of each seed 0 to n - 1, int64 [n]: as many of each as `quotas`, well mixed."""
    return torch.arange(len(EMOTIONS)).repeat_interleave(quotas(counts, n))[shuffled(n)]


def as_learnt(tests: Sequence[data.Faces], kind: str, n: int) -> Tensor:
    """Conditions of a kind (see fergan.data.conditions) that n test faces have, float32 [n, 7], well mixed.

    What a generator is compared with is all that it learnt, and so it is asked: a pure emotion of one that learnt from
    votes as well is a clear one, and real faces are no set of clear ones.
    """
    rows = torch.cat([data.conditions(part, kind) for part in tests], dim=-2)
    if rows.ndim == 3:  # of each face one or another, as in training
        rng = torch.Generator().manual_seed(0)
        rows = rows[torch.randint(len(rows), rows.shape[1:2], generator=rng), torch.arange(rows.shape[1])]
    return rows[shuffled(len(rows))[torch.arange(n) % len(rows)]]


@torch.inference_mode()
def draw(network: nn.Module, noise_dim: int, emotion: Tensor, device: torch.device) -> Tensor:
    """Faces of seeds 0 to N - 1 for emotions [N, 7], uint8 [N, C, H, W].

    Raises:
        FloatingPointError: a face that is not finite.
    """
    faces = []
    seeds = torch.arange(len(emotion)).split(BATCH)
    for rows in tqdm(seeds, desc="drawing", unit="batch", leave=False):
        images = network(draw_noise(rows.tolist(), noise_dim).to(device), emotion[rows].to(device))
        if not bool(torch.isfinite(images).all()):
            raise FloatingPointError("it draws faces that are not finite; its weights are broken.")
        faces.append(to_pixels(images).cpu())
    return torch.cat(faces).clone()


def distances(real: Faces, fake: Faces) -> dict[str, float]:
    """How far two sets are from each other: FID and KID in each reader's features, the rest in the judge's."""
    found: dict[str, float] = {}
    for name in real.readings:
        x, y = (faces.readings[name]["features"] for faces in (real, fake))
        suffix = "" if name == "judge" else f"_{name}"
        found["fid" + suffix] = metrics.frechet_distance(x, y)
        found["kid" + suffix] = metrics.kernel_distance(x, y)
    found |= metrics.prdc(real.features, fake.features)
    ratios = [own["diversity"] for own in by_emotion(real, fake).values() if "diversity" in own]
    return found | ({"diversity": sum(ratios) / len(ratios)} if ratios else {})


def by_emotion(real: Faces, fake: Faces) -> dict[str, dict[str, float]]:
    """Numbers of each emotion that both sets show; distances at as many faces of each, from two on."""
    found = {}
    for label, name in enumerate(EMOTIONS):
        ours, theirs = fake.rows(fake.labels == label), real.rows(real.labels == label)
        if (n := min(len(ours), len(theirs), PER_EMOTION)) == 0:
            continue
        found[name] = {
            "n": len(ours),
            "accuracy": metrics.accuracy(ours.predicted, ours.labels),
            "accuracy_real": metrics.accuracy(theirs.predicted, theirs.labels),
        }
        if n > 1:
            x, y = theirs.features[:n], ours.features[:n]
            found[name]["kid"] = metrics.kernel_distance(x, y)
            if spread := metrics.diversity(x):
                found[name]["diversity"] = metrics.diversity(y) / spread
    return found


def copying(fake: Faces, test: Faces, training: Faces) -> dict[str, float]:
    """How near fakes lie to Training beside how near test faces do, by features and by pixels."""
    few = slice(0, LOOKED_UP)
    fake, test = fake.rows(few), test.rows(few)
    return {
        "copying": metrics.copying(fake.features, test.features, training.features),
        "copying_pixels": metrics.copying(fake.pixels, test.pixels, training.pixels),
    }


def overall(fake: Faces, test: Faces, training: Faces) -> dict[str, float]:
    """The numbers of a model as a whole."""
    return {
        **distances(test, fake),
        "accuracy": metrics.accuracy(fake.predicted, fake.labels),
        "accuracy_real": metrics.accuracy(test.predicted, test.labels),
        **copying(fake, test, training),
    }


def classification_accuracy(
    judge: Checkpoint, drawn: Faces, test: Faces, epochs: int, device: torch.device
) -> float:
    """CAS (Ravuri & Vinyals 2019): accuracy on real faces of a network that learnt from drawn ones alone.

    The judge's architecture from a fixed start, AdamW on one cosine, mirrored faces.
    """
    rng = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = preset(judge.model, judge.preset).network(judge.build_config()).to(device)
        batches = -(-len(drawn) // BATCH)
        steps = epochs * batches
        optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        with tqdm(total=steps, desc="learning from drawn faces", unit="batch", leave=False) as bar:
            for _ in range(epochs):
                for rows in torch.randperm(len(drawn), generator=rng).tensor_split(batches):
                    flip = torch.rand(len(rows), 1, 1, 1, generator=rng) < 0.5
                    faces = torch.where(flip, drawn.images[rows].flip(-1), drawn.images[rows])
                    logits = network(to_model(faces.to(device)))
                    optimizer.zero_grad()
                    F.cross_entropy(logits, drawn.labels[rows].to(device)).backward()
                    optimizer.step()
                    schedule.step()
                    bar.update()
    network.eval()
    with torch.inference_mode():
        read = [network(to_model(part.to(device))).argmax(1).cpu() for part in test.images.split(BATCH)]
    return metrics.accuracy(torch.cat(read), test.labels)
