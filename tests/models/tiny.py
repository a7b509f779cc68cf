"""Tiny encoders from a seed, in the folders that the real ones are published in."""

import io
import random
from pathlib import Path

import pytest
import torch
from torch import nn

WORDS = ["a", "an", "red", "green", "apple", "fox", "hen", "with", "and", "the", "house", "beside", "tree", "snail"]


def write_t5(folder: Path) -> None:
    """A tiny T5, 24 wide: weights and a sentencepiece model."""
    sentencepiece = pytest.importorskip("sentencepiece")
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    draw, model = random.Random(0), io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(draw.choices(WORDS, k=6)) for _ in range(200)]),
        model_writer=model,
        vocab_size=60,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "spiece.model").write_bytes(model.getvalue())
    config = transformers.T5Config(
        vocab_size=80, d_model=24, d_kv=8, d_ff=32, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu"
    )
    torch.manual_seed(0)
    transformers.T5EncoderModel(config).save_pretrained(folder)


def write_kl(folder: Path, channels: int = 4, halvings: int = 2, **scaling: float | None) -> nn.Module:
    """A tiny random AutoencoderKL of factor 2 ** halvings."""
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    network = AutoencoderKL(
        block_out_channels=(4,) * (halvings + 1),
        down_block_types=("DownEncoderBlock2D",) * (halvings + 1),
        up_block_types=("UpDecoderBlock2D",) * (halvings + 1),
        layers_per_block=1,
        norm_num_groups=2,
        latent_channels=channels,
        sample_size=16,
        **scaling,
    )
    network.save_pretrained(folder)
    evaluated: nn.Module = network.eval()
    return evaluated
