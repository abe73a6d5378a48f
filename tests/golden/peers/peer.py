"""Shared by the peers: the command line that describes a job, the initial weights, and the JSON line with its result."""

import argparse
import json
import math

SIZES = [784, 500, 250, 100, 10]
LEARNING_RATE = 0.01
WEIGHT_DECAY = 1e-4


def job():
    """Parses the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True, help="folder with the four IDX files of MNIST")
    parser.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
    parser.add_argument("--activation", choices=["relu", "sigmoid", "tanh"], default="relu")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, help="number of training images [default: all]")
    parser.add_argument("--noise", action="store_true", help="replace the training images by Gaussian noise")
    parser.add_argument("--variant", action="append", help="run only this variant; may be repeated")
    return parser.parse_args()


def initial_weights(generator):
    """Returns the weights [inputs, outputs] of each layer, uniform after Glorot and Bengio, from a generator of NumPy.

    All peers draw them from `default_rng(0)`, and then the order of each epoch, so they all train on the same batches.
    """
    bound = lambda shape: math.sqrt(6 / sum(shape))
    return [generator.uniform(-bound(shape), bound(shape), shape).astype("float32") for shape in zip(SIZES, SIZES[1:])]


def report(variant, seconds, inference, losses):
    """Prints the result of a variant as JSON: the seconds of each epoch, the seconds of each inference on all test images, and
    the mean loss of each epoch, also of an epoch whose time does not count."""
    print(json.dumps({"variant": variant, "epochs": seconds, "inference": inference, "losses": losses}))
