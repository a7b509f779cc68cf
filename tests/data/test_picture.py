"""Every kind of picture comes out as stated, and no bytes make decoding raise."""

import struct
import time
import zlib
from io import BytesIO

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image, ImageCms

from pinxit.data.picture import PictureRules, Reason, Refusal, decode, encode_png

RULES = PictureRules(most_pixels=10_000, least_side=4)


def stored(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(data: bytes) -> np.ndarray:
    picture = decode(data, RULES)
    assert isinstance(picture, np.ndarray), picture
    return picture


def reason(data: bytes, rules: PictureRules = RULES) -> Reason:
    refusal = decode(data, rules)
    assert isinstance(refusal, Refusal)
    return refusal.reason


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_16(samples: np.ndarray) -> bytes:
    """A 16-bit PNG written by hand: Pillow writes none in colour."""
    height, width, channels = samples.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in samples)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def drawn(height: int = 8, width: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_png_returns_what_was_drawn() -> None:
    assert_array_equal(decoded(encode_png(drawn())), drawn())


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP", "AVIF"])
def test_every_format_is_read(kind: str) -> None:
    grey = Image.new("RGB", (20, 30), (90, 90, 90))
    picture = decoded(stored(grey, kind))
    assert picture.shape == (30, 20, 3)
    assert abs(picture.astype(int) - 90).max() <= 3


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    white = Image.new("RGB", (8, 8), "white").convert(mode)
    assert_array_equal(decoded(stored(white, "TIFF")), np.full((8, 8, 3), 255, np.uint8))


def test_cmyk_keeps_its_colour() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    picture = decoded(stored(red, "JPEG", quality=95)).astype(int)
    assert abs(picture - [255, 0, 0]).max() <= 8


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_scaled_and_not_clipped(channels: int) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8, 1).repeat(channels, 2)
    found = decoded(png_16(ramp)).astype(float)
    expected = np.broadcast_to(ramp / 257.0, (8, 8, 3))
    assert abs(found - expected).max() < 1
    assert found.min() == 0
    assert found.max() == 255


def test_16_bit_tiff_is_scaled() -> None:
    middle = Image.fromarray(np.full((8, 8), 0x8080, np.uint16))
    assert_array_equal(decoded(stored(middle, "TIFF")), np.full((8, 8, 3), 0x80, np.uint8))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bit_samples_are_refused(mode: str) -> None:
    assert reason(stored(Image.new(mode, (8, 8)), "TIFF")) is Reason.UNKNOWN_RANGE


def test_transparency_is_laid_on_white() -> None:
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    half.paste((10, 20, 30, 0), (0, 0, 4, 8))
    picture = decoded(stored(half))
    assert_array_equal(picture[:, :4], np.full((8, 4, 3), 255))
    assert_array_equal(picture[:, 4:], np.full((8, 4, 3), 127))


def test_a_palettes_transparent_colour_is_white() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 255, 255, 0, 0])
    image.paste(0, (0, 0, 4, 8))
    picture = decoded(stored(image, transparency=0))
    assert_array_equal(picture[:, :4], np.full((8, 4, 3), 255))
    assert_array_equal(picture[:, 4:], np.broadcast_to([255, 0, 0], (8, 4, 3)))


def test_a_grey_with_alpha_is_laid_on_white() -> None:
    assert_array_equal(decoded(stored(Image.new("LA", (8, 8), (0, 0)))), np.full((8, 8, 3), 255))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = stored(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert abs(decoded(data).astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = {
        1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud, 5: lambda x: x.transpose(1, 0, 2),
        6: lambda x: np.rot90(x, -1), 7: lambda x: np.rot90(x, 2).transpose(1, 0, 2), 8: np.rot90,
    }[orientation]  # fmt: skip
    assert_array_equal(decoded(stored(Image.fromarray(drawn()), exif=exif)), upright(drawn()))


def test_damaged_exif_leaves_the_picture_as_it_is() -> None:
    plain, damaged = (stored(Image.fromarray(drawn()), "JPEG", exif=exif) for exif in (b"", b"Exif\0\0nonsense"))
    assert_array_equal(decoded(damaged), decoded(plain))


def test_a_colour_profile_is_converted_and_a_damaged_one_counts_as_none() -> None:
    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = swapped.index(b"rXYZ"), swapped.index(b"bXYZ")
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    image = Image.new("RGB", (8, 8), (255, 0, 0))
    converted = decoded(stored(image, icc_profile=bytes(swapped))).astype(int)
    assert abs(converted - [0, 0, 255]).max() <= 2
    assert_array_equal(decoded(stored(image, icc_profile=b"nonsense")), np.asarray(image))


def test_a_profile_keeps_transparency() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert_array_equal(decoded(stored(clear, icc_profile=profile)), np.full((8, 8, 3), 255))


def test_damage_is_refused_with_its_reason() -> None:
    whole = stored(Image.fromarray(drawn(64, 64)), "JPEG")
    assert reason(b"") is Reason.EMPTY
    assert reason(b"a red fox beside a mushroom") is Reason.NOT_A_PICTURE
    assert reason(whole[: len(whole) // 2]) is Reason.BROKEN


def test_size_is_judged_before_anything_is_decoded() -> None:
    huge = chunk(b"IHDR", struct.pack(">IIBBBBB", 12_000, 12_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + huge + chunk(b"IDAT", b"not even compressed") + chunk(b"IEND", b"")
    assert reason(bomb) is Reason.TOO_LARGE
    assert reason(bomb, PictureRules()) is Reason.TOO_LARGE
    assert reason(bomb, PictureRules(most_pixels=150_000_000)) is Reason.BROKEN
    beyond_pillow = bomb.replace(huge, chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)))
    assert reason(beyond_pillow) is Reason.TOO_LARGE


@pytest.mark.parametrize(("height", "width"), [(1, 50), (50, 1), (3, 4)])
def test_a_side_too_small_is_refused(height: int, width: int) -> None:
    assert reason(encode_png(drawn(height, width))) is Reason.TOO_SMALL


def test_the_limits_themselves_are_admitted() -> None:
    assert decoded(encode_png(drawn(4, 2500))).shape == (4, 2500, 3)
    assert reason(encode_png(drawn(4, 2501))) is Reason.TOO_LARGE


def seeds() -> list[bytes]:
    image = Image.fromarray(drawn(24, 20))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        stored(image, "JPEG", exif=exif), stored(image, "JPEG", progressive=True), stored(image, icc_profile=profile),
        stored(image.convert("P"), "GIF"), stored(image, "WEBP", exif=exif),
        stored(image, "TIFF", compression="tiff_lzw"), stored(image, "BMP"), stored(image, "AVIF"),
        stored(image.convert("RGBA"), "TIFF", compression="packbits"), png_16(drawn(8, 8).astype(np.uint16)[..., :1]),
    ]  # fmt: skip


def test_no_mutation_of_a_picture_makes_decoding_raise_or_hang() -> None:
    random = np.random.default_rng(7)
    whole = seeds()
    outcomes = {"read": 0, "refused": 0}
    start = time.monotonic()
    for turn in range(200):
        data = bytearray(whole[turn % len(whole)])
        for place in random.integers(0, len(data), random.integers(1, 12)):
            data[place] = random.integers(0, 256)
        if turn % 5 == 0:
            del data[random.integers(0, len(data)) :]
        found = decode(bytes(data), RULES)
        outcomes["refused" if isinstance(found, Refusal) else "read"] += 1
        if not isinstance(found, Refusal):
            assert found.dtype == np.uint8
            assert found.ndim == 3
            assert found.shape[0] * found.shape[1] <= RULES.most_pixels
    assert min(outcomes.values()) > 20  # both ways are taken
    assert time.monotonic() - start < 60
