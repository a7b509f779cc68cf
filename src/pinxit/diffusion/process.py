"""What a diffusion process is: levels of noise, a loss for training, a prediction for sampling."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

Latent = Float[Tensor, "b c h w"]


@dataclass(frozen=True)
class Level:
    """One level of noise: x_t = alpha * clean + sigma * eps.

    `time` is what the network is told, 0 (clean) to 1000. `log_variance` holds the logs of the lower and upper bound
    of the reverse step from this level to the next one of its sequence, where the process learns its variance.
    """

    alpha: float
    sigma: float
    time: float
    log_variance: tuple[float, float] | None = None


@dataclass(frozen=True)
class Prediction:
    """What a denoiser says at one level: the clean latent and, where learned, the log variance of the reverse step."""

    clean: Latent
    log_variance: Latent | None = None


Number = float | Float[Tensor, "b 1 1 1"]  # one for all pictures, or one for each
Denoise = Callable[[Latent, Level], Prediction]
Noise = Callable[[int], Latent]  # the noise of the k-th step of a stochastic solver, shaped like the latent


@runtime_checkable
class Process(Protocol):
    """Noising, its loss and its inverse; the network's output has `outputs` times the latent's channels."""

    outputs: int

    def draw_time(self, uniform: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """Training times, 0 to 1000, from uniform draws in [0, 1)."""
        ...

    def add_noise(self, clean: Latent, eps: Latent, time: Float[Tensor, "b"]) -> Latent:
        """The noised latent x_t of every picture at its own time."""
        ...

    def loss(
        self, output: Float[Tensor, "b c2 h w"], clean: Latent, eps: Latent, time: Float[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """The training loss of every picture."""
        ...

    def blind(self, x_t: Latent, time: Float[Tensor, "b"]) -> Float[Tensor, "b c2 h w"]:
        """The best output of who knows how noise is mixed in, no more: clean latents are normal, of deviation 1."""
        ...

    def clean(
        self, output: Float[Tensor, "b c2 h w"], x_t: Latent, alpha: Number, sigma: Number
    ) -> Float[Tensor, "b c h w"]:
        """The clean latent that the network's raw output stands for at x_t = alpha clean + sigma eps."""
        ...

    def noise(
        self, output: Float[Tensor, "b c2 h w"], x_t: Latent, alpha: Number, sigma: Number
    ) -> Float[Tensor, "b c h w"]:
        """The noise that it stands for: x_t = alpha clean + sigma noise."""
        ...

    def pin(self, clean: Latent, x_t: Latent, time: Number) -> Latent:
        """A consistency function, made of a prediction at a time of 0 to 1000; at time 0 it is x_t itself."""
        ...

    def predict(self, output: Float[Tensor, "b c2 h w"], x_t: Latent, level: Level) -> Prediction:
        """What the network's raw output says about the clean latent."""
        ...

    def levels(self, steps: int) -> list[Level]:
        """`steps` + 1 levels from pure noise to clean, for a solver of `steps` steps."""
        ...

    def anchors(self, count: int) -> list[Level]:
        """`count` levels from pure noise down, and the end at time 0: where a consistency function is learned."""
        ...
