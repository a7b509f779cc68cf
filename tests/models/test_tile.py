"""Tiles are the whole: of a decoder that sees little, and of one whose norms see all."""

from pathlib import Path

import pytest
import torch
from torch import nn
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
    whole, tiled = codec.decode(latent), codec.decode_tiled(latent, SIDE)
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


@pytest.mark.parametrize("length", [1, 2 * MARGIN + BLEND, 55, 56, 57, 64, 65, 100, 333])
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


def lively(folder: Path, halvings: int) -> DiffusersCodec:
    """A KL autoencoder whose weights are so large that each pixel hangs on the norms, and these on all pixels."""
    write_kl(folder, halvings=halvings)
    codec = DiffusersCodec(folder)
    torch.manual_seed(1)
    for name, parameter in codec.network.named_parameters():
        nn.init.normal_(parameter, mean=float("norm" in name and name.endswith("weight")), std=0.3)
    return codec


@pytest.mark.parametrize(("halvings", "size"), [(2, (40, 96)), (1, (70, 66)), (3, (57, 57))])
def test_tiles_of_a_kl_autoencoder_are_the_whole(tmp_path: Path, halvings: int, size: tuple[int, int]) -> None:
    codec, latent = lively(tmp_path, halvings), torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(0))
    latent[..., : size[1] // 2] *= 3  # what a tile sees is not what the whole is
    whole, tiled = codec.decode(latent), codec.decode_tiled(latent, SIDE)
    alone = decode_in_tiles(codec.decode, latent, SIDE, codec.identity.factor)
    assert whole.std() > 20 * LEVEL
    assert (alone - whole).abs().max() > 10 * LEVEL
    assert (tiled - whole).abs().max() < LEVEL


def test_after_as_many_passes_as_norms_all_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.models.tile.SETTLED", -1.0)
    codec, latent = lively(tmp_path, 2), torch.randn(1, 4, 40, 96)
    assert_close(codec.decode_tiled(latent, SIDE), codec.decode(latent), rtol=0, atol=LEVEL / 100)


def test_a_flat_latent_far_from_zero_is_flat(tmp_path: Path) -> None:
    codec = lively(tmp_path, 1)
    nn.init.constant_(codec.network.decoder.conv_in.bias, 1e3)
    latent = torch.full((1, 4, 57, 20), 7.0)
    assert_close(codec.decode_tiled(latent, SIDE), codec.decode(latent), rtol=0, atol=LEVEL)


def test_tiles_leave_the_norms_as_they_were(tmp_path: Path) -> None:
    codec, latent = lively(tmp_path, 1), torch.randn(1, 4, 57, 20)
    before = codec.decode(latent)
    codec.decode_tiled(latent, SIDE)
    assert torch.equal(codec.decode(latent), before)
