"""A translator of expressions and its critic, as they train each other: the gradients of one step of each."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from fergan import losses
from fergan.data import Faces
from fergan.emotions import EMOTIONS
from fergan.images import to_model
from fergan.metrics import confusion, precision_recall_per_class
from fergan.models import stargan
from fergan.models.classifier import Teacher
from fergan.models.layers import Verdict
from train.pairs import Pair, Pairs
from train.players import Players
from train.recipes import TranslatorRecipe


class Translation(Players):
    """The translator and its critic: the gradients of one step of each."""

    def __init__(
        self,
        preset_name: str,
        config: Any,
        recipe: TranslatorRecipe,
        seed: int,
        device: torch.device,
        teacher: nn.Module | None = None,
        guide: nn.Module | None = None,
        embedder: nn.Module | None = None,
    ) -> None:
        super().__init__("stargan", preset_name, config, recipe, seed, device)
        self.recipe, self.teacher, self.guide, self.embedder = recipe, teacher, guide, embedder
        if isinstance(self.generator, stargan.Generator):
            self.generator.passes = min(self.generator.passes, recipe.learnt_passes)
        self.pairs: Pairs | None = None
        """What it is shown, where the recipe has pairs."""
        self.heard = torch.ones(len(EMOTIONS), device=device)
        """How much the guide's reading of each emotion counts in the lesson, [7] in [0, 1]; see `hear`."""

    def read(self, images: Tensor, labels: Tensor) -> Tensor:
        """What a face shows before it is changed, [B, 7]: the teacher's soft reading, else its label."""
        if self.teacher is None:
            return labels
        with torch.no_grad(), self.autocast():
            return torch.softmax(self.teacher(images).float(), dim=1)

    def readings(self, faces: Tensor) -> Tensor:
        """What the teacher sees in faces, uint8 [N, C, H, W] -> [N, 7], on the CPU."""
        blank = torch.empty(0)  # nobody asks for labels where there is a teacher
        parts = tqdm(faces.split(256), desc="reading faces", unit="batch", leave=False)
        return torch.cat([self.read(to_model(part.to(self.device)), blank).cpu() for part in parts])

    def hear(self, faces: Faces) -> None:
        """Lets the guide count, in the lesson, as far as it knows each emotion of these faces, and pairs in its place."""
        if self.guide is None or not self.recipe.lesson_known or not len(faces):
            return
        with torch.no_grad(), self.autocast():
            parts = (to_model(part.to(self.device)) for part in faces.images.split(256))
            read = torch.cat([self.guide(part).argmax(dim=1).cpu() for part in parts])
        recall = precision_recall_per_class(confusion(read, faces.labels))[1]
        nobody = faces.labels.bincount(minlength=len(EMOTIONS)) == 0
        known = (recall / self.recipe.lesson_known).clamp(max=1).masked_fill(nobody, 1.0)
        self.heard = known.float().to(self.device)

    def relight(self, images: Tensor) -> Tensor:
        """Brightness and contrast, each face its own: photos are not lit as FER2013 is. Channels are lit alike."""
        light = self.recipe.light
        if not light:
            return images
        shift, gain = self.rand(2, len(images), 1, 1, 1, dim=1) * 2 - 1
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        return (mean + (images - mean) * (1 + light * gain) + light * shift).clamp(-1, 1)

    def roughen(self, images: Tensor) -> Tensor:
        """Faces with noise on them, each with its own amount."""
        if not (most := self.recipe.guide_noise):
            return images
        amount = most * self.rand(len(images), 1, 1, 1)
        return images + amount * self.randn(*images.shape)

    def ask(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """How far each face goes, [B], and what it should show there, [B, 7]."""
        amount = self.rand(2, len(source), dim=1)
        intensity = torch.where(amount[0] < self.recipe.partial, amount[1], torch.ones_like(amount[1]))
        return intensity, torch.lerp(source, target, intensity[:, None])

    def compare(self, real: Verdict, fake: Verdict) -> Tensor:
        """The discriminator's loss."""
        if self.recipe.loss == "relativistic":
            return losses.relativistic(real.realness, fake.realness)
        rule = losses.wasserstein if self.recipe.loss == "wasserstein" else losses.logistic
        return rule(real.realness, True) + rule(fake.realness, False)

    def discriminator_gradients(
        self, real: Tensor, emotion: Tensor, source: Tensor, target: Tensor, *, penalise: bool
    ) -> dict[str, Tensor]:
        """On real faces [B, C, H, W] with their emotion, and on what becomes of them; returns the parts."""
        recipe = self.recipe
        self.discriminator.requires_grad_(True)
        intensity, asked = self.ask(source, target)
        with torch.no_grad(), self.autocast():
            fake = self.generator(self.relight(real), source, target, intensity)
        shown, fake = self.augment(self.relight(real)), self.augment(fake)  # lit alike: light tells nothing
        with self.autocast():
            on_real, on_fake = self.discriminator(shown, emotion), self.discriminator(fake, asked)
        assert on_real.emotion is not None
        parts = {"d_loss": self.compare(on_real, on_fake)}
        parts["d_margin"] = on_real.realness.mean() - on_fake.realness.mean()
        parts["d_class"] = losses.soft_cross_entropy(on_real.emotion, emotion)
        loss = parts["d_loss"] + recipe.class_weight * parts["d_class"]
        if recipe.slope_weight:
            share = self.rand(len(real), 1, 1, 1)
            between = torch.lerp(fake, shown, share).requires_grad_(True)
            parts["d_slope"] = losses.slope_penalty(self.discriminator(between, emotion).realness, between)
            loss = loss + recipe.slope_weight * parts["d_slope"]
        if penalise:
            leaf = shown.detach().requires_grad_(True)
            parts["r1"] = losses.gradient_penalty(self.discriminator(leaf, emotion).realness, leaf)
            loss = loss + recipe.gamma / 2 * recipe.penalty_every * parts["r1"]
        loss.backward()
        return parts

    def generator_gradients(
        self, real: Tensor, emotion: Tensor, source: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """On faces [B, C, H, W] that show `source` and are to show `target`; returns the parts of the loss."""
        recipe = self.recipe
        self.discriminator.requires_grad_(False)
        intensity, asked = self.ask(source, target)
        whole, lit = torch.ones_like(intensity), self.relight(real)
        with self.autocast():
            fake, change = self.translate(lit, source, target, intensity)
            on_fake = self.discriminator(self.augment(fake), asked)
            back, _ = self.translate(fake, asked, source, whole)
            on_real = None
            if recipe.loss == "relativistic":
                on_real = self.discriminator(self.augment(self.relight(real)), emotion)
        parts = {"g_loss": self.fool(on_fake, on_real), "g_cycle": F.l1_loss(back, lit)}
        assert on_fake.emotion is not None
        parts["g_class"] = losses.soft_cross_entropy(on_fake.emotion, asked)
        total = parts["g_loss"] + recipe.generator_class_weight * parts["g_class"]
        total = total + recipe.cycle * parts["g_cycle"]
        for name, weight, part in self.restraints(lit, emotion, source, fake, asked, change):
            parts[name] = part
            total = total + weight * part
        total.backward()
        return parts

    def translate(
        self, images: Tensor, source: Tensor, target: Tensor, intensity: Tensor
    ) -> tuple[Tensor, stargan.Change | None]:
        """The changed faces and, of ours, what was done to them."""
        if not isinstance(self.generator, stargan.Generator):
            return self.generator(images, source, target, intensity), None
        change = self.generator.change(images, source, target, intensity)
        return change.apply(images), change

    def fool(self, fake: Verdict, real: Verdict | None) -> Tensor:
        """The generator's adversarial loss."""
        if real is not None:
            return losses.relativistic(fake.realness, real.realness)
        rule = losses.wasserstein if self.recipe.loss == "wasserstein" else losses.logistic
        return rule(fake.realness, True)

    def restraints(
        self,
        images: Tensor,
        emotion: Tensor,
        source: Tensor,
        fake: Tensor,
        asked: Tensor,
        change: stargan.Change | None,
    ) -> list[tuple[str, float, Tensor]]:
        """What else is asked of a changed face: name, weight, part."""
        recipe, found = self.recipe, []
        with self.autocast():
            if self.guide is not None and recipe.guide_weight:
                read = self.guide(self.roughen(fake)).float()
                found.append(("g_guide", recipe.guide_weight, losses.soft_cross_entropy(read, asked)))
            if recipe.same:
                same, _ = self.translate(images, source, emotion, torch.ones(len(images), device=self.device))
                found.append(("g_same", recipe.same, self.unchanged(same, images, source, emotion)))
            if self.embedder is not None and recipe.identity:
                before, after = self.embedder(images), self.embedder(fake)
                found.append(("g_identity", recipe.identity, 1 - (before * after).sum(dim=1).mean()))
            if self.pairs is not None:
                pair = self.pairs.take(len(images) // 2, self.rng, self.share)
                found.append(("g_paired", recipe.paired, self.as_drawn(pair)[0]))
        if recipe.near_weight:
            moved = (fake.float() - images).square().mean(dim=(1, 2, 3)).add(
                1e-8
            ).sqrt() * 48  # any size, any channels
            found.append(("g_near", recipe.near_weight, F.relu(moved - recipe.near).mean()))
        if change is not None:
            over = F.relu(change.mask.mean(dim=(1, 2, 3)) - recipe.budget).mean()
            found.append(("g_mask", recipe.budget_weight, over))
            found.append(("g_flow", recipe.smooth, losses.unevenness(change.flow * images.shape[-1])))
        return found

    def as_drawn(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Distance from people to the same people as they were drawn again, by trust; and what became of them.

        It counts the more, up to twice, the less the guide is heard of the emotion that is asked for.
        """
        before, after = self.relight(torch.cat([pair.before, pair.after], dim=1)).chunk(2, dim=1)
        fake, _ = self.translate(before, pair.source, pair.target, pair.intensity)
        apart = (fake - after).abs().mean(dim=(1, 2, 3))
        if self.recipe.alike:
            assert isinstance(self.guide, Teacher)  # see train.stargan.prepare
            with torch.no_grad():
                due = self.guide.maps(after)
            apart = apart + self.recipe.alike * losses.unlikeness(self.guide.maps(fake), due)
        known = (pair.target * self.heard).sum(dim=1)
        return (pair.trust * (2 - known) * apart).mean(), fake

    def lesson_gradients(self, count: int) -> dict[str, Tensor]:
        """On pairs alone; returns the parts of the loss."""
        assert self.pairs is not None  # the recipe refuses a lesson without
        recipe, pair = self.recipe, self.pairs.take(count, self.rng, self.share)
        with self.autocast():
            apart, fake = self.as_drawn(pair)
            parts, total = {"g_paired": apart}, recipe.paired * apart
            if recipe.lesson_reads:
                assert self.guide is not None  # see train.stargan.prepare
                asked = torch.lerp(pair.source, pair.target, pair.intensity[:, None])
                parts["g_guide"] = losses.soft_cross_entropy(self.guide(fake).float(), self.heard * asked)
                total = total + recipe.lesson_reads * parts["g_guide"]
        total.backward()
        return parts

    @staticmethod
    def unchanged(same: Tensor, images: Tensor, source: Tensor, emotion: Tensor) -> Tensor:
        """Distance of faces asked to show their own emotion, by how much they are seen to show it already."""
        agreement = (source * emotion).sum(dim=1)
        return (agreement * (same - images).abs().mean(dim=(1, 2, 3))).mean()

    def slow(self, progress: float) -> None:
        """Sets the learning rate at a share of the planned images: from the second half on it falls to 0."""
        factor = min(1.0, 2 * (1 - progress)) if self.recipe.decay else 1.0
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = self.recipe.learning_rate * max(factor, 0.0)
