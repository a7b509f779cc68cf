"""Latent consistency distillation as an Objective: a student that goes from any level to the clean latent at once.

Luo et al. 2023 (LCM), with the settings of PixArt-δ (Chen et al. 2024).
"""

import torch
from einops import rearrange, reduce
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pinxit.data.kind import Batch
from pinxit.diffusion.process import Latent, Process
from pinxit.distill.config import ConsistencyConfig
from pinxit.distill.moment import Moment, Moments
from pinxit.models.null import NullCondition, null_of
from pinxit.models.transformer import Transformer
from pinxit.rng import Draws
from pinxit.train.diffusion import TextToImage

TEACHER = "teacher"  # its name among the networks that a training state keeps


class Consistency(TextToImage):
    """The student's word at one level of the teacher's path is the target's at the next one.

    The teacher makes one guided DDIM step (of a flow: Euler's) between two neighbouring anchors. The target is the
    student's average. At the clean end a consistency function gives what it is given: the process sees to that.
    """

    def __init__(
        self,
        network: Transformer,
        process: Process,
        null: NullCondition,
        config: ConsistencyConfig,
        *,
        teacher: Transformer,
        target: nn.Module,
    ) -> None:
        super().__init__(network, process, 0.0, null)
        self.config, self.teacher, self.target = config, teacher, target
        self.moments = Moments(process, config.anchors, next(teacher.parameters()).device)

    def each(self, network: nn.Module, batch: Batch, draws: Draws) -> Float[Tensor, "b"]:
        """The pseudo-Huber distance of every picture under `network`: mean of sqrt(d² + c²) - c."""
        shape = batch.mean.shape[1:]
        clean = batch.mean + batch.std * draws.normal("posterior", shape)
        place = (draws.uniform("time") * self.config.anchors).long()
        now, then = self.moments.at(place), self.moments.at(place + 1)
        x_now = now.alpha * clean + now.sigma * draws.normal("noise", shape)
        kept = torch.zeros(len(place), dtype=torch.bool, device=place.device)
        with torch.no_grad():
            goal = self.end(self.target, self.step(x_now, now, then, batch), then, batch, kept)
        distance = self.end(network, x_now, now, batch, kept) - goal
        huber = self.config.huber
        return reduce((distance.square() + huber**2).sqrt() - huber, "b c h w -> b", "mean")

    def end(
        self, network: nn.Module, x_t: Latent, at: Moment, batch: Batch, dropped: Bool[Tensor, "b"]
    ) -> Float[Tensor, "b c h w"]:
        """The consistency function: where `network` says that the path of x_t ends."""
        said = self.output(network, x_t, at.time, batch, dropped)
        clean = self.process.clean(said, x_t, at.alpha, at.sigma)
        return self.process.pin(clean, x_t, rearrange(at.time, "b -> b 1 1 1"))

    def step(self, x_t: Latent, now: Moment, then: Moment, batch: Batch) -> Latent:
        """The latent at the next anchor of the teacher's guided path: Song et al. 2021, eq. 12 with no added noise."""
        null = null_of(self.teacher, self.null)
        everywhere = torch.ones(len(x_t), dtype=torch.bool, device=x_t.device)
        told = (batch.caption, batch.keep), null.replace(batch.caption, batch.keep, everywhere)
        known = (batch.size, batch.aspect) if self.knows_size else ()
        readings = [self.teacher.read(*each) for each in told]
        said = self.teacher.denoise_each(x_t, now.time, readings, *known)
        asked, without = (self.process.clean(output, x_t, now.alpha, now.sigma) for output in said)
        clean = without + self.config.guidance * (asked - without)
        return then.alpha * clean + then.sigma * (x_t - now.alpha * clean) / now.sigma
