"""Flow matching: the straight path from noise to data, its velocity learned (Liu et al. 2022; Esser et al. 2024)."""

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor

from pinxit.diffusion.config import FlowConfig
from pinxit.diffusion.process import Latent, Level, Number, Prediction


def shifted(time: Float[Tensor, "b"], shift: float) -> Float[Tensor, "b"]:
    """Time in [0, 1] moved towards noise: t' = s t / (1 + (s - 1) t) (Esser et al. 2024, eq. 23)."""
    return shift * time / (1 + (shift - 1) * time)


class Flow:
    """x_t = (1 - t) clean + t eps; the network predicts the velocity eps - clean; it is told 1000 t."""

    outputs = 1

    def __init__(self, config: FlowConfig) -> None:
        self.config = config

    def draw_time(self, uniform: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """Logit-normal times, shifted, 0 to 1000: the normal quantile of the uniform draw through a sigmoid."""
        within = uniform.clamp(1e-6, 1 - 1e-6)
        normal = torch.special.ndtri(within)
        time = torch.sigmoid(self.config.time_mean + self.config.time_spread * normal)
        return 1000 * shifted(time, self.config.shift)

    def add_noise(self, clean: Latent, eps: Latent, time: Float[Tensor, "b"]) -> Latent:
        """x_t of every picture at its own time."""
        t = rearrange(time / 1000, "b -> b 1 1 1")
        return (1 - t) * clean + t * eps

    def loss(self, output: Latent, clean: Latent, eps: Latent, time: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """Mean squared error of the velocity, a picture (Esser et al. 2024, eq. 12)."""
        return reduce((output - (eps - clean)).square(), "b c h w -> b", "mean")

    def blind(self, x_t: Latent, time: Float[Tensor, "b"]) -> Latent:
        """The mean of the velocity given x_t: (2 t - 1) / (t² + (1 - t)²) x_t."""
        t = rearrange(time / 1000, "b -> b 1 1 1")
        return (2 * t - 1) / (t**2 + (1 - t) ** 2) * x_t

    def clean(self, output: Latent, x_t: Latent, alpha: Number, sigma: Number) -> Latent:
        """The clean latent: x_t - t velocity."""
        return x_t - sigma * output

    def noise(self, output: Latent, x_t: Latent, alpha: Number, sigma: Number) -> Latent:
        """The noise: x_t + (1 - t) velocity."""
        return x_t + alpha * output

    def pin(self, clean: Latent, x_t: Latent, time: Number) -> Latent:
        """The prediction itself: x_t - t velocity is x_t at t = 0."""
        return clean

    def predict(self, output: Latent, x_t: Latent, level: Level) -> Prediction:
        """The clean latent: see `clean`."""
        return Prediction(self.clean(output, x_t, level.alpha, level.sigma))

    def levels(self, steps: int) -> list[Level]:
        """Equal steps in time from 1 to 0, shifted as in training."""
        times = shifted(torch.linspace(1, 0, steps + 1, dtype=torch.float64), self.config.shift).tolist()
        return [Level(alpha=1 - t, sigma=t, time=1000 * t) for t in times]

    def anchors(self, count: int) -> list[Level]:
        """The levels of as many steps of sampling."""
        return self.levels(count)
