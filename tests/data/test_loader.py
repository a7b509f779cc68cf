import threading
from collections import Counter
from pathlib import Path

import pytest
import torch

from pinxit.data.cache import Cache
from pinxit.data.encode import encode
from pinxit.data.kind import Batch, Caption, Record
from pinxit.data.loader import CacheLoader, FromDisk, plan
from pinxit.errors import DataError
from tests.data.double import FINGERPRINT, Codec, Words, record


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """Ten squares, three wide, one tall."""
    sizes = [(64, 64)] * 10 + [(64, 128)] * 3 + [(200, 60)]
    folder = tmp_path_factory.mktemp("cache")
    return encode([record(i, size) for i, size in enumerate(sizes)], Codec(), Words(), folder, FINGERPRINT)


def same(one: list[Batch], other: list[Batch]) -> bool:
    names = ("mean", "std", "caption", "keep", "size", "aspect", "label")
    return [(b.position, b.keys) for b in one] == [(b.position, b.keys) for b in other] and all(
        torch.equal(getattr(a, name), getattr(b, name)) for a, b in zip(one, other, strict=True) for name in names
    )


def epoch(loader: CacheLoader, number: int = 0) -> list[Batch]:
    steps = loader.plan.batches
    return [b for i in range(steps) for b in loader.step_at((number * steps + i) * loader.plan.batch)]


@pytest.mark.parametrize("batch", [1, 2, 4, 16])
def test_every_picture_is_seen_in_every_epoch_and_none_is_dropped(cache: Cache, batch: int) -> None:
    loader = CacheLoader(FromDisk(cache, 1), plan(cache, batch), seed=1)
    for number in range(2):
        batches = epoch(loader, number)
        assert {key for b in batches for key in b.keys} == set(cache.keys)
        assert all(len(b.keys) == batch for b in batches)


def test_a_short_bucket_repeats_its_own_pictures_evenly(cache: Cache) -> None:
    batches = epoch(CacheLoader(FromDisk(cache, 1), plan(cache, 4), seed=1))
    seen = Counter(key for b in batches for key in b.keys)
    assert seen["key 13"] == 4  # alone in its bucket
    assert sorted(seen[f"key {i}"] for i in (10, 11, 12)) == [1, 1, 2]
    assert sorted(seen[f"key {i}"] for i in range(10)) == [1] * 8 + [2] * 2


def test_a_resumed_loader_gives_what_one_straight_through_gave(cache: Cache) -> None:
    straight = CacheLoader(FromDisk(cache, 1), plan(cache, 4), seed=1)
    steps = [straight.next_step(seen) for seen in range(0, 80, 4)]
    resumed = CacheLoader(FromDisk(cache, 1), plan(cache, 4), seed=1)
    again = [resumed.next_step(seen) for seen in range(36, 80, 4)]
    assert all(same(a, b) for a, b in zip(steps[9:], again, strict=True))
    straight.close()
    resumed.close()


def test_micro_batches_are_the_batch_split(cache: Cache) -> None:
    whole, parts = (CacheLoader(FromDisk(cache, 1), plan(cache, 4), 1, accumulation=n).step_at(8) for n in (1, 2))
    assert [b.position for b in parts] == [(8, 9), (10, 11)]
    assert torch.equal(torch.cat([b.mean for b in parts]), whole[0].mean)
    assert sum((b.keys for b in parts), ()) == whole[0].keys


def test_epochs_and_seeds_differ(cache: Cache) -> None:
    def order(seed: int, number: int) -> list[str]:
        return [k for b in epoch(CacheLoader(FromDisk(cache, 1), plan(cache, 2), seed), number) for k in b.keys]

    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)
    assert order(1, 0) == order(1, 0)


def test_a_stage_that_starts_late_begins_its_own_epochs(cache: Cache) -> None:
    first, late = (
        CacheLoader(FromDisk(cache, 1), plan(cache, 4), 1),
        CacheLoader(FromDisk(cache, 1), plan(cache, 4), 1, started=400),
    )
    assert late.step_at(400)[0].keys == first.step_at(0)[0].keys
    assert late.step_at(400)[0].position == (400, 401, 402, 403)


def test_captions_are_padded_to_the_longest_of_the_batch(tmp_path: Path) -> None:
    records = [record(0, captions=("fox",)), record(1, captions=("a red fox",)), record(2, captions=("a b c d e f g",))]
    cache = encode(records, Codec(), Words(), tmp_path, FINGERPRINT)
    loader = CacheLoader(FromDisk(cache, 0), plan(cache, 3, [0, 1, 0]), 0)
    (batch,) = loader.step_at(0)
    assert batch.caption.shape == (3, 4, 4)
    assert sorted(batch.keep.sum(1).tolist()) == [2, 2, 4]
    assert not batch.caption[~batch.keep].any()


def test_captions_are_drawn_by_their_weights_and_their_place_alone(tmp_path: Path) -> None:
    captions = (Caption("fox", weight=3.0), Caption("a red fox", weight=1.0), Caption("never drawn fox", weight=0.0))
    one = Record("one", record(0).picture, captions)
    cache = encode([one], Codec(), Words(), tmp_path, FINGERPRINT)
    loader = CacheLoader(FromDisk(cache, 5), plan(cache, 100), seed=5)
    lengths = Counter(n for seen in range(0, 1000, 100) for n in loader.step_at(seen)[0].keep.sum(1).tolist())
    assert set(lengths) == {2, 4}
    assert 0.7 < lengths[2] / 1000 < 0.8
    assert same(loader.step_at(500), loader.step_at(500))


def test_labels_are_minus_one_where_missing(tmp_path: Path) -> None:
    cache = encode([record(0), record(1, label=7)], Codec(), Words(), tmp_path, FINGERPRINT)
    (batch,) = CacheLoader(FromDisk(cache, 1), plan(cache, 2), 0).step_at(0)
    assert dict(zip(batch.keys, batch.label.tolist(), strict=True)) == {"key 0": -1, "key 1": 7}


def test_the_table_names_pictures_and_repeats(cache: Cache) -> None:
    table = plan(cache, 4).table()
    assert [(row["pictures"], row["repeat"]) for row in table] == [(3, 1.33), (10, 1.2), (1, 4.0)]
    assert sum(int(str(row["pictures"])) for row in table) == len(cache)
    assert str(plan(cache, 4)) == "14 pictures in 3 buckets, all used, each 1.2 to 4 times an epoch"
    assert str(plan(cache, 1, [1, 2])) == "2 pictures in one bucket, all used, each once an epoch"


def test_no_picture_is_an_error_at_planning_time(cache: Cache) -> None:
    with pytest.raises(DataError, match="no picture"):
        plan(cache, 4, [])


def test_what_goes_wrong_in_the_thread_is_raised_in_the_loop(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = CacheLoader(FromDisk(cache, 1), plan(cache, 4), 1)
    loader.next_step(0)
    monkeypatch.setattr(loader, "step_at", lambda seen: 1 / 0)
    loader.next_step(4)  # made before
    with pytest.raises(ZeroDivisionError):
        loader.next_step(8)
    loader.close()


def test_closing_ends_the_thread(cache: Cache) -> None:
    loader = CacheLoader(FromDisk(cache, 1), plan(cache, 4), 1)
    loader.next_step(0)
    assert loader.waited > 0
    loader.close()
    assert not any(thread.name.startswith("loader") for thread in threading.enumerate())
