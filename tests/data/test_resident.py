"""The cache in a device's memory gives the batches that the disk gives."""

from pathlib import Path

import pytest
import torch

from pinxit.data.cache import Cache
from pinxit.data.encode import encode
from pinxit.data.kind import Caption, Record
from pinxit.data.loader import CacheLoader, FromDisk, plan
from pinxit.data.resident import WHOLE, Resident, fits
from tests.data.double import FINGERPRINT, Codec, Words, record


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Two shapes; pictures with one caption and with three, of other weights; with and without a class."""
    several = (Caption("fox", weight=3.0), Caption("a red fox in the snow", weight=1.0), Caption("never", weight=0.0))
    records = [record(i, (64, 64) if i % 3 else (64, 128), label=i if i % 2 else None) for i in range(12)]
    records += [Record(f"told {i}", record(i).picture, several) for i in range(4)]
    encode(records, Codec(), Words(), tmp_path, FINGERPRINT)
    return Cache(tmp_path)


def test_batches_are_those_of_the_disk_but_for_the_padding(cache: Cache) -> None:
    how = plan(cache, 3)
    disk, held = (CacheLoader(source, how, 1) for source in (FromDisk(cache, 1), Resident(cache, 1, "cpu")))
    for seen in range(0, 3 * how.batches * 3, 3):
        (wanted,), (found,) = disk.step_at(seen), held.step_at(seen)
        assert (found.keys, found.position) == (wanted.keys, wanted.position)
        for name in ("mean", "std", "size", "aspect", "label"):
            assert torch.equal(getattr(found, name), getattr(wanted, name)), name
        length = wanted.keep.shape[1]
        assert torch.equal(found.keep[:, :length], wanted.keep)
        assert torch.equal(found.caption[:, :length], wanted.caption)
        assert not found.keep[:, length:].any()
        assert not found.caption[:, length:].any()


def test_every_batch_of_a_bucket_has_the_same_shapes(cache: Cache) -> None:
    source = Resident(cache, 1, "cpu")
    assert source.length % WHOLE == 0
    for size, places in plan(cache, 2).buckets:
        batch = source.batch(places[:2], 0)
        assert batch.mean.shape[2:] == size
        assert batch.caption.shape[:2] == (2, source.length)


def test_a_processor_reads_from_disk(cache: Cache) -> None:
    assert not fits(cache, torch.device("cpu"))


@pytest.mark.parametrize(("free", "wanted"), [(2.5, True), (1.9, False)])
def test_a_gpu_holds_a_cache_of_less_than_half_its_free_memory(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, free: float, wanted: bool
) -> None:
    monkeypatch.setattr("pinxit.data.resident.free_memory", lambda _device: int(free * cache.size))
    assert fits(cache, torch.device("cuda")) == wanted


def test_the_size_is_that_of_the_numbers(cache: Cache) -> None:
    latents = sum(2 * 2 * c * h * w for c, h, w in cache.shapes)
    states, lengths = cache.states()
    assert states.shape[0] == sum(lengths)
    assert latents + states.numel() * 2 <= cache.size < 1.2 * (latents + states.numel() * 2) + 1024
