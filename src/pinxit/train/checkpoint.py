"""Checkpoints: a whole state in one folder, written under a temporary name and renamed; complete with its `done`."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pinxit.errors import CheckpointError
from pinxit.train.state import TrainState

RECIPE = "recipe.yaml"  # of a run folder


def write_checkpoint(state: TrainState, run_folder: Path, keep: int = 2) -> Path:
    """`checkpoint/<examples seen>` holds the whole state, and the run's recipe; all but the newest `keep` are gone."""
    root = run_folder / "checkpoint"
    root.mkdir(parents=True, exist_ok=True)
    final, temporary = root / str(state.seen), root / f".{state.seen}.{os.getpid()}"
    for left in root.glob(".*"):  # by a kill
        shutil.rmtree(left)
    temporary.mkdir()
    tensors = {name: tensor.contiguous() for name, tensor in state.tensors().items()}
    save_file(tensors, temporary / "state.safetensors")
    (temporary / "place.json").write_text(json.dumps(state.place()))
    if (run_folder / RECIPE).is_file():
        shutil.copy(run_folder / RECIPE, temporary)
    for file in temporary.iterdir():
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    (temporary / "done").touch()
    if final.exists():  # written again at a border: it gives way whole
        final.rename(root / f".{state.seen}.old")
    temporary.rename(final)
    shutil.rmtree(root / f".{state.seen}.old", ignore_errors=True)
    for old in complete_checkpoints(run_folder)[:-keep]:
        shutil.rmtree(old)
    return final


def complete_checkpoints(run_folder: Path) -> list[Path]:
    """The complete checkpoints of a run, oldest first; half-written ones are passed over."""
    found = [path for path in (run_folder / "checkpoint").glob("[0-9]*") if (path / "done").is_file()]
    return sorted(found, key=lambda path: int(path.name))


def name_newest(run_folder: Path) -> str:
    """The newest complete checkpoint, for messages; "none" before the first."""
    saved = complete_checkpoints(run_folder)
    return str(saved[-1]) if saved else "none"


def read_place(checkpoint: Path) -> Mapping[str, int]:
    """Stage and examples seen of a checkpoint."""
    place: dict[str, int] = json.loads((checkpoint / "place.json").read_text())
    return place


def read_checkpoint(state: TrainState, checkpoint: Path) -> None:
    """`state` is what the checkpoint holds, to the last bit."""
    try:
        state.load(load_file(checkpoint / "state.safetensors"), read_place(checkpoint))
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(
            checkpoint, f"it does not fit this recipe ({error})", "resume with the recipe.yaml of the run folder"
        ) from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            checkpoint, f"it cannot be read ({error})", "delete it to go on from the one before"
        ) from error
