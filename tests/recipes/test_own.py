"""Own pictures: from a folder to a model that went on from given weights, with its page."""

import json
import re
import shlex
import shutil
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pinxit.cli.main import main
from pinxit.data.bucket import Bucket, fit
from pinxit.data.emoji import load_art
from pinxit.data.kind import Caption, Pixels, Record
from pinxit.data.original import SourceRules
from pinxit.data.records import Records, import_records, read_records, write_records
from pinxit.data.source import read_source
from pinxit.errors import ConfigError, DataError
from pinxit.generate.card import Licence, read_card
from pinxit.generate.load import load_pipeline
from pinxit.generate.stored import read_model, write_model
from pinxit.models.config import MiniLMConfig
from pinxit.recipes.emoji import smallest
from pinxit.recipes.finish import OWN
from pinxit.recipes.material import open_material
from pinxit.recipes.own import Gallery, open_gallery, spread, train_recipe
from pinxit.recipes.recipe import Recipe, RecordsDataConfig
from pinxit.recipes.sheet import cut
from pinxit.recipes.table import RECIPES, dump_recipe, load_recipe

PAINTINGS = Licence(name="paintings", spdx="CC-BY-4.0", note="somebody")
COLOURS = ("red", "green", "blue", "orange", "purple", "teal")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    for index in range(12):
        colour = COLOURS[index % 6]
        image = Image.new("RGB", (48 + 8 * (index % 3), 48), "white")
        shape = "ellipse" if index < 6 else "rectangle"
        getattr(ImageDraw.Draw(image), shape)((8, 8, 40, 40), fill=colour)
        image.save(folder / f"{index:02d}.png")
        (folder / f"{index:02d}.txt").write_text(f"a {colour} {shape}")
    records = tmp_path_factory.mktemp("records") / "own"
    import_records(read_source(folder), records, "own", SourceRules(), tokens=None, force=False)
    return records


def recipe_for(records: Path, start: str | None = None) -> Recipe:
    base = smallest()
    stage = base.stages["alignment"].model_copy(
        update={"data": RecordsDataConfig(folder=str(records), held_out=0.25), "images": 48, "batch": 8}
    )
    return base.model_copy(update={"name": "own", "stages": {"own": stage}, "start": start, "probe_every": 16})


def read_index(folder: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads((folder / "samples" / "index.json").read_text(encoding="utf-8"))
    return rows


def cells(folder: Path, name: str, number: int) -> list[Pixels]:
    with Image.open(folder / "samples" / f"{name}.png") as opened:
        return [np.asarray(cell) for cell in cut(opened.convert("RGB"), number, name)]


@pytest.fixture(scope="module")
def runs(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run from scratch, whose weights came from somebody's paintings, and one that went on from it."""
    home = tmp_path_factory.mktemp("it's a place")
    train_recipe(recipe_for(pictures), home / "scratch")
    network, null, card, _ = read_model(home / "scratch" / "model.safetensors")
    card = card.model_copy(update={"licences": (PAINTINGS,)})
    write_model(home / "start.safetensors", network, null, card)
    train_recipe(recipe_for(pictures, str(home / "start.safetensors")), home / "on")
    return home / "scratch", home / "on"


def test_own_pictures_go_on_from_given_weights(runs: tuple[Path, Path]) -> None:
    first, second = (
        [json.loads(line) for line in (run / "probe.jsonl").read_text(encoding="utf-8").splitlines()] for run in runs
    )
    assert {row["split"] for row in second} == {"training", "held out"}
    assert second[0]["loss"] < first[0]["loss"]  # it did not start again
    assert read_card(runs[1] / "model.safetensors").seen == 48


def test_a_learned_null_is_in_the_file_and_goes_on_from_there(pictures: Path, tmp_path: Path) -> None:
    first = recipe_for(pictures).model_copy(update={"null": "learned"})
    train_recipe(first, tmp_path / "first")
    _, begun, card, _ = read_model(tmp_path / "first" / "model.safetensors")
    assert begun.kind == card.null == "learned"
    train_recipe(first.model_copy(update={"start": str(tmp_path / "first")}), tmp_path / "second")
    _, ended, _, _ = read_model(tmp_path / "second" / "model.safetensors")
    assert begun.states.shape == ended.states.shape == (64, 384)
    assert 0 < (begun.states - ended.states).abs().max() < 0.5 * begun.states.abs().max()


def test_weights_of_another_text_encoder_are_refused_before_anything_is_drawn(
    runs: tuple[Path, Path], pictures: Path, tmp_path: Path
) -> None:
    other = recipe_for(pictures, str(runs[0])).model_copy(update={"text": MiniLMConfig(length=32)})
    with pytest.raises(ConfigError, match=r"text\.length is 64 and should be 32"):
        train_recipe(other, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_samples_before_and_after_are_of_the_same_prompts_and_seeds(runs: tuple[Path, Path], pictures: Path) -> None:
    before, after = read_index(runs[1])
    assert [before["stage"], after["stage"]] == ["before", "own"]
    assert [before["seen"], after["seen"]] == [0, 48]
    assert all(before[name] == after[name] for name in ("captions", "seeds", "splits"))
    assert len(set(map(str, after["captions"]))) == 8  # type: ignore[call-overload]
    start, end = load_pipeline(runs[1].parent / "start.safetensors"), load_pipeline(runs[1])
    for pipeline, row, name in ((start, before, "before"), (end, after, "after")):
        drawn = pipeline.draw(row["captions"], row["seeds"], end.card.sampling, (32, 32))  # type: ignore[arg-type]
        for drawing, shown in zip(drawn, cells(runs[1], name, 8), strict=True):
            assert np.array_equal(drawing.picture, shown)
    assert [row["stage"] for row in read_index(runs[0])] == ["own"]  # from scratch there is nothing before


def test_prompts_say_which_pictures_they_are_of_and_real_ones_stand_beside(
    runs: tuple[Path, Path], pictures: Path
) -> None:
    (_, row), records = read_index(runs[1]), read_records(pictures)
    held_out = {records.captions(place)[0].text for place in places_held_out(runs[1], pictures)}
    assert len(held_out) == 3
    assert row["splits"] == ["training"] * 5 + ["held out"] * 3
    captions: list[str] = row["captions"]  # type: ignore[assignment]
    assert set(captions[5:]) == held_out
    assert not set(captions[:5]) & held_out
    by_caption = {records.captions(place)[0].text: records[place].picture for place in range(12)}
    for caption, shown in zip(captions, cells(runs[1], "real", 8), strict=True):
        assert np.array_equal(shown, fit(by_caption[caption], Bucket(32, 32)))


def places_held_out(run: Path, pictures: Path) -> list[int]:
    """The import's pictures that the run's probes call held out."""
    recipe = load_recipe(str(run / "recipe.yaml"))
    material = open_material(recipe, recipe.stages["own"], run)
    keys = {key for batch in material.probes["held out"] for key in batch.keys}
    return [place for place, record in enumerate(read_records(pictures)) if record.key in keys]


def test_the_nearest_is_a_training_picture_even_for_a_held_out_prompt_and_each_is_decoded_once(
    runs: tuple[Path, Path], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(str(runs[1] / "recipe.yaml"))
    gallery = open_gallery(recipe, open_material(recipe, recipe.stages["own"], runs[1]), runs[1])
    held_out, records = set(places_held_out(runs[1], pictures)), read_records(pictures)
    known = [place for place in range(12) if place not in held_out]
    assert list(gallery.training) == known
    training = {fit(records[place].picture, Bucket(32, 32)).tobytes() for place in known}
    assert all(cell.tobytes() in training for cell in cells(runs[1], "nearest", 8))
    assert read_index(runs[1])[1]["nearest"] == {"file": "nearest.png", "among": 9}
    decoded: list[int] = []
    read = Records.__getitem__
    monkeypatch.setattr(Records, "__getitem__", lambda self, place: [decoded.append(place), read(self, place)][1])
    monkeypatch.setattr(Gallery, "_draw", lambda self, _: [self._fitted(one.place) for one in self.shown])
    folder = runs[1].parent / "perfect"
    perfect = replace(gallery, samples=folder / "samples")
    decoded.clear()
    perfect.show_after(load_pipeline(runs[1]), "own", 48)
    assert sorted(decoded) == sorted(known + 2 * [one.place for one in gallery.shown])  # drawn, real, and one pass
    same = [np.array_equal(a, b) for a, b in zip(cells(folder, "nearest", 8), cells(folder, "real", 8), strict=True)]
    assert same == [True] * 5 + [False] * 3  # a held-out picture is not its own nearest


def test_pictures_that_left_the_import_are_named(runs: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = load_recipe(str(runs[1] / "recipe.yaml"))
    material = open_material(recipe, recipe.stages["own"], runs[1])
    grey = np.zeros((32, 32, 3), np.uint8)
    write_records([Record("other", grey, (Caption("grey"),))], tmp_path / "less", "less")
    material.stage = material.stage.model_copy(update={"data": RecordsDataConfig(folder=str(tmp_path / "less"))})
    with pytest.raises(DataError, match=r"12 pictures that the run has encoded are no longer there, .*; import"):
        open_gallery(recipe, material, runs[1])


@pytest.mark.parametrize(
    ("count", "most", "wanted"), [(0, 4, []), (1, 4, [0]), (4, 4, [0, 1, 2, 3]), (9, 3, [0, 4, 8])]
)
def test_places_are_spread_evenly(count: int, most: int, wanted: list[int]) -> None:
    assert spread(range(count), most) == wanted


def test_licences_of_the_weights_it_began_with_are_carried_on(runs: tuple[Path, Path]) -> None:
    for run, wanted in zip(runs, ((OWN,), (PAINTINGS, OWN)), strict=True):
        assert read_card(run / "model.safetensors").licences == wanted
        assert json.loads((run / "licences.json").read_text()) == [licence.model_dump() for licence in wanted]
    assert "paintings" in (runs[1] / "report.html").read_text(encoding="utf-8")


def test_the_page_shows_all_of_it(runs: tuple[Path, Path]) -> None:
    page = unescape((runs[1] / "report.html").read_text(encoding="utf-8"))
    for said in (
        "before: a red ellipse", "own: a red ellipse", "nearest training picture: a red ellipse",
        "real picture: a red ellipse", "Caption of a training picture", "Caption of a held-out picture",
        "After own, 48 pictures seen", "of 9 training pictures", "probe loss: training, held out",
        "the user's own pictures", "before the first picture",
    ):  # fmt: skip
        assert said in page, said
    assert " 0 pictures seen" not in page
    assert "Not there to compare with" not in page


def test_a_finished_run_that_is_asked_for_again_keeps_its_sheet_of_before(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    again = tmp_path / "again"
    shutil.copytree(runs[1], again, symlinks=True)
    shutil.copy(again / "samples" / "real.png", again / "samples" / "before.png")
    train_recipe(load_recipe(str(again / "recipe.yaml")), again)
    assert (again / "samples" / "before.png").read_bytes() == (runs[1] / "samples" / "real.png").read_bytes()
    assert (again / "samples" / "after.png").read_bytes() == (runs[1] / "samples" / "after.png").read_bytes()
    assert read_index(again) == read_index(runs[1])


def test_a_run_on_emoji_art_is_to_be_tried_with_its_own_style(tmp_path: Path) -> None:
    try:
        load_art(("Fxemoji",), 16)
    except DataError:
        pytest.skip("the emoji art is not there: pinxit data emoji")
    base = smallest()
    stage = base.stages["alignment"].model_copy(update={"images": 16})
    page = train_recipe(base.model_copy(update={"stages": {"alignment": stage}}), tmp_path / "run")
    command = f"pinxit generate --from {tmp_path / 'run'} 'a Fxemoji rocket on a pink background'"
    assert command in unescape(page.read_text(encoding="utf-8"))
    assert "Fxemoji emoji art by Mozilla" in page.read_text(encoding="utf-8")


def test_the_commands_of_the_page_work_as_printed(
    runs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = unescape((runs[1] / "report.html").read_text(encoding="utf-8"))
    commands = re.findall(r"<li><pre><code>(.*?)</code>", page)
    assert [command.split()[1] for command in commands] == ["generate", "cost", "train"]
    monkeypatch.chdir(tmp_path)
    for command in commands:
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        with pytest.raises(SystemExit) as ended:
            sys.exit(main())
        assert not ended.value.code, command
    assert (tmp_path / "drawn" / "000.png").is_file()
    (again,) = Path(f"{runs[1]}-longer").glob("report.html")
    assert "96 pictures seen" in again.read_text(encoding="utf-8")


def test_a_recipe_file_names_its_base_and_what_differs(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("base: own\nstages:\n  own:\n    images: 320\n    data: {folder: data/cats}\n")
    recipe = load_recipe(str(file))
    assert recipe.stages["own"].images == 320
    assert recipe.stages["own"].data == RecordsDataConfig(folder="data/cats")
    assert recipe.stages["own"].batch == RECIPES["own"]().stages["own"].batch


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_of_the_table_survives_its_yaml(name: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(dump_recipe(RECIPES[name]()))
    assert load_recipe(str(tmp_path / "recipe.yaml")) == RECIPES[name]()


def test_a_stage_set_to_nothing_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("base: demo\nstages:\n  aesthetics:\n")
    assert list(load_recipe(str(tmp_path / "a.yaml")).stages) == ["pixels", "alignment"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("base: nowhere", "none of"), ("- a list", "no settings"), ("a: [", "not YAML")],
)
def test_a_recipe_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_recipe(str(tmp_path / "a.yaml"))


def test_the_papers_recipe_has_its_numbers() -> None:
    stages = RECIPES["pixart"]().stages
    images = {name: stage.images for name, stage in stages.items()}
    assert images["pixels"] == 300_000 * 1024
    assert images["alignment"] == 150_000 * 11_392
    assert [stage.resolution for stage in stages.values()] == [256, 256, 256, 512, 1024]
    assert {stage.optimizer.learning_rate for stage in stages.values()} == {2e-5}
    from pinxit.recipes.pixart import paper

    rates = [stage.optimizer.learning_rate for stage in paper(scale_rate=True).stages.values()]
    assert rates[1] == pytest.approx(1.33e-4, rel=0.01)
    assert rates[4] == pytest.approx(2.45e-5, rel=0.01)
