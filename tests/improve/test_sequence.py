"""Batches of language: padding and order change nothing, every example comes, masks are of answers alone."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from pinxit.data.loader import CacheLoader
from pinxit.errors import ConfigError, DataError
from pinxit.improve.config import PairsConfig
from pinxit.improve.gap import combine
from pinxit.improve.reward import compare
from pinxit.improve.sequence import Encoded, Weights, begin_of, encode, limit, log_probability, pieces, stack, trained
from pinxit.improve.sft import show_prompt, show_worse
from pinxit.improve.template import Question

from .toy import decoder, pairs


def test_log_probabilities_are_those_written_out() -> None:
    logits, ids = torch.randn(3, 5, 7), torch.randint(7, (3, 5))
    found = log_probability(logits, ids)
    for row in range(3):
        assert found[row, 0] == 0
        for place in range(1, 5):
            wanted = -F.cross_entropy(logits[row, place - 1], ids[row, place])
            assert_close(found[row, place], wanted)
    last = log_probability(logits[:, 2:], ids)
    assert_close(last[:, 3:], found[:, 3:])
    assert not last[:, :3].any()


def test_logits_are_needed_from_the_place_before_the_first_answer() -> None:
    assert begin_of(torch.tensor([[False, False, False, True], [False, False, True, False]])) == 1
    assert begin_of(torch.tensor([[True, True]])) == 0


def test_a_batch_holds_contexts_and_marked_answers() -> None:
    language = decoder()
    texts = [[(Question("red"), "a cat")], [(Question("red cat", "a dog"), "")]]
    examples = [encode(language, asked, f"row {number}") for number, asked in enumerate(texts)]
    batch = stack(examples, (5, 6), language.pad, language.device)
    assert batch.keys == ("row 0", "row 1")
    for row, ((question, answer),) in enumerate(texts):
        ids, marked = batch.ids[row, 0], batch.answer[row, 0]
        assert ids[marked].tolist() == language.answer(answer)
        context = language.context(question.text)
        assert ids[: len(context)].tolist() == context
        assert not marked[: len(context)].any()
        assert (ids[len(context) + int(marked.sum()) :] == language.pad).all()
    assert batch.tokens == len(language.answer("a cat")) + 1


@pytest.mark.parametrize(("show", "texts"), [(show_prompt, 1), (show_worse, 1), (compare, 2), (combine, 4)])
def test_every_example_comes_in_an_epoch_beside_those_of_like_length(show: object, texts: int) -> None:
    language, data = decoder(), pairs()
    source = Encoded([encode(language, show(pair), pair.place) for pair in data], language)  # type: ignore[operator]
    loader = CacheLoader(source, source.plan(16), seed=1, accumulation=2)
    steps = [loader.step_at(16 * step) for step in range(source.plan(16).batches)]
    assert {key for step in steps for batch in step for key in batch.keys} == {pair.place for pair in data}
    assert all(batch.ids.shape[:2] == (8, texts) for step in steps for batch in step)
    lengths = [int(batch.ids.shape[2]) for step in steps for batch in step]
    assert max(lengths) <= 64
    assert steps[3][1].position == tuple(range(56, 64))
    loader.close()


def test_a_single_pair_and_an_empty_answer_make_a_batch() -> None:
    language = decoder()
    source = Encoded([encode(language, [(Question("red"), "")], "row")], language)
    (batch,) = CacheLoader(source, source.plan(4), seed=1).step_at(0)
    assert batch.keys == ("row",) * 4
    assert batch.tokens == 4


def test_pieces_of_a_batch_are_the_batch() -> None:
    language = decoder()
    examples = [encode(language, [(Question("red"), "a cat" * n)], str(n)) for n in range(6)]
    batch = stack(examples, tuple(range(6)), language.pad, language.device)
    parts = pieces(batch, 3)
    assert torch.equal(torch.cat([part.ids for part in parts]), batch.ids)
    assert [part.keys for part in parts] == [("0", "1"), ("2", "3"), ("4", "5")]


def test_nothing_to_train_on_and_a_text_over_the_models_length_are_refused() -> None:
    language = decoder()
    with pytest.raises(DataError, match="there are none to train on"):
        Encoded([], language).plan(4)
    with pytest.raises(DataError, match="more than the 64 it reads"):
        encode(language, [(Question("red " * 60), "a cat")], "row")


def test_weights_are_the_parameters_themselves() -> None:
    language = decoder()
    weights = Weights(trained(language))
    own = {parameter.data_ptr() for parameter in language.parameters()}
    assert {parameter.data_ptr() for parameter in weights.parameters()} == own
    weights.load_state_dict({name: torch.zeros_like(value) for name, value in weights.state_dict().items()})
    assert not any(parameter.any() for parameter in language.parameters())


def test_limits_count_as_the_model_does_and_leave_room_for_a_better_answer() -> None:
    language = decoder()
    limits = limit(language, PairsConfig(source="x", prompt=8, answer=8))
    assert limits.count("a red cat") == 3
    assert limits.count("<answer>") > language.count("<answer>")
    longest = [(Question("red " * 7 + "red", " ".join(["cat"] * 8)), " ".join(["dog"] * 8))]
    assert encode(language, longest, "").length <= language.length
    with pytest.raises(
        ConfigError, match=r"pairs\.answer = 20: .* take up to \d+ tokens, and the model reads 64; lower"
    ):
        limit(language, PairsConfig(source="x", prompt=8, answer=20))
