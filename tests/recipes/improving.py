"""A whole run of self-improvement in seconds, on preferences of the toy world in a file."""

import json
from pathlib import Path

from pinxit.improve.config import ImproveConfig
from pinxit.recipes.pit import pit
from pinxit.recipes.tree import merge
from tests.improve.toy import pairs

RATE = {"learning_rate": 2e-3}
SAMPLED = {"most": 12}
REINFORCED = {"examples": 16, "batch": 4, "group": 3, "sampling": SAMPLED, "optimizer": {"learning_rate": 1e-3}}
TINY = {
    "pairs": {"prompt": 8, "answer": 12, "held_out": 0.1},
    "language": {"words": 400, "depth": 1, "width": 32, "heads": 2, "length": 64},
    "policy_start": {"examples": 128, "batch": 16, "optimizer": RATE},
    "improver_start": {"examples": 128, "batch": 16, "optimizer": RATE},
    "reward": {"examples": 64, "batch": 16, "optimizer": RATE},
    "gap": {"examples": 64, "batch": 16, "optimizer": RATE},
    "policy": REINFORCED,
    "curriculum": {"phase": REINFORCED, "own": SAMPLED},
    "refine": {"sampling": SAMPLED, "first": SAMPLED},
    "compute": {"device": "cpu"},
}
BAD = [
    "{torn",
    json.dumps({"prompt": "red", "chosen": "a", "rejected": "a"}),
    json.dumps({"prompt": "x", "chosen": ""}),
]


def write_preferences(file: Path, *, bad: bool = False) -> Path:
    """300 pairs of the toy world, and, if asked for, rows that cannot be used."""
    rows = [json.dumps({"prompt": p.prompt, "chosen": p.better, "rejected": p.worse}) for p in pairs(300)]
    long = json.dumps({"prompt": "red " * 40, "chosen": "a", "rejected": "b"})
    file.write_text("\n".join([*rows, *([*BAD, long] if bad else [])]) + "\n", encoding="utf-8")
    return file


def tiny(source: Path, **changes: object) -> ImproveConfig:
    """A recipe of seconds."""
    return ImproveConfig.model_validate(merge(merge(pit(str(source)).model_dump(), TINY), changes))


def flags(tree: object = TINY, path: str = "") -> list[str]:
    """The same settings as words of the command line."""
    if not isinstance(tree, dict):
        return [path, str(tree)]
    words: list[str] = []
    for name, value in tree.items():
        spelled = name.replace("_", "-")
        words += flags(value, f"{path}.{spelled}" if path else f"--{spelled}")
    return words
