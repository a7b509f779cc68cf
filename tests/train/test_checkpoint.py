"""Checkpoints on disk: written again they give way whole, leftovers of a kill go, damaged ones are told."""

from pathlib import Path

import pytest

from pinxit.errors import CheckpointError
from pinxit.train.checkpoint import complete_checkpoints, name_newest, read_checkpoint, write_checkpoint

from .toy import build


def test_a_checkpoint_written_again_replaces_the_old_one_whole(tmp_path: Path) -> None:
    first, second = build().state, build("language").state
    first.seen = second.seen = 8
    write_checkpoint(first, tmp_path)
    final = write_checkpoint(second, tmp_path)
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == ["8"]
    read_checkpoint(build("language").state, final)


def test_what_a_kill_left_is_swept(tmp_path: Path) -> None:
    for name in (".16.123", ".8.old"):
        (tmp_path / "checkpoint" / name).mkdir(parents=True)
        (tmp_path / "checkpoint" / name / "done").touch()
    assert name_newest(tmp_path) == "none"
    final = write_checkpoint(build().state, tmp_path)
    assert list((tmp_path / "checkpoint").iterdir()) == [final]
    assert name_newest(tmp_path) == str(final)


@pytest.mark.parametrize("damage", [b"", b"no tensors", None])
def test_a_damaged_checkpoint_is_named_with_what_to_do(tmp_path: Path, damage: bytes | None) -> None:
    file = write_checkpoint(build().state, tmp_path) / "state.safetensors"
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage)
    with pytest.raises(CheckpointError, match=r"cannot be read .*delete it to go on from the one before"):
        read_checkpoint(build().state, complete_checkpoints(tmp_path)[-1])
