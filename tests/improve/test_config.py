"""Settings that cannot work are refused, with what to change."""

import pytest
from pydantic import ValidationError

from pinxit.improve.config import CurriculumConfig, ImproveConfig, PhaseConfig, ReinforcementConfig
from pinxit.models.config import FolderLanguageConfig, SmallLanguageConfig


def test_the_defaults_of_a_run_need_only_a_source() -> None:
    config = ImproveConfig.model_validate({"pairs": {"source": "preferences.jsonl"}})
    assert config.curriculum.rounds == (0, 1)
    assert config.refine.sampling.temperature == 0.5
    assert ImproveConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("config", "changes", "problem"),
    [
        (PhaseConfig, {"batch": 8, "accumulation": 3}, "batch 8 is not a multiple of accumulation 3"),
        (ReinforcementConfig, {"group": 1}, "greater than 1"),
        (ReinforcementConfig, {"sampling": {"temperature": 0}}, "sampling.temperature is 0"),
        (ReinforcementConfig, {"warn_divergence": 200}, "warn_divergence 200.0 is over most_divergence 100.0"),
        (CurriculumConfig, {"rounds": [1, 0]}, "do not rise from 0 on"),
        (CurriculumConfig, {"rounds": [1, 1]}, "do not rise from 0 on"),
        (CurriculumConfig, {"rounds": []}, "at least 1 item"),
        (ImproveConfig, {"pairs": {"source": "x", "answer": 9}}, "policy.sampling.most 256 is over pairs.answer 9"),
        (FolderLanguageConfig, {"folder": "x", "adapter": "y", "lora": {}}, "drop either"),
        (SmallLanguageConfig, {"width": 100, "heads": 3}, "not a multiple of twice heads 3"),
    ],
)
def test_a_setting_that_cannot_work_says_what_to_change(
    config: type[PhaseConfig], changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        config.model_validate(changes)
