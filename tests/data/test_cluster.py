"""Work on a cluster: its outputs are those of one process, its blocks are done once, its errors come home in words.

What needs Ray is skipped where it is not installed; stops are tried without it, with blocks done by this process.
"""

import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pinxit.data import cluster, cluster_caption, cluster_encode
from pinxit.data.cache import Cache, is_complete, verify
from pinxit.data.caption import ask, caption, place_beside
from pinxit.data.captioner import LocalCaptioner, identify_model
from pinxit.data.cluster import Opening, Rows, Work, file_of, left_over, work_off, write_rows
from pinxit.data.cluster_caption import Captioning, ClusterCaptioner
from pinxit.data.cluster_encode import Encoding, encode_on_cluster
from pinxit.data.config import Fingerprint
from pinxit.data.encode import encode
from pinxit.data.kind import Caption, Record
from pinxit.data.records import Records, read_records, write_records
from pinxit.errors import ConfigError, DataError, MissingExtra, PinxitError
from pinxit.models.autoencoder import load_autoencoder
from pinxit.models.config import MiniLMConfig, SmallCodecConfig
from pinxit.models.device import choose_device
from pinxit.models.identity import identify_autoencoder
from pinxit.models.text import identify_text, load_text
from tests.data.double import content
from tests.data.vision import IDENTITY, drawn, make_model, write

CPU = choose_device("cpu")
CAPTIONS = (["a fox"], [], ["an owl", "a bird"], ["a hill"], [], ["us"], ["a red fox"])


OF_ITSELF = pytest.mark.filterwarnings("ignore:.use_[a-z0-9_]+. is deprecated:DeprecationWarning")  # in Ray's settings


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """A cluster of this machine, kept for all tests."""
    module = pytest.importorskip("ray", reason="Ray is not installed: pip install 'pinxit[ray]'")
    with cluster._cluster():
        yield
    assert not module.is_initialized()


def in_turn(asked: list[str], most: int = 10**9) -> Callable[..., Generator[str, None, None]]:
    """In place of `work_off`: blocks are done by this process, the last one first, and noted; at most so many."""

    def work(
        blocks: Mapping[str, Sequence[int]], opening: Opening, spool: Path, device: str
    ) -> Generator[str, None, None]:
        spool.mkdir(parents=True, exist_ok=True)
        for count, (name, places) in enumerate(reversed(blocks.items())):
            if count == most:
                raise KeyboardInterrupt
            asked.append(name)
            write_rows(file_of(spool, name), opening("cpu" if device == "auto" else device)(name, places))
            yield name

    return work


# captions


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny"))


def captioners(records: Records, model: Path) -> tuple[LocalCaptioner, ClusterCaptioner]:
    identity = IDENTITY.model_copy(update={"source": identify_model(model)})
    captioning = Captioning(records.folder.resolve(), model, identity, 2, "full")
    spool = place_beside(records.folder) / "blocks"
    return LocalCaptioner(model, identity, CPU, 2, "full"), ClusterCaptioner(records, captioning, spool, "cpu")


@OF_ITSELF
def test_captions_of_a_cluster_are_those_of_one_process(
    ray: None, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_caption, "BLOCK", 3)
    one, other = (read_records(write(tmp_path / name, CAPTIONS)) for name in ("one", "other"))
    local, many = captioners(one, model)[0], captioners(other, model)[1]
    said = caption(one, local, place_beside(one.folder), 0.5)
    assert caption(other, many, place_beside(other.folder), 0.5) == said
    assert said.now == 7 - said.failed > 0
    assert list(read_records(other.folder).wordings()) == list(read_records(one.folder).wordings())
    assert not (place_beside(other.folder) / "blocks").exists()


def test_blocks_that_a_stop_left_are_taken_first_and_not_done_again(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = read_records(write(tmp_path / "own", CAPTIONS))
    local, many = captioners(records, model)
    asked: list[str] = []
    monkeypatch.setattr(cluster_caption, "BLOCK", 2)
    monkeypatch.setattr(cluster_caption, "work_off", in_turn(asked))
    with pytest.raises(KeyboardInterrupt):
        for count, answer in enumerate(many.answer(ask(records, range(7), IDENTITY))):
            if count == 1:  # of the last block's only picture and the first of the block before, one was not taken
                raise KeyboardInterrupt
            assert answer.question.place == 6
    assert len(left_over(many.spool)) == 1
    asked.clear()
    rest = list(many.answer(ask(records, [0, 1, 2, 3, 4, 5], IDENTITY)))
    assert [answer.question.place for answer in rest] == [4, 5, 2, 3, 0, 1]
    assert len(asked) == 2
    alone = {answer.question.place: answer.text for answer in local.answer(ask(records, range(7), IDENTITY))}
    assert {answer.question.place: answer.text for answer in rest} == {place: alone[place] for place in range(6)}
    assert not many.spool.exists()


def test_a_block_of_other_pictures_is_thrown_away(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = read_records(write(tmp_path / "own", CAPTIONS[:2]))
    _, many = captioners(records, model)
    many.spool.mkdir(parents=True)
    rows: Rows = [{"place": 1, "text": "of another import", "problem": "", "cut": False}]
    write_rows(file_of(many.spool, "0000000001-0123456789abcdef"), rows)
    asked: list[str] = []
    monkeypatch.setattr(cluster_caption, "work_off", in_turn(asked))
    said = list(many.answer(ask(records, range(2), IDENTITY)))
    assert len(asked) == 1
    assert all(answer.text != "of another import" for answer in said)


# features


def records_of(folder: Path, texts: Sequence[str]) -> Records:
    made = [Record(f"{i}.png", drawn(i, 40 + i, 48), (Caption(text),)) for i, text in enumerate(texts)]
    write_records(made, folder, "drawn")
    return read_records(folder)


def encoding(records: Records, folder: Path) -> Encoding:
    autoencoder = identify_autoencoder(SmallCodecConfig())
    fingerprint = Fingerprint(
        autoencoder=autoencoder, text=identify_text(MiniLMConfig()), resolution=32, buckets=True, multiple=16
    )
    return Encoding(records.folder, folder, fingerprint, SmallCodecConfig(), MiniLMConfig())


def encode_here(records: Records, folder: Path) -> Cache:
    made = encoding(records, folder).fingerprint
    text = load_text(MiniLMConfig(), device=CPU)
    return encode(records, load_autoencoder(SmallCodecConfig(), CPU), text, folder, made)


@pytest.fixture
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.data.encode.SHARD", 4)


@OF_ITSELF
@pytest.mark.usefixtures("_small_shards")
def test_the_cache_of_a_cluster_is_that_of_one_process_to_the_last_bit(ray: None, tmp_path: Path) -> None:
    records = records_of(tmp_path / "own", [f"picture {'x' * i}" for i in range(11)])
    encode_here(records, tmp_path / "one")
    encode_on_cluster(records, encoding(records, tmp_path / "many"), "cpu")
    assert content(tmp_path / "many") == content(tmp_path / "one")
    assert len(list((tmp_path / "many").glob("latent-*.arrow"))) == 3


@pytest.mark.usefixtures("_small_shards")
def test_a_stopped_one_goes_on_at_the_block_and_ends_as_a_straight_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = records_of(tmp_path / "own", [f"picture {'x' * i}" for i in range(11)])
    encode_here(records, tmp_path / "one")
    asked: list[str] = []
    monkeypatch.setattr(cluster_encode, "work_off", in_turn(asked, 2))
    with pytest.raises(KeyboardInterrupt):
        encode_on_cluster(records, encoding(records, tmp_path / "many"), "cpu")
    assert not (tmp_path / "many" / "manifest.jsonl").exists()  # the first block is not done
    assert not is_complete(tmp_path / "many")
    assert asked == ["00002", "00001"]
    shutil.copytree(tmp_path / "many", tmp_path / "torn")
    encode_on_cluster(records, encoding(records, tmp_path / "many"), "cpu")
    assert asked == ["00002", "00001", "00000"]
    assert content(tmp_path / "many") == content(tmp_path / "one")
    rows = [{"line": '{"first": "another.png", "records": 4}'}]
    write_rows(file_of(tmp_path / "torn" / "blocks", "00001"), rows)
    encode_on_cluster(records, encoding(records, tmp_path / "torn"), "cpu")
    assert asked[3:] == ["00001", "00000"]
    assert content(tmp_path / "torn") == content(tmp_path / "one")


@pytest.mark.usefixtures("_small_shards")
def test_captions_that_repeat_are_encoded_by_each_block_and_read_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["a fox", "an owl", "a hill", "a tree", "a fox", "two foxes", "", "a fox"]
    records = records_of(tmp_path / "own", texts)
    one = encode_here(records, tmp_path / "one")
    monkeypatch.setattr(cluster_encode, "work_off", in_turn([]))
    many = encode_on_cluster(records, encoding(records, tmp_path / "many"), "cpu")
    assert verify(tmp_path / "many") == []
    assert (many.keys, set(many.captions)) == (one.keys, set(one.captions))
    for place in range(len(one)):
        assert many[place].hashes == one[place].hashes
        assert np.array_equal(many[place].mean, one[place].mean)
    for name in one.captions:
        np.testing.assert_allclose(many.caption(name), one.caption(name), atol=2e-3)
    more = records_of(tmp_path / "own more", [*texts, "a cat", "a fox"])
    grown = encode_on_cluster(more, encoding(more, tmp_path / "many"), "cpu")
    assert grown.keys == [key for key in more.keys if key != "6.png"]


def test_a_worker_with_other_encoders_is_refused(tmp_path: Path) -> None:
    made = encoding(records_of(tmp_path / "own", ["a fox"]), tmp_path / "cache")
    other = made.fingerprint.text.model_copy(update={"sha256": "0" * 64})
    changed = replace(made, fingerprint=made.fingerprint.model_copy(update={"text": other}))
    with pytest.raises(DataError, match="a worker has other encoders than the machine that asked it"):
        changed("cpu")


# the cluster itself


def refuse(device: str) -> Work:
    raise DataError("the model", f"it cannot be opened on {device}", "copy it there")


@OF_ITSELF
def test_what_a_worker_cannot_do_comes_home_in_words(ray: None, tmp_path: Path) -> None:
    with pytest.raises(PinxitError, match=r"^the model: it cannot be opened on cpu; copy it there$"):
        list(work_off({"a": [0], "b": [1, 2]}, refuse, tmp_path, "auto"))
    with pytest.raises(ConfigError, match="device = 'cuda': the cluster has no GPU; say auto, or cpu"):
        list(work_off({"a": [0]}, refuse, tmp_path, "cuda"))


def test_without_ray_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.models.package.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"working on a cluster needs ray, .* -m pip install 'ray\[data\]"):
        list(work_off({"a": [0]}, refuse, tmp_path, "cpu"))


def test_rows_are_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    write_rows(file_of(tmp_path, "b"), [{"line": "x", "places": 3}, {"line": "y", "places": 4}])
    (tmp_path / ".a.parquet.part").write_bytes(b"torn")
    (file,) = left_over(tmp_path)
    assert cluster.read_rows(file) == [{"line": "x", "places": 3}, {"line": "y", "places": 4}]
