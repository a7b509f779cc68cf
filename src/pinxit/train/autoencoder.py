"""The small autoencoder as an Objective, with its loader of pictures drawn on the fly."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pinxit.data.kind import Pixels
from pinxit.data.pixel import to_pixels
from pinxit.models.autoencoder import SmallAutoencoder
from pinxit.rng import Draws
from pinxit.train.objective import Loss
from pinxit.train.state import TrainState


@dataclass(frozen=True)
class PictureBatch:
    """Pictures of one size in [-1, 1] with their places in the run."""

    pixels: Float[Tensor, "b 3 H W"]
    position: tuple[int, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The pictures' names: they are drawn from their places."""
        return tuple(map(str, self.position))


class AutoencoderObjective:
    """Mean absolute error plus a tenth of the log mean squared error a picture (PSNR), and a leash on the latent.

    Where noise is all the error, a latent grown by d log s gains 0.2 d log s and is charged 2 leash s² d log s: a leash
    of 0.1 holds its deviation at or below 1, so that it cannot outgrow the noise.
    """

    def __init__(self, network: SmallAutoencoder, leash: float) -> None:
        self.network, self.leash = network, leash
        self.trained: Mapping[str, nn.Parameter] = dict(network.named_parameters())

    def loss(self, batch: PictureBatch, draws: Draws, state: TrainState) -> Loss:
        """The loss of rebuilding each picture from its noised latent."""
        _, _, height, width = batch.pixels.shape
        noise = draws.normal("latent", (self.network.config.channels, height // 8, width // 8))
        rebuilt, mean = self.network(batch.pixels, noise)
        error = rebuilt - batch.pixels
        square = error.square().mean((1, 2, 3))
        each = error.abs().mean((1, 2, 3)) + 0.1 * (square + 1e-4).log() + self.leash * mean.square().mean((1, 2, 3))
        psnr = 10 * torch.log10(4 / square.detach().clamp_min(1e-10)).mean()
        return Loss(each.sum(), len(each), {"psnr": float(psnr)})

    def after_step(self, state: TrainState) -> None:
        """Nothing else moves."""


@dataclass
class PictureLoader:
    """Batches of pictures that `draw` makes from their places."""

    draw: Callable[[int], Pixels]  # the picture at a place; all are of one size
    batch: int
    waited: float = 0.0

    def next_step(self, seen: int) -> list[PictureBatch]:
        """One batch, drawn now."""
        places = tuple(range(seen, seen + self.batch))
        return [PictureBatch(to_pixels([self.draw(place) for place in places]), places)]
