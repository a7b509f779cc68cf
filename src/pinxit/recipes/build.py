"""Recipe -> the parts of one stage: network, process, state, objective; and the way over the border between stages."""

from pathlib import Path

import torch
from torch import nn

from pinxit.data.conditioned import condition_channels
from pinxit.data.config import Fingerprint
from pinxit.diffusion.build import make_process
from pinxit.diffusion.config import FlowConfig, ProcessConfig
from pinxit.diffusion.process import Process
from pinxit.distill.baseline import ConditionConsistency, ConditionProgressive
from pinxit.distill.codi import Codi
from pinxit.distill.config import BranchConfig
from pinxit.distill.consistency import TEACHER, Consistency
from pinxit.errors import CheckpointError, ConfigError
from pinxit.generate.adapter import ADAPTER, join_adapter
from pinxit.generate.card import ModelCard
from pinxit.models.adapter.control import Controlled, proportion
from pinxit.models.config import ControlConfig, TransformerConfig
from pinxit.models.dit import DiT, carry, reparameterize
from pinxit.models.null import NullCondition, hold_null, keep_null
from pinxit.models.transformer import Transformer
from pinxit.recipes.recipe import Recipe, StageConfig
from pinxit.rng import seed_at
from pinxit.train.average import Average
from pinxit.train.compute import PLAIN, Compute
from pinxit.train.diffusion import ClassToImage, ConditionToImage, DiffusionObjective, TextToImage
from pinxit.train.optimizer import Optimizer
from pinxit.train.state import TrainState

FOLLOWERS = ("consistency", "progressive")  # methods whose student has a teacher


def network_config(recipe: Recipe, stage: StageConfig, factor: int) -> TransformerConfig:
    """The network's settings in a stage: position tables follow the resolution, nothing else moves."""
    tokens = stage.resolution // (factor * recipe.network.patch)
    return recipe.network.model_copy(update={"position_base": tokens, "position_scale": stage.position_scale})


def process_config(recipe: Recipe, stage: StageConfig) -> ProcessConfig:
    """The process in a stage: a flow's time shift may be the stage's own."""
    if stage.shift is None or not isinstance(recipe.process, FlowConfig):
        return recipe.process
    return recipe.process.model_copy(update={"shift": stage.shift})


def fresh_model(recipe: Recipe, stage: StageConfig, config: TransformerConfig, classes: int) -> nn.Module:
    """Untrained weights, a function of the recipe's seed and what the stage teaches; a null condition of its own has
    as many tokens as the longest caption, each of about unit length, as published.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_at(recipe.seed, f"weights/{stage.teaches}"))
        if stage.teaches == "class":
            return DiT(config, classes)
        network = Transformer(config)
        if recipe.null != "empty":
            states = torch.randn(recipe.text.length, config.caption_width) / config.caption_width**0.5
            hold_null(network, NullCondition(recipe.null, states))
        return network


def with_branch(base: nn.Module, recipe: Recipe, stage: StageConfig, factor: int) -> Controlled:
    """The network with a new branch, a function of the recipe's seed; frozen itself where the branch alone trains."""
    branch = stage.branch
    assert branch is not None
    assert isinstance(base, Transformer)
    task = branch.condition.task
    channels, maps = condition_channels(task, base.config.channels, factor)
    blocks = branch.blocks or proportion(base.config.depth)
    config = ControlConfig(blocks=blocks, channels=channels, maps=maps, stem=branch.stem)
    if branch.begins is not None:
        network = _begun(base, branch, config)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_at(recipe.seed, "weights/branch"))
            network = Controlled(base, config)
    network.base.requires_grad_(branch.trains == "all")
    return network


def _begun(base: Transformer, branch: BranchConfig, config: ControlConfig) -> Controlled:
    """The network with the branch of a file; CheckpointError where it was made for something else."""
    file = Path(branch.begins or "")
    file = file / ADAPTER if file.is_dir() else file
    network, card = join_adapter(base, file)
    for what, theirs, ours in (
        ("task", card.task, branch.condition.task),
        ("branch", card.control, config),
        ("whole", card.whole, branch.trains == "all"),
    ):
        if theirs != ours:
            problem = f"its {what} is {theirs!r}, and the stage has {ours!r}"
            raise CheckpointError(file, problem, "begin with an adapter of the same task, size and kind")
    return network.requires_grad_()


def check_start(card: ModelCard, recipe: Recipe, fingerprint: Fingerprint) -> None:
    """Raises ConfigError, naming what differs on both sides, where weights do not fit the recipe that starts with them:
    other encoders, another process, another kind of null condition.
    """
    made = fingerprint.model_copy(update={"autoencoder": card.autoencoder, "text": card.text})
    differences = made.differences(fingerprint)
    for name, theirs, ours in (("process", card.process.kind, recipe.process.kind), ("null", card.null, recipe.null)):
        if theirs != ours:
            differences.append(f"{name} is {theirs!r} and should be {ours!r}")
    if differences:
        problem = "it was not trained for what this recipe trains: in it " + "; ".join(differences)
        raise ConfigError("start", recipe.start, problem, "change the recipe to fit it, or start with other weights")


def cross_border(before: nn.Module, after: nn.Module, recipe: Recipe) -> None:
    """`after` begins where `before` ended: re-parameterised from classes to captions, else carried as it is."""
    if isinstance(before, DiT) and isinstance(after, Transformer):
        if recipe.matched:
            reparameterize(before, after, without=recipe.without_class)
        else:
            carry(before, after)
    else:
        after.load_state_dict(before.state_dict())


def begin_stage(
    recipe: Recipe,
    index: int,
    *,
    factor: int,
    classes: int,
    before: TrainState | None,
    start: Transformer | None = None,
    compute: Compute = PLAIN,
) -> TrainState:
    """The state at the start of stage `index`: weights and average carried over the border, all else anew."""
    stage = list(recipe.stages.values())[index]
    config = network_config(recipe, stage, factor)
    model, average = (fresh_model(recipe, stage, config, classes).to(compute.device) for _ in range(2))
    if before is not None:
        cross_border(before.model, model, recipe)
        cross_border(before.average.model, average, recipe)
    elif start is not None:
        for network in (model, average):
            keep_null(start, network)
            network.to(compute.device).load_state_dict(start.state_dict())
    target = nn.ModuleDict()
    if stage.teaches in {"steps", "condition"}:  # it begins as what would be drawn from until now
        model.load_state_dict(average.state_dict())
        teacher = fresh_model(recipe, stage, config, classes).to(compute.device)
        keep_null(average, teacher)
        teacher.load_state_dict(average.state_dict())
        is_asked = True
        if stage.branch is not None:
            model, average, teacher = (
                with_branch(network, recipe, stage, factor).to(compute.device) for network in (model, average, teacher)
            )
            method = stage.branch.method
            is_asked = method in FOLLOWERS or (method == "codi" and stage.branch.codi.trajectory == "frozen")
        if is_asked:
            target[TEACHER] = teacher.requires_grad_(False).eval()
    seen = before.seen if before else 0
    followed = Average(average, stage.average)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    optimizer = Optimizer(trained, stage.optimizer, stage.images, recorded=compute.recorded)
    return TrainState(model, followed, optimizer, recipe.seed, stage=index, seen=seen, started=seen, target=target)


def objective_for(recipe: Recipe, stage: StageConfig, state: TrainState, null: NullCondition) -> DiffusionObjective:
    """What the stage trains the state's model to do."""
    process, model = make_process(process_config(recipe, stage)), state.model
    if isinstance(model, Controlled):
        return _conditional(model, process, stage, state, null)
    if isinstance(model, DiT):
        return ClassToImage(model, process, stage.dropout)
    assert isinstance(model, Transformer)
    if stage.teaches == "steps":
        teacher = state.target[TEACHER]
        assert isinstance(teacher, Transformer)
        target = state.average.model
        return Consistency(model, process, null, stage.consistency, teacher=teacher, target=target)
    return TextToImage(model, process, stage.dropout, null)


def _conditional(
    model: Controlled, process: Process, stage: StageConfig, state: TrainState, null: NullCondition
) -> ConditionToImage:
    """The same of a network with a branch, by the stage's method."""
    branch, dropout = stage.branch, stage.dropout
    assert branch is not None
    kept, target = dict(state.target.named_children()).get(TEACHER), state.average.model
    match branch.method:
        case "finetune":
            return ConditionToImage(model, process, dropout, null)
        case "codi":
            return Codi(model, process, dropout, null, branch.codi, target=target, frozen=kept)
        case "consistency":
            assert kept is not None
            return ConditionConsistency(model, process, dropout, null, branch.consistency, teacher=kept, target=target)
        case "progressive":
            assert kept is not None
            return ConditionProgressive(
                model, process, dropout, null, branch.progressive, teacher=kept, images=stage.images, batch=stage.batch
            )  # fmt: skip
