"""The loop: the only one; everything that trains goes through it."""

from pinxit.train.run import B, Run, StepReport
from pinxit.train.state import TrainState


def fit(run: Run[B]) -> TrainState:
    """Carries `run.state` to `run.examples` examples seen; may be stopped and started anywhere."""
    state = run.state
    while state.seen < run.examples:
        batches = run.loader.next_step(state.seen)  # the micro-batches of one step
        losses = [run.learn(batch) for batch in batches]
        norm = state.optimizer.gradient_norm(sum(loss.weight for loss in losses))
        run.refuse_non_finite(batches, losses, norm)
        rate = state.optimizer.step(state.seen_in_stage, norm)
        run.objective.after_step(state)
        state.advance(run.examples_per_step)
        for hook in run.hooks:  # average, log, meter, checkpoint, sample, evaluate: in this order
            hook(state, StepReport(losses, norm, rate, run.loader.waited))
    return state
