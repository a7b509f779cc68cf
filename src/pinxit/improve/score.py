"""Rewards of answers: the network with one number at its end, and the ways to score by it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pinxit.errors import CheckpointError
from pinxit.improve.config import Compared
from pinxit.improve.sequence import encode, stack
from pinxit.improve.template import Question
from pinxit.models.language import CausalLanguage
from pinxit.models.language_folder import save_language
from pinxit.rng import generator_at

HEAD = "head.safetensors"
LEAST_UNIT = 1e-6


@runtime_checkable
class Score(Protocol):
    """How good answers are to their questions; comparable within one question alone."""

    def __call__(self, questions: Sequence[Question], answers: Sequence[str]) -> Float[Tensor, "n"]:
        """One number an answer, on the processor."""
        ...


class RewardModel(nn.Module):
    """A language model with a linear head on the states of all tokens up to an answer's end, added up.

    A head on the last state alone, as is usual, has to learn first to bring there what every wrong word is worth
    (docs/log.md). Tokens of the answer and those before it have a row of the head each. Rewards are in a unit of the
    model's own, one until it is calibrated: how far it puts a pair's two answers apart.
    """

    unit: Tensor

    def __init__(self, language: CausalLanguage, seed: int, batch: int = 32) -> None:
        super().__init__()
        self.language, self.batch = language, batch
        self.head = nn.Linear(language.width, 2, bias=False)  # of what stands before the answer, and of the answer
        nn.init.normal_(self.head.weight, std=language.width**-0.5, generator=generator_at(seed, "weights/head"))
        self.register_buffer("unit", torch.ones(()))
        self.to(language.device)

    def forward(self, ids: Int[Tensor, "n t"], answer: Bool[Tensor, "n t"]) -> Float[Tensor, "n"]:
        """The reward of each text: the sum of its tokens' shares over the root of their number; not yet in units."""
        places = torch.arange(ids.shape[1], device=ids.device)
        upto = places <= torch.where(answer, places, 0).amax(1, keepdim=True)
        before, of_answer = self.head(self.language.states(ids)).unbind(-1)
        shares = torch.where(answer, of_answer, before)
        return (shares * upto).sum(1) / upto.sum(1).sqrt()

    @torch.no_grad()
    def measure(self, questions: Sequence[Question], answers: Sequence[str]) -> Float[Tensor, "n"]:
        """The rewards of answers to their questions, in units, texts of like length together."""
        examples = [encode(self.language, [asked], "") for asked in zip(questions, answers, strict=True)]
        order = sorted(range(len(examples)), key=lambda place: examples[place].length)
        found = torch.zeros(len(examples))
        for first in range(0, len(order), self.batch):
            places = order[first : first + self.batch]
            texts = stack(
                [examples[place] for place in places], tuple(places), self.language.pad, self.head.weight.device
            )
            found[places] = self(texts.ids[:, 0], texts.answer[:, 0]).float().cpu()
        return found / self.unit.cpu()

    def over_reference(self) -> "RewardModel":
        """How a reward of gaps begins: what this reward of answers finds in an answer, less what it finds before it."""
        gap = RewardModel(self.language.twin(), 0, self.batch)
        of_answer = self.head.weight.detach()[1]
        gap.head.weight.data.copy_(torch.stack([-of_answer, of_answer]))
        return gap

    def calibrate(self, questions: Sequence[Question], better: Sequence[str], worse: Sequence[str]) -> None:
        """The root mean square of what lies between better and worse answers to the same questions is one unit.

        So that a penalty in nats weighs the same whatever scale the reward was learned in.
        """
        self.unit.fill_(1)
        apart = self.measure(questions, better) - self.measure(questions, worse)
        self.unit.copy_(apart.square().mean().sqrt().clamp_min(LEAST_UNIT))


class AnswerScore:
    """r(x, y): the reward of an answer by itself, whatever it was to improve."""

    def __init__(self, model: RewardModel) -> None:
        self.model = model

    def __call__(self, questions: Sequence[Question], answers: Sequence[str]) -> Float[Tensor, "n"]:
        """One number an answer."""
        return self.model.measure([Question(question.prompt) for question in questions], answers)


class GapScore:
    """r(x, y, y_ref): how much better an answer is than the one that it was to improve."""

    def __init__(self, model: RewardModel) -> None:
        self.model = model

    def __call__(self, questions: Sequence[Question], answers: Sequence[str]) -> Float[Tensor, "n"]:
        """One number an answer."""
        assert all(question.reference is not None for question in questions)
        return self.model.measure(questions, answers)


class DifferenceScore:
    """r(x, y) - r(x, y_ref): the gap that a reward of single answers tells."""

    def __init__(self, model: RewardModel) -> None:
        self.score = AnswerScore(model)

    def __call__(self, questions: Sequence[Question], answers: Sequence[str]) -> Float[Tensor, "n"]:
        """One number an answer."""
        references = [question.reference or "" for question in questions]
        return self.score(questions, answers) - self.score(questions, references)


def compare_by(compared: Compared, model: RewardModel) -> Score:
    """The score of gaps by that reward model."""
    return GapScore(model) if compared == "gap" else DifferenceScore(model)


def save_reward(model: RewardModel, folder: Path, base: str | None = None, *, half: bool = False) -> None:
    """The folder holds the language model, as `save_language` does it, and the head, which is never rounded."""
    save_language(model.language, folder, base, half=half)
    save_file({"weight": model.head.weight.detach().contiguous(), "unit": model.unit}, folder / HEAD)


def load_reward(language: CausalLanguage, folder: Path) -> RewardModel:
    """The reward model whose language model was loaded from `folder`; CheckpointError where its head does not fit."""
    model = RewardModel(language, 0)
    try:
        saved = load_file(folder / HEAD)
        model.unit.copy_(saved.pop("unit"))
        model.head.load_state_dict(saved)
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        problem = f"its {HEAD} cannot be read or does not fit ({error})"
        raise CheckpointError(folder, problem, "name the folder of a reward model that pinxit trained") from error
    return model
