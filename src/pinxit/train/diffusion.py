"""Diffusion as an Objective: class to image (stage one) and text to image (all later stages)."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pinxit.data.kind import Batch
from pinxit.diffusion.process import Process
from pinxit.models.dit import DiT
from pinxit.models.null import NullCondition
from pinxit.models.transformer import Transformer
from pinxit.rng import Draws
from pinxit.train.objective import Loss
from pinxit.train.state import TrainState


def noised(
    batch: Batch, draws: Draws, process: Process
) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b c h w"], Float[Tensor, "b"]]:
    """Clean latents drawn from their posterior, noise, and times; all picture by picture."""
    shape = batch.mean.shape[1:]
    clean = batch.mean + batch.std * draws.normal("posterior", shape)
    return clean, draws.normal("noise", shape), process.draw_time(draws.uniform("time"))


class TextToImage:
    """The transformer learns to denoise latents given captions; a share of captions is the null condition."""

    def __init__(self, network: Transformer, process: Process, null: NullCondition, dropout: float) -> None:
        self.network, self.process, self.null, self.dropout = network, process, null, dropout
        self.trained: Mapping[str, nn.Parameter] = dict(network.named_parameters())

    def each(self, network: nn.Module, batch: Batch, draws: Draws) -> Float[Tensor, "b"]:
        """The loss of every picture under `network`, the one trained or its average."""
        clean, eps, time = noised(batch, draws, self.process)
        dropped = draws.uniform("dropout") < self.dropout
        caption, keep = self.null.replace(batch.caption, batch.keep, dropped)
        known = {"size": batch.size, "aspect": batch.aspect} if self.network.config.conditions else {}
        output = network(self.process.add_noise(clean, eps, time), time, caption, keep, **known)
        return self.process.loss(output, clean, eps, time)

    def loss(self, batch: Batch, draws: Draws, state: TrainState) -> Loss:
        """The sum over pictures."""
        each = self.each(self.network, batch, draws)
        return Loss(each.sum(), len(each))

    def after_step(self, state: TrainState) -> None:
        """Nothing else moves."""


class ClassToImage:
    """The DiT learns to denoise latents given a class; a share of classes is the null row."""

    def __init__(self, network: DiT, process: Process, dropout: float) -> None:
        self.network, self.process, self.dropout = network, process, dropout
        self.trained: Mapping[str, nn.Parameter] = dict(network.named_parameters())

    def each(self, network: nn.Module, batch: Batch, draws: Draws) -> Float[Tensor, "b"]:
        """The loss of every picture under `network`, the one trained or its average."""
        clean, eps, time = noised(batch, draws, self.process)
        dropped = draws.uniform("dropout") < self.dropout
        label = torch.where(dropped, self.network.classes, batch.label)
        output = network(self.process.add_noise(clean, eps, time), time, label)
        return self.process.loss(output, clean, eps, time)

    def loss(self, batch: Batch, draws: Draws, state: TrainState) -> Loss:
        """The sum over pictures."""
        each = self.each(self.network, batch, draws)
        return Loss(each.sum(), len(each))

    def after_step(self, state: TrainState) -> None:
        """Nothing else moves."""
