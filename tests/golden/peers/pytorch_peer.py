"""The network in PyTorch: images in one tensor, batches gathered by index, losses read once per epoch.

It is measured in several variants that are known to be fast; the comparison uses the fastest.
"""

import time

import numpy as np
import torch

import mnist
from peer import LEARNING_RATE, WEIGHT_DECAY, initial_weights, job, report


def network(activation, weights):
    functions = {"relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh}
    layers = []
    for weight in weights:
        linear = torch.nn.Linear(*weight.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight).T)
            linear.bias.zero_()
        layers += [linear, functions[activation]()]
    return torch.nn.Sequential(*layers[:-1])


def optimizer(name, parameters, **options):
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=LEARNING_RATE, **options)
    return torch.optim.Adam(parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, **options)


def train(variant, arguments, images, labels, test):
    """Trains and classifies in one variant, and reports the times."""
    generator = np.random.default_rng(0)
    model = network(arguments.activation, initial_weights(generator))
    loss_of = torch.nn.CrossEntropyLoss()
    options = {"foreach": True} if variant == "foreach" else {"fused": True}
    update = optimizer(arguments.optimizer, model.parameters(), **options)

    def step(batch, labels):
        update.zero_grad(set_to_none=variant != "kept gradients")
        loss = loss_of(model(batch), labels)
        loss.backward()
        update.step()
        return loss.detach()

    if variant == "compiled":
        model.compile()
    seconds, inference, losses = [], [], []
    for epoch in range(arguments.epochs + (variant == "compiled")):
        start = time.perf_counter()
        order = torch.from_numpy(generator.permutation(len(images)))
        total = torch.zeros(())
        for indices in order.split(arguments.batch_size):
            total += step(images.index_select(0, indices), labels.index_select(0, indices)) * len(indices)
        losses.append(total.item() / len(images))
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        with torch.inference_mode():
            model(test).argmax(1)
        inference.append(time.perf_counter() - start)
    # The compiled variant compiles during its first epoch, which does not count.
    skipped = int(variant == "compiled")
    report(variant, seconds[skipped:], inference[skipped:], losses)


def main():
    arguments = job()
    torch.set_num_threads(arguments.threads)
    images, labels, test, _ = map(torch.from_numpy, mnist.load(arguments))
    print(f"# PyTorch {torch.__version__}")
    for variant in arguments.variant or ["fused", "foreach", "kept gradients", "compiled"]:
        try:
            train(variant, arguments, images, labels, test)
        except Exception as error:  # a machine without a compiler has no compiled variant
            print(f"# {variant}: {type(error).__name__}: {str(error).splitlines()[0]}", flush=True)


main()
