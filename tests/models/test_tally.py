"""Operations of language models by formula, against torch's counter."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from pinxit.models.config import LoraConfig
from pinxit.models.language import CausalLanguage
from pinxit.models.language_folder import load_language
from pinxit.rng import Draws

from .test_language import ODD, TEXTS, gpt2, saved, small


def few_keys() -> CausalLanguage:
    """Two heads share keys and values, and are wider than the model's width over their number."""
    from transformers import LlamaConfig, LlamaForCausalLM

    form = LlamaConfig(
        vocab_size=400, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=32, max_position_embeddings=96, tie_word_embeddings=False,
    )  # fmt: skip
    return CausalLanguage(LlamaForCausalLM(form), small().tokenizer)


def both(language: CausalLanguage, work: Callable[[], object]) -> tuple[float, int]:
    """The operations of some work, by formula and as torch counts them."""
    counter = FlopCounterMode(display=False)
    language.tally.take()
    with counter, sdpa_kernel(SDPBackend.MATH):
        work()
    return language.tally.take(), counter.get_total_flops()


MODELS = pytest.mark.parametrize("make", [small, gpt2, few_keys])


@MODELS
@pytest.mark.parametrize("first", [0, 20])
def test_reading_and_learning_are_counted(make: Callable[[], CausalLanguage], first: int) -> None:
    language, ids = make(), torch.randint(3, 200, (3, 40))
    for work in (
        torch.no_grad()(lambda: language.logits(ids, first)),
        lambda: language.logits(ids, first).logsumexp(-1).sum().backward(),
        lambda: language.states(ids).square().sum().backward(),
        lambda: language.frozen().logits(ids),
    ):
        formula, counted = both(language, work)
        assert formula == pytest.approx(counted, rel=0.02)


@MODELS
@pytest.mark.parametrize("most", [1, 2, 12])
def test_what_is_drawn_is_counted_token_by_token(make: Callable[[], CausalLanguage], most: int) -> None:
    language = make()
    contexts = [language.context(text) for text in (*TEXTS, *ODD)]
    draws = Draws(5, range(len(contexts)))
    formula, counted = both(language, lambda: language.sample(contexts, draws, most=most, temperature=1.0))
    assert formula == pytest.approx(counted, rel=0.02)
    assert both(language, lambda: language.sample([], Draws(5, []), most=most, temperature=1.0)) == (0, 0)


def test_frozen_weights_ask_for_no_gradients_of_theirs(tmp_path: Path) -> None:
    config = saved(tmp_path).model_copy(update={"lora": LoraConfig(rank=4)})
    language, ids = load_language(config), torch.randint(3, 200, (3, 40))
    formula, counted = both(language, lambda: language.logits(ids).logsumexp(-1).sum().backward())
    assert formula == pytest.approx(counted, rel=0.1)  # of two layers; the first one's input has no gradient either


def test_twins_count_together_and_what_was_taken_is_gone() -> None:
    language, ids = small(), torch.randint(3, 200, (1, 9))
    for speaker in (language.twin(), language.frozen(), language):
        with torch.no_grad():
            speaker.logits(ids)
    together = language.tally.take()
    with torch.no_grad():
        language.logits(ids)
    assert together == 3 * language.tally.take()
    assert language.tally.take() == 0
