"""`pinxit reproduce pixart`: rows that are missing are filled; then tables and plots are drawn from all there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pinxit.ledger.machine import HERE, find_machine
from pinxit.log import console, read_lines
from pinxit.recipes.calibrate import Rates, calibrate, rates_file
from pinxit.recipes.evidence import redraw, show
from pinxit.recipes.pixart_plot import plot
from pinxit.recipes.pixart_size import Timed, size_table, time_steps
from pinxit.recipes.pixart_study import PixartStudy, Row, estimate, whole_plan
from pinxit.recipes.pixart_table import tables
from pinxit.recipes.pixart_trial import PixartTrial, Scale

STUDY = "pixart"
QUICK = Scale(
    images=1_024, pictures=512, rates=(1.0,), seeds=(0, 1), points=4, prompts=16, known=64, steps=10
)  # twenty minutes in all on two slow cores


@dataclass(frozen=True)
class Place:
    """Where a study's rows and plots are, its page, and its runs."""

    evidence: Path
    page: Path
    work: Path

    @property
    def rows(self) -> Path:
        """The file of finished rows."""
        return self.evidence / f"{STUDY}.jsonl"

    @property
    def steps(self) -> Path:
        """The file of timed steps."""
        return self.evidence / f"{STUDY}-steps.jsonl"


def quick_place(work: Path) -> Place:
    """Where a smoke test writes: nothing of it is evidence."""
    folder = work / "quick"
    page = folder / "evidence.md"
    if not page.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        page.write_text(f"A smoke test; no figure here means anything.\n\n<!-- {STUDY} -->\n<!-- end of {STUDY} -->\n")
    return Place(folder, page, folder)


def reproduce(place: Place, scale: Scale, only: str, *, fill: bool) -> tuple[int, int]:
    """Trials that have all of their rows, and trials; those whose name holds `only` were filled first, if asked."""
    study, trials = PixartStudy(place.work, place.rows, scale), whole_plan(scale)
    if fill:
        announce(scale, trials, done(study.rows()))
        time_steps(scale, place.steps)
        study.fill(only)
    rows = study.rows()
    write(place, scale, rows)
    return done(rows), len(trials)


def done(rows: Sequence[Row]) -> int:
    """How many trials have come to their end."""
    return len({row.trial for row in rows if row.part == 1})


def announce(scale: Scale, trials: Sequence[PixartTrial], finished: int) -> None:
    """Lines that say what the whole plan takes on this machine, whose rate is measured now unless it is known."""
    calibrate_once(scale)
    bill = estimate(scale, trials)
    console.print(f"{bill.say()}; {finished} are done", highlight=False, soft_wrap=True)


def calibrate_once(scale: Scale) -> None:
    """The rate of the base's steps on this machine is known."""
    from pinxit.recipes.work import work_of

    base = PixartTrial().recipe(scale)
    rates = Rates(find_machine(HERE), rates_file())
    label = work_of(base, base.stages["high"], is_padded=False).label
    known = rates(label, 1.0)
    if known is None or known.is_assumed:
        calibrate(base, rates)


def write(place: Place, scale: Scale, rows: Sequence[Row]) -> None:
    """The page has the tables of the rows that there are, and the plots stand beside them."""
    timed = [Timed.model_validate(row) for row in read_lines(place.steps)]
    folder = place.evidence / STUDY
    below: dict[str, str] = {"network": size_table(scale, timed)}
    for name in plot(rows, folder):
        group = name.rpartition("-")[0].replace("-", " ")
        picture = show(folder / name, place.page, f"{group}: bits along the run")
        below[group] = f"{below[group]}\n{picture}" if group in below else picture
    redraw(place.page, STUDY, tables(rows, below))
