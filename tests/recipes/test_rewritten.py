"""Sparse captions rewritten by an improver: each text once, nothing else touched, a cache of its own."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pinxit.data.kind import Caption, Record
from pinxit.improve.refine import Improver
from pinxit.recipes.emoji import smallest
from pinxit.recipes.material import cache_folder
from pinxit.recipes.recipe import EmojiDataConfig
from pinxit.recipes.rewritten import Rewritten
from pinxit.recipes.work import caption_tokens
from tests.data.double import record
from tests.improve.test_folder import save

TEXTS = ("red dog tree", "green cat lake", "red dog tree", "dog", "red " * 50)
LEFT = (3, 4)  # to the one there is no answer, the other is longer than what is read


@pytest.fixture
def improver(tmp_path: Path) -> Path:
    save(tmp_path / "improver", with_policy=True)
    return tmp_path / "improver"


def records() -> list[Record]:
    return [
        Record(f"key {place}", record(place).picture, (Caption("a red cat.", "dense", 0.0), Caption(text, "sparse")))
        for place, text in enumerate(TEXTS)
    ]


def test_sparse_captions_become_the_improver_s_and_nothing_else_moves(
    improver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    whole = Improver.trace

    def counting(self: Improver, prompts: Sequence[str], answers: Sequence[str]) -> object:
        asked.extend(prompts)
        return whole(self, prompts, answers)

    monkeypatch.setattr(Improver, "trace", counting)
    new = Rewritten(records(), improver)
    assert sorted(asked) == ["dog", "green cat lake", "red dog tree"]
    monkeypatch.undo()
    assert len(new) == len(TEXTS)
    better = Improver.load(improver)
    assert not better("dog")
    for place, (before, text) in enumerate(zip(records(), TEXTS, strict=True)):
        dense, sparse = new[place].captions
        assert (new[place].key, dense) == (before.key, before.captions[0])
        assert (new[place].picture == before.picture).all()
        assert sparse == Caption(text if place in LEFT else better(text), "sparse")
    assert new[0].captions[1].text != TEXTS[0]


def test_another_improver_is_another_cache_and_none_is_the_one_that_was(improver: Path, tmp_path: Path) -> None:
    recipe = smallest()
    stage = recipe.stages["alignment"]
    assert isinstance(stage.data, EmojiDataConfig)
    improved = stage.model_copy(update={"data": stage.data.model_copy(update={"improver": str(improver)})})
    first, plain = (cache_folder(recipe, each, tmp_path) for each in (improved, stage))
    assert first != plain
    assert cache_folder(recipe, improved, tmp_path) == first
    save(improver, with_policy=True, half=True)
    assert cache_folder(recipe, improved, tmp_path) != first
    assert cache_folder(recipe, stage, tmp_path) == plain


def test_improved_captions_are_counted_longer_than_sparse_ones() -> None:
    recipe = smallest()
    stage = recipe.stages["alignment"]
    counts = []
    for changes in ({"sparse": 1.0}, {"sparse": 1.0, "improver": "an improver"}, {"sparse": 0.0}):
        data = stage.data.model_copy(update=changes)
        counts.append(caption_tokens(recipe, stage.model_copy(update={"data": data}), is_padded=False))
    assert counts == sorted(set(counts))
