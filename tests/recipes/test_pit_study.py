"""The study of self-improvement: rows filled once, the reward alone chooses weights, tables of what there is."""

from functools import partial
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pinxit.cli import reproduce as command
from pinxit.errors import DataError
from pinxit.improve import phase
from pinxit.improve.config import ImproveConfig
from pinxit.log import read_lines
from pinxit.recipes import pit_study
from pinxit.recipes.brief import write_pairs
from pinxit.recipes.pit import study
from pinxit.recipes.pit_exam import win_minus_lose
from pinxit.recipes.pit_page import tables
from pinxit.recipes.pit_plot import CHARTS, curve, plot
from pinxit.recipes.pit_study import Study, plan
from pinxit.recipes.pit_trial import FINISHED, TRIALS, Arm, Curves, Gate, Order, Rounds
from pinxit.recipes.pit_watch import Seen
from pinxit.recipes.tree import merge

from .improving import RATE, TINY
from .world import WORLD

REINFORCED = {**TINY["policy"], "examples": 8, "sampling": {"most": 32}}  # type: ignore[dict-item]
SMALL = {
    **{name: TINY[name] for name in ("reward", "gap", "compute")},
    "language": {"words": 600, "depth": 1, "width": 32, "heads": 2, "length": 160},
    "policy_start": {"examples": 512, "batch": 16, "optimizer": RATE},
    "improver_start": {"examples": 256, "batch": 16, "optimizer": RATE},
    "policy": REINFORCED,
    "curriculum": {"phase": REINFORCED},
}


def small(pairs: Path, seed: int) -> ImproveConfig:
    return ImproveConfig.model_validate(merge(study(str(pairs), seed).model_dump(), SMALL))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study with all rows of one seed."""
    place = tmp_path_factory.mktemp("study")
    pairs = write_pairs(place / "pairs.jsonl", WORLD, 240)
    whole = Study(place / "work", place / "pit.jsonl", WORLD, partial(small, pairs), count=12)
    whole.fill("seed 0")
    return whole


def test_a_seeds_rows_are_all_there_in_their_order(made: Study) -> None:
    rows = [FINISHED.validate_python(row) for row in read_lines(made.evidence)]
    assert [row.name for row in rows] == [name for name in plan() if name.startswith("seed 0")]
    kinds = {row.trial: type(row) for row in rows}
    assert [kinds[name] for name in ("gate", "improver", "order", "rounds", "curves")] == [
        Gate, Arm, Order, Rounds, Curves,
    ]  # fmt: skip
    for row in rows:
        assert row.n == 12
        if isinstance(row, Arm):
            assert row.wins - row.losses == pytest.approx(row.delta[0])
            assert row.delta[1] <= row.delta[0] <= row.delta[2]
            assert set(row.parts) == {"combination", "concept"}
        if isinstance(row, Rounds):
            assert len(row.scores) == len(row.ratings) == len(row.gaps) + 1 == 6
            assert row.lost[0] <= 0
        if isinstance(row, Curves):
            assert {name: [look.seen for look in looks] for name, looks in row.phases.items()} == {
                "policy": [0, 4, 8], "rounds-0": [0, 4, 8], "rounds-0-1": [0, 4, 8],
            }  # fmt: skip
            assert row.phases["policy"][0].divergence == row.phases["rounds-0"][0].divergence == 0


def test_rows_that_stand_are_left_and_nothing_is_trained_again(made: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = made.evidence.read_text().splitlines()
    kept = [line for line in lines if '"rounds"' not in line]
    assert len(kept) == len(lines) - 1
    made.evidence.write_text("\n".join(kept) + "\n")

    class Refusing(phase.StepLog):
        def __call__(self, *_: object) -> None:
            raise AssertionError("it is trained already")

    monkeypatch.setattr(phase, "StepLog", Refusing)
    made.fill("seed 0")
    again = made.evidence.read_text().splitlines()
    assert again[:-1] == kept
    assert again[-1] in lines  # to the last digit


def test_the_weights_are_those_of_the_highest_reward(made: Study) -> None:
    lineage = made.exam(0).lineage
    language, name = lineage.improver((0,)), lineage.name((0,))
    kept = load_file(lineage.root.within(name).folder / "best.safetensors")
    assert all(torch.equal(parameter, kept[key]) for key, parameter in language.named_parameters())
    looks = lineage.looks(name)
    assert len({look.reward for look in looks}) == len(looks) == 3


def test_win_minus_lose_counts_what_is_beyond_the_margin() -> None:
    first, second = np.array([1.0, 0.5, 0.05, -1.0]), np.array([0.0, 0.0, 0.0, 0.0])
    assert win_minus_lose(first, second).value == 0.25
    assert win_minus_lose(first, first).interval == (0, 0)


def test_a_page_has_a_table_for_all_that_there_is(made: Study) -> None:
    rows = [FINISHED.validate_python(row) for row in read_lines(made.evidence)]
    text = tables(rows, "the picture")
    for title in (
        "something to improve",
        "made of the policy's",
        "in order?",
        "Round by round",
        "During reinforcement",
    ):
        assert title in text
    assert all(f"| {name} | 0 |" in text for name in TRIALS if "improver" in name)
    assert text.index("the picture") < text.index("| rounds-0-1 | 0 |")
    assert "seed 0, NOT passed" in text  # it has hardly learned to speak
    gate = next(row for row in rows if isinstance(row, Gate))
    good = gate.model_copy(update={"policy": (0.6, 0.5, 0.7), "better": (0.4, 0.3, 0.5)})
    assert good.is_passed
    assert not good.model_copy(update={"policy": (0.8, 0.7, 0.9)}).is_passed
    assert "seed 0, passed" in tables([good], "")


def look(seen: int, reward: float) -> Seen:
    return Seen(seen=seen, reward=reward, judge=reward / 2, divergence=seen / 8, length=9.0)


def test_a_curve_goes_on_where_the_round_before_ended_and_rings_what_its_reward_chose() -> None:
    before, first, second = [(0, 0.0), (8, 9.0)], [(0, 0.0), (4, 2.0), (8, 1.0)], [(0, 2.0), (8, 3.0)]
    phases = zip(("policy", "rounds-0", "rounds-0-1"), (before, first, second), strict=True)
    row = Curves(
        name="", seed=3, trial="curves", n=1,
        phases={name: tuple(look(*each) for each in looks) for name, looks in phases},
    )  # fmt: skip
    found = curve(row, "judge")
    assert (found.name, found.seen, found.values) == ("seed 3", [0, 4, 8, 8, 16], [0.0, 1.0, 0.5, 1.0, 1.5])
    assert found.ringed == [1, 4]


def test_the_plot_stands_alone_with_a_curve_of_each_seed_in_each_chart(made: Study, tmp_path: Path) -> None:
    rows = [FINISHED.validate_python(row) for row in read_lines(made.evidence)]
    curves = next(row for row in rows if isinstance(row, Curves))
    file = plot([*rows, curves.model_copy(update={"seed": 1})], tmp_path / "pit.svg")
    assert file is not None
    svg = file.read_text()
    assert [child.tag.rpartition("}")[2] for child in ElementTree.fromstring(svg)].count("svg") == len(CHARTS)
    assert svg.count('<polyline class="line c0"') == svg.count('<polyline class="line c1"') == len(CHARTS)
    assert svg.count("<circle") == 2 * 2 * len(CHARTS)
    assert all(escape(title) in svg for title in CHARTS.values())
    assert plot([], tmp_path / "none.svg") is None
    assert not (tmp_path / "none.svg").exists()


def test_the_command_redraws_the_page_and_fills_only_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Study
) -> None:
    page = tmp_path / "evidence.md"
    page.write_text("before\n<!-- pit -->\nold\n<!-- end of pit -->\nafter\n")
    where = ["--evidence", str(tmp_path), "--page", str(page), "--work", str(tmp_path / "work")]

    def refuse() -> None:
        raise AssertionError("nothing was to be filled")

    monkeypatch.setattr(pit_study, "read_world", refuse)
    command.main("pinxit reproduce pit", [*where, "--no-fill"])
    assert page.read_text() == "before\n<!-- pit -->\n\nNo row has been made yet.\n\n<!-- end of pit -->\nafter\n"
    (tmp_path / "pit.jsonl").write_text(made.evidence.read_text())
    command.main("pinxit reproduce pit", [*where, "--only", "seed 0"])
    assert "### Round by round" in page.read_text()
    assert "step by step](pit.svg)" in page.read_text()
    assert (tmp_path / "pit.svg").is_file()
    with pytest.raises(DataError, match="has not the lines <!-- pit -->"):
        command.main("pinxit reproduce pit", [*where, "--no-fill", "--page", str(tmp_path / "none.md")])
