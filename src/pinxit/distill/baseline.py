"""What conditional distillation is compared with: a network fine-tuned for its condition is distilled afterwards.

CM-II and GD-II of Mei et al. 2023, arXiv 2310.01407: after the fine-tune, which is ConditionToImage, comes consistency
distillation (Song et al. 2023), or progressive distillation (Salimans and Ho 2022), to which its guided form (Meng et
al. 2023) adds nothing where nothing is guided.
"""

from math import log2

import torch
from einops import rearrange, reduce
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from pinxit.data.kind import Batch
from pinxit.diffusion.process import Latent, Process
from pinxit.distill.config import ConsistencyConfig, ProgressiveConfig
from pinxit.distill.moment import Moment, Moments
from pinxit.models.adapter.control import Controlled
from pinxit.models.null import NullCondition
from pinxit.rng import Draws
from pinxit.train.diffusion import ConditionToImage
from pinxit.train.objective import Loss
from pinxit.train.state import TrainState


class FollowsTeacher(ConditionToImage):
    """A student of a fine-tuned `teacher`, on a grid of its path."""

    def __init__(  # noqa: PLR0917  (as its parent, and what it follows)
        self,
        network: Controlled,
        process: Process,
        dropout: float,
        null: NullCondition,
        teacher: nn.Module,
        grid: int,
    ) -> None:
        super().__init__(network, process, dropout, null)
        self.teacher, self.grid = teacher, grid
        self.moments = Moments(process, grid, next(teacher.parameters()).device)

    def start(self, batch: Batch, draws: Draws, levels: int) -> tuple[Latent, Int[Tensor, "b"], Bool[Tensor, "b"]]:
        """Noised pictures, their places on the grid, walked in `levels` equal strides, and which have no words."""
        shape, stride = batch.mean.shape[1:], self.grid // levels
        clean = batch.mean + batch.std * draws.normal("posterior", shape)
        place = (draws.uniform("time") * levels).long() * stride
        now = self.moments.at(place)
        x_now = now.alpha * clean + now.sigma * draws.normal("noise", shape)
        return x_now, place, draws.uniform("dropout") < self.dropout

    def clean(
        self, network: nn.Module, x_t: Latent, at: Moment, batch: Batch, dropped: Bool[Tensor, "b"]
    ) -> Float[Tensor, "b c h w"]:
        """The clean latent that `network` finds in x_t."""
        output = self.output(network, x_t, at.time, batch, dropped).to(x_t.dtype)
        return self.process.clean(output, x_t, at.alpha, at.sigma)

    def step(self, x_t: Latent, now: Moment, then: Moment, batch: Batch, dropped: Bool[Tensor, "b"]) -> Latent:
        """The latent one step down the teacher's path: Song et al. 2021, eq. 12 with no added noise."""
        clean = self.clean(self.teacher, x_t, now, batch, dropped)
        return then.alpha * clean + then.sigma * (x_t - now.alpha * clean) / now.sigma


class ConditionConsistency(FollowsTeacher):
    """CM-II: the student's word at one level of the teacher's path is its average's, `target`, at the next one."""

    def __init__(
        self,
        network: Controlled,
        process: Process,
        dropout: float,
        null: NullCondition,
        config: ConsistencyConfig,
        *,
        teacher: nn.Module,
        target: nn.Module,
    ) -> None:
        super().__init__(network, process, dropout, null, teacher, config.anchors)
        self.huber, self.target = config.huber, target

    def each(self, network: nn.Module, batch: Batch, draws: Draws) -> Float[Tensor, "b"]:
        """The pseudo-Huber distance of every picture under `network`: mean of sqrt(d² + c²) - c."""
        x_now, place, dropped = self.start(batch, draws, self.grid)
        now, then = self.moments.at(place), self.moments.at(place + 1)
        with torch.no_grad():
            goal = self.end(self.target, self.step(x_now, now, then, batch, dropped), then, batch, dropped)
        distance = self.end(network, x_now, now, batch, dropped) - goal
        return reduce((distance.square() + self.huber**2).sqrt() - self.huber, "b c h w -> b", "mean")

    def end(
        self, network: nn.Module, x_t: Latent, at: Moment, batch: Batch, dropped: Bool[Tensor, "b"]
    ) -> Float[Tensor, "b c h w"]:
        """The consistency function: where `network` says that the path of x_t ends."""
        clean = self.clean(network, x_t, at, batch, dropped)
        return self.process.pin(clean, x_t, rearrange(at.time, "b -> b 1 1 1"))


class ConditionProgressive(FollowsTeacher):
    """GD-II: the student makes in one step what its teacher makes in two; then its average is the teacher, and again.

    Rounds are of equal length, from half of the grid's steps down to `final`. The error is measured in units of the
    velocity: Salimans and Ho 2022, eq. 9, with their weight SNR + 1.
    """

    def __init__(
        self,
        network: Controlled,
        process: Process,
        dropout: float,
        null: NullCondition,
        config: ProgressiveConfig,
        *,
        teacher: nn.Module,
        images: int,
        batch: int,
    ) -> None:
        super().__init__(network, process, dropout, null, teacher, config.grid)
        self.rounds = int(log2(config.grid // config.final))
        self.images, self.batch, self.round = images, batch, 0

    def loss(self, batch: Batch, draws: Draws, state: TrainState) -> Loss:
        """The sum over pictures, in the round in which the stage is."""
        self.round = self.round_at(state.seen_in_stage)
        return super().loss(batch, draws, state)

    def each(self, network: nn.Module, batch: Batch, draws: Draws) -> Float[Tensor, "b"]:
        """The squared error of every picture under `network`, in this round's steps."""
        stride = 2**self.round
        x_now, place, dropped = self.start(batch, draws, self.grid // (2 * stride))
        now, middle, then = (self.moments.at(place + k * stride) for k in range(3))
        with torch.no_grad():
            x_then = self.step(self.step(x_now, now, middle, batch, dropped), middle, then, batch, dropped)
            ratio = then.sigma / now.sigma
            goal = (x_then - ratio * x_now) / (then.alpha - ratio * now.alpha)
        error = (self.clean(network, x_now, now, batch, dropped) - goal) / now.sigma
        return reduce(error.square(), "b c h w -> b", "mean")

    def round_at(self, seen: int) -> int:
        """The round, counted from 0, after so many pictures of the stage."""
        return min(seen * self.rounds // self.images, self.rounds - 1)

    def after_step(self, state: TrainState) -> None:
        """At the end of a round the student's average is the teacher of the next."""
        now, then = (self.round_at(state.seen_in_stage + step) for step in (0, self.batch))
        if then > now:
            self.teacher.load_state_dict(state.average.model.state_dict())
