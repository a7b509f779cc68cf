"""iDDPM: discrete noise, eps prediction, a learned variance (Nichol and Dhariwal 2021), as PixArt-α trains it."""

from math import log

import numpy as np
import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor

from pinxit.diffusion.config import IDDPMConfig
from pinxit.diffusion.process import Latent, Level, Number, Prediction
from pinxit.diffusion.schedule import alpha_bars, linear_betas, posterior_variances, respaced, uniform_times
from pinxit.errors import ConfigError


class IDDPM:
    """x_t = sqrt(bar) clean + sqrt(1 - bar) eps; the network predicts eps and the variance's place in its bounds."""

    outputs = 2

    def __init__(self, config: IDDPMConfig) -> None:
        self.config = config
        betas = linear_betas(config.steps, config.beta_first, config.beta_last)
        self.bars = alpha_bars(betas)
        before = np.append(1.0, self.bars[:-1])
        self._held: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}
        self._clean_weight = torch.from_numpy(betas * np.sqrt(before) / (1 - self.bars))
        self._noisy_weight = torch.from_numpy((1 - before) * np.sqrt(1 - betas) / (1 - self.bars))
        lower, upper = posterior_variances(self.bars)
        self._lower, self._upper = torch.from_numpy(lower), torch.from_numpy(upper)
        self._weight = torch.ones(config.steps, dtype=torch.float64)
        if config.most_snr is not None:
            self._weight = torch.from_numpy(np.minimum(config.most_snr * (1 - self.bars) / self.bars, 1))
        self._alpha, self._sigma = torch.from_numpy(np.sqrt(self.bars)), torch.from_numpy(np.sqrt(1 - self.bars))

    def draw_time(self, uniform: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """Whole times, each of 0 to steps - 1 equally likely."""
        return (uniform * self.config.steps).floor()

    def add_noise(self, clean: Latent, eps: Latent, time: Float[Tensor, "b"]) -> Latent:
        """x_t of every picture at its own time."""
        return self._at("alpha", time, clean) * clean + self._at("sigma", time, clean) * eps

    def loss(
        self, output: Float[Tensor, "b c2 h w"], clean: Latent, eps: Latent, time: Float[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """Mean squared error of eps plus the variational bound in bits a dimension, a picture.

        The bound trains the variance alone: eps is detached in it (Nichol and Dhariwal 2021, eq. 16, weight 1). With
        min-SNR weighting the error counts min(SNR, gamma) / SNR (Hang et al. 2023, section 3.4).
        """
        said, between = output.float().chunk(2, 1) if output.dtype == torch.bfloat16 else output.chunk(2, 1)
        bound = self.bound(torch.cat([said.detach(), between], 1), clean, eps, time)
        error = self._at("weight", time, clean) * (said - eps).square()
        return reduce(error, "b c h w -> b", "mean") + bound

    def bound(
        self, output: Float[Tensor, "b c2 h w"], clean: Latent, eps: Latent, time: Float[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """The term of the variational bound at each picture's time, in bits a dimension (Ho et al. 2020, eq. 5)."""
        x_t = self.add_noise(clean, eps, time)
        said, between = output.chunk(2, 1)
        lower, upper = self._at("lower", time, clean), self._at("upper", time, clean)
        said_log = lower + (between + 1) / 2 * (upper - lower)
        said_clean = (x_t - self._at("sigma", time, clean) * said) / self._at("alpha", time, clean)
        true_mean, said_mean = (self._posterior_mean(start, x_t, time) for start in (clean, said_clean))
        divergence = _normal_kl(true_mean, lower, said_mean, said_log)
        likelihood = -_discretised_log_likelihood(clean, said_mean, 0.5 * said_log)
        nats = torch.where(rearrange(time, "b -> b 1 1 1") == 0, likelihood, divergence)
        return reduce(nats, "b c h w -> b", "mean") / log(2)

    def blind(self, x_t: Latent, time: Float[Tensor, "b"]) -> Float[Tensor, "b c2 h w"]:
        """The mean of eps given x_t, sigma x_t; the variance at its upper bound, which is that of such latents."""
        return torch.cat([self._at("sigma", time, x_t) * x_t, torch.ones_like(x_t)], 1)

    def clean(
        self, output: Float[Tensor, "b c2 h w"], x_t: Latent, alpha: Number, sigma: Number
    ) -> Float[Tensor, "b c h w"]:
        """The clean latent: (x_t - sigma eps) / alpha."""
        return (x_t - sigma * output.chunk(2, 1)[0]) / alpha

    def noise(
        self, output: Float[Tensor, "b c2 h w"], x_t: Latent, alpha: Number, sigma: Number
    ) -> Float[Tensor, "b c h w"]:
        """The noise, as the network predicts it."""
        return output.chunk(2, 1)[0]

    def pin(self, clean: Latent, x_t: Latent, time: Number) -> Latent:
        """c_skip x_t + c_out clean, where c_skip = s² / ((10 t)² + s²), c_out = 10 t / sqrt((10 t)² + s²), s = 0.5, and
        t counts the process's steps (Luo et al. 2023, appendix).
        """
        scaled, spread = (10 * time) ** 2, 0.5**2
        return spread / (scaled + spread) * x_t + 10 * time / (scaled + spread) ** 0.5 * clean

    def predict(self, output: Float[Tensor, "b c2 h w"], x_t: Latent, level: Level) -> Prediction:
        """The clean latent and the log variance of the step that this level begins."""
        _, between = output.chunk(2, 1)
        clean = self.clean(output, x_t, level.alpha, level.sigma)
        if level.log_variance is None:
            return Prediction(clean)
        lower, upper = level.log_variance
        return Prediction(clean, lower + (between + 1) / 2 * (upper - lower))

    def levels(self, steps: int) -> list[Level]:
        """`steps` levels with equal steps in time, and the clean one."""
        return respaced(self.bars, uniform_times(steps, self.config.steps))

    def anchors(self, count: int) -> list[Level]:
        """Times n T / count - 1, noisiest first, and time 0, which is nearly clean (Luo et al. 2023)."""
        if not 0 < count <= self.config.steps // 2:
            problem = f"the process has {self.config.steps} levels, and anchors lie two apart at least"
            raise ConfigError("anchors", count, problem, f"ask for 1 to {self.config.steps // 2}")
        apart = self.config.steps // count
        ends = [apart * n - 1 for n in range(count, 0, -1)] + [0]
        return [Level(float(self._alpha[t]), float(self._sigma[t]), float(t)) for t in ends]

    def _posterior_mean(self, clean: Latent, x_t: Latent, time: Float[Tensor, "b"]) -> Latent:
        """The mean of q(x before | x_t, clean) (Ho et al. 2020, eq. 7)."""
        return self._at("clean_weight", time, clean) * clean + self._at("noisy_weight", time, clean) * x_t

    def _at(self, name: str, time: Float[Tensor, "b"], like: Latent) -> Float[Tensor, "b 1 1 1"]:
        """A table's numbers at each picture's time; it is brought to a device once, since a recorded step cannot."""
        key = name, like.dtype, like.device
        if key not in self._held:
            self._held[key] = getattr(self, f"_{name}").to(like)
        return rearrange(self._held[key][time.long()], "b -> b 1 1 1")


def _normal_kl(mean1: Tensor, log1: Tensor, mean2: Tensor, log2: Tensor) -> Tensor:
    """KL of two normals in nats, by mean and log variance."""
    return 0.5 * (log2 - log1 - 1 + torch.exp(log1 - log2) + (mean1 - mean2).square() * torch.exp(-log2))


def _discretised_log_likelihood(x: Tensor, mean: Tensor, log_deviation: Tensor) -> Tensor:
    """The log probability of values on 255 steps over [-1, 1] under a normal (Ho et al. 2020, eq. 13).

    The normal's distribution function is the tanh approximation that the published training uses.
    """
    inverse = torch.exp(-log_deviation)
    above, below = _cdf((x - mean + 1 / 255) * inverse), _cdf((x - mean - 1 / 255) * inverse)
    middle = (above - below).clamp_min(1e-12).log()
    edges = torch.where(x > 0.999, (1 - below).clamp_min(1e-12).log(), middle)
    return torch.where(x < -0.999, above.clamp_min(1e-12).log(), edges)


def _cdf(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))
