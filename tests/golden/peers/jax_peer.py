"""The network in JAX, on the CPU: an epoch is one compiled function that scans over the batches, and reuses the memory of the
parameters and of the optimizer's state.

It is measured in two variants, with and without unrolling the loop of the scan; the comparison uses the faster.
"""

import math
import os
import time

from peer import LEARNING_RATE, WEIGHT_DECAY, initial_weights, job, report

arguments = job()
# XLA reads these variables when it creates its CPU client. NPROC is the size of its thread pool, and so the number of threads
# that compute. The flag --xla_cpu_multi_thread_eigen=false, often recommended, does not limit them in JAX 0.10.
os.environ["NPROC"] = str(arguments.threads)
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

import mnist  # noqa: E402

# Number of batches in each iteration of the scan's loop.
UNROLL = {"scan": 1, "unrolled": 4}


def sgd(parameters, gradients, state):
    """Plain gradient descent."""
    return jax.tree.map(lambda parameter, gradient: parameter - LEARNING_RATE * gradient, parameters, gradients), state


def adam(parameters, gradients, state):
    """Adam with L2 weight decay. The state is the first moments, the second moments and the number of steps."""
    first, second, steps = state
    steps += 1
    gradients = jax.tree.map(lambda gradient, parameter: gradient + WEIGHT_DECAY * parameter, gradients, parameters)
    first = jax.tree.map(lambda m, gradient: 0.9 * m + 0.1 * gradient, first, gradients)
    second = jax.tree.map(lambda v, gradient: 0.999 * v + 0.001 * gradient**2, second, gradients)
    # In float32, 1 - 0.999**steps has a relative error of up to 2e-5, which optax accepts and the other peers avoid.
    corrections = [-jnp.expm1(steps * math.log(decay)) for decay in (0.9, 0.999)]
    rate = LEARNING_RATE / corrections[0]
    updated = lambda parameter, m, v: parameter - rate * m / (jnp.sqrt(v / corrections[1]) + 1e-8)
    return jax.tree.map(updated, parameters, first, second), (first, second, steps)


def forward(parameters, values):
    """Returns the logits."""
    function = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}[arguments.activation]
    for weight, bias in parameters[:-1]:
        values = function(values @ weight + bias)
    weight, bias = parameters[-1]
    return values @ weight + bias


def loss_of(parameters, images, labels):
    """Returns the mean loss."""
    logarithms = jax.nn.log_softmax(forward(parameters, images))
    return -jnp.take_along_axis(logarithms, labels[:, None], axis=1).mean()


def epoch_function(update, unroll):
    """Returns a compiled function that trains for one epoch and returns the parameters, the state and the sum of the losses."""

    def epoch(parameters, state, images, labels, order):
        def step(carried, indices):
            parameters, state = carried
            batch = [jnp.take(values, indices, axis=0, mode="clip") for values in (images, labels)]
            loss, gradients = jax.value_and_grad(loss_of)(parameters, *batch)
            return update(parameters, gradients, state), loss * len(indices)

        # All batches of a scan have the same size, so an incomplete last batch is a step of its own.
        full = len(order) - len(order) % arguments.batch_size
        batches = order[:full].reshape(full // arguments.batch_size, arguments.batch_size)
        carried, losses = jax.lax.scan(step, (parameters, state), batches, unroll=unroll)
        loss = losses.sum()
        if full < len(order):
            carried, last = step(carried, order[full:])
            loss += last
        return *carried, loss

    return jax.jit(epoch, donate_argnums=(0, 1))


def train(variant, images, labels, test):
    """Trains and classifies in one variant, and reports the times."""
    generator = np.random.default_rng(0)
    parameters = [(jnp.array(weight), jnp.zeros(weight.shape[1])) for weight in initial_weights(generator)]
    zeros = lambda: jax.tree.map(jnp.zeros_like, parameters)
    update, state = (adam, (zeros(), zeros(), 0)) if arguments.optimizer == "adam" else (sgd, ())
    epoch = epoch_function(update, UNROLL[variant])
    classify = jax.jit(lambda parameters, images: forward(parameters, images).argmax(1))
    seconds, inference, losses = [], [], []
    for _ in range(arguments.epochs + 1):
        start = time.perf_counter()
        order = generator.permutation(len(images)).astype(np.int32)
        parameters, state, loss = jax.block_until_ready(epoch(parameters, state, images, labels, order))
        seconds.append(time.perf_counter() - start)
        losses.append(loss.item() / len(images))
        start = time.perf_counter()
        classify(parameters, test).block_until_ready()
        inference.append(time.perf_counter() - start)
    # JAX compiles during the first epoch and the first inference, which do not count.
    report(variant, seconds[1:], inference[1:], losses)


def main():
    print(f"# JAX {jax.__version__}")
    images, labels, test, _ = map(jnp.array, mnist.load(arguments))
    for variant in arguments.variant or UNROLL:
        train(variant, images, labels, test)


main()
