"""Update rules that a network declares. Names and defaults are those of the trace format, which are PyTorch's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, ClassVar

Value = float | str | bool


@dataclass(frozen=True, repr=False)
class Optimizer:
    """An update rule; use one of the classes derived from it.

    Parameters
    ----------
    learning_rate : float or sequence of float
        The rate of every step, or one for each.
    weight_decay : float, optional
        Factor of the parameter in the gradient, that is, of the penalty ½λ‖θ‖² [default: 0].
    weight_decay_form : {"coupled", "decoupled"}, optional
        Whether the decay is part of the gradient, or is subtracted from the parameter [default: "coupled"; "decoupled" for
        `AdamW`].
    weight_decay_on : {"all", "weights"}, optional
        The parameters that decay [default: "all"].
    weight_decay_per_image : bool, optional
        True if the decay is divided by the number of images of the batch.
    weight_decay_in_loss : bool, optional
        True if the loss contains the penalty.
    clip_norm, clip_norm_per_tensor, clip_epsilon, clip_value : float, optional
        Clipping of the gradients.
    """

    learning_rate: float | Sequence[float]
    _: KW_ONLY
    weight_decay: float | None = None
    weight_decay_form: str | None = None
    weight_decay_on: str | None = None
    weight_decay_per_image: bool | None = None
    weight_decay_in_loss: bool | None = None
    clip_norm: float | None = None
    clip_norm_per_tensor: float | None = None
    clip_epsilon: float | None = None
    clip_value: float | None = None

    rule: ClassVar[str] = ""

    def __new__(cls, *_: Any, **options: Any) -> Optimizer:
        names = [field.name for field in fields(cls)]
        if unknown := [name for name in options if name not in names]:
            raise TypeError(f"mp.{cls.__name__} has no argument {unknown[0]!r}; expected {', '.join(names)}")
        return super().__new__(cls)

    def __repr__(self) -> str:
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        given = ", ".join(f"{name}={value!r}" for name, value in options.items() if value is not None)
        return f"{type(self).__name__}({given})"

    def metadata(self) -> dict[str, Value]:
        """Return the metadata of a trace that declare the rule."""
        entries: dict[str, Value] = {"optimizer": self._rule()}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Sequence) and not isinstance(value, str):
                value = ",".join(repr(float(rate)) for rate in value)
            if value is not None:
                entries[field.name] = value
        return entries

    def _rule(self) -> str:
        return self.rule


@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    """Gradient descent, with momentum if `momentum` is given.

    Parameters
    ----------
    momentum : float, optional
        Factor µ of the velocity.
    momentum_form : {"velocity", "average", "with-rate"}, optional
        v ← µv + g, v ← µv + (1 − µ)g, or v ← µv + ηg [default: "velocity"].
    dampening : float, optional
        "velocity" adds (1 − dampening) g from the second step on.
    nesterov : bool, optional
        True for Nesterov's momentum.
    """

    momentum: float | None = None
    momentum_form: str | None = None
    dampening: float | None = None
    nesterov: bool | None = None

    def _rule(self) -> str:
        return "sgd" if self.momentum is None else "momentum"


@dataclass(frozen=True, repr=False)
class Adam(Optimizer):
    """Adam.

    Parameters
    ----------
    beta1, beta2, epsilon : float, optional
        The constants of the rule [default: 0.9, 0.999, 1e-8].
    epsilon_placement : {"outside", "inside-root", "before-correction"}, optional
        Where ε is added: √v̂ + ε, √(v̂ + ε), or √v + ε before the correction of the bias [default: "outside"].
    amsgrad : bool, optional
        True if the largest v so far takes the place of v.
    """

    beta1: float | None = None
    beta2: float | None = None
    epsilon: float | None = None
    epsilon_placement: str | None = None
    amsgrad: bool | None = None

    rule: ClassVar[str] = "adam"


@dataclass(frozen=True, repr=False)
class AdamW(Adam):
    """Adam with decoupled weight decay. The parameters are those of `Adam`."""

    rule: ClassVar[str] = "adamw"


@dataclass(frozen=True, repr=False)
class NAdam(Optimizer):
    """Adam with Nesterov's momentum. ψ is `momentum_decay` [default: 0.004]."""

    beta1: float | None = None
    beta2: float | None = None
    epsilon: float | None = None
    momentum_decay: float | None = None

    rule: ClassVar[str] = "nadam"


@dataclass(frozen=True, repr=False)
class Adamax(Optimizer):
    """Adam with the largest gradient in place of the mean square."""

    beta1: float | None = None
    beta2: float | None = None
    epsilon: float | None = None

    rule: ClassVar[str] = "adamax"


@dataclass(frozen=True, repr=False)
class RMSprop(Optimizer):
    """RMSprop, with momentum if `momentum` is given [default: alpha 0.99, epsilon 1e-8]."""

    alpha: float | None = None
    epsilon: float | None = None
    epsilon_placement: str | None = None
    momentum: float | None = None
    momentum_form: str | None = None
    nesterov: bool | None = None

    rule: ClassVar[str] = "rmsprop"


@dataclass(frozen=True, repr=False)
class Adagrad(Optimizer):
    """Adagrad [default: epsilon 1e-10, no decay of the rate, accumulators 0]."""

    epsilon: float | None = None
    epsilon_placement: str | None = None
    learning_rate_decay: float | None = None
    initial_accumulator: float | None = None

    rule: ClassVar[str] = "adagrad"
