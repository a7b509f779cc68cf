"""What a run of self-improvement begins with: its recipe, its preferences in their parts, its language model."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from pinxit.errors import CheckpointError
from pinxit.improve.config import SCENES, ImproveConfig, PairsConfig
from pinxit.improve.pair import Pair, Parts, Reason, Refused, part_pairs, read_pairs
from pinxit.improve.sequence import limit, spoken
from pinxit.improve.source import Hub
from pinxit.models.config import FolderLanguageConfig
from pinxit.models.decoder import build_decoder
from pinxit.models.language import CausalLanguage
from pinxit.models.language_folder import load_language
from pinxit.recipes.brief import read_world, write_pairs
from pinxit.recipes.result import RECIPE
from pinxit.recipes.table import dump_recipe, read_yaml
from pinxit.recipes.tree import SettingsError, validated

HUB = "hub:"
PHASES = "phases"  # the folder with a folder for each phase
REFUSED, PAIRS = "refused.jsonl", "pairs.json"
FLAWLESS = 0.8  # of the better answers about scenes: an improver is to know what is right, not to prove that it can


@dataclass(frozen=True)
class Preferences:
    """Pairs in their parts, how many rows there were, and the untrained language model that can read them."""

    parts: Parts
    counts: dict[str, int]
    language: CausalLanguage

    def __str__(self) -> str:
        """Two lines: what became of the rows, and into which parts the pairs fell."""
        reasons = [f"{count:,} {reason.value}" for reason in Reason if (count := self.counts[reason.value])]
        refused = f"; refused: {', '.join(reasons)} ({REFUSED})" if reasons else ""
        parts = ", ".join(f"{name.replace('_', ' ')} {len(pairs):,}" for name, pairs in vars(self.parts).items())
        return f"pairs: {self.counts['found']:,} rows, {self.counts['used']:,} used{refused}\n       {parts}"


def read_improvement(file: Path) -> ImproveConfig:
    """The recipe of a run folder's file."""
    return validated(ImproveConfig, read_yaml(file), where=f"{file}: ")


def claim(config: ImproveConfig, folder: Path) -> None:
    """The folder is this recipe's, wherever it computes; CheckpointError where another run has begun there."""
    file = folder / RECIPE
    if file.is_file():
        try:
            found = read_improvement(file).model_copy(update={"compute": config.compute})
        except SettingsError as error:
            raise CheckpointError(folder, "it holds a run of another kind", "choose another folder") from error
        if (folder / PHASES).is_dir() and found != config:
            remedy = f"choose another folder, or: pinxit improve train {folder}"
            raise CheckpointError(folder, "it holds a run of another recipe", remedy)
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(dump_recipe(config), encoding="utf-8")


def open_preferences(config: ImproveConfig, folder: Path) -> Preferences:
    """The preferences that the recipe names; `refused.jsonl` lists the rows that are not used, each with its reason.

    A small decoder knows the words of the pairs that it may learn from. CheckpointError where a run that has begun in
    the folder had other pairs.
    """
    reading = read_pairs(source_of(config.pairs, folder))
    if isinstance(config.language, FolderLanguageConfig):
        language = load_language(config.language, seed=config.seed)
    else:
        parts = part_pairs(reading.pairs, config.pairs.held_out)
        known = [*parts.imitation, *parts.reward, *parts.reinforcement]
        language = build_decoder(config.language, spoken(known), config.seed)
    reading = reading.within(limit(language, config.pairs))
    _account(folder, reading.counts(), reading.pairs)
    _list(folder / REFUSED, reading.refused)
    return Preferences(part_pairs(reading.pairs, config.pairs.held_out), reading.counts(), language)


def source_of(pairs: PairsConfig, folder: Path) -> Path | Hub:
    """Where the pairs are; the synthetic ones are written into the run's folder."""
    if pairs.source == SCENES:
        return write_pairs(folder / f"{SCENES}.jsonl", read_world(), flawless=FLAWLESS)
    if pairs.source.startswith(HUB):
        return Hub(pairs.source.removeprefix(HUB), pairs.folder, pairs.revision)
    return Path(pairs.source)


def _account(folder: Path, counts: dict[str, int], pairs: Iterable[Pair]) -> None:
    """The counts are in the folder, and what tells these pairs from others."""
    digest = blake2b(digest_size=16)
    for pair in pairs:
        digest.update(json.dumps([pair.prompt, pair.better, pair.worse]).encode())
    file, told = folder / PAIRS, {**counts, "digest": digest.hexdigest()}
    if (folder / PHASES).is_dir() and file.is_file() and json.loads(file.read_text()) != told:
        problem = f"its preferences are not those that it began with ({PAIRS})"
        raise CheckpointError(folder, problem, "bring the old ones back, or choose another folder")
    file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _list(file: Path, refused: Iterable[Refused]) -> None:
    rows = ({"place": row.place, "reason": row.reason.value, "detail": row.detail} for row in refused)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
