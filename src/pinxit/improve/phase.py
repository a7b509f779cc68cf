"""The phases of self-improvement, a function each: a model in memory is trained, in a folder that it can go on from.

A phase that was stopped goes on when its function is called again with the same arguments; one that has ended gives the
weights that it ended with. So a whole run is its phases in order, and is resumed by calling them all again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from torch import nn

from pinxit.data.loader import CacheLoader
from pinxit.improve.config import CurriculumConfig, PhaseConfig, ReinforcementConfig, RewardConfig
from pinxit.improve.curriculum import Own, labelled, prompts
from pinxit.improve.gap import Gap, combine
from pinxit.improve.guard import DivergenceGuard, RewardGuard
from pinxit.improve.pair import Pair
from pinxit.improve.policy import Reinforcement
from pinxit.improve.reward import Preference, compare
from pinxit.improve.rollout import Questions, RolloutLoader
from pinxit.improve.score import RewardModel, Score
from pinxit.improve.sequence import Encoded, Sequences, Weights, encode
from pinxit.improve.sft import Imitation, show_prompt, show_worse
from pinxit.improve.template import Question
from pinxit.ledger.budget import never_spent
from pinxit.ledger.meter import Meter
from pinxit.log import Bar, drop_lines_after
from pinxit.models.language import CausalLanguage
from pinxit.models.tally import Tally
from pinxit.rng import seed_at
from pinxit.train.average import Average
from pinxit.train.checkpoint import complete_checkpoints, name_newest, read_checkpoint, write_checkpoint
from pinxit.train.compute import PLAIN, Compute
from pinxit.train.config import AverageConfig
from pinxit.train.hook import Checkpointer, StepLog, Stopper
from pinxit.train.loop import fit
from pinxit.train.objective import Objective
from pinxit.train.optimizer import Optimizer
from pinxit.train.run import Hook, Loader, Run
from pinxit.train.state import TrainState

S = TypeVar("S", bound=Sequences)
S_contra = TypeVar("S_contra", bound=Sequences, contravariant=True)
CALIBRATION = 512  # pairs, at most, on which a reward's unit is found
Show = Callable[[Pair], list[tuple[Question, str]]]


@dataclass(frozen=True)
class Place:
    """Where a phase keeps its checkpoints and log, the seed of its randomness, how it computes, what counts it, and who
    says that enough was spent.
    """

    folder: Path
    seed: int
    compute: Compute = PLAIN
    meter: Meter | None = None
    spent: Callable[[], str] = never_spent

    def within(self, name: str) -> "Place":
        """A part of it, with a randomness of its own."""
        return replace(self, folder=self.folder / name, seed=seed_at(self.seed, name))

    @contextmanager
    def metered(self, batch: int, tally: Tally) -> Iterator[list[Hook]]:
        """What is spent within stands on the ledger under the folder's name; the hooks count the steps' examples and
        operations.
        """
        if self.meter is None:
            yield []
            return
        with self.meter.stage(self.folder.name) as meter:
            tally.take()  # of what came before
            yield [lambda _, report: meter.note(pictures=batch, waited=report.waited, operations=tally.take())]


@runtime_checkable
class Speaking(Objective[S_contra], Protocol[S_contra]):
    """An objective that trains a language model, or what is built on one."""

    language: CausalLanguage


def imitate(
    language: CausalLanguage, pairs: Sequence[Pair], config: PhaseConfig, place: Place, *, shown: bool
) -> TrainState:
    """The model gives better answers: an improver's, which is shown the worse ones, or a policy's."""
    with closing(_load(language, pairs, show_worse if shown else show_prompt, config, place)) as loader:
        return carry(Imitation(language), loader, config, place)


def learn_reward(model: RewardModel, pairs: Sequence[Pair], config: RewardConfig, place: Place) -> TrainState:
    """The model tells the better answer of two from the worse, each read by itself; it is calibrated on the pairs."""
    with closing(_load(model.language, pairs, compare, config, place)) as loader:
        state = carry(Preference(model), loader, config, place, [_guard_reward(config, place)])
    some = pairs[:CALIBRATION]
    model.calibrate([Question(pair.prompt) for pair in some], *_sides(some))
    return state


def learn_gap(model: RewardModel, pairs: Sequence[Pair], config: RewardConfig, place: Place) -> TrainState:
    """The model tells how much better one answer is than another; it is calibrated as ones that improve the worse."""
    with closing(_load(model.language, pairs, combine, config, place)) as loader:
        state = carry(Gap(model), loader, config, place, [_guard_reward(config, place)])
    some = pairs[:CALIBRATION]
    model.calibrate([Question(pair.prompt, pair.worse) for pair in some], *_sides(some))
    return state


def reinforce(
    language: CausalLanguage,
    questions: Questions,
    score: Score,
    config: ReinforcementConfig,
    place: Place,
    *,
    start: CausalLanguage | None = None,
    watch: Sequence[Hook] = (),
) -> TrainState:
    """The model's answers score higher, near those of `start`, which is the model as it is if none is given.

    What is to `watch` is called after every step, before its checkpoint.
    """
    start = language.frozen() if start is None else start
    loader = RolloutLoader(language, questions, score, config, place.seed, place.compute)
    guard = DivergenceGuard(config, partial(name_newest, place.folder))
    return carry(Reinforcement(language, start, config), loader, config, place, [guard, *watch], start=start)


def reinforce_policy(
    policy: CausalLanguage, pairs: Sequence[Pair], score: Score, config: ReinforcementConfig, place: Place
) -> TrainState:
    """The policy's answers to the pairs' prompts score higher."""
    return reinforce(policy, prompts(pairs, place.seed), score, config, place)


def reinforce_improver(  # noqa: PLR0917  (two models, and all that trains one of them)
    improver: CausalLanguage,
    policy: CausalLanguage,
    pairs: Sequence[Pair],
    score: Score,
    config: CurriculumConfig,
    place: Place,
) -> TrainState:
    """The improver's answers score higher above those that they improve, round by round."""
    start = improver.frozen()
    for number in config.rounds:
        here, before = place.within(f"round-{number}"), improver.frozen()
        if number == 0:
            questions: Questions = labelled(pairs, here.seed)
        else:
            again = before if number > 1 else None
            questions = Own(pairs, policy, config.own, here.seed, improver=again, times=number - 1)
        anchor = start if config.anchor == "start" else before
        state = reinforce(improver, questions, score, config.phase, here, start=anchor)
    return state


def carry(
    objective: Speaking[S],
    loader: Loader[S],
    config: PhaseConfig,
    place: Place,
    guards: Sequence[Hook] = (),
    *,
    start: CausalLanguage | None = None,
) -> TrainState:
    """The objective's weights have seen the phase's examples; `start` is kept with them.

    Nothing is averaged, and no step is recorded: texts have many lengths.
    """
    weights, folder = Weights(objective.trained), place.folder
    compute = replace(place.compute, recorded=False)
    optimizer = Optimizer(objective.trained, config.optimizer, config.examples)
    state = TrainState(weights, Average(nn.Module(), AverageConfig()), optimizer, place.seed)
    if start is not None:
        kept = dict(start.named_parameters())
        state.target["start"] = Weights({name: kept[name] for name in objective.trained})
    if saved := complete_checkpoints(folder):
        read_checkpoint(state, saved[-1])
    drop_lines_after(folder / "steps.jsonl", state.seen)
    unit = "examples"
    with (
        Stopper() as stopper,
        Bar(folder.name, config.examples, state.seen, unit) as bar,
        place.metered(config.batch, objective.language.tally) as counting,
    ):
        log = StepLog(folder / "steps.jsonl", folder.name, bar)
        save = Checkpointer(folder, stopper, config.save_every, unit=unit, spent=place.spent)
        hooks: list[Hook] = [log, *guards, *counting, save]
        last_good = partial(name_newest, folder)
        begun = state.seen
        fit(Run(state, objective, loader, config.examples, config.batch, hooks, last_good, compute))
    if begun < state.seen or not saved:
        write_checkpoint(state, folder)
    return state


def _load(
    language: CausalLanguage, pairs: Sequence[Pair], show: Show, config: PhaseConfig, place: Place
) -> CacheLoader[Sequences]:
    source = Encoded([encode(language, show(pair), pair.place) for pair in pairs], language)
    return CacheLoader(source, source.plan(config.batch), place.seed, accumulation=config.accumulation)


def _sides(pairs: Sequence[Pair]) -> tuple[list[str], list[str]]:
    return [pair.better for pair in pairs], [pair.worse for pair in pairs]


def _guard_reward(config: RewardConfig, place: Place) -> RewardGuard:
    return RewardGuard(config, partial(name_newest, place.folder))
