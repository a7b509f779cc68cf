"""What stages ask: the formula beside the networks that a run builds, padded and mean captions, unknown data."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from pinxit.data.original import SourceRules
from pinxit.data.records import import_records
from pinxit.data.source import read_source
from pinxit.recipes.build import begin_stage
from pinxit.recipes.emoji import demo, smallest
from pinxit.recipes.few import few
from pinxit.recipes.pixart import paper
from pinxit.recipes.recipe import Recipe, RecordsDataConfig
from pinxit.recipes.work import FACTOR, cached, caption_tokens, classes, pictures, tokens, work_of
from pinxit.train.config import OptimizerConfig


def muon(recipe: Recipe) -> Recipe:
    stages = {
        name: stage.model_copy(update={"optimizer": OptimizerConfig(kind="muon")})
        for name, stage in recipe.stages.items()
    }
    return recipe.model_copy(update={"stages": stages})


@pytest.mark.parametrize("recipe", [smallest(), muon(smallest())], ids=["adamw", "muon"])
@pytest.mark.parametrize("index", [0, 1])
def test_parameters_and_moments_are_those_of_the_state_that_a_run_builds(recipe: Recipe, index: int) -> None:
    stage = list(recipe.stages.values())[index]
    work = work_of(recipe, stage, is_padded=False)
    state = begin_stage(recipe, index, factor=FACTOR, classes=classes(stage), before=None)
    assert work.network.parameters == sum(p.numel() for p in state.model.parameters())
    for parameter in state.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    state.optimizer.step(0, 1.0)
    moments = sum(t.numel() * 4 for name, t in state.optimizer.state_dict().items() if not name.endswith("/step"))
    slack = 0 if index or recipe == smallest() else 4 * 33 * 100  # the classes' embedding goes with Muon too
    assert moments <= work.moments <= moments + slack + 4 * (classes(stage) + 1) * recipe.network.width


def test_a_student_of_few_steps_is_asked_four_times_and_its_teacher_held() -> None:
    recipe = few()
    stage = next(iter(recipe.stages.values()))
    work = work_of(recipe, stage, is_padded=False)
    assert work.picture == work.network.training + 3 * work.network.forward
    assert work.beside == work.network.parameters


def test_a_stage_is_its_pictures_its_steps_and_its_looks() -> None:
    recipe = muon(smallest())
    stage = recipe.stages["alignment"]
    work = work_of(recipe, stage, is_padded=False)
    assert work.step > 0
    looks = 3 * 128 * work.network.forward
    assert work.operations(stage, 64) == 192 * work.picture + 12 * work.step + looks
    assert work.operations(stage, 1_000) == work.operations(stage, 64) - 2 * looks / 3  # one look, at the end


def test_tokens_follow_the_resolution_and_captions_the_data() -> None:
    recipe = paper()
    assert [tokens(recipe, stage) for stage in recipe.stages.values()] == [256, 256, 256, 1024, 4096]
    assert caption_tokens(recipe, recipe.stages["alignment"], is_padded=False) == 120  # nobody has seen its captions
    stage = demo().stages["alignment"]
    assert caption_tokens(demo(), stage, is_padded=False) < caption_tokens(demo(), stage, is_padded=True) <= 64
    mixed, bare = (
        stage.model_copy(update={"data": stage.data.model_copy(update={"sparse": share})}) for share in (0.5, 1.0)
    )
    counts = [caption_tokens(demo(), each, is_padded=False) for each in (bare, mixed, stage)]
    assert counts == [8, 14, 20]


def test_pictures_are_counted_where_they_can_be() -> None:
    assert pictures(demo().stages["alignment"]) == 9_064
    assert pictures(paper().stages["alignment"]) == 10_000_000
    nowhere = demo().stages["alignment"].model_copy(update={"data": RecordsDataConfig(folder="nowhere")})
    assert pictures(nowhere) is None


def test_a_cached_picture_is_its_latent_twice_and_its_captions_states() -> None:
    recipe = paper()
    assert cached(recipe, recipe.stages["alignment"]) == 2 * (2 * 4 * 32 * 32 + 120 * 4096)


def test_own_pictures_are_counted_and_their_captions_looked_at(tmp_path: Path) -> None:
    for index, caption in enumerate(("a red fox", "seven words of a somewhat longer caption")):
        Image.new("RGB", (48, 48), "white").save(tmp_path / f"{index}.png")
        (tmp_path / f"{index}.txt").write_text(caption)
    import_records(read_source(tmp_path), tmp_path / "own", "own", SourceRules(), tokens=None, force=False)
    stage = demo().stages["alignment"].model_copy(update={"data": RecordsDataConfig(folder=str(tmp_path / "own"))})
    assert pictures(stage) == 2
    assert caption_tokens(demo(), stage, is_padded=False) == round((3 + 7) / 2 * 1.3 + 2)
    assert caption_tokens(demo(), stage, is_padded=True) == round(7 * 1.3 + 2)
