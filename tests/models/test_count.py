"""Counts by formula against slow obvious ones: torch's counter, the modules' own parameters, what autograd keeps."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from pinxit.models.adapter.control import Controlled
from pinxit.models.config import CompressionConfig, ControlConfig, TransformerConfig
from pinxit.models.count import Network, controlled, dit, transformer
from pinxit.models.dit import DiT
from pinxit.models.transformer import Transformer

SIDE, WORDS, CLASSES = 8, 5, 7
TOKENS = (SIDE // 2) ** 2
SMALL = TransformerConfig(depth=3, width=48, heads=2, channels=3, outputs=1, caption_width=40)
CONFIGS = {
    "plain": SMALL,
    "published": SMALL.model_copy(update={"conditions": True, "outputs": 2}),
    "own modulation": SMALL.model_copy(update={"modulation": "block"}),
    "no tables": SMALL.model_copy(update={"modulation": "shared"}),
    "compressed": SMALL.model_copy(update={"compression": CompressionConfig(blocks=(1, 2))}),
    "narrow": SMALL.model_copy(update={"mlp_ratio": 2.0, "depth": 1}),
}


def inputs(config: TransformerConfig, batch: int = 2) -> tuple[Tensor, ...]:
    known = (torch.full((batch, 2), 64.0), torch.ones(batch)) if config.conditions else ()
    return (
        torch.randn(batch, config.channels, SIDE, SIDE),
        torch.rand(batch) * 1000,
        torch.randn(batch, WORDS, config.caption_width),
        torch.ones(batch, WORDS, dtype=torch.bool),
        *known,
    )


def built(config: TransformerConfig, kind: str) -> tuple[nn.Module, Network, tuple[Tensor, ...]]:
    torch.manual_seed(0)
    if kind == "text":
        return Transformer(config), transformer(config, TOKENS, WORDS), inputs(config)
    latent, time, *_ = inputs(config)
    return DiT(config, CLASSES), dit(config, TOKENS, CLASSES), (latent, time, torch.zeros(2, dtype=torch.long))


CASES = [(config, kind) for config in CONFIGS for kind in ("text", "class") if kind == "text" or config == "plain"]


@pytest.mark.parametrize(("config", "kind"), CASES)
def test_parameters_are_those_of_the_modules(config: str, kind: str) -> None:
    module, network, _ = built(CONFIGS[config], kind)
    assert network.parameters == sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("config", "kind"), CASES)
def test_operations_are_those_that_torch_counts(config: str, kind: str) -> None:
    module, network, given = built(CONFIGS[config], kind)
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):
        output = module(*given)
    forward = counter.get_total_flops()
    with counter, sdpa_kernel(SDPBackend.MATH):
        module(*given).square().sum().backward()
    assert output.isfinite().all()
    assert network.forward == pytest.approx(forward / 2, rel=1e-3)
    slack = 0.03 if config == "compressed" else 1e-3  # torch counts more for the backward pass of a grouped convolution
    assert network.training == pytest.approx(counter.get_total_flops() / 2, rel=slack)


def test_the_published_network_has_the_published_size_and_work() -> None:
    small, large = (transformer(TransformerConfig(), n, 120) for n in (256, 4096))
    assert small.parameters == 610_856_096
    assert transformer(TransformerConfig(conditions=True), 256, 120).parameters == 611_349_152
    assert (round(small.forward / 1e12, 4), round(large.forward / 1e12, 4)) == (0.2981, 6.5095)
    assert round(small.training / 1e12, 4) == 0.8932


def kept(module: nn.Module, given: tuple[Tensor, ...], dtype: torch.dtype) -> float:
    """Bytes a picture that autograd keeps, without weights and their copies in another precision."""
    weights = {tuple(parameter.shape) for parameter in module.parameters()}
    weights |= {shape[::-1] for shape in weights}
    own = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    found: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        found.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    is_mixed = dtype != torch.float32
    keeping = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with keeping, torch.autocast("cpu", dtype, enabled=is_mixed):
        module(*given)
    copies = {place for place, tensor in found.items() if is_mixed and tuple(tensor.shape) in weights}
    return sum(found[place].untyped_storage().nbytes() for place in found.keys() - own - copies) / len(given[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("config", "kind"), CASES)
def test_activations_of_a_block_are_what_autograd_keeps(config: str, kind: str, dtype: torch.dtype) -> None:
    less, more = (CONFIGS[config].model_copy(update={"depth": depth}) for depth in (3, 5))
    cases = [built(each, kind) for each in (less, more)]
    measured = [kept(module, given, dtype) for module, _, given in cases]
    counted = [network.activations(dtype.itemsize) for _, network, _ in cases]
    assert counted[1] - counted[0] == pytest.approx(measured[1] - measured[0], rel=0.05)


@pytest.mark.parametrize("maps", [0, 2])
def test_a_control_branch_is_counted_with_its_network(maps: int) -> None:
    config, control = SMALL, ControlConfig(blocks=2, channels=3, maps=maps, stem=8)
    module, network = Controlled(Transformer(config), control), controlled(config, control, TOKENS, WORDS)
    latent, time, *words = inputs(config)
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):
        module(latent, time, *words, torch.randn(2, 3 + maps, SIDE, SIDE))
    assert network.parameters == sum(parameter.numel() for parameter in module.parameters())
    assert network.forward == pytest.approx(counter.get_total_flops() / 2, rel=1e-3)


def test_checkpointed_blocks_keep_what_they_are_given_and_one_whole_block() -> None:
    one, many = (transformer(SMALL.model_copy(update={"depth": depth}), 64, 8) for depth in (1, 9))
    assert many.activations(4, checkpointed=True) - one.activations(4, checkpointed=True) == 8 * 64 * 48 * 4
    assert many.activations(4, checkpointed=True) < many.activations(4) / 3
