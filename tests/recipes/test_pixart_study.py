"""The study of PixArt-α: equal computing, paired seeds, rows filled once, verdicts that noise cannot make, tables."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from pinxit.cli import reproduce as command
from pinxit.data.emoji import load_art
from pinxit.errors import CheckpointError, DataError, MissingExtra
from pinxit.evaluate.feature import Lite0
from pinxit.evaluate.interval import Estimate
from pinxit.models.config import TransformerConfig
from pinxit.models.text import load_text
from pinxit.recipes import pixart_study as study_module
from pinxit.recipes.claim import claim
from pinxit.recipes.pixart_exam import NAMES, PAIRS, SENTENCES, questions
from pinxit.recipes.pixart_page import QUICK, Place, quick_place, reproduce, write
from pinxit.recipes.pixart_size import PAPER, WAYS, parameters, size_table, time_steps
from pinxit.recipes.pixart_study import PixartStudy, Row, arms, best_rate, estimate, kinds, model_at, plan, whole_plan
from pinxit.recipes.pixart_table import (
    finished,
    is_seen,
    noise_of,
    reach,
    shares,
    tables,
    told_shares,
    told_way,
    verdict,
    way,
)
from pinxit.recipes.pixart_trial import STAGES, PixartTrial, Scale, spent
from tests.improve.test_folder import save

BASE = PixartTrial()
SCALE = Scale(improver="an improver")
MICRO = Scale(
    style="Fxemoji",
    network=TransformerConfig(depth=2, width=32, heads=2, channels=16, outputs=1, caption_width=384, position_base=4),
    images=96, pictures=32, batch=16, rates=(1.0,), seeds=(0, 1), points=2, prompts=3, known=8, steps=2,
)  # fmt: skip


@pytest.fixture
def assets() -> None:
    try:
        load_art(("Fxemoji",), 16)
        Lite0()
        load_text(BASE.recipe(MICRO).text)
    except (DataError, MissingExtra):
        pytest.skip("the emoji art or the networks that look and read are not there: pinxit data emoji, data assets")


def row(trial: PixartTrial, bits: float, part: float = 1.0, scale: Scale = SCALE) -> Row:
    marks = {"pixels bits": bits, "pixels first": 0.5, "pixels among 5": 0.75, "lite0 bits": bits + 3}
    marks |= {"lite0 first": 0.1, "lite0 among 5": 0.2}
    own = {kind: marks | {"colour": 0.9} for kind in kinds(trial, part)}
    seen = next(seen for seen, other in trial.marks(scale).items() if other == part)
    return Row(
        name=trial.name, trial=trial, part=part, operations=spent(trial.recipe(scale), seen), seen=seen,
        captioned=trial.captioned(scale, seen), marks=own, ceilings=own, n=200,
    )  # fmt: skip


def whole(arm: PixartTrial, ends: Sequence[float], scale: Scale = SCALE) -> list[Row]:
    """Rows of an arm at one rate, each run falling by a bit a point to its end."""
    rows = []
    for seed, end in enumerate(ends):
        parts = list(arm.marks(scale).values())
        rows += [row(arm.but(seed=seed), end + len(parts) - 1 - k, part) for k, part in enumerate(parts)]
    return rows


def test_no_trial_is_planned_twice_and_all_seeds_are_paired() -> None:
    trials = whole_plan(SCALE)
    assert len({trial.name for trial in trials}) == len({trial.slug for trial in trials}) == len(trials)
    seeds = {arm.arm: {trial.seed for trial in trials if trial.arm == arm.arm} for arm in arms(SCALE)}
    assert set(map(tuple, seeds.values())) == {SCALE.seeds}
    assert len(SCALE.seeds) == len(SCALE.rates) == 3
    rates = {
        arm.arm: {trial.rate for trial in trials if trial.arm == arm.arm} for arm in arms(SCALE) if arm.things == 1
    }
    assert all(found == set(SCALE.rates) for found in rates.values())
    for trial in trials:
        assert trial.recipe(SCALE).seed == trial.seed


def test_the_base_comes_first_and_its_best_rate_goes_on() -> None:
    begun = plan(SCALE, [])
    assert [trial.name for trial in begun[:3]] == [
        "base, rate 1, seed 0",
        "base, rate 0.5, seed 0",
        "base, rate 2, seed 0",
    ]
    assert {trial.seed for trial in begun} == {0}
    assert all(trial.things == 1 for trial in begun)
    rows = [row(BASE.but(rate=rate), bits) for rate, bits in ((1.0, 3.0), (0.5, 2.0), (2.0, 4.0))]
    assert best_rate(SCALE, rows[:2], BASE) is None
    assert best_rate(SCALE, rows, BASE) == 0.5
    known = plan(SCALE, rows)
    assert known[3:5] == [BASE.but(rate=0.5, seed=seed) for seed in (1, 2)]
    assert BASE.but(things=2, rate=0.5) in known
    assert len(set(known)) == len(known)
    complete = plan(
        SCALE, [row(arm.but(rate=rate), 1.0) for arm in arms(SCALE) for rate in SCALE.rates if arm.things == 1]
    )
    assert len(complete) == len(whole_plan(SCALE))


@pytest.mark.parametrize("arm", arms(SCALE), ids=lambda arm: arm.arm)
def test_every_arm_has_the_same_computing_within_a_thousandth(arm: PixartTrial) -> None:
    recipe, base = arm.recipe(SCALE), BASE.recipe(SCALE)
    total = sum(stage.images for stage in recipe.stages.values())
    assert spent(recipe, total) == pytest.approx(spent(base, SCALE.images), rel=1e-3)
    for seen, part in arm.marks(SCALE).items():
        assert spent(recipe, seen) == pytest.approx(part * spent(base, SCALE.images), rel=5e-3)
        assert not seen % SCALE.batch
    assert list(arm.marks(SCALE).items())[-1] == (total, 1.0)
    classes = recipe.stages["pixels"].images if "pixels" in recipe.stages else 0
    assert arm.captioned(SCALE, total) == total - classes
    assert all(stage.optimizer.decay == 0 for stage in recipe.stages.values())
    assert parameters(recipe.network) < 6_000_000


def test_only_what_an_arm_says_differs_from_the_base() -> None:
    base = BASE.recipe(SCALE)
    for arm in arms(SCALE):
        recipe = arm.recipe(SCALE)
        last, first = recipe.stages["high"], base.stages["high"]
        assert (last.data.sparse != first.data.sparse) == (arm.captions != "dense")
        assert (last.data.improver is not None) == (arm.captions == "improved")
        assert (last.optimizer != first.optimizer) == (arm.optimizer != "muon")
        assert (recipe.process != base.process) == (arm.process != "flow")
        assert (recipe.network.modulation != "single") == (arm.modulation != "single")
        assert recipe.matched == (arm.stages != "unmatched")
        assert recipe.stages.keys() == STAGES[arm.stages].keys()
        assert (last.batch, last.resolution, last.average) == (first.batch, first.resolution, first.average)


def test_without_an_improver_no_arm_has_improved_captions() -> None:
    left = [arm for arm in arms(SCALE) if arm.captions != "improved"]
    assert arms(Scale()) == left
    assert len(left) == len(arms(SCALE)) - 1
    assert len(whole_plan(SCALE)) - len(whole_plan(Scale())) == len(SCALE.rates) + len(SCALE.seeds) - 1


def test_prompts_are_the_same_for_a_seed_and_others_for_another() -> None:
    try:
        art = load_art(("Fxemoji",), 64)
    except DataError:
        pytest.skip("the emoji art is not there: pinxit data emoji")
    asked = [[(each.prompt, each.seed) for each in questions(NAMES, art, 64, 8, seed)] for seed in (0, 0, 1)]
    assert asked[0] == asked[1]
    assert not {seed for _, seed in asked[0]} & {seed for _, seed in asked[2]}
    names, told = (questions(kind, art, 64, 8, 0) for kind in (NAMES, SENTENCES))
    for bare, sentence in zip(names, told, strict=True):
        assert bare.prompt == sentence.facts.pieces[0].concept
        assert bare.prompt in sentence.prompt
        assert sentence.facts.background in sentence.prompt
    assert all(len(each.facts.pieces) == 2 for each in questions(PAIRS, art, 64, 3, 0))


def test_each_model_is_asked_its_own_kind_at_the_end() -> None:
    assert kinds(BASE, 0.5) == [NAMES]
    assert kinds(BASE, 1.0) == [NAMES, SENTENCES]
    assert kinds(BASE.but(captions="sparse", things=2), 1.0) == [NAMES]
    assert kinds(BASE.but(captions="mixed", things=2), 1.0) == [NAMES, SENTENCES, PAIRS]


def test_what_lies_within_the_noise_is_not_seen() -> None:
    assert is_seen(Estimate(-0.5, (-0.8, -0.2)), noise=0.3)
    assert not is_seen(Estimate(-0.5, (-0.8, -0.2)), noise=0.6)  # smaller than what the base's seeds differ by
    assert not is_seen(Estimate(-0.5, (-1.2, 0.2)), noise=0.3)  # its interval holds zero
    assert verdict(Estimate(-0.5, (-0.8, -0.2)), 0.3) == "-0.50 (-0.80 to -0.20): better"
    assert verdict(Estimate(0.5, (0.2, 0.8)), 0.3).endswith("worse")
    assert verdict(Estimate(0.1, (0.05, 0.15)), 0.3).endswith("not seen")
    assert verdict(None, 0.3) == "one seed yet"


def test_an_arm_stands_at_its_best_rate_with_all_seeds_of_it() -> None:
    rows = [*whole(BASE, (3.0, 3.2, 3.4)), row(BASE.but(rate=0.5), 3.5)]
    found = finished(rows, BASE)
    assert found is not None
    assert (found.rate, sorted(found.ends)) == (1.0, [0, 1, 2])
    assert noise_of(found) == pytest.approx(0.2)
    better = finished([*rows, row(BASE.but(rate=2.0), 2.0)], BASE)
    assert better is not None
    assert (better.rate, list(better.ends)) == (2.0, [0])
    assert finished(rows, BASE.but(captions="sparse")) is None


def test_how_much_is_needed_is_read_off_the_line_between_points() -> None:
    curve = [(10.0, 5.0), (20.0, 3.0), (30.0, 4.0), (40.0, 2.0)]
    assert reach(curve, 4.0) == 15.0
    assert reach(curve, 3.0) == 20.0
    assert reach(curve, 9.0) == 10.0
    assert reach(curve, 2.5) == 37.5
    assert reach(curve, 1.0) is None
    base, sparse = (
        finished(whole(arm, ends), arm) for arm, ends in ((BASE, (1.0, 9.0)), (BASE.but(captions="sparse"), (3.0, 3.0)))
    )
    assert base is not None
    assert sparse is not None
    found = shares(base, sparse, "captioned")
    assert found[0] == pytest.approx(0.75 * SCALE.images / sparse.ends[0].captioned, rel=1e-2)
    assert told_shares(found) == f"{found[0]:.0%}, never"


def test_the_way_from_sparse_to_dense_captions_is_of_the_same_seeds() -> None:
    ends = {"dense": (1.0, 2.0, 3.0), "sparse": (3.0, 4.0, 5.0), "improved": (2.4, 3.5, 4.6)}
    dense, sparse, improved = (
        finished(whole(BASE.but(captions=name), some), BASE.but(captions=name)) for name, some in ends.items()
    )
    assert dense is not None and sparse is not None and improved is not None
    found = way(improved, sparse, dense)
    assert found.value == pytest.approx(0.25)  # 0.3, 0.25 and 0.2
    assert found.interval == pytest.approx((0.25 - 4.302653 * 0.05 / 3**0.5, 0.25 + 4.302653 * 0.05 / 3**0.5))
    assert (way(dense, sparse, dense).value, way(sparse, sparse, dense).value) == (1, 0)
    assert told_way(improved, sparse, dense, 0.5).endswith("improved ones come: 25% (13% to 37%).")
    assert "not seen apart" in told_way(improved, sparse, dense, 3.0)
    single = finished(whole(BASE.but(captions="improved"), (2.4,)), BASE.but(captions="improved"))
    assert single is not None
    assert "one seed yet" in told_way(single, sparse, dense, 0.5)


def test_tables_have_every_arm_with_its_verdict(tmp_path: Path) -> None:
    rows = [each for arm in arms(SCALE) for each in whole(arm, (3.0, 3.1, 3.2) if arm == BASE else (2.0, 2.1, 2.2))]
    text = tables(rows, {"network": "below the network"})
    assert "The base's deviation between 3 seeds: 0.10 bits." in text
    assert "| dense captions | 1 | 3 | 96,000 | 3.10 |  | 50.0% |" in text
    assert "| sparse | 1 | 3 | 103,232 | 2.10 | -1.00 (-1.00 to -1.00): better |" in text
    assert "in bits, improved ones come: " in text
    assert "- growing" not in text
    assert "| low, high | 1 | 3 |" in text
    assert "below the network" in text
    assert text.count("| true pictures |") == 7
    page, evidence = tmp_path / "evidence.md", tmp_path / "evidence"
    page.write_text("before\n<!-- pixart -->\n<!-- end of pixart -->\nafter\n")
    write(Place(evidence, page, tmp_path), SCALE, rows)
    written = page.read_text()
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    for name in ("captions-captioned", "stages-operations", "stages-captioned", "network-operations"):
        drawn = (evidence / "pixart" / f"{name}.svg").read_text()
        assert f"(evidence/pixart/{name}.svg)" in written
        assert drawn.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
        assert drawn.count('<polyline class="line') >= 3
    write(Place(evidence, page, tmp_path), SCALE, rows)
    assert page.read_text() == written
    write(Place(tmp_path / "none", page, tmp_path), SCALE, [])
    assert "No row has been made yet." in page.read_text()


def test_the_full_size_stands_beside_the_paper_s() -> None:
    text = size_table(SCALE, [])
    assert "| 610,856,096 | 611M |" in text
    assert "| 828,494,240 | 833M |" in text
    assert set(PAPER) < set(WAYS)
    counts = [parameters(SCALE.network.model_copy(update={"modulation": way})) for way in ("shared", "single", "block")]
    assert counts == sorted(counts)
    assert all(f"| {count:,} |" in text for count in counts)


def test_steps_are_timed_once(tmp_path: Path) -> None:
    file = tmp_path / "steps.jsonl"
    time_steps(MICRO, file, patience=0.0, rounds=1)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert {each["modulation"] for each in rows} == set(WAYS)
    assert all(each["seconds"] > 0 for each in rows)
    told = file.read_text()
    time_steps(MICRO, file)
    assert file.read_text() == told


def test_the_bill_is_told_before_the_first_run() -> None:
    bill, quick = estimate(SCALE, whole_plan(SCALE)), estimate(QUICK, whole_plan(QUICK))
    base = spent(BASE.recipe(SCALE), SCALE.images)
    assert bill.training == pytest.approx(bill.trials * base, rel=1e-3)
    assert 0 < bill.drawing < bill.training
    assert f"{bill.trials} runs" in bill.say()
    assert (quick.training + quick.drawing) * 50 < bill.training


def test_one_process_claims_a_trial(tmp_path: Path) -> None:
    with claim(tmp_path / "new" / "file") as ours:
        assert ours
        with claim(tmp_path / "new" / "file") as also:
            assert not also
    with claim(tmp_path / "new" / "file", patient=True) as again:
        assert again


@pytest.mark.usefixtures("assets")
def test_rows_are_filled_once_and_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = PixartStudy(tmp_path / "work", tmp_path / "evidence" / "pixart.jsonl", MICRO)
    trial = PixartTrial(stages="classes")
    folder = tmp_path / "work" / trial.slug

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(study_module, "draw", stop)
        with pytest.raises(KeyboardInterrupt):
            study.fill(trial.name)
    kept = [folder / model_at(seen) for seen in trial.marks(MICRO)]
    assert kept
    assert all(file.is_file() for file in kept)
    with monkeypatch.context() as patch:
        patch.setattr(study_module.Course, "run", stop)  # it is trained already
        study.fill(trial.name)
    rows = study.rows()
    assert [each.part for each in rows] == list(trial.marks(MICRO).values())
    assert (folder / "exam.png").is_file()
    assert not (folder / "points").exists()
    assert not study.missing(trial)
    last = rows[-1]
    assert last.marks.keys() == last.ceilings.keys() == {NAMES, SENTENCES}
    assert 0 <= last.marks[NAMES]["pixels bits"] <= 3  # of eight concepts
    assert last.captioned == trial.captioned(MICRO, last.seen) < last.seen
    lines = study.evidence.read_text().splitlines()
    study.evidence.write_text("\n".join(lines[:-1]) + "\n")
    again = PixartStudy(tmp_path / "other", study.evidence, MICRO)  # from the start, elsewhere
    again.fill(trial.name)
    assert again.rows()[-1] == last


@pytest.mark.usefixtures("assets")
def test_the_page_is_drawn_from_what_was_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.recipes.pixart_page.calibrate_once", lambda _: None)
    monkeypatch.setattr("pinxit.recipes.pixart_page.time_steps", lambda *_: None)
    monkeypatch.setattr(
        study_module, "ARMS", {"captions": tuple(BASE.but(captions=each) for each in ("sparse", "improved"))}
    )
    place, scale = quick_place(tmp_path), MICRO.model_copy(update={"improver": str(tmp_path / "improver")})
    save(tmp_path / "improver", with_policy=True)
    done, all_ = reproduce(place, scale, "", fill=True)
    assert done == all_ == 6
    text = place.page.read_text()
    assert "no figure here means anything" in text
    assert "| dense captions | 1 | 2 | 96 |" in text
    assert "| sparse | 1 | 2 |" in text
    assert "| improved | 1 | 2 |" in text
    assert "Of the way from sparse captions to dense ones" in text
    assert (place.evidence / "pixart" / "captions-captioned.svg").is_file()


def test_the_arm_of_improved_captions_is_left_out_with_a_line_where_there_is_no_improver(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinxit.improve.folder.SHIPPED", tmp_path / "improver")
    assert command.find_improver(None) is None
    assert capsys.readouterr().out.count("\n") == 1
    with pytest.raises(CheckpointError, match="there is no finished improver"):
        command.find_improver(tmp_path)
    save(tmp_path / "improver", with_policy=True)
    assert command.find_improver(None) == command.find_improver(tmp_path / "improver") == str(tmp_path / "improver")
    assert not capsys.readouterr().out


@pytest.mark.parametrize("words", [["--no-fill"], ["--no-fill", "--quick"]])
def test_the_command_redraws_without_filling(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "docs" / "evidence.md"
    page.parent.mkdir()
    page.write_text("<!-- pixart -->\n<!-- end of pixart -->\n")
    command.main("pinxit reproduce pixart", words)
    said, is_quick = capsys.readouterr().out, "--quick" in words
    assert ("measures nothing" in said) == is_quick
    assert "0 of " in said
    assert ("No row has been made yet." in page.read_text()) != is_quick
    assert not (tmp_path / "docs" / "evidence").exists()
