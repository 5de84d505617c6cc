"""train.stargan as a user runs it, on small drawn faces, and its steps one by one."""

import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from safetensors.torch import load_file

from fergan import checkpoint, losses
from fergan.data import Faces
from fergan.models import MODELS
from tests import factory
from train import session, stargan, states
from train.helpers import helper
from train.pairs import Pair
from train.recipes import TRANSLATORS, TranslatorRecipe
from train.translator import Translation

EYE = torch.eye(7)
SMALL = {
    "fixed": "width=8 discriminator_width=8 style_dim=8 blocks=1 batch=8 lesson=16 penalty_every=2 pairs=42"
    " trusted=0 identity=1",
    "published": "width=4 blocks=1 batch=8",
}


@pytest.fixture(scope="module")
def faces(own_folder):
    return factory.write_packed(own_folder / "packed", factory.draw_faces(70))


@pytest.fixture(scope="module")
def helpers(tmp_path_factory):
    """A teacher, a guide, an embedder, a judge and a generator, none of which has learnt anything."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("helpers")
    for name, model, preset, changes in (
        ("teacher", "classifier", "teacher", {"width": 4}),
        ("guide", "classifier", "guide", {"width": 4}),
        ("judge", "classifier", "judge", {"width": 4, "stem_stride": 2}),
        ("identity", "identity", "simclr", {"width": 8}),
        ("acgan", "acgan", "fixed", {"width": 8}),
        ("guided", "guided", "fixed", {"width": 4, "steps": 2}),
    ):
        factory.write_checkpoint(folder / name, model, preset, **changes)
    return folder


@pytest.fixture
def config(faces, helpers, tmp_path):
    def made(preset="fixed", out="run", changes="", **options):
        settings = {
            "images": 32,
            "precision": "fp32",
            "cpu": True,
            "keep": 16,
            "set": f"{SMALL[preset]} {changes}",
            "teacher": str(helpers / "teacher"),
            "guide": str(helpers / "guide"),
            "embedder": str(helpers / "identity"),
            "examples": str(helpers / "acgan"),
            "pairs": str(helpers / "acgan"),
        }
        return stargan.TrainConfig(
            data=str(faces), preset=preset, out=str(tmp_path / out), **settings | options
        )

    return made


def train(settings):
    return stargan.train(settings, Accelerator(cpu=True))


@pytest.fixture
def game(helpers):
    def made(recipe=None, name="fixed"):
        settings = dict(
            pair.split("=")
            for pair in SMALL[name].split()
            if not pair.startswith(("batch", "lesson", "penalty", "pairs", "trusted", "identity"))
        )
        network = MODELS["stargan"][name].config(**{key: int(value) for key, value in settings.items()})
        cpu = torch.device("cpu")
        helping = {
            asked: helper(str(helpers / folder), kind, network, cpu, "")
            for asked, folder, kind in (
                ("teacher", "teacher", "classifier"),
                ("guide", "guide", "classifier"),
                ("embedder", "identity", "embedder"),
            )
        }
        found = Translation(name, network, recipe or TRANSLATORS[name], 0, cpu, **helping)
        found.dtype = torch.float32
        return found

    return made


@pytest.mark.parametrize("preset", ["fixed", "published"])
def test_a_run_leaves_all_its_files(config, monkeypatch, preset):
    monkeypatch.setattr(session, "LOG_EVERY", 2)
    settings = config(preset, images=48, changes="critics=2" if preset == "published" else "")
    assert train(settings).startswith("Stopped: 48 images seen")
    kept = sorted(p.name for p in (settings.folder / "checkpoints").iterdir())
    assert kept == ["0000000016", "0000000032", "0000000048"]
    last = settings.folder / "checkpoints" / kept[-1]
    described, network = checkpoint.load(last)
    assert (described.images_seen, described.step, described.preset) == (48, 6, preset)
    assert "another expression" in (last / "README.md").read_text()
    lines = [json.loads(line) for line in (settings.folder / "log.jsonl").read_text().splitlines()]
    taught, line = lines[0], lines[1]
    assert ("d_loss" in taught) == (preset == "published")  # ours learns from pairs alone at first
    assert {"d_loss", "d_class", "g_loss", "g_cycle", "g_class"} <= line.keys()
    assert ({"g_guide", "g_same", "g_identity", "g_mask", "g_flow", "g_paired", "r1"} <= line.keys()) == (
        preset == "fixed"
    )
    assert ("d_slope" in line) == (preset == "published")
    with Image.open(settings.folder / "frames" / "0000000048.png") as frame:
        assert frame.size == (8 * 50 - 2, 6 * 50 - 2)
    assert (last / "evolution.webp").is_file()
    images = torch.rand(1, 1, 48, 48) * 2 - 1
    assert torch.equal(network(images, EYE[:1], EYE[3:4], torch.zeros(1)), images)


def test_real_faces_of_the_grids_stay_out_of_checkpoints(config):
    settings = config(examples="", images=16)
    train(settings)
    assert (settings.folder / "frames" / "0000000016.png").is_file()
    assert not (settings.folder / "checkpoints" / "0000000016" / "evolution.webp").exists()
    train(config(images=32, resume=True))  # its grids are drawn faces, those of before are not
    assert not (settings.folder / "checkpoints" / "0000000032" / "evolution.webp").exists()


@pytest.mark.parametrize(("preset", "stop"), [("fixed", 8), ("fixed", 24), ("published", 24)])
def test_resuming_equals_not_having_stopped(config, preset, stop):
    train(config(preset, out="whole", images=48, changes="decay=false"))
    train(config(preset, out="parts", images=stop, changes="decay=false"))
    train(config(preset, out="parts", images=48, changes="decay=false", resume=True))
    folder = config(preset).folder.parent
    whole, parts = (load_file(folder / part / states.FILE) for part in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert [key for key in whole if not torch.equal(whole[key], parts[key])] == []


def test_gradients_reach_only_the_network_being_trained(game):
    made, real = game(), torch.rand(8, 1, 48, 48) * 2 - 1
    source, target = EYE[[6] * 8], EYE[[3] * 8]
    made.discriminator_gradients(real, source, source, target, penalise=True)
    assert all(p.grad is None for p in made.generator.parameters())
    assert all(p.grad is not None for p in made.discriminator.parameters())
    made.optimizers["discriminator"].zero_grad()
    made.generator_gradients(real, source, source, target)
    assert all(p.grad is None for p in made.discriminator.parameters())
    assert all(p.grad is not None for p in made.generator.parameters())
    assert all(p.grad is None for p in [*made.teacher.parameters(), *made.embedder.parameters()])


def test_pairs_teach_what_was_drawn(game):
    made = game(TranslatorRecipe(light=0, alike=0))
    before, after = torch.zeros(2, 1, 48, 48), torch.full((2, 1, 48, 48), 0.5)
    trust = torch.tensor([1.0, 0.0])

    drawn = Pair(before, EYE[[6, 6]], EYE[[3, 3]], torch.ones(2), after, trust)
    made.generator.to_mask.bias.data.fill_(-60)  # nothing is covered, and a grey field stays grey when bent
    assert made.as_drawn(drawn)[0].item() == pytest.approx(0.25, abs=1e-4)  # the second is not trusted
    made.recipe = TranslatorRecipe(alike=0.5, light=0)
    with torch.no_grad():
        apart = losses.unlikeness(made.teacher.maps(before), made.teacher.maps(after))[0].item() / 2
    assert apart > 0.01
    assert made.as_drawn(drawn)[0].item() == pytest.approx(0.25 + 0.5 * apart, abs=1e-3)


def test_both_faces_of_a_pair_are_in_one_light(game):
    made = game(TranslatorRecipe(light=0.3))
    lit = []
    made.translate = lambda images, *_: (lit.append(images) or images, None)

    faces = torch.rand(2, 1, 48, 48) - 0.5
    assert (
        made.as_drawn(Pair(faces, EYE[[6, 6]], EYE[[3, 3]], torch.ones(2), faces, torch.ones(2)))[0].item()
        == 0
    )
    assert float((lit[0][0].mean() - lit[0][1].mean()).abs()) > 0.01


def test_a_lesson_may_ask_the_guide_how_far(game):
    made, faces = (
        game(TranslatorRecipe(light=0, alike=0, paired=1e-9, lesson_reads=0)),
        torch.rand(4, 1, 48, 48) - 0.5,
    )
    pair = Pair(faces, EYE[[6] * 4], EYE[[3] * 4], torch.full((4,), 0.5), faces, torch.ones(4))

    class Drawn:
        def take(self, *_):
            return pair

    made.pairs = Drawn()
    assert made.lesson_gradients(4).keys() == {"g_paired"}
    quiet = float(made.generator.to_flow.weight.grad.abs().max())
    made.recipe = TranslatorRecipe(light=0, alike=0, paired=1e-9, lesson_reads=0.5)
    parts = made.lesson_gradients(4)
    with torch.no_grad():
        due = losses.soft_cross_entropy(made.guide(faces), EYE[[6] * 4].lerp(EYE[[3] * 4], 0.5))
    assert parts["g_guide"].item() == pytest.approx(float(due), abs=0.02)
    assert float(made.generator.to_flow.weight.grad.abs().max()) > 1000 * quiet


@pytest.mark.parametrize(("passes", "learnt", "due"), [(3, 2, 2), (1, 2, 1), (3, 3, 3)])
def test_it_learns_with_fewer_passes_than_it_is_used_with(passes, learnt, due):
    config = MODELS["stargan"]["fixed"].config(width=8, blocks=1, style_dim=8, passes=passes)
    made = Translation("fixed", config, TranslatorRecipe(learnt_passes=learnt), 0, torch.device("cpu"))
    assert (made.generator.passes, made.average.passes) == (due, passes)


def test_a_guide_is_heard_as_far_as_it_knows_an_emotion(game):
    """It reads all joy right, a quarter of anger, no fear; nobody shows disgust."""
    made = game(TranslatorRecipe(lesson_known=0.5))
    labels = torch.tensor([3] * 4 + [0] * 4 + [2] * 4)
    read = torch.tensor([3] * 4 + [0, 4, 4, 4] + [5] * 4)
    made.guide = lambda _: EYE[read]
    black, which = torch.zeros(12, 1, 48, 48, dtype=torch.uint8), torch.zeros(12, dtype=torch.bool)
    made.hear(Faces(black, labels, which.byte(), None, which, ~which, "photos", "x"))
    assert made.heard.tolist() == [0.5, 1, 0, 1, 1, 1, 1]
    pair = Pair(
        *(torch.zeros(2, 1, 48, 48), EYE[[6, 6]], EYE[[2, 2]]),
        *(torch.ones(2), torch.ones(2, 1, 48, 48), torch.ones(2)),
    )
    made.guide, made.pairs = (
        (lambda images: torch.zeros(len(images), 7)),
        SimpleNamespace(take=lambda *_: pair),
    )
    made.recipe = TranslatorRecipe(light=0, alike=0)
    assert made.lesson_gradients(2)["g_guide"].item() == 0  # asked for fear, it is not heard
    loud = made.lesson_gradients(2)["g_paired"].item()
    made.heard = torch.ones(7)
    assert made.lesson_gradients(2)["g_paired"].item() == pytest.approx(loud / 2, rel=1e-3) != 0


def test_faces_are_compared_by_a_network_that_has_maps(config, tmp_path):
    factory.write_checkpoint(tmp_path / "m3", "classifier", "m3")
    with pytest.raises(ValueError, match="has no maps to compare faces by: name a guide, or --set alike=0"):
        train(config(guide=str(tmp_path / "m3"), changes="alike=1"))


def test_pairs_may_be_photos_that_another_translator_changed(config):
    settings = config(pairs=str(Path(config().pairs).parent / "guided"))
    assert train(settings).startswith("Stopped: 32 images seen")
    with pytest.raises(ValueError, match="identity holds identity simclr: no generator for a loss"):
        train(config(pairs=str(Path(config().pairs).parent / "identity"), out="other"))


def test_photos_of_every_emotion_are_there_to_be_changed(config, tmp_path):
    few = factory.write_folders(tmp_path / "few", factory.draw_faces(70))
    for folder in [*few.rglob("disgust")]:
        shutil.rmtree(folder)
    options = {"pairs": str(Path(config().pairs).parent / "guided")}
    settings = dataclasses.replace(config(**options), data=str(few))
    with pytest.raises(ValueError, match="No photo of Training shows disgust"):
        train(settings)


def test_part_of_the_way_asks_for_a_blend(game):
    made = game(TranslatorRecipe(partial=1.0))
    intensity, asked = made.ask(EYE[[6, 6]], EYE[[3, 4]])
    assert torch.allclose(asked[:, 6], 1 - intensity)
    assert float(asked[0, 3]) == pytest.approx(float(intensity[0]))
    whole, asked = game(TranslatorRecipe(partial=0.0)).ask(EYE[[6]], EYE[[3]])
    assert whole.tolist() == [1.0]
    assert torch.equal(asked, EYE[[3]])


def test_the_published_recipe_is_the_papers():
    found = TRANSLATORS["published"]
    weights = (found.class_weight, found.generator_class_weight, found.cycle, found.slope_weight)
    assert weights == (1, 1, 10, 10)
    assert (found.critics, found.batch, found.learning_rate) == (5, 16, 1e-4)
    assert not (
        found.reads or found.guide_weight or found.paired or found.alike or found.same or found.identity
    )


def test_a_lesson_needs_pairs():
    with pytest.raises(ValueError, match="A lesson needs pairs"):
        TranslatorRecipe(paired=0.0)


def test_a_face_asked_for_what_it_shows_should_not_change(game):
    made, images = game(), torch.zeros(2, 1, 4, 4)
    changed = images + torch.tensor([0.5, 0.5])[:, None, None, None]
    part = made.unchanged(changed, images, EYE[[3, 3]], EYE[[3, 4]])
    assert float(part) == pytest.approx(0.25)  # the second face does not show what it is labelled


def test_the_learning_rate_falls_over_the_second_half(game):
    made = game(TranslatorRecipe(learning_rate=0.1))
    rates = []
    for progress in (0.0, 0.5, 0.75, 1.0, 1.2):
        made.slow(progress)
        rates.append(made.optimizers["generator"].param_groups[0]["lr"])
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.0, 0.0])


def test_a_game_goes_on_from_a_checkpoint_with_a_new_critic(config, tmp_path):
    train(config("fixed", images=16))
    shutil.copytree(tmp_path / "run" / "checkpoints" / "0000000016", tmp_path / "shipped")
    shutil.rmtree(tmp_path / "run")
    train(config("fixed", images=32, start=str(tmp_path / "shipped"), alone=8))
    told, network = checkpoint.load(tmp_path / "run" / "checkpoints" / "0000000032")
    before = checkpoint.load(tmp_path / "shipped")[1]
    assert told.training["changes"] == [{"images_seen": 16, "discriminator": "new"}]
    moved = [(a - b).abs().max() for a, b in zip(network.parameters(), before.parameters(), strict=True)]
    assert 0 < max(moved) < 0.01  # one step: of the other the critic was alone


def test_four_emotions_of_seven(config):
    settings = config("published", emotions="happy,neutral,sad,surprise", images=16)
    _, batches, _, _ = stargan.prepare(settings, Accelerator(cpu=True))
    known = torch.zeros(7).scatter(0, torch.tensor([3, 4, 5, 6]), 1.0)
    assert torch.equal((batches.conditions[..., :7].sum(-2) > 0).float().view(-1, 7).amax(0), known)
    assert torch.equal((batches.draw_emotion(200)[:, :7].sum(0) > 0).float(), known)
    train(settings)
    told = checkpoint.describe(settings.folder / "checkpoints" / "0000000016").training
    assert told["emotions"] == "happy,sad,surprise,neutral"
    with pytest.raises(ValueError, match="with emotions happy,sad,surprise,neutral; this one has angry,"):
        train(config("published", images=32, resume=True))
    with pytest.raises(ValueError, match="two names or more"):
        config("published", emotions="happy")


def test_the_judge_is_in_no_loss(config, helpers):
    with pytest.raises(ValueError, match="judge holds classifier judge: no classifier for a loss"):
        train(config(teacher=str(helpers / "judge")))
    with pytest.raises(ValueError, match="judge holds classifier judge: no classifier for a loss"):
        train(config(guide=str(helpers / "judge")))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--teacher", "/nowhere"), "/nowhere"),
        (("--set", "cycel=1"), "got 'cycel=1'"),
        (("--preset", "best"), "Unknown preset 'best' of stargan"),
    ],
)
def test_what_cannot_run_is_refused_in_a_sentence(faces, tmp_path, refusal, flags, words):
    assert words in refusal(stargan.main, "--data", faces, "--out", tmp_path, "--cpu", *flags)
