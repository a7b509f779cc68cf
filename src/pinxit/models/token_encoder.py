"""What all text encoders share: clean, split into tokens, cut, run a frozen network, drop the padding again."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from tokenizers import Encoding, Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from pinxit.models.cleaning import CLEANINGS
from pinxit.models.device import Device
from pinxit.models.identity import TextIdentity

Network = Callable[[Int[Tensor, "b l"], Bool[Tensor, "b l"]], Float[Tensor, "b l f"]]


class TokenEncoder:
    """A TextEncoder made of a tokenizer that ends every text with one special token, and a network that heeds a mask.

    The network gets token numbers, padded with 0, and which of them are real. Special tokens spelled out in a text are
    read as its letters. `release` gives back the memory of a network that comes again by itself when it is called.
    """

    def __init__(
        self,
        identity: TextIdentity,
        tokenizer: Tokenizer,
        network: Network,
        device: Device = "cpu",
        *,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        self.identity, self.tokenizer, self.network, self.device = identity, tokenizer, network, device
        self.release = release

    def clean(self, text: str) -> str:
        """The text as the tokenizer gets it; halves of surrogate pairs, which are no characters, are dropped."""
        return CLEANINGS[self.identity.cleaning](text.encode("utf-8", "ignore").decode("utf-8"))

    def count(self, text: str) -> int:
        """How many tokens the whole text needs, special ones included."""
        return len(self._split(self.clean(text)))

    def count_all(self, texts: Sequence[str]) -> list[int]:
        """The same for many at once, on all cores; 0 for a text of which cleaning leaves nothing."""
        cleaned = [self.clean(text) for text in texts]
        return [len(split) if text else 0 for text, split in zip(cleaned, self._split_all(cleaned), strict=True)]

    def cut(self, text: str) -> str:
        """The words that do not fit in, from the first one that is lost in part or whole; empty if all fit."""
        cleaned = self.clean(text)
        split = self._split(cleaned)
        if len(split) <= self.identity.length:
            return ""
        word = split.token_to_word(self.identity.length - 1)
        assert word is not None, "only the special tokens at the ends belong to no word"
        place = split.word_to_chars(word)
        assert place is not None, "every word stands somewhere"
        return cleaned[place[0] :]

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> list[Float[Tensor, "_ f"]]:
        """The states of every text's own tokens, at most `identity.length`, in float32, on the processor."""
        if not texts:
            return []
        split = self.tokenizer.encode_batch([self.clean(text) for text in texts])
        tokens = [self._shorten(each.ids) for each in split]
        lengths = torch.tensor([len(numbers) for numbers in tokens])
        ids = pad_sequence([torch.tensor(numbers) for numbers in tokens], batch_first=True)
        keep = torch.arange(ids.shape[1]) < lengths[:, None]
        states = self.network(ids.to(self.device), keep.to(self.device)).cpu()
        return [state[:length] for state, length in zip(states, lengths, strict=True)]

    def _split(self, cleaned: str) -> Encoding:
        return self.tokenizer.encode(cleaned)

    def _split_all(self, cleaned: list[str]) -> list[Encoding]:
        return self.tokenizer.encode_batch_fast(cleaned)  # which leaves out where in the text a token stands

    def _shorten(self, ids: list[int]) -> list[int]:
        length = self.identity.length
        return ids if len(ids) <= length else [*ids[: length - 1], ids[-1]]
