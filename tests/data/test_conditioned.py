"""Conditions as numbers, in the cache, and in batches: the same from the disk and from memory."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pinxit.data.cache import CONDITION, Cache, open_table, shard_files, verify
from pinxit.data.conditioned import condition_channels, encode_conditions
from pinxit.data.config import ConditionConfig, EdgesConfig, EditConfig, InpaintConfig, UpscaleConfig
from pinxit.data.encode import encode
from pinxit.data.kind import Condition, Record
from pinxit.data.loader import CacheLoader, FromDisk, draw_condition, plan
from pinxit.data.recaption import recaption
from pinxit.data.resident import Resident
from pinxit.errors import DataError
from tests.data.double import FINGERPRINT, Codec, Words, record

MANY = 3
MADE = FINGERPRINT.model_copy(update={"condition": ConditionConfig(task=InpaintConfig(), many=MANY)})


def conditioned(index: int, size: tuple[int, int] = (64, 64)) -> Record:
    """A record whose condition `number` is grey of that number, with a map of it."""
    made = tuple(
        Condition(np.full((*size, 3), 10 * number + index, np.uint8), np.full(size, number, np.uint8))
        for number in range(MANY)
    )
    return replace(record(index, size), conditions=made)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return encode([conditioned(i, (64, 64) if i % 3 else (48, 96)) for i in range(8)], Codec(), Words(), tmp_path, MADE)


def test_a_picture_is_a_latent_and_a_map_its_pixels() -> None:
    rng = np.random.default_rng(0)
    picture, one_map = rng.integers(0, 256, (16, 24, 3), np.uint8), rng.integers(0, 256, (16, 24), np.uint8)
    encoded = encode_conditions([Condition(picture, one_map)] * 2, Codec())  # type: ignore[arg-type]
    assert encoded.shape == (2, 3 + 64, 2, 3)
    pixels = torch.tensor(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    assert_close(encoded[:1, :3], Codec().encode(pixels)[0])
    for row, column in ((0, 0), (9, 17), (15, 23)):
        place = (row % 8) * 8 + column % 8
        said = encoded[1, 3 + place, row // 8, column // 8]
        assert_close(said, torch.tensor(one_map[row, column] / 127.5 - 1, dtype=torch.float32))
    alone = encode_conditions([Condition(map=one_map)], Codec())  # type: ignore[arg-type]
    assert_close(alone, encoded[:1, 3:])


def test_channels_follow_from_the_task() -> None:
    channels = [condition_channels(task, 3, 8) for task in (UpscaleConfig(), InpaintConfig(), EdgesConfig())]
    assert channels == [(3, 0), (3, 64), (0, 64)]


def test_a_cache_gives_back_each_pictures_conditions(cache: Cache) -> None:
    assert len(cache) == 8
    for place, key in enumerate(cache.keys):
        index = int(key.removeprefix("key "))
        found = cache[place].conditions
        assert found is not None
        assert found.shape[:2] == (MANY, 67)
        for number in range(MANY):
            grey, told = (10 * number + index) / 127.5 - 1, number / 127.5 - 1
            assert_close(found[number, :3], torch.full_like(found[number, :3], grey), rtol=0, atol=1e-3)
            assert_close(found[number, 3:], torch.full_like(found[number, 3:], told), rtol=0, atol=1e-3)
    assert verify(cache.folder) == []


def test_batches_hold_the_drawn_condition_from_disk_and_from_memory(cache: Cache) -> None:
    how = plan(cache, 2)
    disk, held = (CacheLoader(source, how, 1) for source in (FromDisk(cache, 1), Resident(cache, 1, "cpu")))
    drawn: set[int] = set()
    for seen in range(0, 2 * how.batches * 4, 2):
        (wanted,), (found,) = disk.step_at(seen), held.step_at(seen)
        assert wanted.condition is not None
        assert found.condition is not None
        assert torch.equal(found.condition, wanted.condition)
        numbers = draw_condition(1, wanted.position, MANY)
        assert_close(wanted.condition[:, -1, 0, 0], numbers / 127.5 - 1, rtol=0, atol=1e-3)
        drawn |= set(numbers.tolist())
    assert drawn == set(range(MANY))


def test_a_cache_without_a_task_holds_none(tmp_path: Path) -> None:
    cache = encode([record(0)], Codec(), Words(), tmp_path, FINGERPRINT)
    assert cache[0].conditions is None
    assert not shard_files(tmp_path, 0, [CONDITION])[CONDITION].exists()
    assert FromDisk(cache, 0).batch([0], 0).condition is None
    assert Resident(cache, 0, "cpu").batch([0], 0).condition is None


def test_new_captions_leave_the_conditions(cache: Cache) -> None:
    before = cache[0].conditions
    again = recaption([record(i) for i in range(8)], Words(), cache.folder)
    assert before is not None
    assert torch.equal(again[0].conditions, before)  # type: ignore[arg-type]
    assert verify(cache.folder) == []


def test_a_damaged_condition_is_found(cache: Cache) -> None:
    file = shard_files(cache.folder, 0, [CONDITION])[CONDITION]
    assert len(open_table(cache.folder, 0, CONDITION)) == 8
    file.write_bytes(file.read_bytes()[:-3] + b"abc")
    assert any("condition-00000.arrow" in fault for fault in verify(cache.folder))


def test_records_without_their_conditions_or_of_another_size_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="key 0: it has 0 conditions, and the cache wants 3"):
        encode([record(0)], Codec(), Words(), tmp_path / "a", MADE)
    with pytest.raises(DataError, match="key 0: it has 3 conditions, and the cache wants 0"):
        encode([conditioned(0)], Codec(), Words(), tmp_path / "b", FINGERPRINT)
    small = replace(record(0), conditions=conditioned(0, (32, 32)).conditions)
    with pytest.raises(DataError, match=r"conditions of \[\(32, 32\)\].*do not fit its picture of \(64, 64\)"):
        encode([small], Codec(), Words(), tmp_path / "c", MADE)


def test_another_task_is_another_cache() -> None:
    other = MADE.model_copy(update={"condition": ConditionConfig(task=EdgesConfig(), many=1)})
    assert any("condition is" in line for line in MADE.differences(other))
    assert MADE.differences(MADE) == []
    with pytest.raises(ValueError, match="an edited picture comes from one other; say 1"):
        ConditionConfig(task=EditConfig(), many=2)
