"""`pinxit data encode` and `pinxit data verify`: pictures to a cache, its account, and what is wrong with one."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pinxit.data.cache import Cache
from pinxit.data.kind import Caption
from pinxit.data.original import SourceRules
from pinxit.data.records import import_records, read_records, write_records
from pinxit.data.source import read_source
from tests.cli.conftest import Answer
from tests.data.double import Codec, Words, content
from tests.data.test_cluster import in_turn
from tests.data.test_records import mixed

Run = Callable[..., Answer]


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Imported pictures; small stand-ins for both encoders."""
    monkeypatch.setattr("pinxit.models.autoencoder.load_autoencoder", lambda config, device: Codec())
    monkeypatch.setattr("pinxit.models.text.load_text", lambda config, device: Words())
    folder = tmp_path / "my records"
    import_records(read_source(mixed(tmp_path / "in")), folder, "in", SourceRules(), tokens=None, force=False)
    return folder


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_cache_is_encoded_and_the_next_command_finds_it_well(pinxit: Run, records: Path, tmp_path: Path) -> None:
    out = tmp_path / "my cache"
    first = pinxit("data", "encode", str(records), "--out", str(out), "--resolution", "32")
    assert first.status == 0
    assert first.out.splitlines()[-1] == f"next: pinxit data verify '{out}'"
    second = pinxit("data", "verify", str(out))
    assert second.status == 0
    assert re.fullmatch(r"\d+ pictures and \d+ captions, all well\n", second.out)


def test_without_out_it_lies_beside_the_records_and_new_captions_take_its_pictures(pinxit: Run, records: Path) -> None:
    words = ("data", "encode", str(records), "--resolution", "32")
    assert pinxit(*words).status == 0
    (first,) = records.with_name("my records.cache").iterdir()
    old = read_records(records)
    new = [replace(one, captions=(Caption("a new caption"),)) for one in old]
    write_records(new, records, "again", force=True)
    assert pinxit(*words, "--captions-only").status == 0
    (second,) = set(records.with_name("my records.cache").iterdir()) - {first}
    assert (second / "latent-00000.arrow").samefile(first / "latent-00000.arrow")
    assert len({Cache(second)[i].hashes for i in range(len(old))}) == 1


def test_a_cluster_encodes_into_the_cache_that_this_machine_would_make(
    pinxit: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = tmp_path / "my records"
    import_records(read_source(mixed(tmp_path / "in")), records, "in", SourceRules(), tokens=None, force=False)
    asked: list[str] = []
    monkeypatch.setattr("pinxit.data.cluster_encode.work_off", in_turn(asked))
    words = ("data", "encode", str(records), "--resolution", "32", "--device", "cpu")
    answer = pinxit(*words, "--engine", "ray")
    (cache,) = records.with_name("my records.cache").iterdir()
    assert (answer.status, asked) == (0, ["00000"])
    made = content(cache)
    assert pinxit(*words).status == 0
    assert content(cache) == made
    assert pinxit("data", "verify", str(cache)).status == 0
    assert pinxit(*words, "--out", str(tmp_path / "here")).status == 0
    assert content(tmp_path / "here") == made


def test_captions_alone_have_no_other_engine(pinxit: Run, records: Path) -> None:
    answer = pinxit("data", "encode", str(records), "--captions-only", "--engine", "ray")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "captions alone are encoded on one machine; leave out --engine, or --captions-only" in answer.err


def test_a_damaged_cache_is_one_line(pinxit: Run, records: Path, tmp_path: Path) -> None:
    out = tmp_path / "cache"
    assert pinxit("data", "encode", str(records), "--out", str(out), "--resolution", "32").status == 0
    shard = next(out.glob("latent-*.arrow"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    answer = pinxit("data", "verify", str(out))
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert shard.name in answer.err


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["encode", "nowhere", "--out", "cache"], 1, "nowhere"),
        (["encode"], 2, "RECORDS: it is missing"),
        (["encode", "nowhere", "--out", "cache", "--patch", "0"], 2, "--patch = '0': it should be greater than 0"),
        (["verify"], 2, "FOLDER: it is missing"),
        (["verify", "nowhere"], 1, "nowhere"),
        (["import", "nowhere", "--out", "records"], 1, "nowhere"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    pinxit: Run, workplace: None, words: list[str], status: int, line: str
) -> None:
    answer = pinxit("data", *words)
    assert (answer.status, answer.err.count("\n")) == (status, 1)
    assert answer.err.startswith(f"pinxit data {words[0]}: {line}")
