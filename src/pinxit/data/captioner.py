"""A captioner on this machine: any image-text-to-text model that transformers opens from a folder."""

import re
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor, nn

from pinxit.data.caption import Answer, Question, tidy
from pinxit.data.config import CaptionerMemory
from pinxit.data.journal import CaptionerIdentity
from pinxit.data.record import Pixels
from pinxit.errors import CheckpointError, DataError, MissingExtra
from pinxit.models.bits import require_torchao, shrink
from pinxit.models.device import choose_precision
from pinxit.models.identity import hash_files
from pinxit.models.noise import hushed
from pinxit.rng import generator_at


def identify_model(folder: Path) -> str:
    """The sha256 of a model's weights; CheckpointError where the folder holds none that can be used."""
    if not (folder / "config.json").is_file():
        raise CheckpointError(folder, "no config.json there", "name the folder of a model in transformers' form")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise CheckpointError(folder, "no safetensors there", "save the model as safetensors; no other form is opened")
    return hash_files(weights)


class LocalCaptioner:
    """Captions batches of pictures with one model; the next batch is read while this one is captioned.

    Each picture's tokens are drawn from its own randomness, so that its caption does not depend on its batch but for
    rounding.
    """

    def __init__(
        self, folder: Path, identity: CaptionerIdentity, device: torch.device, batch: int, memory: CaptionerMemory
    ) -> None:
        self.identity, self.batch = identity, batch
        self.processor = _open_processor(folder)
        self.model = _open_model(folder, device, memory)
        self.model.generation_config.pad_token_id = self.processor.tokenizer.pad_token_id

    def answer(self, questions: Iterable[Question]) -> Generator[Answer, None, None]:
        """An answer to every question, a batch at a time."""
        rest = iter(questions)
        with ThreadPoolExecutor(thread_name_prefix="pictures") as pool:
            ahead: deque[list[tuple[Question, Future[Pixels]]]] = deque()
            while True:
                while len(ahead) < 2 and (part := list(islice(rest, self.batch))):
                    ahead.append([(question, pool.submit(question.read)) for question in part])
                if not ahead:
                    return
                yield from self._answer(ahead.popleft())

    def _answer(self, asked: Sequence[tuple[Question, Future[Pixels]]]) -> Iterator[Answer]:
        """The answers to a batch; pictures that cannot be read are passed over."""
        readable: list[tuple[Question, Image.Image]] = []
        for question, reading in asked:
            try:
                readable.append((question, Image.fromarray(reading.result())))
            except DataError as error:
                yield Answer(question, problem=str(error))
        if not readable:
            return
        for (question, _), (text, is_cut) in zip(readable, self._write(readable), strict=True):
            problem = "" if text else "the model said nothing"
            yield Answer(question, text, problem, is_cut)

    @torch.inference_mode()
    def _write(self, asked: Sequence[tuple[Question, Image.Image]]) -> Iterator[tuple[str, bool]]:
        """What the model says of each picture, and whether it was stopped."""
        given = self._prepare(asked)
        drawn = [_Drawn([question.key for question, _ in asked], self.identity.temperature)]
        said = self.model.generate(
            **given, max_new_tokens=self.identity.tokens, do_sample=False, num_beams=1,
            logits_processor=drawn if self.identity.temperature else None,
        )  # fmt: skip
        new = said[:, given["input_ids"].shape[1] :]
        ends = torch.isin(new, self._ends(new)).any(1).tolist()
        for text, has_ended in zip(self.processor.batch_decode(new, skip_special_tokens=True), ends, strict=True):
            yield tidy(text), not has_ended

    def _prepare(self, asked: Sequence[tuple[Question, Image.Image]]) -> Any:
        """What the model reads: pictures and texts in its own form, padded to the left, on its device."""
        talks = []
        for question, picture in asked:
            content = [{"type": "image", "image": picture}, {"type": "text", "text": question.text}]
            talks.append([{"role": "user", "content": content}])
        given = self.processor.apply_chat_template(
            talks, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
            processor_kwargs={"padding": True},
        )  # fmt: skip
        return given.to(self.model.device, dtype=self.model.dtype)

    def _ends(self, like: Int[Tensor, "..."]) -> Int[Tensor, "ends"]:
        """The tokens that end an answer."""
        ends = self.model.generation_config.eos_token_id
        return torch.as_tensor([] if ends is None else ends, dtype=like.dtype, device=like.device).reshape(-1)


class _Drawn:
    """Logits whose largest is a draw at a temperature: each picture's have noise of its own (Gumbel 1954)."""

    def __init__(self, keys: Sequence[str], temperature: float) -> None:
        self.temperature = temperature
        self.generators = [generator_at(0, f"caption/{key}") for key in keys]

    def __call__(self, _: Int[Tensor, "b l"], scores: Float[Tensor, "b words"]) -> Float[Tensor, "b words"]:
        """One step's logits."""
        noise = torch.stack([torch.rand(scores.shape[1], generator=generator) for generator in self.generators])
        return scores - self.temperature * torch.log(-torch.log(noise)).to(scores.device, scores.dtype)


def _open_processor(folder: Path) -> Any:
    """What makes the model's input; it knows how the model wants to be asked."""
    with hushed():
        from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    except ImportError as error:
        raise _missing(folder, error) from error
    except (OSError, ValueError, KeyError) as error:
        remedy = "copy the processor's and the tokenizer's files of the same model there"
        raise CheckpointError(folder, f"its processor cannot be opened ({_first_line(error)})", remedy) from error
    if getattr(processor, "chat_template", None) is None:
        raise CheckpointError(folder, "it has no chat template", "copy chat_template.jinja of the same model there")
    processor.tokenizer.padding_side = "left"
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


def _open_model(folder: Path, device: torch.device, memory: CaptionerMemory) -> Any:
    """The model in the device's precision; with few bits, its linear layers but the last in these."""
    if memory != "full":
        require_torchao()
    with hushed():
        from transformers import AutoModelForImageTextToText

    dtype = choose_precision("auto", device)
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=dtype, output_loading_info=True
        )
    except ImportError as error:
        raise _missing(folder, error) from error
    except (OSError, ValueError, KeyError) as error:
        problem = f"it cannot be opened as an image-text-to-text model ({_first_line(error)})"
        raise CheckpointError(folder, problem, "name the folder of one that transformers knows") from error
    if missing := sorted(report["missing_keys"]):
        raise CheckpointError(folder, f"its weights lack {missing}", "name a folder with a whole model")
    if memory != "full":
        last = model.get_output_embeddings()
        for layer in model.modules():
            if isinstance(layer, nn.Linear) and layer is not last:
                shrink(layer.to(device), 8 if memory == "8bit" else 4)
    return model.to(device).eval().requires_grad_(False)


def _missing(folder: Path, error: ImportError) -> MissingExtra:
    """What transformers says of a package that it looked for in vain, such as torchvision."""
    named = re.search(r"requires the (\S+) library", str(error))
    package = named[1].lower() if named else error.name or "a package"
    return MissingExtra(
        f"opening {folder} ({_first_line(error)})", package, f"{sys.executable} -m pip install {package}"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
