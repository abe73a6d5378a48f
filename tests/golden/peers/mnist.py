"""Reads MNIST for the peers, as float32 values from 0 to 1 in one array, and makes the images of a job from it."""

import gzip
from pathlib import Path

import numpy as np

FILES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def read(folder, name):
    """Reads an IDX file, plain or with .gz, as an array of bytes."""
    path = Path(folder) / name
    data = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(name + ".gz").read_bytes())
    dimensions = data[3]
    shape = np.frombuffer(data, ">i4", dimensions, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def load(arguments):
    """Returns the job's training images [n, 784] and training labels, and all test images and test labels."""
    train, train_labels, test, test_labels = (read(arguments.data, name) for name in FILES)
    flat = lambda images: images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    train, train_labels = flat(train[: arguments.images]), train_labels[: arguments.images]
    if arguments.noise:
        train = np.random.default_rng(1).standard_normal(train.shape, dtype=np.float32)
    return train, train_labels.astype(np.int64), flat(test), test_labels.astype(np.int64)
