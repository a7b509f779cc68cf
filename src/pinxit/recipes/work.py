"""What each stage of a recipe asks of a machine: operations of a picture and of a step, bytes of every part."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pinxit.data.conditioned import condition_channels
from pinxit.data.records import read_records
from pinxit.errors import PinxitError
from pinxit.models.adapter.control import proportion
from pinxit.models.config import ControlConfig, DiffusersAutoencoderConfig, SmallAutoencoderConfig, T5Config
from pinxit.models.count import FLOAT, Network, controlled, dit, transformer
from pinxit.recipes.material import PROBES
from pinxit.recipes.pixart import PICTURES
from pinxit.recipes.recipe import EmojiDataConfig, Recipe, StageConfig
from pinxit.train.muon import count as count_muon
from pinxit.train.optimizer import SMALLEST_MATRIX

ENCODING = "encoding"  # how the labels of its work begin
FACTOR = 8  # pixels on the side of a latent's point, with every autoencoder that a recipe can name so far
# of the scenes' captions under MiniLM, on average: counted; improved ones as if they told of a bare name by the grammar
EMOJI_TOKENS = {"dense": 20, "sparse": 8, "improved": 15, "longest": 40}
SUBGROUPS = 100  # of the emoji, about: with the styles they are the classes
CLASSES = 1000  # of other pictures
ASKED = 256  # captions of own pictures that are looked at
TOKENS_A_WORD = 1.3
T5_PARAMETERS = {512: 35e6, 768: 110e6, 1024: 341e6, 2048: 1.22e9, 4096: 4.65e9}  # of encoders, by width
MINILM_PARAMETERS = 10.6e6  # without the embedding, which multiplies nothing


@dataclass(frozen=True)
class Work:
    """What one stage asks; operations are those of matrix products."""

    network: Network
    trained: int  # parameters that learn
    beside: int  # parameters of networks that are asked and neither trained nor averaged
    moments: int  # bytes that the optimiser keeps
    largest: int  # numbers of its largest matrix
    picture: int  # operations of a picture seen
    step: int  # operations of the optimiser, whatever the batch
    label: str  # which works are alike, so that one's rate is the other's

    def operations(self, stage: StageConfig, probe_every: int) -> int:
        """Of the whole stage, with the probe losses on its way and at its end."""
        steps, times = -(-stage.images // stage.batch), -(-stage.images // probe_every)
        looks = times * 2 * PROBES * self.network.forward
        return stage.images * self.picture + steps * self.step + looks


def work_of(recipe: Recipe, stage: StageConfig, *, is_padded: bool) -> Work:
    """The work of a stage; captions are `is_padded` to the longest where a GPU reads them."""
    n, l = tokens(recipe, stage), caption_tokens(recipe, stage, is_padded=is_padded)  # noqa: E741
    config, branch = recipe.network, stage.branch
    trained = None
    if stage.teaches == "class":
        network = dit(config, n, classes(stage))
    elif branch is not None:
        blocks = branch.blocks or proportion(config.depth)
        channels, maps = condition_channels(branch.condition.task, config.channels, FACTOR)
        control = ControlConfig(blocks=blocks, channels=channels, maps=maps, stem=branch.stem)
        network, base = controlled(config, control, n, l), transformer(config, n, l)
        if branch.trains == "branch":
            trained = network.parameters - base.parameters
    else:
        network = transformer(config, n, l)
    share = 1.0 if trained is None else trained / network.parameters
    asked, beside = _asked(stage)
    learned = network.training if trained is None else round(network.forward * (2 + share))  # frozen: no weights' own
    step, moments, largest = _optimiser(network, stage)
    return Work(
        network=network,
        trained=trained or network.parameters,
        beside=beside * network.parameters,
        moments=round(moments * share),
        largest=largest,
        picture=learned + asked * network.forward,
        step=round(step * share),
        label=f"{stage.teaches}{f' by {branch.method}' if branch else ''}, {config.depth} blocks of {config.width}, "
        f"{n} tokens, batch {stage.batch // stage.accumulation} x {stage.accumulation}, {stage.optimizer.kind}",
    )


def _asked(stage: StageConfig) -> tuple[int, int]:
    """Passes a picture of networks that do not learn from them, and how many such networks there are."""
    if stage.teaches == "steps":
        return 3, 1  # the teacher with and without words, the average
    if stage.branch is None:
        return 0, 0
    is_frozen = stage.branch.method == "codi" and stage.branch.codi.trajectory == "frozen"
    passes = {"finetune": 0, "codi": 1 + is_frozen, "consistency": 2, "progressive": 2}
    return passes[stage.branch.method], int(stage.branch.method in {"consistency", "progressive"} or is_frozen)


def _optimiser(network: Network, stage: StageConfig) -> tuple[int, int, int]:
    """Operations of a step, bytes of the moments, numbers of the largest matrix that Muon moves."""
    operations, moments, largest = 0, 2 * FLOAT * network.parameters, 0
    if stage.optimizer.kind == "muon":
        for each in network.matrices:
            if min(each.outward, each.inward) >= SMALLEST_MATRIX:
                operations += each.alike * count_muon(each.outward, each.inward)
                moments -= FLOAT * each.alike * each.outward * each.inward
                largest = max(largest, each.outward * each.inward)
    return operations, moments, largest


def tokens(recipe: Recipe, stage: StageConfig) -> int:
    """Tokens of a picture of the nominal square, whose area every bucket has."""
    return (stage.resolution // (FACTOR * recipe.network.patch)) ** 2


def caption_tokens(recipe: Recipe, stage: StageConfig, *, is_padded: bool) -> int:
    """Tokens that a caption is read as: of the longest, or the mean. Where nothing is known, the most there can be."""
    most = recipe.text.length
    if isinstance(stage.data, EmojiDataConfig):
        known, share = EMOJI_TOKENS, stage.data.sparse
        short = known["sparse" if stage.data.improver is None else "improved"]
        mean = round((1 - share) * known["dense"] + share * short)
        return min(most, known["longest"] if is_padded else mean)
    try:
        records = read_records(Path(stage.data.folder))
    except PinxitError:
        return most
    captions = [records.captions(place) for place in range(min(ASKED, len(records)))]
    counts = [TOKENS_A_WORD * len(caption.text.split()) + 2 for several in captions for caption in several]
    if not counts:
        return most
    return min(most, round(max(counts) if is_padded else sum(counts) / len(counts)))


def pictures(stage: StageConfig) -> int | None:
    """Different pictures that are encoded; None where nobody knows."""
    if isinstance(stage.data, EmojiDataConfig):
        return stage.data.pictures + PROBES
    try:
        return len(read_records(Path(stage.data.folder)))
    except PinxitError:
        return PICTURES.get(stage.data.folder)


def classes(stage: StageConfig) -> int:
    """About how many a stage tells apart."""
    return SUBGROUPS * len(stage.data.styles) if isinstance(stage.data, EmojiDataConfig) else CLASSES


def cached(recipe: Recipe, stage: StageConfig) -> int:
    """Bytes of one picture in the cache: mean and deviation of its latent, states of its caption, what it is made from;
    in half precision.
    """
    latent = recipe.network.channels * (stage.resolution // FACTOR) ** 2
    many = 2 + (stage.branch.condition.many if stage.branch else 0)
    return 2 * (many * latent + caption_tokens(recipe, stage, is_padded=False) * recipe.network.caption_width)


def encoding(recipe: Recipe, stage: StageConfig) -> tuple[float, str]:
    """Operations of one picture and its caption through the encoders, and which encodings are alike."""
    area = stage.resolution**2
    if isinstance(recipe.autoencoder, DiffusersAutoencoderConfig):
        through = 4.13e6 * area + 2048 * (area / 64) ** 2  # the KL autoencoder of Stable Diffusion: counted
    else:
        through = _small(SmallAutoencoderConfig()) * area
    known: Mapping[int, float] = T5_PARAMETERS
    width = recipe.network.caption_width
    t5 = known.get(width, known[4096])
    parameters = t5 if isinstance(recipe.text, T5Config) else MINILM_PARAMETERS
    said = caption_tokens(recipe, stage, is_padded=False)
    label = f"{ENCODING}, {stage.resolution} pixels, {recipe.autoencoder.kind}, {recipe.text.kind}, {stage.data.kind}"
    return through + 2 * parameters * said, label


def _small(config: SmallAutoencoderConfig) -> float:
    """Operations a pixel of the small autoencoder's encoder."""
    fine, coarse = config.fine, config.coarse
    at_fine = 9 * 48 * fine + config.encoder_blocks[0] * 18 * fine**2
    at_coarse = 4 * fine * coarse + config.encoder_blocks[1] * 18 * coarse**2 + coarse * config.channels
    return 2 * (at_fine / 16 + at_coarse / 64)
