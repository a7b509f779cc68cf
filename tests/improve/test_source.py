"""Rows of a hub's data set: asked for as it is named, read split by split, one error where it cannot be had."""

from pathlib import Path

import datasets
import pytest

from pinxit.errors import DataError
from pinxit.improve.config import PairsConfig
from pinxit.improve.pair import read_pairs
from pinxit.improve.source import Hub, read_rows
from pinxit.recipes.preference import source_of

HUB = Hub("owner/preferences", "comparisons", "refs/convert/parquet")


def test_all_splits_of_a_hubs_set_are_read_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(name: str, **how: object) -> dict[str, list[dict[str, str]]]:
        asked.append((name, how))
        row = {"chosen": "\n\nHuman: red?\n\nAssistant: an apple", "rejected": "\n\nHuman: red?\n\nAssistant: a pear"}
        return {"train": [row], "test": [row]}

    monkeypatch.setattr(datasets, "load_dataset", load)
    reading = read_pairs(HUB)
    assert asked == [
        ("owner/preferences", {"data_dir": "comparisons", "revision": "refs/convert/parquet", "streaming": True})
    ]
    assert [pair.place for pair in reading.pairs] == ["owner/preferences/train#0", "owner/preferences/test#0"]
    assert reading.pairs[0].better == "an apple"
    assert reading.source == "hub:owner/preferences"


def test_a_set_that_cannot_be_fetched_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, **how: object) -> None:
        raise ConnectionError("Couldn't reach\n the hub")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(
        DataError, match=r"hub:owner/preferences: `datasets` cannot read it \(Couldn't reach the hub\); it"
    ):
        list(read_rows(HUB))


def test_a_source_is_a_hubs_only_where_it_says_so() -> None:
    assert source_of(PairsConfig(source="owner/preferences"), Path()) == Path("owner/preferences")
    assert source_of(PairsConfig(source="hub:owner/preferences"), Path()) == Hub("owner/preferences")
