"""The page of an audit: one file that opens without a network, and the same figures as JSON beside it."""

from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

from pinxit.data.bucket import MOST_RATIO
from pinxit.data.fitting import DROPPED
from pinxit.data.records import Records
from pinxit.errors import DataError
from pinxit.recipes.audit import Audit, Findings, Pair
from pinxit.recipes.audit_words import FIGURES, captions, names
from pinxit.recipes.bars import bars
from pinxit.recipes.markup import Cell, figure, note, picture, section, table

PAGE = "audit.html"
SIDE = 160  # pixels of a thumbnail
SHOWN = 8  # thumbnails of a kind
LETTERS = 400  # of a caption beside a picture
BARS = 33  # of aspect ratios


def write_audit(found: Findings, folder: Path) -> Path:
    """`audit.html` shows the findings, and `audit.json` has every figure and every name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FIGURES).write_text(found.audit.model_dump_json(indent=1) + "\n", encoding="utf-8")
    sections = (
        _pictures(found.audit),
        _sizes(found),
        captions(found.audit),
        _beside(found),
        _alike(found),
        _worst(found),
        _licences(found.audit),
    )
    template = Template(files("pinxit.recipes").joinpath("page.html").read_text(encoding="utf-8"))
    page, name = folder / PAGE, found.records.folder.resolve().name
    page.write_text(
        template.substitute(
            title=escape(f"Audit of {name}"), lead=escape(_lead(found.audit)), facts=_facts(found.audit),
            sections="".join(sections),
        ),
        encoding="utf-8",
    )  # fmt: skip
    return page


def _lead(said: Audit) -> str:
    used = said.used - len(said.dropped)
    return f"What training will get of {said.source}: {used:,} of {said.found:,} pictures, and what is said of them."


def _facts(said: Audit) -> str:
    last = said.captions[-1]
    facts = {
        "pictures in": f"{said.found:,}",
        "used": f"{said.used - len(said.dropped):,}",
        "captions": f"{last.phrasing.captions:,}",
        "nearly repeated": f"{len(said.repeated):,}",
        "given away": f"{len(said.held_out_leaks) + len(said.test_leaks):,}",
    }
    if last.nouns is not None:
        facts["nouns a picture"] = f"{last.nouns.density.mean:.1f}"
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())


def _pictures(said: Audit) -> str:
    rows: list[Sequence[Cell]] = [("in", f"{said.found:,}")]
    rows += [(f"\u2003rejected: {reason}", f"{count:,}") for reason, count in said.reasons.items()]
    if said.dropped:
        rows.append((f"\u2003dropped: longer than {MOST_RATIO:g}:1", f"{len(said.dropped):,}"))
    rows.append(("used", f"{said.used - len(said.dropped):,}"))
    rows += [(f"\u2003{text}", f"{count:,}") for text, count in _of_the_used(said) if count]
    ignored = ", ".join(f"{count:,} {kind}" for kind, count in said.ignored.items())
    named = [f"{row['key']}: {row['reason']}, {row['detail']}" for row in said.rejected]
    return section(
        "Pictures",
        table(("", "pictures"), rows, strong=(0, len(said.reasons) + bool(said.dropped) + 1)),
        note(f"Other files in the source: {ignored}.") if ignored else "",
        names("Every rejected one", named),
    )


def _of_the_used(said: Audit) -> Iterable[tuple[str, int]]:
    yield "the very bytes of an earlier one", said.same_bytes
    yield "nearly the same as an earlier one", len(said.repeated)
    yield "without any caption, which encoding will refuse", said.bare


def _sizes(found: Findings) -> str:
    said = found.audit
    rows = [
        (f"{use.width} x {use.height}", f"{use.pictures:,}", f"{use.kept:.1%}", f"{use.enlarged:,}", f"{use.repeat:g}")
        for use in said.buckets
    ]
    rule = (
        f"At {said.how.resolution} pixels{', in buckets' if said.how.buckets else ''}, {said.how.batch} a step. "
        "A picture is resized to cover its bucket and cropped in the centre. No bucket is left out: where its pictures "
        "are no multiple of the batch, its last batch is filled with pictures of its own, so that one is seen as often "
        "an epoch as the last column says."
    )
    return section(
        "Sizes and shapes",
        f'<div class="charts">{_shapes(found)}{_sides(found)}</div>',
        table(("width x height", "pictures", "kept of their area", "enlarged", "seen an epoch"), rows),
        note(rule),
        names(f"Every picture longer than {MOST_RATIO:g}:1, which is dropped", said.dropped),
    )


def _shapes(found: Findings) -> str:
    height, width = np.array(found.records.sizes, float).reshape(-1, 2).T
    ratio = np.log2(width / height).clip(-2.5, 2.5)
    counts, _ = np.histogram(ratio, BARS, (-2.5, 2.5))
    labels = [
        ((place + 2.5) / 5, text) for place, text in ((-2, "1:4"), (-1, "1:2"), (0, "1:1"), (1, "2:1"), (2, "4:1"))
    ]
    chart = bars(counts.tolist(), labels, "pictures by width over height")
    return figure(chart, "shape", "pictures by width over height; the ends hold all that is longer")


def _sides(found: Findings) -> str:
    side = np.log2(np.sqrt(np.array(found.records.sizes, float).reshape(-1, 2).prod(1)))
    low, high = np.floor(side.min()), np.ceil(side.max() + 1e-9)
    counts, _ = np.histogram(side, BARS, (low, high))
    labels = [((power - low) / (high - low), f"{2**power:.0f}") for power in np.arange(low, high + 1)]
    chart = bars(counts.tolist(), labels, "pictures by size")
    return figure(chart, "size", "pictures by the side of a square of their area, in pixels")


def _beside(found: Findings) -> str:
    """A few pictures with their captions before and after."""
    if found.records.wording is None:
        return ""
    places = np.linspace(0, len(found.records) - 1, min(SHOWN, len(found.records))).round().astype(int).tolist()
    figures = []
    for place in dict.fromkeys(places):
        old = found.records.imported(place)
        new = found.records.captions(place)[len(old) :]
        before = " / ".join(one.text for one in old) or "no caption"
        after = " / ".join(one.text for one in new) or "none was written"
        figures.append(figure(_thumbnail(found.records, place), _short(f"Before: {before}"), _short(f"After: {after}")))
    return section("Before and after", f'<div class="pictures">{"".join(figures)}</div>')


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[:LETTERS]} …"


def _alike(found: Findings) -> str:
    said, records = found.audit, found.records
    parts = [
        "<h3>Nearly the same as an earlier picture</h3>",
        _shown_pairs(records, records, found.pairs["repeated"], said.repeated),
        "<h3>Held out from training, and nearly the same as a training picture</h3>",
        _shown_pairs(records, records, found.pairs["held out"], said.held_out_leaks),
    ]
    if found.test is not None:
        parts.append(f"<h3>In {escape(str(said.test))}, and nearly the same as a training picture</h3>")
        parts.append(_shown_pairs(found.test, records, found.pairs["test"], said.test_leaks))
    remark = (
        "By 64 bits of coarse structure, of which 6 may differ, and by colours at 4 x 4 pixels: this finds what was "
        "re-encoded, resized or hardly retouched, not what was mirrored, cropped or lit anew. What is held out follows "
        f"from the seed {said.how.seed} and the share {said.how.held_out:g}, as `pinxit train own` draws it."
    )
    return section("Repeated, and given away", *parts, note(remark))


def _shown_pairs(records: Records, others: Records, places: Sequence[tuple[int, int]], pairs: Sequence[Pair]) -> str:
    if not pairs:
        return note("None.")
    strips = []
    for (place, other), pair in list(zip(places, pairs, strict=True))[: SHOWN // 2]:
        two = figure(_thumbnail(records, place), "", pair.key) + figure(_thumbnail(others, other), "", pair.like)
        strips.append(f'<div class="strip">{two}</div>')
    named = [f"{pair.key} is like {pair.like}" for pair in pairs]
    return f'<div class="strips">{"".join(strips)}</div>' + names(f"All {len(pairs):,}", named)


def _worst(found: Findings) -> str:
    """The pictures that fare worst by each measure, the worst first."""
    fitting, kept, keys = found.fitting, found.fitting.bucket != DROPPED, found.records.keys
    height, width = np.array(found.records.sizes, float).reshape(-1, 2).T
    length = np.maximum(height / width, width / height)
    words = np.array([sum(len(one.text.split()) for one in captions) for captions in found.records.wordings()])
    kinds: tuple[tuple[str, np.ndarray, Callable[[float], str]], ...] = (
        ("Cropped most", np.where(kept, 1 - fitting.kept, 0), lambda value: f"{value:.0%} of its area is cut off"),
        (
            "Enlarged most",
            np.where(kept, fitting.scale, 0).clip(1) - 1,
            lambda value: f"{value + 1:.2f} times its size",
        ),
        ("Dropped, the longest", np.where(kept, 0, length), lambda value: f"{value:.1f}:1"),
        ("Most words", np.where(words > np.median(words), words, 0.0), lambda value: f"{value:.0f} words"),
    )
    parts = []
    for title, badness, say in kinds:
        worst = [place for place in np.argsort(-badness, kind="stable")[:SHOWN].tolist() if badness[place] > 0]
        figures = [figure(_thumbnail(found.records, place), say(badness[place]), keys[place]) for place in worst]
        if figures:
            parts.append(f'<h3>{escape(title)}</h3><div class="pictures">{"".join(figures)}</div>')
    return section("The worst", *parts) if parts else ""


def _licences(said: Audit) -> str:
    if said.licences is None:
        return section("Licences", note("No picture says under which licence it is: the import had no such column."))
    rows = [(name, f"{count:,}", f"{count / said.used:.1%}") for name, count in said.licences.items()]
    return section("Licences", table(("", "pictures", "share"), rows))


def _thumbnail(records: Records, place: int) -> str:
    """A picture small; what cannot be decoded any more is a grey field."""
    try:
        record = records[place]
    except DataError:
        return picture(Image.new("RGB", (SIDE, SIDE), "#888888"), "damaged")
    small = Image.fromarray(record.picture)
    small.thumbnail((SIDE, SIDE))
    return picture(small, record.key)
