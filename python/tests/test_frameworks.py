"""Tests of the frameworks: sound models agree, and planted mistakes are named. A framework that is not installed is skipped,
unless `MLP_PARITY_REQUIRE_FRAMEWORKS` is set."""

import importlib
import os
from typing import Any

import numpy as np
import pytest

import mlp_parity as mp

if os.environ.get("MLP_PARITY_REQUIRE_FRAMEWORKS"):
    for framework in ("torch", "jax", "optax", "keras", "sklearn"):
        importlib.import_module(framework)


def named(report: mp.Report, *identifiers: str) -> None:
    """Assert that the report names one of these explanations."""
    assert report.verdict == "disagree", report
    assert report.diagnosis and report.diagnosis[0].id in identifiers, report


class TestTorch:
    @pytest.fixture(autouse=True)
    def framework(self) -> None:
        pytest.importorskip("torch")
        self.check = importlib.import_module("mlp_parity.torch").check

    def model(self, kind: str = "sequential") -> Any:
        import torch
        from torch import nn

        torch.manual_seed(0)

        class Custom(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.head = nn.Linear(9, 5)
                self.body = nn.Linear(20, 9)

            def forward(self, x: Any) -> Any:
                return self.head(torch.tanh(self.body(x)))

        sequential = nn.Sequential(nn.Flatten(), nn.Linear(20, 9), nn.ReLU(), nn.Linear(9, 7), nn.ReLU(), nn.Linear(7, 5))
        models = {"sequential": sequential, "custom": Custom(), "double": sequential.double()}
        return models[kind] if kind != "sequential" else sequential.float()

    @pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "NAdam", "Adamax", "RMSprop", "Adagrad"])
    @pytest.mark.parametrize("weight_decay", [0.0, 0.01])
    def test_optimizers_agree(self, name: str, weight_decay: float) -> None:
        import torch

        model = self.model()
        optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.01, weight_decay=weight_decay)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        state = str(optimizer.state_dict())
        report = self.check(model, optimizer)
        assert report.verdict == "agree", report
        assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
        assert str(optimizer.state_dict()) == state

    @pytest.mark.parametrize("kind", ["sequential", "custom", "double"])
    @pytest.mark.parametrize("loss", ["CrossEntropyLoss", "MSELoss", "BCEWithLogitsLoss"])
    def test_models_and_losses_agree(self, kind: str, loss: str) -> None:
        import torch

        model = self.model(kind)
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True)
        activation = "tanh" if kind == "custom" else None
        report = self.check(model, optimizer, loss=getattr(torch.nn, loss)(), activation=activation)
        assert report.verdict == "agree", report

    def test_compiled_model_agrees(self) -> None:
        import torch

        model = self.model()
        compiled = torch.compile(model, backend="eager")
        assert self.check(compiled, torch.optim.Adam(model.parameters(), 0.01)).verdict == "agree"

    def test_mistakes_are_named(self) -> None:
        import torch
        from torch.nn import functional

        def step(**mistakes: Any) -> Any:
            model = self.model()
            optimizer = torch.optim.SGD(model.parameters(), 0.1)

            def train_step(x: Any, y: Any) -> Any:
                if "accumulate" not in mistakes:
                    optimizer.zero_grad()
                logits = model(x)
                if "softmax" in mistakes:
                    logits = functional.softmax(logits, 1)
                loss = functional.cross_entropy(logits, y, reduction=mistakes.get("reduction", "mean"))
                loss.backward()
                if "clip" in mistakes:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), mistakes["clip"])
                if "rate" in mistakes:
                    for parameter in model.parameters():
                        parameter.grad *= mistakes["rate"]
                optimizer.step()
                if "decay" in mistakes:
                    with torch.no_grad():
                        for parameter in model.parameters():
                            parameter.mul_(1 - mistakes["decay"])
                return loss

            return self.check(model, optimizer, train_step=train_step)

        assert step().verdict == "agree"
        named(step(softmax=True), "softmax-twice")
        named(step(reduction="sum"), "another-reduction", "gradient-factor")
        named(step(clip=0.01), "undeclared-clipping")
        named(step(rate=10.0), "gradient-factor", "learning-rate-factor", "another-learning-rate")
        named(step(accumulate=True), "momentum-form", "gradients-accumulated", "another-momentum", "accumulated-gradients")

    def test_other_models_are_rejected(self) -> None:
        import torch
        from torch import nn

        for model, message in [
            (nn.Sequential(nn.Linear(20, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 5)), "BatchNorm1d"),
            (nn.Sequential(nn.Linear(20, 5), nn.Softmax(1)), "Softmax"),
            (nn.Sequential(nn.Linear(20, 9), nn.Dropout(0.5), nn.Linear(9, 5)), "set its p to 0"),
            (self.model("custom"), "name it with activation="),
        ]:
            with pytest.raises(mp.Error, match=message):
                self.check(model.eval(), torch.optim.SGD(model.parameters(), 0.1))
        model = self.model()
        with pytest.raises(mp.Error, match="LBFGS cannot be checked"):
            self.check(model, torch.optim.LBFGS(model.parameters()))


class TestJax:
    @pytest.fixture(autouse=True)
    def framework(self) -> None:
        pytest.importorskip("optax")
        self.check = importlib.import_module("mlp_parity.jax").check

    def arguments(self, mistake: str = "") -> tuple[Any, Any]:
        import jax
        import jax.numpy as jnp
        import optax

        random = np.random.default_rng(3)
        w1, b1, w2, b2 = (jnp.asarray(random.normal(0, 0.4, shape), "float32") for shape in [(20, 9), (9,), (9, 5), (5,)])

        def loss(params: Any, x: Any, y: Any) -> Any:
            h = jnp.maximum(x @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"], 0)
            if mistake == "stopped":
                h = jax.lax.stop_gradient(h)
            z = h @ params["Dense_1"]["kernel"] + params["Dense_1"]["bias"]
            if mistake == "softmax":
                z = jax.nn.softmax(z)
            losses = optax.softmax_cross_entropy_with_integer_labels(z, y)
            return losses.sum() if mistake == "sum" else losses.mean()

        return loss, {"Dense_0": {"kernel": w1, "bias": b1}, "Dense_1": {"kernel": w2, "bias": b2}}

    def test_optimizers_agree(self) -> None:
        import jax
        import optax

        loss, params = self.arguments()
        for optimizer, rule in [
            (optax.sgd(0.1), mp.SGD(0.1)),
            (optax.sgd(0.1, momentum=0.9), mp.SGD(0.1, momentum=0.9)),
            (optax.rmsprop(0.01), mp.RMSprop(0.01, alpha=0.9, epsilon_placement="inside-root")),
        ]:
            report = self.check(jax.jit(loss), params, optimizer, rule=rule, activation="relu")
            assert report.verdict == "agree", report

    def test_mistakes_are_named(self) -> None:
        import optax

        def report(mistake: str, optimizer: Any = None, rule: Any = None) -> mp.Report:
            loss, params = self.arguments(mistake)
            optimizer, rule = optimizer or optax.sgd(0.1), rule or mp.SGD(0.1)
            return self.check(loss, params, optimizer, rule=rule, activation="relu")

        named(report("softmax"), "softmax-twice")
        named(report("sum"), "another-reduction")
        named(report("", optax.sgd(0.1, momentum=0.9), mp.SGD(0.1)), "momentum-form", "undeclared-momentum", "another-momentum")
        named(report("", optax.sgd(1.0), mp.SGD(0.1)), "learning-rate-factor", "another-learning-rate")
        named(report("", optax.sgd(0.1), mp.SGD(0.1, momentum=0.9)), "momentum-missing", "plain-descent")
        assert report("stopped").verdict == "disagree"


class TestKeras:
    @pytest.fixture(autouse=True)
    def framework(self) -> None:
        if "KERAS_BACKEND" not in os.environ:
            os.environ["KERAS_BACKEND"] = "jax"
        pytest.importorskip("keras")
        self.check = importlib.import_module("mlp_parity.keras").check

    def model(self, optimizer: Any, loss: Any = None, output: str = "linear", **options: Any) -> Any:
        import keras

        keras.utils.set_random_seed(0)
        layers = keras.layers
        model = keras.Sequential(
            [
                keras.Input((4, 5)),
                layers.Flatten(),
                layers.Dense(9, activation="relu", **options),
                layers.Dense(5, activation=output, **options),
            ]
        )
        model.compile(optimizer=optimizer, loss=loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    @pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adamax", "RMSprop", "Adagrad"])
    def test_optimizers_agree(self, name: str) -> None:
        import keras

        model = self.model(getattr(keras.optimizers, name)(0.01))
        before = model.get_weights()
        report = self.check(model)
        assert report.verdict == "agree", report
        assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))

    def test_losses_agree(self) -> None:
        import keras

        for loss, output in [
            ("sparse_categorical_crossentropy", "softmax"),
            ("categorical_crossentropy", "softmax"),
            (keras.losses.CategoricalCrossentropy(from_logits=True), "linear"),
            ("mse", "linear"),
        ]:
            report = self.check(self.model(keras.optimizers.SGD(0.1, momentum=0.9), loss, output))
            assert report.verdict == "agree", report
        report = self.check(self.model("sgd", kernel_regularizer=keras.regularizers.L2(0.01)))
        assert report.verdict == "agree", report

    def test_mistakes_are_named(self) -> None:
        import keras

        def report(rule: dict[str, Any], optimizer: Any = None, **options: Any) -> mp.Report:
            return self.check(self.model(optimizer or keras.optimizers.SGD(0.1), **options), **rule)

        named(report({"learning_rate": 1.0}), "learning-rate-factor", "another-learning-rate")
        named(report({"activation": "tanh"}), "another-activation")
        named(report({"reduction": "sum"}), "another-reduction", "loss-reduction")
        named(report({"optimizer": "momentum", "momentum": 0.9}), "momentum-missing", "plain-descent")
        named(report({"label_smoothing": 0.1}), "label-smoothing", "another-loss")

    def test_other_models_are_rejected(self) -> None:
        import keras

        with pytest.raises(mp.Error, match="pass from_logits=True"):
            self.check(self.model("sgd", "sparse_categorical_crossentropy"))
        with pytest.raises(mp.Error, match="not compiled"):
            self.check(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))


class TestScikitLearn:
    @pytest.fixture(autouse=True)
    def framework(self) -> None:
        pytest.importorskip("sklearn")
        self.check = importlib.import_module("mlp_parity.sklearn").check

    def estimator(self, **options: Any) -> Any:
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(**{"hidden_layer_sizes": (9, 7), "random_state": 0, **options})

    @pytest.mark.parametrize("activation", ["relu", "logistic", "tanh", "identity"])
    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_solvers_agree(self, solver: str, activation: str) -> None:
        report = self.check(self.estimator(solver=solver, activation=activation, alpha=0.01, learning_rate_init=0.01))
        assert report.verdict == "agree", report

    def test_mistakes_are_named(self) -> None:
        def report(**declared: Any) -> mp.Report:
            options = {"solver": "sgd", "momentum": 0, "alpha": 0, "learning_rate_init": 0.1}
            return self.check(self.estimator(**options), **declared)

        assert report().verdict == "agree"
        named(report(learning_rate=1.0), "learning-rate-factor", "another-learning-rate")
        named(report(activation="tanh"), "another-activation")
        named(report(reduction="sum"), "another-reduction", "loss-reduction")
        named(report(optimizer="momentum", momentum=0.9), "momentum-missing", "plain-descent")
        named(report(label_smoothing=0.1), "label-smoothing", "another-loss")

    def test_lbfgs_is_rejected(self) -> None:
        with pytest.raises(mp.Error, match="lbfgs"):
            self.check(self.estimator(solver="lbfgs"))
