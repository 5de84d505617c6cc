"""Two networks that train each other: their optimizers, their random numbers, and the whole state."""

import copy
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from fergan.augment import diff_augment
from fergan.models import preset
from train import run, states
from train.processes import ALONE, Share
from train.recipes import Recipe, TranslatorRecipe


def optimizer(recipe: Recipe | TranslatorRecipe, network: nn.Module) -> torch.optim.Optimizer:
    """What a recipe names, for a network's parameters."""
    if isinstance(recipe, Recipe) and recipe.optimizer == "rmsprop":  # Keras' defaults
        return torch.optim.RMSprop(network.parameters(), recipe.learning_rate, alpha=0.9, eps=1e-7)
    betas = (recipe.beta1, recipe.beta2)
    return torch.optim.Adam(network.parameters(), recipe.learning_rate, betas, fused=True)


class Players:
    """Generator and discriminator with their optimizers, and the generator's average."""

    def __init__(
        self,
        model: str,
        preset_name: str,
        config: Any,
        recipe: Recipe | TranslatorRecipe,
        seed: int,
        device: torch.device,
    ) -> None:
        networks = preset(model, preset_name)
        assert networks.discriminator is not None  # the flags let no other model in
        torch.manual_seed(seed)
        layout = torch.channels_last  # 1.4 times faster on a CPU with AMX, and what tensor cores want
        self.generator = networks.network(config).to(device).to(memory_format=layout)  # type: ignore[call-overload]
        self.discriminator = networks.discriminator(config).to(device).to(memory_format=layout)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.device, self.chance, self.ema_images = device, recipe.augment, recipe.ema_images
        self.dtype = run.fast_precision(device)
        self.rng = torch.Generator().manual_seed(seed)
        self.share: Share = ALONE
        """Of each batch; where several processes train, the rows of this one."""
        self.clip = getattr(recipe, "clip", 0.0)
        self.optimizers = {
            name: optimizer(recipe, getattr(self, name)) for name in ("generator", "discriminator")
        }

    def autocast(self) -> torch.autocast:
        """bf16 for the convolutions where the run uses it; losses and penalties stay in float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16)

    def augment(self, images: Tensor) -> Tensor:
        """DiffAugment with the recipe's chance."""
        return diff_augment(images, self.rng, self.chance, self.share)

    def rand(self, *shape: int, dim: int = 0) -> Tensor:
        """Numbers in [0, 1), a row for each image in `dim`; drawn on the CPU, so that a run repeats on any device."""
        return self.share.draw(torch.rand, *shape, generator=self.rng, dim=dim).to(
            self.device, non_blocking=True
        )

    def randn(self, *shape: int) -> Tensor:
        """As `rand`, standard normal."""
        return self.share.draw(torch.randn, *shape, generator=self.rng).to(self.device, non_blocking=True)

    def update(self, name: str, accelerator: Accelerator) -> None:
        """One optimizer step of a network, with the mean gradient of all processes."""
        run.average_gradients(getattr(self, name), accelerator)
        if self.clip:
            torch.nn.utils.clip_grad_value_(getattr(self, name).parameters(), self.clip)
        self.optimizers[name].step()
        self.optimizers[name].zero_grad(set_to_none=True)

    def update_average(self, images: int, seen: int) -> None:
        """Moves the average towards the generator; a young run forgets faster (StyleGAN2-ADA's ramp)."""
        half_life = min(self.ema_images, 0.05 * seen)
        run.ema_update(self.average, self.generator, 0.5 ** (images / half_life) if half_life > 0 else 0.0)

    def state(self) -> dict[str, Tensor]:
        """All tensors that the next step depends on, but the batches' own."""
        tensors = {"rng.noise": self.rng.get_state(), "rng.torch": torch.get_rng_state()}  # dropout's
        if self.device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state(self.device)
        for name in ("generator", "discriminator", "average"):
            tensors |= states.of_module(getattr(self, name), name)
        for name, optimizer in self.optimizers.items():
            tensors |= states.of_optimizer(optimizer, f"adam.{name}")
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """The reverse of state()."""
        for name in ("generator", "discriminator", "average"):
            states.to_module(getattr(self, name), name, tensors)
        for name, optimizer in self.optimizers.items():
            states.to_optimizer(optimizer, f"adam.{name}", tensors)
        self.rng.set_state(tensors["rng.noise"])
        torch.set_rng_state(tensors["rng.torch"])
        if self.device.type == "cuda" and "rng.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["rng.cuda"], self.device)
