"""The synthetic set: the judge agrees with every pair, none is perfect, and exams hold what training does not."""

import json
from collections import Counter
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from pinxit.data.telling import Telling, read, ways
from pinxit.errors import DataError
from pinxit.evaluate.telling import count_facts, judge
from pinxit.improve.config import PairsConfig
from pinxit.improve.pair import read_pairs
from pinxit.models.decoder import learn_words
from pinxit.recipes import preference
from pinxit.recipes.brief import FEWEST, Brief, Kind, World, briefs, read_world, write_pairs
from pinxit.recipes.preference import source_of

from .world import WORLD

KINDS: tuple[Kind, ...] = ("known", "combination", "concept")


def some(kind: Kind, count: int = 100, world: World = WORLD, seed: int = 0) -> list[Brief]:
    return list(islice(briefs(world, seed, kind), count))


@pytest.mark.parametrize("kind", KINDS)
def test_the_judge_agrees_and_no_answer_is_perfect(kind: Kind) -> None:
    for brief in some(kind):
        better, worse = (judge(brief.facts, text) for text in (brief.better, brief.worse))
        assert worse.score < better.score < 1
        assert not better.is_broken
        assert count_facts(brief.facts) >= FEWEST
        assert judge(brief.facts, brief.prompt).is_broken  # a copied prompt is no answer


def test_one_worse_answer_in_four_is_broken() -> None:
    found = some("known", 800)
    broken = [brief for brief in found if judge(brief.facts, brief.worse).is_broken]
    assert 150 < len(broken) < 250
    ways = Counter(
        "copied" if brief.worse == brief.prompt else "a choice" if " or " in brief.worse else "else" for brief in broken
    )
    assert min(ways.values()) > 5
    assert any(brief.worse.startswith(text) for brief in broken for text in all_right(brief))  # a right one, and more


def all_right(brief: Brief) -> list[str]:
    """The captions that tell what is stated and nothing else, where a caption can."""
    return [text for text in ways(brief.facts) if judge(brief.facts, text).score == 1] if is_whole(brief.facts) else []


def is_whole(facts: Telling) -> bool:
    return bool(facts.background) and all(thing.style for thing in facts.things)


@pytest.mark.parametrize(("flawless", "least", "most"), [(0.0, 0, 0), (0.8, 280, 360), (1.0, 400, 400)])
def test_a_share_of_the_better_answers_is_without_an_error(flawless: float, least: int, most: int) -> None:
    found = list(islice(briefs(WORLD, 0, "known", flawless), 400))
    assert least <= sum(judge(brief.facts, brief.better).score == 1 for brief in found) <= most
    assert all(judge(brief.facts, brief.worse).score < judge(brief.facts, brief.better).score for brief in found)


def test_exams_hold_what_training_does_not() -> None:
    assert WORLD.kept
    assert WORLD.kept.isdisjoint(WORLD.known)
    words = {word for concept in WORLD.known for word in concept.split()}
    assert all(words.issuperset(concept.split()) for concept in WORLD.kept)
    for kind in KINDS:
        briefs_of_kind = some(kind)
        assert {WORLD.kind(brief.facts) for brief in briefs_of_kind} <= {kind, "known", "combination"}
        concepts = {thing.concept for brief in briefs_of_kind for thing in brief.facts.things}
        assert bool(WORLD.kept & concepts) == (kind == "concept")
    for brief in some("known"):
        for text in (brief.better, brief.worse):
            told = read(text)
            assert told is not None or text == brief.worse
            if told is None:
                continue
            assert WORLD.kept.isdisjoint(thing.concept for thing in told.things)


def test_prompts_are_lists_or_as_people_type() -> None:
    prompts = [brief.prompt for brief in some("known", 400)]
    forms = Counter("; " in prompt for prompt in prompts)
    assert min(forms.values()) > 120
    typed = " | ".join(prompt for prompt in prompts if "; " not in prompt)
    assert "," not in typed
    assert "fire truck" in WORLD.typed["fire engine"]
    assert any(pair in typed for pair in WORLD.typed["fire engine"])


def test_a_set_is_a_function_of_its_seed_and_can_be_read(tmp_path: Path) -> None:
    files = [
        write_pairs(tmp_path / name, WORLD, 60, seed) for name, seed in (("a.jsonl", 0), ("b.jsonl", 0), ("c.jsonl", 1))
    ]
    first, again, other = (file.read_text() for file in files)
    assert first == again != other
    assert len(read_pairs(files[0]).pairs) == 60
    assert json.loads(first.splitlines()[0]).keys() == {"prompt", "chosen", "rejected"}


def test_the_real_set_fits_a_small_decoder() -> None:
    try:
        world = read_world()
    except DataError:
        pytest.skip("the emoji art is not there: pinxit data emoji")
    assert len(world.known) > 1000
    assert len(world.kept) > 50
    known = some("known", 400, world)
    texts = [text for brief in known for text in (brief.prompt, brief.better, brief.worse)]
    words = learn_words(texts, 2000)
    assert words.get_vocab_size() < 2000
    for brief in [*known, *some("concept", 40, world)]:
        assert all(len(words.encode(text).ids) <= 48 for text in (brief.better, brief.worse))


def test_a_run_writes_the_set_into_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preference, "read_world", lambda: WORLD)
    monkeypatch.setattr(preference, "write_pairs", partial(write_pairs, count=20))
    place = source_of(PairsConfig(source="scenes"), tmp_path)
    assert place == tmp_path / "scenes.jsonl"
    assert len(read_pairs(tmp_path / "scenes.jsonl").pairs) == 20
