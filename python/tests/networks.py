"""Networks in twelve styles, each right, or with one of three mistakes: "sum", "derivative" or "order".

Every function returns the arguments of `mlp_parity.check_step`, as a user would write them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

import mlp_parity as mp

RATE = 0.1

Arguments = dict[str, Any]


def initial(dtype: Any = np.float64) -> list[Any]:
    random = np.random.default_rng(7)
    return [random.normal(0, 0.4, shape).astype(dtype) for shape in [(20, 9), (9,), (9, 5), (5,)]]


def softmax(z: Any, axis: int = 1) -> Any:
    e = np.exp(z - z.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def rows(x: Any, t: Any, w1: Any, b1: Any, w2: Any, b2: Any, mistake: str) -> tuple[Any, ...]:
    """Return the loss and the gradients for rows of images and one-hot labels. `order` is a mistake of the caller."""
    z1 = x @ w1 + b1
    h = np.maximum(z1, 0)
    p = softmax(h @ w2 + b2)
    d2 = (p - t) / (1 if mistake == "sum" else len(x))
    back = w2 - RATE * h.T @ d2 if mistake == "order" else w2
    d1 = d2 @ back.T
    if mistake != "derivative":
        d1 = d1 * (z1 > 0)
    loss = -np.log(np.maximum((p * t).sum(1), 1e-300)).mean()
    return loss, x.T @ d1, d1.sum(0), h.T @ d2, d2.sum(0)


def class_in_place(mistake: str) -> Arguments:
    class Net:
        def __init__(self) -> None:
            self.W1, self.b1, self.W2, self.b2 = initial()

        def train_step(self, x: Any, y: Any) -> None:
            _, dw1, db1, dw2, db2 = rows(x, np.eye(5)[y], self.W1, self.b1, self.W2, self.b2, mistake)
            self.W1 -= RATE * dw1
            self.b1 -= RATE * db1
            self.W2 -= RATE * dw2
            self.b2 -= RATE * db2

    net = Net()
    return {"step": net.train_step, "parameters": lambda: [(net.W1, net.b1), (net.W2, net.b2)]}


def class_with_new_arrays(mistake: str) -> Arguments:
    class Net:
        def __init__(self) -> None:
            self.params = dict(zip(["W1", "b1", "W2", "b2"], initial(), strict=True))

        def train_step(self, x: Any, t: Any) -> float:
            loss, *gradients = rows(x, t, *self.params.values(), mistake)
            self.params = {k: v - RATE * g for (k, v), g in zip(self.params.items(), gradients, strict=True)}
            return loss

    net = Net()
    return {"step": net.train_step, "parameters": lambda: net.params, "labels": "onehot", "returns": "loss"}


def columns(mistake: str) -> Arguments:
    w1, b1, w2, b2 = initial()
    weights, biases = [w1.T.copy(), w2.T.copy()], [b1[:, None].copy(), b2[:, None].copy()]

    def train_step(x: Any, t: Any) -> None:
        _, *gradients = rows(x.T, t.T, weights[0].T, biases[0].T, weights[1].T, biases[1].T, mistake)
        for index in (0, 1):
            weights[index] -= RATE * gradients[2 * index].T
            biases[index] -= RATE * gradients[2 * index + 1][:, None]

    return {
        "step": train_step, "parameters": lambda: (weights, biases), "images": "columns", "labels": "onehot",
    }  # fmt: skip


def functional(mistake: str) -> Arguments:
    def train_step(params: Any, x: Any, y: Any) -> Any:
        _, *gradients = rows(x, np.eye(5)[y], *params, mistake)
        return [value - RATE * gradient for value, gradient in zip(params, gradients, strict=True)]

    return {"step": train_step, "parameters": initial()}


def functional_with_loss(mistake: str) -> Arguments:
    def train_step(params: Any, x: Any, t: Any) -> Any:
        (w1, b1), (w2, b2) = params
        loss, dw1, db1, dw2, db2 = rows(x, t, w1, b1, w2, b2, mistake)
        return loss, [(w1 - RATE * dw1, b1 - RATE * db1), (w2 - RATE * dw2, b2 - RATE * db2)]

    w1, b1, w2, b2 = initial()
    return {
        "step": train_step, "parameters": [(w1, b1), (w2, b2)], "labels": "onehot", "returns": ("loss", "parameters"),
    }  # fmt: skip


def closure(mistake: str) -> Arguments:
    params = initial(np.float32)

    def train(x: Any, t: Any) -> Any:
        loss, *gradients = rows(x, t, *params, mistake)
        for value, gradient in zip(params, gradients, strict=True):
            value -= np.float32(RATE) * gradient
        return loss

    return {"step": train, "parameters": params, "labels": "onehot", "returns": "loss"}


def layer_objects(mistake: str) -> Arguments:
    class Dense:
        def __init__(self, w: Any, b: Any) -> None:
            self.w, self.b = w, b

    w1, b1, w2, b2 = initial()
    layers = [Dense(w1, b1[None]), Dense(w2, b2[None])]

    def fit_batch(x: Any, y: Any) -> None:
        one, two = layers
        _, *gradients = rows(x, np.eye(5)[y], one.w, one.b, two.w, two.b, mistake)
        for index, layer in enumerate(layers):
            layer.w = layer.w - RATE * gradients[2 * index]
            layer.b = layer.b - RATE * gradients[2 * index + 1][None]

    return {"step": fit_batch, "parameters": lambda: [(layer.w, layer.b) for layer in layers]}


def single_images(mistake: str) -> Arguments:
    params = initial()

    def learn(x: Any, label: int) -> None:
        t = np.eye(5)[[label]]
        # A batch of one has no mean, so this mistake is another factor.
        _, *gradients = rows(x[None], t, *params, "" if mistake == "sum" else mistake)
        for value, gradient in zip(params, gradients, strict=True):
            value -= RATE * gradient * (10 if mistake == "sum" else 1)

    return {"step": learn, "parameters": params, "images": "single"}


def nested_lists(mistake: str) -> Arguments:
    params = [value.tolist() for value in initial()]

    def train(x: Any, y: Any) -> None:
        arrays = [np.array(value) for value in params]
        _, *gradients = rows(np.array(x), np.eye(5)[y], *arrays, mistake)
        for index, gradient in enumerate(gradients):
            params[index] = (arrays[index] - RATE * gradient).tolist()

    return {"step": train, "parameters": lambda: params, "convert": np.ndarray.tolist}


def nested_dictionary(mistake: str) -> Arguments:
    w1, b1, w2, b2 = initial()
    net = {"layer1": {"weights": w1, "bias": b1}, "layer2": {"weights": w2, "bias": b2}}

    def train(x: Any, y: Any) -> None:
        flat = [net[layer][part] for layer in net for part in ("weights", "bias")]
        _, *gradients = rows(x, np.eye(5)[y], *flat, mistake)
        for value, gradient in zip(flat, gradients, strict=True):
            value -= RATE * gradient

    return {"step": train, "parameters": net}


def with_gradients(mistake: str) -> Arguments:
    class Net:
        def __init__(self) -> None:
            self.params = initial()
            self.grads: list[Any] = []

        def forward(self, x: Any) -> Any:
            w1, b1, w2, b2 = self.params
            return softmax(np.maximum(x @ w1 + b1, 0) @ w2 + b2)

        def backward(self, x: Any, t: Any) -> None:
            _, *self.grads = rows(x, t, *self.params, mistake)

        def update(self) -> None:
            for value, gradient in zip(self.params, self.grads, strict=True):
                value -= RATE * gradient

        def step(self, x: Any, t: Any) -> None:
            self.backward(x, t)
            self.update()

    net = Net()
    return {
        "step": net.step, "parameters": net.params, "gradients": lambda: net.grads, "outputs": net.forward,
        "labels": "onehot",
    }  # fmt: skip


def pixels_to_255(mistake: str) -> Arguments:
    params = [value / 255 if value.shape == (20, 9) else value for value in initial()]

    def train(x: Any, y: Any) -> Any:
        loss, *gradients = rows(x, np.eye(5)[y], *params, mistake)
        for index, gradient in enumerate(gradients):
            params[index] = params[index] - RATE * gradient
        return {"loss": loss}

    return {"step": train, "parameters": lambda: tuple(params), "pixels": (0, 255)}


STYLES: list[Callable[[str], Arguments]] = [
    class_in_place,
    class_with_new_arrays,
    columns,
    functional,
    functional_with_loss,
    closure,
    layer_objects,
    single_images,
    nested_lists,
    nested_dictionary,
    with_gradients,
    pixels_to_255,
]


def check(arguments: Arguments, **other: Any) -> mp.Report:
    return mp.check_step(**{"activation": "relu", "optimizer": mp.SGD(RATE), **arguments, **other})
