"""A world of three facts: answers are right in some of them, and the judge counts how many."""

import random
from collections.abc import Sequence
from functools import cache

from pinxit.improve.pair import Pair
from pinxit.improve.sequence import spoken
from pinxit.models.config import SmallLanguageConfig
from pinxit.models.decoder import build_decoder
from pinxit.models.language import CausalLanguage

SLOTS = (("red", "blue", "green"), ("cat", "dog", "owl"), ("house", "tree", "lake"))
CONFIG = SmallLanguageConfig(depth=2, width=64, heads=2, length=64)


def say(facts: Sequence[str]) -> str:
    """A sentence that tells facts; an empty one is left out."""
    return " ".join("a {} {} at the {}".format(*facts).split()) + "."


def ask(facts: Sequence[str]) -> str:
    return " ".join(facts)


def judge(prompt: str, answer: str) -> float:
    """How many facts are told, and told right."""
    words = answer.rstrip(".").split()
    told = [[word for word in words if word in slot] for slot in SLOTS]
    return float(sum(found == [fact] for fact, found in zip(prompt.split(), told, strict=True)))


@cache
def pairs(count: int = 400, seed: int = 0) -> tuple[Pair, ...]:
    """Every other better answer misses or mistakes a fact, worse ones do so with one or two more."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        facts = [chance.choice(slot) for slot in SLOTS]
        first = chance.randrange(2)
        order, answers = chance.sample(range(3), 3), []
        for errors in (first, first + chance.choice((1, 2))):
            told = list(facts)
            for place in order[:errors]:
                told[place] = chance.choice([word for word in (*SLOTS[place], "") if word != facts[place]])
            answers.append(say(told))
        made.append(Pair(ask(facts), *answers, f"row {number}"))
    return tuple(pair for pair in made if pair.better != pair.worse)


def decoder(seed: int = 0, *, loud: float = 1.0) -> CausalLanguage:
    """Untrained; where it is loud it says something else to each."""
    language = build_decoder(CONFIG, spoken(pairs()), seed)
    for parameter in language.parameters():
        parameter.data.mul_(loud)
    return language
