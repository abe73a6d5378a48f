"""The network in NumPy: float32, preallocated buffers, and matrix products by NumPy's BLAS (OpenBLAS)."""

import os
import time

from peer import LEARNING_RATE, SIZES, WEIGHT_DECAY, initial_weights, job, report

arguments = job()
# The BLAS reads these variables when NumPy is imported.
for variable in ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[variable] = str(arguments.threads)

import numpy as np  # noqa: E402

import mnist  # noqa: E402

ONE = np.float32(1)


class Network:
    """The network with its parameters, and buffers for a batch."""

    def __init__(self, batch_size, activation, generator):
        self.weights = initial_weights(generator)
        self.biases = [np.zeros(width, np.float32) for width in SIZES[1:]]
        self.gradients = [np.empty_like(values) for values in self.weights + self.biases]
        self.outputs = [np.empty((batch_size, width), np.float32) for width in SIZES[1:]]
        self.deltas = [np.empty_like(output) for output in self.outputs]
        self.derivatives = [np.empty_like(output) for output in self.outputs]
        self.activation = activation

    def forward(self, images, outputs):
        """Computes the outputs of all layers into `outputs` and returns the last, the logits."""
        values = images
        for index, (weight, bias, output) in enumerate(zip(self.weights, self.biases, outputs)):
            np.matmul(values, weight, out=output)
            output += bias
            if index + 1 < len(self.weights):
                if self.activation == "relu":
                    np.maximum(output, 0, out=output)
                elif self.activation == "tanh":
                    np.tanh(output, out=output)
                else:
                    np.negative(output, out=output)
                    np.exp(output, out=output)
                    output += ONE
                    np.reciprocal(output, out=output)
            values = output
        return values

    def step(self, images, labels):
        """Computes the gradients of the mean loss into `self.gradients` and returns the sum of the losses."""
        count = len(images)
        outputs = [output[:count] for output in self.outputs]
        deltas = [delta[:count] for delta in self.deltas]
        logits = self.forward(images, outputs)
        delta = deltas[-1]
        np.subtract(logits, logits.max(axis=1, keepdims=True), out=delta)
        picked = delta[np.arange(count), labels]
        np.exp(delta, out=delta)
        sums = delta.sum(axis=1, keepdims=True)
        loss = np.log(sums).sum() - picked.sum()
        delta /= sums
        delta[np.arange(count), labels] -= ONE
        delta /= np.float32(count)
        layers = len(self.weights)
        for index in reversed(range(layers)):
            below = images if index == 0 else outputs[index - 1]
            np.matmul(below.T, deltas[index], out=self.gradients[index])
            np.sum(deltas[index], axis=0, out=self.gradients[layers + index])
            if index > 0:
                np.matmul(deltas[index], self.weights[index].T, out=deltas[index - 1])
                self.multiply_by_derivative(below, deltas[index - 1], self.derivatives[index - 1][:count])
        return loss

    def multiply_by_derivative(self, values, delta, derivative):
        """Multiplies `delta` by the derivative of the activation, given its values. `derivative` is a buffer."""
        if self.activation == "relu":
            delta *= values > 0
        elif self.activation == "tanh":
            np.multiply(values, values, out=derivative)
            np.subtract(ONE, derivative, out=derivative)
            delta *= derivative
        else:
            np.subtract(ONE, values, out=derivative)
            derivative *= values
            delta *= derivative


class Sgd:
    """Plain gradient descent. Overwrites the gradients."""

    def update(self, parameters, gradients):
        for parameter, gradient in zip(parameters, gradients):
            gradient *= np.float32(LEARNING_RATE)
            parameter -= gradient


class Adam:
    """Adam with L2 weight decay, with preallocated buffers. Overwrites the gradients."""

    def __init__(self, parameters):
        zeros = lambda: [np.zeros_like(values) for values in parameters]
        self.first, self.second, self.buffers, self.steps = zeros(), zeros(), zeros(), 0

    def update(self, parameters, gradients):
        self.steps += 1
        corrections = 1 - 0.9**self.steps, 1 - 0.999**self.steps
        for parameter, g, m, v, buffer in zip(parameters, gradients, self.first, self.second, self.buffers):
            np.multiply(parameter, np.float32(WEIGHT_DECAY), out=buffer)
            g += buffer
            m *= np.float32(0.9)
            np.multiply(g, np.float32(0.1), out=buffer)
            m += buffer
            v *= np.float32(0.999)
            np.multiply(g, g, out=g)
            g *= np.float32(0.001)
            v += g
            np.sqrt(v, out=buffer)
            buffer *= np.float32(1 / np.sqrt(corrections[1]))
            buffer += np.float32(1e-8)
            np.divide(m, buffer, out=buffer)
            buffer *= np.float32(LEARNING_RATE / corrections[0])
            parameter -= buffer


def main():
    print(f"# NumPy {np.__version__}")
    images, labels, test, _ = mnist.load(arguments)
    generator = np.random.default_rng(0)
    network = Network(arguments.batch_size, arguments.activation, generator)
    parameters = network.weights + network.biases
    optimizer = Adam(parameters) if arguments.optimizer == "adam" else Sgd()
    buffer = np.empty((arguments.batch_size, SIZES[0]), np.float32)
    outputs = [np.empty((len(test), width), np.float32) for width in SIZES[1:]]
    seconds, inference, losses = [], [], []
    for _ in range(arguments.epochs):
        start = time.perf_counter()
        order = generator.permutation(len(images))
        loss = 0.0
        for first in range(0, len(images), arguments.batch_size):
            indices = order[first : first + arguments.batch_size]
            batch = np.take(images, indices, axis=0, out=buffer[: len(indices)], mode="clip")
            loss += network.step(batch, labels[indices])
            optimizer.update(parameters, network.gradients)
        seconds.append(time.perf_counter() - start)
        losses.append(float(loss) / len(images))
        start = time.perf_counter()
        network.forward(test, outputs).argmax(axis=1)
        inference.append(time.perf_counter() - start)
    report("one", seconds, inference, losses)


main()
