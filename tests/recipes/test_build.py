"""What a stage is built of: learned null states in training, over the border and in the file; the start is checked."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pinxit.data.cache import Cache
from pinxit.data.config import Fingerprint
from pinxit.data.encode import encode
from pinxit.data.loader import CacheLoader, FromDisk, plan
from pinxit.diffusion.config import IDDPMConfig
from pinxit.errors import ConfigError
from pinxit.generate.card import Encoders, ModelCard
from pinxit.generate.stored import read_model, write_model
from pinxit.models.null import NullCondition, hold_null, null_of
from pinxit.models.transformer import Transformer
from pinxit.recipes.build import begin_stage, check_start, objective_for
from pinxit.recipes.emoji import smallest
from pinxit.recipes.recipe import Recipe
from pinxit.rng import Draws
from pinxit.train.checkpoint import read_checkpoint, write_checkpoint
from pinxit.train.hook import follow_average
from pinxit.train.loop import fit
from pinxit.train.run import Run
from pinxit.train.state import TrainState
from tests.data.double import FINGERPRINT, Codec, Words, record


def recipe(null: str = "learned", stages: Sequence[str] = ("alignment",)) -> Recipe:
    base = smallest()
    network = base.network.model_copy(update={"channels": 3, "caption_width": 4})
    chosen = {
        name: base.stages[name].model_copy(update={"dropout": 0.5, "batch": 4, "images": 16, "buckets": False})
        for name in stages
    }
    return base.model_copy(update={"null": null, "network": network, "stages": chosen})


def begin(recipe: Recipe, index: int = 0, before: TrainState | None = None, **more: Transformer) -> TrainState:
    return begin_stage(recipe, index, factor=8, classes=2, before=before, **more)


def train(recipe: Recipe, state: TrainState, folder: Path) -> TrainState:
    cache = encode([record(i, label=i % 2) for i in range(4)], Codec(), Words(), folder, FINGERPRINT)
    stage = list(recipe.stages.values())[state.stage]
    objective = objective_for(recipe, stage, state, NullCondition("empty", cache.null))
    loader = CacheLoader(FromDisk(cache, 0), plan(cache, stage.batch), 0, started=state.started)
    fit(Run(state, objective, loader, state.started + stage.images, stage.batch, [follow_average(stage.batch)]))
    loader.close()
    return state


def states_of(state: TrainState) -> tuple[Tensor, Tensor]:
    empty = NullCondition("empty", torch.zeros(1, 4))
    trained, average = (null_of(network, empty) for network in (state.model, state.average.model))
    assert trained.kind == average.kind != "empty"
    return trained.states.detach().clone(), average.states.detach().clone()


def test_learned_null_states_are_trained_and_averaged(tmp_path: Path) -> None:
    state = begin(recipe())
    (begun, same) = states_of(state)
    assert torch.equal(begun, same)
    assert begun.shape == (recipe().text.length, 4)
    trained, average = states_of(train(recipe(), state, tmp_path))
    assert not torch.equal(trained, begun)
    assert not torch.equal(average, begun)
    assert not torch.equal(average, trained)


def test_the_losses_of_dropped_captions_and_no_others_follow_the_learned_states(tmp_path: Path) -> None:
    state = train(recipe(), begin(recipe()), tmp_path)
    cache = Cache(tmp_path)
    objective = objective_for(recipe(), recipe().stages["alignment"], state, NullCondition("empty", cache.null))
    batch, position = FromDisk(cache, 0).batch([0, 1, 2, 3], 0), (0, 1, 2, 3)
    dropped = Draws(0, position).uniform("dropout") < 0.5
    with torch.no_grad():
        before = objective.each(state.model, batch, Draws(0, position))
        state.model.get_parameter("null.states").mul_(-3)
        after = objective.each(state.model, batch, Draws(0, position))
    assert 0 < dropped.sum() < 4
    assert torch.equal(before != after, dropped)


def test_the_average_is_probed_with_its_own_null_states(tmp_path: Path) -> None:
    state = train(recipe(), begin(recipe()), tmp_path)
    cache = Cache(tmp_path)
    objective = objective_for(recipe(), recipe().stages["alignment"], state, NullCondition("empty", cache.null))
    batch = FromDisk(cache, 0).batch([0, 1, 2, 3], 0)
    with torch.no_grad():
        before = objective.each(state.average.model, batch, Draws(0, batch.position))
        state.model.get_parameter("null.states").mul_(-3)
        assert torch.equal(objective.each(state.average.model, batch, Draws(0, batch.position)), before)
        state.average.model.get_parameter("null.states").mul_(-3)
        assert not torch.equal(objective.each(state.average.model, batch, Draws(0, batch.position)), before)


def test_an_empty_null_changes_nothing_of_the_network() -> None:
    plain, learned = begin(recipe("empty")).model.state_dict(), begin(recipe()).model.state_dict()
    assert learned.keys() - plain.keys() == {"null.states"}
    assert all(torch.equal(plain[name], learned[name]) for name in plain)


def test_learned_null_states_come_back_from_a_checkpoint(tmp_path: Path) -> None:
    state = train(recipe(), begin(recipe()), tmp_path / "cache")
    again = begin(recipe())
    read_checkpoint(again, write_checkpoint(state, tmp_path))
    assert all(torch.equal(a, b) for a, b in zip(states_of(again), states_of(state), strict=True))
    assert again.tensors().keys() == state.tensors().keys()


def test_learned_null_states_cross_the_borders(tmp_path: Path) -> None:
    three = recipe(stages=("pixels", "alignment", "aesthetics"))
    second = begin(three, 1, train(three, begin(three), tmp_path))
    fresh = states_of(second)
    third = begin(three, 2, train(three, second, tmp_path))
    assert all(torch.equal(a, b) for a, b in zip(states_of(third), states_of(second), strict=True))
    assert not torch.equal(states_of(third)[0], fresh[0])


def card(**changes: object) -> ModelCard:
    made = ModelCard(
        name="made", network=recipe().network, process=recipe().process, autoencoder=Codec.identity,
        text=Words.identity, null="learned", resolution=32,
        encoders=Encoders(autoencoder=recipe().autoencoder, text=recipe().text),
    )  # fmt: skip
    return made.model_copy(update=changes)


def test_a_run_goes_on_from_the_learned_null_states_of_a_model_file(tmp_path: Path) -> None:
    state = train(recipe(), begin(recipe()), tmp_path / "cache")
    average = state.average.model
    assert isinstance(average, Transformer)
    file = tmp_path / "model.safetensors"
    write_model(file, average, null_of(average, NullCondition("empty", torch.zeros(1, 4))), card())
    network, null, _, _ = read_model(file)
    assert torch.equal(null.states, states_of(state)[1])
    hold_null(network, null)
    started = begin(recipe(), start=network)
    assert all(torch.equal(states, null.states) for states in states_of(started))
    hold_null(network, NullCondition("fixed", null.states[:2]))  # of another length than the recipe's captions
    assert all(len(states) == 2 for states in states_of(begin(recipe("fixed"), start=network)))


def test_weights_that_fit_may_start_a_run() -> None:
    check_start(card(), recipe(), FINGERPRINT)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"autoencoder": Codec.identity.model_copy(update={"sha256": "b" * 64})},
            r"autoencoder\.sha256 is 'b{64}' and should be 'a{64}'",
        ),
        ({"text": Words.identity.model_copy(update={"length": 77})}, r"text\.length is 77 and should be 6"),
        ({"process": IDDPMConfig()}, "process is 'iddpm' and should be 'flow'"),
        ({"null": "empty"}, "null is 'empty' and should be 'learned'"),
    ],
)
def test_weights_made_for_something_else_are_refused_with_what_differs(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_start(card(**changes), recipe(), FINGERPRINT)


def test_what_differs_only_in_size_may_start_a_run() -> None:
    larger: Fingerprint = FINGERPRINT.model_copy(update={"resolution": 96, "buckets": False})
    check_start(card(resolution=48), recipe(), larger)


def test_fixed_null_states_are_trained_with_and_stay_as_they_are(tmp_path: Path) -> None:
    begun = states_of(begin(recipe("fixed")))[0]
    state = train(recipe("fixed"), begin(recipe("fixed")), tmp_path / "cache")
    assert all(torch.equal(states, begun) for states in states_of(state))
