"""Own pictures: from a folder to a model that went on from given weights, with its page."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from pinxit.data.original import SourceRules
from pinxit.data.records import import_records, read_records
from pinxit.data.source import read_source
from pinxit.errors import ConfigError
from pinxit.generate.card import read_card
from pinxit.recipes.emoji import smallest
from pinxit.recipes.own import nearest, train_recipe
from pinxit.recipes.recipe import Recipe, RecordsDataConfig
from pinxit.recipes.table import RECIPES, dump_recipe, load_recipe

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


def test_own_pictures_go_on_from_given_weights_and_get_their_page(pictures: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    train_recipe(recipe_for(pictures), scratch)
    page = train_recipe(recipe_for(pictures, str(scratch)), tmp_path / "on")
    index = json.loads((tmp_path / "on" / "samples" / "index.json").read_text())
    assert [row["stage"] for row in index] == ["before", "own", "nearest training picture"]
    assert "nearest training picture" in page.read_text(encoding="utf-8")
    first = [json.loads(line) for line in (tmp_path / "scratch" / "probe.jsonl").read_text().splitlines()]
    second = [json.loads(line) for line in (tmp_path / "on" / "probe.jsonl").read_text().splitlines()]
    assert {row["split"] for row in second} == {"training", "held out"}
    assert second[0]["loss"] < first[0]["loss"]  # it did not start again
    assert read_card(tmp_path / "on" / "model.safetensors").seen == 48


def test_a_training_picture_is_its_own_nearest(pictures: Path) -> None:
    records = read_records(pictures)
    drawn = [records[place].picture[:, :48] for place in (0, 3, 6, 9)]
    found = nearest(drawn, records)
    assert all((torch.tensor(a) == torch.tensor(b)).float().mean() > 0.9 for a, b in zip(drawn, found, strict=True))


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
