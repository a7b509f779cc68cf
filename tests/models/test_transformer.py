"""The denoiser: as published to the last digits, as in diffusers, blind to padding, silent at the start."""

import json
import math
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor
from torch.testing import assert_close

from pinxit.errors import ConfigError
from pinxit.models import layer
from pinxit.models.config import CompressionConfig, TransformerConfig
from pinxit.models.layer import Table
from pinxit.models.transformer import Block, Transformer

from .oracle import ORIGINAL, SMALL, assert_near, enliven, gradients, normal, rename, round_places, to_diffusers

GOLDEN = Path(__file__).parents[1] / "golden"
TOLD = SMALL.model_copy(update={"conditions": True})


def make(config: TransformerConfig, seed: int = 0) -> Transformer:
    network = Transformer(config)
    enliven(network, seed)
    return network


def captions(count: int = 3) -> tuple[Tensor, Tensor]:
    """A full caption, one filled to 30 %, one of a single token, and more."""
    keep = torch.arange(10) < torch.tensor([10, 3, 1, 7, 2])[:count, None]
    return normal(2, count, 10, 20), keep


TIME = torch.tensor([0.0, 499.0, 999.0], dtype=torch.float64)
SIZE = torch.tensor([[512.0, 768.0], [1024.0, 640.0], [256.0, 256.0]], dtype=torch.float64)
ASPECT = torch.tensor([0.67, 1.6, 1.0], dtype=torch.float64)
EACH = torch.tensor([0, 1, 2, 1, 0])  # which of the three a picture of a larger batch has


def golden_network(metadata: dict[str, str]) -> Transformer:
    told = json.loads(metadata["kv_compression"])
    compression = (
        CompressionConfig(factor=told["scale_factor"], blocks=told["kv_compress_layer"])
        if told
        else CompressionConfig()
    )
    return Transformer(
        TransformerConfig(
            depth=int(metadata["depth"]),
            width=int(metadata["width"]),
            heads=int(metadata["heads"]),
            caption_width=int(metadata["text_width"]),
            conditions=metadata["size_conditions"] == "True",
            position_base=int(metadata["input_size"]) // 2,
            position_scale=float(metadata["position_scale"]),
            compression=compression,
        )
    ).double()


def golden_frequencies(device: torch.device | None = None) -> Tensor:
    """Those of the processor that made the files: it rounded two near ties of exp up, where another rounds others."""
    exponent = -math.log(10000) * torch.arange(128, dtype=torch.float32) / 128
    rounded = exponent.double().exp().float()
    rounded[[12, 106]] = torch.nextafter(rounded[[12, 106]], torch.tensor(1.0))
    return rounded


def test_the_golden_frequencies_are_ours_but_for_the_last_bit() -> None:
    assert_close(golden_frequencies(), layer.frequencies(), rtol=2e-7, atol=0)


@pytest.mark.parametrize("name", ["alpha_256", "alpha_1024_conditions", "sigma_512", "sigma_2k_kv_compression"])
def test_output_and_gradients_are_the_published_networks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "frequencies", golden_frequencies)
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        network, stored = golden_network(file.metadata()), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    parameters = dict(network.named_parameters())
    theirs = {key.removeprefix("grad."): key for key in stored if key.startswith("grad.")}
    assert {rename(key, ORIGINAL) for key in theirs} == set(parameters)
    network.load_state_dict({rename(key, ORIGINAL): stored[f"weight.{key}"] for key in theirs})
    latent, time, text, length, size, aspect = (
        stored[f"input.{key}"] for key in ("latent", "time", "text", "length", "size", "aspect")
    )
    keep = torch.arange(text.shape[1]) < length[:, None]
    told = (size, aspect[:, 0]) if network.config.conditions else ()
    output = network(latent.requires_grad_(), time, text, keep, *told)
    (output * torch.linspace(-1, 1, output.numel(), dtype=output.dtype).reshape(output.shape)).sum().backward()
    assert latent.grad is not None
    assert_near(output, stored["output"], 1e-10)
    assert_near(latent.grad, stored["grad_latent"], 1e-10)
    for key, place in theirs.items():
        assert_near(gradients(network)[rename(key, ORIGINAL)], stored[place], 1e-10, key)


@pytest.mark.parametrize("batch", [1, 3, 5])
@pytest.mark.parametrize("shape", [(8, 8), (12, 6)], ids=["square", "no square"])
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("config", [SMALL, TOLD], ids=["plain", "conditions"])
@pytest.mark.parametrize("rounded", [False, True], ids=["as it is", "rounded"])
def test_output_and_gradients_are_diffusers(  # noqa: PLR0917  (every case)
    config: TransformerConfig,
    scale: float,
    shape: tuple[int, int],
    batch: int,
    rounded: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from diffusers import PixArtTransformer2DModel

    near, gradients_near = (1e-10, 1e-10) if rounded else (1e-7, 1e-6)
    if rounded:
        round_places(monkeypatch)
    ours = make(config.model_copy(update={"position_scale": scale}))
    theirs = PixArtTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=4,
        out_channels=8,
        num_layers=2,
        cross_attention_dim=24,
        sample_size=8,
        caption_channels=20,
        interpolation_scale=scale,
        use_additional_conditions=config.conditions,
    ).double()
    theirs.load_state_dict(to_diffusers(ours.state_dict()))
    caption, keep = captions(batch)
    latent, also = (normal(1, batch, 4, *shape).requires_grad_() for _ in range(2))
    time, size, aspect = (values[EACH[:batch]] for values in (TIME, SIZE, ASPECT))
    known = (size, aspect) if config.conditions else (None, None)
    added = {"resolution": known[0], "aspect_ratio": aspect[:, None] if config.conditions else None}
    found = ours(latent, time, caption, keep, *known)
    expected = theirs(
        also, caption, time, added_cond_kwargs=added, encoder_attention_mask=keep.double(), return_dict=False
    )[0]
    for output in (found, expected):
        (output * normal(3, *output.shape)).sum().backward()
    assert latent.grad is not None and also.grad is not None
    assert_near(found, expected, near)
    assert_near(latent.grad, also.grad, gradients_near)
    others = gradients(theirs)
    mine = to_diffusers(gradients(ours))
    assert mine.keys() == others.keys()
    for name, gradient in mine.items():
        if name.endswith("to_k.bias"):  # the softmax does not see it: noise in both
            assert max(gradient.abs().max(), others[name].abs().max()) < 1e-9
        else:
            assert_near(gradient, others[name], gradients_near, name)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 610_856_096),
        ({"conditions": True}, 611_349_152),
        ({"modulation": "block"}, 828_494_240),
        ({"modulation": "shared"}, 610_856_096 - 28 * 6 * 1152),
        ({"compression": {"blocks": tuple(range(14, 28))}}, 610_856_096 + 112_896),
    ],
)
def test_the_full_network_has_the_published_size(changes: dict[str, object], count: int) -> None:
    with torch.device("meta"):
        network = Transformer(TransformerConfig.model_validate(changes))
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    assert not list(network.buffers())


def test_padding_never_matters() -> None:
    network, (caption, keep) = make(SMALL), captions()
    say = partial(network, normal(1, 3, 4, 8, 8), TIME)
    expected = say(caption, keep)
    spoiled = caption.masked_fill(~keep[..., None], 1e6)
    assert torch.equal(say(spoiled, keep), expected)
    longer = torch.cat([caption, normal(5, 3, 7, 20)], 1)
    assert_close(say(longer, torch.cat([keep, torch.zeros(3, 7, dtype=torch.bool)], 1)), expected, atol=1e-12, rtol=0)
    assert (say(spoiled, torch.ones_like(keep)) - expected).abs().max() > 1e-3


def test_a_picture_does_not_depend_on_its_batch() -> None:
    network, latent, (caption, keep) = make(TOLD), normal(1, 3, 4, 6, 10), captions()
    together = network(latent, TIME, caption, keep, SIZE, ASPECT)
    for i in range(3):
        one, length = slice(i, i + 1), int(keep[i].sum())
        alone = network(latent[one], TIME[one], caption[one, :length], keep[one, :length], SIZE[one], ASPECT[one])
        assert_close(alone[0], together[i], atol=1e-12, rtol=0)


def test_an_empty_caption_gives_a_finite_answer_and_finite_gradients() -> None:
    network, (caption, _) = make(SMALL), captions()
    empty = torch.zeros(3, 10, dtype=torch.bool)
    output = network(normal(1, 3, 4, 8, 8), TIME, caption, empty)
    output.square().sum().backward()
    assert output.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients(network).values())
    assert torch.equal(output, network(normal(1, 3, 4, 8, 8), TIME, 2 * caption, empty))


def test_captions_read_once_serve_every_step() -> None:
    network, (caption, keep), latent = make(SMALL), captions(), normal(1, 3, 4, 8, 8)
    words = network.read(caption, keep)
    for time in (TIME, TIME.flip(0)):
        assert torch.equal(network.denoise(latent, time, words), network(latent, time, caption, keep))


def test_weights_serve_every_shape_and_place_nothing_in_a_checkpoint() -> None:
    network, (caption, keep) = make(SMALL), captions()
    wider = Transformer(SMALL.model_copy(update={"position_base": 8, "position_scale": 2.0})).double()
    wider.load_state_dict(network.state_dict())
    for shape in ((8, 8), (2, 14)):
        latent = normal(1, 3, 4, *shape)
        assert network(latent, TIME, caption, keep).shape == (3, 8, *shape)
    square = normal(1, 3, 4, 8, 8)  # base 8 / scale 2 is base 4 / scale 1: the same range of coordinates
    assert torch.equal(wider(square, TIME, caption, keep), network(square, TIME, caption, keep))


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_output_has_the_latents_channels_times_outputs(outputs: int) -> None:
    network = make(SMALL.model_copy(update={"outputs": outputs, "channels": 3}))
    assert network(normal(1, 3, 3, 8, 8), TIME, *captions()).shape == (3, 3 * outputs, 8, 8)


def test_without_tables_every_block_is_told_what_the_shared_projection_says() -> None:
    single, shared = make(SMALL), Transformer(SMALL.model_copy(update={"modulation": "shared"})).double()
    shared.load_state_dict({k: v for k, v in single.state_dict().items() if k in shared.state_dict()})
    given = normal(1, 3, 4, 8, 8), TIME, *captions()
    assert (shared(*given) - single(*given)).abs().max() > 1e-3
    with torch.no_grad():
        for block in single.blocks:
            block.modulation.table.zero_()
    assert torch.equal(shared(*given), single(*given))


@pytest.mark.parametrize(
    "config", [SMALL, TOLD, *(SMALL.model_copy(update={"modulation": m}) for m in ("block", "shared"))]
)
def test_a_new_network_says_nothing_and_reads_nothing(config: TransformerConfig) -> None:
    network, (caption, keep) = Transformer(config), captions()
    known = (SIZE.float(), ASPECT.float()) if config.conditions else ()
    latent = normal(1, 3, 4, 8, 8).float()
    assert not network(latent, TIME.float(), caption.float(), keep, *known).any()
    torch.nn.init.normal_(network.final.linear.weight)
    said, unsaid = (network(latent, TIME.float(), text.float(), keep, *known) for text in (caption, 0 * caption))
    assert said.any() and torch.equal(said, unsaid)


def test_embedders_and_tables_start_small() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Transformer(TransformerConfig(depth=1, width=192, heads=2, caption_width=128, conditions=True))
    for part in (network.time, network.size, network.aspect, network.caption, network.shared):
        for name, value in part.named_parameters():
            start = 0.0 if name.endswith("bias") else 0.02 * 6**0.5  # a sixth of the published width
            assert float(value.detach().std()) == pytest.approx(start, rel=0.05), name
    for part in (network.blocks[0].modulation, network.final.modulation):
        assert isinstance(part, Table)
        assert abs(float(part.table.detach().std()) * 192**0.5 - 1) < 0.1


def test_blocks_that_project_for_themselves_can_say_what_the_shared_projection_says() -> None:
    single, block = make(SMALL), Transformer(SMALL.model_copy(update={"modulation": "block"})).double()
    latent, (caption, keep), time = normal(1, 3, 4, 8, 8), captions(), torch.full((3,), 250.0, dtype=torch.float64)
    block.load_state_dict({k: v for k, v in single.state_dict().items() if k in block.state_dict()}, strict=False)
    with torch.no_grad():
        for mine, other in zip(block.blocks, single.blocks, strict=True):
            assert isinstance(mine, Block) and isinstance(other, Block)
            mine.modulation.linear.weight.copy_(single.shared.linear.weight)
            mine.modulation.linear.bias.copy_(single.shared.linear.bias + other.modulation.table.flatten())
        block.final.modulation.linear.bias.copy_((single.final.modulation.table + single.time(time[:1])).flatten())
    assert_close(block(latent, time, caption, keep), single(latent, time, caption, keep), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("config", "known"), [(SMALL, (SIZE, ASPECT)), (TOLD, ()), (TOLD, (SIZE,)), (SMALL, (None, ASPECT))]
)
def test_sizes_go_to_a_network_with_conditions_and_to_no_other(
    config: TransformerConfig, known: tuple[Tensor | None, ...]
) -> None:
    with pytest.raises(ConfigError, match=r"size and aspect go together, .*; give it (both|neither)"):
        make(config)(normal(1, 3, 4, 8, 8), TIME, *captions(), *known)


def test_several_captions_of_one_latent_are_each_read_as_if_alone() -> None:
    network, (caption, keep), latent = make(TOLD), captions(), normal(1, 3, 4, 6, 10)
    others = [network.read(caption, keep), network.read(normal(7, 3, 4, 20), torch.ones(3, 4, dtype=torch.bool))]
    found = network.denoise_each(latent, TIME, others, SIZE, ASPECT)
    for output, words in zip(found, others, strict=True):
        assert torch.equal(output, network.denoise(latent, TIME, words, SIZE, ASPECT))
    assert (found[0] - found[1]).abs().max() > 1e-3


def test_one_time_for_all_is_that_time_for_each() -> None:
    network, (caption, keep), latent = make(TOLD), captions(), normal(1, 3, 4, 6, 10)
    words, one = network.read(caption, keep), TIME[1:2]
    together = network.denoise(latent, one, words, SIZE, ASPECT)
    assert_close(together, network.denoise(latent, one.expand(3), words, SIZE, ASPECT), atol=1e-12, rtol=0)


@pytest.mark.parametrize("config", [SMALL, SMALL.model_copy(update={"modulation": "block"})])
def test_without_conditions_one_time_for_all_is_folded_into_the_norms(config: TransformerConfig) -> None:
    network, (caption, keep), latent = make(config), captions(), normal(1, 3, 4, 6, 10)
    words, one = network.read(caption, keep), TIME[1:2]
    folded = network.denoise(latent, one, words)
    assert_close(folded, network.denoise(latent, one.expand(3), words), atol=1e-12, rtol=0)


def test_a_caption_of_one_token_is_read_without_a_question() -> None:
    """As with a second token that nobody sees."""
    network, latent = make(SMALL), normal(1, 3, 4, 8, 8)
    caption = normal(2, 3, 2, 20)
    alone = network(latent, TIME, caption[:, :1], torch.ones(3, 1, dtype=torch.bool))
    hidden = network(latent, TIME, caption, torch.tensor([[True, False]] * 3))
    assert_close(alone, hidden, atol=1e-12, rtol=0)
