"""CoDi as an Objective: a text-to-image network becomes a few-step tool for a condition, in one stage.

Mei et al. 2023, arXiv 2310.01407. With x_t = alpha clean + sigma eps, w the network with its branch and w- its average:

    s      = the level after t on the grid
    x_s    = alpha_s clean_w(x_t, t) + sigma_s eps_w(x_t, t)                                one step of the path
    loss   = a(t) |eps_w-(x_s, s) - eps_w(x_t, t)|² + b(t) |clean - clean_w(x_t, t)|²       x_s, w-: no gradient

Why both terms are brought into units of the velocity unless asked otherwise: an error e of the velocity is alpha e in
the noise and sigma e in the clean latent (of flows and of variance-preserving processes alike). With equal weights the
first term would vanish towards pure noise, where few steps need it, and the second towards the clean end, whose only
anchor it is: a straight path is consistent whatever it leads to.

What the weights do: in units of the velocity both errors are of one number, so that the network's best answer at t is
the mean of the true velocity there and of its own at s, weighed b to a; by and by, of all velocities ahead on its path,
each level's a / (a + b) of the one before. It looks a / b levels ahead on the average, and drawing in n steps wants
half a step, 1 / 2n of the path. With too large an a the answers agree with each other whatever the condition says. And
what is true near the clean end has to come up level by level, each as slow as the average: hence few levels, and an
average of few steps.
"""

import torch
from einops import rearrange, reduce
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pinxit.data.kind import Batch
from pinxit.diffusion.process import Latent, Process
from pinxit.distill.config import CodiConfig
from pinxit.distill.moment import Moment, Moments
from pinxit.models.adapter.control import Controlled
from pinxit.models.null import NullCondition
from pinxit.rng import Draws
from pinxit.train.diffusion import ConditionToImage


class Codi(ConditionToImage):
    """`target` is the network's average; `frozen` the network as the stage began, asked for where the path is its."""

    def __init__(
        self,
        network: Controlled,
        process: Process,
        dropout: float,
        null: NullCondition,
        config: CodiConfig,
        *,
        target: nn.Module,
        frozen: nn.Module | None = None,
    ) -> None:
        super().__init__(network, process, dropout, null)
        assert (frozen is not None) == (config.trajectory == "frozen")
        self.config, self.target, self.frozen = config, target, frozen
        self.moments = Moments(process, config.grid, next(network.parameters()).device)

    def each(self, network: nn.Module, batch: Batch, draws: Draws) -> Float[Tensor, "b"]:
        """The loss of every picture under `network`: see the file's first lines."""
        shape = batch.mean.shape[1:]
        clean = batch.mean + batch.std * draws.normal("posterior", shape)
        chance = draws.uniform("time")
        if self.config.times == "batch":
            chance = chance[:1].expand_as(chance)
        place = (chance * self.config.grid).long()
        now, then = self.moments.at(place), self.moments.at(place + 1)
        eps, dropped = draws.normal("noise", shape), draws.uniform("dropout") < self.dropout
        x_now = now.alpha * clean + now.sigma * eps
        said = self.ends(network, x_now, now, batch, dropped)
        signal = reduce((said[0] - clean).square(), "b c h w -> b", "mean") * self.signal_weight(now)
        if self.config.consistency == "none":
            return signal
        with torch.no_grad():
            x_then = self.step(said, x_now, eps, now, then, batch, dropped)
            goal = self.ends(self.target, x_then, then, batch, dropped)
            if self.config.end == "true":
                at_end = rearrange(place + 1 == self.config.grid, "b -> b 1 1 1")
                goal = torch.where(at_end, clean, goal[0]), torch.where(at_end, eps, goal[1])
        which = 1 if self.config.consistency == "noise" else 0
        apart = reduce((said[which] - goal[which]).square(), "b c h w -> b", "mean")
        return signal + apart * self.consistency_weight(now)

    def ends(
        self, network: nn.Module, x_t: Latent, at: Moment, batch: Batch, dropped: Bool[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b c h w"]]:
        """The clean latent and the noise that `network` finds in x_t."""
        output = self.output(network, x_t, at.time, batch, dropped).to(x_t.dtype)  # products may be coarser
        clean = self.process.clean(output, x_t, at.alpha, at.sigma)
        noise = self.process.noise(output, x_t, at.alpha, at.sigma)
        if self.config.skip:
            time = rearrange(at.time, "b -> b 1 1 1")
            clean, noise = self.process.pin(clean, x_t, time), self.process.pin(noise, x_t, time)
        return clean, noise

    def step(  # noqa: PLR0917  (all that a step may depend on)
        self,
        said: tuple[Latent, Latent],
        x_t: Latent,
        eps: Latent,
        now: Moment,
        then: Moment,
        batch: Batch,
        dropped: Bool[Tensor, "b"],
    ) -> Latent:
        """The latent at the next level of the path: one step of DDIM (of a flow: Euler's), or with the true noise."""
        clean, noise = said if self.frozen is None else self.ends(self.frozen, x_t, now, batch, dropped)
        return then.alpha * clean + then.sigma * (noise if self.config.noise == "predicted" else eps)

    def signal_weight(self, at: Moment) -> Float[Tensor, "b"]:
        """b(t); a velocity's unit is not let grow past that of the smallest noise on the grid."""
        floor = self.config.signal_floor
        weight = floor + (1 - floor) * at.alpha.square()
        if self.config.signal_unit == "velocity":
            weight = weight / at.sigma.square()
        return rearrange(weight, "b 1 1 1 -> b")

    def consistency_weight(self, at: Moment) -> Float[Tensor, "b"]:
        """a(t); at pure noise, where alpha is zero, half of the next level's stands for it."""
        weight = self.config.consistency_weight
        if self.config.consistency_unit == "own":
            return torch.full_like(at.time, weight)
        unit = at.alpha.clamp_min(self.moments.least_alpha) if self.config.consistency == "noise" else at.sigma
        return rearrange(weight / unit.square(), "b 1 1 1 -> b")
