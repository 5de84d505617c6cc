"""Several processes train as one: what comes of a run does not depend on their number, but for rounding.

A recipe's batch is that of all of them. Each draws what is random for the whole batch, from the same numbers, and
takes its share of the rows; gradients are averaged (run.average_gradients), and layers that look at a batch see all
of it. So a state that one process saved is resumed by any number.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, distributed
from torch.overrides import TorchFunctionMode


class Share(NamedTuple):
    """The rows of a batch that are one process's: every `of`-th from `first`.

    So strewn, what a batch deviation groups (layers.minibatch_deviation) lies in one process, where a share has a
    multiple of eight rows.
    """

    first: int = 0
    of: int = 1

    def rows(self, whole: Tensor, dim: int = 0) -> Tensor:
        """Its rows of what all have."""
        return whole[(slice(None),) * dim + (slice(self.first, None, self.of),)]

    def draw(
        self, kind: Callable[..., Tensor], *shape: int, generator: torch.Generator, dim: int = 0
    ) -> Tensor:
        """Random numbers of this shape (`kind`: torch.rand, torch.randn): its own of those that all draw."""
        whole = [size * self.of if place == dim else size for place, size in enumerate(shape)]
        return self.rows(kind(*whole, generator=generator), dim)

    def together(self) -> AbstractContextManager[Any]:
        """Within, layers draw, and look at a batch, as if they had all of it."""
        return _Together(self) if self.of > 1 else nullcontext()


ALONE = Share()
"""All rows: of the one process that there is."""


def share_of(accelerator: Accelerator, batch: int) -> Share:
    """This process's share of such batches.

    Raises:
        ValueError: the processes cannot share them evenly.
    """
    if batch % accelerator.num_processes:
        raise ValueError(
            f"A batch of {batch} cannot be shared by {accelerator.num_processes} processes: choose a multiple of"
            " their number, as --set batch=N."
        )
    return Share(accelerator.process_index, accelerator.num_processes)


def gather(rows: Tensor, share: Share) -> Tensor:
    """This process's rows [B, F] among those of all, in the batch's order; its own alone carry a gradient."""
    if share.of == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(share.of)]
    distributed.all_gather(parts, rows.detach().contiguous())
    parts[share.first] = rows
    return torch.stack(parts, dim=1).flatten(0, 1)


def agree(value: float, accelerator: Accelerator) -> float:
    """The mean of what each process measured: devices may round otherwise, and then not all would stop at once."""
    if accelerator.num_processes == 1:
        return value
    return float(accelerator.reduce(torch.tensor(value, device=accelerator.device), reduction="mean"))


class _Mean(torch.autograd.Function):
    """A tensor's mean over the processes; as is its gradient, where the losses' mean is what counts."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone()
        distributed.all_reduce(total)
        return total / distributed.get_world_size()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _mean(gradient)


def _mean(own: Tensor) -> Tensor:
    return _Mean.apply(own)  # type: ignore[no-untyped-call]


class _Together(TorchFunctionMode):
    """Stands in for the functions by which layers draw or look at a batch, so that models know of no process."""

    def __init__(self, share: Share) -> None:
        super().__init__()
        self.share = share
        self.own: dict[Any, Callable[..., Tensor]] = {
            F.dropout: self.dropout,
            F.batch_norm: self.batch_norm,
            F.instance_norm: self.instance_norm,
            torch.randn_like: self.randn_like,
        }

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        found: Callable[..., Any] = self.own.get(func, func)
        return found(*args, **(kwargs or {}))

    def whole(self, own: Tensor) -> Tensor:
        """Ones of the whole batch, laid out as the tensor is: random numbers are filled in as they lie."""
        ones = own.new_ones((len(own) * self.share.of, *own.shape[1:]))
        wide = own.ndim == 4 and own.is_contiguous(memory_format=torch.channels_last)
        return ones.contiguous(memory_format=torch.channels_last) if wide else ones

    def randn_like(self, own: Tensor) -> Tensor:
        """Noise [B, ...] of that of all."""
        return self.share.rows(torch.randn_like(self.whole(own)))

    def dropout(self, own: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        """Which numbers stay is drawn for the whole batch."""
        return own * self.share.rows(F.dropout(self.whole(own), p)) if training and p else own

    def batch_norm(
        self,
        own: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """Mean and variance are those of the whole batch (Ioffe & Szegedy 2015, algorithm 1)."""
        if not training:
            return F.batch_norm(own, running_mean, running_var, weight, bias, False, momentum, eps)
        shape, dims = (1, -1, *[1] * (own.ndim - 2)), [0, *range(2, own.ndim)]
        mean = _mean(own.float().mean(dims))
        centred = own.float() - mean.view(shape)
        variance = _mean(centred.square().mean(dims))
        with torch.no_grad():
            count = self.share.of * own.numel() / own.shape[1]
            if running_mean is not None and running_var is not None:
                running_mean.lerp_(mean, momentum)
                running_var.lerp_(variance * count / (count - 1), momentum)
        found = centred * (variance + eps).rsqrt().view(shape)
        if weight is not None and bias is not None:
            found = found * weight.view(shape) + bias.view(shape)
        return found.to(own.dtype)

    def instance_norm(
        self, own: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None, **how: Any
    ) -> Tensor:
        """Each image stands alone; the running statistics, a mean over the batch, are those of the whole."""
        found = F.instance_norm(own, running_mean, running_var, **how)
        if how.get("use_input_stats", True) and running_mean is not None and running_var is not None:
            with torch.no_grad():
                mean, variance = _mean(torch.stack([running_mean, running_var]))
                running_mean.copy_(mean)
                running_var.copy_(variance)
        return found
