"""The part of an audit's page that is on captions, and lists of names that open."""

from collections.abc import Callable, Iterable, Sequence
from html import escape

from pinxit.data.phrasing import PARTS, Lengths
from pinxit.recipes.audit import Audit, CaptionSet, Nouns
from pinxit.recipes.markup import Cell, note, section, table

FIGURES = "audit.json"  # where all figures and names stand
NAMED = 200  # on the page
PAPER = (  # PixArt-α's own table 1: VN and DN, their ratio, nouns a picture
    ("LAION", "210K", "2461K", "8.5%", "6.4"),
    ("LAION-LLaVA", "85K", "646K", "13.3%", "20.9"),
    ("SAM-LLaVA", "23K", "124K", "18.6%", "29.3"),
    ("Internal", "152K", "582K", "26.1%", "12.2"),
)


def captions(said: Audit) -> str:
    """The section on captions: as imported and as written side by side, the paper's table beside them."""
    rows: list[Sequence[Cell]] = [
        (name, *(value(one) for one in said.captions)) for name, value in _caption_rows(said.captions)
    ]
    parts = [table(("", *(one.name for one in said.captions)), rows)]
    if any(one.nouns for one in said.captions):
        remark = (
            "VN: nouns that stand more than 10 times; DN: different nouns. The paper counted with NLTK, here spaCy "
            "tags; both count every form of a word by itself. VN and DN grow with the data set: compare sets of a size."
        )
        parts += [note(remark), "<h3>Beside it: the paper's table 1</h3>"]
        parts.append(table(("", "VN", "DN", "VN / DN", "nouns a picture"), PAPER))
    for one in said.captions:
        repeated = [f"{item.times:,} times: {item.text}" for item in one.phrasing.most_repeated]
        parts.append(names(f"Most repeated, {one.name}", repeated))
    return section("Captions", *parts)


def _caption_rows(sets: Sequence[CaptionSet]) -> Iterable[tuple[str, Callable[[CaptionSet], Cell]]]:
    """The rows of the table of captions: their names, and what they say of a set."""
    yield "pictures with a caption", lambda one: f"{one.phrasing.pictures - one.phrasing.bare:,}"
    yield "pictures without one", lambda one: f"{one.phrasing.bare:,}"
    yield "captions", lambda one: f"{one.phrasing.captions:,}"
    yield "repeating an earlier one", lambda one: _of(one.phrasing.repeated, one)
    yield "words a caption", lambda one: _lengths(one.phrasing.words)
    if sets[0].phrasing.tokens is not None or sets[-1].phrasing.tokens is not None:
        yield "tokens a caption", lambda one: _lengths(one.phrasing.tokens)
        limit = next(one.phrasing.limit for one in sets if one.phrasing.limit is not None)
        yield f"over the encoder's {limit} tokens", lambda one: _of(one.phrasing.over, one)
        yield "tokens that it will not read", lambda one: f"{one.phrasing.lost or 0:,}"
        yield "empty after its cleaning", lambda one: _of(one.phrasing.emptied, one)
    if any(one.nouns for one in sets):
        yield "nouns a picture", lambda one: _noun(one, _mean)
        yield "nouns in all", lambda one: _noun(one, _total)
        yield "VN", lambda one: _noun(one, lambda nouns: _least(nouns, nouns.density.valid))
        yield "DN", lambda one: _noun(one, lambda nouns: _least(nouns, nouns.density.distinct))
        yield "VN / DN", lambda one: _noun(one, lambda nouns: f"{nouns.density.share:.1%}")


def _of(count: int | None, one: CaptionSet) -> Cell:
    if count is None:
        return "–"
    return f"{count:,}", f"{count / max(1, one.phrasing.captions):.1%}"


def _lengths(lengths: Lengths | None) -> Cell:
    if lengths is None:
        return "–"
    shares = dict(zip(PARTS, lengths.parts, strict=True))
    return f"{lengths.mean:.1f}", f"half up to {shares[0.5]}, 95 % up to {shares[0.95]}, longest {shares[1.0]:,}"


def _noun(one: CaptionSet, say: Callable[[Nouns], Cell]) -> Cell:
    return "–" if one.nouns is None else say(one.nouns)


def _is_sample(nouns: Nouns) -> bool:
    return nouns.drawn < nouns.of


def _mean(nouns: Nouns) -> Cell:
    mean = f"{nouns.density.mean:.1f}"
    if not _is_sample(nouns):
        return mean
    return mean, f"95 %: {nouns.low:.2f} to {nouns.high:.2f}, by {nouns.drawn:,} pictures"


def _total(nouns: Nouns) -> Cell:
    if not _is_sample(nouns):
        return f"{nouns.density.total:,}"
    return f"{nouns.density.mean * nouns.of:,.0f}", f"95 %: {nouns.low * nouns.of:,.0f} to {nouns.high * nouns.of:,.0f}"


def _least(nouns: Nouns, count: int) -> Cell:
    return (f"{count:,}", "in the sample; in all at least so many") if _is_sample(nouns) else f"{count:,}"


def names(title: str, listed: Sequence[str]) -> str:
    """A list that opens; on the page it ends somewhere."""
    if not listed:
        return ""
    items = "".join(f"<li>{escape(name)}</li>" for name in listed[:NAMED])
    more = note(f"And {len(listed) - NAMED:,} more, in {FIGURES}.") if len(listed) > NAMED else ""
    return f"<details><summary>{escape(title)}</summary><ul>{items}</ul>{more}</details>"
