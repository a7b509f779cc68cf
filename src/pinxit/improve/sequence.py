"""Questions and answers as tokens: the Batch of language, and where it comes from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from pinxit.data.loader import Plan
from pinxit.errors import ConfigError, DataError
from pinxit.improve.config import PairsConfig
from pinxit.improve.pair import Limit, Pair
from pinxit.improve.template import Question, escape, join
from pinxit.models.language import CausalLanguage

SLACK = 16  # tokens that parts may have more together than apart, or said again
SHORTEST = 16  # tokens; shorter texts share a bucket

Text = tuple[list[int], list[int]]  # the tokens of a context and of the answer to it


@dataclass(frozen=True)
class Example:
    """The texts that one loss compares, one in imitation, and the name of what they came from."""

    texts: tuple[Text, ...]
    key: str

    @property
    def length(self) -> int:
        """Tokens of the longest."""
        return max(len(context) + len(answer) for context, answer in self.texts)


@dataclass(frozen=True)
class Sequences:
    """`s` texts of each example, padded at their ends; `answer` marks the tokens that answer, the end's included."""

    ids: Int[Tensor, "b s t"]
    answer: Bool[Tensor, "b s t"]
    position: tuple[int, ...]
    keys: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """How many tokens answer."""
        return int(self.answer.sum())


S = TypeVar("S", bound=Sequences)


def encode(language: CausalLanguage, asked: Sequence[tuple[Question, str]], key: str) -> Example:
    """The tokens of answers to their questions; DataError for what is longer than the model reads."""
    texts = [(language.context(question.text), language.answer(answer)) for question, answer in asked]
    for context, answer in texts:
        language.check_room(len(context), len(answer))
    return Example(tuple(texts), key)


def spoken(pairs: Iterable[Pair]) -> Iterator[str]:
    """All that is read or said of pairs, each as it stands in a text: of these a small decoder learns its words."""
    for pair in pairs:
        yield from (pair.prompt, pair.better, pair.worse, join(pair.prompt, pair.worse), join(pair.prompt, pair.better))


def limit(language: CausalLanguage, config: PairsConfig) -> Limit:
    """The limits of pairs, counted by the model; ConfigError where it cannot read a prompt and two answers."""
    frame = len(language.context(join("", ""))) + len(language.answer(""))
    needed = frame + config.prompt + 2 * config.answer + SLACK
    if needed > language.length:
        problem = (
            f"a prompt, an answer and a better one take up to {needed} tokens, and the model reads {language.length}"
        )
        raise ConfigError("pairs.answer", config.answer, problem, "lower it or pairs.prompt, or take another model")
    return Limit(config.prompt, config.answer, lambda text: language.count(escape(text)))


def stack(examples: Sequence[Example], position: tuple[int, ...], pad: int, device: torch.device) -> Sequences:
    """Examples of equally many texts as one batch."""
    longest = max(example.length for example in examples)

    def padded(context: list[int], answer: list[int]) -> tuple[list[int], list[bool]]:
        rest = longest - len(context) - len(answer)
        return [*context, *answer, *[pad] * rest], [False] * len(context) + [True] * len(answer) + [False] * rest

    rows = [[padded(*text) for text in example.texts] for example in examples]
    return Sequences(
        ids=torch.tensor([[ids for ids, _ in row] for row in rows], device=device),
        answer=torch.tensor([[answer for _, answer in row] for row in rows], device=device),
        position=position,
        keys=tuple(example.key for example in examples),
    )


def pieces(batch: S, parts: int) -> list[S]:
    """A batch as `parts` of equally many examples."""
    size = len(batch.position) // parts
    ranges = [slice(first, first + size) for first in range(0, size * parts, size)]
    return [replace(batch, **{name: value[each] for name, value in vars(batch).items()}) for each in ranges]


class Encoded:
    """A Source of batches from examples held in memory."""

    def __init__(self, examples: Sequence[Example], language: CausalLanguage) -> None:
        self.examples, self.pad, self.device = examples, language.pad, language.device

    def batch(self, places: Sequence[int], first: int) -> Sequences:
        """Examples of one bucket whose first stands at place `first` of the run."""
        position = tuple(range(first, first + len(places)))
        return stack([self.examples[place] for place in places], position, self.pad, self.device)

    def plan(self, batch: int) -> Plan:
        """Examples in buckets of length, each at most twice as long as the one before; DataError if there are none."""
        groups: dict[int, list[int]] = {}
        for place, example in enumerate(self.examples):
            bucket = max(SHORTEST, 1 << (example.length - 1).bit_length())
            groups.setdefault(bucket, []).append(place)
        if not groups:
            raise DataError("the examples", "there are none to train on", "give more pairs")
        return Plan(batch, tuple(((1, length), tuple(group)) for length, group in sorted(groups.items())))


def begin_of(answer: Bool[Tensor, "n t"]) -> int:
    """The place before the first token that answers: from there on logits are needed."""
    return max(0, int(answer.any(0).nonzero()[0]) - 1)


def log_probability(logits: Float[Tensor, "n k v"], ids: Int[Tensor, "n t"]) -> Float[Tensor, "n t"]:
    """The log-probability of every token after those before it, where logits of the last `k` places tell it; else 0."""
    told = logits.shape[1] - 1
    said = logits[:, :-1].log_softmax(-1).gather(-1, ids[:, ids.shape[1] - told :, None])[..., 0]
    return nn.functional.pad(said, (ids.shape[1] - told, 0))


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that a phase moves, by name."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


class Weights(nn.Module):
    """Trained parameters as a module of their own: what a state holds, so that a checkpoint of adapters is small."""

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        for name, parameter in parameters.items():
            self.register_parameter(name.replace(".", "/"), parameter)
