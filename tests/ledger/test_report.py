"""The bill: sums that add up, prices by hand, marks that hold, the plan beside it."""

import json
from pathlib import Path

import pytest

from pinxit.errors import DataError
from pinxit.ledger.config import TariffConfig
from pinxit.ledger.meter import Hardware, Line
from pinxit.ledger.report import bill
from pinxit.ledger.tariff import Rate

TARIFF = TariffConfig(electricity=0.2, core_hour=0.05, accelerator_hour=2.0, grams=500)
CORES = Hardware(processor="p", cores=4)
CARDS = Hardware(processor="p", cores=4, accelerators=("H100", "H100"))


def line(stage: str, phase: str, pictures: int, seconds: float, joules: float, **other: object) -> Line:
    base = Line(
        ended="2026-01-01T00:00:00+00:00", stage=stage, phase=phase, pictures=pictures, seconds=seconds,
        waited=seconds / 4, bytes_read=8 * pictures, joules=joules,
        joules_source="estimated", joules_method="formula", peak_bytes=10**9,
        peak_accelerator_bytes=0, hardware=CORES,
    )  # fmt: skip
    return Line.model_validate(base.model_dump() | other)


def write(folder: Path, *lines: Line) -> Path:
    (folder / "ledger.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in lines))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(
        tmp_path,
        line("pixels", "encode", 50, 10, 1e6),
        line("pixels", "train", 100, 3600, 3.6e6, joules_source="measured", joules_method="counter"),
        line("alignment", "train", 200, 1800, 1.8e6, peak_bytes=2 * 10**9),
        line("alignment", "sample", 8, 90, 1e5, ended="2026-01-03T00:00:00+00:00"),
        line("alignment", "train", 100, 1800, 1.8e6),  # resumed
    )


def test_items_stages_and_total_agree(folder: Path) -> None:
    found = bill(folder, TARIFF)
    assert [(item.stage, item.phase) for item in found.items] == [
        ("pixels", "encode"), ("pixels", "train"), ("alignment", "train"), ("alignment", "sample"),
    ]  # fmt: skip
    for name in ("seconds", "waited", "joules", "electricity", "rent", "grams", "bytes_read"):
        total = pytest.approx(getattr(found.total, name))
        assert sum(getattr(item, name) for item in found.items) == total
        assert sum(getattr(item, name) for item in found.stages) == total
    assert [item.phase for item in found.phases("alignment")] == ["train", "sample"]
    assert found.ended == "2026-01-03T00:00:00+00:00"
    assert found.total.peak_bytes == 2 * 10**9


def test_the_pictures_of_a_stage_are_those_trained_on(folder: Path) -> None:
    found = bill(folder, TARIFF)
    assert [item.pictures for item in found.items] == [50, 100, 300, 8]
    assert [item.pictures for item in found.stages] == [100, 300]
    assert found.total.pictures == 400


def test_prices_by_hand(folder: Path) -> None:
    trained = bill(folder, TARIFF).items[1]  # one hour, one kilowatt-hour, four cores
    assert trained.electricity == pytest.approx(0.2)
    assert trained.grams == pytest.approx(500)
    assert trained.rent == pytest.approx(4 * 0.05)


def test_rent_with_accelerators_is_theirs_alone(tmp_path: Path) -> None:
    found = bill(write(tmp_path, line("pixels", "train", 1, 3600, 1.0, hardware=CARDS)), TARIFF)
    assert found.total.rent == pytest.approx(2 * 2.0)


def test_an_accelerator_without_a_price_leaves_the_rent_open(tmp_path: Path) -> None:
    cards = CARDS.model_copy(update={"accelerators": ("Abacus",)})
    found = bill(write(tmp_path, line("pixels", "train", 1, 3600, 3.6e6, hardware=cards)))
    part = found.share(1)
    assert part is not None
    assert (found.total.rent, part.rent) == (None, None)
    assert found.total.electricity > 0


def test_a_sum_with_one_estimate_is_an_estimate(folder: Path) -> None:
    found = bill(folder, TARIFF)
    assert [item.joules_source for item in found.items] == ["estimated", "measured", "estimated", "estimated"]
    assert found.total.joules_source == "estimated"
    assert found.methods == ("formula", "counter")


def test_operations_are_those_counted_and_their_share_is_of_all_time_of_training(tmp_path: Path) -> None:
    peak = Rate(name="p", value=10.0, unit="operations/s", date="", source="")
    found = bill(
        write(
            tmp_path,
            line("pixels", "encode", 9, 1000, 1.0, peak=peak),
            line("pixels", "train", 1, 4, 1.0, operations=20.0, peak=peak),
            line("pixels", "train", 0, 1, 1.0, peak=peak),  # no step ended in it
            line("alignment", "train", 1, 5, 1.0, operations=10.0, peak=peak),
        )
    )
    assert [item.operations for item in found.items] == [None, 20.0, 10.0]
    assert [item.utilisation for item in found.items] == [None, 0.4, 0.2]
    assert [stage.utilisation for stage in found.stages] == [0.4, 0.2]
    assert (found.total.operations, found.total.utilisation, found.peaks) == (30.0, 0.3, (peak,))


def test_what_nobody_counted_is_absent_and_not_zero(folder: Path) -> None:
    total = bill(folder, TARIFF).total
    assert (total.operations, total.utilisation) == (None, None)
    write(folder, line("pixels", "train", 1, 4, 1.0, operations=20.0))
    total = bill(folder, TARIFF).total
    assert (total.operations, total.utilisation) == (20.0, None)


def test_a_line_of_before_operations_were_counted_is_read(folder: Path) -> None:
    rows = [json.loads(row) for row in (folder / "ledger.jsonl").read_text().splitlines()]
    kept = [{name: row[name] for name in row if name not in {"operations", "peak"}} for row in rows]
    (folder / "ledger.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    assert bill(folder, TARIFF).total.operations is None


def test_the_shares_of_all_pictures_are_the_total(folder: Path) -> None:
    found = bill(folder, TARIFF)
    one, everything = found.share(1), found.share(400)
    assert one is not None
    assert everything is not None
    assert one.seconds * 400 == pytest.approx(found.total.seconds)
    for name in ("pictures", "seconds", "waited", "joules", "electricity", "rent", "grams", "bytes_read"):
        assert getattr(everything, name) == pytest.approx(getattr(found.total, name))


def test_before_the_first_picture_there_is_no_price_of_one(tmp_path: Path) -> None:
    assert bill(write(tmp_path, line("pixels", "encode", 5, 1, 1.0))).share(1) is None


def test_a_plan_of_another_phase_stands_beside_that_one(folder: Path) -> None:
    stages = [{"stage": "pixels", "phase": "encode", "pictures": 50, "seconds": 8, "joules": 1e6, "peak_bytes": 7}]
    (folder / "plan.json").write_text(json.dumps({"stages": stages}))
    found = bill(folder, TARIFF)
    ((planned, taken),) = found.beside_plan
    assert (planned.label, taken.seconds, found.plan.peak) == ("pixels, encode", 10, 7)


def test_the_plan_stands_beside_the_stages_that_have_begun(folder: Path) -> None:
    stages = [
        {"stage": "pixels", "pictures": 100, "seconds": 3000, "joules": 3e6, "hours": 1},
        {"stage": "aesthetics", "pictures": 1, "seconds": 1, "joules": 1},
    ]
    (folder / "plan.json").write_text(json.dumps({"stages": stages, "dropped": []}))
    ((planned, taken),) = bill(folder, TARIFF).beside_plan
    assert (planned.label, planned.seconds, taken.seconds) == ("pixels", 3000, 3600)


def test_a_broken_plan_is_named(folder: Path) -> None:
    (folder / "plan.json").write_text("{}")
    with pytest.raises(DataError, match=r"plan\.json: stages: Field required, found {}; mend or remove the file"):
        bill(folder)
