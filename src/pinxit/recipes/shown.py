"""The loop closed: how much of what people type pictures show, drawn from their words and from improved ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from pinxit.data.emoji import Art
from pinxit.data.kind import Pixels, Placed
from pinxit.data.pixel import through
from pinxit.data.split import split
from pinxit.data.telling import Telling, ways
from pinxit.data.words import position
from pinxit.evaluate.alignment import Area, Judge, Verdict
from pinxit.evaluate.interval import Share, mean_difference
from pinxit.evaluate.score import AXIS, assign, is_found
from pinxit.generate.pipeline import Pipeline
from pinxit.improve.refine import Improver
from pinxit.log import Bar
from pinxit.recipes.brief import World, briefs, complete
from pinxit.recipes.measure import Marker
from pinxit.rng import numpy_at

SEED = 11
FACTS = ("concept", "style", "background", "place", "relation")


Marks = Mapping[str, Sequence[bool]]  # of each kind of fact that was stated whether each is shown


@dataclass(frozen=True)
class Asked:
    """What somebody types, the facts that it states, and a whole caption of them in the model's grammar."""

    typed: str
    facts: Telling
    whole: str


@dataclass(frozen=True)
class Drawn:
    """One wording of all prompts, the pictures drawn from it, and what these show."""

    wordings: Sequence[str]
    pictures: Sequence[Pixels]
    row: Mapping[str, object]


def close_loop(pipeline: Pipeline, improver: Improver, art: Art, world: World, count: int) -> dict[str, Drawn]:
    """So many short prompts in three wordings: as typed, as improved, and the whole caption, which is the most that the
    model can show. All begin with the same noise; a row compares with what was typed, prompt by prompt.
    """
    prompts = asked(world, split(art).training, count)
    typed = [each.typed for each in prompts]
    improved = [trace.answer for trace in improver.trace(typed, improver.first(typed))]
    wordings = {"typed": typed, "improved": improved, "whole": [each.whole for each in prompts]}
    judge = Judge(art, Marker(pipeline).lite0.features, partial(through, pipeline.autoencoder))
    made = {name: _draw(pipeline, words) for name, words in wordings.items()}
    shown = {
        name: [marks(judge.judge(p), each.facts, p.shape[0]) for p, each in zip(pictures, prompts, strict=True)]
        for name, pictures in made.items()
    }
    return {name: Drawn(words, made[name], row(shown[name], shown["typed"])) for name, words in wordings.items()}


def _draw(pipeline: Pipeline, words: Sequence[str]) -> list[Pixels]:
    with Bar("drawing", len(words)) as bar:
        pictures: list[Pixels] = []
        for drawing in pipeline.draw(words, range(len(words)), pipeline.card.sampling):
            pictures.append(drawing.picture)
            bar.move(len(pictures))
    return pictures


def row(shown: Sequence[Marks], typed: Sequence[Marks]) -> dict[str, object]:
    """The shares of the facts that pictures show, of each kind and of all, and how much that is above `typed`."""
    kinds = {kind: [right for picture in shown for right in picture.get(kind, ())] for kind in FACTS}
    shares = {kind: Share(sum(rights), len(rights)) for kind, rights in kinds.items()}
    whole, before = ([_share(picture) for picture in some] for some in (shown, typed))
    more = mean_difference(whole, before, SEED)
    return {
        "n": len(shown), "shown": sum(whole) / len(whole),
        "more": (more.value, *more.interval),
        **{kind: (share.value, *share.interval, share.n) for kind, share in shares.items()},
    }  # fmt: skip


def _share(picture: Marks) -> float:
    rights = [right for some in picture.values() for right in some]
    return sum(rights) / len(rights)


def asked(world: World, art: Art, count: int) -> list[Asked]:
    """So many short prompts, always the same, of combinations that no training pair of an improver has and of pieces
    that are in `art`. The whole captions name styles in which `art` has the concepts.
    """
    inside = limit(world, art)
    typed = (
        brief
        for brief in briefs(inside, SEED, "combination")
        if world.kind(brief.facts) == "combination" and ";" not in brief.prompt
    )
    rng = numpy_at(SEED, "whole")
    return [
        Asked(brief.prompt, brief.facts, ways(complete(brief.facts, inside, rng))[0]) for brief in islice(typed, count)
    ]


def limit(world: World, art: Art) -> World:
    """What of a world a set of art has drawn."""
    have = {(piece.concept, piece.style) for piece in art}
    drawn = {concept: tuple(s for s in styles if (concept, s) in have) for concept, styles in world.drawn.items()}
    return World({concept: styles for concept, styles in drawn.items() if styles}, world.typed)


def marks(verdict: Verdict, facts: Telling, side: int) -> Marks:
    """Of each kind of fact that was stated whether a square picture shows it; places and styles are right only of what
    is found: among the first five by pixels or by Lite0. Sizes are not judged: no border parts them.
    """
    found: dict[str, list[bool]] = {}
    shown = list(_matched(verdict, facts))
    for thing, area in zip(facts.things, shown, strict=True):
        found.setdefault("concept", []).append(area is not None)
        if thing.style:
            found.setdefault("style", []).append(area is not None and area.style == thing.style)
    if facts.background:
        found["background"] = [verdict.background == facts.background]
    if facts.where:
        found["place"] = [shown[0] is not None and position(_placed(shown[0], ""), (side, side)) == facts.where]
    if facts.relation in AXIS:
        found["relation"] = [_stands(facts.relation, shown)]
    return found


def _matched(verdict: Verdict, facts: Telling) -> Iterator[Area | None]:
    """For each thing the area that shows it, or None."""
    pieces = [Placed(thing.concept, thing.style, (0, 0, 1, 1), 0) for thing in facts.things]
    for piece, area in zip(pieces, assign(verdict.areas, pieces), strict=True):
        yield area if area is not None and is_found(area, piece) else None


def _placed(area: Area, concept: str) -> Placed:
    return Placed(concept, area.style, area.box, 0)


def _stands(relation: str, shown: Sequence[Area | None]) -> bool:
    first, second = shown
    if first is None or second is None:
        return False
    axis, sign = AXIS[relation]
    return sign * (second.centre[axis] - first.centre[axis]) > 0
