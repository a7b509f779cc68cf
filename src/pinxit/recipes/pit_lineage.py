"""The models of one seed in the study of self-improvement, each trained once, when it is first asked for."""

from collections.abc import Sequence
from functools import cache, cached_property

from pinxit.improve.config import ImproveConfig, ReinforcementConfig
from pinxit.improve.curriculum import Own, labelled, prompts
from pinxit.improve.phase import Place, imitate, learn_gap, learn_reward, reinforce
from pinxit.improve.rollout import Questions, answer
from pinxit.improve.score import AnswerScore, GapScore, RewardModel, Score
from pinxit.improve.template import Question
from pinxit.models.language import CausalLanguage
from pinxit.recipes.brief import Brief
from pinxit.recipes.pit_watch import SEED, Seen, Watch, read_watch, take_best
from pinxit.recipes.preference import Preferences
from pinxit.rng import seed_at

LOOKS = 8  # at a model in reinforcement, after the one at its start
FULL = (0, 1)  # the rounds of the whole curriculum


class Lineage:
    """One seed's models; a phase that was stopped goes on in its folder, one that has ended is read from there."""

    def __init__(self, config: ImproveConfig, found: Preferences, root: Place, watched: Sequence[Brief]) -> None:
        self.config, self.found, self.root, self.watched = config, found, root, watched
        self.improver = cache(self._improver)  # by its rounds

    @cached_property
    def policy_start(self) -> CausalLanguage:
        """Imitates better answers."""
        language, parts = self.found.language.twin(), self.found.parts
        imitate(language, parts.imitation, self.config.policy_start, self.root.within("policy-start"), shown=False)
        return language

    @cached_property
    def improver_start(self) -> CausalLanguage:
        """Imitates better answers, shown the worse ones."""
        language, parts = self.found.language.twin(), self.found.parts
        imitate(language, parts.imitation, self.config.improver_start, self.root.within("improver-start"), shown=True)
        return language

    @cached_property
    def reward(self) -> RewardModel:
        """Of one answer."""
        model = RewardModel(self.policy_start.twin(), seed_at(self.config.seed, "reward"))
        learn_reward(model, self.found.parts.reward, self.config.reward, self.root.within("reward"))
        return model

    @cached_property
    def gap(self) -> RewardModel:
        """Of one answer over another."""
        model = self.reward.over_reference()
        learn_gap(model, self.found.parts.reward, self.config.gap, self.root.within("gap"))
        return model

    @cached_property
    def policy(self) -> CausalLanguage:
        """Reinforced by the reward of one answer."""
        return self._reinforced_policy("policy", self.policy_start, self.config.policy)

    @cached_property
    def longer_policy(self) -> CausalLanguage:
        """The policy, reinforced for as long again as the improver of the full curriculum is."""
        more = len(FULL) * self.config.curriculum.phase.examples
        config = self.config.policy.model_copy(update={"examples": more})
        return self._reinforced_policy("longer-policy", self.policy, config)

    def looks(self, name: str) -> list[Seen]:
        """What was seen of a model in reinforcement."""
        return read_watch(self.root.within(name).folder)

    def name(self, rounds: tuple[int, ...]) -> str:
        """The name of the phase with which the rounds end."""
        return f"rounds-{'-'.join(map(str, rounds))}"

    def _improver(self, rounds: tuple[int, ...]) -> CausalLanguage:
        """Reinforced by the gap, round after round: on labelled answers in a round 0, on the policy's in a round 1."""
        if not rounds:
            return self.improver_start
        language, name = self.improver(rounds[:-1]).twin(), self.name(rounds)
        pairs, seed = self.found.parts.reinforcement, self.root.within(name).seed
        questions: Questions = labelled(pairs, seed)
        if rounds[-1]:
            questions = Own(pairs, self.policy, self.config.curriculum.own, seed)
        references = self._watched_answers
        asked = [Question(brief.prompt, text) for brief, text in zip(self.watched, references, strict=True)]
        score = GapScore(self.gap)
        self._reinforce(name, language, self.improver_start, questions, score, self.config.curriculum.phase, asked)
        return language

    def _reinforced_policy(
        self, name: str, before: CausalLanguage, config: ReinforcementConfig
    ) -> CausalLanguage:  # fmt: skip
        language = before.twin()
        questions = prompts(self.found.parts.reinforcement, self.root.within(name).seed)
        asked = [Question(brief.prompt) for brief in self.watched]
        self._reinforce(name, language, self.policy_start, questions, AnswerScore(self.reward), config, asked)
        return language

    def _reinforce(  # noqa: PLR0917  (a model, what it is asked and how, and what is watched)
        self,
        name: str,
        language: CausalLanguage,
        start: CausalLanguage,
        questions: Questions,
        score: Score,
        config: ReinforcementConfig,
        asked: Sequence[Question],
    ) -> None:
        """The model is reinforced near its start, and has the weights that were best on the watched prompts."""
        place, every = self.root.within(name), max(1, config.examples // LOOKS // config.batch) * config.batch
        anchor = start.frozen()
        watch = Watch(language, anchor, score, asked, self.watched, config.sampling, place.folder, every)
        watch.begin()
        reinforce(language, questions, score, config, place, start=anchor, watch=[watch])
        take_best(language, place.folder)

    @cached_property
    def _watched_answers(self) -> list[str]:
        """The policy's answers to the watched prompts, which improvers are watched improving."""
        asked, policy = [Question(brief.prompt) for brief in self.watched], self.policy
        said = answer(policy, asked, self.config.curriculum.own, seed_at(SEED, "own"), range(len(asked)))
        return [policy.text(tokens) for tokens in said]
