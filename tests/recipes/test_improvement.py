"""A whole run of self-improvement: from a file to a folder that improves; stopped, it goes on to the last bit."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from pinxit.errors import CheckpointError, DataError, DivergenceError, Stopped
from pinxit.improve import phase
from pinxit.improve.folder import load_gap, read_improver_card
from pinxit.improve.order import Order
from pinxit.improve.refine import Improver
from pinxit.improve.score import DifferenceScore
from pinxit.improve.template import Question
from pinxit.ledger.meter import read_ledger
from pinxit.ledger.report import bill
from pinxit.models.config import FolderLanguageConfig, LoraConfig
from pinxit.models.language_folder import save_language
from pinxit.recipes.improvement import improve, tell
from pinxit.recipes.preference import read_improvement
from pinxit.recipes.tree import merge
from pinxit.train.run import StepReport
from pinxit.train.state import TrainState
from tests.improve.toy import decoder

from .improving import tiny, write_preferences

PHASES = ["policy-start", "improver-start", "reward", "gap", "policy", "round-0", "round-1"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """All that an improver's folder holds."""
    return {
        f"{file.parent.name}/{file.name}/{name}": tensor
        for file in sorted(folder.glob("*/*.safetensors"))
        for name, tensor in load_file(file).items()
    }


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is asked to stop once so many more steps were logged."""
    count = 0

    class Counting(phase.StepLog):
        def __call__(self, state: TrainState, report: StepReport) -> None:
            nonlocal count
            super().__call__(state, report)
            count += 1
            if count == steps:
                os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(phase, "StepLog", Counting)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a straight run, beside its preferences."""
    place = tmp_path_factory.mktemp("straight")
    improve(tiny(write_preferences(place / "preferences.jsonl", bad=True)), place / "run")
    return place / "run"


def test_a_run_leaves_an_improver_its_card_its_bill_and_its_rows(run: Path) -> None:
    improver = Improver.load(run)
    answer = improver("red cat house", "a red cat.")
    assert answer == Improver.load(run)("red cat house", "a red cat.")
    assert Improver.load(run, rounds=0)("red cat house", "a red cat.") == "a red cat."
    assert improver.trace(["red cat house"], improver.first(["red cat house"]))[0].answer == improver("red cat house")
    card = read_improver_card(run)
    assert card.pairs["found"] - card.pairs["used"] == 4
    assert [card.pairs[name] for name in ("malformed", "empty", "equal answers", "over length")] == [2, 0, 1, 1]
    assert card.order == Order.model_validate_json((run / "order.json").read_bytes())
    assert card.licences[0].spdx == "NOASSERTION"
    assert read_improvement(run / "recipe.yaml").pairs.answer == 12
    refused = [json.loads(line) for line in (run / "refused.jsonl").read_text().splitlines()]
    assert [row["reason"] for row in refused] == ["malformed", "equal answers", "malformed", "over length"]
    assert refused[0]["place"].startswith("preferences.jsonl:")
    trained = {line.stage: line.pictures for line in read_ledger(run) if line.phase == "train"}
    counted = {item.stage: item.operations or 0 for item in bill(run).items if item.phase == "train"}
    assert list(counted) == PHASES
    assert counted["gap"] > counted["reward"] > 0  # four texts a pair, and longer ones
    assert counted["round-1"] > counted["policy"] > 0  # what is to be improved is drawn too
    assert list(trained) == PHASES
    assert (trained["policy-start"], trained["round-1"]) == (128, 16)
    assert card.ledger["seconds"] > 0


def test_a_run_stopped_again_and_again_equals_a_straight_one_to_the_last_bit(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(run.parent / "preferences.jsonl")
    stops = 0
    while True:
        with monkeypatch.context() as patch:
            stop_after(7, patch)
            try:
                improve(config, tmp_path)
            except Stopped as stop:
                assert str(stop).endswith("examples seen")
                stops += 1
            else:
                break
        with pytest.raises(CheckpointError, match=r"no finished improver, for there is no card\.json"):
            Improver.load(tmp_path)
    assert stops == 5  # within either imitation, a reward, the policy's reinforcement, the last round
    straight, resumed = weights(run), weights(tmp_path)
    assert straight.keys() == resumed.keys()
    for name, tensor in straight.items():
        assert torch.equal(tensor, resumed[name]), name
    for log in run.rglob("steps.jsonl"):
        seen = [json.loads(line)["seen"] for line in log.read_text().splitlines()]
        again = (tmp_path / log.relative_to(run)).read_text().splitlines()
        assert [json.loads(line)["seen"] for line in again] == seen


def test_every_phase_says_what_came_of_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = improve(tiny(run.parent / "preferences.jsonl"), run)  # has ended: its phases are only told again
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("pairs: ")
    assert "refused: 2 malformed, 1 equal answers, 1 over length (refused.jsonl)" in said[0]
    assert said[1].strip().startswith("imitation ")
    told = [line for line in said if line.split(":")[0] in PHASES and any(c.isdigit() for c in line.split(": ")[1])]
    assert [line.split(":")[0] for line in told] == PHASES
    assert "order: " + str(order) in said
    assert order is not None
    assert f"of {order.pairs} held-out pairs in order" in str(order)


def test_a_phase_is_told_by_its_first_and_last_tenth() -> None:
    assert tell([{"loss": 4.0 - 0.1 * n} for n in range(20)]) == "loss 3.950 -> 2.150 a token"
    assert tell([{"loss": 1, "ordered": 0.5}, {"loss": 1, "ordered": 1}]) == "50 -> 100 % of pairs in order"
    row = {"loss": 1, "reward": 0.5, "divergence": 2.0, "length": 7.0}
    assert tell([row]) == "reward +0.50 -> +0.50, 2.00 nats from its start, 7.0 tokens an answer"


def test_a_folder_of_another_recipe_or_of_other_preferences_is_refused(run: Path, tmp_path: Path) -> None:
    source = run.parent / "preferences.jsonl"
    with pytest.raises(CheckpointError, match=r"another recipe; .*pinxit improve train"):
        improve(tiny(source, seed=3), run)
    (tmp_path / "recipe.yaml").write_text("base: own\n")
    with pytest.raises(CheckpointError, match="a run of another kind; choose another folder"):
        improve(tiny(source), tmp_path)
    assert (tmp_path / "recipe.yaml").read_text() == "base: own\n"
    text = source.read_text(encoding="utf-8")
    try:
        source.write_text(text.replace("red", "blue", 1), encoding="utf-8")
        with pytest.raises(CheckpointError, match="its preferences are not those that it began with"):
            improve(tiny(source), run)
    finally:
        source.write_text(text, encoding="utf-8")


def test_a_run_that_goes_wrong_is_mended_in_its_recipe_and_goes_on(tmp_path: Path) -> None:
    source = write_preferences(tmp_path / "preferences.jsonl")
    collapsed = tiny(source, reward={"least_spread": 1e6})
    with pytest.raises(DivergenceError, match=r"the reward has collapsed.*the last good checkpoint is none"):
        improve(collapsed, tmp_path / "run")
    file = tmp_path / "run" / "recipe.yaml"
    file.write_text(file.read_text().replace("1000000.0", "0.0001"))
    assert improve(read_improvement(file), tmp_path / "run") is not None
    with pytest.raises(DivergenceError, match="the policy has run away"):
        improve(tiny(source, policy={"warn_divergence": 0.0001, "most_divergence": 0.0001}), tmp_path / "other")


def test_without_held_out_pairs_it_says_so_and_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_preferences(tmp_path / "preferences.jsonl")
    assert improve(tiny(source, pairs={"held_out": 0}), tmp_path / "run") is None
    assert "order: no pair was held out" in capsys.readouterr().out
    assert not (tmp_path / "run" / "order.json").exists()


def test_gaps_may_be_differences_of_two_rewards_which_is_then_all_that_is_learned(tmp_path: Path) -> None:
    source = write_preferences(tmp_path / "preferences.jsonl")
    measured = improve(tiny(source, compared="difference"), tmp_path / "run")
    assert measured is not None
    wl, ww, ll, lw = measured.means
    assert (ww, ll) == (0, 0)
    assert wl == pytest.approx(-lw)
    assert not (tmp_path / "run" / "phases" / "gap").exists()
    assert read_improver_card(tmp_path / "run").compared == "difference"
    improver = Improver.load(tmp_path / "run")
    question = [Question("red cat house", "a red cat.")]
    model = load_gap(tmp_path / "run")
    wanted = DifferenceScore(model)(question, ["a blue owl."])
    assert_close(improver.score(question, ["a blue owl."]), wanted)
    assert float(wanted) != 0


def test_adapters_are_stored_alone_and_refused_on_another_model(tmp_path: Path) -> None:
    base = tmp_path / "base"
    save_language(decoder(), base)
    source = write_preferences(tmp_path / "preferences.jsonl")
    adapted = FolderLanguageConfig(folder=str(base), lora=LoraConfig(rank=2)).model_dump()
    config = tiny(source)
    config = type(config).model_validate(merge(config.model_dump(), {"language": adapted}))
    improve(config, tmp_path / "run")
    assert {file.name for file in (tmp_path / "run" / "improver").glob("*.safetensors")} == {
        "adapter_model.safetensors"
    }
    assert Improver.load(tmp_path / "run")("red cat house") is not None
    assert [one.name for one in read_improver_card(tmp_path / "run").licences] == [str(source), str(base)]
    save_language(decoder(1), base)
    with pytest.raises(CheckpointError, match="it was trained on another model"):
        Improver.load(tmp_path / "run")


def test_an_improver_without_a_policy_wants_an_answer(run: Path) -> None:
    alone = Improver.load(run)
    alone.policy = None
    assert alone("red cat house", "a cat.")
    with pytest.raises(DataError, match="no policy to give a first answer; give the answer"):
        alone("red cat house")
    with pytest.raises(DataError, match="prompt 0: it is empty"):
        Improver.load(run)("  ")
