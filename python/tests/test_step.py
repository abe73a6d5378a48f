"""Tests of `check_step` on networks in twelve styles, and of its errors."""

import _thread
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import STYLES, Arguments, check, class_in_place, initial, rows

import mlp_parity as mp
from mlp_parity.__main__ import main

MISTAKES = {
    "sum": {"gradient-factor", "learning-rate-factor", "another-reduction"},
    "derivative": {"derivative-missing"},
    "order": {"updated-weights-in-backward-pass"},
}


@pytest.mark.parametrize("style", STYLES)
def test_sound_network_agrees(style: Callable[[str], Arguments]) -> None:
    report = check(style(""))
    assert report.verdict == "agree", report
    assert report and report.checks["passed"].all() and not report.diagnosis
    report.raise_if_wrong()


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("style", STYLES)
def test_mistake_is_named(style: Callable[[str], Arguments], mistake: str) -> None:
    report = check(style(mistake))
    assert report.verdict == "disagree"
    assert len(report.diagnosis) == 1 and report.diagnosis[0].id in MISTAKES[mistake], report
    with pytest.raises(mp.ParityError, match=r"^verdict: disagree \([a-z-]+\)\nThe results are those of a program that"):
        report.raise_if_wrong()


@pytest.mark.parametrize("style", STYLES)
def test_parameters_are_restored(style: Callable[[str], Arguments]) -> None:
    arguments = style("")
    parameters = arguments["parameters"]
    copy = lambda: mp._parameters.Layers(parameters() if callable(parameters) else parameters).named()  # noqa: E731
    before = copy()
    report = check(arguments)
    assert not report.notes
    after = copy()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_update_rules_are_declared() -> None:
    params = initial()
    moments: list[Any] = [[np.zeros_like(value), np.zeros_like(value)] for value in params]
    calls = [0]

    def adam(x: Any, y: Any) -> None:
        calls[0] += 1
        _, *gradients = rows(x, np.eye(5)[y], *params, "")
        for value, gradient, moment in zip(params, gradients, moments, strict=True):
            moment[0] = 0.9 * moment[0] + 0.1 * gradient
            moment[1] = 0.999 * moment[1] + 0.001 * gradient**2
            first, second = moment[0] / (1 - 0.9 ** calls[0]), moment[1] / (1 - 0.999 ** calls[0])
            value -= 0.01 * first / (np.sqrt(second) + 1e-8)

    # The powers of many steps are rounded otherwise than products of as many factors.
    report = mp.check_step(adam, parameters=params, activation="relu", optimizer=mp.Adam(0.01), steps=40)
    assert report.verdict == "agree", report
    calls[0], moments = 0, [[np.zeros_like(value), np.zeros_like(value)] for value in params]
    report = mp.check_step(adam, parameters=params, activation="relu", optimizer=mp.SGD(0.01))
    assert report.verdict == "disagree"


def test_report_has_everything() -> None:
    report = check(class_in_place("derivative"))
    assert report.checks.dtype.names is not None and "error_ratio" in report.checks.dtype.names
    assert "derivative" in report._repr_html_() and "<table>" in report._repr_html_()
    assert report.document["verdict"] == "disagree"
    assert "gradients" in str(report)
    pandas = pytest.importorskip("pandas")
    assert isinstance(report.to_pandas(), pandas.DataFrame)


def test_trace_is_written_and_read(tmp_path: Any) -> None:
    report = check(class_in_place(""))
    for name in ["trace.npz", "trace.safetensors"]:
        report.save_trace(tmp_path / name)
        assert mp.check_trace(tmp_path / name).verdict == "agree"
        loaded = mp.Trace.load(tmp_path / name)
        assert np.array_equal(loaded["batch.0.images"], report.trace["batch.0.images"])
        assert loaded.metadata["activation"] == "relu"
    (tmp_path / "other.npz").write_bytes(b"GIF89a")
    with pytest.raises(mp.Error):
        mp.check_trace(tmp_path / "other.npz")


def test_assert_parity_fails_with_diagnosis(assert_parity: Callable[..., mp.Report]) -> None:
    arguments: Any = {"activation": "relu", "optimizer": mp.SGD(0.1)}
    assert assert_parity(**class_in_place(""), **arguments).verdict == "agree"
    with pytest.raises(AssertionError, match="derivative of the activation in layer1"):
        assert_parity(**class_in_place("derivative"), **arguments)


W1, B1, W2, B2 = initial()


def does_nothing(x: Any, y: Any) -> None:
    pass


def fails(x: Any, y: Any) -> None:
    raise ZeroDivisionError("by hand")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": does_nothing, "parameters": initial()}, "did not change in any step; pass a function that returns"),
        ({"step": fails, "parameters": initial()}, "raised ZeroDivisionError: by hand; it was called with ndarray of shape"),
        ({"step": does_nothing, "parameters": lambda: None}, "returns nothing; return the arrays"),
        ({"step": does_nothing, "parameters": []}, "contain no arrays"),
        ({"step": does_nothing, "parameters": [(W1, B1), (W1, B1)]}, "do not form a network"),
        ({"step": does_nothing, "parameters": [(np.eye(4), np.zeros(4))]}, "pass weights='inputs-outputs'"),
        ({"step": does_nothing, "parameters": [(W1, B2), (W2, B2)]}, "do not form a network"),
        ({"step": does_nothing, "parameters": [object()]}, "is of type object; expected"),
        ({"step": does_nothing, "parameters": [(np.array([W1, W2], object), B1)]}, "expected"),
        ({"step": does_nothing, "parameters": [(W1 * np.nan, B1), (W2, B2)]}, "contains NaN or infinity before the first"),
        ({**class_in_place(""), "images": "row"}, "images='row' is unknown"),
        ({**class_in_place(""), "steps": 0}, "steps=0 is out of range"),
        ({**class_in_place(""), "optimizer": "sgd"}, "pass one such as mp.SGD(0.1)"),
        ({**class_in_place(""), "loss": "mse"}, "expected one of 'cross-entropy', 'squared-error'"),
        ({**class_in_place(""), "outputs": lambda x: (x, {})}, "pass outputs=lambda x: net.forward(x)[0]"),
        ({"step": does_nothing, "parameters": [np.zeros((21, 9)), np.zeros((10, 5))]}, "pass (W[:-1], W[-1])"),
        ({"step": does_nothing, "parameters": {"a": W1, "b": W2, "c": B2}}, "cannot tell weights from biases in a (20, 9)"),
        ({**class_in_place(""), "labels": "one-hot"}, "labels='one-hot' is unknown"),
        ({**class_in_place(""), "pixels": (1, 0)}, "is not a range"),
        ({**class_in_place(""), "returns": "losses"}, "returns='losses' is unknown"),
        ({**class_in_place(""), "returns": "loss"}, "returned None at call 0; expected loss"),
        ({**class_in_place(""), "gradients": [object()]}, "gradients[0] is of type object; expected"),
        ({**class_in_place(""), "activation": "relu6"}, "relu6"),
        ({**class_in_place(""), "activation": None}, "pass the argument activation, as in activation='relu': the network has"),
        ({**class_in_place(""), "gradient_form": "x"}, "argument 'gradient_form' is 'x'; expected one of: raw, summed"),
        ({**class_in_place(""), "gradient_form": "raw"}, "goes only with the argument gradients, which was not given"),
        ({**class_in_place(""), "log_epsilon": 1e-3, "log_clip": 0.1}, "arguments 'log_epsilon' and 'log_clip' exclude"),
        ({**class_in_place(""), "optimizer": mp.SGD([0.1] * 2)}, "'learning_rate' has 2 rates, but the check has 4 steps"),
        ({**class_in_place(""), "reduction": "avg"}, "'reduction' is 'avg'; expected one of: mean, sum"),
        ({**class_in_place(""), "accept": ["nothing"]}, "nothing"),
        ({"step": lambda p, x, y: None, "parameters": initial()}, "did not change in any step; return the new"),
    ],
)  # fmt: skip
def test_unusable_arguments_are_explained(arguments: Arguments, message: str) -> None:
    with pytest.raises(mp.Error) as raised:
        check(arguments)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labls": "onehot"}, "unknown argument 'labls'; did you mean 'labels'?"),
        ({"outpus": does_nothing}, "unknown argument 'outpus'; did you mean 'outputs'?"),
        ({"acivation": "relu", "activation": None}, "unknown argument 'acivation'; did you mean 'activation'?"),
        ({"weigths": "inputs-outputs", "parameters": [(np.eye(4), np.zeros(4))]}, "'weigths'; did you mean 'weights'?"),
        ({"lr": 0.1}, "unknown argument 'lr'; did you mean 'learning_rate'?"),
        ({"beta": 0.9, "optimizer": mp.Adam(0.1)}, "unknown argument 'beta'; did you mean 'beta2'?"),
        ({"learning_rate": 0.1}, "learning_rate=0.1 is an option of optimizers; pass it there, as in optimizer=mp.SGD(…"),
        ({"momentum": 0.9, "optimizer": mp.Adam(0.1)}, "momentum=0.9 is an option of optimizers; Adam has none"),
        ({"epsilon": 1e-7, "optimizer": mp.AdamW(0.1)}, "optimizer=mp.AdamW(…, epsilon=1e-07)"),
        ({"activation": np.tanh}, "activation=<ufunc 'tanh'> is not a name"),
        ({"gradients": "raw"}, "gradients='raw' is a text; expected gradients or a function; their form is declared as"),
        ({"returns": ["loss", "lss"]}, "returns='lss' is unknown"),
        ({"labels": np.ones(3)}, "labels is of type ndarray; expected one of 'integers', 'onehot'"),
        ({"loss": does_nothing}, "loss is of type function; expected one of 'cross-entropy'"),
        ({"weights": "columns"}, "weights='columns' is unknown"),
        ({"pixels": 255}, "pixels=255 is not a range"),
        ({"steps": 2.5}, "steps=2.5 is of type float; expected an integer"),
        ({"batch_size": 0}, "batch_size=0 is out of range; expected at least 1"),
        ({"seed": -1}, "seed=-1 is out of range"),
        ({"convert": "list"}, "convert='list' is of type str; expected a function"),
        ({"step": "train"}, "step is of type str; expected a function"),
    ],
)  # fmt: skip
def test_arguments_are_validated_before_step_is_called(arguments: Arguments, message: str) -> None:
    with pytest.raises(mp.Error) as raised:
        check({"step": fails, "parameters": initial(), **arguments})
    assert message in str(raised.value)


def test_dictionary_with_unknown_names_is_in_order() -> None:
    arrays = initial()
    params = dict(zip(["wh", "bh", "wout", "bout"], [arrays[0], arrays[1][None], arrays[2], arrays[3][None]], strict=True))

    def train(x: Any, y: Any) -> None:
        _, *gradients = rows(x, np.eye(5)[y], *params.values(), "")
        for value, gradient in zip(params.values(), gradients, strict=True):
            value -= 0.1 * gradient

    report = check({"step": train, "parameters": {**params, "rate": 0.1}})
    assert report.verdict == "agree", report


def one_output(form: Callable[[Any], Any]) -> Arguments:
    """Return a network with a sigmoid and binary cross-entropy, whose step passes its labels to `form`."""
    w1, b1, w2, b2 = (value[..., :1] if value.shape[-1] == 5 else value for value in initial())

    def train(x: Any, y: Any) -> None:
        h = np.maximum(x @ w1 + b1, 0)
        d2 = (1 / (1 + np.exp(-(h @ w2 + b2))) - form(y)) / len(x)
        d1 = d2 @ w2.T * (h > 0)
        for value, gradient in zip((w1, b1, w2, b2), (x.T @ d1, d1.sum(0), h.T @ d2, d2.sum(0)), strict=True):
            value -= 0.1 * gradient

    return {"step": train, "parameters": [(w1, b1), (w2, b2)], "loss": "binary-cross-entropy", "weights": "inputs-outputs"}


def test_labels_of_one_output_are_a_column() -> None:
    assert check({**one_output(lambda y: y[:, None]), "labels": "integers"}).verdict == "agree"
    assert check({**one_output(lambda y: y), "labels": "onehot"}).verdict == "agree"


def test_own_scaling_of_pixels_is_declared() -> None:
    params = initial()

    def train(x: Any, y: Any) -> None:
        _, *gradients = rows(x / 255, np.eye(5)[y], *params, "")
        for value, gradient in zip(params, gradients, strict=True):
            value -= 0.1 * gradient

    assert check({"step": train, "parameters": params, "pixels": (0, 255)}).diagnosis[0].kind == "data"
    report = check({"step": train, "parameters": params, "pixels": (0, 255), "scaled": lambda x: x / 255})
    assert report.verdict == "agree", report


@pytest.mark.parametrize("constant", [16, 32, 50, 64, 100])
def test_constant_number_of_images_is_noticed(constant: int) -> None:
    params = initial()

    def train(x: Any, y: Any) -> None:
        _, *gradients = rows(x, np.eye(5)[y], *params, "sum")
        for value, gradient in zip(params, gradients, strict=True):
            value -= 0.1 * gradient / constant

    assert check({"step": train, "parameters": params}).verdict == "disagree"


def test_update_that_comes_too_late_is_a_disagreement() -> None:
    params, velocities = initial(), [np.zeros_like(value) for value in initial()]

    def train(x: Any, y: Any) -> None:
        _, *gradients = rows(x, np.eye(5)[y], *params, "")
        for index, gradient in enumerate(gradients):
            params[index] += velocities[index]
            velocities[index] = 0.9 * velocities[index] - 0.1 * gradient

    report = check({"step": train, "parameters": lambda: params, "optimizer": mp.SGD(0.1, momentum=0.9)})
    assert report.verdict == "disagree"


def test_nan_is_a_disagreement() -> None:
    params = initial()

    def train(x: Any, y: Any) -> None:
        params[0][:] = np.nan

    assert mp.check_step(train, parameters=params, activation="relu", optimizer=mp.SGD(0.1)).verdict == "disagree"


def test_check_can_be_interrupted() -> None:
    random = np.random.default_rng(0)
    params = [random.normal(0, 0.05, shape) for shape in [(784, 48), (48,), (48, 10), (10,)]]
    trace = mp.check_step(lambda p, x, y: [value - 0.1 for value in p], parameters=params, activation="relu",
                          optimizer=mp.SGD(0.1), steps=1).trace  # fmt: skip
    began = time.monotonic()
    trace.check()
    duration = time.monotonic() - began
    timer = threading.Timer(duration / 4, _thread.interrupt_main)
    began = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        trace.check()
    assert time.monotonic() - began < duration


def test_demonstration_names_mistake_as_in_readme(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert "leaves out the derivative of the activation in layer1" in printed
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    shown = readme.split("$ python -m mlp_parity\n")[1].split("```")[0]
    # The sums of floating-point numbers differ between processors.
    printed, shown = (re.sub(r"\d+(\.\d+)?", "#", text) for text in (printed, shown))
    assert printed == shown


def test_program_checks_traces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, wrong = str(tmp_path / "good.npz"), str(tmp_path / "wrong.safetensors")
    check(class_in_place("")).save_trace(good)
    check(class_in_place("derivative")).save_trace(wrong)
    assert main([good]) == 0
    assert capsys.readouterr().out.startswith("verdict: agree\n")
    assert main([wrong, good]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith(f"{wrong}:\nverdict: disagree\n") and f"{good}:\nverdict: agree\n" in printed
    (tmp_path / "text.npz").write_bytes(b"text")
    assert main([str(tmp_path / "text.npz"), wrong]) == 2
    assert main([str(tmp_path / "none.npz")]) == 2
    assert "none.npz: No such file or directory\n" in capsys.readouterr().err
    for argument, code in [("--help", 0), ("--unknown", 2)]:
        with pytest.raises(SystemExit) as exit:
            main([argument])
        assert exit.value.code == code


def test_path_of_a_trace_is_validated_and_named_in_errors(tmp_path: Path) -> None:
    trace = check(class_in_place("")).trace
    with pytest.raises(mp.Error, match=r"trace\.txt; expected a name that ends with \.npz or \.safetensors"):
        trace.save(tmp_path / "trace.txt")
    (tmp_path / "folder.npz").mkdir()
    for path in [tmp_path / "none" / "trace.npz", tmp_path / "folder.npz"]:
        with pytest.raises(OSError) as raised:
            trace.save(path)
        assert raised.value.filename == str(path) and raised.value.filename2 is None
    assert [path.name for path in tmp_path.iterdir()] == ["folder.npz"]


def test_trace_has_the_permissions_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    check(class_in_place("")).save_trace(tmp_path / "trace.npz")
    assert (tmp_path / "trace.npz").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_trace_is_written_completely_or_not_at_all(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = check(class_in_place("")).trace
    trace.save(tmp_path / "trace.npz")
    written = (tmp_path / "trace.npz").read_bytes()

    def fails(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="no space left"):
        mp.Trace(trace.metadata).save(tmp_path / "trace.npz")
    assert (tmp_path / "trace.npz").read_bytes() == written
    assert [path.name for path in tmp_path.iterdir()] == ["trace.npz"]
