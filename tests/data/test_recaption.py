"""New captions leave pictures alone, take the place of the old ones, and are counted in their place."""

from pathlib import Path

import pytest

from pinxit.data.cache import Cache, caption_hash, read_manifest, shard_files, verify
from pinxit.data.encode import encode
from pinxit.data.recaption import recaption, recaption_beside
from pinxit.errors import DataError
from tests.data.double import FINGERPRINT, Codec, Words, account, content, mixed, record


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.data.encode.SHARD", 4)
    monkeypatch.setattr("pinxit.data.recaption.SHARD", 4)


def test_new_captions_encode_no_picture_and_replace_the_old(tmp_path: Path) -> None:
    encode([record(i) for i in range(6)], Codec(), Words(), tmp_path, FINGERPRINT)
    words = Words()
    cache = recaption([record(2, captions=("a blue fox", "fox"))], words, tmp_path)
    assert sorted(words.texts) == ["a blue fox", "fox"]
    identity = words.identity
    assert cache[2].hashes == (caption_hash("a blue fox", identity), caption_hash("fox", identity))
    assert len(cache[1].hashes) == 1
    assert len(cache) == 6
    assert verify(tmp_path) == []


def test_records_can_be_appended_after_new_captions(tmp_path: Path) -> None:
    encode([record(i) for i in range(4)], Codec(), Words(), tmp_path, FINGERPRINT)
    recaption([record(0, captions=("fox",))], Words(), tmp_path)
    cache = encode([record(i) for i in range(6)], Codec(), Words(), tmp_path, FINGERPRINT)
    assert cache.keys == [f"key {i}" for i in range(6)]
    assert cache[0].hashes == (caption_hash("fox", Words().identity),)


def test_captions_of_an_unknown_picture_are_refused_by_name(tmp_path: Path) -> None:
    encode([record(0)], Codec(), Words(), tmp_path, FINGERPRINT)
    with pytest.raises(DataError, match="no picture key 9"):
        recaption([record(9)], Words(), tmp_path)


def test_new_captions_pass_over_what_was_rejected_when_the_pictures_were_encoded(tmp_path: Path) -> None:
    cache = encode([*mixed(5), record(5, captions=("123",))], Codec(), Words(), tmp_path, FINGERPRINT)
    assert "key 4" not in cache.keys
    new = [record(i, captions=(f"fox {'y' * (i + 1)}",)) for i in range(6)]
    again = recaption(new, Words(), tmp_path)
    assert again.keys == cache.keys == [f"key {i}" for i in range(4)]
    assert again[3].hashes == (caption_hash("fox yyyy", Words().identity),)
    assert verify(tmp_path) == []
    with pytest.raises(DataError, match="no picture key 6"):
        recaption([*new, record(6)], Words(), tmp_path)


def test_new_captions_take_the_pictures_of_the_former_import_and_leave_its_cache_alone(tmp_path: Path) -> None:
    former, place = tmp_path / "former", tmp_path / "place"
    old = encode(mixed(6), Codec(), Words(), former, FINGERPRINT)
    encode(mixed(5), Codec(), Words(), tmp_path / "fewer", FINGERPRINT)
    encode(mixed(6), Codec(), Words(), tmp_path / "larger", FINGERPRINT.model_copy(update={"resolution": 96}))
    before, hashes = content(former), old[0].hashes
    new = [record(i, captions=("a blue fox",)) for i in range(6)]
    cache = recaption_beside(new, Words(), place, FINGERPRINT)
    assert cache.folder == place
    assert {cache[i].hashes for i in range(len(cache))} == {(caption_hash("a blue fox", Words().identity),)}
    assert shard_files(place, 0)["latent"].samefile(shard_files(former, 0)["latent"])
    assert content(former) == before
    assert Cache(former)[0].hashes == hashes
    assert verify(place) == []
    shards = len(read_manifest(place))
    recaption_beside(new, Words(), place, FINGERPRINT)
    assert len(read_manifest(place)) == shards + 2  # it went on from itself
    assert not list(tmp_path.glob(".*"))


def test_new_captions_without_a_former_cache_are_refused(tmp_path: Path) -> None:
    encode(mixed(5), Codec(), Words(), tmp_path / "fewer", FINGERPRINT)
    with pytest.raises(DataError, match=r"made of 6 records.*leave out --captions-only"):
        recaption_beside(mixed(6), Words(), tmp_path / "place", FINGERPRINT)


def test_counts_are_those_of_the_captions_that_hold(tmp_path: Path) -> None:
    encode(
        [record(i, captions=("one two three four five six seven",)) for i in range(6)],
        Codec(),
        Words(),
        tmp_path,
        FINGERPRINT,
    )
    assert (account(tmp_path)["captions"], account(tmp_path)["cut"]) == (6, 6)
    for _ in range(2):
        recaption([record(i, captions=("a fox", "123")) for i in range(6)], Words(), tmp_path)
        said = account(tmp_path)
        assert (said["captions"], said["cut"], said["emptied"], said["lost"]) == (12, 0, 6, [])
        assert (said["records"], said["used"]) == (6, 6)
    encode([record(i) for i in range(7)], Codec(), Words(), tmp_path, FINGERPRINT)
    assert account(tmp_path)["captions"] == 13
