"""The meter: no second billed twice, interruptions summed, counters read before they overflow."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pinxit.errors import DataError
from pinxit.ledger import energy, meter
from pinxit.ledger.config import MeterConfig
from pinxit.ledger.meter import WRITE_EVERY, Meter, find_hardware, peak_memory, read_ledger
from pinxit.ledger.tariff import Rate


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time passes when the test says so; the processor takes 5 W, by its counter."""
    clock = SimpleNamespace(seconds=100.0, readings=[])
    fake = SimpleNamespace(perf_counter=lambda: clock.seconds)

    def count(seconds: float) -> float:
        clock.readings.append(seconds)
        return 5.0 * seconds

    monkeypatch.setattr(energy, "time", fake)
    monkeypatch.setattr(meter, "time", fake)
    monkeypatch.setattr(energy, "open_counters", lambda: {"processor": count})
    return clock


def test_a_phase_within_another_takes_its_time_out_of_it(tmp_path: Path, clock: SimpleNamespace) -> None:
    work = Meter(tmp_path)
    clock.seconds += 50  # before any stage: nobody's
    with work.stage("pixels"):
        clock.seconds += 3
        work.note(pictures=10, bytes_read=400)
        with work.stage("pixels", "sample"):
            clock.seconds += 2
            work.note(pictures=8)
        clock.seconds += 1
        work.note(pictures=10)
    clock.seconds += 50
    lines = read_ledger(tmp_path)
    assert [(line.phase, line.seconds, line.pictures, line.bytes_read) for line in lines] == [
        ("train", 3.0, 10, 400), ("sample", 2.0, 8, 0), ("train", 1.0, 10, 0),
    ]  # fmt: skip
    assert [line.joules for line in lines] == [15.0, 10.0, 5.0]
    assert {(line.stage, line.joules_source) for line in lines} == {("pixels", "measured")}


def test_operations_stand_with_the_phase_that_counted_them_beside_the_peak(
    tmp_path: Path, clock: SimpleNamespace
) -> None:
    peak = Rate(name="p", value=10.0, unit="operations/s", date="", source="")
    work = Meter(tmp_path, peak=peak)
    with work.stage("pixels"):
        work.note(operations=3.0)
        work.note(operations=4.0)
        with work.stage("pixels", "sample"):
            work.note(pictures=1)
    lines = read_ledger(tmp_path)
    assert [line.operations for line in lines] == [7.0, None, None]
    assert {line.peak for line in lines} == {peak}


def test_the_loaders_clock_is_shared_out_and_may_start_again(tmp_path: Path, clock: SimpleNamespace) -> None:
    work = Meter(tmp_path)
    with work.stage("pixels"):
        work.note(waited=0.5)
        work.note(waited=0.75)
    with work.stage("alignment"):
        work.note(pictures=1)
        work.note(waited=1.0)
        work.note(waited=0.125)  # a new loader
    assert [line.waited for line in read_ledger(tmp_path)] == [0.75, 0.375]


def test_an_interrupted_run_keeps_its_lines(tmp_path: Path, clock: SimpleNamespace) -> None:
    for pictures in (3, 4):
        with pytest.raises(KeyboardInterrupt), Meter(tmp_path).stage("pixels") as work:
            clock.seconds += 1
            work.note(pictures=pictures)
            raise KeyboardInterrupt
    assert [(line.pictures, line.seconds) for line in read_ledger(tmp_path)] == [(3, 1.0), (4, 1.0)]


def test_a_long_stage_is_written_every_minute(tmp_path: Path, clock: SimpleNamespace) -> None:
    with Meter(tmp_path).stage("pixels") as work:
        for step in range(1, 11):
            clock.seconds += WRITE_EVERY / 2
            work.note(pictures=1)
            if step == 9:  # a power cut here would lose no more than the last minute
                assert sum(line.pictures for line in read_ledger(tmp_path)) == 9
    lines = read_ledger(tmp_path)
    assert sum(line.pictures for line in lines) == 10
    assert sum(line.joules for line in lines) == pytest.approx(5.0 * 10 * WRITE_EVERY / 2)
    assert max(clock.readings) <= 1.5 * WRITE_EVERY


def test_a_line_says_what_it_ran_on(tmp_path: Path, clock: SimpleNamespace) -> None:
    with Meter(tmp_path, MeterConfig()).stage("pixels"):
        pass
    (line,) = read_ledger(tmp_path)
    assert line.hardware == find_hardware()
    assert line.hardware.cores >= 1
    assert line.hardware.processor
    assert line.ended.endswith("+00:00")
    assert 10e6 < line.peak_bytes <= peak_memory()


def test_a_folder_without_a_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ledger\.jsonl: there is no bill yet; name the folder of a run"):
        read_ledger(tmp_path)


def test_a_line_that_is_none_of_ours_is_named(tmp_path: Path, clock: SimpleNamespace) -> None:
    with Meter(tmp_path).stage("pixels"):
        pass
    file = tmp_path / "ledger.jsonl"
    file.write_text(file.read_text().replace('"joules": 0.0', '"joules": "many"'))
    with pytest.raises(DataError, match=r"ledger\.jsonl: joules: .* found 'many'; mend or remove the file"):
        read_ledger(tmp_path)
