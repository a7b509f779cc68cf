"""A small decoder with words of its own, for machines without a GPU: the form of Llama, read by transformers."""

from collections import Counter
from collections.abc import Iterable

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from pinxit.models.config import SmallLanguageConfig
from pinxit.models.language import CausalLanguage
from pinxit.models.noise import hushed
from pinxit.rng import seed_at

SIGNS = ("<begin>", "<end>", "<pad>")
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
WORD, BYTE = -1.0, -20.0  # log-likelihoods that make the tokenizer take a whole word before any bytes


def build_decoder(config: SmallLanguageConfig, texts: Iterable[str], seed: int) -> CausalLanguage:
    """Untrained weights, a function of the seed, and the words of the texts.

    Weights have the deviation width^-0.5: with the usual 0.02 so narrow a network takes long to begin to learn.
    """
    with hushed():
        from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = learn_words(texts, config.words)
    begin, end, pad = SIGNS
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token=begin, eos_token=end, pad_token=pad)
    form = LlamaConfig(
        vocab_size=words.get_vocab_size(), hidden_size=config.width, intermediate_size=8 * config.width // 3,
        num_hidden_layers=config.depth, num_attention_heads=config.heads, num_key_value_heads=config.heads,
        max_position_embeddings=config.length, initializer_range=config.width**-0.5, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=1, pad_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_at(seed, "weights/language"))
        return CausalLanguage(LlamaForCausalLM(form), tokenizer, "the small decoder")


def learn_words(texts: Iterable[str], most: int) -> Tokenizer:
    """A tokenizer whose tokens are signs, bytes, and the most frequent words, each with the blank before it.

    Every text comes back as it was: what is no known word is spelled in bytes. Of words equally frequent the first in
    the alphabet is taken, so that the order of the texts changes nothing.
    """
    prepare = normalizers.Prepend(" ")
    cut = pre_tokenizers.Split(Regex(r" ?\p{L}+| ?[^\s\p{L}]|\s"), "isolated")
    counts = Counter(
        word for text in texts if text for word, _ in cut.pre_tokenize_str(prepare.normalize_str(text))
    )  # fmt: skip
    room = most - len(SIGNS) - len(BYTES)
    words = sorted(counts, key=lambda word: (-counts[word], word))[:room]
    scores = [*((sign, 0.0) for sign in SIGNS), *((byte, BYTE) for byte in BYTES), *((word, WORD) for word in words)]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=SIGNS.index("<pad>"), byte_fallback=True))
    tokenizer.normalizer = prepare
    tokenizer.pre_tokenizer = cut
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(list(SIGNS))
    return tokenizer
