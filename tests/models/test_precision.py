"""The network in bfloat16 products, with numbers past float16's range: finite, and near float32."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from pinxit.models.config import TransformerConfig
from pinxit.models.device import choose_precision, products_in
from pinxit.models.transformer import Transformer
from pinxit.train.config import ComputeConfig

CPU = torch.device("cpu")
RANGE = torch.finfo(torch.float16).max
CONFIG = TransformerConfig(depth=2, width=72, heads=1, caption_width=8, position_base=64, position_scale=2.0)


def loud(config: TransformerConfig = CONFIG) -> tuple[Transformer, list[float]]:
    """A network of 72 channels a head whose products leave float16's range, and the largest of each, as they come."""
    torch.manual_seed(0)
    network, largest = Transformer(config), []
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=1.0)
    for part in network.modules():
        if isinstance(part, nn.Linear):
            part.register_forward_hook(lambda _part, _given, out: largest.append(float(out.detach().abs().max())))
    return network, largest


def ask(network: Transformer, side: int, dtype: torch.dtype) -> Tensor:
    """What it says of one latent of `side`."""
    draw = torch.Generator().manual_seed(0)
    latent, caption = torch.randn(1, 4, side, side, generator=draw), 30 * torch.randn(1, 5, 8, generator=draw)
    with products_in(dtype, CPU):
        said: Tensor = network(latent, torch.full((1,), 500.0), caption, torch.ones(1, 5, dtype=torch.bool))
    return said.float()


def apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


def test_at_1024_pixels_bfloat16_stays_finite_past_the_range_of_float16_and_near_float32() -> None:
    network, largest = loud()
    with torch.no_grad():
        exact = ask(network, 128, torch.float32)
        assert max(largest) > RANGE
        said = ask(network, 128, torch.bfloat16)
    assert said.isfinite().all()
    assert apart(said, exact) < 0.1


def backward_is_finite(side: int) -> None:
    network, _ = loud()
    ask(network, side, torch.bfloat16).square().mean().backward()
    for parameter in network.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad is not None
        assert parameter.grad.dtype == torch.float32
        assert parameter.grad.isfinite().all()


def test_gradients_in_bfloat16_are_finite_and_float32() -> None:
    backward_is_finite(32)


@pytest.mark.slow
def test_gradients_in_bfloat16_are_finite_at_1024_pixels() -> None:
    backward_is_finite(128)


@pytest.mark.parametrize("modulation", ["single", "block"])
def test_both_kinds_of_modulation_compute_in_bfloat16(modulation: str) -> None:
    network, _ = loud(CONFIG.model_copy(update={"modulation": modulation}))
    with torch.no_grad():
        assert ask(network, 8, torch.bfloat16).isfinite().all()


def test_float16_would_overflow_and_is_refused() -> None:
    network, _ = loud()
    with torch.no_grad():
        assert not ask(network, 8, torch.float16).isfinite().all()
    with pytest.raises(ValidationError, match="precision"):
        ComputeConfig(precision="float16")  # type: ignore[arg-type]


def test_a_processor_takes_float32_by_itself_and_bfloat16_when_told() -> None:
    assert choose_precision("auto", CPU) == choose_precision("float32", CPU) == torch.float32
    assert choose_precision("bfloat16", CPU) == torch.bfloat16
