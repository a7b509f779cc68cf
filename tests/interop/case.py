"""Networks of pinxit in the forms that others publish, small and from a seed."""

from pathlib import Path

import torch
from torch import Tensor

from pinxit.interop.pixart import NULL, PLACES
from pinxit.models.config import CompressionConfig, TransformerConfig
from pinxit.models.layer import position_table
from pinxit.models.transformer import Transformer
from tests.models.oracle import ORIGINAL, SMALL, enliven, normal, rename

ALPHA = SMALL.model_copy(update={"caption_width": 24})
SIGMA = ALPHA.model_copy(update={"position_scale": 0.5})
TOLD = ALPHA.model_copy(update={"conditions": True, "position_scale": 2.0})
SQUEEZED = ALPHA.model_copy(update={"position_scale": 4.0, "compression": CompressionConfig(blocks=(1,))})
KINDS = {"alpha": ALPHA, "sigma": SIGMA, "conditions": TOLD, "compressed": SQUEEZED}

BACK = {ours: theirs for theirs, ours in ORIGINAL}


def network(config: TransformerConfig, seed: int = 0) -> Transformer:
    made = Transformer(config)
    enliven(made, seed)
    return made.float()


def original_name(ours: str) -> str:
    """The published name of one of our parameters, by the oracle's table."""
    for theirs, own in sorted(ORIGINAL, key=lambda row: -len(row[1])):
        ours = ours.replace(own, theirs)
    return ours


def original(made: Transformer, length: int = 16) -> dict[str, Tensor]:
    """A checkpoint as the original repositories publish it."""
    config = made.config
    side = config.position_base
    places = position_table(side, side, config.width, side, config.position_scale)
    own = {original_name(name): value.detach().clone() for name, value in made.state_dict().items()}
    assert {rename(name, ORIGINAL) for name in own} == set(made.state_dict())
    return {PLACES: places[None].float(), NULL: normal(9, length, config.caption_width).float(), **own}


def save_pth(tensors: dict[str, Tensor], file: Path, **more: object) -> Path:
    torch.save({"state_dict": tensors, "epoch": 3, **more}, file)
    return file


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Bit for bit, in the same precision."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert torch.equal(found[name], value), name
