"""What the peers have in common: the job, and the line that they print for it."""

import argparse
import json

SIZES = [784, 500, 250, 100, 10]
LEARNING_RATE = 0.01
WEIGHT_DECAY = 1e-4


def job():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True, help="folder with the four IDX files of MNIST")
    parser.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
    parser.add_argument("--activation", choices=["relu", "sigmoid", "tanh"], default="relu")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, help="only the first training images")
    parser.add_argument("--noise", action="store_true", help="Gaussian noise instead of the training images")
    parser.add_argument("--variant", action="append", help="this way of doing it alone; may be repeated")
    return parser.parse_args()


def report(variant, seconds, inference, loss):
    """Seconds of each epoch and of the inference on all test images, in turn; the last epoch's mean loss."""
    print(json.dumps({"variant": variant, "epochs": seconds, "inference": inference, "loss": float(loss)}))
