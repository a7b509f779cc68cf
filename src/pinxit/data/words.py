"""Captions of scenes in two kinds: sparse, as a web crawl would have them, and dense, in a stated grammar.

    dense      = thing [", " keywords] " on a " colour " background"                      (one piece)
               | things " on a " colour " background" ["; " place of each]                (several)
    thing      = article style-word concept | article style-word "drawing of " article concept
    things     = thing "beside" thing | thing "to the left of" thing | thing "above" thing | ... | list
    sparse     = concept | file name
"""

from collections.abc import Sequence

import numpy as np

from pinxit.data.kind import Facts, Placed
from pinxit.data.palette import STYLE_WORDS

MOST_KEYWORDS = 4


def article(words: str) -> str:
    """The words with "a" or "an" before them."""
    return f"{'an' if words[:1].lower() in 'aeiou' else 'a'} {words}"


def named(piece: Placed) -> str:
    """The plain naming of a piece: "a 3D fire engine"."""
    return article(f"{STYLE_WORDS[piece.style]} {piece.concept}")


def plain(facts: Facts) -> str:
    """The fixed wording that prompts of an evaluation use: one of the dense phrasings, without keywords."""
    return f"{_related(facts.pieces)} on {article(facts.background)} background"


def dense(facts: Facts, keywords: Sequence[Sequence[str]], rng: np.random.Generator) -> str:
    """What is there, its attributes, style, background, and the place and size of each thing."""
    if len(facts.pieces) > 1:
        return f"{_related(facts.pieces, rng)} on {article(facts.background)} background{_sizes(facts.pieces, rng)}"
    piece = facts.pieces[0]
    words = [word for word in keywords[0] if word not in piece.concept]
    chosen = [words[i] for i in sorted(rng.permutation(len(words))[: rng.integers(0, MOST_KEYWORDS + 1)])]
    told = f" ({', '.join(chosen)})" if chosen else ""
    style = STYLE_WORDS[piece.style]
    phrasings = (
        f"{named(piece)}{told} on {article(facts.background)} background",
        f"{article(style)} drawing of {article(piece.concept)}{told} on {article(facts.background)} background",
        f"{facts.background} background with {named(piece)}{told} in the centre",
        f"{piece.concept}{told}, {style} style, on {article(facts.background)} background",
    )
    return phrasings[rng.choice(len(phrasings), p=(0.4, 0.2, 0.2, 0.2))]


def sparse(facts: Facts, rng: np.random.Generator) -> str:
    """The bare names, sometimes as a file name, sometimes a camera's."""
    name = " and ".join(piece.concept for piece in facts.pieces)
    kind = rng.random()
    if kind < 0.7:
        return name
    if kind < 0.9:
        return f"{name.replace(' ', '_')}.png"
    return f"IMG_{rng.integers(1000, 9999)}.jpg"


def _centre(piece: Placed) -> tuple[float, float]:
    left, top, right, bottom = piece.box
    return (left + right) / 2, (top + bottom) / 2


def relation(first: Placed, second: Placed) -> str:
    """How the first stands to the second: "left of", "right of", "above" or "below", by their centres."""
    (x1, y1), (x2, y2) = _centre(first), _centre(second)
    if abs(x1 - x2) >= abs(y1 - y2):
        return "left of" if x1 < x2 else "right of"
    return "above" if y1 < y2 else "below"


def _related(pieces: Sequence[Placed], rng: np.random.Generator | None = None) -> str:
    if len(pieces) == 1:
        return named(pieces[0])
    first, second, *rest = pieces
    if rng is not None and rng.random() < 0.5:
        first, second = second, first
    place = relation(first, second)
    joined = f"to the {place}" if "of" in place else place
    if rng is not None and rng.random() < 0.25 and "of" in place:
        joined = "beside"
    words = f"{named(first)} {joined} {named(second)}"
    return words + "".join(f" and {named(piece)}" for piece in rest)


def _sizes(pieces: Sequence[Placed], rng: np.random.Generator) -> str:
    """A remark on the sizes where they differ clearly, in half of the captions."""
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in (piece.box for piece in pieces)]
    if rng.random() < 0.5 or max(areas) < 1.5 * max(1, min(areas)):
        return ""
    return f", the {pieces[int(np.argmax(areas))].concept} larger"
