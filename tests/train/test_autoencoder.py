"""The autoencoder's objective by hand."""

import torch
from torch.testing import assert_close

from pinxit.models.autoencoder import SmallAutoencoder
from pinxit.models.config import SmallAutoencoderConfig
from pinxit.rng import Draws
from pinxit.train.autoencoder import AutoencoderObjective, PictureBatch
from pinxit.train.average import Average
from pinxit.train.config import AverageConfig, OptimizerConfig
from pinxit.train.optimizer import Optimizer
from pinxit.train.state import TrainState

SMALL = SmallAutoencoderConfig(channels=4, fine=8, coarse=8, encoder_blocks=(1, 1), decoder_blocks=(1, 1), spread=0.4)


def build() -> tuple[SmallAutoencoder, TrainState]:
    torch.manual_seed(0)
    network = SmallAutoencoder(SMALL)
    optimizer = Optimizer(dict(network.named_parameters()), OptimizerConfig(), 1000)
    return network, TrainState(network, Average(SmallAutoencoder(SMALL), AverageConfig()), optimizer, seed=0)


def test_the_loss_is_what_its_docstring_says() -> None:
    network, state = build()
    batch, draws = PictureBatch(torch.rand(3, 3, 16, 16) * 2 - 1, (0, 1, 2)), Draws(0, (0, 1, 2))
    loss = AutoencoderObjective(network, leash=0.3).loss(batch, draws, state)
    mean = network.encoder(batch.pixels)
    error = network.decoder(mean + 0.4 * draws.normal("latent", (4, 2, 2))) - batch.pixels
    wanted = sum(
        one.abs().mean() + 0.1 * torch.log(one.square().mean() + 1e-4) + 0.3 * latent.square().mean()
        for one, latent in zip(error, mean, strict=True)
    )
    assert loss.weight == 3
    assert_close(loss.total, torch.as_tensor(wanted))
