"""A student of few steps, whole: it begins as its teacher, learns, stops, goes on, is saved and draws."""

import os
import signal
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from pinxit.data.emoji import load_art
from pinxit.diffusion.config import IDDPMConfig
from pinxit.errors import DataError, Stopped
from pinxit.generate.card import SHIPPED, read_card
from pinxit.generate.config import SamplingConfig
from pinxit.generate.load import load_pipeline
from pinxit.recipes import course as course_module
from pinxit.recipes.build import process_config
from pinxit.recipes.course import Course, StageEnd
from pinxit.recipes.emoji import smallest
from pinxit.recipes.few import few
from pinxit.recipes.finish import save_model
from pinxit.recipes.own import settings_for
from pinxit.recipes.recipe import Recipe, StageConfig
from pinxit.train.config import AverageConfig
from pinxit.train.run import StepReport
from pinxit.train.state import TrainState


@pytest.fixture(scope="module", autouse=True)
def _art() -> None:
    try:
        load_art(("Fxemoji",), 16)
    except DataError:
        pytest.skip("the emoji art is not there: pinxit data emoji")


def recipe() -> Recipe:
    """The smallest recipe's stage of captions, then a student of it."""
    base = smallest()
    text = base.stages["alignment"]
    student = text.model_copy(
        update={"teaches": "steps", "images": 96, "dropout": 0.0, "average": AverageConfig(memory=64, share=1.0)}
    )
    sampling = SamplingConfig(solver="consistency", steps=4, guidance=1.0)
    return base.model_copy(update={"stages": {"alignment": text, "few": student}, "sampling": sampling})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainState, list[dict[str, torch.Tensor]]]:
    folder, ends = tmp_path_factory.mktemp("few"), []

    def note(end: StageEnd) -> None:
        ends.append({name: tensor.clone() for name, tensor in end.state.tensors().items()})

    state = Course(recipe(), folder, after_stage=[note]).run()
    save_model(recipe(), state, folder)
    return folder, state, ends


def test_the_teacher_is_the_average_of_the_stage_before_and_stays(
    run: tuple[Path, TrainState, list[dict[str, torch.Tensor]]],
) -> None:
    _, state, (before, after) = run
    for name, _ in state.model.named_parameters():
        assert torch.equal(after[f"target/teacher.{name}"], before[f"average/{name}"])
    assert any(not torch.equal(after[f"model/{name}"], before[f"average/{name}"]) for name in state.model.state_dict())


def test_a_student_stopped_and_resumed_is_one_taught_straight_through(
    run: tuple[Path, TrainState, list[dict[str, torch.Tensor]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow, (folder, state, _) = course_module.follow_average, run

    def strike(examples: int) -> object:
        hook = follow(examples)

        def both(now: TrainState, report: StepReport) -> None:
            hook(now, report)
            if now.seen == 192 + 48:
                os.kill(os.getpid(), signal.SIGTERM)

        return both

    (tmp_path / "cache").symlink_to(folder / "cache")
    monkeypatch.setattr(course_module, "follow_average", strike)
    with pytest.raises(Stopped):
        Course(recipe(), tmp_path).run()
    monkeypatch.setattr(course_module, "follow_average", follow)
    resumed = Course(recipe(), tmp_path).run().tensors()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in state.tensors().items())


def test_the_file_carries_its_schedule_and_draws_in_few_steps(
    run: tuple[Path, TrainState, list[dict[str, torch.Tensor]]],
) -> None:
    pipeline = load_pipeline(run[0])
    settings = pipeline.card.sampling
    assert (settings.solver, settings.steps, settings.anchors, settings.guidance) == ("consistency", 4, 50, 1.0)
    calls: list[float] = []
    pipeline.network.patch.register_forward_hook(lambda *_: calls.append(1))
    for steps in (1, 2, 4, 8):
        calls.clear()
        (drawing,) = pipeline.draw(["an owl"], [0], settings.model_copy(update={"steps": steps}))
        assert drawing.picture.shape == (32, 32, 3)
        assert len(calls) == steps


TWICE = recipe().network.model_copy(update={"outputs": 2})


def tree(**changes: object) -> dict[str, object]:
    return {**recipe().model_dump(), **changes}


def stages(*names: str) -> dict[str, StageConfig]:
    known = {**smallest().stages, **recipe().stages}
    return {name: known[name] for name in names}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"stages": stages("few")}, "student of the weights before it"),
        ({"stages": stages("pixels", "few")}, "student of the weights before it"),
        ({"stages": stages("alignment", "few", "aesthetics")}, "only be the last"),
        ({"sampling": SamplingConfig()}, "sampling.solver is dpm.*say consistency"),
        ({"sampling": SamplingConfig(solver="consistency", anchors=40, guidance=1)}, "anchors is 40.*say 50"),
        ({"sampling": SamplingConfig(solver="consistency")}, "guidance is 4.5.*say 1"),
        ({"sampling": SamplingConfig(solver="consistency", guidance=1, steps=51)}, "steps is 51.*at most 50"),
        ({"process": IDDPMConfig(steps=60), "network": TWICE}, "anchors is 50.*at most 30"),
        (
            {"stages": {**recipe().stages, "few": recipe().stages["few"].model_copy(update={"dropout": 0.1})}},
            "dropout is",
        ),
    ],
)
def test_a_student_without_a_teacher_or_a_sampler_is_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Recipe.model_validate(tree(**changes))


def test_the_recipe_is_valid_and_its_teacher_is_the_shipped_model() -> None:
    made, card = Recipe.model_validate(few().model_dump()), read_card(SHIPPED)
    (stage,) = made.stages.values()
    assert made.start == "shipped"
    assert made.network.model_copy(update={"position_base": card.network.position_base}) == card.network
    assert process_config(made, stage) == card.process
    assert stage.consistency.guidance == card.sampling.guidance


def test_before_a_students_run_its_teacher_draws_as_the_teacher_does() -> None:
    student, teacher = few().sampling, SamplingConfig(solver="euler", steps=25)
    assert settings_for(student, teacher) == teacher
    assert settings_for(student, student.model_copy(update={"steps": 2})) == student
    assert settings_for(SamplingConfig(), teacher) == SamplingConfig()
