import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pinxit.data import encode as module
from pinxit.data.bucket import buckets, fit, nearest
from pinxit.data.cache import read_manifest, verify
from pinxit.data.encode import encode
from pinxit.data.kind import Caption, Record
from pinxit.errors import DataError
from pinxit.log import Bar
from tests.data.double import FINGERPRINT, Codec, Words, account, content, mixed, record


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.data.encode.SHARD", 4)


def test_cached_is_uncached(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = [(64, 64), (90, 64), (40, 100), (64, 250)]
    records = [
        Record(f"k{i}", rng.integers(0, 256, (*size, 3), dtype=np.uint8), (Caption("a red fox"),), i)
        for i, size in enumerate(sizes)
    ]
    cache = encode(records, Codec(), Words(), tmp_path, FINGERPRINT)
    for place, each in enumerate(records):
        bucket = nearest(sizes[place], buckets(64, 16))
        assert bucket is not None
        pixels = torch.tensor(fit(each.picture, bucket)).permute(2, 0, 1)[None].float() / 127.5 - 1
        mean, std = Codec().encode(pixels)
        row = cache[place]
        assert (row.key, row.label, row.size) == (each.key, each.label, sizes[place])
        assert torch.equal(row.mean, mean[0].half().float())
        assert torch.equal(row.std, std[0].half().float())
        assert_close(cache.caption(row.hashes[0]), Words().encode(["a red fox"])[0], rtol=0, atol=0)


@pytest.mark.parametrize("fails_after", [0, 3, 4, 7, 11])
def test_interrupted_and_resumed_is_straight_through_to_the_byte(tmp_path: Path, fails_after: int) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    encode(mixed(16), Codec(), Words(), straight, FINGERPRINT)
    with pytest.raises(RuntimeError, match="the power went"):
        encode(mixed(16), Codec(fails_after), Words(), broken, FINGERPRINT)
    encode(mixed(16), Codec(), Words(), broken, FINGERPRINT)
    assert content(broken) == content(straight)


def test_complete_shards_are_not_encoded_again(tmp_path: Path) -> None:
    encode([record(i) for i in range(8)], Codec(), Words(), tmp_path, FINGERPRINT)
    codec, words = Codec(), Words()
    encode([record(i) for i in range(8)], codec, words, tmp_path, FINGERPRINT)
    assert (codec.pictures, words.texts) == (0, [])


def test_captions_that_another_cache_has_are_not_encoded_again(tmp_path: Path) -> None:
    lender = encode([record(i) for i in range(6)], Codec(), Words(), tmp_path / "lender", FINGERPRINT)
    words = Words()
    cache = encode([record(i) for i in range(8)], Codec(), words, tmp_path / "new", FINGERPRINT, lenders=[lender])
    assert words.texts == [record(i).captions[0].text for i in (6, 7)]
    straight = encode([record(i) for i in range(8)], Codec(), Words(), tmp_path / "straight", FINGERPRINT)
    assert set(cache.captions) == set(straight.captions)
    assert all(torch.equal(cache.caption(name), straight.caption(name)) for name in straight.captions)
    assert verify(tmp_path / "new") == []


def test_a_cache_in_another_precision_lends_no_captions(tmp_path: Path) -> None:
    coarse = FINGERPRINT.model_copy(update={"dtype": "float16" if FINGERPRINT.dtype == "float32" else "float32"})
    lender = encode([record(0)], Codec(), Words(), tmp_path / "lender", coarse)
    words = Words()
    encode([record(0)], Codec(), words, tmp_path / "new", FINGERPRINT, lenders=[lender])
    assert record(0).captions[0].text in words.texts


def test_a_torn_manifest_line_loses_no_picture(tmp_path: Path) -> None:
    encode([record(i) for i in range(8)], Codec(), Words(), tmp_path, FINGERPRINT)
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text(manifest.read_text()[:-30])
    cache = encode([record(i) for i in range(16)], Codec(), Words(), tmp_path, FINGERPRINT)
    assert cache.keys == [f"key {i}" for i in range(16)]
    assert verify(tmp_path) == []


def test_leftovers_are_cleaned(tmp_path: Path) -> None:
    (tmp_path / ".latent-00000.arrow.part").write_bytes(b"half")
    encode([record(0)], Codec(), Words(), tmp_path, FINGERPRINT)
    assert not list(tmp_path.glob(".*"))


def test_records_in_are_records_used_and_rejected_with_their_names(tmp_path: Path) -> None:
    records = [*mixed(10), record(10, captions=("123", "456")), record(11, captions=("123", "a fox"))]
    cache = encode(records, Codec(), Words(), tmp_path, FINGERPRINT)
    said = account(tmp_path)
    assert (said["records"], said["used"], said["rejected"]) == (12, 9, 3)
    assert said["emptied"] == 3
    rejected = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert [line["key"] for line in rejected] == ["key 4", "key 9", "key 10"]
    assert "400x64" in rejected[0]["why"]
    assert "key 11" in cache.keys


def test_cut_captions_are_counted_and_their_lost_words_shown(tmp_path: Path) -> None:
    records = [
        record(0, captions=("one two three four five six seven",)),
        record(1, captions=("one two three four five",)),
    ]
    encode(records, Codec(), Words(), tmp_path, FINGERPRINT)
    said = account(tmp_path)
    assert (said["captions"], said["cut"], said["lost"]) == (2, 1, ["six seven"])


def test_a_wording_shared_by_pictures_is_encoded_once(tmp_path: Path) -> None:
    words = Words()
    encode([record(i, captions=("a fox", "a red fox")) for i in range(9)], Codec(), words, tmp_path, FINGERPRINT)
    assert sorted(words.texts) == ["", "a fox", "a red fox"]


def test_a_caption_that_is_never_drawn_is_not_encoded(tmp_path: Path) -> None:
    captions = Caption("an old fox", weight=0.0), Caption("a red fox", weight=0.7), Caption("foxes", weight=0.3)
    words = Words()
    cache = encode([replace(record(0), captions=captions)], Codec(), words, tmp_path, FINGERPRINT)
    assert sorted(words.texts) == ["", "a red fox", "foxes"]
    assert cache[0].weights == pytest.approx((0.7, 0.3))
    assert account(tmp_path)["captions"] == 2


def test_records_appended_later_leave_the_old_ones_alone(tmp_path: Path) -> None:
    encode([record(i) for i in range(5)], Codec(), Words(), tmp_path, FINGERPRINT)
    codec = Codec()
    cache = encode([record(i) for i in range(7)], codec, Words(), tmp_path, FINGERPRINT)
    assert (len(cache), codec.pictures) == (7, 2)
    assert account(tmp_path)["used"] == 7


def test_of_two_that_encode_into_one_folder_the_second_waits_and_finds_all_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Codec):
        def encode(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            begun.set()
            assert go_on.wait(30)
            return super().encode(pixels)

    records, second = mixed(8), Codec()
    threads = [
        threading.Thread(target=encode, args=(records, codec, Words(), tmp_path, FINGERPRINT))
        for codec in (Slow(), second)
    ]
    threads[0].start()
    assert begun.wait(30)
    threads[1].start()
    threads[1].join(0.3)
    assert threads[1].is_alive()
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert second.pictures == 0
    assert verify(tmp_path) == []
    assert len(read_manifest(tmp_path)) == 2
    assert "another process writes" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        encode([record(0)], Codec(), Words(), tmp_path / "file" / "cache", FINGERPRINT)


def test_a_first_shard_of_rejected_pictures_alone_does_not_stop_the_next(tmp_path: Path) -> None:
    records = [record(i, (64, 400) if i < 4 else (64, 64)) for i in range(6)]
    with pytest.raises(DataError, match="none of 4"):
        encode(records[:4], Codec(), Words(), tmp_path, FINGERPRINT)
    assert encode(records, Codec(), Words(), tmp_path, FINGERPRINT).keys == ["key 4", "key 5"]


def test_other_records_under_the_same_settings_are_refused(tmp_path: Path) -> None:
    encode([record(i) for i in range(4)], Codec(), Words(), tmp_path, FINGERPRINT)
    with pytest.raises(DataError, match="key 0"):
        encode([record(100 + i) for i in range(8)], Codec(), Words(), tmp_path, FINGERPRINT)


def test_fewer_records_than_were_encoded_are_refused(tmp_path: Path) -> None:
    encode([record(i) for i in range(4)], Codec(), Words(), tmp_path, FINGERPRINT)
    with pytest.raises(DataError, match="made of 4 records, these are 2"):
        encode([record(i) for i in range(2)], Codec(), Words(), tmp_path, FINGERPRINT)


def test_no_usable_record_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of 1 records"):
        encode([record(0, (10, 400))], Codec(), Words(), tmp_path, FINGERPRINT)


def test_a_latent_that_is_not_finite_stops_with_the_pictures_name(tmp_path: Path) -> None:
    class Broken(Codec):
        def encode(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            mean, std = super().encode(pixels)
            return mean * float("nan"), std

    with pytest.raises(DataError, match=r"picture key 0.*not finite"):
        encode([record(0)], Broken(), Words(), tmp_path, FINGERPRINT)


def test_decoded_pictures_are_held_at_their_buckets_size_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import weakref

    monkeypatch.setattr("pinxit.data.encode.SHARD", 64)
    alive: list[weakref.ref[Record]] = []
    most = 0

    class Lazy(list[int]):
        def __getitem__(self, index: int) -> Record:  # type: ignore[override]
            nonlocal most
            made = record(index, (200, 200))
            alive.append(weakref.ref(made))
            most = max(most, sum(one() is not None for one in alive))
            return made

    encode(Lazy(range(64)), Codec(), Words(), tmp_path, FINGERPRINT)  # type: ignore[arg-type]
    assert most <= 3


@pytest.mark.parametrize(("resolution", "most"), [(64, 32), (512, 8), (1024, 2), (2048, 1)])
def test_large_pictures_are_encoded_few_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resolution: int, most: int
) -> None:
    groups: list[int] = []

    class Watched(Codec):
        def encode(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            groups.append(len(pixels))
            return super().encode(pixels[..., :16, :16])

    monkeypatch.setattr("pinxit.data.encode.SHARD", 2048)
    monkeypatch.setattr("pinxit.data.encode.fit", lambda _, size: np.zeros((size.height, size.width, 3), np.uint8))
    wanted = FINGERPRINT.model_copy(update={"resolution": resolution})
    encode([record(i, (16, 16)) for i in range(33)], Watched(), Words(), tmp_path, wanted)
    assert max(groups) == most
    assert sum(groups) == 33


class Torn(list[Record]):
    """Records of which the third cannot be read once they are torn; before, the signatures are checked on them."""

    torn = False

    def __getitem__(self, place: int) -> Record:  # type: ignore[override]
        if place == 2 and self.torn:
            raise DataError("key 2", "its file is torn", "copy it again")
        return super().__getitem__(place)


@pytest.mark.parametrize("readers", [0, 2])
def test_records_come_in_their_order_whoever_reads_them_and_errors_as_they_are(readers: int) -> None:
    with Bar("encoding", 9) as bar:
        records = [record(i) for i in range(9)]
        found = list(module._watched(bar, module.read_ahead(module.Reading(records), range(3, 9), readers), 3))
        assert [each.key for each in found] == [f"key {i}" for i in range(3, 9)]
        assert all(np.array_equal(each.picture, records[i + 3].picture) for i, each in enumerate(found))
        assert bar.done == 9
        torn = Torn(records)
        taken = module._watched(bar, module.read_ahead(module.Reading(torn), range(9), readers), 0)
        torn.torn = True
        with pytest.raises(DataError, match="key 2: its file is torn; copy it again"):
            list(taken)
