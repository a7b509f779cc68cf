"""Pictures as numbers and back: exact, rounded and clamped; and through an autoencoder, few at once."""

import numpy as np
import pytest
import torch

from pinxit.data.pixel import AT_ONCE, through, to_pictures, to_pixels
from pinxit.models.autoencoder import SmallAutoencoder, SmallCodec
from pinxit.models.config import SmallAutoencoderConfig


def pictures(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 16, 24, 3), dtype=np.uint8))


def test_pictures_come_back_from_numbers() -> None:
    pixels = to_pixels(pictures(2))
    assert (pixels.min(), pixels.max()) == (-1, 1)
    assert np.array_equal(to_pictures(pixels), pictures(2))


def test_pixels_are_rounded_and_clamped() -> None:
    pixels = torch.tensor([-2.0, -1.0, 0.0, 1.0, 5.0])[None, None, None].expand(1, 3, 1, 5)
    assert to_pictures(pixels)[0][0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, AT_ONCE + 1])
def test_any_number_of_pictures_goes_through_the_autoencoder_in_order(count: int) -> None:
    torch.manual_seed(0)
    sizes = SmallAutoencoderConfig(channels=4, fine=8, coarse=8, encoder_blocks=(0, 0), decoder_blocks=(0, 0))
    codec = SmallCodec(SmallAutoencoder(sizes), "codec")
    given = pictures(count)
    alone = [to_pictures(codec.decode(codec.encode(to_pixels([picture]))[0]))[0] for picture in given]
    for one, other in zip(through(codec, given), alone, strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
