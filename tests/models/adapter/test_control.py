"""A new control branch changes nothing; a trained one adds, block by block, what PixArt-δ's does."""

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from pinxit.errors import ConfigError
from pinxit.models.adapter.control import Controlled, proportion
from pinxit.models.config import ControlConfig, TransformerConfig
from pinxit.models.layer import unpatchify
from pinxit.models.transformer import Transformer
from tests.models.oracle import SMALL, enliven, normal

DEEP = SMALL.model_copy(update={"depth": 4})
TIME = torch.tensor([0.0, 499.0, 999.0])
KEEP = torch.arange(10) < torch.tensor([10, 3, 1])[:, None]


def inputs(channels: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Latents, times, captions, real tokens, conditions."""
    return (
        normal(1, 3, 4, 8, 12).float(),
        TIME,
        normal(2, 3, 10, 20).float(),
        KEEP,
        normal(3, 3, channels, 8, 12).float(),
    )


def controlled(config: ControlConfig, base: TransformerConfig = DEEP, *, alive: bool) -> Controlled:
    network = Transformer(base)
    enliven(network, 0)
    made = Controlled(network.float(), config)
    if alive:
        enliven(made.control, 1)
    return made.float()


@pytest.mark.parametrize(("channels", "maps"), [(4, 0), (0, 5), (4, 5)])
def test_with_a_new_branch_the_network_is_itself_bit_for_bit(channels: int, maps: int) -> None:
    made = controlled(ControlConfig(blocks=2, channels=channels, maps=maps), alive=False)
    latent, time, caption, keep, condition = inputs(channels + maps)
    assert torch.equal(made(latent, time, caption, keep, condition), made.base(latent, time, caption, keep))


@pytest.mark.parametrize(("blocks", "maps"), list(product([1, 2, 3], [0, 5])))
def test_the_branch_is_the_published_one(blocks: int, maps: int) -> None:
    made = controlled(ControlConfig(blocks=blocks, maps=maps), alive=True)
    latent, time, caption, keep, condition = inputs(4 + maps)
    base, control = made.base, made.control
    with torch.no_grad():
        embedded = base.time(time)
        shared = base.shared(embedded)
        tokens = base.caption(caption)
        seen = torch.cat([condition[:, :4], control.stem(condition[:, 4:])], 1) if maps else condition
        x = base.blocks[0](base.patch(latent), base.blocks[0].cross.read(tokens, keep), shared, 4)
        c = x + control.before(control.embed(seen))
        for place in range(1, DEEP.depth):
            if place <= blocks:
                copy = control.copies[place - 1]
                c = copy(c, copy.cross.read(tokens, keep), shared, 4)
                x = x + control.after[place - 1](c)
            x = base.blocks[place](x, base.blocks[place].cross.read(tokens, keep), shared, 4)
        wanted = unpatchify(base.final(x, embedded), 2, 8)
        assert_close(made(latent, time, caption, keep, condition), wanted, rtol=1e-5, atol=1e-5)
    other = inputs(4 + maps)[4].flip(0)
    assert not torch.allclose(made(latent, time, caption, keep, other), wanted, atol=1e-3)


def test_several_captions_of_one_picture_are_as_each_alone() -> None:
    made = controlled(ControlConfig(blocks=2), alive=True)
    latent, time, caption, keep, condition = inputs(4)
    readings = [made.read(caption, keep), made.read(caption.flip(1), keep)]
    together = made.denoise_each(latent, time, readings, made.control.tokens(condition))
    for words, said in zip((caption, caption.flip(1)), together, strict=True):
        assert_close(said, made(latent, time, words, keep, condition), rtol=1e-5, atol=1e-5)


def test_copies_and_the_reading_of_latents_begin_as_the_networks_own() -> None:
    made = controlled(ControlConfig(blocks=2, maps=3), alive=False)
    for place, copy in enumerate(made.control.copies):
        for ours, theirs in zip(copy.parameters(), made.base.blocks[place].parameters(), strict=True):
            assert torch.equal(ours, theirs)
            assert ours is not theirs
    assert torch.equal(made.control.embed.projection.weight[:, :4], made.base.patch.projection.weight)


def test_where_the_network_is_frozen_the_branch_alone_learns() -> None:
    made = controlled(ControlConfig(blocks=2), alive=True)
    made.base.requires_grad_(False)
    made(*inputs(4)).square().sum().backward()
    assert all(parameter.grad is None for parameter in made.base.parameters())
    assert all(parameter.grad.abs().max() > 0 for parameter in made.control.parameters())  # type: ignore[union-attr]


def test_a_branch_of_the_published_proportion_is_at_most_half_the_network() -> None:
    assert [proportion(depth) for depth in (28, 6, 2, 12)] == [13, 3, 1, 6]
    with torch.device("meta"):
        for config in (TransformerConfig(), TransformerConfig(depth=6, width=320, heads=5, channels=16, outputs=1)):
            made = Controlled(
                Transformer(config), ControlConfig(blocks=proportion(config.depth), channels=config.channels)
            )
            own, branch = (sum(p.numel() for p in part.parameters()) for part in (made.base, made.control))
            assert 0.3 < branch / own <= 0.5


def test_too_many_copies_and_nothing_to_read_are_refused() -> None:
    network = Transformer(DEEP)
    with pytest.raises(ConfigError, match=r"blocks = 4: the network has 4 blocks.*at most 3"):
        Controlled(network, ControlConfig(blocks=4))
    with pytest.raises(ConfigError, match="neither a picture nor a map"):
        Controlled(network, ControlConfig(blocks=1, channels=0))
