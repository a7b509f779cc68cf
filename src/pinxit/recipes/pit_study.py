"""`pinxit reproduce pit`: which trials there are, the rows that they give, and the tables and plot of these."""

from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

from pinxit.improve.config import ImproveConfig
from pinxit.improve.phase import Place
from pinxit.log import append_line, console, read_lines
from pinxit.recipes.brief import Brief, Kind, World, briefs, read_world, write_pairs
from pinxit.recipes.evidence import redraw, show
from pinxit.recipes.pit import study
from pinxit.recipes.pit_exam import Exam
from pinxit.recipes.pit_lineage import Lineage
from pinxit.recipes.pit_page import tables
from pinxit.recipes.pit_plot import plot
from pinxit.recipes.pit_trial import FINISHED, TRIALS, Row
from pinxit.recipes.preference import open_preferences
from pinxit.train.compute import choose_compute

STUDY = "pit"
SEEDS = (0, 1, 2)
COUNT = 1_000  # prompts of the exam: half with a new combination, half with a new concept
WATCHED = 100  # prompts of known things, on which models are watched
OF_EXAMS, OF_WATCHED = 1, 2  # seeds of these sets; the pairs' is 0

Config = Callable[[int], ImproveConfig]  # of a seed


def reproduce(evidence: Path, page: Path, work: Path, only: str, fill: bool) -> tuple[int, int]:
    """Rows that there are, and rows; those whose name holds `only` were filled first, if asked, and the page's tables
    and plot are those of the rows that there are.
    """
    file, pairs = evidence / f"{STUDY}.jsonl", work / "pairs.jsonl"
    if fill and any(only in name for name in missing(file)):
        world = read_world()
        if not pairs.is_file():
            write_pairs(pairs, world)
        Study(work, file, world, partial(study, str(pairs))).fill(only)
    rows = [FINISHED.validate_python(row) for row in read_lines(file)]
    drawn = plot(rows, evidence / f"{STUDY}.svg")
    redraw(page, STUDY, tables(rows, show(drawn, page, "an improver in reinforcement, step by step") if drawn else ""))
    return len(plan()) - len(missing(file)), len(plan())


def plan() -> list[str]:
    """The names of all rows, seed by seed."""
    return [f"seed {seed}, {trial}" for seed in SEEDS for trial in TRIALS]


def missing(file: Path) -> list[str]:
    """The names that have no row yet in the file."""
    done = {row["name"] for row in read_lines(file)}
    return [name for name in plan() if name not in done]


class Study:
    """`work` keeps runs and answers; `evidence` is the file of finished rows."""

    def __init__(self, work: Path, evidence: Path, world: World, config: Config, count: int = COUNT) -> None:
        self.work, self.evidence, self.world, self.config, self.count = work, evidence, world, config, count

    def fill(self, only: str = "") -> None:
        """Every row whose name holds `only` is there; those that stand are left as they are."""
        for seed in SEEDS:
            names = [name for name in missing(self.evidence) if only in name and name.startswith(f"seed {seed},")]
            exam = self.exam(seed) if names else None
            for name in names:
                assert exam is not None
                console.print(name, style="bold", highlight=False)
                trial = name.partition(", ")[2]
                row = TRIALS[trial](exam, Row(name=name, seed=seed, trial=trial, n=self.count))
                append_line(self.evidence, row.model_dump())

    def exam(self, seed: int) -> Exam:
        """The exam of a seed's models; the prompts are the same for all seeds."""
        config, folder = self.config(seed), self.work / f"seed-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        found = open_preferences(config, folder)
        compute = choose_compute(config.compute)
        root = Place(folder, seed, compute)
        found.language.to(compute.device)
        lineage = Lineage(config, found, root, self.some("known", OF_WATCHED, min(WATCHED, self.count)))
        half = self.count // 2
        asked = [*self.some("combination", OF_EXAMS, half), *self.some("concept", OF_EXAMS, self.count - half)]
        return Exam(lineage, asked, folder / "answers")

    def some(self, kind: Kind, seed: int, count: int) -> list[Brief]:
        """The first briefs of a kind and seed."""
        return list(islice(briefs(self.world, seed, kind), count))
