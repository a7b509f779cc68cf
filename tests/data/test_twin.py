"""Near-duplicates: what is re-encoded or resized is found, what differs is not, as comparing all pairs would say."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pinxit.data import twin
from pinxit.data.original import SourceRules
from pinxit.data.record import Caption
from pinxit.data.records import Records, RecordWriter, Row, read_records
from pinxit.data.twin import NONE, Signatures, first_alike, sign, structure, twins_of


def painting(seed: int, side: int = 96) -> Image.Image:
    """Blobs of colour on a ground, another picture for each seed."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side), tuple(int(x) for x in rng.integers(0, 256, 3)))
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        x, y, size = [*rng.integers(0, side, 2).tolist(), int(rng.integers(side // 8, side // 2))]
        pen.ellipse((x - size, y - size, x + size, y + size), tuple(int(c) for c in rng.integers(0, 256, 3)))
    return image


def stored(image: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    data = BytesIO()
    image.save(data, kind, **how)
    return data.getvalue()


def imported(folder: Path, pictures: list[bytes]) -> Records:
    with RecordWriter(folder, "drawn", SourceRules(), None, force=True) as writer:
        for number, data in enumerate(pictures):
            writer.add(Row(str(number), data, (96, 96), (Caption("a"),)))
        writer.finish()
    return read_records(folder)


def earlier(signatures: Signatures) -> list[int]:
    (found,) = first_alike(signatures, [np.ones(len(signatures.bits), bool)])
    return found.tolist()


def test_copies_are_found_and_other_pictures_are_not(tmp_path: Path) -> None:
    images = [painting(seed) for seed in range(20)]
    copies = [stored(image, "JPEG", quality=40) for image in images[:8]]
    copies += [stored(image.resize((48, 48)), "WEBP") for image in images[8:16]]
    copies += [stored(image.point(lambda level: min(255, level + 5))) for image in images[16:]]
    signatures = sign(imported(tmp_path / "own", [*map(stored, images), *copies]))
    assert earlier(signatures) == [*range(20), *range(20)]


def test_a_large_jpeg_decoded_small_is_the_same_picture(tmp_path: Path) -> None:
    large = painting(3, 900)
    signatures = sign(imported(tmp_path / "own", [stored(large), stored(large, "JPEG", quality=90)]))
    assert earlier(signatures) == [0, 0]


def test_plain_pictures_are_told_apart_by_their_colour(tmp_path: Path) -> None:
    plain = [Image.new("RGB", (96, 96), colour) for colour in ("white", "black", "red", "#fefefe", "#f00")]
    assert earlier(sign(imported(tmp_path / "own", list(map(stored, plain))))) == [0, 1, 2, 0, 2]


def test_a_picture_that_cannot_be_decoded_is_like_no_other() -> None:
    none = np.zeros(4, np.uint64), np.zeros((4, 48), np.uint8)
    assert earlier(Signatures(*none, np.array([False, True, False, True]))) == [NONE, 1, NONE, 1]


@pytest.mark.parametrize("pairs", [1, 64, 1 << 22])
def test_blocks_find_what_comparing_all_pairs_finds(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin, "PAIRS", max(64, pairs))
    rng = np.random.default_rng(0)
    bits = np.repeat(rng.integers(0, 2**63, 30, dtype=np.uint64), 10)
    for _ in range(4):  # flips: pairs at distances up to 8
        bits ^= np.where(
            rng.random(300) < 0.5, np.uint64(1) << rng.integers(0, 64, 300).astype(np.uint64), np.uint64(0)
        )
    colours = np.clip(100 + rng.integers(-14, 15, (300, 1)) + np.zeros((1, 48), int), 0, 255).astype(np.uint8)
    source = rng.random(300) < 0.6
    (found,) = first_alike(Signatures(bits, colours, np.ones(300, bool)), [source])
    for place in range(300):
        near = np.bitwise_count(bits ^ bits[place]) <= twin.NEAR
        near &= np.abs(colours.astype(int) - colours[place]).mean(1) <= twin.NEAR_COLOUR
        expected = np.flatnonzero(near & source)
        assert found[place] == (expected[0] if len(expected) else NONE)


@pytest.mark.parametrize("count", [0, 1])
def test_few_pictures(count: int) -> None:
    empty = Signatures(np.zeros(count, np.uint64), np.zeros((count, 48), np.uint8), np.ones(count, bool))
    repeated, leak = twins_of(empty, np.zeros(count, bool), None)
    assert repeated.tolist() == leak.tolist() == [NONE] * count


def test_repetitions_and_leaks_are_told_apart() -> None:
    def signatures(*values: int) -> Signatures:
        bits = np.array(values, np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        return Signatures(bits, np.zeros((len(values), 48), np.uint8), np.ones(len(values), bool))

    held_out = np.array([False, False, True, True, False])
    repeated, leak = twins_of(signatures(1, 2, 1, 3, 2), held_out, signatures(2, 3, 4))
    assert repeated.tolist() == [NONE, NONE, 0, NONE, 1]
    assert leak.tolist() == [NONE, NONE, 0, NONE, NONE, 1, NONE, NONE]  # 3 is held out: it gives nothing away


def test_the_bits_are_those_of_the_full_cosine_transform() -> None:
    fft = pytest.importorskip("scipy.fft")
    grey = np.random.default_rng(0).integers(0, 256, (5, 32, 32), dtype=np.uint8)
    low = fft.dctn(grey.astype(float), axes=(1, 2), norm="ortho")[:, :8, :8].reshape(5, 64)
    low[:, 0] = 0
    above = low > np.median(low, axis=1, keepdims=True)
    expected = [int("".join("01"[bit] for bit in row), 2) for row in above.astype(int)]
    assert structure(grey).tolist() == expected
