"""A whole run of self-improvement in a run folder: from preferences to the folder that `Improver.load` opens.

Every phase has a folder of its own below `phases/`, and goes on there where it stopped; one that has ended gives the
weights that it ended with. So the run goes on by calling them all again.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pinxit.generate.card import Licence
from pinxit.improve.config import ImproveConfig
from pinxit.improve.folder import IMPROVER, POLICY, ImproverCard, save_improver
from pinxit.improve.order import Order, order
from pinxit.improve.phase import Place, imitate, learn_gap, learn_reward, reinforce_improver, reinforce_policy
from pinxit.improve.score import AnswerScore, RewardModel, Score, compare_by
from pinxit.ledger.budget import Budget, Purse, never_spent
from pinxit.ledger.meter import Meter
from pinxit.ledger.report import bill
from pinxit.log import console, read_lines
from pinxit.models.config import FolderLanguageConfig
from pinxit.recipes.calibrate import peak_here
from pinxit.recipes.preference import PHASES, Preferences, claim, open_preferences
from pinxit.rng import seed_at
from pinxit.train.compute import choose_compute

ORDER = "order.json"  # how gaps order held-out pairs
PART = 10  # a phase is told by the means of its first and last tenth


def improve(config: ImproveConfig, folder: Path, budget: Budget | None = None) -> Order | None:
    """The folder holds a finished improver. Of its gaps the order on held-out pairs is given, if there are any.

    Goes on where it was stopped. Raises Stopped once it has saved itself, if that was asked for or the budget is spent.
    """
    claim(config, folder)
    compute = choose_compute(config.compute)
    meter = Meter(folder, peak=peak_here(compute))
    spent = Purse(budget, folder, meter) if budget else never_spent
    root = Place(folder / PHASES, config.seed, compute, meter, spent)
    with meter.stage("pairs", "read"):
        found = open_preferences(config, folder)
    _say(str(found))
    parts, language = found.parts, found.language.to(root.compute.device)

    policy, improver = language.twin(), language.twin()
    with _phase(root, "policy-start", "the policy imitates better answers") as place:
        imitate(policy, parts.imitation, config.policy_start, place, shown=False)
    with _phase(root, "improver-start", "the improver imitates them, shown the worse ones") as place:
        imitate(improver, parts.imitation, config.improver_start, place, shown=True)

    begin = policy if config.rewards_begin == "imitation" else language
    reward = gap = RewardModel(begin.twin(), seed_at(config.seed, "reward"))
    with _phase(root, "reward", "how good one answer is") as place:
        learn_reward(reward, parts.reward, config.reward, place)
    if config.compared == "gap":
        gap = reward.over_reference()
        with _phase(root, "gap", "how much better one answer is than another") as place:
            learn_gap(gap, parts.reward, config.gap, place)
    by = compare_by(config.compared, gap)
    measured = _measure_order(by, found, folder, meter)

    with _phase(root, "policy", "reinforcement by the reward") as place:
        reinforce_policy(policy, parts.reinforcement, AnswerScore(reward), config.policy, place)
    with _phase(root, "improver", "reinforcement by the gap, round by round") as place:
        reinforce_improver(improver, policy, parts.reinforcement, by, config.curriculum, place)

    base = config.language.folder if isinstance(config.language, FolderLanguageConfig) else None
    speakers = {POLICY: policy, IMPROVER: improver}
    save_improver(folder, speakers, gap, _card(config, found.counts, measured, folder), base, half=config.half)
    return measured


@contextmanager
def _phase(root: Place, name: str, what: str) -> Iterator[Place]:
    """The phase's place; what it does is said before, what came of it after."""
    place = root.within(name)
    assert place.meter is not None
    _say(f"{name}: {what}")
    with place.meter.stage(name, "prepare"):
        yield place
    for log in sorted(place.folder.rglob("steps.jsonl")):
        _say(f"{log.parent.name}: {tell(read_lines(log))}")


def tell(rows: Sequence[Mapping[str, object]]) -> str:
    """What became of a phase, by the rows of its `steps.jsonl`."""
    count = max(1, len(rows) // PART)

    def mean(name: str, some: Sequence[Mapping[str, object]]) -> float:
        return sum(float(str(row[name])) for row in some) / count

    first, last = rows[:count], rows[-count:]
    if "ordered" in last[0]:
        return f"{100 * mean('ordered', first):.0f} -> {100 * mean('ordered', last):.0f} % of pairs in order"
    if "reward" in last[0]:
        return (
            f"reward {mean('reward', first):+.2f} -> {mean('reward', last):+.2f}, "
            f"{mean('divergence', last):.2f} nats from its start, {mean('length', last):.1f} tokens an answer"
        )
    return f"loss {mean('loss', first):.3f} -> {mean('loss', last):.3f} a token"


def _measure_order(by: Score, found: Preferences, folder: Path, meter: Meter) -> Order | None:
    """The order on the pairs kept from training, printed and kept in `order.json`."""
    if not found.parts.held_out:
        _say("order: no pair was held out, so nothing tells how gaps order new ones")
        return None
    with meter.stage("gap", "evaluate"):
        measured = order(by, found.parts.held_out)
    (folder / ORDER).write_text(measured.model_dump_json(indent=2) + "\n", encoding="utf-8")
    _say(f"order: {measured}")
    return measured


def _card(config: ImproveConfig, counts: Mapping[str, int], measured: Order | None, folder: Path) -> ImproverCard:
    terms = "their terms are the user's to know"
    licences = [Licence(name=config.pairs.source, spdx=config.pairs.licence, note=f"preferences; {terms}")]
    model = "the small decoder"
    if isinstance(config.language, FolderLanguageConfig):
        model = config.language.folder
        licences.append(Licence(name=model, spdx="NOASSERTION", note=f"the language model; {terms}"))
    total = bill(folder).total
    return ImproverCard(
        refine=config.refine, compared=config.compared, model=model, data=config.pairs.source, pairs=counts,
        order=measured, licences=tuple(licences), ledger={"seconds": total.seconds, "joules": total.joules},
    )  # fmt: skip


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
