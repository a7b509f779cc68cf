"""A synthetic set of preferences whose answers can be judged exactly: facts of a scene, and captions that tell them.

A prompt states facts of one emoji thing or two, as a list of all ("owl, 3D; left of fire engine, flat; light blue
background") or as people type them, some left out ("owl fire truck blue"). Its answers are captions in the grammar of
`data/telling.py`. Neither is perfect, by this rule:

- what the prompt does not state is filled in at random;
- of n facts stated the better answer has 1 to n / 2 errors, the worse one or two more; an error is a fact that another
  value stands for, or half of the times, where the grammar allows it, one that is left out;
- such answers are drawn until the judge agrees that one is better, and that neither is perfect: an answer with errors
  in both things may by chance tell them the other way round;
- one worse answer in four is broken instead, be its facts right: words twice, alternatives, the prompt or facts of it
  put behind, the prompt itself, words missing. Else no reward learns that such is worse, and reinforcement finds it.

So imitation alone reaches no top, and improving has to be learned from preferences: what a study of them needs. Who
wants a good improver can have a share of the better answers without an error.

Exams are of prompts that training cannot hold: with a concept whose words it knows from others alone, or with a pair of
concepts, or a concept on a background, that never stand together there.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from pinxit.data.emoji import DEFAULT_STYLES, read_words
from pinxit.data.palette import PALETTE, STYLE_WORDS
from pinxit.data.split import place
from pinxit.data.telling import PLACES, SIZES, TURNED, Telling, Thing, is_sayable, ways
from pinxit.evaluate.telling import SIDEWAYS, count_facts, judge
from pinxit.rng import numpy_at

Kind = Literal["known", "combination", "concept"]  # what is new in a prompt: nothing, a combination, a concept
Slot = tuple[str, int]  # its name, and of which thing
OF_THINGS = ("concept", "style", "size")  # the slots of a thing; the others are of the whole

PAIRS = 192_000
KEPT_CONCEPTS, KEPT_COMBINATIONS = 0.25, 0.1  # of concepts of others' words, and of combinations: for exams alone
SAME_STYLE = 0.7
FEWEST = 3  # facts that a prompt states
BROKEN = 0.25  # of the worse answers
RELATIONS = tuple(name for name in TURNED if name != "beside")
SHORT: Mapping[str, str] = {"light blue": "blue", "light green": "green", "dark grey": "grey"}

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """Concepts, the styles that drew each, and the keywords by which it is typed in place of its name."""

    drawn: Mapping[str, tuple[str, ...]]
    typed: Mapping[str, tuple[str, ...]]

    @cached_property
    def kept(self) -> frozenset[str]:
        """Concepts for exams alone: all their words are those of others too."""
        words = Counter(word for concept in self.drawn for word in concept.split())
        return frozenset(
            concept
            for concept in self.drawn
            if all(words[word] > 1 for word in concept.split()) and place(f"kept/{concept}") < KEPT_CONCEPTS
        )

    @cached_property
    def known(self) -> tuple[str, ...]:
        """The other concepts."""
        return tuple(concept for concept in self.drawn if concept not in self.kept)

    def kind(self, facts: Telling) -> Kind:
        """What is new in some facts to who has seen the training set."""
        concepts = sorted(thing.concept for thing in facts.things)
        if self.kept.intersection(concepts):
            return "concept"
        together = [concepts, *([concept, facts.background] for concept in concepts if len(concepts) == 1)]
        is_kept = any(len(both) == 2 and place(f"kept/{'+'.join(both)}") < KEPT_COMBINATIONS for both in together)
        return "combination" if is_kept else "known"


@dataclass(frozen=True)
class Brief:
    """A prompt, the facts that it states, two captions, the first of which tells more, and what is new in it."""

    prompt: str
    facts: Telling
    better: str
    worse: str
    kind: Kind


def read_world() -> World:
    """The concepts of the prepared art whose names can be told from the grammar; DataError where there is none."""
    drawn, keywords = dict[str, tuple[str, ...]](), dict[str, tuple[str, ...]]()
    for concept, style, words in read_words(DEFAULT_STYLES):
        if is_sayable(concept):
            drawn[concept] = (*drawn.get(concept, ()), style)
            keywords[concept] = words
    return World(drawn, type_concepts(keywords))


def type_concepts(keywords: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """For each concept the pairs of its keywords that name no other one, both of them words of names: "fire truck"."""
    known = {word for concept in keywords for word in concept.split()}
    pairs = {
        concept: [" ".join(both) for both in combinations([word for word in words if word in known], 2)]
        for concept, words in keywords.items()
    }
    count = Counter(pair for some in pairs.values() for pair in some)
    return {
        concept: tuple(pair for pair in some if count[pair] == 1 and is_sayable(pair) and pair not in keywords)
        for concept, some in pairs.items()
    }


def briefs(world: World, seed: int, kind: Kind, flawless: float = 0.0) -> Iterator[Brief]:
    """The set of a seed, brief by brief without an end; each follows from seed and place alone.

    `flawless` is the share of better answers without an error.
    """
    index = 0
    while True:
        rng = numpy_at(seed, f"brief/{kind}/{index}")
        index += 1
        scene = draw_scene(world, rng, kind)
        if world.kind(scene) == kind:
            stated = scene if rng.random() < 0.5 else leave_out(scene, rng)
            is_list = stated is scene
            prompt = as_list(stated) if is_list else as_typed(stated, world, rng)
            better, worse = two_answers(stated, world, rng, flawless)
            if rng.random() < BROKEN:
                worse = break_up(stated, prompt, world, rng)
            yield Brief(prompt, stated, better, worse, kind)


def write_pairs(file: Path, world: World, count: int = PAIRS, seed: int = 0, flawless: float = 0.0) -> Path:
    """The file holds so many pairs for training, as JSON lines that `pinxit improve train` reads."""
    rows = (
        json.dumps({"prompt": brief.prompt, "chosen": brief.better, "rejected": brief.worse})
        for brief, _ in zip(briefs(world, seed, "known", flawless), range(count), strict=False)
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return part.rename(file)


def draw_scene(world: World, rng: np.random.Generator, kind: Kind) -> Telling:
    """All that can be told of one thing or two; at least one of a kept concept where that is the kind."""
    first = pick(sorted(world.kept) if kind == "concept" else world.known, rng)
    concepts = [first]
    if rng.random() < 0.5:
        concepts.append(pick([concept for concept in world.known if concept != first], rng))
    sizes = pick((("", ""), SIZES, SIZES[::-1]), rng) if len(concepts) == 2 else (pick(("", *SIZES), rng),)
    styles = draw_styles(concepts, world, rng)
    things = tuple(Thing(*each) for each in zip(concepts, styles, sizes, strict=True))
    background = pick(tuple(PALETTE), rng)
    if len(things) == 1:
        return Telling(things, background, where=pick(PLACES, rng))
    told = Telling(things, background, relation=pick(RELATIONS, rng))
    return told if rng.random() < 0.5 else told.turned()


def draw_styles(concepts: Sequence[str], world: World, rng: np.random.Generator) -> list[str]:
    """A style that drew each, mostly one and the same."""
    styles = [pick(world.drawn[concept], rng) for concept in concepts]
    if rng.random() < SAME_STYLE and all(styles[0] in world.drawn[concept] for concept in concepts):
        return [styles[0]] * len(concepts)
    return styles


def leave_out(scene: Telling, rng: np.random.Generator) -> Telling:
    """The scene as one who types states it: what it is, and about half of the rest."""
    while True:
        keep = rng.random(5) < (0.5, 0.4, 0.7, 0.5, 0.5)
        style, size, background, where, relation = (bool(each) for each in keep)
        things = tuple(Thing(t.concept, t.style if style else "", t.size if size else "") for t in scene.things)
        stated = Telling(
            things, scene.background * background, scene.where * where, scene.relation * relation
        )  # fmt: skip
        if count_facts(stated) >= FEWEST:
            return stated


def as_list(facts: Telling) -> str:
    """Facts as a list that names them all, in one order."""
    things = [
        ", ".join(filter(None, (t.concept, STYLE_WORDS[t.style], t.size, facts.where))) for t in facts.things
    ]  # fmt: skip
    return f"{f'; {facts.relation} '.join(things)}; {facts.background} background"


def as_typed(facts: Telling, world: World, rng: np.random.Generator) -> str:
    """Facts as people type them: words without signs, the background's colour at either end."""
    styles = [thing.style for thing in facts.things]
    once = len(styles) == 2 and styles[0] == styles[1]  # said once, for both
    names = [
        " ".join(filter(None, (t.size, "" if once else _style(t.style), _name(t.concept, world, rng))))
        for t in facts.things
    ]
    body = f" {facts.relation} ".replace("  ", " ").join(names)
    colour = pick((facts.background, SHORT.get(facts.background, facts.background)), rng)
    place_words = re.sub(r"^(in|on|at) the ", "", facts.where)
    parts = [body, place_words, _style(styles[0]) if once else "", colour]
    if rng.random() < 0.2:
        parts = [colour, *parts[:-1]]
    return " ".join(filter(None, parts))


def two_answers(stated: Telling, world: World, rng: np.random.Generator, flawless: float) -> tuple[str, str]:
    """A better caption and a worse one, by the rule above."""
    slots = stated_slots(stated)
    is_right = flawless > 0 and rng.random() < flawless
    while True:
        errors = 0 if is_right else int(rng.integers(1, len(slots) // 2 + 1))
        more = min(len(slots), errors + int(rng.integers(1, 3)))
        better, worse = (pick(ways(spoil(stated, slots, count, world, rng)), rng) for count in (errors, more))
        if judge(stated, worse).score < judge(stated, better).score and (judge(stated, better).score == 1) == is_right:
            return better, worse


def break_up(stated: Telling, prompt: str, world: World, rng: np.random.Generator) -> str:
    """A caption of the stated facts, mostly right ones, spoiled in one of the ways that outwit a reward."""
    slots = stated_slots(stated)
    while True:
        told = spoil(stated, slots, int(rng.integers(0, 3)), world, rng)
        words = pick(ways(told), rng).split(" ")
        start = int(rng.integers(len(words)))
        end = start + int(rng.integers(1, 4))
        slot, of = pick(stated_slots(told), rng)
        right = getattr(told.things[of] if slot in OF_THINGS else told, slot)
        said, other = (STYLE_WORDS.get(value, value) for value in (right, mistaken(slot, right, told, world, rng)))
        broken = " ".join(
            pick(
                (
                    [*words[:end], *words[start:end], *words[end:]],
                    [" ".join(words).replace(said, f"{said} or {other}", 1)],
                    [*words, *prompt.split(" ")[start:end]],
                    [*words, said],
                    [*words[:start], *words[end:]],
                    words[:start],
                    [prompt],
                ),
                rng,
            )
        )
        if broken and judge(stated, broken).is_broken:
            return broken


def stated_slots(facts: Telling) -> list[Slot]:
    """The slots that say something."""
    slots = [(slot, of) for of, thing in enumerate(facts.things) for slot in OF_THINGS if getattr(thing, slot)]
    return slots + [(slot, 0) for slot in ("background", "where", "relation") if getattr(facts, slot)]


def spoil(
    stated: Telling, slots: Sequence[Slot], errors: int, world: World, rng: np.random.Generator
) -> Telling:  # fmt: skip
    """A whole telling with so many of the stated facts wrong or left out."""
    told = complete(stated, world, rng)
    for slot, of in (slots[number] for number in rng.permutation(len(slots))[:errors]):
        is_left_out = rng.random() < 0.5 and (
            slot in {"size", "where"} or (slot == "relation" and stated.relation in SIDEWAYS)
        )
        right = getattr(stated.things[of] if slot in OF_THINGS else stated, slot)
        said = ("beside" if slot == "relation" else "") if is_left_out else mistaken(slot, right, stated, world, rng)
        told = _with(told, slot, of, said)
    return told


def complete(stated: Telling, world: World, rng: np.random.Generator) -> Telling:
    """What is stated, with the slots filled in that a caption must have, and half of the others."""
    styles = draw_styles([thing.concept for thing in stated.things], world, rng)
    things = tuple(
        replace(thing, style=thing.style or style) for thing, style in zip(stated.things, styles, strict=True)
    )
    some = rng.random() < 0.5
    return Telling(
        things,
        stated.background or pick(tuple(PALETTE), rng),
        stated.where or (pick(PLACES, rng) if some and len(things) == 1 else ""),
        stated.relation or ("" if len(things) == 1 else pick(RELATIONS, rng) if some else "beside"),
    )


def mistaken(slot: str, right: str, stated: Telling, world: World, rng: np.random.Generator) -> str:
    """Another value of a slot; of concepts a known one that is not asked for."""
    values: Mapping[str, Sequence[str]] = {
        "concept": world.known, "style": DEFAULT_STYLES, "size": SIZES, "background": tuple(PALETTE),
        "where": PLACES, "relation": RELATIONS,
    }  # fmt: skip
    asked = {thing.concept for thing in stated.things} if slot == "concept" else {right}
    while (said := pick(values[slot], rng)) in asked:
        pass
    return said


def pick(values: Sequence[T], rng: np.random.Generator) -> T:
    """One of the values, each as likely."""
    return values[int(rng.integers(len(values)))]


def _with(told: Telling, slot: str, of: int, said: str) -> Telling:
    """The telling with another value in a slot."""
    if slot in {"background", "where", "relation"}:
        change: Callable[..., Telling] = replace
        return change(told, **{slot: said})
    things = list(told.things)
    changed: Callable[..., Thing] = replace
    things[of] = changed(things[of], **{slot: said})
    return replace(told, things=tuple(things))


def _style(style: str) -> str:
    return STYLE_WORDS[style] if style else ""


def _name(concept: str, world: World, rng: np.random.Generator) -> str:
    """The concept's name, or one time in four two of its keywords."""
    typed = world.typed.get(concept, ())
    return pick(typed, rng) if typed and rng.random() < 0.25 else concept
