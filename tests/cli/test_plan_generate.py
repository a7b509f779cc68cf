"""`pinxit plan generate`: a table and its peak, and no weights are loaded."""

from collections.abc import Callable

import pytest

from tests.cli.conftest import Answer

Run = Callable[..., Answer]


def test_the_shipped_models_needs_are_said_without_building_it(pinxit: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.generate.stored.build_network", lambda *_: 1 / 0)
    answer = pinxit("plan", "generate", "--count", "25")
    assert answer.status == 0
    assert "25 of 128x128 at once" in answer.out
    assert answer.out.splitlines()[-1].startswith("peak: 1.")


def test_sizes_are_read_as_generate_reads_them(pinxit: Run) -> None:
    assert "1 of 176x96 at once" in pinxit("plan", "generate", "--aspect", "2:1").out
    assert pinxit("plan", "generate", "--aspect", "2:1", "--size", "64").status == 2
