"""How fast an audit reads captions and looks at pictures, and how much memory it takes; nouns are left out.

    python benchmarks/audit.py [RECORDS] [WORDS]

RECORDS pictures of 64 x 64 pixels, one of 2,000 scenes each, with a caption of WORDS words on average (24) and one that
a captioner wrote, twice as long; words are drawn as often as in texts (Zipf) from 20,000 made-up ones. One JSON line:
seconds for the captions of both kinds, with the tokens of the default encoder, for the sizes and for the pictures;
`own_MiB` is this process's memory at its most, over what it had before.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pinxit.cli.data_audit import reader
from pinxit.data.bucket import buckets
from pinxit.data.fitting import fit_all
from pinxit.data.phrasing import phrase
from pinxit.data.picture import encode_png
from pinxit.data.record import Caption
from pinxit.data.records import Records, RecordWriter, Row, read_records
from pinxit.data.twin import sign, twins_of
from pinxit.data.wording import write_wording
from pinxit.ledger.meter import find_hardware, peak_memory
from pinxit.models.config import MiniLMConfig

SCENES, LEXICON = 2000, 20_000


def scene(random: np.random.Generator) -> bytes:
    """A few blobs on a ground."""
    image = Image.new("RGB", (64, 64), tuple(random.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for x, y, size in random.integers(4, 60, (4, 3)).tolist():
        pen.ellipse((x - size // 2, y - size // 2, x + size // 2, y + size // 2), tuple(random.integers(0, 256, 3)))
    return encode_png(np.asarray(image))


def texts(random: np.random.Generator, count: int, words: int) -> Iterator[str]:
    """Captions of made-up words."""
    letters = np.array(list("etaoinshrdlu"))
    lexicon = ["".join(random.choice(letters, size)) for size in random.integers(2, 9, LEXICON)]
    for length in random.poisson(words, count).tolist():
        yield " ".join(lexicon[place % LEXICON] for place in random.zipf(1.3, max(1, length)).tolist())


def build(folder: Path, count: int, words: int) -> None:
    """RECORDS with captions of two kinds."""
    random = np.random.default_rng(0)
    scenes = [scene(random) for _ in range(SCENES)]
    with RecordWriter(folder, "made-up", None, None, force=True) as writer:
        for number, text in enumerate(texts(random, count, words)):
            writer.add(Row(f"{number:07d}", scenes[number % SCENES], (64, 64), (Caption(text),)))
        writer.finish()
    written = ((text,) for text in texts(random, count, 2 * words))
    write_wording(folder, read_records(folder).wordings(imported=True), written, 0.5, {})


def last_of_each(records: Records, imported: bool) -> Iterator[list[str]]:
    """The imported caption of every picture, or the one that was written."""
    return ([one.text for one in captions[-1:]] for captions in records.wordings(imported=imported))


def main(count: int = 100_000, words: int = 24) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "records"
        build(folder, count, words)
        records, encoder = read_records(folder), reader(MiniLMConfig())
        before = peak_memory()
        marks = [time.perf_counter()]
        for imported in (True, False):
            phrase(partial(last_of_each, records, imported), count, encoder)
            marks.append(time.perf_counter())
        fit_all(np.array(records.sizes), buckets(256, 16)).uses(32)
        marks.append(time.perf_counter())
        twins_of(sign(records), np.zeros(count, bool), None)
        marks.append(time.perf_counter())
        short, long, sizes, pictures = (round(float(each), 1) for each in np.diff(marks))
        print(json.dumps({
            "records": count, "words": words, "short_s": short, "long_s": long, "sizes_s": sizes,
            "pictures_s": pictures, "pictures_a_second": round(count / pictures),
            "own_MiB": round((peak_memory() - before) / 2**20), "hardware": find_hardware().say(),
        }))  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
