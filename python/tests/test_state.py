"""Tests that `check_step` leaves a network as it was, in whatever way the network keeps its state."""

import functools
import importlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Arguments, check, initial, rows

import mlp_parity as mp

RATE = 0.01

Moments = list[Any]


def moments() -> Moments:
    """Return the state of Adam before the first step: two moments for each array."""
    return [[np.zeros_like(value), np.zeros_like(value)] for value in initial()]


def adam(values: list[Any], gradients: list[Any], state: Moments, time: int) -> list[Any]:
    """Return the values after a step of Adam. The moments are replaced, the arrays in them are not changed."""
    changed = []
    for index, (value, gradient) in enumerate(zip(values, gradients, strict=True)):
        first, second = state[index]
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        state[index] = [first, second]
        changed.append(value - RATE * first / (1 - 0.9**time) / (np.sqrt(second / (1 - 0.999**time)) + 1e-8))
    return changed


def gradients_of(values: list[Any], x: Any, y: Any) -> list[Any]:
    return list(rows(x, np.eye(5)[y], *values, "")[1:])


def attributes() -> Arguments:
    class Net:
        def __init__(self) -> None:
            self.params, self.moments, self.t = initial(), moments(), 0

        def step(self, x: Any, y: Any) -> None:
            self.t += 1
            self.params = adam(self.params, gradients_of(self.params, x, y), self.moments, self.t)

    net = Net()
    return {"step": net.step, "parameters": lambda: net.params}


def attributes_of_other_object() -> Arguments:
    class Adam:
        def __init__(self) -> None:
            self.moments, self.t = moments(), 0

    class Trainer:
        def __init__(self) -> None:
            self.params, self.optimizer = initial(), Adam()

        def __call__(self, x: Any, y: Any) -> None:
            self.optimizer.t += 1
            self.params[:] = adam(self.params, gradients_of(self.params, x, y), self.optimizer.moments, self.optimizer.t)

    trainer = Trainer()
    return {"step": trainer, "parameters": trainer.params}


def arrays_in_place() -> Arguments:
    params, state, history = initial(), [np.zeros_like(value) for value in initial() * 2], [0]

    def step(x: Any, y: Any) -> None:
        history.append(history[-1] + 1)
        for index, gradient in enumerate(gradients_of(params, x, y)):
            first, second = state[index], state[index + 4]
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient**2 - second)
            correction = np.sqrt(1 - 0.999 ** history[-1]) / (1 - 0.9 ** history[-1])
            params[index] -= RATE * correction * first / (np.sqrt(second) + 1e-8)

    return {"step": step, "parameters": params, "optimizer": mp.Adam(RATE, epsilon_placement="before-correction")}


def nonlocal_variables() -> Arguments:
    params, state, t = initial(), {}, 0

    def step(x: Any, y: Any) -> None:
        nonlocal params, t
        t += 1
        params = adam(params, gradients_of(params, x, y), state.setdefault("adam", moments()), t)

    return {"step": step, "parameters": lambda: params}


def functional_with_closure() -> Arguments:
    state, t = moments(), 0

    def update(params: list[Any], state: Moments, t: int, x: Any, y: Any) -> tuple[list[Any], Moments, int]:
        state = list(state)
        return adam(params, gradients_of(params, x, y), state, t + 1), state, t + 1

    def step(params: list[Any], x: Any, y: Any) -> list[Any]:
        nonlocal state, t
        params, state, t = update(params, state, t, x, y)
        return params

    return {"step": step, "parameters": initial()}


def function_attributes() -> Arguments:
    params = initial()

    def step(x: Any, y: Any) -> None:
        step.t = getattr(step, "t", 0) + 1  # type: ignore[attr-defined]
        params[:] = adam(params, gradients_of(params, x, y), step.moments, step.t)  # type: ignore[attr-defined]

    step.moments = moments()  # type: ignore[attr-defined]
    return {"step": step, "parameters": lambda: params}


def partial_arguments() -> Arguments:
    def step(params: list[Any], state: Moments, clock: dict[str, int], x: Any, y: Any, *, seed: int = 0) -> None:
        clock["t"] = clock.get("t", 0) + 1
        params[:] = adam(params, gradients_of(params, x, y), state, clock["t"])

    params = initial()
    return {"step": functools.partial(step, params, moments(), {}), "parameters": lambda: params}


def default_values() -> Arguments:
    params = initial()

    def step(x: Any, y: Any, state: Moments = moments(), *, clock: list[int] = []) -> None:  # noqa: B006, B008
        clock.append(1)
        params[:] = adam(params, gradients_of(params, x, y), state, len(clock))

    return {"step": step, "parameters": lambda: params}


T = 0
MOMENTS = moments()


def adam_with_globals(values: list[Any], gradients: list[Any]) -> list[Any]:
    global T
    T += 1
    return adam(values, gradients, MOMENTS, T)


def global_variables_of_method() -> Arguments:
    class Rule:
        def update(self, values: list[Any], gradients: list[Any]) -> None:
            values[:] = adam_with_globals(values, gradients)

    params, rule = initial(), Rule()

    def step(x: Any, y: Any) -> None:
        rule.update(params, gradients_of(params, x, y))

    return {"step": step, "parameters": lambda: params}


def wrapped_function() -> Arguments:
    arguments = attributes()
    inner = arguments["step"]

    @functools.wraps(inner)
    def step(*batch: Any) -> None:
        inner(*batch)

    return {**arguments, "step": step}


KINDS: list[Callable[[], Arguments]] = [
    attributes,
    attributes_of_other_object,
    arrays_in_place,
    nonlocal_variables,
    functional_with_closure,
    function_attributes,
    partial_arguments,
    default_values,
    global_variables_of_method,
    wrapped_function,
]


@pytest.mark.parametrize("kind", KINDS)
def test_second_check_of_same_network_agrees(kind: Callable[[], Arguments]) -> None:
    arguments = {"optimizer": mp.Adam(RATE), **kind()}
    for _ in range(2):
        report = check(arguments)
        assert report.verdict == "agree" and not report.notes, report


@pytest.mark.parametrize("kind", KINDS)
def test_check_after_exception_agrees(kind: Callable[[], Arguments]) -> None:
    arguments = {"optimizer": mp.Adam(RATE), **kind()}
    calls = itertools.count()

    def step(*batch: Any) -> Any:
        if next(calls) == 2:
            raise RuntimeError("third step")
        return arguments["step"](*batch)

    with pytest.raises(mp.Error, match="third step"):
        check({**arguments, "step": step if callable(arguments["parameters"]) else functools.wraps(arguments["step"])(step)})
    report = check(arguments)
    assert report.verdict == "agree", report


def test_variables_of_own_modules_are_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
from test_state import adam, gradients_of, initial, moments
params, state, t = initial(), moments(), 0
def train(x, y):
    global params, t
    t += 1
    params = adam(params, gradients_of(params, x, y), state, t)
"""
    (tmp_path / "own_network.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(globals(), "own_network", importlib.import_module("own_network"))
    step = lambda x, y: own_network.train(x, y)  # type: ignore[name-defined]  # noqa: E731, F821
    for _ in range(2):
        report = check({"step": step, "parameters": lambda: own_network.params, "optimizer": mp.Adam(RATE)})  # type: ignore[name-defined]  # noqa: F821
        assert report.verdict == "agree" and not report.notes, report


def test_large_arrays_are_not_copied() -> None:
    params, data = initial(), np.zeros(10_000)

    def step(x: Any, y: Any) -> None:
        data[0] += 1
        for value, gradient in zip(params, gradients_of(params, x, y), strict=True):
            value -= 0.1 * gradient

    report = check({"step": step, "parameters": params})
    assert report.verdict == "agree" and not report.notes and data[0] > 0


def test_optimizer_of_torch_is_restored() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(20, 9), torch.nn.ReLU(), torch.nn.Linear(9, 5)).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)

    def step(x: Any, y: Any) -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(torch.as_tensor(x)), torch.as_tensor(y)).backward()
        optimizer.step()

    parameters = lambda: [(layer.weight, layer.bias) for layer in (model[0], model[2])]  # noqa: E731
    for _ in range(2):
        report = check({"step": step, "parameters": parameters, "optimizer": mp.Adam(RATE)})
        assert report.verdict == "agree" and not report.notes, report
    assert not optimizer.state and model[0].weight.grad is None


def test_deleted_parameters_are_mentioned() -> None:
    jax = pytest.importorskip("jax")
    params = tuple(jax.numpy.asarray(value) for value in initial())
    step = jax.jit(lambda params, x, y: tuple(value - 0.1 for value in params), donate_argnums=0)
    report = check({"step": step, "parameters": params})
    assert report.verdict == "disagree" and "the parameters could not be restored" in report.notes[-1]


def out_of_reach(value: Any) -> Iterator[Any]:
    """Return a generator that yields the value again and again. What a generator refers to is not restored."""
    while True:
        yield value


def test_state_that_is_not_restored_is_mentioned() -> None:
    params, state = initial(), moments()
    clock = itertools.count(1)

    def step(x: Any, y: Any) -> None:
        params[:] = adam(params, gradients_of(params, x, y), state, next(clock))

    report = check({"step": step, "parameters": lambda: params, "optimizer": mp.Adam(RATE)})
    assert report.verdict == "agree" and "create the network anew before another check" in report.notes[-1]
    assert "Not restored:\n  - the first step has other results" in str(report)
    report = check({"step": step, "parameters": lambda: params, "optimizer": mp.Adam(RATE)})
    assert report.verdict == "disagree" and "or it was trained before the check" in " ".join(str(report).split())


@pytest.mark.parametrize("is_given", [False, True])
def test_copies_are_restored_by_set_parameters(is_given: bool) -> None:
    names = ["W2", "b2", "W1", "b1"]
    kept = out_of_reach(dict(zip(names, [*initial()[2:], *initial()[:2]], strict=True)) | {"rate": 0.1})

    def train(x: Any, y: Any) -> None:
        state = next(kept)
        order = ["W1", "b1", "W2", "b2"]
        for name, gradient in zip(order, gradients_of([state[name] for name in order], x, y), strict=True):
            state[name] = state[name] - state["rate"] * gradient

    copies = lambda: {name: np.copy(value) for name, value in next(kept).items()}  # noqa: E731
    before = copies()
    other: Arguments = {"set_parameters": lambda values: next(kept).update(values)} if is_given else {}
    report = check({"step": train, "parameters": copies, **other})
    assert report.verdict == "agree", report
    if is_given:
        assert not report.notes
        assert all(np.array_equal(before[name], values) for name, values in copies().items())
    else:
        assert "the parameters could not be restored" in report.notes[-1]
