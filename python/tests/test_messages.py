"""Tests of what `check_step` says about arguments that do not describe the network, and of the words of its messages."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from networks import check, initial, rows

import mlp_parity as mp


class Rebinding:
    """A network that updates its arrays in place, and then replaces those that are named."""

    def __init__(self, names: str, form: Callable[[Any], Any] = lambda y: np.eye(5)[y], rate: float = 0.1) -> None:
        self.p = dict(zip(["W1", "b1", "W2", "b2"], initial(), strict=True))
        self.names, self.form, self.rate = names.split(), form, rate

    def step(self, x: Any, y: Any) -> None:
        _, *gradients = rows(x, self.form(y), *self.p.values(), "")
        for (name, value), gradient in zip([*self.p.items()], gradients, strict=True):
            value -= self.rate * gradient
            if name in self.names:
                self.p[name] = np.clip(value, -10, 10)


@pytest.mark.parametrize("labels", ["integers", "onehot"])
def test_replaced_arrays_are_an_error(labels: str) -> None:
    # The function takes labels in both forms, as one that broadcasts them does.
    net = Rebinding("W1 b1 W2 b2", form=lambda y: np.eye(5)[y] if y.ndim == 1 else 1 - y)
    with pytest.raises(mp.Error, match="did not change after the first step; pass a function that returns the arrays in use"):
        check({"step": net.step, "parameters": [*net.p.values()], "labels": labels})
    assert all(np.array_equal(one, other) for one, other in zip(net.p.values(), initial(), strict=True))


@pytest.mark.parametrize("labels", ["integers", "onehot"])
def test_some_replaced_arrays_are_a_warning(labels: str) -> None:
    net = Rebinding("b1 b2", form=lambda y: np.eye(5)[y] if y.ndim == 1 else 1 - y)
    report = check({"step": net.step, "parameters": [*net.p.values()], "labels": labels})
    assert report.verdict == "disagree" and not any("labels" in found.id for found in report.diagnosis)
    text = " ".join(str(report).split())
    assert text.startswith("verdict: disagree Arrays that stop changing: layer1.bias, output_layer.bias; if the function")
    assert "parameters=lambda: …" in text and "the arguments do not describe" not in text


def test_array_that_is_never_updated_is_a_warning_beside_the_diagnosis() -> None:
    params = initial()

    def step(x: Any, y: Any) -> None:
        _, *gradients = rows(x, np.eye(5)[y], *params, "")
        for index in (0, 2):
            params[index] -= 0.1 * gradients[index]

    report = check({"step": step, "parameters": params, "steps": 1})
    assert report.warning is not None and report.warning.startswith("arrays that never change: layer1.bias, output_layer.bias;")
    assert [found.id for found in report.diagnosis] == ["bias-gradient-factor"]
    assert check({"step": step, "parameters": lambda: params}).warning is None


def test_saturation_is_the_other_cause_of_arrays_that_stop_changing() -> None:
    params = initial()

    def step(x: Any, y: int) -> None:
        _, *gradients = rows(x[None], np.eye(5)[[y]], *params, "")
        for value, gradient in zip(params, gradients, strict=True):
            value -= 1e4 * gradient

    with pytest.raises(mp.Error, match="replaces no array, its later updates are zero: check the learning rate"):
        check({"step": step, "parameters": params, "images": "single"})


@pytest.mark.parametrize("names", ["", "W1 b1 W2 b2", "b1 b2"])
def test_function_of_parameters_returns_replaced_arrays(names: str) -> None:
    net = Rebinding(names)
    assert check({"step": net.step, "parameters": lambda: net.p}).verdict == "agree"


def test_report_names_arguments_instead_of_contents_of_a_trace() -> None:
    net = Rebinding("", rate=0.137)
    text = str(check({"step": net.step, "parameters": lambda: net.p, "optimizer": mp.SGD(0.23, momentum=0.7)}))
    assert "trace" not in text and "metadata" not in text and "gradients=" in text, text


def test_gradients_are_advised_if_a_mistake_has_no_name() -> None:
    params, gradients = initial(), [np.zeros_like(value) for value in initial()]

    def step(x: Any, y: Any) -> None:
        gradients[:] = rows(x, np.eye(5)[y], *params, "")[1:]
        for value, gradient in zip(params, gradients, strict=True):
            value -= 0.137 * gradient

    arguments: dict[str, Any] = {"step": step, "parameters": params, "optimizer": mp.SGD(0.23, momentum=0.7)}
    report = check(arguments)
    assert report.unexplained and "Pass gradients=… too, the gradients of the last batch" in str(report)
    report = check({**arguments, "gradients": lambda: gradients})
    assert report.unexplained and "gradients=" not in str(report), report


def test_optimizer_names_its_arguments() -> None:
    with pytest.raises(TypeError, match=r"mp\.Adam has no argument 'lr'; expected learning_rate, .*, amsgrad"):
        mp.Adam(lr=1e-3)  # type: ignore[call-arg]
    rule = mp.SGD(0.1, momentum=0.9)
    assert repr(rule) == "SGD(learning_rate=0.1, momentum=0.9)"
    assert eval(repr(mp.AdamW([0.1, 0.2], amsgrad=False)), vars(mp)) == mp.AdamW([0.1, 0.2], amsgrad=False)
    assert copy.deepcopy(rule) == pickle.loads(pickle.dumps(rule)) == dataclasses.replace(rule) == rule


ADVICE = "; if it expects another form, pass "


@pytest.mark.parametrize(
    ("error", "given", "advice"),
    [
        (ValueError, {}, "images='columns' or 'single', labels='onehot', convert, or a lambda that calls it"),
        (RuntimeError, {"images": "columns"}, "labels='onehot', convert, or a lambda that calls it"),
        (TypeError, {"labels": "onehot"}, "images='columns' or 'single', convert, or a lambda that calls it"),
        (IndexError, {"images": "columns", "labels": "onehot", "convert": np.ndarray.tolist}, "a lambda that calls it"),
        (KeyError, {}, None),
        (NameError, {}, None),
        (AttributeError, {}, None),
        (ZeroDivisionError, {}, None),
    ],
)
def test_another_form_is_advised_for_errors_of_form(error: type[Exception], given: dict[str, Any], advice: str | None) -> None:
    def step(x: Any, y: Any) -> None:
        raise error("by hand")

    with pytest.raises(mp.Error) as raised:
        check({"step": step, "parameters": initial(), **given})
    text = str(raised.value)
    assert f"the function `step` raised {error.__name__}: " in text
    assert text.partition(ADVICE)[2] == (advice or "")
