"""Tiles: those of a decoder that sees little are the whole; those of one that sees all are one tile or a blend."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from pinxit.models.autoencoder import DiffusersCodec, SmallAutoencoder, SmallCodec
from pinxit.models.config import SmallAutoencoderConfig
from pinxit.models.tile import BLEND, MARGIN, decode_in_tiles, windows

from .tiny import write_kl

LEVEL = 2 / 255  # one of 255 in pixels of [-1, 1]
SIDE = 56
SIZES = [(57, 57), (40, 100), (90, 63)]


def small() -> SmallCodec:
    """As deep as the one that ships, but narrow; its weights are as large as make every pixel see far."""
    torch.manual_seed(0)
    network = SmallAutoencoder(SmallAutoencoderConfig(channels=4, fine=4, coarse=6))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return SmallCodec(network, "small")


@pytest.mark.parametrize("size", SIZES)
def test_tiles_of_the_small_autoencoder_are_the_whole(size: tuple[int, int]) -> None:
    codec, latent = small(), torch.randn(1, 4, *size)
    whole, tiled = codec.decode(latent), decode_in_tiles(codec.decode, latent, SIDE, 8)
    assert whole.std() > 50 * LEVEL
    assert_close(tiled, whole, rtol=1e-5, atol=LEVEL / 100)


def test_the_margin_holds_all_that_the_small_autoencoder_sees() -> None:
    codec = small()
    codec.network.double()
    latent = torch.zeros(1, 4, 2 * MARGIN + 1, 2 * MARGIN + 1, dtype=torch.float64)
    touched = latent.clone()
    touched[..., MARGIN, MARGIN] = 1.0
    seen = (codec.decode(touched) != codec.decode(latent)).any(1).nonzero()[:, 1:]
    reach = (2 * MARGIN + 1) * 4 - seen.min()  # in pixels, from the middle
    assert 8 * 8 <= reach <= 8 * 9 + 4


@pytest.mark.parametrize("length", [1, 55, 56, 57, 64, 65, 100, 333])
def test_counts_of_a_place_add_up_to_one_and_no_cut_is_seen(length: int) -> None:
    total, tiles = torch.zeros(8 * length), windows(length, SIDE, 8)
    side = min(SIDE, length)
    for start, counts in tiles:
        assert 0 <= start <= length - side
        assert len(counts) == 8 * side
        assert ((counts >= 0) & (counts <= 1)).all()
        total[8 * start : 8 * (start + side)] += counts
        if start:
            assert not counts[: 8 * MARGIN].any()
        if start + side < length:
            assert not counts[-8 * MARGIN :].any()
        assert counts.diff().abs().max() <= 1.01 / (8 * BLEND) if length > SIDE else counts.eq(1).all()
    assert_close(total, torch.ones_like(total))


def test_a_latent_no_larger_than_a_tile_is_one_tile() -> None:
    codec, latent = small(), torch.randn(1, 4, SIDE, 20)
    assert torch.equal(decode_in_tiles(codec.decode, latent, SIDE, 8), codec.decode(latent))


def test_a_kl_autoencoders_pixels_are_one_tiles_or_between_two(tmp_path: Path) -> None:
    write_kl(tmp_path)
    codec, latent = DiffusersCodec(tmp_path), torch.randn(1, 4, 40, 96, generator=torch.Generator().manual_seed(0))
    tiles: list[Tensor] = []

    def decode(tile: Tensor) -> Tensor:
        tiles.append(codec.decode(tile))
        return tiles[-1]

    tiled, (first, second) = decode_in_tiles(decode, latent, SIDE + 16, 4), windows(96, SIDE + 16, 4)
    faded = [int((counts > 0).sum()) for _, counts in (first, second)]
    cut, start = 4 * 96 - faded[1], 4 * second[0]
    assert_close(tiled[..., :cut], tiles[0][..., :cut])
    assert_close(tiled[..., faded[0] :], tiles[1][..., faded[0] - start :])
    blend = tiled[..., cut : faded[0]]
    assert blend.shape[-1] == 4 * BLEND
    one, other = tiles[0][..., cut : faded[0]], tiles[1][..., cut - start : faded[0] - start]
    assert (blend >= torch.minimum(one, other) - LEVEL / 100).all()
    assert (blend <= torch.maximum(one, other) + LEVEL / 100).all()
