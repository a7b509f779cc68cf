"""Diffusion as an Objective: class to image (stage one), text to image (all later stages), condition to image."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pinxit.data.kind import Batch
from pinxit.diffusion.process import Latent, Process
from pinxit.models.adapter.control import Controlled
from pinxit.models.dit import DiT
from pinxit.models.null import NullCondition, null_of
from pinxit.models.transformer import Transformer
from pinxit.rng import Draws
from pinxit.train.objective import Loss
from pinxit.train.state import TrainState


class DiffusionObjective:
    """The mean over pictures of a process's loss; what the network is told besides is the children's."""

    def __init__(self, network: nn.Module, process: Process, dropout: float) -> None:
        self.network, self.process, self.dropout = network, process, dropout
        self.trained: Mapping[str, nn.Parameter] = dict(network.named_parameters())

    def output(
        self, network: nn.Module, x_t: Latent, time: Float[Tensor, "b"], batch: Batch, dropped: Bool[Tensor, "b"]
    ) -> Float[Tensor, "b c2 h w"]:
        """What `network` says of the noised latents; where `dropped`, without their condition."""
        raise NotImplementedError

    def each(self, network: nn.Module, batch: Batch, draws: Draws) -> Float[Tensor, "b"]:
        """The loss of every picture under `network`: the one trained, or its average."""
        clean, eps, time = self._noised(batch, draws)
        dropped = draws.uniform("dropout") < self.dropout
        output = self.output(network, self.process.add_noise(clean, eps, time), time, batch, dropped)
        return self.process.loss(output, clean, eps, time)

    def blind(self, batch: Batch, draws: Draws) -> Float[Tensor, "b"]:
        """The same of who knows nothing of pictures but how noise is mixed in: see the process's `blind`."""
        clean, eps, time = self._noised(batch, draws)
        return self.process.loss(self.process.blind(self.process.add_noise(clean, eps, time), time), clean, eps, time)

    def _noised(self, batch: Batch, draws: Draws) -> tuple[Latent, Latent, Float[Tensor, "b"]]:
        """Clean latents, noise and times of a batch."""
        shape = batch.mean.shape[1:]
        clean = batch.mean + batch.std * draws.normal("posterior", shape)
        return clean, draws.normal("noise", shape), self.process.draw_time(draws.uniform("time"))

    def loss(self, batch: Batch, draws: Draws, state: TrainState) -> Loss:
        """The sum over pictures."""
        each = self.each(self.network, batch, draws)
        return Loss(each.sum(), len(each))

    def after_step(self, state: TrainState) -> None:
        """Nothing else moves."""


class TextToImage(DiffusionObjective):
    """The transformer learns to denoise latents given captions; a share of captions is the null condition."""

    def __init__(self, network: Transformer, process: Process, dropout: float, null: NullCondition) -> None:
        super().__init__(network, process, dropout)
        self.null, self.knows_size = null, network.config.conditions

    def output(
        self, network: nn.Module, x_t: Latent, time: Float[Tensor, "b"], batch: Batch, dropped: Bool[Tensor, "b"]
    ) -> Float[Tensor, "b c2 h w"]:
        """What `network` says given the captions."""
        caption, keep = null_of(network, self.null).replace(batch.caption, batch.keep, dropped)
        known = (batch.size, batch.aspect) if self.knows_size else ()
        output: Tensor = network(x_t, time, caption, keep, *known)
        return output


class ConditionToImage(DiffusionObjective):
    """A network with a control branch learns to denoise latents given their conditions, and captions where not dropped.

    Where its backbone is frozen, the branch alone is trained.
    """

    def __init__(self, network: Controlled, process: Process, dropout: float, null: NullCondition) -> None:
        super().__init__(network, process, dropout)
        self.trained = {name: each for name, each in network.named_parameters() if each.requires_grad}
        self.null, self.knows_size = null, network.config.conditions

    def output(
        self, network: nn.Module, x_t: Latent, time: Float[Tensor, "b"], batch: Batch, dropped: Bool[Tensor, "b"]
    ) -> Float[Tensor, "b c2 h w"]:
        """What `network` says given the conditions and the captions."""
        assert isinstance(network, Controlled)
        assert batch.condition is not None, "the cache holds no conditions"
        caption, keep = null_of(network.base, self.null).replace(batch.caption, batch.keep, dropped)
        known = (batch.size, batch.aspect) if self.knows_size else ()
        output: Tensor = network(x_t, time, caption, keep, batch.condition, *known)
        return output


class ClassToImage(DiffusionObjective):
    """The DiT learns to denoise latents given a class; a share of them, and pictures without one, get the null row."""

    def __init__(self, network: DiT, process: Process, dropout: float) -> None:
        super().__init__(network, process, dropout)
        self.classes = network.classes

    def output(
        self, network: nn.Module, x_t: Latent, time: Float[Tensor, "b"], batch: Batch, dropped: Bool[Tensor, "b"]
    ) -> Float[Tensor, "b c2 h w"]:
        """What `network` says given the classes."""
        output: Tensor = network(x_t, time, torch.where(dropped | (batch.label < 0), self.classes, batch.label))
        return output
