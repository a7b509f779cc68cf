"""Language models: the LanguageModel protocol, and any causal model of transformers behind it.

A text is a context and the answer to it. The context stands in a frame:

- with a chat template, that of one message of the user, to which the assistant is about to answer;
- without one, the sign of the beginning if the tokenizer has it, the context, and an empty line.

The answer follows, then the sign of the end. Signs spelled out in a text are read as its letters.
"""

from collections.abc import Sequence
from copy import deepcopy
from inspect import signature
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pinxit.errors import DataError
from pinxit.models.sampling import draw_tokens
from pinxit.models.tally import Tally
from pinxit.rng import Draws

PLACE = "\ue000"  # stands for the context while its frame is found; for private use, so in no text
LOST = "\ufffd"  # stands for bytes that are no text


@runtime_checkable
class LanguageModel(Protocol):
    """Tokens, states and log-probabilities, sampling; an answer does not depend on those beside it."""

    length: int  # most tokens of context and answer together
    pad: int  # stands after the end of a short text, where nobody looks

    def context(self, text: str) -> list[int]:
        """The tokens of a context in its frame."""
        ...

    def answer(self, text: str) -> list[int]:
        """The tokens of an answer and the sign of its end."""
        ...

    def text(self, answer: Sequence[int]) -> str:
        """The text of an answer's tokens."""
        ...

    def logits(self, ids: Int[Tensor, "b t"], first: int = 0) -> Float[Tensor, "b k v"]:
        """At every place from `first` on, what follows it; texts begin together and are padded at their ends."""
        ...

    def states(self, ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
        """The last layer's states, from which the logits are made."""
        ...

    def sample(
        self, contexts: Sequence[Sequence[int]], draws: Draws, *, most: int, temperature: float
    ) -> list[list[int]]:
        """An answer to each context, of at most `most` tokens, the last of which is the end's if it came to it."""
        ...


class CausalLanguage(nn.Module):
    """A causal language model of transformers with its tokenizer, without dropout; `source` names it in messages, and
    what it computes is on its tally, which it shares with its twins.
    """

    def __init__(
        self, network: Any, tokenizer: Any, source: str = "the language model", tally: Tally | None = None
    ) -> None:
        super().__init__()
        self.network, self.tokenizer, self.source = network.eval(), tokenizer, source
        self.tally = tally or Tally()
        words = tokenizer.backend_tokenizer
        words.no_truncation()
        words.no_padding()
        self.length: int = network.config.max_position_embeddings
        self.width: int = network.config.hidden_size
        self.end: int = tokenizer.eos_token_id
        self.pad: int = self.end if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        self._keeps_last = "logits_to_keep" in signature(network.forward).parameters
        self._before, self._after = self._frame()

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        device: torch.device = self.network.device
        return device

    def context(self, text: str) -> list[int]:
        """The tokens of a context in its frame."""
        return [*self._before, *self._ids(text), *self._after]

    def answer(self, text: str) -> list[int]:
        """The tokens of an answer and the sign of its end."""
        return [*self._ids(text), self.end]

    def count(self, text: str) -> int:
        """How many tokens a text has, frame and signs left out."""
        return len(self._ids(text))

    def text(self, answer: Sequence[int]) -> str:
        """The text of an answer's tokens; signs, and bytes that are no text, are left out."""
        read: str = self.tokenizer.backend_tokenizer.decode(list(answer), skip_special_tokens=True)
        return read.replace(LOST, "").strip()

    def logits(self, ids: Int[Tensor, "b t"], first: int = 0) -> Float[Tensor, "b k v"]:
        """At every place from `first` on, what follows it.

        No token sees what comes after, so that padding there needs no mask.
        """
        texts, tokens = ids.shape
        told = tokens - first if self._keeps_last else tokens
        self.tally.add(self.network, texts, tokens, told, tokens**2)
        asked = {"logits_to_keep": told} if self._keeps_last else {}
        logits: Tensor = self.network(input_ids=ids, use_cache=False, **asked).logits
        return (logits if self._keeps_last else logits[:, first:]).float()

    def states(self, ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
        """The last layer's states, from which the logits are made."""
        texts, tokens = ids.shape
        self.tally.add(self.network, texts, tokens, 0, tokens**2)
        states: Tensor = self.network.base_model(input_ids=ids, use_cache=False).last_hidden_state
        return states.float()

    @torch.no_grad()
    def sample(
        self, contexts: Sequence[Sequence[int]], draws: Draws, *, most: int, temperature: float
    ) -> list[list[int]]:
        """An answer to each context; DataError for a context after which `most` tokens have no room."""
        for context in contexts:
            self.check_room(len(context), most)
        answers = draw_tokens(
            self.network, contexts, draws, most=most, temperature=temperature, end=self.end, pad=self.pad
        )
        if drawn := max(map(len, answers), default=0):  # all contexts as the longest; nobody reads the last token
            read, more = max(1, *map(len, contexts)), drawn - 1
            looks = read**2 + more * read + more * drawn // 2
            self.tally.add(self.network, len(contexts), read + more, read + more, looks)
        return answers

    def check_room(self, context: int, most: int) -> None:
        """Raises DataError where an answer of `most` tokens does not fit after a context of so many."""
        if context + most > self.length:
            raise DataError(
                self.source,
                f"a context of {context} tokens and an answer of up to {most} are more than the {self.length} it reads",
                "shorten the text, or allow shorter answers",
            )

    def twin(self) -> "CausalLanguage":
        """As it is now, to be trained by itself; what is not trained is shared, not copied."""
        shared = {id(parameter): parameter for parameter in self.parameters() if not parameter.requires_grad}
        return CausalLanguage(deepcopy(self.network, shared), self.tokenizer, self.source, self.tally)

    def frozen(self) -> "CausalLanguage":
        """As it is now, for good."""
        return self.twin().requires_grad_(False)

    def _ids(self, text: str, *, signs: bool = False) -> list[int]:
        words = self.tokenizer.backend_tokenizer
        words.encode_special_tokens = not signs
        ids: list[int] = words.encode(text, add_special_tokens=False).ids
        return ids

    def _frame(self) -> tuple[list[int], list[int]]:
        """The tokens before and after a context."""
        if self.tokenizer.chat_template is None:
            begin = self.tokenizer.bos_token_id
            return ([] if begin is None else [begin]), self._ids("\n\n")
        message = [{"role": "user", "content": PLACE}]
        whole = self.tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
        before, _, after = whole.partition(PLACE)
        return self._ids(before, signs=True), self._ids(after, signs=True)
