"""What a run left in its folder for its page: samples, scores, losses, licences; each may be missing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pinxit.errors import DataError
from pinxit.ledger.meter import LEDGER, unreadable
from pinxit.ledger.report import Bill, bill
from pinxit.log import read_lines

INDEX = "index.json"  # of the samples
LICENCES = "licences.json"
NEXT = "next.json"  # commands to try
RECIPE = "recipe.yaml"  # resolved, as the run was begun with it


class Row(BaseModel):
    """One entry of a file that another part wrote; what the page does not show is left alone."""

    model_config = ConfigDict(frozen=True)


class Nearest(Row):
    """A sheet of the training picture nearest to each sample; `among` so many it was looked for."""

    file: str
    among: int


class Sheet(Row):
    """One picture file of samples: equal squares without gaps, row by row, one for each seed and caption.

    `seen` counts the run's own pictures. `splits` says, where it is known, of which pictures the captions are.
    """

    stage: str
    seen: int
    file: str
    captions: tuple[str, ...]
    seeds: tuple[int, ...]
    splits: tuple[str, ...] = ()
    nearest: Nearest | None = None


class Score(Row):
    """One measure of one stage, with its interval and what a perfect model could reach."""

    stage: str
    seen: int
    measure: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int
    ceiling: float | None = None
    kind: str


class Step(Row):
    """The loss of one step of training."""

    seen: int
    stage: str
    loss: float


class Probe(Row):
    """The loss on the same few pictures at the same noise, of one split; and by the noise's share, from least to most.

    `blind` is what knowing nothing of pictures loses there.
    """

    seen: int
    split: str
    loss: float
    stage: str = ""
    bands: Sequence[float | None] = ()
    blind: Sequence[float | None] = ()


class Work(Row):
    """A work that the run was made from, and its terms."""

    name: str
    spdx: str
    note: str = ""


R = TypeVar("R", bound=Row)
L = TypeVar("L", bound=Row | str)


@dataclass(frozen=True)
class Result:
    """All that a page shows of one run; what the folder does not hold is empty."""

    folder: Path
    name: str
    start: str
    recipe: str
    sheets: Sequence[Sheet]
    scores: Sequence[Score]
    steps: Sequence[Step]
    probes: Sequence[Probe]
    works: Sequence[Work]
    commands: Sequence[str]
    bill: Bill | None

    @property
    def samples(self) -> Path:
        """Where the pictures lie."""
        return self.folder / "samples"


def read_result(folder: Path) -> Result:
    """What the run folder holds, checked; raises DataError for a file that cannot be read, or without a recipe."""
    file = folder / RECIPE
    if not file.is_file():
        raise DataError(file, "there is no such file, so this is no run folder", "name the folder of a run")
    recipe = file.read_text(encoding="utf-8")
    return Result(
        folder=folder,
        name=_said(recipe, "name") or folder.resolve().name,
        start=_said(recipe, "start"),
        recipe=recipe,
        sheets=_read_list(folder / "samples" / INDEX, Sheet),
        scores=_read_lines(folder / "scores.jsonl", Score),
        steps=_read_lines(folder / "steps.jsonl", Step),
        probes=_read_lines(folder / "probe.jsonl", Probe),
        works=_read_list(folder / LICENCES, Work),
        commands=_read_list(folder / NEXT, str),
        bill=bill(folder) if (folder / LEDGER).is_file() else None,
    )


def note_sheet(samples: Path, sheet: Sheet) -> None:
    """The index of the samples ends with `sheet`, and names no other of the same file."""
    rows = [*(old for old in _read_list(samples / INDEX, Sheet) if old.file != sheet.file), sheet]
    text = json.dumps([row.model_dump(mode="json") for row in rows], ensure_ascii=False)
    (samples / INDEX).write_text(text, encoding="utf-8")


def _said(recipe: str, field: str) -> str:
    tree = yaml.safe_load(recipe)
    return str(tree.get(field) or "") if isinstance(tree, dict) else ""


def _read_list(file: Path, kind: type[L]) -> list[L]:
    if not file.is_file():
        return []
    try:
        return TypeAdapter(list[kind]).validate_json(file.read_bytes())  # type: ignore[valid-type]
    except ValidationError as error:
        raise unreadable(file, error) from error


def _read_lines(file: Path, kind: type[R]) -> list[R]:
    try:
        return [kind.model_validate(row) for row in read_lines(file)]
    except ValidationError as error:
        raise unreadable(file, error) from error
