"""Captions of scenes in two kinds: sparse, as a web crawl would have them, and dense, in a stated grammar.

```
plain    = things ground                                          "a 3D owl on a pink background"
dense    = plain                                                                        (one piece, one in three)
         | thing [where] ground ["; " keywords]                                         (one piece)
         | ground "with" thing [where] ["; " keywords]
         | [size] "drawing of" concept [where] ground "; " style "style" [", " keywords]
         | things ground                                                                (several)
things   = thing                                                                        (one)
         | thing beside thing [stacked]                                                 (two)
         | thing ", " thing " and " thing order                                         (three)
thing    = [article] [size] style concept
beside   = "to the left of" | "to the right of" | "above" | "below" | "beside"
stacked  = "and in front of it" | "and behind it"
order    = "from left to right" | "from top to bottom"
where    = "in the centre" | "on the left" | ... | "at the bottom right"
ground   = "on a" colour "background"
sparse   = concept {" and " concept} | the same as a file name | a camera's file name
```
"""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pinxit.data.emoji import Art
from pinxit.data.kind import Facts, Placed
from pinxit.data.palette import STYLE_WORDS

KEYWORDS = (2, 5)  # fewest and most in a dense caption, where there are so many
CLEARLY = 1.8  # ratio of areas from which one of several things is called large or small
SMALL, LARGE = 0.55, 0.8  # longer side of a lone thing over the picture's shorter side

_PLURAL = re.compile(r"(?<!s)s$|^(wo)?men\b|^people\b")  # "socks", "people wrestling"; not "dress"
_SINGULAR = re.compile(r"(?<![jkw])(us|is|as|os)$|^((wo)?man|person)\b")  # "octopus"; not "skis": Latin has no -kis
_NO_AN = re.compile(r"^(uni|use|euro|ewe|one\b|ukul)", re.IGNORECASE)
_SILENT = re.compile(r"^(hour|honey?st|8)", re.IGNORECASE)


def article(words: str) -> str:
    """The words with "a" or "an" before them."""
    vowel = words[:1].lower() in "aeiou" and not _NO_AN.match(words)
    return f"{'an' if vowel or _SILENT.match(words) else 'a'} {words}"


def is_plural(concept: str) -> bool:
    """Whether a concept names several things, and so takes no article."""
    head = re.split(r"[:,]| (?:with|without|and|of|in|on|over|holding)\b", concept)[0]
    return bool(_PLURAL.search(head)) and not _SINGULAR.search(head)


def named(piece: Placed, size: str = "") -> str:
    """The plain naming of a piece: "a 3D fire engine", "flat socks"."""
    words = f"{size} {STYLE_WORDS[piece.style]} {piece.concept}".strip()
    return words if is_plural(piece.concept) else article(words)


def plain(facts: Facts, sizes: Sequence[str] = ()) -> str:
    """The fixed wording that prompts of an evaluation use: one of the dense phrasings, without keywords.

    `sizes` are one word for each piece, "" where nothing is said of it.
    """
    return f"{_related(facts.pieces, sizes or [''] * len(facts.pieces))} {ground(facts.background)}"


def caption(facts: Facts, art: Art, size: tuple[int, int], rng: np.random.Generator, kind: str) -> str:
    """The "sparse" or "dense" caption of a scene made of some art; `size` is the picture's height and width."""
    keywords = [art.find(piece.concept, piece.style).keywords for piece in facts.pieces]
    return sparse(facts, rng) if kind == "sparse" else dense(facts, keywords, size, rng)


def dense(facts: Facts, keywords: Sequence[Sequence[str]], size: tuple[int, int], rng: np.random.Generator) -> str:
    """What is there, its attributes, style, background, and the place and size of each thing."""
    if len(facts.pieces) > 1:
        sizes = relative_sizes(facts.pieces) if rng.random() < 0.7 else [""] * len(facts.pieces)
        return f"{_related(facts.pieces, sizes, rng)} {ground(facts.background)}"
    return plain(facts) if rng.random() < 1 / 3 else _dense_single(facts, keywords[0], size, rng)


def _dense_single(facts: Facts, keywords: Sequence[str], size: tuple[int, int], rng: np.random.Generator) -> str:
    piece, where, large = facts.pieces[0], position(facts.pieces[0], size), absolute_size(facts.pieces[0], size)
    told = ", ".join(_chosen(piece.concept, keywords, rng))
    tail = f"; {told}" if told else ""
    style = STYLE_WORDS[piece.style]
    drawing = f"{large} drawing of {piece.concept if is_plural(piece.concept) else article(piece.concept)}".strip()
    phrasings = (
        f"{named(piece, large)} {where} {ground(facts.background)}{tail}",
        f"{article(facts.background)} background with {named(piece, large)} {where}{tail}",
        f"{article(drawing)} {where} {ground(facts.background)}; {style} style{', ' + told if told else ''}",
    )
    return phrasings[rng.choice(3, p=(0.5, 0.25, 0.25))]


def _chosen(concept: str, keywords: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Some of the keywords that say more than the concept, in their order."""
    known = set(re.findall(r"\w+", concept.lower()))
    telling = [word for word in keywords if not known.issuperset(re.findall(r"\w+", word.lower()))]
    count = int(rng.integers(KEYWORDS[0], KEYWORDS[1] + 1))
    return [telling[i] for i in sorted(rng.permutation(len(telling))[:count])]


def sparse(facts: Facts, rng: np.random.Generator) -> str:
    """The bare names, sometimes as a file name, sometimes a camera's."""
    name = " and ".join(piece.concept for piece in facts.pieces)
    kind = rng.random()
    if kind < 0.7:
        return name
    if kind < 0.9:
        return f"{re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')}.{('png', 'jpg')[rng.integers(2)]}"
    return f"IMG_{rng.integers(1000, 10000)}.{('PNG', 'JPG')[rng.integers(2)].lower()}"


def position(piece: Placed, size: tuple[int, int]) -> str:
    """Where a thing stands in a picture of some height and width, by the third that its centre is in."""
    x, y = piece.centre
    across = ("left", "", "right")[min(2, int(3 * x / size[1]))]
    down = ("top", "", "bottom")[min(2, int(3 * y / size[0]))]
    if down:
        return f"at the {down} {across}".rstrip()
    return f"on the {across}" if across else "in the centre"


def told_sizes(pieces: Sequence[Placed], size: tuple[int, int], ease: float = 1.0) -> list[str]:
    """What captions may say of the sizes of a picture's pieces, one word each: "small", "large" or nothing.

    `ease` over 1 is for sides that are known less exactly: they may miss by so much what a word stands for.
    """
    return [absolute_size(pieces[0], size, ease)] if len(pieces) == 1 else relative_sizes(pieces, ease)


def absolute_size(piece: Placed, size: tuple[int, int], ease: float = 1.0) -> str:
    """Whether a lone thing is "small" or "large" in its picture; empty between."""
    left, top, right, bottom = piece.box
    share = max(right - left, bottom - top) / min(size)
    return "small" if share < SMALL * ease else "large" if share >= LARGE / ease else ""


def relative_sizes(pieces: Sequence[Placed], ease: float = 1.0) -> list[str]:
    """Which of several things are "large" or "small"; all empty where their areas do not differ clearly."""
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in (piece.box for piece in pieces)]
    if max(areas) < CLEARLY / ease**2 * max(1, min(areas)):
        return [""] * len(pieces)
    middle = (max(areas) * min(areas)) ** 0.5
    return ["large" if area > middle else "small" for area in areas]


def relation(first: Placed, second: Placed) -> str:
    """How the first stands to the second: "left of", "right of", "above" or "below", by their centres."""
    (x1, y1), (x2, y2) = first.centre, second.centre
    if abs(x1 - x2) >= abs(y1 - y2):
        return "left of" if x1 < x2 else "right of"
    return "above" if y1 < y2 else "below"


def stacking(first: Placed, second: Placed) -> str:
    """Whether the first is "in front of" the second or "behind" it; empty where their boxes do not meet."""
    meet = all(
        max(first.box[side], second.box[side]) < min(first.box[side + 2], second.box[side + 2]) for side in (0, 1)
    )
    if not meet:
        return ""
    return "in front of" if first.depth > second.depth else "behind"


def _related(pieces: Sequence[Placed], sizes: Sequence[str], rng: np.random.Generator | None = None) -> str:
    if len(pieces) == 1:
        return named(pieces[0], sizes[0])
    if len(pieces) > 2:
        return _listed(pieces, sizes)
    swapped = rng is not None and rng.random() < 0.5
    (first, one), (second, other) = list(zip(pieces, sizes, strict=True))[:: -1 if swapped else 1]
    place, front = relation(first, second), stacking(first, second)
    joined = f"to the {place}" if "of" in place else place
    if "of" in place and rng is not None and rng.random() < 0.25:
        joined = "beside"
    stacked = f" and {front} {'them' if is_plural(second.concept) else 'it'}" if front else ""
    return f"{named(first, one)} {joined} {named(second, other)}{stacked}"


def _listed(pieces: Sequence[Placed], sizes: Sequence[str]) -> str:
    """The things in the order they stand in, which is named where they stand clear of each other."""
    told = list(zip(pieces, sizes, strict=True))
    order = ""
    for side, clear in ((0, " from left to right"), (1, " from top to bottom")):
        ranked = sorted(told, key=lambda pair: pair[0].box[side])
        if all(first.box[side + 2] <= second.box[side] for (first, _), (second, _) in pairwise(ranked)):
            told, order = ranked, clear
            break
    *head, last = (named(piece, size) for piece, size in told)
    return f"{', '.join(head)} and {last}{order}"


def ground(background: str) -> str:
    """What is said of a background: "on a pink background"."""
    return f"on {article(background)} background"
