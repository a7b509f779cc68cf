"""An improver's folder: comes back as it was, in half precision and without a policy too; what is broken is named."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pinxit.errors import CheckpointError
from pinxit.improve.config import RefineConfig, SamplingConfig
from pinxit.improve.folder import CARD, IMPROVER, POLICY, ImproverCard, hash_improver, save_improver
from pinxit.improve.refine import Improver
from pinxit.improve.score import GapScore, RewardModel
from pinxit.improve.template import Question

from .toy import decoder

REFINE = RefineConfig(sampling=SamplingConfig(most=6, temperature=0.5), first=SamplingConfig(most=6))
ASKED = ["red cat", "blue owl lake"], ["a dog", ""]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path, with_policy=True)
    return tmp_path


def save(folder: Path, *, with_policy: bool, half: bool = False) -> Improver:
    improver, policy, gap = decoder(1, loud=2), decoder(2, loud=2), RewardModel(decoder(3), 0)
    card = ImproverCard(refine=REFINE, model="the small decoder", data="a.jsonl", pairs={"found": 2, "used": 2})
    save_improver(folder, {IMPROVER: improver} | ({POLICY: policy} if with_policy else {}), gap, card, half=half)
    return Improver(improver, GapScore(gap), REFINE, policy=policy)


def test_an_improver_comes_back_as_it_was(folder: Path) -> None:
    before, again = save(folder, with_policy=True), Improver.load(folder)
    assert again.trace(*ASKED) == before.trace(*ASKED)
    assert again.first(ASKED[0]) == before.first(ASKED[0])
    assert again.config == REFINE
    assert Improver.load(folder, rounds=1).config.rounds == 1


def test_another_improver_has_another_name(folder: Path) -> None:
    before = hash_improver(folder)
    save(folder, with_policy=True)
    assert hash_improver(folder) == before
    weights = folder / IMPROVER / "model.safetensors"
    half = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(weights).items()}
    save_file(half, weights, {"format": "pt"})
    assert hash_improver(folder) != before
    assert Improver.load(folder).language.network.dtype == torch.float32


def test_in_half_precision_it_has_half_the_bytes_and_says_nearly_the_same(tmp_path: Path) -> None:
    def size(folder: Path) -> int:
        return sum(file.stat().st_size for file in folder.glob("*/model.safetensors"))

    whole, half = tmp_path / "whole", tmp_path / "half"
    before = save(whole, with_policy=True)
    save(half, with_policy=True, half=True)
    assert size(half) < 0.52 * size(whole)
    again = Improver.load(half)
    assert again.policy is not None
    for language in (again.language, again.policy):
        assert language.network.dtype == torch.float32
    assert before.language.network.dtype == torch.float32  # what is saved stays as it was
    questions, answers = [Question("red cat house", "a dog.")], ["a red cat."]
    torch.testing.assert_close(again.score(questions, answers), before.score(questions, answers), rtol=0.02, atol=0.02)


def test_what_is_not_whole_is_refused(folder: Path) -> None:
    (folder / IMPROVER / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="improver: no safetensors there"):
        Improver.load(folder)
    (folder / CARD).write_text('{"version": 2}')
    with pytest.raises(CheckpointError, match=r"card\.json: version: .*; update pinxit"):
        Improver.load(folder)
    (folder / CARD).unlink()
    with pytest.raises(CheckpointError, match=r"no finished improver, for there is no card\.json; train one"):
        Improver.load(folder)
    with pytest.raises(CheckpointError, match="none ships yet"):
        Improver.load()
