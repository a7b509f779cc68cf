"""The page of a run: complete, self-contained, escaped, and honest about what is missing."""

import json
import re
from base64 import b64decode
from collections.abc import Iterable
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from pinxit.errors import DataError
from pinxit.recipes.page import write_page
from pinxit.recipes.sheet import lay
from tests.ledger.test_report import line, write

STAGES = {"pixels": (40_000, 64), "alignment": (300_000, 64), "aesthetics": (324_000, 96)}
NASTY = 'a <script>alert("1")</script> & a red fox'
CAPTIONS = (
    NASTY, "a 3D icon of a hot beverage on a pale blue background", "a green apple", "a snail, animal, nature",
    "an owl left of a red fire engine", "a slice of pizza", "a sailing boat on a dark background", "a crescent moon",
)  # fmt: skip
HARDWARE = {"processor": "Some Processor", "cores": 2, "accelerators": []}
PEAK = {
    "name": "p at most",
    "value": 2e12,
    "unit": "operations/s",
    "date": "2026-01-01",
    "source": "measured: a product",
}
VOID = {"meta", "img", "line", "polyline", "br"}


def draw_picture(seed: int, side: int, blur: float) -> Image.Image:
    """A coloured shape on a pale ground, the same for a seed but for size and sharpness."""
    random = np.random.default_rng(seed)
    light, dark = (tuple(int(x) for x in random.integers(low, high, 3)) for low, high in ((190, 250), (30, 200)))
    large = Image.new("RGB", (256, 256), light)
    pen = ImageDraw.Draw(large)
    box = (48, 40, 208, 216)
    (pen.ellipse, pen.rectangle)[seed % 2](box, dark)
    pen.ellipse((90, 90, 120, 120), (250, 250, 250))
    return large.filter(ImageFilter.GaussianBlur(blur)).resize((side, side))


def write_lines(file: Path, rows: Iterable[dict[str, object]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def fill(folder: Path) -> Path:
    """A run folder with everything that a page can show."""
    samples = folder / "samples"
    samples.mkdir(parents=True)
    (folder / "recipe.yaml").write_text("name: emoji & more\nseed: 0  # <the start>\nstages: {}\n")
    seeds = list(range(len(CAPTIONS)))
    index = []
    for (stage, (seen, side)), blur in zip(STAGES.items(), (24.0, 8.0, 2.0), strict=True):
        lay([draw_picture(seed, side, blur) for seed in seeds], 4).save(samples / f"{stage}.png")
        index.append({"stage": stage, "seen": seen, "file": f"{stage}.png", "captions": CAPTIONS, "seeds": seeds})
    (samples / "index.json").write_text(json.dumps(index))
    for name, blur in (("real", 0.0), ("ceiling", 1.0)):
        lay([draw_picture(seed, 96, blur) for seed in seeds], 4).save(samples / f"{name}.png")
    _write_numbers(folder)
    works = [
        {"name": "Fluent Emoji", "spdx": "MIT", "note": "Microsoft; the 3D style"},
        {"name": "Noto Emoji", "spdx": "Apache-2.0", "note": ""},
    ]
    (folder / "licences.json").write_text(json.dumps(works))
    return folder


def _write_numbers(folder: Path) -> None:
    random = np.random.default_rng(0)
    starts = dict(zip(STAGES, (0, 40_000, 300_000), strict=True))
    write_lines(
        folder / "steps.jsonl",
        (
            {"seen": seen, "stage": stage, "loss": float(0.4 + np.exp(-k / 40) + 0.08 * random.standard_normal())}
            | {"norm": 1.0, "learning_rate": 1e-3, "pictures_per_second": 260.0, "waited": 1.0}
            for stage, start in starts.items()
            for k, seen in enumerate(range(start + 128, STAGES[stage][0], 128))
        ),
    )
    write_lines(
        folder / "probe.jsonl",
        (
            {"seen": seen, "split": split, "loss": 0.5 + np.exp(-seen / 60_000) + gap * seen / 324_000}
            | {"stage": "alignment", "bands": [0.4, 0.5, None, 0.6123], "blind": [1.1, 1.2, None, 1.4567]}
            for seen in range(0, 324_000, 20_000)
            for split, gap in (("training", 0.0), ("held-out", 0.06))
        ),
    )
    write_lines(
        folder / "scores.jsonl",
        (
            {"stage": stage, "seen": STAGES[stage][0], "measure": measure, "value": best * part, "kind": kind}
            | {"low": best * part - 0.04, "high": best * part + 0.04, "n": 512, "ceiling": 0.97}
            for measure, best in (("right concept", 0.8), ("right style", 0.95))
            for kind in ("training", "held-out")
            for stage, part in (("alignment", 0.7), ("aesthetics", 1.0))
        ),
    )
    work = [
        ("pixels", "encode", 12_000, 61.0), ("pixels", "train", 40_000, 152.0), ("alignment", "train", 260_000, 1175.0),
        ("alignment", "sample", 64, 11.0), ("aesthetics", "train", 24_000, 240.0), ("aesthetics", "evaluate", 9, 88.0),
    ]  # fmt: skip
    write_lines(
        folder / "ledger.jsonl",
        (
            {"ended": "2026-11-23T10:00:00+00:00", "stage": stage, "phase": phase, "pictures": pictures}
            | {"seconds": seconds, "waited": seconds / 100, "bytes_read": pictures * 4096, "joules": 29.5 * seconds}
            | {"joules_source": "estimated", "joules_method": "some formula", "peak_bytes": 1_240_000_000}
            | {"peak_accelerator_bytes": 0, "hardware": HARDWARE}
            | ({"operations": 2e9 * pictures, "peak": PEAK} if phase == "train" else {})
            for stage, phase, pictures, seconds in work
        ),
    )
    planned = [
        {"stage": "pixels", "pictures": 40_000, "seconds": 180.0, "joules": 6000.0, "note": "left alone"}
        | {"operations": 8.1e13}
    ]
    (folder / "plan.json").write_text(json.dumps({"stages": planned, "peak": 1}))


class Outline(HTMLParser):
    """Tags, visible text, and whether every tag is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: Path) -> Outline:
    outline = Outline()
    outline.feed(page.read_text(encoding="utf-8"))
    assert outline.open == []
    return outline


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("runs") / "emoji")


def test_a_full_folder_gives_a_page_that_opens_without_a_network(folder: Path) -> None:
    page = write_page(folder, ["pinxit generate runs/emoji 'a fox'"])
    outline = read(page)
    assert page == folder / "report.html"
    assert not {"script", "link", "iframe"} & {tag for tag, _ in outline.tags}
    addresses = [
        value for _, attributes in outline.tags for name, value in attributes.items() if name in {"src", "href"}
    ]
    assert addresses
    assert all(address and address.startswith("data:image/") for address in addresses)
    assert not re.search(r"url\(|@import|https?://", page.read_text(encoding="utf-8"))


def test_the_page_shows_what_the_files_say(folder: Path) -> None:
    text = read(write_page(folder, ["pinxit generate runs/emoji 'a fox'"])).text
    for said in (
        "emoji & more", "seed: 0  # <the start>", "trained in 3 stages. It saw 324,000", "0.560", "0.520 to 0.600",
        "right style", "held-out, 512 pictures", "Fluent Emoji", "Apache-2.0", "planned 3 min 00 s", "1.0 %",
        "alignment, held-out", "knowing nothing", "0.612", "1.457",
        "some formula", "$28,400", "pinxit generate runs/emoji 'a fox'", *CAPTIONS,
    ):  # fmt: skip
        assert said in text, said
    assert "not there" not in text


def test_the_run_stands_in_the_papers_table_by_its_operations_or_not_at_all(folder: Path, tmp_path: Path) -> None:
    shown = write_page(folder).read_text(encoding="utf-8").partition("Beside published training")[2]
    assert '<th scope="row">PixArt-α</th><td>25,000,000</td><td>753 d</td><td>$28,400</td><td>≈ 400 kg</td>' in shown
    own = '<tr class=strong><th scope="row">this run</th>'
    assert f"{own}<td>324,000</td><td>≈ 11.3 s</td><td>≈ 0.49 ¢</td><td>–</td>" in shown
    assert "Not to be compared: its time, energy and CO2" in shown.partition("<details>")[0]
    assert "this run there: 648 TFLOP at A100 in training" in shown.partition("<details>")[2]
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    write(tmp_path, line("pixels", "train", 1, 1, 1.0))
    shown = write_page(tmp_path).read_text(encoding="utf-8").partition("Beside published training")[2]
    assert "PixArt-α" in shown
    assert own not in shown
    assert "This run has no place beside published training" in shown


def test_texts_from_files_cannot_become_markup(folder: Path) -> None:
    page = write_page(folder, ["<b>bold</b>"])
    outline = read(page)
    assert NASTY in outline.text
    assert "<b>bold</b>" in outline.text
    assert NASTY in {attributes.get("alt") for _, attributes in outline.tags}


def test_inlined_sheets_are_the_files_bit_for_bit(folder: Path) -> None:
    sources = [attributes["src"] or "" for tag, attributes in read(write_page(folder)).tags if tag == "img"]
    inlined = {b64decode(source.partition("base64,")[2]) for source in sources}
    for name in (*STAGES, "real", "ceiling"):
        assert (folder / "samples" / f"{name}.png").read_bytes() in inlined
    assert len(sources) == len(CAPTIONS) + len(STAGES) + 2


def test_each_picture_stands_above_its_own_caption(folder: Path) -> None:
    images = [attributes for tag, attributes in read(write_page(folder)).tags if tag == "img"]
    for seed, caption in enumerate(CAPTIONS):
        shown = next(image for image in images if image["alt"] == caption)
        pixels = np.asarray(Image.open(BytesIO(b64decode((shown["src"] or "").partition("base64,")[2]))))
        assert np.array_equal(pixels, np.asarray(draw_picture(seed, 96, 2.0)))


def compare(folder: Path) -> Path:
    """A run folder with samples before and after, the training pictures nearest to them, the real ones."""
    samples = folder / "samples"
    samples.mkdir(parents=True)
    (folder / "recipe.yaml").write_text("name: own\nstart: runs/first\n")
    asked = {"captions": ["a cat", "a dog", "a <hen>"], "seeds": [0, 1, 2], "splits": ["training"] * 2 + ["held out"]}
    for place, name in enumerate(("before", "after", "nearest", "real")):
        lay([draw_picture(10 * place + seed, 32, 0.0) for seed in range(3)], 8).save(samples / f"{name}.png")
    index = [
        {"stage": "before", "seen": 0, "file": "before.png", **asked},
        {"stage": "own", "seen": 320, "file": "after.png", "nearest": {"file": "nearest.png", "among": 9}, **asked},
    ]
    (samples / "index.json").write_text(json.dumps(index))
    return folder


def test_each_prompt_has_before_after_nearest_and_real_side_by_side(tmp_path: Path) -> None:
    outline = read(write_page(compare(tmp_path)))
    images = [attributes for tag, attributes in outline.tags if tag == "img"]
    labels = ("before", "own", "nearest training picture", "real picture")
    for seed, caption in enumerate(("a cat", "a dog", "a <hen>")):
        strip = images[4 * seed : 4 * seed + 4]
        assert [image["alt"] for image in strip] == [f"{label}: {caption}" for label in labels]
        for place, image in enumerate(strip):
            pixels = np.asarray(Image.open(BytesIO(b64decode((image["src"] or "").partition("base64,")[2]))))
            assert np.array_equal(pixels, np.asarray(draw_picture(10 * place + seed, 32, 0.0)))
    shown = outline.text.partition("What it draws")[2].partition("The same prompts")[0]
    assert shown.count("Caption of a training picture.") == 2
    assert shown.count("Caption of a held-out picture. Seed 2.") == 1
    assert "After own, 320 pictures seen." in shown
    assert "that of 9 training pictures" in shown
    assert "0 pictures seen" not in outline.text.replace("320 pictures seen", "")
    assert "It began with the weights of runs/first." in outline.text


def test_samples_of_other_prompts_are_not_set_beside_the_last(tmp_path: Path) -> None:
    index = json.loads((compare(tmp_path) / "samples" / "index.json").read_text())
    index[0]["seeds"] = [5, 6, 7]
    (tmp_path / "samples" / "index.json").write_text(json.dumps(index))
    alts = {attributes["alt"] for tag, attributes in read(write_page(tmp_path)).tags if tag == "img"}
    assert "own: a cat" in alts
    assert "before: a cat" not in alts


def test_the_grid_has_a_row_a_stage_and_a_column_a_seed(folder: Path) -> None:
    write_page(folder)
    with Image.open(folder / "samples" / "grid.png") as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(int)
    wanted = np.asarray(draw_picture(7, 96, 2.0)).astype(int)  # the last seed of the last stage: bottom right
    right, bottom = pixels.shape[1] - 12, pixels.shape[0] - 12
    assert np.array_equal(pixels[bottom - 96 : bottom, right - 96 : right], wanted)
    assert pixels.shape[0] == 24 + 3 * 96 + 2 * 4


def test_a_folder_with_a_recipe_alone_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("seed: 1\n")
    text = read(write_page(tmp_path)).text
    assert tmp_path.name in text
    for file in ("samples/index.json", "scores.jsonl", "steps.jsonl", "ledger.jsonl", "licences.json"):
        assert f"{file} is not there" in text
    assert "What to try next" not in text
    assert not (tmp_path / "samples").exists()


def test_a_folder_without_a_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"recipe\.yaml: there is no such file, so this is no run folder; name the"):
        write_page(tmp_path)


def test_a_file_that_cannot_be_read_is_named_with_its_field(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    write_lines(tmp_path / "steps.jsonl", [{"seen": "often", "stage": "pixels", "loss": 1.0}])
    with pytest.raises(DataError, match=r"steps\.jsonl: seen: .*'often'; mend or remove the file"):
        write_page(tmp_path)


def test_a_page_written_again_keeps_its_next_commands(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: emoji")
    commands = ["pinxit cost runs/emoji", "pinxit generate 'two\nlines'"]
    write_page(tmp_path, commands)
    text = read(write_page(tmp_path)).text
    assert "pinxit cost runs/emoji" in text
    assert "two" in text
