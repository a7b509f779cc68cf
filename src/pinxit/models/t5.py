"""T5 as a text encoder, from a folder: what PixArt-α reads its captions with (T5 v1.1 XXL there)."""

from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import T5EncoderModel, T5Tokenizer

from pinxit.errors import CheckpointError, MissingExtra
from pinxit.models.config import T5Config
from pinxit.models.identity import T5_WEIGHTS, find_t5_weights, identify_t5
from pinxit.models.token_encoder import TokenEncoder


def load_t5(config: T5Config) -> TokenEncoder:
    """The encoder half of the T5 in `config.folder` in float32, with the tokenizer that lies beside it or elsewhere."""
    folder = Path(config.folder)
    words = Path(config.tokenizer or folder)
    _check(folder, words)
    model, report = T5EncoderModel.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
    )
    if report["missing_keys"]:
        raise CheckpointError(
            folder, f"its weights lack {sorted(report['missing_keys'])}", "name a folder with a whole T5 encoder"
        )
    model.eval().requires_grad_(False)

    def network(ids: Int[Tensor, "b l"], keep: Bool[Tensor, "b l"]) -> Float[Tensor, "b l f"]:
        states: Tensor = model(input_ids=ids, attention_mask=keep).last_hidden_state
        return states

    tokenizer = T5Tokenizer.from_pretrained(words, local_files_only=True)
    return TokenEncoder(identify_t5(config), tokenizer.backend_tokenizer, network)


def _check(folder: Path, words: Path) -> None:
    if not (folder / "config.json").is_file():
        raise CheckpointError(folder, "no config.json there", "name the folder of a T5 in transformers' form")
    if not find_t5_weights(folder):
        raise CheckpointError(folder, f"no weights there ({', '.join(T5_WEIGHTS)})", "put the T5's weights there")
    if (words / "tokenizer.json").is_file():
        return
    if not (words / "spiece.model").is_file():
        raise CheckpointError(
            words, "no tokenizer there", "copy tokenizer.json or spiece.model of the same T5 beside config.json"
        )
    if find_spec("sentencepiece") is None:
        raise MissingExtra("reading spiece.model", "sentencepiece", "pip install sentencepiece protobuf")
