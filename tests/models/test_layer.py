"""The pieces of the networks, each against a slow obvious version of itself."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from pinxit.errors import ConfigError
from pinxit.models.config import CompressionConfig, TransformerConfig
from pinxit.models.layer import (
    Compression,
    CrossAttention,
    Modulation,
    PatchEmbed,
    SelfAttention,
    Table,
    Words,
    adapt,
    gelu,
    initialise,
    modulate,
    position_table,
    silence,
    sinusoid,
    soften,
    unpatchify,
)

from .oracle import SMALL, enliven, normal


@pytest.mark.parametrize(("height", "width", "scale"), [(4, 4, 1.0), (3, 5, 2.0), (8, 2, 0.5), (1, 1, 1.0)])
def test_a_place_is_its_column_then_its_row_stretched_to_the_nominal_square(
    height: int, width: int, scale: float
) -> None:
    table, d, base = position_table(height, width, 8, 4, scale), 8, 4
    for row in range(height):
        for column in range(width):
            waves = []
            for place in (column * base / width / scale, row * base / height / scale):
                angles = [place * 10000 ** (-k / (d // 4)) for k in range(d // 4)]
                waves += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            assert_close(table[row * width + column], torch.tensor(waves, dtype=torch.float64), atol=1e-6, rtol=0)


def test_places_are_rounded_to_float32_and_their_sines_are_not() -> None:
    table = position_table(3, 3, 4, 4, 1.0)
    third = torch.tensor(1, dtype=torch.float32) / (3 / 4)
    assert table.dtype == torch.float64
    assert table[1, 0] == third.double().sin() != math.sin(4 / 3)


def test_a_number_is_cosines_then_sines_from_fast_to_slow() -> None:
    values = [0.0, 1.0, 499.5, 1000.0]
    slow = [
        [wave(value * 10000 ** (-k / 128)) for wave in (math.cos, math.sin) for k in range(128)] for value in values
    ]
    found = sinusoid(torch.tensor(values, dtype=torch.float64))
    assert found.dtype == torch.float32
    assert_close(found, torch.tensor(slow), atol=2e-4, rtol=0)  # 1000 in float32 has 6e-5 of an angle


def test_patches_are_read_and_written_in_order() -> None:
    embed = PatchEmbed(SMALL)
    enliven(embed, 0)
    latent = normal(1, 1, 4, 6, 4)
    tokens = embed(latent) - position_table(3, 2, 24, 4, 1.0)
    corner = latent[0, :, 2:4, 0:2]  # the second row's first square
    assert_close(tokens[0, 2], embed.projection.weight.flatten(1) @ corner.flatten() + embed.projection.bias)
    written = unpatchify(torch.arange(6 * 8.0).reshape(1, 6, 8), 2, 6)
    assert written.shape == (1, 2, 6, 4)
    assert written[0, :, 2:4, 0:2].tolist() == [[[16, 18], [20, 22]], [[17, 19], [21, 23]]]


def test_a_latent_that_is_no_whole_number_of_patches_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"latent = \(8, 7\): height and width must be multiples of the patch, 2;"):
        PatchEmbed(SMALL)(torch.zeros(1, 4, 8, 7))


def attend_slowly(layer: CrossAttention, image: Tensor, caption: Tensor) -> Tensor:
    """Every picture with its own real tokens, head by head."""
    width = image.shape[-1]
    query, both = layer.query(image), layer.key_value(caption)
    key, value = both[:, :width], both[:, width:]
    mixed = []
    for head in range(layer.heads):
        part = slice(head * width // layer.heads, (head + 1) * width // layer.heads)
        scores = query[:, part] @ key[:, part].T / math.sqrt(width // layer.heads)
        mixed.append(scores.softmax(-1) @ value[:, part])
    read: Tensor = layer.out(torch.cat(mixed, -1))
    return read


def test_the_image_reads_real_tokens_alone() -> None:
    layer = CrossAttention(12, 3)
    enliven(layer, 0)
    image, caption = normal(1, 3, 5, 12), normal(2, 3, 4, 12)
    keep = torch.tensor([[True] * 4, [True, False, True, False], [False, False, False, True]])
    found = layer(image, layer.read(caption[keep], keep))
    for index in range(3):
        assert_close(found[index], attend_slowly(layer, image[index], caption[index][keep[index]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_empty_caption_is_read_as_zero_with_finite_gradients(dtype: torch.dtype) -> None:
    layer = CrossAttention(12, 3)
    enliven(layer, 0)
    layer.to(dtype)
    image, caption = normal(1, 2, 5, 12).to(dtype).requires_grad_(), normal(2, 2, 4, 12).to(dtype).requires_grad_()
    keep = torch.tensor([[True, True, False, False], [False] * 4])
    words = layer.read(caption[keep], keep)
    assert words.seen.tolist() == [[True, True, False, False], [True] * 4]  # not every kernel forgives an empty softmax
    found = layer(image, words)
    assert_close(found[1], layer.out.bias.expand(5, -1))
    found.square().sum().backward()
    assert image.grad is not None and caption.grad is not None
    assert image.grad.isfinite().all() and caption.grad.isfinite().all()
    assert caption.grad[0, :2].abs().min() > 0
    assert not caption.grad[0, 2:].any() and not caption.grad[1].any()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


def test_a_caption_without_places_for_tokens_is_empty_too() -> None:
    layer = CrossAttention(12, 3)
    enliven(layer, 0)
    words = layer.read(torch.zeros(0, 12, dtype=torch.float64), torch.zeros(2, 0, dtype=torch.bool))
    assert isinstance(words, Words)
    assert_close(layer(normal(1, 2, 5, 12), words), layer.out.bias.expand(2, 5, -1))


def test_a_step_is_normed_moved_and_gated() -> None:
    x, given, layer = normal(1, 2, 5, 8), normal(2, 2, 3, 8), nn.Linear(8, 8).double()
    shift, scale, gate = given[:, :1], given[:, 1:2], given[:, 2:]
    centred = x - x.mean(-1, keepdim=True)
    normed = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    assert_close(modulate(x, shift, scale), normed * (1 + scale) + shift)
    assert_close(adapt(x, layer, given), x + gate * layer(normed * (1 + scale) + shift))


def test_a_table_is_added_to_what_is_shared_and_a_projection_starts_from_silu() -> None:
    table, projection, one, six = Table(8, 2), Modulation(8, 2), normal(1, 3, 8), normal(2, 3, 2, 8)
    enliven(table, 0)
    enliven(projection, 1)
    assert_close(table(six)[1], table.table + six[1])
    assert_close(table(one)[1], table.table + one[1])
    expected = projection.linear(F.silu(one)).reshape(3, 2, 8)
    assert_close(projection(one), expected)


def test_layers_start_as_published() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(300, 200), nn.Conv2d(8, 200, 4), *(nn.Linear(300, 200) for _ in range(3)))
        initialise(network)
        soften(1152, network[2])
        soften(288, network[3])
        silence(network[4])
    linear, conv, soft, narrow, silent = network
    for layer, fan in ((linear, 500), (conv, 8 * 16 + 200)):  # a convolution as the linear layer that it is
        bound = math.sqrt(6 / fan)
        assert 0.99 * bound < float(layer.weight.detach().abs().max()) <= bound
        assert abs(float(layer.weight.detach().std()) * math.sqrt(3) / bound - 1) < 0.02
    assert abs(float(soft.weight.detach().std()) / 0.02 - 1) < 0.02
    assert abs(float(narrow.weight.detach().std()) / 0.04 - 1) < 0.02
    assert not silent.weight.any()
    assert not any(layer.bias.any() for layer in network)


def test_a_compression_starts_as_the_mean_of_each_square_then_a_norm() -> None:
    part, x = Compression(6, CompressionConfig(factor=2)).double(), normal(0, 2, 4 * 6, 6)
    grid = x.view(2, 4, 6, 6)
    slow = [grid[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((1, 2)) for i in range(2) for j in range(3)]
    assert_close(part(x, 4), F.layer_norm(torch.stack(slow, 1), (6,), eps=1e-5), atol=1e-12, rtol=0)


def test_a_grid_that_the_squares_do_not_fill_is_read_without_its_rest() -> None:
    part = Compression(6, CompressionConfig(factor=2, norm=False)).double()
    grid = normal(0, 1, 5, 7, 6)
    whole, cut = (part(each.flatten(1, 2), each.shape[1]) for each in (grid, grid[:, :4, :6]))
    assert torch.equal(whole, cut)


@pytest.mark.parametrize("factor", [2, 4])
def test_attention_to_squares_is_attention_to_tokens_where_each_square_is_of_one_token(factor: int) -> None:
    plain, pooled = SelfAttention(8, 2).double(), SelfAttention(8, 2, CompressionConfig(factor=factor, norm=False))
    enliven(plain, 1)
    pooled.double().load_state_dict(plain.state_dict(), strict=False)
    cells = normal(0, 2, 2, 3, 8)
    x = cells.repeat_interleave(factor, 1).repeat_interleave(factor, 2).flatten(1, 2)
    assert_close(pooled(x, 2 * factor), plain(x), atol=1e-14, rtol=0)
    assert (pooled(normal(1, *x.shape), 2 * factor) - plain(normal(1, *x.shape))).abs().max() > 1e-3


def test_blocks_that_compress_stand_within_the_network() -> None:
    with pytest.raises(ValueError, match=r"compression.blocks names \[2, 9\], and the blocks are 0 to 1; change them"):
        TransformerConfig(depth=2, width=24, heads=2, compression=CompressionConfig(blocks=(0, 2, 9)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gelu_is_the_frameworks_with_a_gradient_and_without(dtype: torch.dtype) -> None:
    x = torch.cat([torch.linspace(-12, 12, 2001), torch.tensor([-1e9, 0.0, 1e9])]).to(dtype)
    expected = F.gelu(x, approximate="tanh")
    before = x.clone()
    near = 1e-6 if dtype == torch.float32 else 1e-14
    assert_close(gelu(x), expected, atol=near, rtol=near)
    assert torch.equal(x, before)
    asked = x.clone().requires_grad_()
    assert torch.equal(gelu(asked), expected)
    gelu(asked).sum().backward()
    assert asked.grad is not None and asked.grad[:2001].isfinite().all()
