"""`pinxit convert` as it is typed."""

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Answer
from tests.interop.case import ALPHA, network, original, save_pth

Run = Callable[..., Answer]


def test_it_says_what_it_found_and_wrote(pinxit: Run, tmp_path: Path) -> None:
    file = save_pth(original(network(ALPHA)), tmp_path / "a.pth")
    answer = pinxit("convert", str(file), str(tmp_path / "b"), "--to", "diffusers", "--heads", "2")
    assert answer.status == 0
    assert answer.out.splitlines()[0] == (
        f"{file}: PixArt-α, 2 blocks of width 24 with 2 heads, captions of 16 tokens, 45 tensors"
    )
    assert answer.out.splitlines()[-1] == f"written to {tmp_path / 'b'}"
    assert (tmp_path / "b" / "config.json").is_file()


def test_what_does_not_fit_is_one_line(pinxit: Run, tmp_path: Path) -> None:
    tensors = original(network(ALPHA))
    del tensors["t_block.1.bias"]
    file = save_pth(tensors, tmp_path / "a.pth")
    answer = pinxit("convert", str(file), str(tmp_path / "b.pth"), "--to", "pixart", "--heads", "2")
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert "missing: t_block.1.bias" in answer.err


def test_both_places_must_be_given(pinxit: Run, tmp_path: Path) -> None:
    answer = pinxit("convert", str(tmp_path), "--to", "pixart")
    assert answer.status != 0
    assert "DEST" in answer.err
    answer = pinxit("convert", "a", "b", "c", "--to", "pixart")
    assert "'c': nothing is expected here" in answer.err
