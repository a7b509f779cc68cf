"""Joules: counters where there are some, the stated formula elsewhere, silence and no network always."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pinxit.ledger import energy
from pinxit.ledger.config import MeterConfig
from pinxit.ledger.energy import Gauge, open_counters

WATTS = MeterConfig(core_watts=8, rest_watts=15, accelerator_watts=400)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time and processor time that pass when the test says so."""
    clock = SimpleNamespace(seconds=100.0, busy=7.0)
    monkeypatch.setattr(energy, "time", SimpleNamespace(perf_counter=lambda: clock.seconds))
    monkeypatch.setattr(energy, "processor_seconds", lambda: clock.busy)
    return clock


def with_counters(monkeypatch: pytest.MonkeyPatch, **counters: Callable[[float], float]) -> None:
    monkeypatch.setattr(energy, "open_counters", lambda: counters)


def test_without_counters_the_formula_gives_the_joules(monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace) -> None:
    with_counters(monkeypatch)
    gauge = Gauge(WATTS, accelerators=2)
    clock.seconds, clock.busy = 110.0, 22.0
    joules = gauge.read()
    assert joules.value == pytest.approx(8 * 15 + 15 * 10 + 400 * 2 * 10)
    assert joules.source == "estimated"
    assert joules.method == "processor: 8 W a busy core and 15 W for the rest; accelerator: 2 of 400 W"


def test_readings_do_not_overlap(monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace) -> None:
    with_counters(monkeypatch)
    gauge = Gauge(WATTS, accelerators=0)
    total = 0.0
    for step in (1.0, 0.0, 5.0):
        clock.seconds += step
        total += gauge.read().value
    assert total == pytest.approx(15 * 6.0)


@pytest.mark.parametrize(
    ("counted", "accelerators", "source", "value"),
    [
        ("processor", 0, "measured", 50.0),
        ("processor accelerator", 1, "measured", 350.0),
        ("accelerator", 1, "estimated", 15 * 10 + 300.0),
        ("processor", 1, "estimated", 50.0 + 400 * 10),
    ],
)
def test_a_sum_is_measured_only_if_every_part_was_counted(
    monkeypatch: pytest.MonkeyPatch,
    clock: SimpleNamespace,
    *,
    counted: str,
    accelerators: int,
    source: str,
    value: float,
) -> None:
    counters = {"processor": lambda seconds: 5.0 * seconds, "accelerator": lambda seconds: 30.0 * seconds}
    with_counters(monkeypatch, **{part: counters[part] for part in counted.split()})
    gauge = Gauge(WATTS, accelerators)
    clock.seconds += 10
    joules = gauge.read()
    assert (joules.source, joules.value) == (source, pytest.approx(value))


def test_without_codecarbon_there_are_no_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "find_spec", lambda _: None)
    assert open_counters() == {}


@pytest.mark.skipif(sys.platform != "linux", reason="the counter's files are Linux's")
def test_the_processor_counter_is_read_through_codecarbon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("codecarbon")
    from codecarbon.core import cpu, gpu
    from codecarbon.external.hardware import CPU

    domain = tmp_path / "intel-rapl" / "intel-rapl:0"
    domain.mkdir(parents=True)
    for name, text in (("name", "package-0"), ("energy_uj", "9000000"), ("max_energy_range_uj", "10000000")):
        (domain / name).write_text(text)
    monkeypatch.setattr(cpu, "is_rapl_available", lambda: True)
    monkeypatch.setattr(gpu, "is_nvidia_system", lambda: False)
    monkeypatch.setattr(CPU, "from_utils", lambda *_, **__: CPU(".", "intel_rapl", "", 0, rapl_dir=str(tmp_path)))
    counters = open_counters()
    (domain / "energy_uj").write_text("9500000")
    assert counters["processor"](1.0) == pytest.approx(0.5)
    (domain / "energy_uj").write_text("200000")  # it has overflowed once
    assert counters["processor"](1.0) == pytest.approx(0.7)


def test_opening_the_counters_is_silent_and_needs_no_network() -> None:
    code = (
        "import socket; socket.socket.connect = None; socket.getaddrinfo = None\n"
        "from pinxit.ledger.energy import Gauge; from pinxit.ledger.config import MeterConfig\n"
        "gauge = Gauge(MeterConfig(), 0); sum(range(10**6)); assert gauge.read().value > 0\n"
        "import sys; assert 'requests' not in sys.modules\n"
        "import logging; logging.getLogger('codecarbon').error('heard')\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
