import json
import subprocess
import sys
from pathlib import Path

import pytest

from pinxit.data.cache import Cache, cache_beside, open_cache, shard_files, verify, write_shard, write_table
from pinxit.data.encode import encode
from pinxit.data.records import write_records
from pinxit.errors import DataError
from tests.data.double import FINGERPRINT, Codec, Words, record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    encode([record(i) for i in range(6)], Codec(), Words(), tmp_path, FINGERPRINT)
    return tmp_path


def test_a_sound_cache_has_no_faults(folder: Path) -> None:
    assert verify(folder) == []


def test_one_changed_byte_is_found_and_its_shard_named(folder: Path) -> None:
    file = shard_files(folder, 0)["latent"]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert any("latent-00000.arrow" in fault for fault in verify(folder))


def test_a_missing_table_is_found(folder: Path) -> None:
    shard_files(folder, 0)["caption"].unlink()
    assert verify(folder) == ["caption-00000.arrow: it is missing"]


def test_a_number_that_is_not_finite_is_found_though_the_sums_agree(folder: Path) -> None:
    row = {"key": "bad", "label": -1, "size": [64, 64], "shape": [1, 1, 1], "mean": b"\x00\x7e", "std": b"\x00\x00"}
    wording = {"key": "bad", "hashes": [], "weights": []}
    account = {"records": 1, "used": 1, "first": "bad"}
    write_shard(folder, 1, {"latent": [row], "wording": [wording], "caption": []}, account)
    assert verify(folder) == ["latent-00001.arrow: mean of bad is not finite"]


def test_a_caption_without_states_is_found(folder: Path) -> None:
    write_shard(
        folder, 1,
        {"latent": [], "wording": [{"key": "key 0", "hashes": ["nowhere"], "weights": [1.0]}], "caption": []},
        {"records": 0, "used": 0, "first": None},
    )  # fmt: skip
    assert any("key 0" in fault and "nowhere" in fault for fault in verify(folder))


@pytest.mark.parametrize(
    ("field", "value"), [("resolution", 128), ("dtype", "float32"), ("buckets", False), ("multiple", 8)]
)
def test_another_fingerprint_is_refused_and_the_field_named(folder: Path, field: str, value: object) -> None:
    with pytest.raises(DataError, match=field):
        open_cache(folder, FINGERPRINT.model_copy(update={field: value}))


def test_another_text_encoder_is_refused_by_name(folder: Path) -> None:
    other = FINGERPRINT.text.model_copy(update={"length": 77, "cleaning": "none"})
    with pytest.raises(DataError, match=r"text\.length is 6 .* 77.*text\.cleaning"):
        open_cache(folder, FINGERPRINT.model_copy(update={"text": other}))


def test_a_folder_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fingerprint\.json"):
        Cache(tmp_path)


def test_opening_many_shards_copies_nothing_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    monkeypatch.setattr("pinxit.data.encode.SHARD", 8)
    big = FINGERPRINT.model_copy(update={"resolution": 256})
    encode([record(i, (256, 256)) for i in range(48)], Codec(), Words(), tmp_path, big)
    on_disk = sum(file.stat().st_size for file in tmp_path.glob("latent-*"))
    before = pa.total_allocated_bytes()
    cache = Cache(tmp_path)
    assert len(cache) == 48
    assert pa.total_allocated_bytes() - before < on_disk / 4


def test_a_table_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def rows() -> object:
        yield {"hash": "a", "shape": [1], "states": b"00"}
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        write_table(tmp_path / "caption-00000.arrow", "caption", rows())  # type: ignore[arg-type]
    assert not (tmp_path / "caption-00000.arrow").exists()


def test_reading_a_complete_cache_needs_no_encoder(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pinxit.data.cache import Cache\n"
        "from pinxit.data.loader import CacheLoader, FromDisk, plan\n"
        f"cache = Cache(Path({str(folder)!r})); CacheLoader(FromDisk(cache, 0), plan(cache, 2), 0).step_at(0)\n"
        "bad = {'diffusers', 'transformers', 'pinxit.models.autoencoder', 'pinxit.data.encode'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(bad)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr.strip() == ""
    )


def test_the_place_beside_records_changes_with_import_and_fingerprint_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    write_records([record(0), record(1)], folder, "drawn")
    place = cache_beside(folder, FINGERPRINT)
    assert place.parent == tmp_path / "own.cache"
    assert cache_beside(tmp_path / "x" / ".." / "own", FINGERPRINT) == place
    assert cache_beside(folder, FINGERPRINT.model_copy(update={"resolution": 96})) != place
    write_records([record(0), record(2)], folder, "drawn", force=True)
    assert cache_beside(folder, FINGERPRINT) != place
    write_records([record(0), record(1)], folder, "drawn", force=True)
    assert cache_beside(folder, FINGERPRINT) == place


def test_no_class_is_no_class(tmp_path: Path) -> None:
    assert encode([record(0)], Codec(), Words(), tmp_path / "none", FINGERPRINT).classes == 0
    assert encode([record(0, label=0)], Codec(), Words(), tmp_path / "one", FINGERPRINT).classes == 1


def test_the_manifest_holds_the_account_of_its_shard(folder: Path) -> None:
    line = json.loads((folder / "manifest.jsonl").read_text())
    assert (line["records"], line["used"], line["first"]) == (6, 6, "key 0")


def test_a_cache_that_is_not_finished_is_not_well(tmp_path: Path) -> None:
    encode([record(i) for i in range(3)], Codec(), Words(), tmp_path, FINGERPRINT)
    (tmp_path / "encode.json").unlink()
    assert verify(tmp_path) == [f"{tmp_path}: it is not finished, 3 records are encoded"]
