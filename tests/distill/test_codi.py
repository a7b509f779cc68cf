"""Conditional distillation: its loss written out, its zero, its units, and who learns from whom."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from pinxit.diffusion.config import FlowConfig
from pinxit.diffusion.flow import Flow
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.process import Level
from pinxit.distill.codi import Codi
from pinxit.distill.config import CodiConfig, as_printed, as_published
from pinxit.models.adapter.control import Controlled
from pinxit.rng import Draws
from tests.distill.double import NULL, PLACES, PROCESSES, Knowing, batch, controlled, one

CONFIGS = {"ours": CodiConfig(), "printed": as_printed(), "published": as_published()}


def objective(
    process: Flow | IDDPM, network: Controlled, config: CodiConfig, target: nn.Module, frozen: nn.Module | None = None
) -> Codi:
    other = frozen if config.trajectory == "frozen" else None
    return Codi(network, process, 0.0, NULL, config, target=target, frozen=other)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("process", PROCESSES)
def test_the_loss_is_the_papers_written_out(process: Flow | IDDPM, name: str) -> None:
    config, given, draws = CONFIGS[name], batch(), Draws(0, PLACES)
    network, target, frozen = (controlled(process.outputs, seed) for seed in range(3))
    levels = process.anchors(config.grid)
    chance = draws.uniform("time")
    eps = draws.normal("noise", (3, 8, 8))
    wanted = []
    for i in PLACES:
        place = int(chance[0 if config.times == "batch" else i] * config.grid)
        t, s = levels[place], levels[place + 1]
        clean = given.mean[i, None]

        def ends(which: nn.Module, x: Tensor, level: Level = t, i: int = i) -> tuple[Tensor, Tensor]:
            said = one(given, which, x, level, i)
            if isinstance(process, Flow):
                found, noise = x - level.sigma * said, x + level.alpha * said
            else:
                found, noise = (x - level.sigma * said[:, :3]) / level.alpha, said[:, :3]
            if config.skip and isinstance(process, IDDPM):
                scaled = (10 * level.time) ** 2
                skip, out = 0.25 / (scaled + 0.25), 10 * level.time / (scaled + 0.25) ** 0.5
                found, noise = skip * x + out * found, skip * x + out * noise
            return found, noise

        with torch.no_grad():
            x_t = t.alpha * clean + t.sigma * eps[i, None]
            found, noise = ends(network, x_t)
            path = (found, noise) if config.trajectory == "own" else ends(frozen, x_t)
            x_s = s.alpha * path[0] + s.sigma * (path[1] if config.noise == "predicted" else eps[i, None])
            goal = ends(target, x_s, s)
            if config.end == "true" and place + 1 == config.grid:
                goal = clean, eps[i, None]
            apart = (goal[1] - noise if config.consistency == "noise" else goal[0] - found).square().mean()
            signal = (found - clean).square().mean()
            if config.consistency_unit == "velocity":
                apart = apart / max(t.alpha, levels[1].alpha / 2) ** 2
            if config.signal_unit == "velocity":
                signal = signal / t.sigma**2
            apart = apart * config.consistency_weight
            wanted.append(apart + signal * (config.signal_floor + (1 - config.signal_floor) * t.alpha**2))
    made = objective(process, network, config, target, frozen).each(network, given, draws)
    assert_close(made.detach(), torch.stack(wanted), rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_network_that_knows_the_picture_has_no_loss(name: str) -> None:
    given, process = batch(), Flow(FlowConfig())
    known = Knowing(given.mean)
    assert objective(process, known, CONFIGS[name], known, known).each(known, given, Draws(0, PLACES)).max() < 1e-5


def test_in_units_of_the_velocity_an_error_counts_the_same_at_every_level() -> None:
    given, process = batch(), Flow(FlowConfig())
    off = Knowing(given.mean, 0.3)
    only = CodiConfig(consistency="none", signal_floor=1.0)
    each = objective(process, off, only, off).each(off, given, Draws(0, PLACES))
    assert_close(each, torch.full((16,), 0.09), rtol=1e-3, atol=1e-6)
    clean = objective(process, off, only.model_copy(update={"signal_unit": "own"}), off)
    assert clean.each(off, given, Draws(0, PLACES)).std() > 0.01


@pytest.mark.parametrize("process", PROCESSES)
def test_clean_latent_and_noise_make_the_noised_one(process: Flow | IDDPM) -> None:
    given, network = batch(), controlled(process.outputs)
    made = objective(process, network, CodiConfig(grid=16), network)
    at = made.moments.at(torch.arange(16))
    x_t = torch.randn(16, 3, 8, 8)
    with torch.no_grad():
        clean, noise = made.ends(network, x_t, at, given, torch.zeros(16, dtype=torch.bool))
    assert_close(at.alpha * clean + at.sigma * noise, x_t, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("process", PROCESSES)
def test_only_the_branch_of_the_network_learns_where_its_backbone_is_frozen(process: Flow | IDDPM) -> None:
    network, target = controlled(process.outputs), controlled(process.outputs, 1)
    network.base.requires_grad_(False)
    made = objective(process, network, CodiConfig(), target)
    assert set(made.trained) == {f"control.{name}" for name, _ in network.control.named_parameters()}
    before = deepcopy(target.state_dict())
    made.each(network, batch(), Draws(0, PLACES)).sum().backward()
    assert all(parameter.grad is None for part in (network.base, target) for parameter in part.parameters())
    assert all(parameter.grad is not None for parameter in network.control.parameters())
    assert all(torch.equal(before[name], value) for name, value in target.state_dict().items())


def test_the_target_is_followed_only_through_what_it_says() -> None:
    process, given = Flow(FlowConfig()), batch()
    network = controlled(1)
    network.base.requires_grad_(False)
    made = objective(process, network, CodiConfig(signal_floor=0.0, end="average"), deepcopy(network))
    made.each(network, given, Draws(0, PLACES)).sum().backward()
    got = [parameter.grad.clone() for parameter in network.control.parameters()]  # type: ignore[union-attr]
    network.zero_grad()
    draws = Draws(0, PLACES)
    with torch.no_grad():  # the goal held fixed by hand
        place = (draws.uniform("time") * made.config.grid).long()
        now, then = made.moments.at(place), made.moments.at(place + 1)
        x_t = now.alpha * given.mean + now.sigma * draws.normal("noise", (3, 8, 8))
        kept = torch.zeros(16, dtype=torch.bool)
        said = made.ends(network, x_t, now, given, kept)
        goal = made.ends(network, then.alpha * said[0] + then.sigma * said[1], then, given, kept)[1]
    clean, noise = made.ends(network, x_t, now, given, kept)
    apart = (noise - goal).square().mean((1, 2, 3)) * made.consistency_weight(now)
    signal = (clean - given.mean).square().mean((1, 2, 3)) * made.signal_weight(now)
    (apart + signal).sum().backward()
    for mine, parameter in zip(got, network.control.parameters(), strict=True):
        assert_close(mine, parameter.grad)


def test_one_level_a_batch_or_one_a_picture() -> None:
    given, process = batch(), Flow(FlowConfig())
    seen: list[Tensor] = []

    class Watching(Knowing):
        def forward(self, latent: Tensor, time: Tensor, *rest: object) -> Tensor:  # type: ignore[override]
            seen.append(time)
            return super().forward(latent, time, *rest)

    known = Watching(given.mean)
    for times, levels in (("batch", {1}), ("picture", set(range(5, 17)))):
        seen.clear()
        config = CodiConfig(times=times)  # type: ignore[arg-type]
        objective(process, known, config, known).each(known, given, Draws(0, PLACES))
        assert len(seen[0].unique()) in levels
