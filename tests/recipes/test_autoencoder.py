"""The small autoencoder's own run: it learns real art, a stop leaves no trace, and its file opens."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from pinxit.data.emoji import load_art
from pinxit.errors import CheckpointError, DataError, Stopped
from pinxit.models.autoencoder import load_small
from pinxit.models.config import SmallAutoencoderConfig
from pinxit.recipes import autoencoder as module
from pinxit.recipes.autoencoder import train_autoencoder, training_picture
from pinxit.recipes.recipe import AutoencoderRecipe
from pinxit.train.config import OptimizerConfig
from pinxit.train.run import StepReport
from pinxit.train.state import TrainState

SMALL = SmallAutoencoderConfig(channels=8, fine=16, coarse=16, encoder_blocks=(1, 1), decoder_blocks=(1, 1))
OPTIMIZER = OptimizerConfig(kind="muon", matrix_rate=2e-2, weight_decay=0.0, warmup=32, decay=0.5)
RECIPE = AutoencoderRecipe(network=SMALL, styles=("Fxemoji",), images=640, batch=8, side=32, optimizer=OPTIMIZER)


@pytest.fixture(scope="module", autouse=True)
def _art() -> None:
    try:
        load_art(("Fxemoji",), 16)
    except DataError:
        pytest.skip("the emoji art is not there: pinxit data emoji")


def test_a_stopped_run_goes_on_to_the_same_weights_as_a_straight_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_autoencoder(RECIPE, tmp_path / "straight", tmp_path / "straight.safetensors")
    follow = module.follow_average

    def striking(batch: int) -> object:
        hook = follow(batch)

        def strike(state: TrainState, report: StepReport) -> None:
            hook(state, report)
            if state.seen == 160:
                os.kill(os.getpid(), signal.SIGTERM)

        return strike

    monkeypatch.setattr(module, "follow_average", striking)
    with pytest.raises(Stopped):
        train_autoencoder(RECIPE, tmp_path / "stopped", tmp_path / "stopped.safetensors")
    monkeypatch.setattr(module, "follow_average", follow)
    train_autoencoder(RECIPE, tmp_path / "stopped", tmp_path / "stopped.safetensors")
    assert (tmp_path / "stopped.safetensors").read_bytes() == (tmp_path / "straight.safetensors").read_bytes()

    losses = [json.loads(line)["loss"] for line in (tmp_path / "straight" / "steps.jsonl").read_text().splitlines()]
    assert len(losses) == 80
    assert sum(losses[-20:]) < 0.8 * sum(losses[:20])
    codec = load_small(tmp_path / "straight.safetensors")
    latent, _ = codec.encode(torch.zeros(1, 3, 32, 32))
    assert latent.shape == (1, 8, 4, 4)

    with pytest.raises(CheckpointError, match="other settings"):
        train_autoencoder(RECIPE.model_copy(update={"seed": 1}), tmp_path / "stopped", tmp_path / "a.safetensors")


def test_a_training_picture_follows_from_its_place() -> None:
    art = load_art(("Fxemoji",), 32)
    first, again, other = (training_picture(art, RECIPE, place) for place in (3, 3, 4))
    assert first.shape == (32, 32, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
