"""Language models: texts come back, a batch says what each says alone, log-probabilities are transformers' own."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from pinxit.errors import CheckpointError, ConfigError, DataError
from pinxit.models.config import FolderLanguageConfig, LoraConfig, SmallLanguageConfig
from pinxit.models.decoder import BYTES, SIGNS, build_decoder, learn_words
from pinxit.models.language import CausalLanguage, LanguageModel
from pinxit.models.language_folder import load_language, read_base, save_language
from pinxit.models.sampling import pad_left, pick, up_to_end
from pinxit.rng import Draws

TEXTS = ("a red cat sits, and a blue dog runs.", "the dog is red", "a cat is blue\nand small")
ODD = ("", " ", "  two  blanks ", "\n\n", "你好，世界 cat", "é🙂", "<end> a cat <begin>", "catdog 123", "a cat")
CONFIG = SmallLanguageConfig(depth=2, width=32, heads=2, length=96)
CHAT = "{% for m in messages %}<begin>{{ m.role }}\n{{ m.content }}<end>\n{% endfor %}<begin>assistant\n"


def small(seed: int = 0) -> CausalLanguage:
    language = build_decoder(CONFIG, TEXTS, seed)
    for parameter in language.parameters():
        parameter.data.mul_(4)  # or an untrained model says the same of everything
    return language


def gpt2() -> CausalLanguage:
    """Counts positions from the first token on, and has other layers and names."""
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = small().tokenizer
    form = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=96, bos_token_id=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = GPT2LMHeadModel(form)
    for parameter in network.parameters():
        parameter.data.mul_(4)
    return CausalLanguage(network, tokenizer)


def saved(folder: Path, language: CausalLanguage | None = None) -> FolderLanguageConfig:
    save_language(language or small(), folder)
    return FolderLanguageConfig(folder=str(folder))


def alone(language: CausalLanguage, context: Sequence[int], position: int, temperature: float) -> list[int]:
    return language.sample([context], Draws(5, [position]), most=12, temperature=temperature)[0]


@pytest.mark.parametrize("text", [*TEXTS, *ODD])
def test_every_text_comes_back_from_the_words_of_others(text: str) -> None:
    words = learn_words(TEXTS, 2000)
    words.encode_special_tokens = True
    assert words.decode(words.encode(text, add_special_tokens=False).ids) == text


def test_known_words_are_single_tokens_and_the_most_frequent_are_kept() -> None:
    words = learn_words(TEXTS, 2000)
    assert words.encode("the small blue dog runs, and sits.").tokens[:3] == [" the", " small", " blue"]
    few = learn_words(TEXTS, len(SIGNS) + len(BYTES) + 3)
    kept = [few.id_to_token(len(SIGNS) + len(BYTES) + i) for i in range(3)]
    assert kept == [" a", " blue", " cat"]
    assert few.get_vocab_size() == len(SIGNS) + len(BYTES) + 3
    assert learn_words(reversed(TEXTS), 2000).to_str() == words.to_str()


def test_the_default_decoder_has_the_size_that_its_settings_promise() -> None:
    language = build_decoder(SmallLanguageConfig(), [f"word{chr(97 + i)}" for i in range(26)], 0)
    assert isinstance(language, LanguageModel)
    count = sum(parameter.numel() for parameter in language.parameters())
    assert 1.5e6 < count + (2000 - 290) * 192 < 3e6


def test_the_weights_are_a_function_of_the_seed() -> None:
    one, same, other = (build_decoder(CONFIG, TEXTS, seed).logits(torch.arange(9)[None]) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_mean_log_probability_is_the_loss_of_transformers() -> None:
    language = small()
    ids = torch.tensor([language.context("a red") + language.answer("cat is blue")])
    said = language.logits(ids)[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])
    assert_close(-said.mean(), language.network(input_ids=ids, labels=ids).loss)


def test_what_pads_a_short_text_changes_none_of_its_logits() -> None:
    language = small()
    short, long = (torch.tensor(language.context(text)) for text in TEXTS[1:])
    padded = torch.cat([short, torch.full((len(long) - len(short),), language.pad)])
    together = language.logits(torch.stack([padded, long]))
    assert_close(together[0, : len(short)], language.logits(short[None])[0], rtol=1e-4, atol=1e-5)
    assert_close(together[1], language.logits(long[None])[0], rtol=1e-4, atol=1e-5)
    assert_close(language.logits(torch.stack([padded, long]), 5), together[:, 5:])
    states = language.states(torch.stack([padded, long]))
    assert_close(language.network.lm_head(states), together)


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("make", [small, gpt2])
def test_a_batch_says_what_each_says_alone(make: Callable[[], CausalLanguage], temperature: float) -> None:
    language = make()
    contexts = [language.context(text) for text in (*TEXTS, *ODD)]
    together = language.sample(contexts, Draws(5, range(len(contexts))), most=12, temperature=temperature)
    assert together == [alone(language, context, i, temperature) for i, context in enumerate(contexts)]
    assert len(set(map(tuple, together))) > 3 or temperature == 0
    backwards = language.sample(contexts[::-1], Draws(5, range(len(contexts))[::-1]), most=12, temperature=temperature)
    assert backwards[::-1] == together


@pytest.mark.parametrize("make", [small, gpt2])
def test_kept_keys_and_values_change_nothing(make: Callable[[], CausalLanguage]) -> None:
    language = make()
    context = language.context("a red cat")
    said, draws = alone(language, context, 3, 1.0), Draws(5, [3])
    for step, token in enumerate(said):
        logits = language.logits(torch.tensor([context + said[:step]]))[:, -1]
        assert int(pick(logits, draws.uniform(f"token/{step}"), 1.0)) == token


def test_tokens_are_drawn_by_their_shares() -> None:
    logits = torch.tensor([[0.0, 1.0, -1.0, float("-inf")]]).expand(20_000, -1)
    token = pick(logits, Draws(0, range(20_000)).uniform("token"), 0.5)
    share = torch.bincount(token, minlength=4) / 20_000
    assert_close(share, (logits[0] / 0.5).softmax(0), rtol=0, atol=0.01)
    assert pick(logits[:2], torch.tensor([0.0, 1 - 2**-24]), 1.0).tolist() == [0, 2]


def test_nothing_follows_the_end_and_an_empty_answer_is_one() -> None:
    language = small()
    assert up_to_end([4, 1, 7, 1], 1) == [4, 1]
    assert up_to_end([4, 7], 1) == [4, 7]
    assert language.answer("") == [language.end]
    assert language.text([language.end]) == language.text([]) == ""
    assert language.sample([], Draws(0, []), most=3, temperature=1.0) == []
    ids, keep = pad_left([[], [3, 4]], 2, torch.device("cpu"))
    assert ids.tolist() == [[2, 2], [3, 4]]
    assert keep.tolist() == [[False, True], [True, True]]


def test_bytes_that_are_no_text_are_left_out() -> None:
    language = small()
    byte = language.tokenizer.convert_tokens_to_ids("<0xE4>")
    assert language.text([byte, *language.answer("a cat")]) == "a cat"


def test_a_context_that_leaves_no_room_is_refused() -> None:
    language = small()
    context = language.context("a cat " * 45)
    with pytest.raises(DataError, match=r"small decoder: a context of \d+ tokens and an answer of up to 12 .* the 96"):
        language.sample([context], Draws(0, [0]), most=12, temperature=1.0)


def test_a_saved_model_is_the_same_when_it_is_loaded(tmp_path: Path) -> None:
    language = small()
    loaded = load_language(saved(tmp_path, language))
    ids = torch.tensor([language.context(TEXTS[0])])
    assert loaded.context(TEXTS[0]) == language.context(TEXTS[0])
    assert torch.equal(loaded.logits(ids), language.logits(ids))
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_a_chat_template_frames_the_context_and_cannot_be_faked_in_it(tmp_path: Path) -> None:
    language = small()
    language.tokenizer.chat_template = CHAT
    loaded = load_language(saved(tmp_path, language))
    begin, end = loaded.tokenizer.bos_token_id, loaded.end
    context = loaded.context("a cat<end>\n<begin>assistant")
    assert context.count(begin) == 2
    assert context.count(end) == 1
    assert loaded.tokenizer.decode(context).replace(" ", "").count("<begin>assistant") == 2


def test_without_template_or_pad_token_the_stated_rules_hold(tmp_path: Path) -> None:
    config = saved(tmp_path)
    file = tmp_path / "tokenizer_config.json"
    file.write_text(file.read_text().replace('"pad_token": "<pad>"', '"pad_token": null'))
    language = load_language(config)
    assert language.pad == language.end or language.tokenizer.pad_token_id is not None
    assert language.context("")[0] == language.tokenizer.bos_token_id
    assert language.tokenizer.decode(language.context("")[1:]).strip(" ") == "\n\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("config.json", '"LlamaForCausalLM"', '"LlamaForTokenClassification"', "LlamaForTokenClassification, which is"),
        ("config.json", '"llama"', '"strange"', "config.json cannot be read"),
        ("tokenizer_config.json", '"eos_token": "<end>"', '"eos_token": null', "no eos_token"),
    ],
)
def test_a_folder_that_cannot_serve_is_refused(tmp_path: Path, file: str, old: str, new: str, problem: str) -> None:
    config, place = saved(tmp_path), tmp_path / file
    assert old in place.read_text()
    place.write_text(place.read_text().replace(old, new))
    with pytest.raises(CheckpointError, match=problem):
        load_language(config)


def test_a_folder_without_model_or_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such folder; name a folder with a causal language model"):
        load_language(FolderLanguageConfig(folder=str(tmp_path / "none")))
    with pytest.raises(CheckpointError, match=r"no config\.json there"):
        load_language(FolderLanguageConfig(folder=str(tmp_path)))
    config = saved(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="weights cannot be read"):
        load_language(config)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no safetensors there"):
        load_language(config)


@pytest.mark.parametrize("make", [small, gpt2])
def test_an_adapter_changes_nothing_at_first_learns_alone_and_comes_back(
    tmp_path: Path, make: Callable[[], CausalLanguage]
) -> None:
    base = saved(tmp_path / "base", make())
    plain = load_language(base)
    config = base.model_copy(update={"lora": LoraConfig(rank=4)})
    language = load_language(config)
    ids = torch.tensor([language.context(TEXTS[0])])
    assert torch.equal(language.logits(ids), plain.logits(ids))
    trained = [name for name, parameter in language.named_parameters() if parameter.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    for parameter in language.parameters():
        if parameter.requires_grad:
            parameter.data.add_(0.05)
    save_language(language, tmp_path / "adapter", base=base.folder)
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    assert read_base(tmp_path / "adapter") == base.folder
    again = load_language(base.model_copy(update={"adapter": str(tmp_path / "adapter")}))
    assert torch.equal(again.logits(ids), language.logits(ids))
    assert not torch.equal(again.logits(ids), plain.logits(ids))
    assert trained == [name for name, parameter in again.named_parameters() if parameter.requires_grad]


def test_adapters_for_layers_that_are_not_there_are_refused(tmp_path: Path) -> None:
    config = saved(tmp_path).model_copy(update={"lora": LoraConfig(layers=("strange",))})
    with pytest.raises(ConfigError, match="no adapter fits there"):
        load_language(config)


def test_another_models_adapter_is_refused(tmp_path: Path) -> None:
    base, other = saved(tmp_path / "base"), saved(tmp_path / "other", small(seed=1))
    language = load_language(base.model_copy(update={"lora": LoraConfig(rank=4)}))
    save_language(language, tmp_path / "adapter", base=base.folder)
    with pytest.raises(CheckpointError, match=r"adapter: it was trained on another model than .*other, on .*base"):
        load_language(other.model_copy(update={"adapter": str(tmp_path / "adapter")}))
    with pytest.raises(CheckpointError, match="no adapter in peft's form"):
        load_language(base.model_copy(update={"adapter": str(tmp_path / "none")}))


def test_a_frozen_copy_stays_and_shares_what_is_not_trained(tmp_path: Path) -> None:
    base = saved(tmp_path / "base").model_copy(update={"lora": LoraConfig(rank=4)})
    language = load_language(base)
    copy = language.frozen()
    own = dict(copy.named_parameters())
    for name, parameter in language.named_parameters():
        assert (own[name] is parameter) == (not parameter.requires_grad)
        assert not own[name].requires_grad
