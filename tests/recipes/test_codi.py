"""A task taught whole: from finished weights to an adapter file that draws; stopped and resumed, by every method."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from pinxit.cli import distill_codi, generate
from pinxit.data.emoji import load_art
from pinxit.distill.config import BranchConfig, as_published
from pinxit.errors import CheckpointError, ConfigError, DataError, Stopped
from pinxit.generate.adapter import ADAPTER, fingerprint, join_adapter, read_adapter_card
from pinxit.generate.card import MODEL, ModelCard, read_card
from pinxit.generate.load import load_pipeline
from pinxit.generate.stored import read_model
from pinxit.models.adapter.control import Controlled
from pinxit.models.identity import hash_files
from pinxit.recipes import course as course_module
from pinxit.recipes.build import begin_stage
from pinxit.recipes.codi import codi, taught_by
from pinxit.recipes.course import Course
from pinxit.recipes.emoji import smallest
from pinxit.recipes.finish import save_model
from pinxit.recipes.material import HELD_OUT, open_material
from pinxit.recipes.own import train_recipe
from pinxit.recipes.recipe import Recipe, RecordsDataConfig
from pinxit.recipes.strip import held_out
from pinxit.train.run import StepReport


@pytest.fixture(scope="module", autouse=True)
def _art() -> None:
    try:
        load_art(("Fxemoji",), 16)
    except DataError:
        pytest.skip("the emoji art is not there: pinxit data emoji")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with finished weights of the smallest kind."""
    folder = tmp_path_factory.mktemp("start")
    base = smallest()
    recipe = base.model_copy(
        update={"stages": {"alignment": base.stages["alignment"].model_copy(update={"images": 64})}}
    )
    save_model(recipe, Course(recipe, folder).run(), folder)
    return folder


def recipe(task: str, start: Path, **branch: object) -> Recipe:
    """The task's recipe at a size that trains in seconds."""
    card = read_card(start / MODEL)
    base = codi(task, card, str(start))
    stage = base.stages["codi"]
    assert stage.branch is not None
    update = {"images": 48, "batch": 16, "data": stage.data.model_copy(update={"pictures": 32})}
    changed = BranchConfig.model_validate({**stage.branch.model_dump(), **branch})
    return taught_by(base.model_copy(update={"stages": {"codi": stage.model_copy(update=update)}}), changed)


CASES: dict[str, tuple[str, dict[str, object]]] = {
    "upscale": ("upscale", {}),
    "edges, as published": ("edges", {"codi": as_published().model_dump()}),
    "edit, all weights": ("edit", {"trains": "all"}),
    "depth, fine-tuned": ("depth", {"method": "finetune"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_task_is_taught_and_its_adapter_draws(name: str, start: Path, tmp_path: Path) -> None:
    task, branch = CASES[name]
    made = recipe(task, start, **branch)
    page = train_recipe(made, tmp_path)
    card = read_adapter_card(tmp_path / ADAPTER)
    network, _, _, _ = read_model(start / MODEL)
    assert (card.task.kind, card.seen, card.backbone) == (task, 48, fingerprint(network))
    joined, _ = join_adapter(network, tmp_path / ADAPTER)
    moved = any(bool(after.weight.abs().max() > 0) for after in joined.control.after)  # type: ignore[operator, union-attr]
    assert moved
    assert (joined.base is network) == (branch.get("trains") != "all")
    if branch.get("trains") == "all":
        assert not torch.equal(joined.base.final.linear.weight, network.final.linear.weight)
    sheets = json.loads((tmp_path / "samples" / "index.json").read_text())
    assert sheets[0]["stage"] == "condition"
    assert page.is_file()
    tool = load_pipeline(start).use(tmp_path / ADAPTER)
    record = next(held_out(made, open_material(made, made.stages["codi"], tmp_path)))
    assert record.key.startswith(HELD_OUT)
    picture = tool(record.conditions[0], record.captions[0].text if task == "edit" else "")
    assert picture.size == (32, 32)


@pytest.fixture(scope="module")
def tuned(start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with an adapter for inpainting, fine-tuned."""
    folder = tmp_path_factory.mktemp("tuned")
    train_recipe(recipe("inpaint", start, method="finetune"), folder)
    return folder


@pytest.mark.parametrize("method", ["consistency", "progressive"])
def test_a_fine_tuned_branch_is_distilled(method: str, start: Path, tuned: Path, tmp_path: Path) -> None:
    made = recipe("inpaint", start, method=method, begins=str(tuned), progressive={"grid": 4, "final": 1})
    train_recipe(made, tmp_path)
    card = read_adapter_card(tmp_path / ADAPTER)
    assert (card.sampling.solver, card.sampling.anchors) == {
        "consistency": ("consistency", 20), "progressive": ("codi", 4),
    }[method]  # fmt: skip
    first = begin_stage(made, 0, factor=8, classes=0, before=None, start=read_model(start / MODEL)[0]).model
    known = join_adapter(read_model(start / MODEL)[0], tuned / ADAPTER)[0]
    assert all(torch.equal(tensor, known.state_dict()[name]) for name, tensor in first.state_dict().items())
    tool = load_pipeline(start).use(tmp_path / ADAPTER)
    record = next(held_out(made, open_material(made, made.stages["codi"], tmp_path)))
    assert tool(record.conditions[0]).size == (32, 32)


def test_a_branch_of_another_task_or_kind_is_refused(start: Path, tuned: Path, tmp_path: Path) -> None:
    for task, told in (("edges", "its task is"), ("inpaint", "its whole is False, and the stage has True")):
        trains = "all" if task == "inpaint" else "branch"
        made = recipe(task, start, begins=str(tuned), trains=trains)
        with pytest.raises(CheckpointError, match=told):
            train_recipe(made, tmp_path / task)
    with pytest.raises(ValidationError, match="method progressive distils a fine-tuned branch; name its adapter"):
        recipe("inpaint", start, method="progressive")


@pytest.mark.parametrize("method", ["codi", "progressive"])
def test_a_task_stopped_and_resumed_is_one_taught_straight_through(
    method: str, start: Path, tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins = str(tuned) if method == "progressive" else None
    made = recipe("inpaint", start, method=method, begins=begins, progressive={"grid": 4, "final": 1})
    follow = course_module.follow_average
    network = read_model(start / MODEL)[0]
    straight = Course(made, tmp_path / "straight", start=network).run()
    assert isinstance(straight.model, Controlled)
    trained = {name for name, parameter in straight.model.named_parameters() if parameter.requires_grad}
    assert trained == {name for name, _ in straight.model.named_parameters() if name.startswith("control.")}

    def strike(examples: int) -> object:
        hook = follow(examples)

        def both(now: object, report: StepReport) -> None:
            hook(now, report)  # type: ignore[arg-type]
            if now.seen == 32:  # type: ignore[attr-defined]
                os.kill(os.getpid(), signal.SIGTERM)

        return both

    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "cache").symlink_to(tmp_path / "straight" / "cache")
    monkeypatch.setattr(course_module, "follow_average", strike)
    with pytest.raises(Stopped):
        Course(made, broken, start=network).run()
    monkeypatch.setattr(course_module, "follow_average", follow)
    resumed = Course(made, broken, start=network).run().tensors()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in straight.tensors().items())


def test_own_pictures_and_the_command_line(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pinxit.cli import data_import

    rng = np.random.default_rng(0)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(12):
        picture = rng.integers(0, 256, (40, 40 + 4 * number, 3), np.uint8)
        Image.fromarray(picture).save(pictures / f"{number}.png")
        (pictures / f"{number}.txt").write_text(f"picture {number}")
    data_import.main("pinxit data import", [str(pictures), "--out", str(tmp_path / "own")])
    words = ["--task", "upscale", "--from", str(start), "--data", str(tmp_path / "own"), "--out", str(tmp_path / "run")]
    distill_codi.main("pinxit distill codi", [*words, "--stages.codi.images", "32", "--stages.codi.batch", "8"])
    assert isinstance(read_adapter_card(tmp_path / "run" / ADAPTER), object)
    Image.fromarray(rng.integers(0, 256, (8, 16, 3), np.uint8)).save(tmp_path / "small.png")
    drawn = tmp_path / "drawn"
    told = ["--from", str(start), "--adapter", str(tmp_path / "run"), "--condition", str(tmp_path / "small.png")]
    generate.main("pinxit generate", [*told, "--out", str(drawn), "--steps", "2", "--count", "2"])
    with Image.open(drawn / "000.png") as opened, Image.open(drawn / "001.png") as second:
        assert opened.size == second.size == (64, 32)
        assert np.asarray(opened).tolist() != np.asarray(second).tolist()
        told = opened.text["parameters"]  # type: ignore[attr-defined]
        assert "Steps: 2, Sampler: codi" in told
        assert f"Adapter hash: {hash_files([tmp_path / 'run' / ADAPTER])[:10]}" in told
    assert "the adapter:" in capsys.readouterr().out


def test_own_pictures_have_conditions_of_their_buckets_size(start: Path, tmp_path: Path) -> None:
    from pinxit.cli import data_import

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(4):
        Image.new("RGB", (50, 90), (number, 0, 0)).save(pictures / f"{number}.png")
        (pictures / f"{number}.txt").write_text("red")
    data_import.main("pinxit data import", [str(pictures), "--out", str(tmp_path / "own")])
    base = recipe("inpaint", start)
    data = RecordsDataConfig(folder=str(tmp_path / "own"), held_out=0.25)
    made = base.model_copy(update={"stages": {"codi": base.stages["codi"].model_copy(update={"data": data})}})
    material = open_material(made, made.stages["codi"], tmp_path / "run")
    given = material.cache[0].conditions
    assert given is not None
    assert given.shape == (4, 16 + 64, 4, 4)
    (record,) = held_out(made, material)
    assert {condition.map.shape for condition in record.conditions} == {(32, 32)}  # type: ignore[union-attr]


def test_a_recipe_of_a_condition_that_cannot_be_is_refused(start: Path) -> None:
    tree = recipe("upscale", start).model_dump()
    stage = tree["stages"]["codi"]
    for changes, told in (
        ({"start": None}, "teaches a condition to finished weights: say `start`, and no other stage"),
        ({"stages": {"codi": {**stage, "branch": None}}}, "a branch goes with condition, and with it alone"),
        ({"stages": {"codi": {**stage, "branch": {**stage["branch"], "blocks": 2}}}}, r"say at most 1"),
        ({"sampling": {**tree["sampling"], "solver": "euler"}}, r"sampling.solver is euler.*say codi"),
        ({"sampling": {**tree["sampling"], "anchors": 50}}, r"sampling.anchors is 50.*say 8, the grid of the stage"),
        (
            {"stages": {"codi": {**stage, "branch": {**stage["branch"], "method": "finetune"}}}},
            r"by finetune say euler, ddim or dpm",
        ),
    ):
        with pytest.raises(ValidationError, match=told):
            Recipe.model_validate({**tree, **changes})
    for task, told in (
        ("edit", "learns edits, which single pictures do not tell"),
        ("depth", "own pictures have no known depth"),
    ):
        with pytest.raises(ValidationError, match=told):
            codi_of_own(task, start)


def codi_of_own(task: str, start: Path) -> Recipe:
    return Recipe.model_validate(codi(task, read_card(start / MODEL), str(start), "data/own").model_dump())


def test_an_adapter_is_trained_at_the_size_that_its_backbone_draws(start: Path, tmp_path: Path) -> None:
    made = recipe("upscale", start)
    stage = made.stages["codi"].model_copy(update={"resolution": 48})
    with pytest.raises(ConfigError, match="an adapter is drawn as its backbone is"):
        train_recipe(made.model_copy(update={"stages": {"codi": stage}}), tmp_path)


def test_every_task_has_a_recipe_for_the_weights_that_ship() -> None:
    card: ModelCard = load_pipeline().card
    for task in ("upscale", "inpaint", "edges", "depth", "edit"):
        made = Recipe.model_validate(codi(task, card, "shipped").model_dump())
        assert made.stages["codi"].resolution == card.resolution
        assert made.network == card.network
