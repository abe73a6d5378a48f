"""Tests of what `check_step` says about functions that expect labels in another form than they get."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from networks import Arguments, check, class_in_place, initial, rows

import mlp_parity as mp


def step_with(params: list[Any], form: Callable[[Any], Any], mistake: str = "") -> Callable[[Any, Any], None]:
    """Return a function for rows of images that passes its labels through `form`."""

    def step(x: Any, y: Any) -> None:
        _, *gradients = rows(x, form(y), *params, mistake)
        for value, gradient in zip(params, gradients, strict=True):
            value -= 0.1 * gradient

    return step


def broadcasting(params: list[Any], mistake: str = "") -> Arguments:
    """Return a function for columns of images, p − y of which also fits integer labels, `[5, n] - [n]`."""

    def step(x: Any, y: Any) -> None:
        w1, b1, w2, b2 = params
        z1 = x.T @ w1 + b1
        h = np.maximum(z1, 0)
        p = np.exp(h @ w2 + b2)
        d2 = ((p / p.sum(1, keepdims=True)).T - y).T / x.shape[1]
        d1 = d2 @ w2.T * (1 if mistake == "derivative" else z1 > 0)
        for value, gradient in zip(params, (x @ d1, d1.sum(0), h.T @ d2, d2.sum(0)), strict=True):
            value -= 0.1 * gradient

    return {"step": step, "parameters": params, "images": "columns"}


def test_onehot_labels_are_the_diagnosis_of_broadcast_integers() -> None:
    params = initial()
    report = check(broadcasting(params))
    assert report.verdict == "disagree" and report.unexplained is None
    assert [found.id for found in report.diagnosis] == ["expects-one-hot-labels"]
    assert report.diagnosis[0].kind == "data" and "layer1.weight" in report.diagnosis[0].tensors
    text = " ".join(str(report).split())
    assert "expects one-hot labels, but gets integer labels (expects-one-hot-labels)" in text
    assert "pass labels='onehot', with which no check fails" in text
    assert all(np.array_equal(one, other) for one, other in zip(params, initial(), strict=True))
    assert check({**broadcasting(params), "labels": "onehot"}).verdict == "agree"


def test_mistake_is_named_beside_the_form_of_labels() -> None:
    report = check(broadcasting(initial(), "derivative"))
    assert [found.id for found in report.diagnosis] == ["expects-one-hot-labels", "derivative-missing"]
    assert report.diagnosis[0].advice.startswith("pass labels='onehot', with which the results are those of a program")


def test_column_of_labels_is_the_diagnosis_of_broadcast_labels_of_one_output() -> None:
    w1, b1, w2, b2 = (value[..., :1] if value.shape[-1] == 5 else value for value in initial())

    def step(x: Any, y: Any) -> None:
        h = np.maximum(x @ w1 + b1, 0)
        d2 = (1 / (1 + np.exp(-(h @ w2 + b2))) - y) / len(x)
        d1 = d2 @ np.ones((d2.shape[1], 1)) @ w2.T * (h > 0)
        for value, gradient in zip((w1, b1, w2, b2), (x.T @ d1, d1.sum(0), h.T @ d2, d2.sum(0)), strict=True):
            value -= 0.1 * gradient.sum(-1, keepdims=True) if value.shape[-1] == 1 else 0.1 * gradient

    arguments: Arguments = {"parameters": [(w1, b1), (w2, b2)], "loss": "binary-cross-entropy", "weights": "inputs-outputs"}
    report = check({"step": step, **arguments})
    assert [found.id for found in report.diagnosis] == ["expects-one-hot-labels"], report


@pytest.mark.parametrize(
    ("form", "labels", "message"),
    [
        (
            lambda y: y,
            "integers",
            "expect one-hot labels: pass labels='onehot', with which no check fails; with integer labels, ",
        ),
        (
            lambda y: np.eye(5)[y],
            "onehot",
            "expect integer labels: pass labels='integers', with which no check fails; with one",
        ),
    ],
)
def test_form_of_labels_is_named_if_step_raises(form: Callable[[Any], Any], labels: str, message: str) -> None:
    params = initial()
    arguments: Arguments = {"step": step_with(params, form), "parameters": params, "labels": labels}
    with pytest.raises(mp.Error) as raised:
        check(arguments)
    assert message in str(raised.value) and "the function `step` raised" in str(raised.value)
    assert isinstance(raised.value.__cause__, (ValueError, IndexError))
    assert all(np.array_equal(one, other) for one, other in zip(params, initial(), strict=True))


def test_mistake_is_named_if_step_raises() -> None:
    params = initial()
    with pytest.raises(mp.Error, match="those of a program that leaves out the derivative of the activation in layer1; with"):
        check({"step": step_with(params, lambda y: y, "derivative"), "parameters": params})


def test_integers_are_the_diagnosis_of_onehot_labels() -> None:
    params = initial()
    step = step_with(params, lambda y: np.eye(5)[np.asarray(y, int).reshape(len(y), -1)[:, 0]])
    report = check({"step": step, "parameters": params, "labels": "onehot"})
    assert [found.id for found in report.diagnosis] == ["expects-integer-labels"], report


@pytest.mark.parametrize("labels", ["integers", "onehot"])
@pytest.mark.parametrize("mistake", ["sum", "derivative"])
def test_form_of_labels_is_no_diagnosis_of_functions_that_take_both(labels: str, mistake: str) -> None:
    params = initial()
    step = step_with(params, lambda y: np.eye(5)[y] if y.ndim == 1 else y, mistake)
    report = check({"step": step, "parameters": params, "labels": labels})
    assert report.verdict == "disagree" and not any("labels" in found.id for found in report.diagnosis)


def test_form_of_labels_is_no_diagnosis_of_other_mistakes() -> None:
    report = check(class_in_place("derivative"))
    assert [found.id for found in report.diagnosis] == ["derivative-missing"]
