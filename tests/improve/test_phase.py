"""The phases: stopped and resumed they are straight ones to the last bit; together they make an improver."""

import json
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from pinxit.data.loader import CacheLoader
from pinxit.errors import CheckpointError, DivergenceError, Stopped
from pinxit.improve.config import (
    CurriculumConfig,
    PhaseConfig,
    RefineConfig,
    ReinforcementConfig,
    RewardConfig,
    SamplingConfig,
)  # fmt: skip
from pinxit.improve.curriculum import labelled
from pinxit.improve.pair import Pair
from pinxit.improve.phase import (
    Place,
    carry,
    imitate,
    learn_gap,
    learn_reward,
    reinforce,
    reinforce_improver,
    reinforce_policy,
)  # fmt: skip
from pinxit.improve.policy import Reinforcement
from pinxit.improve.refine import Improver
from pinxit.improve.reward import Preference, compare
from pinxit.improve.rollout import RolloutLoader, answer
from pinxit.improve.score import AnswerScore, GapScore, RewardModel, load_reward, save_reward
from pinxit.improve.sequence import Encoded, encode
from pinxit.improve.sft import Imitation, show_worse
from pinxit.improve.template import Question
from pinxit.ledger.meter import Meter, read_ledger
from pinxit.models.config import FolderLanguageConfig, LoraConfig
from pinxit.models.language import CausalLanguage
from pinxit.models.language_folder import load_language, save_language
from pinxit.train.checkpoint import complete_checkpoints
from pinxit.train.config import OptimizerConfig
from pinxit.train.run import Hook, StepReport
from pinxit.train.state import TrainState

from .test_rollout import count_letters
from .toy import decoder, judge, pairs

SAMPLING = SamplingConfig(most=12)
DATA = pairs()[:40]


def fast(rate: float) -> OptimizerConfig:
    return OptimizerConfig(learning_rate=rate, weight_decay=0.0)


def strike_at(seen: int) -> Hook:
    def strike(state: TrainState, _: StepReport) -> None:
        if state.seen == seen:
            os.kill(os.getpid(), signal.SIGTERM)

    return strike


def imitation(place: Place, hooks: Sequence[Hook]) -> TrainState:
    language, config = decoder(), PhaseConfig(examples=64, batch=8, accumulation=2, optimizer=fast(1e-3))
    source = Encoded([encode(language, show_worse(pair), pair.place) for pair in DATA], language)
    with closing(CacheLoader(source, source.plan(8), place.seed, accumulation=2)) as loader:
        return carry(Imitation(language), loader, config, place, hooks)


def preference(place: Place, hooks: Sequence[Hook]) -> TrainState:
    model, config = RewardModel(decoder(), 0), PhaseConfig(examples=64, batch=8, optimizer=fast(1e-3))
    source = Encoded([encode(model.language, compare(pair), pair.place) for pair in DATA], model.language)
    with closing(CacheLoader(source, source.plan(8), place.seed)) as loader:
        return carry(Preference(model), loader, config, place, hooks)


def reinforcement(place: Place, hooks: Sequence[Hook]) -> TrainState:
    language = decoder(loud=2)
    config = ReinforcementConfig(
        examples=64, batch=8, group=3, accumulation=2, sampling=SamplingConfig(most=5), optimizer=fast(1e-3)
    )
    start = language.frozen()
    loader = RolloutLoader(language, labelled(DATA, 0), count_letters, config, place.seed)
    return carry(Reinforcement(language, start, config), loader, config, place, hooks, start=start)


@pytest.mark.parametrize("phase", [imitation, preference, reinforcement])
def test_a_phase_stopped_twice_and_resumed_equals_a_straight_one_to_the_last_bit(
    tmp_path: Path, phase: Callable[[Place, Sequence[Hook]], TrainState]
) -> None:
    straight = phase(Place(tmp_path / "straight", 3), []).tensors()
    place = Place(tmp_path / "stopped", 3)
    for stop in (16, 40):
        with pytest.raises(Stopped, match=f"saved at {stop} examples seen"):
            phase(place, [strike_at(stop)])
    resumed = phase(place, []).tensors()
    assert resumed.keys() == straight.keys()
    for name, tensor in straight.items():
        assert torch.equal(tensor, resumed[name]), name
    rows = [json.loads(line) for line in (place.folder / "steps.jsonl").read_text().splitlines()]
    assert [row["seen"] for row in rows] == list(range(8, 72, 8))
    assert all("examples_per_second" in row for row in rows)
    ended = phase(place, [strike_at(8)]).tensors()  # goes no further
    assert all(torch.equal(tensor, ended[name]) for name, tensor in straight.items())


@pytest.mark.parametrize("phase", [imitation, preference, reinforcement])
def test_the_ledger_has_the_operations_that_torch_counts(
    tmp_path: Path, phase: Callable[[Place, Sequence[Hook]], TrainState]
) -> None:
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):
        phase(Place(tmp_path, 3, meter=Meter(tmp_path)), [])
    (line,) = read_ledger(tmp_path)
    assert line.operations == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_a_policy_that_runs_away_stops_its_phase_and_the_last_good_checkpoint_is_named(tmp_path: Path) -> None:
    config = ReinforcementConfig(
        examples=400, batch=4, group=2, sampling=SamplingConfig(most=5), optimizer=fast(0.1),
        warn_divergence=0.1, most_divergence=0.5, save_every=1e-9,
    )  # fmt: skip
    with pytest.raises(DivergenceError, match=r"the policy has run away: .* checkpoint is .*checkpoint/\d+"):
        reinforce(decoder(loud=2), labelled(DATA, 0), count_letters, config, Place(tmp_path, 0))
    assert complete_checkpoints(tmp_path)


@pytest.mark.parametrize("learn", [learn_reward, learn_gap])
def test_a_reward_that_explodes_stops_its_phase(
    tmp_path: Path, learn: Callable[[RewardModel, Sequence[Pair], RewardConfig, Place], TrainState]
) -> None:
    config = RewardConfig(examples=400, batch=8, optimizer=fast(0.3), most=30, save_every=1e-9)
    with pytest.raises(DivergenceError, match=r"the reward has exploded: .* checkpoint is .*checkpoint/\d+: lower the"):
        learn(RewardModel(decoder(), 0), DATA, config, Place(tmp_path, 0))


def test_a_checkpoint_of_adapters_holds_nothing_else_and_the_model_below_stays(tmp_path: Path) -> None:
    save_language(decoder(), tmp_path / "base")
    base = FolderLanguageConfig(folder=str(tmp_path / "base"), lora=LoraConfig(rank=2))
    language, whole = load_language(base), load_language(FolderLanguageConfig(folder=base.folder))
    config = PhaseConfig(examples=64, batch=8, optimizer=fast(1e-2))
    state = imitate(language, DATA, config, Place(tmp_path / "run", 0), shown=True)
    assert all("lora_" in name for name in state.tensors())
    kept = {name.replace(".base_layer", ""): value for name, value in language.network.state_dict().items()}
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, kept[name]), name
    rows = (tmp_path / "run" / "steps.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["loss"] < json.loads(rows[0])["loss"]
    reward = RewardModel(load_language(base), 0)
    learn_reward(reward, DATA, RewardConfig(examples=64, batch=8), Place(tmp_path / "reward", 0))
    save_reward(reward, tmp_path / "saved", base.folder)
    adapter = FolderLanguageConfig(folder=base.folder, adapter=str(tmp_path / "saved"))
    again = load_reward(load_language(adapter), tmp_path / "saved")
    asked = [Question("red cat")] * 2, ["a cat", ""]
    assert torch.equal(again.measure(*asked), reward.measure(*asked))
    with pytest.raises(CheckpointError, match=r"its head\.safetensors cannot be read"):
        load_reward(language, tmp_path / "base")


def test_a_calibrated_reward_puts_pairs_one_unit_apart() -> None:
    model = RewardModel(decoder(loud=3), 0)
    questions, better, worse = (
        [Question(pair.prompt) for pair in DATA], [pair.better for pair in DATA], [pair.worse for pair in DATA],
    )  # fmt: skip
    order = (model.measure(questions, better) > model.measure(questions, worse)).tolist()
    for _ in range(2):
        model.calibrate(questions, better, worse)
        apart = model.measure(questions, better) - model.measure(questions, worse)
        assert float(apart.square().mean()) == pytest.approx(1, rel=1e-4)
        assert (apart > 0).tolist() == order


def quality(language: CausalLanguage, questions: Sequence[Question]) -> float:
    """Facts told right, on average, at temperature 1."""
    said = answer(language, questions, SAMPLING, 5, range(len(questions)))
    return sum(judge(q.prompt, language.text(a)) for q, a in zip(questions, said, strict=True)) / len(said)


def rewards(folder: Path) -> list[float]:
    return [json.loads(line)["reward"] for line in (folder / "steps.jsonl").read_text().splitlines()]


def test_a_tiny_decoder_learns_to_improve_from_preferences_alone(tmp_path: Path) -> None:
    data, held, place = pairs(3000), pairs(150, seed=1), Place(tmp_path, 0)
    policy, improver = decoder(1), decoder(2)
    phase = PhaseConfig(examples=3200, batch=32, optimizer=fast(3e-3))
    imitate(policy, data, phase, place.within("policy-start"), shown=False)
    imitate(improver, data, phase, place.within("improver-start"), shown=True)
    reward = RewardModel(policy.twin(), 3)
    learn_reward(reward, data, RewardConfig(examples=2400, optimizer=fast(1e-3)), place.within("reward"))
    gap = reward.over_reference()
    learn_gap(gap, data, RewardConfig(examples=2400, optimizer=fast(1e-3)), place.within("gap"))

    prompts = [Question(pair.prompt) for pair in held]
    worse = [Question(pair.prompt, pair.worse) for pair in held]
    before = quality(policy, prompts), quality(improver, worse)
    settings = ReinforcementConfig(
        examples=320, batch=16, group=6, sampling=SAMPLING, optimizer=fast(1e-3), penalty=0.2
    )  # fmt: skip
    reinforce_policy(policy, data, AnswerScore(reward), settings, place.within("policy"))
    slower = settings.model_copy(update={"optimizer": fast(5e-4), "penalty": 0.3})
    curriculum = CurriculumConfig(phase=slower, own=SAMPLING)
    reinforce_improver(improver, policy, data, GapScore(gap), curriculum, place.within("improver"))
    after = quality(policy, prompts), quality(improver, worse)
    assert after[0] > before[0] + 0.1
    assert after[1] > before[1] + 0.05
    first = rewards(tmp_path / "improver" / "round-0")
    assert sum(first[-10:]) > sum(first[:10])
    assert len(rewards(tmp_path / "improver" / "round-1")) == 20

    refine = RefineConfig(sampling=SamplingConfig(most=12, temperature=0.5))
    traces = Improver(improver, GapScore(gap), refine).trace([q.prompt for q in worse], [pair.worse for pair in held])
    mean = sum(judge(trace.prompt, trace.answer) for trace in traces) / len(traces)
    assert mean > 1.0 + sum(judge(pair.prompt, pair.worse) for pair in held) / len(held)
