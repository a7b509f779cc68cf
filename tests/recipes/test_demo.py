"""The demo's own parts: the overfit check notices what is broken, the recipe is sized to the machine."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pinxit.data.config import Fingerprint
from pinxit.data.emoji import Art, load_art
from pinxit.data.encode import encode
from pinxit.data.kind import Caption, Record
from pinxit.data.loader import plan
from pinxit.data.split import split
from pinxit.errors import DataError, DivergenceError
from pinxit.generate.load import load_pipeline
from pinxit.ledger.meter import Meter, read_ledger
from pinxit.log import read_lines
from pinxit.models.autoencoder import SmallAutoencoder, SmallCodec
from pinxit.models.config import MiniLMConfig, SmallAutoencoderConfig
from pinxit.models.text import load_text
from pinxit.recipes.course import Course
from pinxit.recipes.demo import BESIDE, Pace, overfit, resized, run_demo, seconds_left, sized
from pinxit.recipes.emoji import demo, smallest
from pinxit.recipes.material import Material
from pinxit.recipes.recipe import Recipe
from pinxit.recipes.score import MEASURES
from pinxit.recipes.table import load_recipe
from pinxit.recipes.work import work_of
from pinxit.rng import numpy_at
from pinxit.train import diffusion


def recipe() -> Recipe:
    base = smallest()
    stage = base.stages["alignment"].model_copy(update={"batch": 64})
    network = base.network.model_copy(update={"width": 64, "depth": 2, "heads": 2})
    return base.model_copy(update={"stages": {"alignment": stage}, "network": network})


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    torch.manual_seed(0)
    codec = SmallCodec(SmallAutoencoder(SmallAutoencoderConfig(fine=8, coarse=8)), "codec")
    text = load_text(MiniLMConfig())
    fingerprint = Fingerprint(autoencoder=codec.identity, text=text.identity, resolution=32, buckets=False, multiple=16)
    records = [
        Record(str(i), numpy_at(0, i).integers(0, 256, (32, 32, 3), "uint8"), (Caption(f"picture {i}"),))
        for i in range(8)
    ]
    cache = encode(records, codec, text, tmp_path_factory.mktemp("cache"), fingerprint)
    return Material(
        cache, plan(cache, 64), (), 0, recipe().stages["alignment"], classes=1, factor=8, device=torch.device("cpu")
    )


def test_a_network_that_fits_its_data_passes_the_overfit_check(material: Material) -> None:
    check = overfit(recipe(), material)
    assert check.last < 0.35 * check.first
    assert check.pictures_per_second > 0


def test_latents_and_captions_that_are_torn_apart_do_not_pass(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(_: object, network: torch.nn.Module, x_t: torch.Tensor, *rest: object) -> torch.Tensor:
        time, batch, _ = rest
        return network(torch.randn_like(x_t), time, batch.caption, batch.keep)  # it never sees the noised latent

    monkeypatch.setattr(diffusion.TextToImage, "output", blind)
    with pytest.raises(DivergenceError, match="overfit check: on 8 pictures the loss only went from"):
        overfit(recipe(), material)


def test_the_demo_is_sized_to_the_machine_and_keeps_its_shares() -> None:
    slow, fast = sized(demo(), 100.0, 10.0), sized(demo(), 200.0, 10.0)
    for name, stage in demo().stages.items():
        assert fast.stages[name].images == pytest.approx(2 * slow.stages[name].images, rel=0.05)
        assert slow.stages[name].images % stage.batch == 0
    work = {name: work_of(slow, stage, is_padded=False).operations(stage, 10**9) for name, stage in slow.stages.items()}
    rate = 100 * work["alignment"] / slow.stages["alignment"].images  # operations a second
    assert sum(work.values()) / rate == pytest.approx(600, rel=0.02)
    resolutions = [stage.resolution for stage in slow.stages.values()]
    assert resolutions == [48, 64, 64]


def operations(recipe: Recipe, name: str) -> int:
    stage = recipe.stages[name]
    return work_of(recipe, stage, is_padded=False).operations(stage, 10**9)


def test_what_is_left_is_sized_anew_by_the_rate_and_the_time_that_is_left() -> None:
    before = sized(demo(), 100.0, 10.0)
    rate = 100 * operations(before, "alignment") / before.stages["alignment"].images
    after = resized(before, "pixels", rate, 400.0)
    assert after.stages["pixels"] == before.stages["pixels"]
    left = ("alignment", "aesthetics")
    assert sum(operations(after, name) for name in left) / rate == pytest.approx(400, rel=0.02)
    shares = [recipe.stages["alignment"].images / recipe.stages["aesthetics"].images for recipe in (before, after)]
    assert shares[0] == pytest.approx(shares[1], rel=0.02)
    last = resized(after, "alignment", rate, 150.0)
    assert last.stages["alignment"] == after.stages["alignment"]
    assert operations(last, "aesthetics") / rate == pytest.approx(150, rel=0.02)


@pytest.mark.parametrize(("seconds", "times"), [(-60.0, 0.5), (10_000.0, 2)])
def test_it_is_sized_to_half_at_least_and_to_twice_at_most(seconds: float, times: float) -> None:
    before = sized(demo(), 100.0, 10.0)
    after = resized(before, "alignment", operations(before, "alignment") / 300, seconds)
    assert after.stages["aesthetics"].images == pytest.approx(times * before.stages["aesthetics"].images, rel=0.01)
    assert resized(before, "aesthetics", 1e9, seconds) == before


def test_a_run_that_is_late_halves_what_is_left_and_says_so_in_its_recipe(tmp_path: Path) -> None:
    try:
        load_art(("Fxemoji",), 16)
    except DataError:
        pytest.skip("the emoji art is not there: pinxit data emoji")
    course = Course(smallest(), tmp_path)
    course.after_stage = [Pace(course, 1e-6)]
    before = {name: stage.images for name, stage in smallest().stages.items()}
    assert course.run().seen == before["pixels"] + before["alignment"] // 2 + before["aesthetics"] // 4
    assert load_recipe(str(tmp_path / "recipe.yaml")) == course.recipe
    lines = [(line.stage, line.pictures) for line in read_ledger(tmp_path) if line.phase == "train"]
    assert lines == [(name, stage.images) for name, stage in course.recipe.stages.items()]


def test_a_whole_demo_ends_with_scores_a_model_and_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = smallest()
    stages = {**base.stages, "alignment": recipe().stages["alignment"]}
    small = base.model_copy(update={"stages": stages, "network": recipe().network, "name": "demo"})
    try:
        parts = split(load_art(("Fxemoji",)))
    except DataError:
        pytest.skip("the emoji art is not there: pinxit data emoji")
    few = replace(parts, training=Art(parts.training[:40]), unseen_style=Art(parts.unseen_style[:6]))
    monkeypatch.setattr("pinxit.recipes.demo.demo", lambda: small)
    monkeypatch.setattr("pinxit.recipes.demo.split", lambda _: few)
    page = run_demo(tmp_path / "run", 0.02)

    rows = read_lines(page.parent / "scores.jsonl")
    counts = {"training": 40, "held-out": 6}
    assert [(row["stage"], row["kind"], row["measure"]) for row in rows] == [
        (stage, kind, measure) for stage in stages for kind in counts for measure in MEASURES
    ]
    for row in rows:
        assert row["n"] == counts[row["kind"]]
        assert 0 <= row["low"] <= row["value"] <= row["high"] <= 1
    ceilings = {(row["kind"], row["measure"]): row["ceiling"] for row in rows if row["stage"] == "alignment"}
    assert all(ceilings[kind, "background"] == 1 for kind in counts)
    assert ceilings["training", "concept by 16x16 pixels, rank 5"] > 0.9
    spent = {(line.stage, line.phase) for line in read_ledger(page.parent)}
    assert spent >= {
        ("before", "encode"),
        ("before", "overfit check"),
        *((s, p) for s in stages for p in ("train", "evaluate")),
    }
    assert all((page.parent / "samples" / f"{name}.png").is_file() for name in (*stages, "real", "ceiling", "grid"))
    assert "pinxit generate" in page.read_text(encoding="utf-8")
    assert load_pipeline(page.parent).card.styles == ("Fxemoji",)

    trained = sum(line.pictures for line in read_ledger(page.parent) if line.phase == "train")
    assert run_demo(tmp_path / "run", 0.02) == page  # goes on where it ended: nothing is trained again
    assert sum(line.pictures for line in read_ledger(page.parent) if line.phase == "train") == trained


def test_what_is_left_for_training_is_what_nothing_else_takes(tmp_path: Path) -> None:
    meter = Meter(tmp_path)
    for phase in ("encode", "train"):
        with meter.stage("before", phase):
            pass
    spent = sum(line.seconds for line in read_ledger(tmp_path))
    assert seconds_left(tmp_path, 10.0, 2) == pytest.approx(600 - spent - 2 * BESIDE)
    assert seconds_left(tmp_path, 0.01, 1) < 0


def test_a_run_is_never_sized_to_nothing() -> None:
    assert all(stage.images >= stage.batch for stage in sized(demo(), 0.001, 0.001).stages.values())


def test_every_stage_folder_is_its_own(tmp_path: Path) -> None:
    from pinxit.recipes.material import cache_folder

    folders = {name: cache_folder(demo(), stage, tmp_path) for name, stage in demo().stages.items()}
    assert len(set(folders.values())) == len(folders)
