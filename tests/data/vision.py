"""A tiny vision-language model with random weights, and the pictures and records that it is tried on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from pinxit.data.journal import CaptionerIdentity
from pinxit.data.original import SourceRules
from pinxit.data.picture import encode_png
from pinxit.data.record import Caption
from pinxit.data.records import RecordWriter, Row

WORDS = (
    "a", "red", "fox", "on", "the", "blue", "hill", "sits", "and", "looks", "at", "us", "USER", "ASSISTANT", ":",
    "Describe", "this", "image", "its", "style",
)  # fmt: skip
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "<image>"]
TEMPLATE = (
    "{% for m in messages %}USER : {% for c in m['content'] %}{% if c['type'] == 'image' %}<image> {% else %}"
    "{{ c['text'] }} {% endif %}{% endfor %}{% endfor %}{% if add_generation_prompt %}ASSISTANT :{% endif %}"
)
IDENTITY = CaptionerIdentity(
    model="tiny", source="here", request="Describe this image", request_with_caption="Describe this {caption} image",
    temperature=0.2, tokens=6,
)  # fmt: skip


def make_model(folder: Path) -> Path:
    """A LLaVA of a few thousand weights in a folder, as transformers saves it; it may end an answer at once."""
    names = list(dict.fromkeys([*SPECIAL, *WORDS]))
    words = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
    pictures = CLIPImageProcessorPil(size={"height": 16, "width": 16}, do_center_crop=False)
    LlavaProcessor(
        pictures, tokenizer, patch_size=8, vision_feature_select_strategy="default", chat_template=TEMPLATE,
        image_token="<image>", num_additional_image_tokens=1,
    ).save_pretrained(folder)  # fmt: skip
    eyes = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8
    )
    mouth = LlamaConfig(
        hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        vocab_size=len(names), pad_token_id=0, bos_token_id=1, eos_token_id=2, max_position_embeddings=128,
        initializer_range=0.5,
    )  # fmt: skip
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(LlavaConfig(vision_config=eyes, text_config=mouth, image_token_index=4))
    model.generation_config.update(do_sample=True, top_p=0.5, temperature=0.9)  # as many a model has it
    model.save_pretrained(folder)
    return folder


def drawn(seed: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write(folder: Path, captions: Sequence[Sequence[str]]) -> Path:
    """RECORDS of small pictures, each with its captions."""
    with RecordWriter(folder, "drawn", SourceRules(without_caption=True), None, force=True) as writer:
        for number, texts in enumerate(captions):
            data = encode_png(drawn(number))
            writer.add(Row(f"{number}.png", data, (20, 30), tuple(Caption(text) for text in texts)))
        writer.finish()
    return folder
