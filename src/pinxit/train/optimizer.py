"""One optimiser step: gradient norm, clipping, a rate that is a function of the examples seen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pinxit.train.config import OptimizerConfig
from pinxit.train.muon import Muon
from pinxit.train.recorded import Recorded

SMALLEST_MATRIX = 16  # rows or columns; thinner matrices and tables are left to AdamW


@dataclass(frozen=True)
class Rate:
    """A factor on the learning rate: linear rise, constant, linear fall; all in examples of the stage."""

    warmup: int
    decay: float
    examples: int

    def __call__(self, seen: int) -> float:
        """The factor for the step that starts when `seen` examples of the stage were seen."""
        rise = min(1.0, (seen + 1) / self.warmup) if self.warmup else 1.0
        fall = (self.examples - seen) / (self.decay * self.examples) if self.decay else 1.0
        return rise * max(0.0, min(1.0, fall))


def _is_matrix(parameter: nn.Parameter) -> bool:
    return parameter.ndim >= 2 and min(parameter.shape[0], parameter[0].numel()) >= SMALLEST_MATRIX


class Optimizer:
    """AdamW for everything, or Muon for matrices and AdamW for the rest, behind one step."""

    def __init__(
        self, trained: Mapping[str, nn.Parameter], config: OptimizerConfig, examples: int, *, recorded: bool = False
    ) -> None:
        self.trained = dict(trained)
        self.config = config
        self.rate = Rate(config.warmup, config.decay, examples)
        matrices = {name: p for name, p in self.trained.items() if config.kind == "muon" and _is_matrix(p)}
        rest = {name: p for name, p in self.trained.items() if name not in matrices}
        self._inner: dict[str, tuple[torch.optim.Optimizer, list[str], float]] = {}
        if rest:
            adamw = torch.optim.AdamW(
                list(rest.values()), config.learning_rate, config.betas, config.epsilon, config.weight_decay,
                fused=True, capturable=recorded,
            )  # fmt: skip
            self._inner["adamw"] = (adamw, list(rest), config.learning_rate)
        if matrices:
            muon = Muon(matrices.values(), config.matrix_rate, weight_decay=config.weight_decay)
            self._inner["muon"] = (muon, list(matrices), config.matrix_rate)
        self._told: Tensor | None = None  # clipping factor and rates, where a recorded step reads them
        if recorded:
            self._told = torch.zeros(1 + len(self._inner), device=next(iter(self.trained.values())).device)
            self._set(self._told[1:].unbind())
            self._replay = Recorded(self._move_as_told)

    @torch.no_grad()
    def gradient_norm(self, weight: int) -> float:
        """The global norm of the gradients after their sum was divided by `weight`; they are now means."""
        gradients = [p.grad for p in self.trained.values() if p.grad is not None]
        torch._foreach_div_(gradients, weight)
        return float(torch.nn.utils.get_total_norm(gradients))

    @torch.no_grad()
    def step(self, seen: int, norm: float) -> float:
        """The weights have moved once, `seen` examples into the stage; gives the rate used."""
        factor, clip = self.rate(seen), min(1.0, self.config.clip / norm) if norm else 1.0
        rates = [rate * factor for _, _, rate in self._inner.values()]
        if self._told is None:
            self._set(rates)
            self._move(clip)
        else:
            self._told.copy_(torch.tensor([clip, *rates]))
            self._replay()
        return self.config.learning_rate * factor

    def _set(self, rates: Iterable[float | Tensor]) -> None:
        for (inner, _, _), rate in zip(self._inner.values(), rates, strict=True):
            for group in inner.param_groups:
                group["lr"] = rate

    @torch.no_grad()
    def _move(self, clip: float | Tensor) -> None:
        """Every weight has moved, and the gradients are gone, or zero where their place must stay."""
        gradients = [p.grad for p in self.trained.values() if p.grad is not None]
        if self._told is not None or clip < 1:
            torch._foreach_mul_(gradients, clip)
        for inner, _, _ in self._inner.values():
            inner.step()
            inner.zero_grad(set_to_none=self._told is None)

    def _move_as_told(self) -> None:
        assert self._told is not None
        self._move(self._told[0])

    def state_dict(self) -> dict[str, Tensor]:
        """Moments and step counts under `optimiser/parameter/moment`; empty before the first step."""
        saved: dict[str, Tensor] = {}
        for kind, (inner, names, _) in self._inner.items():
            for index, moments in inner.state_dict()["state"].items():
                for moment, value in moments.items():
                    saved[f"{kind}/{names[index]}/{moment}"] = torch.as_tensor(value)
        return saved

    def load_state_dict(self, saved: Mapping[str, Tensor]) -> None:
        """The moments are what was saved; the learning rate follows from the examples seen."""
        for kind, (inner, names, _) in self._inner.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in saved.items():
                owner, _, rest = key.partition("/")
                name, _, moment = rest.rpartition("/")
                if owner == kind:
                    state.setdefault(names.index(name), {})[moment] = value.clone()
            inner.load_state_dict({"state": state, "param_groups": inner.state_dict()["param_groups"]})
        if self._told is not None:  # loading made copies
            self._set(self._told[1:].unbind())
