"""Batches that tell mistakes apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arguments import reject_unknown
from ._errors import Error

# Images, as rows, and their labels.
Batch = tuple[npt.NDArray[Any], npt.NDArray[Any]]

_LEVELS = 256

# Sizes of a batch that are tried in this order: none of them is a usual size, nor one of the network, so that a constant in
# place of the number of images shows.
_SIZES = (17, 19, 23, 29, 31, 37)


@dataclass(frozen=True)
class Form:
    """The form in which a function takes images and labels.

    Attributes
    ----------
    images : {"rows", "columns", "single"}
        `[images, inputs]`, `[inputs, images]`, or one image, `[inputs]`.
    labels : {"integers", "onehot"}
        Class indices, or vectors with a 1 at the class. If the network has one output, the vectors have one element, the label.
    pixels : tuple of float
        Lowest and highest value of a pixel.
    dtype : Any
        Type of the elements.
    """

    images: str
    labels: str
    pixels: tuple[float, float]
    dtype: Any

    def __post_init__(self) -> None:
        for name, allowed in [("images", ("rows", "columns", "single")), ("labels", ("integers", "onehot"))]:
            reject_unknown(name, getattr(self, name), allowed)
        try:
            low, high = self.pixels
            is_range = bool(low < high)
        except (TypeError, ValueError):
            is_range = False
        if not is_range:
            raise Error(f"pixels={self.pixels!r} is not a range; expected the lowest and the highest value, such as (0, 1)")

    def of(self, images: npt.NDArray[Any], labels: npt.NDArray[Any], outputs: int) -> tuple[Any, Any]:
        """Return copies of a batch in this form."""
        if self.labels == "integers":
            targets = labels.copy()
        elif outputs == 1:
            targets = labels.astype(self.dtype)[:, None]
        else:
            targets = np.eye(outputs, dtype=self.dtype)[labels]
        if self.images == "columns":
            return images.T.copy(), targets.T.copy()
        if self.images == "single":
            return images[0].copy(), targets[0].copy() if self.labels == "onehot" else int(targets[0])
        return images.copy(), targets


def generate(sizes: Sequence[int], steps: int, batch_size: int | None, form: Form, seed: int) -> list[Batch]:
    """Return seeded batches as rows of images, with integer labels.

    The images have dark and bright pixels, every class occurs where there are enough images, and the number of images
    differs from the sizes of the network, so that a division by a wrong number shows.
    """
    if batch_size is None:
        batch_size = 1 if form.images == "single" else next((size for size in _SIZES if size not in sizes), _SIZES[-1])
    if form.images == "single" and batch_size != 1:
        raise Error(f"batch_size={batch_size}, but images='single' takes one image at a time")
    random = np.random.default_rng(seed)
    low, high = form.pixels
    outputs = max(sizes[-1], 2)
    batches = []
    for _ in range(steps):
        levels = random.integers(0, _LEVELS, (batch_size, sizes[0])) * (random.random((batch_size, sizes[0])) < 0.6)
        images = (low + (high - low) * levels / (_LEVELS - 1)).astype(form.dtype)
        # The last class is rarer than the others.
        labels = random.permutation(np.arange(batch_size) % outputs)
        batches.append((images, labels))
    return batches
