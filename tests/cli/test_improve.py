"""`pinxit improve`, and `pinxit generate --improve`: through main as a user calls them; what cannot be is one line."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pinxit.data.records import read_records
from pinxit.improve import phase
from pinxit.improve.refine import Improver
from pinxit.models.language_folder import save_language
from pinxit.recipes.improvement import improve
from pinxit.train.run import StepReport
from pinxit.train.state import TrainState
from tests.cli.conftest import Answer
from tests.cli.test_generate import Pipeline, pipeline
from tests.data.vision import write
from tests.improve.toy import decoder
from tests.recipes.improving import TINY, flags, tiny, write_preferences

__all__ = ["pipeline"]  # a fixture

Run = Callable[..., Answer]
NONE = "--improver: none was named, and none ships yet; train one (pinxit improve train PREFS --out DIR), and name its"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("trained")
    enough = {"examples": 1024}  # to say words
    config = tiny(write_preferences(place / "preferences.jsonl"), policy_start=enough, improver_start=enough)
    improve(config, place / "run")
    return place / "run"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with preferences, in which the commands are given."""
    monkeypatch.chdir(tmp_path)
    return write_preferences(Path("preferences.jsonl"), bad=True)


def test_preferences_become_an_improver_through_a_stop(
    pinxit: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopping(phase.StepLog):
        def __call__(self, state: TrainState, report: StepReport) -> None:
            super().__call__(state, report)
            if (self.stage, state.seen) == ("gap", 32):
                os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(phase, "StepLog", Stopping)
        stopped = pinxit("improve", "train", str(here), *flags())
    assert (stopped.status, stopped.err) == (143, "stopped and saved at 32 examples seen\n")
    assert stopped.out.splitlines()[0] == (
        "pairs: 304 rows, 300 used; refused: 2 malformed, 1 equal answers, 1 over length (refused.jsonl)"
    )
    again = stopped.out.splitlines()[-1].removeprefix("go on with: ")
    assert again == "pinxit improve train runs/preferences"
    answer = pinxit(*shlex.split(again)[1:])
    assert answer.status == 0
    assert answer.out.splitlines()[-2:] == [
        f"the improver: {Path('runs/preferences').resolve()}",
        "next: pinxit improve text PROMPT --show --improver runs/preferences",
    ]
    assert any(line.startswith("order: ") for line in answer.out.splitlines())
    assert json.loads(Path("runs/preferences/order.json").read_text())["pairs"] > 10
    assert Improver.load("runs/preferences")("red cat house", "a cat.") is not None


def test_an_improver_stops_at_its_budget_and_goes_on_without_one(pinxit: Run, here: Path) -> None:
    stopped = pinxit("improve", "train", str(here), *flags(), "--stop-at", "0.001 s")
    assert (stopped.status, stopped.err) == (
        0, "the budget of 1.00 ms is spent: stopped and saved at 16 examples seen\n",
    )  # fmt: skip
    assert stopped.out.splitlines()[-1] == "go on with: pinxit improve train runs/preferences"
    again = pinxit("improve", "train", "runs/preferences", "--stop-at", "0.001 Wh")
    assert again.err.endswith("is spent: stopped and saved at 32 examples seen\n")
    assert len(list(Path("runs/preferences/phases/policy-start").glob("**/done"))) > 0


def test_a_model_without_chat_template_and_pad_token_gets_adapters(pinxit: Run, here: Path) -> None:
    pytest.importorskip("peft")
    save_language(decoder(), Path("model"))
    file = Path("model/tokenizer_config.json")
    told = json.loads(file.read_text())
    file.write_text(json.dumps({name: value for name, value in told.items() if name != "pad_token"}))
    settings = flags({name: value for name, value in TINY.items() if name != "language"})
    answer = pinxit("improve", "train", str(here), "--model", "model", *settings, "--language.lora.rank", "2")
    assert (answer.status, answer.err) == (0, "")
    assert Path("runs/preferences/improver/adapter_config.json").is_file()
    assert pinxit("improve", "text", "red cat", "--improver", "runs/preferences").status == 0
    save_language(decoder(1), Path("model"))
    strange = pinxit("improve", "text", "red cat", "--improver", "runs/preferences")
    assert (strange.status, strange.err.count("\n")) == (1, 1)
    assert "it was trained on another model than" in strange.err


@pytest.mark.usefixtures("here")
def test_what_cannot_be_trained_is_one_line(pinxit: Run) -> None:
    Path("run").mkdir()
    (Path("run") / "recipe.yaml").write_text("seed: 0\npairs: {source: preferences.jsonl}\n")
    Path("one.jsonl").write_text(json.dumps({"prompt": "a", "chosen": "b", "rejected": "c"}) + "\n")
    save_language(decoder(), Path("model"))
    file = "preferences.jsonl"
    wrong = {
        (): (2, "PREFS: it is missing"),
        ("none.jsonl",): (1, "none.jsonl: there is nothing there; name JSON lines"),
        ("one.jsonl",): (1, "by their prompts they fall in parts of"),
        ("hh-rlhf",): (2, "name the folder of a causal language model: --model DIR"),
        ("run", "--model", "model"): (2, "--model: run has a model already"),
        (file, "--model", "nowhere"): (1, "nowhere: there is no such folder"),
        (file, "--model", "model"): (2, "and the model reads 64; lower it or pairs.prompt, or take another model"),
        (file, *flags(), "--reward.least-spread", "1e6"): (1, "the reward has collapsed: all texts of a batch"),
        (file, *flags(), "--gap.most", "1e-9", "--out", "b"): (1, "the reward has exploded"),
        (file, *flags(), "--policy.warn-divergence", "1e-9", "--policy.most-divergence", "1e-9", "--out", "c"): (
            1, "the policy has run away",
        ),
        (file, *flags(), "--seed", "5"): (1, "it holds a run of another recipe"),
        (file, *flags(), "--curriculum.rounds", "1", "0"): (2, "do not rise from 0 on"),
        (file, *flags(), "--pairs.answer", "9"): (2, "policy.sampling.most 12 is over pairs.answer 9"),
    }  # fmt: skip
    for words, (status, said) in wrong.items():
        answer = pinxit("improve", "train", *words)
        assert (answer.status, answer.err.count("\n")) == (status, 1), answer.err
        assert said in answer.err, answer.err


def test_a_text_is_improved_and_its_rounds_are_shown(pinxit: Run, trained: Path) -> None:
    words = ("improve", "text", "red cat house", "--improver", str(trained), "--device", "cpu")
    plain, shown = pinxit(*words), pinxit(*words, "--show")
    assert (plain.status, shown.status) == (0, 0)
    assert plain.out.strip() == Improver.load(trained)("red cat house")
    lines = shown.out.splitlines()
    assert lines[0].startswith("0  ")
    assert lines[1].startswith("1 ")
    assert lines[1].split()[1].startswith(("+", "-"))
    assert lines[-1].startswith("stopped: ")
    assert pinxit(*words, "--rounds", "0", "--answer", "a cat at the lake.").out == "a cat at the lake.\n"
    assert pinxit(*words, "--answer", "").status == 0
    assert pinxit("improve", "text", "红猫", *words[3:], "--answer", "").status == 0


def test_nothing_but_the_answer_is_said(trained: Path) -> None:
    code = "from pinxit.cli.main import main; main()"
    words = ["improve", "text", "red cat house", "--answer", "a cat.", "--rounds", "0", "--improver", str(trained)]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("a cat.\n", "")


def test_what_cannot_be_improved_is_one_line(pinxit: Run, trained: Path, tmp_path: Path) -> None:
    wrong = {
        ("red cat",): NONE,
        ("red cat", "--improver", str(tmp_path)): "there is no finished improver, for there is no card.json",
        (" ", "--improver", str(trained)): "prompt 0: it is empty",
        ("red " * 60, "--improver", str(trained)): "are more than the 64 it reads; shorten the text",
    }
    for words, said in wrong.items():
        answer = pinxit("improve", "text", *words)
        assert (answer.status, answer.err.count("\n")) == (1, 1)
        assert said in answer.err


def test_captions_are_improved_beside_the_old_ones_once(pinxit: Run, trained: Path, tmp_path: Path) -> None:
    records = write(tmp_path / "own", [["red cat house"], [], ["blue owl lake"], ["red " * 50]])
    words = ("improve", "captions", str(records), "--improver", str(trained), "--device", "cpu", "--share", "0.6")
    answer = pinxit(*words)
    assert answer.status == 0
    lines = {" ".join(line.split()[:-1]): line.split()[-1] for line in answer.out.splitlines()}
    assert (lines["pictures"], lines["captioned now"], lines["without an answer"]) == ("4", "2", "1")
    assert lines["without a caption, not asked about"] == "1"
    assert "more than the 64 it reads" in (tmp_path / "own.captions" / "failed.jsonl").read_text()
    found = read_records(records)
    old, new = found.captions(0)
    assert (old.text, new.text) == ("red cat house", Improver.load(trained)("red cat house"))
    assert (old.weight, new.weight) == (pytest.approx(0.4), pytest.approx(0.6))
    assert [len(captions) for captions in found.wordings()] == [2, 0, 2, 1]
    journal = (tmp_path / "own.captions" / "journal.jsonl").read_text()
    again = pinxit(*words)
    assert "captioned before 2" in " ".join(again.out.split())
    assert (tmp_path / "own.captions" / "journal.jsonl").read_text() == journal
    assert pinxit(*words, "--rounds", "1").status == 0  # another way to improve is another captioner
    assert (tmp_path / "own.captions" / "journal.jsonl").read_text() != journal


def test_improving_captions_goes_on_after_a_stop(
    pinxit: Run, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = write(tmp_path / "own", [[f"red cat {place}"] for place in ("house", "tree", "lake")])
    words = ("improve", "captions", str(records), "--improver", str(trained))
    whole = Improver.trace

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Improver, "trace", stop)
    stopped = pinxit(*words)
    assert (stopped.status, stopped.out.splitlines()[-1]) == (130, f"go on with: pinxit {shlex.join(words)}")
    assert read_records(records).wording is None
    monkeypatch.setattr(Improver, "trace", whole)
    assert pinxit(*words).status == 0
    assert all(len(captions) == 2 for captions in read_records(records).wordings())
    assert NONE in pinxit("improve", "captions", str(records)).err


def test_prompts_are_improved_before_they_are_drawn(pinxit: Run, trained: Path, pipeline: Pipeline) -> None:
    answer = pinxit("generate", "--improve", "red cat house", "--improver", str(trained), "--device", "cpu")
    assert answer.status == 0
    new = Improver.load(trained)("red cat house")
    assert pipeline.asked == [(new or "red cat house", 0)]
    assert answer.out.splitlines()[:2] == ["red cat house", f"  -> {pipeline.asked[0][0]}"]
    assert pinxit("generate", "red cat house", "--improver", str(trained), "--device", "cpu").status == 0
    assert NONE in pinxit("generate", "--improve", "an owl").err
    tool = pinxit("generate", "--improve", "--adapter", "a", "--condition", "b")
    assert (tool.status, tool.err.count("\n")) == (2, 1)
    assert "--improve has no use with a condition" in tool.err
