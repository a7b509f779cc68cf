"""The loop: every kind of objective learns, batches do not matter, a stop leaves no trace, bad numbers stop it."""

import os
import random
import signal
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from pinxit.errors import CheckpointError, DivergenceError, Stopped
from pinxit.train.checkpoint import complete_checkpoints, read_checkpoint, read_place, write_checkpoint
from pinxit.train.hook import Checkpointer, Stopper
from pinxit.train.loop import fit
from pinxit.train.run import StepReport
from pinxit.train.state import TrainState

from .toy import KINDS, PointLoader, build


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_every_kind_of_objective_learns(kind: str, optimizer: str) -> None:
    run = build(kind, 1600, optimizer=optimizer)
    means: list[float] = []
    run.hooks = [*run.hooks, lambda _, report: means.append(report.mean)]
    fit(run)
    assert run.state.seen == 1600
    assert sum(means[-40:]) < 0.8 * sum(means[:40]) or kind == "rollouts"
    if kind == "rollouts":
        answer = run.state.model(run.loader.next_step(0)[0].value)
        assert (answer - 1).square().mean() < (
            build(kind).state.model(run.loader.next_step(0)[0].value) - 1
        ).square().mean()


@pytest.mark.parametrize("kind", ["diffusion", "language"])
def test_micro_batches_change_nothing_but_the_last_digits(kind: str) -> None:
    whole, split = (fit(build(kind, 80, PointLoader(parts=parts))) for parts in (1, 4))
    for name, tensor in whole.model.state_dict().items():
        assert_close(split.model.state_dict()[name], tensor, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_run_killed_at_a_random_step_and_resumed_twice_equals_a_straight_one_to_the_last_bit(
    tmp_path: Path, kind: str, optimizer: str
) -> None:
    straight = fit(build(kind, optimizer=optimizer)).tensors()
    first, second = sorted(random.Random(kind + optimizer).sample(range(1, 49), 2))
    for stop in (8 * first, 8 * second, None):
        run = build(kind, optimizer=optimizer)
        if saved := complete_checkpoints(tmp_path):
            read_checkpoint(run.state, saved[-1])
        with Stopper() as stopper:

            def strike(state: TrainState, _: StepReport, at: int | None = stop) -> None:
                if state.seen == at:
                    os.kill(os.getpid(), signal.SIGTERM)

            run.hooks = [*run.hooks, strike, Checkpointer(tmp_path, stopper, every=1e9)]
            if stop is None:
                fit(run)
            else:
                with pytest.raises(Stopped, match=f"at {stop} pictures") as stopped:
                    fit(run)
                assert stopped.value.signal == signal.SIGTERM
    resumed = run.state.tensors()
    assert resumed.keys() == straight.keys()
    for name, tensor in straight.items():
        assert torch.equal(tensor, resumed[name]), name


def test_a_half_written_checkpoint_is_passed_over_and_old_ones_go(tmp_path: Path) -> None:
    run = build()
    for seen in (8, 16, 24):
        run.state.seen = seen
        write_checkpoint(run.state, tmp_path, keep=2)
    (tmp_path / "checkpoint" / "32").mkdir()
    assert [path.name for path in complete_checkpoints(tmp_path)] == ["16", "24"]
    assert read_place(complete_checkpoints(tmp_path)[-1])["seen"] == 24


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(build().state, tmp_path)
    other = build()
    other.state.model = torch.nn.Linear(3, 3)
    with pytest.raises(CheckpointError, match="does not fit this recipe"):
        read_checkpoint(other.state, folder)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_stops_the_run_before_it_reaches_the_weights(bad: float) -> None:
    good = PointLoader().make
    loader = PointLoader(parts=2, make=lambda p: good(p) * (bad if p == 21 else 1.0))
    run = build(loader=loader)
    run.last_good = lambda: "checkpoint/8"
    with pytest.raises(DivergenceError, match=r"step at 16 .*point 21.*checkpoint/8") as error:
        fit(run)
    assert "point 17," not in str(error.value) or "point 23" in str(error.value)
    assert all(torch.isfinite(tensor).all() for tensor in run.state.tensors().values())


def test_a_gradient_that_is_not_finite_stops_the_run_though_the_loss_is_and_its_layer_is_named() -> None:
    run = build()
    name, parameter = list(run.state.model.named_parameters())[-1]
    before = {key: tensor.clone() for key, tensor in run.state.tensors().items()}
    parameter.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(DivergenceError, match=r"gradient norm (inf|nan)") as error:
        fit(run)
    assert f"not finite are 1 of {len(list(run.state.model.parameters()))} gradients, {name};" in str(error.value)
    assert "loss [nan]" not in str(error.value)
    assert all(torch.equal(tensor, before[key]) for key, tensor in run.state.tensors().items())


def test_a_second_ctrl_c_stops_at_once() -> None:
    with Stopper() as stopper:
        os.kill(os.getpid(), signal.SIGINT)
        assert stopper.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
