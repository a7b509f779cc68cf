"""Text to the states that the denoiser reads: the TextEncoder protocol, and the encoder that a recipe names."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from pinxit.models.config import Memory, T5Config, TextConfig
from pinxit.models.device import Device
from pinxit.models.identity import TextIdentity, hash_files, identify_t5
from pinxit.models.minilm import WIDTH, find_folder, load_minilm
from pinxit.models.noise import hushed
from pinxit.models.token_encoder import TokenEncoder


@runtime_checkable  # the tests check signatures at run time
class TextEncoder(Protocol):
    """A frozen encoder of captions; a caption's states do not depend on the captions beside it."""

    identity: TextIdentity

    def clean(self, text: str) -> str:
        """The text as the tokenizer gets it; all other methods clean by themselves."""
        ...

    def count(self, text: str) -> int:
        """How many tokens the whole text needs, special ones included."""
        ...

    def cut(self, text: str) -> str:
        """The words that `encode` does not see because the text is too long; empty if it sees all."""
        ...

    def encode(self, texts: Sequence[str]) -> list[Float[Tensor, "_ f"]]:
        """The states of every text's real tokens, at most `identity.length`; the empty text has its special ones."""
        ...


def load_text(config: TextConfig, *, memory: Memory = "full", device: Device = "cpu") -> TokenEncoder:
    """The text encoder that a recipe names, frozen, in float32; a T5 may take less memory, as `load_t5` says."""
    if isinstance(config, T5Config):
        with hushed():
            from pinxit.models.t5 import load_t5  # transformers takes seconds to import

        return load_t5(config, memory=memory, device=device)
    return load_minilm(config, device)


def identify_text(config: TextConfig) -> TextIdentity:
    """The identity of the text encoder that a recipe names, from its files alone: nothing is built."""
    if isinstance(config, T5Config):
        return identify_t5(config)
    sha256 = hash_files([find_folder() / "model.safetensors"])
    return TextIdentity(kind="minilm", sha256=sha256, width=WIDTH, length=config.length, cleaning="nfc")
