"""The recipes of self-improvement: public sets by name, one's own otherwise; lengths agree, a small decoder fits."""

import pytest

from pinxit.errors import ConfigError
from pinxit.improve.config import ImproveConfig
from pinxit.improve.sequence import limit, spoken
from pinxit.models.config import FolderLanguageConfig, SmallLanguageConfig
from pinxit.models.decoder import build_decoder
from pinxit.recipes.pit import PUBLIC, improvement
from tests.improve.toy import pairs


def test_a_small_decoder_has_room_for_what_its_recipe_reads() -> None:
    config = improvement("preferences.jsonl")
    assert isinstance(config.language, SmallLanguageConfig)
    language = build_decoder(config.language, spoken(pairs()), 0)
    assert limit(language, config.pairs).answer == config.pairs.answer == config.refine.sampling.most


def test_the_recipe_of_the_synthetic_set_makes_an_improver_of_at_most_eight_megabytes() -> None:
    config = improvement("scenes")
    assert config.half
    assert config.pairs.source == "scenes"
    assert isinstance(config.language, SmallLanguageConfig)
    weights = sum(
        p.numel() for p in build_decoder(config.language, [" ".join(map(_word, range(1250)))], 0).parameters()
    )
    assert 3 * 2 * weights < 7.6e6  # and three tokenizers


def _word(number: int) -> str:
    """A word of letters alone."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


@pytest.mark.parametrize("adapters", [True, False])
@pytest.mark.parametrize("source", ["preferences.jsonl", *PUBLIC])
def test_a_model_in_a_folder_is_trained_by_adapters_or_whole(source: str, adapters: bool) -> None:
    config = improvement(source, "models/a", adapters=adapters)
    assert isinstance(config.language, FolderLanguageConfig)
    assert (config.language.lora is not None) == adapters
    assert config.policy.examples == config.curriculum.phase.examples
    assert ImproveConfig.model_validate(config.model_dump(mode="json")) == config


def test_a_public_set_is_named_as_its_hub_has_it_and_wants_a_model() -> None:
    assert improvement("hh-rlhf", "models/a").pairs.source == "hub:Anthropic/hh-rlhf"
    assert improvement("summaries", "models/a").pairs.folder == "comparisons"
    with pytest.raises(ConfigError, match=r"'hh-rlhf'.*too much for the small decoder; .*--model DIR"):
        improvement("hh-rlhf")
