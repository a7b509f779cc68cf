"""An improver on disk: the folder that a finished run leaves, and that `Improver.load` opens.

`improver/` and `policy/` hold language models, `gap/` the reward that tells gaps, each as transformers and peft write
them; `card.json` says where they come from and how answers are refined. An improver may do without the policy, whose
answers it then cannot begin with.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError

from pinxit.config import Config
from pinxit.errors import CheckpointError
from pinxit.generate.card import Licence
from pinxit.improve.config import Compared, RefineConfig
from pinxit.improve.order import Order
from pinxit.improve.score import RewardModel, load_reward, save_reward
from pinxit.models.config import FolderLanguageConfig
from pinxit.models.device import Device
from pinxit.models.identity import hash_files
from pinxit.models.language import CausalLanguage
from pinxit.models.language_folder import SETTINGS, load_language, read_base, save_language

CARD = "card.json"
IMPROVER, POLICY, GAP = "improver", "policy", "gap"
SHIPPED = Path(__file__).parent.parent / "weights" / "improver"  # the place for one that comes with pinxit


class ImproverCard(Config):
    """What an improver was made of, how it refines, and what it took."""

    version: int = Field(1, ge=1, le=1)
    refine: RefineConfig
    compared: Compared = Field("gap", description="what is in gap/: a reward of gaps, or one of answers, to subtract")
    model: str = Field(description="the language model that the run began with")
    data: str = Field(description="the preferences")
    pairs: Mapping[str, int] = Field(description="rows found, used, and refused for each reason")
    order: Order | None = Field(None, description="of the gap reward, on pairs kept from training")
    licences: tuple[Licence, ...] = ()
    ledger: Mapping[str, float] = Field(default_factory=dict, description="seconds and joules of the training")


def save_improver(
    folder: Path,
    speakers: Mapping[str, CausalLanguage],
    gap: RewardModel,
    card: ImproverCard,
    base: str | None = None,
    *,
    half: bool = False,
) -> None:
    """`folder` holds the models by their names and the card, which comes last: without it they are no improver.

    Adapters are stored alone, and `base` is then the folder of the model that they belong to. With `half` the weights
    are rounded to half precision, and half as large; they are float32 again once loaded.
    """
    (folder / CARD).unlink(missing_ok=True)
    above = None if base is None else str(Path(base).resolve())
    for name, language in speakers.items():
        save_language(language, _cleared(folder / name), above, half=half)
    save_reward(gap, _cleared(folder / GAP), above, half=half)
    part = folder / f".{CARD}.part"
    part.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    part.rename(folder / CARD)


def find_improver(folder: Path | None) -> Path:
    """The folder of an improver: the named one, or the one that ships; CheckpointError where there is none."""
    place = SHIPPED if folder is None else folder
    if (place / CARD).is_file():
        return place
    remedy = "train one (pinxit improve train PREFS --out DIR), and name its DIR"
    if folder is None:
        raise CheckpointError("--improver", "none was named, and none ships yet", remedy)
    raise CheckpointError(folder, f"there is no finished improver, for there is no {CARD}", remedy)


def read_improver_card(folder: Path) -> ImproverCard:
    """The card of an improver's folder."""
    try:
        return ImproverCard.model_validate_json((folder / CARD).read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        problem = f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
        raise CheckpointError(folder / CARD, problem, "update pinxit, or train the improver again") from error


def load_speaker(place: Path, device: Device = "cpu") -> CausalLanguage:
    """The language model of a part of the folder; an adapter with the model that it belongs to."""
    if (place / SETTINGS).is_file():
        config = FolderLanguageConfig(folder=read_base(place), adapter=str(place))
    else:
        config = FolderLanguageConfig(folder=str(place))
    return load_language(config, device=device).requires_grad_(False)


def load_gap(folder: Path, device: Device = "cpu") -> RewardModel:
    """The reward that tells gaps, in an improver's folder."""
    return load_reward(load_speaker(folder / GAP, device), folder / GAP)


def hash_improver(folder: Path) -> str:
    """What tells an improver from others: a sha256 of all its weights."""
    return hash_files(sorted(folder.glob("*/*.safetensors")))


def _cleared(place: Path) -> Path:
    """The folder, with nothing left of what was there."""
    shutil.rmtree(place, ignore_errors=True)
    return place
