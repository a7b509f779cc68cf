"""The end of a run: its average weights as a model file that says what it belongs with."""

from pathlib import Path

import torch

from pinxit.data.cache import Cache
from pinxit.data.emoji import STYLES
from pinxit.generate.card import Encoders, Licence, ModelCard, write_model
from pinxit.generate.load import MODEL
from pinxit.ledger.report import bill
from pinxit.models.null import NullCondition
from pinxit.models.transformer import Transformer
from pinxit.recipes.build import process_config
from pinxit.recipes.material import cache_folder
from pinxit.recipes.recipe import EmojiDataConfig, Recipe
from pinxit.train.state import TrainState


def save_model(recipe: Recipe, state: TrainState, folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """`model.safetensors` in the run folder holds the average weights with their card."""
    stage = list(recipe.stages.values())[state.stage]
    network = state.average.model
    assert isinstance(network, Transformer)
    cache = Cache(cache_folder(recipe, stage, folder))
    styles = stage.data.styles if isinstance(stage.data, EmojiDataConfig) else ()
    known = [STYLES[name] for name in styles]
    total = bill(folder).total
    card = ModelCard(
        name=recipe.name,
        network=network.config,
        process=process_config(recipe, stage),
        autoencoder=cache.fingerprint.autoencoder,
        text=cache.fingerprint.text,
        null=recipe.null,
        encoders=Encoders(autoencoder=recipe.autoencoder, text=recipe.text),
        sampling=recipe.sampling,
        resolution=stage.resolution,
        styles=tuple(styles),
        seen=state.seen,
        stages=tuple(recipe.stages),
        data=stage.data.kind,
        licences=tuple(Licence(name=s.name, spdx=s.spdx, note=f"{s.package} by {s.author}") for s in known),
        ledger={"seconds": total.seconds, "joules": total.joules},
    )
    file = folder / MODEL
    write_model(file, network, NullCondition(recipe.null, cache.null), card, dtype)
    return file
