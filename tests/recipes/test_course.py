"""The smallest recipe on real emoji art, whole: it learns, stops, goes on, hands over, exports, reloads and draws."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pinxit.data.emoji import load_art
from pinxit.errors import CheckpointError, DataError, Stopped
from pinxit.generate.load import load_pipeline
from pinxit.ledger.budget import read_budget
from pinxit.ledger.report import bill
from pinxit.models.dit import DiT
from pinxit.models.transformer import Transformer
from pinxit.recipes import course as course_module
from pinxit.recipes.course import Course, StageEnd
from pinxit.recipes.emoji import smallest
from pinxit.recipes.finish import save_model
from pinxit.recipes.material import PROBES
from pinxit.recipes.page import write_page
from pinxit.recipes.table import load_recipe
from pinxit.recipes.work import work_of
from pinxit.train.checkpoint import complete_checkpoints, read_place
from pinxit.train.run import StepReport
from pinxit.train.state import TrainState


@pytest.fixture(scope="module", autouse=True)
def _art() -> None:
    try:
        load_art(("Fxemoji",), 16)
    except DataError:
        pytest.skip("the emoji art is not there: pinxit data emoji")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Tensor], TrainState]:
    folder = tmp_path_factory.mktemp("straight")
    state = Course(smallest(), folder).run()
    save_model(smallest(), state, folder)
    return folder, {name: tensor.clone() for name, tensor in state.tensors().items()}, state


def test_all_stages_run_and_the_probe_loss_falls(straight: tuple[Path, Mapping[str, Tensor], TrainState]) -> None:
    folder, _, state = straight
    stages = smallest().stages
    assert state.seen == sum(stage.images for stage in stages.values())
    assert isinstance(state.model, Transformer)
    probes = [json.loads(line) for line in (folder / "probe.jsonl").read_text().splitlines()]
    assert {row["split"] for row in probes} == {"training", "held out"}
    training = [row["loss"] for row in probes if row["split"] == "training"]
    assert training[-1] < training[0]
    newest = complete_checkpoints(folder)[-1]
    assert load_recipe(str(newest / "recipe.yaml")) == load_recipe(str(folder / "recipe.yaml"))
    for row in probes:
        known = [each for each in row["bands"] if each is not None]
        assert min(known) <= row["loss"] <= max(known)
        assert [each is None for each in row["bands"]] == [each is None for each in row["blind"]]
    assert {json.loads(line)["stage"] for line in (folder / "steps.jsonl").read_text().splitlines()} == set(stages)


def test_a_stage_that_has_not_begun_may_be_changed_and_the_run_goes_on_from_the_changed_recipe(tmp_path: Path) -> None:
    stages = {name: smallest().stages[name] for name in ("pixels", "alignment")}
    course = Course(smallest().model_copy(update={"stages": stages}), tmp_path)

    def shorten(end: StageEnd) -> None:
        assert end.recipe == course.recipe
        if end.name == "pixels":
            short = stages["alignment"].model_copy(update={"images": 32})
            course.change(course.recipe.model_copy(update={"stages": stages | {"alignment": short}}))

    course.after_stage = [shorten]
    assert course.run().seen == 192 + 32
    saved = load_recipe(str(tmp_path / "recipe.yaml"))
    assert saved == course.recipe
    assert Course(saved, tmp_path).run().seen == 192 + 32
    with pytest.raises(CheckpointError, match="it holds a run of another recipe"):
        Course(smallest().model_copy(update={"stages": stages}), tmp_path).run()


def test_the_ledger_counts_every_step_and_every_probe_loss(
    straight: tuple[Path, Mapping[str, Tensor], TrainState],
) -> None:
    recipe, found = smallest(), bill(straight[0])
    counted = {item.stage: item.operations for item in found.items if item.phase == "train"}
    planned = {one.stage: one.operations for one in found.plan.stages if one.phase == "train"}
    assert list(counted) == list(planned) == list(recipe.stages)
    stage = recipe.stages["alignment"]
    work = work_of(recipe, stage, is_padded=False)
    assert counted["alignment"] == 192 * work.picture + 12 * work.step + 3 * 2 * PROBES * work.network.forward
    assert counted == pytest.approx(planned, rel=1e-9)


def test_a_probe_loss_after_the_last_step_is_on_the_clock_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = smallest().model_copy(update={"probe_every": 1_000, "stages": {"pixels": smallest().stages["pixels"]}})
    phases: list[object] = []
    measure = course_module.probe

    def watched(*given: Any) -> Callable[[TrainState], None]:
        look = measure(*given)

        def action(state: TrainState) -> None:
            phases.append(run.meter._work)
            look(state)

        return action

    monkeypatch.setattr(course_module, "probe", watched)
    run = Course(recipe, tmp_path)
    run.run()
    assert phases == [("pixels", "train")]
    found = bill(tmp_path)
    (planned,) = (one for one in found.plan.stages if one.phase == "train")
    assert [item.operations for item in found.phases("pixels")][1] == planned.operations


def test_a_run_keeps_its_plan_and_a_spent_budget_ends_it_with_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match=r"the budget of 1.00 ms is spent: stopped and saved at 16 pictures seen") as stop:
        Course(smallest(), tmp_path, budget=read_budget("0.001 s")).run()
    assert stop.value.signal == 0
    assert read_place(complete_checkpoints(tmp_path)[-1])["seen"] == 16
    planned = bill(tmp_path).plan
    assert [one.stage for one in planned.stages if one.phase == "train"] == list(smallest().stages)
    kept = (tmp_path / "plan.json").read_bytes()
    with pytest.raises(Stopped, match="stopped and saved at 32 pictures seen"):
        Course(smallest(), tmp_path, budget=read_budget("0.001 Wh")).run()
    assert (tmp_path / "plan.json").read_bytes() == kept
    with pytest.raises(Stopped):
        Course(smallest(), tmp_path, budget=read_budget("$0.0000001")).run()


@pytest.mark.parametrize("stop", [176, 192, 208, 400])
def test_a_run_stopped_anywhere_and_resumed_equals_a_straight_one_to_the_last_bit(
    straight: tuple[Path, Mapping[str, Tensor], TrainState],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop: int,
) -> None:
    follow = course_module.follow_average

    def strike(examples: int) -> object:
        hook = follow(examples)

        def both(state: TrainState, report: StepReport) -> None:
            hook(state, report)
            if state.seen == stop:
                os.kill(os.getpid(), signal.SIGTERM)

        return both

    (tmp_path / "cache").symlink_to(straight[0] / "cache")
    monkeypatch.setattr(course_module, "follow_average", strike)
    with pytest.raises(Stopped) as stopped:
        Course(smallest(), tmp_path).run()
    assert stopped.value.signal == signal.SIGTERM
    assert read_place(complete_checkpoints(tmp_path)[-1])["seen"] == stop
    monkeypatch.setattr(course_module, "follow_average", follow)
    resumed = Course(smallest(), tmp_path).run().tensors()
    for name, tensor in straight[1].items():
        assert torch.equal(tensor, resumed[name]), name
    lines = (straight[0] / "steps.jsonl").read_text().splitlines(), (tmp_path / "steps.jsonl").read_text().splitlines()
    assert [json.loads(a)["loss"] for a in lines[0]] == [json.loads(b)["loss"] for b in lines[1]]


def test_a_kill_between_the_end_of_a_stage_and_the_next_goes_on_right(
    straight: tuple[Path, Mapping[str, Tensor], TrainState], tmp_path: Path
) -> None:
    (tmp_path / "cache").symlink_to(straight[0] / "cache")

    class PowerCutError(Exception):
        pass

    def cut(_: object) -> None:
        raise PowerCutError

    with pytest.raises(PowerCutError):
        Course(smallest(), tmp_path, after_stage=[cut]).run()
    assert read_place(complete_checkpoints(tmp_path)[-1]) == {"seed": 0, "stage": 0, "seen": 192, "started": 0}
    resumed = Course(smallest(), tmp_path).run().tensors()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in straight[1].items())


def test_a_stage_that_teaches_captions_begins_as_the_class_network_without_class(
    straight: tuple[Path, Mapping[str, Tensor], TrainState], tmp_path: Path
) -> None:
    (tmp_path / "cache").symlink_to(straight[0] / "cache")
    ends: list[TrainState] = []
    recipe = smallest()
    only = {
        "pixels": recipe.stages["pixels"],
        "alignment": recipe.stages["alignment"].model_copy(update={"images": 16}),
    }
    Course(recipe.model_copy(update={"stages": only}), tmp_path, after_stage=[lambda end: ends.append(end.state)]).run()
    from pinxit.recipes.build import begin_stage

    dit = ends[0]
    begun = begin_stage(recipe, 1, factor=8, classes=dit.model.classes, before=dit)  # type: ignore[arg-type]
    x, half = torch.randn(2, 16, 4, 4), torch.full((2,), 500.0)
    caption, keep = torch.randn(2, 5, 384), torch.ones(2, 5, dtype=torch.bool)
    for old, new in ((dit.model, begun.model), (dit.average.model, begun.average.model)):
        assert isinstance(old, DiT)
        with torch.no_grad():
            old.label.weight[old.classes] = 0  # without class: zero
        nobody = torch.full((2,), old.classes)
        torch.testing.assert_close(new(x, half, caption, keep), old(x, half, nobody), rtol=1e-4, atol=1e-5)


def test_more_hooks_see_every_step_once_wherever_the_run_is_stopped(
    straight: tuple[Path, Mapping[str, Tensor], TrainState], tmp_path: Path
) -> None:
    (tmp_path / "cache").symlink_to(straight[0] / "cache")
    stage = smallest().stages["alignment"].model_copy(update={"images": 64})
    recipe = smallest().model_copy(update={"stages": {"alignment": stage}})
    seen: list[int] = []

    def hook(state: TrainState, _: StepReport) -> None:
        seen.append(state.seen)
        if seen == [16, 32]:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped):
        Course(recipe, tmp_path, after_step=[hook]).run()
    Course(recipe, tmp_path, after_step=[hook]).run()
    assert seen == [16, 32, 48, 64]


def test_a_folder_with_another_recipes_run_is_refused(
    straight: tuple[Path, Mapping[str, Tensor], TrainState],
) -> None:
    with pytest.raises(CheckpointError, match="another recipe"):
        Course(smallest().model_copy(update={"seed": 1}), straight[0]).run()


def test_the_finished_run_draws_the_same_picture_for_a_seed_whatever_the_batch(
    straight: tuple[Path, Mapping[str, Tensor], TrainState],
) -> None:
    pipeline = load_pipeline(straight[0])
    settings = pipeline.card.sampling
    alone = [next(pipeline.draw([p], [s], settings)).picture for p, s in (("an owl", 3), ("a kite on pink", 4))]
    together = [d.picture for d in pipeline.draw(["an owl", "a kite on pink", "a fox"], [3, 4, 5], settings)]
    for one, other in zip(alone, together, strict=False):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
    assert not np.array_equal(together[0], together[2])


def test_weights_refuse_encoders_they_were_not_trained_with(
    straight: tuple[Path, Mapping[str, Tensor], TrainState],
) -> None:
    pipeline = load_pipeline(straight[0])
    other = pipeline.text.identity.model_copy(update={"length": 12})
    pipeline.text.identity = other
    from pinxit.generate.pipeline import Pipeline

    with pytest.raises(CheckpointError, match="length=12"):
        Pipeline(pipeline.network, pipeline.null, pipeline.card, pipeline.autoencoder, pipeline.text)


def test_the_page_of_the_run_is_one_file(straight: tuple[Path, Mapping[str, Tensor], TrainState]) -> None:
    page = write_page(straight[0], ["pinxit --help"]).read_text(encoding="utf-8")
    assert 'src="http' not in page
    assert "alignment" in page


def test_a_recipe_written_in_another_notation_is_the_same_recipe(
    straight: tuple[Path, Mapping[str, Tensor], TrainState],
) -> None:
    file = straight[0] / "recipe.yaml"
    text = file.read_text()
    file.write_text("# mine\n" + text.replace("learning_rate: 0.001", "learning_rate: 1.0e-3"))
    assert file.read_text() != text
    assert Course(smallest(), straight[0]).run().seen == straight[2].seen
    file.write_text(text)
