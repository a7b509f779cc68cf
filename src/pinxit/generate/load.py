"""From a run folder or a model file to a pipeline; the encoders are found by the identities in the file."""

from pathlib import Path

from pinxit.errors import CheckpointError
from pinxit.generate.card import read_model
from pinxit.generate.pipeline import Pipeline
from pinxit.models.autoencoder import load_autoencoder
from pinxit.models.text import load_text

SHIPPED = Path(__file__).parent.parent / "weights" / "emoji.safetensors"
MODEL = "model.safetensors"  # a run folder's own model file


def model_file(source: Path | None) -> Path:
    """The model file that a source names: itself, the one of a run folder, or the shipped one."""
    if source is None:
        return SHIPPED
    file = source / MODEL if source.is_dir() else source
    if not file.is_file():
        raise CheckpointError(
            source, f"it is no model file, and holds no {MODEL}", "name a finished run or a model file"
        )
    return file


def load_pipeline(source: Path | None = None) -> Pipeline:
    """The pipeline of a run folder, a model file, or the shipped model."""
    network, null, card, sha = read_model(model_file(source))
    autoencoder, text = load_autoencoder(card.encoders.autoencoder), load_text(card.encoders.text)
    return Pipeline(network, null, card, autoencoder, text, sha256=sha)
