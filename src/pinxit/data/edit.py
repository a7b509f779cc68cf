"""Exact pairs for learning to edit: a scene before, the same scene after, and the instruction in words."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from pinxit.data.config import EDIT_KINDS, EditKind
from pinxit.data.emoji import Art, Piece
from pinxit.data.palette import PALETTE, STYLE_WORDS
from pinxit.data.record import Facts
from pinxit.data.scene import Placement, Scene, choose, compose, lone, row
from pinxit.data.words import article, is_plural, named, plain, position, relation
from pinxit.errors import DataError
from pinxit.rng import numpy_at

ATTEMPTS = 100  # draws before the art is said to hold no such edit
VISIBLE = 20  # levels by which a pixel must change to count as changed
CHANGED = 0.01  # least share of the picture that must change
FILL, FILL_OF_MOVED = (0.45, 0.9), (0.3, 0.55)  # side of a lone piece over the picture's shorter side


@dataclass(frozen=True)
class EditPair:
    """A scene before and after what the instruction says, all else alike; `caption` describes the one after."""

    before: Scene
    after: Scene
    instruction: str
    kind: EditKind
    caption: str


@dataclass(frozen=True)
class _Edit:
    before: Scene
    after: Scene
    phrasings: tuple[str, ...]


def edit_pair(
    art: Art, seed: int, index: int, size: tuple[int, int], kinds: Sequence[EditKind] = EDIT_KINDS
) -> EditPair:
    """Pair `index` of a seed: always the same; of one of the kinds, and to be seen; `size` is height and width.

    Raises DataError where the art allows none.
    """
    for attempt in range(ATTEMPTS if len(art) else 0):
        rng = numpy_at(seed, f"edit/{index}/{attempt}")
        kind = kinds[int(rng.integers(len(kinds)))]
        edit = _MAKERS[kind](art, size, rng)
        if edit is not None and _shows(edit):
            instruction = edit.phrasings[rng.integers(len(edit.phrasings))]
            return EditPair(edit.before, edit.after, instruction, kind, plain(edit.after.facts))
    found = f"no edit of the kinds {', '.join(kinds)} was found for {len(art)} pieces of art at {size[1]} x {size[0]}"
    raise DataError("edit", found, "prepare more styles, allow more kinds, or draw larger")


def _shows(edit: _Edit) -> bool:
    changed = np.abs(edit.before.picture.astype(np.int16) - edit.after.picture).max(-1) >= VISIBLE
    return bool(changed.mean() >= CHANGED)


def _recolour(art: Art, size: tuple[int, int], rng: np.random.Generator) -> _Edit | None:
    placements = _placements(art, size, rng, (1, 3))
    old, new = rng.choice(list(PALETTE), 2, replace=False).tolist()
    before, after = (compose(placements, colour, size) for colour in (old, new))
    things = " and ".join(_the(placement.piece.concept) for placement in placements)
    return _Edit(before, after, (
        f"make the background {new}", f"change the background to {new}", f"recolour the background {new}",
        f"put {things} on {article(new)} background",
    ))  # fmt: skip


def _swap(art: Art, size: tuple[int, int], rng: np.random.Generator) -> _Edit | None:
    """Another thing of the same style in the place of one."""
    placements, ground = _placements(art, size, rng, (1, 3)), _ground(rng)
    place = int(rng.integers(len(placements)))
    old = placements[place].piece
    pool = art.by_style[old.style]
    new = pool[int(rng.integers(len(pool)))]
    if any(new.concept == placement.piece.concept for placement in placements):
        return None
    before, after = _exchanged(placements, place, new, ground, size)
    return _Edit(before, after, (
        f"replace {_the(old.concept)} with {_a(new.concept)}", f"swap {_the(old.concept)} for {_a(new.concept)}",
        f"turn {_the(old.concept)} into {_a(new.concept)}", f"put {_a(new.concept)} in place of {_the(old.concept)}",
    ))  # fmt: skip


def _restyle(art: Art, size: tuple[int, int], rng: np.random.Generator) -> _Edit | None:
    """The same thing as another hand drew it."""
    placements, ground = _placements(art, size, rng, (1, 3)), _ground(rng)
    place = int(rng.integers(len(placements)))
    old = placements[place].piece
    drawn = _other_drawings(art, old)
    if not drawn:
        return None
    new = drawn[rng.integers(len(drawn))]
    before, after = _exchanged(placements, place, new, ground, size)
    thing, style = _the(old.concept), STYLE_WORDS[new.style]
    return _Edit(before, after, (
        f"draw {thing} in the {style} style", f"change {thing} to the {style} style",
        f"turn {thing} into {named(after.facts.pieces[place])}", f"redraw {thing} in {style} style",
    ))  # fmt: skip


def _remove(art: Art, size: tuple[int, int], rng: np.random.Generator) -> _Edit | None:
    placements, ground = _placements(art, size, rng, (2, 3)), _ground(rng)
    if len(placements) < 2:
        return None
    place = int(rng.integers(len(placements)))
    gone = _the(placements[place].piece.concept)
    rest = [*placements[:place], *placements[place + 1 :]]
    phrasings = (f"remove {gone}", f"take {gone} away", f"delete {gone}", f"get rid of {gone}", f"erase {gone}")
    return _Edit(compose(placements, ground, size), compose(rest, ground, size), phrasings)


def _add(art: Art, size: tuple[int, int], rng: np.random.Generator) -> _Edit | None:
    """One thing more, beside the nearest or between two; its style is named where it is not that of the others."""
    placements, ground = _placements(art, size, rng, (2, 3)), _ground(rng)
    if len(placements) < 2:
        return None
    place = int(rng.integers(len(placements)))
    rest = [*placements[:place], *placements[place + 1 :]]
    after = compose(placements, ground, size)
    new = after.facts.pieces[place]
    alike = all(new.style == placement.piece.style for placement in rest)
    thing, where = _a(new.concept) if alike else named(new), _beside(after.facts, place)
    phrasings = tuple(f"{verb} {thing} {where}" for verb in ("add", "put", "draw", "place"))
    return _Edit(compose(rest, ground, size), after, phrasings)


def _move(art: Art, size: tuple[int, int], rng: np.random.Generator) -> _Edit | None:
    """One thing goes to a named place, or two change places."""
    placements, ground = _placements(art, size, rng, (1, 2), FILL_OF_MOVED), _ground(rng)
    before = compose(placements, ground, size)
    if len(placements) == 2:
        one, other = (_the(placement.piece.concept) for placement in placements)
        return _Edit(before, compose(_mirrored(placements, size), ground, size), (
            f"let {one} and {other} change places", f"exchange the places of {one} and {other}",
            f"move {one} to where {other} {'are' if is_plural(placements[1].piece.concept) else 'is'}, and the reverse",
        ))  # fmt: skip
    left, top = (
        round(share * (length - placements[0].side))
        for share, length in zip(rng.integers(3, size=2) / 2, size[::-1], strict=True)
    )
    after = compose([replace(placements[0], left=left, top=top)], ground, size)
    old, new = (position(made.facts.pieces[0], size) for made in (before, after))
    if old == new:
        return None
    thing, there = _the(placements[0].piece.concept), new.split(" ", 1)[1]
    return _Edit(before, after, tuple(f"{verb} {thing} to {there}" for verb in ("move", "shift", "bring")))


_MAKERS: Mapping[EditKind, Callable[[Art, tuple[int, int], np.random.Generator], _Edit | None]] = {
    "background": _recolour, "swap": _swap, "remove": _remove, "add": _add, "move": _move, "style": _restyle,
}  # fmt: skip


def _placements(
    art: Art,
    size: tuple[int, int],
    rng: np.random.Generator,
    counts: tuple[int, int],
    fill: tuple[float, float] = FILL,
) -> list[Placement]:
    """So many pieces, apart from each other, so that a change of one leaves every pixel of the others."""
    chosen = choose(art, rng, int(rng.integers(counts[0], counts[1] + 1)))
    return row(chosen, size, rng) if len(chosen) > 1 else [lone(chosen[0], size, float(rng.uniform(*fill)), rng)]


def _ground(rng: np.random.Generator) -> str:
    return list(PALETTE)[rng.integers(len(PALETTE))]


def _exchanged(
    placements: Sequence[Placement], place: int, new: Piece, ground: str, size: tuple[int, int]
) -> tuple[Scene, Scene]:
    """The scene with the old piece and with the new one, in the same square."""
    after = [*placements[:place], replace(placements[place], piece=new), *placements[place + 1 :]]
    return compose(placements, ground, size), compose(after, ground, size)


def _other_drawings(art: Art, piece: Piece) -> list[Piece]:
    """The piece's concept in all other styles that have it."""
    found = []
    for style in art.styles:
        with suppress(KeyError):
            found += [art.find(piece.concept, style)] if style != piece.style else []
    return found


def _mirrored(placements: Sequence[Placement], size: tuple[int, int]) -> list[Placement]:
    """Two placements that have changed sides, along the axis on which they stand apart."""
    first, second = placements
    height, width = size
    if first.left + first.side <= second.left or second.left + second.side <= first.left:
        return [replace(placement, left=width - placement.left - placement.side) for placement in placements]
    return [replace(placement, top=height - placement.top - placement.side) for placement in placements]


def _beside(facts: Facts, place: int) -> str:
    """Where a thing of a row stands: next to its neighbour, or between two."""
    if 0 < place < len(facts.pieces) - 1:
        return f"between {_the(facts.pieces[place - 1].concept)} and {_the(facts.pieces[place + 1].concept)}"
    neighbour = facts.pieces[1 if place == 0 else place - 1]
    how = relation(facts.pieces[place], neighbour)
    return f"{f'to the {how}' if 'of' in how else how} {_the(neighbour.concept)}"


def _the(concept: str) -> str:
    return f"the {concept}"


def _a(concept: str) -> str:
    return concept if is_plural(concept) else article(concept)
