"""Settings of learned self-improvement. The paper tells the losses and little else: these defaults are ours."""

from typing import Literal

from pydantic import Field, model_validator

from pinxit.config import Config
from pinxit.models.config import LanguageConfig, SmallLanguageConfig
from pinxit.train.config import ComputeConfig, OptimizerConfig

SCENES = "scenes"  # the synthetic set's name
Compared = Literal["gap", "difference"]


class PairsConfig(Config):
    """Which preferences are read, how long they may be, and the share kept from training."""

    source: str = Field(
        description="file or folder of preferences; scenes: a synthetic set; hub:OWNER/NAME, which `datasets` fetches"
    )
    folder: str | None = Field(None, description="of a hub's data set: the folder in it; none: all of it")
    revision: str | None = Field(None, description="of a hub's data set; none: the newest")
    licence: str = Field("NOASSERTION", description="of the preferences, as SPDX names it; it goes into the card")
    prompt: int = Field(512, gt=0, description="most tokens of a prompt")
    answer: int = Field(256, gt=0, description="most tokens of an answer, given or sampled")
    held_out: float = Field(0.05, ge=0, lt=1, description="share of the prompts kept from training")


class PhaseConfig(Config):
    """How long one model is trained, and how; the clock counts examples: answers, pairs, or questions."""

    examples: int = Field(10_000, gt=0)
    batch: int = Field(32, gt=0)
    accumulation: int = Field(1, gt=0, description="micro-batches of one optimiser step")
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-5, betas=(0.9, 0.999), weight_decay=0.0)
    save_every: float = Field(300.0, gt=0, description="seconds between two checkpoints")

    @model_validator(mode="after")
    def _micro_batches_divide_batch(self) -> "PhaseConfig":
        if self.batch % self.accumulation:
            raise ValueError(
                f"batch {self.batch} is not a multiple of accumulation {self.accumulation}; change either one"
            )
        return self


class RewardConfig(PhaseConfig):
    """A reward model's phase and the bounds of a healthy one, a batch at a time."""

    least_spread: float = Field(1e-4, ge=0, description="deviation of a batch's rewards below which it has collapsed")
    most: float = Field(1e3, gt=0, description="size of a reward above which it has exploded")


class SamplingConfig(Config):
    """How answers are drawn."""

    most: int = Field(256, gt=0, description="tokens of an answer")
    temperature: float = Field(1.0, ge=0, description="0: always the likeliest token")
    batch: int = Field(64, gt=0, description="answers drawn together; changes nothing but speed")


class ReinforcementConfig(PhaseConfig):
    """Reinforcement with a penalty to the start; `batch` counts questions, each with a group of answers."""

    batch: int = Field(16, gt=0)
    group: int = Field(8, gt=1, description="answers to one question, each the others' baseline")
    sampling: SamplingConfig = Field(SamplingConfig(), description="its temperature is part of the policy")
    penalty: float = Field(
        0.05, ge=0, description="beta: the worth of a nat of divergence from the start, in the reward's units"
    )
    divergence: Literal["exact", "sampled"] = Field(
        "exact", description="at each token over all that could follow, or of the token that was drawn"
    )
    baseline: Literal["leave-one-out", "group"] = Field(
        "leave-one-out", description="group: the mean of all, divided by their deviation"
    )
    unfinished: float = Field(0.0, ge=0, description="taken from the reward of an answer that did not end in time")
    warn_divergence: float = Field(20.0, gt=0, description="nats an answer above which a run says so")
    most_divergence: float = Field(100.0, gt=0, description="nats an answer above which a run stops")

    @model_validator(mode="after")
    def _policy_is_no_certainty(self) -> "ReinforcementConfig":
        if not self.sampling.temperature:
            raise ValueError("sampling.temperature is 0, at which all answers of a group are one; raise it")
        return self

    @model_validator(mode="after")
    def _warns_before_it_stops(self) -> "ReinforcementConfig":
        if self.warn_divergence > self.most_divergence:
            raise ValueError(
                f"warn_divergence {self.warn_divergence} is over most_divergence {self.most_divergence}; lower it"
            )
        return self


class CurriculumConfig(Config):
    """Which answers the improver learns to improve, round by round.

    Round 0: the labelled ones, worse and better. Round 1: the policy's own. Round k: those, improved k - 1 times by the
    improver as the round before left it (the paper speaks of more rounds but made none).
    """

    rounds: tuple[int, ...] = Field((0, 1), min_length=1)
    anchor: Literal["start", "before"] = Field(
        "start", description="where the penalty pulls to: the improver before all rounds, or before this one"
    )
    phase: ReinforcementConfig = Field(ReinforcementConfig(), description="of each round")
    own: SamplingConfig = Field(SamplingConfig(), description="how the policy's answers are drawn")

    @model_validator(mode="after")
    def _rounds_go_on(self) -> "CurriculumConfig":
        if list(self.rounds) != sorted(set(self.rounds)) or self.rounds[0] < 0:
            raise ValueError(f"rounds {self.rounds} do not rise from 0 on; order them, each once")
        return self


class RefineConfig(Config):
    """How an answer is improved, and when to stop.

    Nothing in the gap's loss makes r(x, y, y) zero, so a new answer is compared with the old one itself. `relative`:
    stop when r(x, y', y) <= r(x, y, y); `antisymmetric`: when [r(x, y', y) - r(x, y, y')] / 2 <= 0; `rounds`: never.
    """

    rounds: int = Field(3, ge=0, description="most improvements")
    stop: Literal["relative", "antisymmetric", "rounds"] = "relative"
    sampling: SamplingConfig = SamplingConfig(temperature=0.5)
    first: SamplingConfig = Field(SamplingConfig(), description="how the policy's answer is drawn, where none is given")


class ImproveConfig(Config):
    """A whole run: preferences, the language model to begin with, and the phases in their order."""

    seed: int = 0
    pairs: PairsConfig
    language: LanguageConfig = SmallLanguageConfig()
    policy_start: PhaseConfig = Field(PhaseConfig(), description="imitation of the better answer")
    improver_start: PhaseConfig = Field(PhaseConfig(), description="the same, shown the worse one")
    rewards_begin: Literal["imitation", "language"] = Field(
        "imitation", description="as what: the imitating policy, or the language model; that of gaps as that of answers"
    )
    reward: RewardConfig = Field(RewardConfig(), description="of one answer")
    compared: Compared = Field(
        "gap", description="what tells how much better an answer is: a reward of gaps, or the difference of two rewards"
    )
    gap: RewardConfig = Field(RewardConfig(), description="of one answer over another; not learned for differences")
    policy: ReinforcementConfig = ReinforcementConfig()
    curriculum: CurriculumConfig = CurriculumConfig()
    refine: RefineConfig = RefineConfig()
    half: bool = Field(False, description="round the finished models to half precision: half as many bytes")
    compute: ComputeConfig = ComputeConfig()

    @model_validator(mode="after")
    def _sampled_answers_fit(self) -> "ImproveConfig":
        for name, sampling in (
            ("policy.sampling", self.policy.sampling),
            ("curriculum.phase.sampling", self.curriculum.phase.sampling),
            ("curriculum.own", self.curriculum.own),
            ("refine.sampling", self.refine.sampling),
            ("refine.first", self.refine.first),
        ):
            if sampling.most > self.pairs.answer:
                raise ValueError(
                    f"{name}.most {sampling.most} is over pairs.answer {self.pairs.answer}; lower it, or raise that"
                )
        return self
