"""Whole runs of self-improvement as one value: one's own preferences, the synthetic set, the paper's two public ones.

Wang et al. 2023 (arXiv 2310.00898) tells equations and order, and neither models one can have, nor rates, lengths or
algorithm: those below are ours. Of the small decoder's nothing is tuned beyond the toy of `docs/log.md`; those of
adapters are usual ones, and were not run at this size.
"""

from collections.abc import Callable, Mapping

from pinxit.errors import ConfigError
from pinxit.improve.config import (
    SCENES,
    CurriculumConfig,
    ImproveConfig,
    PairsConfig,
    PhaseConfig,
    RefineConfig,
    ReinforcementConfig,
    RewardConfig,
    SamplingConfig,
)  # fmt: skip
from pinxit.models.config import FolderLanguageConfig, LanguageConfig, LoraConfig, SmallLanguageConfig
from pinxit.train.config import OptimizerConfig


def pit(source: str, model: str | None = None, *, adapters: bool = True) -> ImproveConfig:
    """One's own preferences: adapters of the model in a folder, or all of its weights, or a small decoder's."""
    if model is None:
        return _small(PairsConfig(source=source, prompt=96, answer=48))
    return _large(PairsConfig(source=source), model, adapters=adapters)


def scenes() -> ImproveConfig:
    """The synthetic set of scenes, most better answers in it right: an improver of prompts, small enough to ship.

    1.3 million weights each, and differences of answers' rewards for gaps, since these want no second reward: 75
    minutes of a core in all.
    """
    pairs = PairsConfig(source=SCENES, licence="MIT", prompt=32, answer=32)
    language, reward = SmallLanguageConfig(width=144), _reward(80_000)
    base = _whole(pairs, language, _imitation(200_000), reward, questions=3_200, rate=3e-4, penalty=0.1)
    first = base.refine.first.model_copy(update={"temperature": 0.5})
    changes = {
        "improver_start": _imitation(100_000), "compared": "difference", "half": True,
        "refine": base.refine.model_copy(update={"first": first}),
    }  # fmt: skip
    return base.model_copy(update=changes)


def study(source: str, seed: int) -> ImproveConfig:
    """One seed of the study on the synthetic set, whose pairs are in a file: 2.0 million weights a model, 200 steps of
    16 prompts with 8 answers in each reinforcement. Exams have prompts of their own, so no pair is held out.
    """
    pairs = PairsConfig(source=source, licence="MIT", prompt=32, answer=32, held_out=0.0)
    imitation, reward = _imitation(48_000), _reward(32_000)
    config = _whole(pairs, SmallLanguageConfig(), imitation, reward, questions=3_200, rate=3e-4, penalty=0.2)
    return config.model_copy(update={"seed": seed, "gap": _reward(40_000)})


def hh_rlhf(model: str, *, adapters: bool = True) -> ImproveConfig:
    """Anthropic's helpful and harmless dialogues: 161,000 pairs for training and 8,500 for tests, read as one."""
    pairs = PairsConfig(source="hub:Anthropic/hh-rlhf", licence="MIT")
    return _large(pairs, model, adapters=adapters, third=54_000)


def summaries(model: str, *, adapters: bool = True) -> ImproveConfig:
    """OpenAI's comparisons of summaries, in the form that the hub made of them: their own is a script."""
    pairs = PairsConfig(
        source="hub:openai/summarize_from_feedback", folder="comparisons", revision="refs/convert/parquet",
        prompt=768, answer=96,
    )  # fmt: skip
    return _large(pairs, model, adapters=adapters, third=56_000)


PUBLIC: Mapping[str, Callable[..., ImproveConfig]] = {"hh-rlhf": hh_rlhf, "summaries": summaries}


def improvement(source: str, model: str | None = None, *, adapters: bool = True) -> ImproveConfig:
    """The recipe of a set by its name, or of one's own preferences."""
    if source == SCENES and model is None:
        return scenes()
    if source not in PUBLIC:
        return pit(source, model, adapters=adapters)
    if model is None:
        problem = "its dialogues are too much for the small decoder"
        raise ConfigError("PREFS", source, problem, "name the folder of a causal language model: --model DIR")
    return PUBLIC[source](model, adapters=adapters)


def _small(pairs: PairsConfig) -> ImproveConfig:
    """Both models from scratch, in words of the preferences themselves."""
    imitation = _imitation(24_000)
    reward = _reward(12_000)
    return _whole(pairs, SmallLanguageConfig(), imitation, reward, questions=3_200, rate=3e-4, penalty=0.2)


def _imitation(examples: int) -> PhaseConfig:
    return PhaseConfig(examples=examples, optimizer=_rate(2e-3))


def _reward(examples: int) -> RewardConfig:
    return RewardConfig(examples=examples, optimizer=_rate(1e-3))


def _large(pairs: PairsConfig, model: str, *, adapters: bool, third: int = 10_000) -> ImproveConfig:
    """An epoch of each third in imitation and rewards, and half of one in reinforcement."""
    language = FolderLanguageConfig(folder=model, lora=LoraConfig() if adapters else None)
    slow = _rate(1e-4 if adapters else 1e-5)
    imitation, reward = PhaseConfig(examples=third, optimizer=slow), RewardConfig(examples=third, optimizer=slow)
    rate = slow.learning_rate / 5
    return _whole(pairs, language, imitation, reward, questions=third // 2, rate=rate, penalty=0.1)


def _whole(
    pairs: PairsConfig,
    language: LanguageConfig,
    imitation: PhaseConfig,
    reward: RewardConfig,
    *,
    questions: int,
    rate: float,
    penalty: float,
) -> ImproveConfig:
    """Equal budgets of policy and improver in reinforcement; answers as long as those of the pairs may be."""
    drawn = SamplingConfig(most=pairs.answer)
    policy = ReinforcementConfig(examples=questions, sampling=drawn, optimizer=_rate(rate), penalty=penalty)
    return ImproveConfig(
        pairs=pairs,
        language=language,
        policy_start=imitation,
        improver_start=imitation,
        reward=reward,
        gap=reward,
        policy=policy,
        curriculum=CurriculumConfig(phase=policy, own=drawn),
        refine=RefineConfig(sampling=SamplingConfig(most=pairs.answer, temperature=0.5), first=drawn),
    )


def _rate(rate: float) -> OptimizerConfig:
    return OptimizerConfig(learning_rate=rate, betas=(0.9, 0.999), weight_decay=0.0)
