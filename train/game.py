"""A conditional GAN's generator and discriminator, as they train each other: the gradients of one step of each."""

from typing import Any

import torch
from torch import Tensor, nn

from fergan import losses
from fergan.augment import break_faces
from fergan.models.layers import Verdict
from train import collapse
from train.players import Players
from train.recipes import Recipe


def class_parts(name: str, recipe: Recipe, *pairs: tuple[Verdict, Tensor]) -> dict[str, Tensor]:
    """The auxiliary loss, summed over (verdict, emotion), under its name; nothing where no head learns to classify."""
    if not recipe.class_weight:
        return {}
    named = [losses.soft_cross_entropy(v.emotion, rows) for v, rows in pairs if v.emotion is not None]
    return {name: torch.stack(named).sum()} if named else {}


class Game(Players):
    """A GAN's two networks: the gradients of one step of each."""

    def __init__(
        self,
        model: str,
        preset_name: str,
        config: Any,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        guide: nn.Module | None = None,
    ) -> None:
        super().__init__(model, preset_name, config, recipe, seed, device)
        self.recipe, self.noise_dim, self.guide = recipe, int(config.noise_dim), guide

    def draw(self, emotion: Tensor) -> Tensor:
        """Fakes for emotions [B, 7]."""
        noise = self.randn(len(emotion), self.noise_dim)
        with self.autocast():
            return self.generator(noise, emotion)

    def draw_for_discriminator(self, emotion: Tensor) -> Tensor:
        """Fakes without a gradient; the published AC-GAN draws them with frozen batch statistics."""
        self.generator.train(not self.recipe.frozen_statistics)
        with torch.no_grad():
            fake = self.draw(emotion)
        self.generator.train()
        return fake

    def logistic(self, logits: Tensor, real: bool) -> Tensor:
        """The discriminator's part for one kind of images, with the recipe's noise on its targets."""
        most = self.recipe.label_noise
        noise = most * self.rand(*logits.shape) if most else None
        return losses.logistic(logits, real, noise)

    def penalty(self, images: Tensor, emotion: Tensor) -> Tensor:
        """Zero-centred gradient penalty, in float32: bf16 gradients of gradients are too coarse."""
        images = images.detach().requires_grad_(True)
        return losses.gradient_penalty(self.discriminator(images, emotion).realness, images)

    def discriminator_gradients(
        self, real: Tensor, emotion: Tensor, fake_emotion: Tensor, *, penalise: bool
    ) -> dict[str, Tensor]:
        """Gradients of the discriminator's loss on real [B, C, H, W] and as many fakes; returns its parts."""
        recipe = self.recipe
        self.discriminator.requires_grad_(True)
        fake = self.draw_for_discriminator(fake_emotion)
        if recipe.broken_every:
            broken = break_faces(real, self.rand(len(real), 4, 4, 4))
            rows = self.share.rows(torch.arange(len(real) * self.share.of)) % recipe.broken_every == 0
            fake = torch.where(rows.to(self.device)[:, None, None, None], broken, fake)
        real, fake = self.augment(real), self.augment(fake)
        with self.autocast():
            on_real, on_fake = self.discriminator(real, emotion), self.discriminator(fake, fake_emotion)
        if recipe.loss == "relativistic":
            adversarial = losses.relativistic(on_real.realness, on_fake.realness)
        else:
            adversarial = self.logistic(on_real.realness, True) + self.logistic(on_fake.realness, False)
        parts = {"d_loss": adversarial, "d_margin": (on_real.realness - on_fake.realness).mean()}
        named = class_parts(
            "d_class", recipe, (on_real, emotion), *[(on_fake, fake_emotion)] * recipe.class_on_fakes
        )
        loss = adversarial + sum(recipe.class_weight * part for part in named.values())
        parts |= named
        if penalise:
            parts["r1"], parts["r2"] = self.penalty(real, emotion), self.penalty(fake, fake_emotion)
            loss = loss + recipe.gamma / 2 * recipe.penalty_every * (parts["r1"] + parts["r2"])
        loss.backward()
        return parts

    def half_discriminator_gradients(self, images: Tensor, emotion: Tensor, real: bool) -> dict[str, Tensor]:
        """As published: the loss on real images alone, or on fakes alone; each has an update of its own."""
        self.discriminator.requires_grad_(True)
        with self.autocast():
            verdict = self.discriminator(images, emotion)
        adversarial = self.logistic(verdict.realness, real)
        named = class_parts(
            "d_class", self.recipe, *[(verdict, emotion)] * (real or self.recipe.class_on_fakes)
        )
        (adversarial + sum(self.recipe.class_weight * part for part in named.values())).backward()
        return {"d_real" if real else "d_fake": adversarial, **named}

    def generator_gradients(self, real: Tensor, emotion: Tensor, fake_emotion: Tensor) -> dict[str, Tensor]:
        """Gradients of the generator's loss; the discriminator's weights get none. Returns its parts."""
        self.discriminator.requires_grad_(False)
        drawn = self.draw(fake_emotion)
        fake = self.augment(drawn)
        with self.autocast():
            on_fake = self.discriminator(fake, fake_emotion)
            if self.recipe.loss == "relativistic":
                on_real = self.discriminator(self.augment(real), emotion)
                adversarial = losses.relativistic(on_fake.realness, on_real.realness)
            else:
                adversarial = losses.logistic(on_fake.realness, True)
            read = self.guide(drawn).float() if self.guide is not None else None
        named = class_parts("g_class", self.recipe, (on_fake, fake_emotion))
        total = adversarial + sum(self.recipe.generator_class_weight * part for part in named.values())
        if read is not None:
            named["g_guide"] = losses.soft_cross_entropy(read, fake_emotion)
            total = total + self.recipe.guide_weight * named["g_guide"]
        total.backward()
        # both in the range of the game: published faces learn half of it, which is no collapse
        return {"g_loss": adversarial, **named, **collapse.signs(real, drawn)}
