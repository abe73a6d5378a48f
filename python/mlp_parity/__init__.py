"""Checks whether a hand-written multi-layer perceptron computes the right gradients and updates.

If it does not, the mistake is named::

    import mlp_parity as mp

    report = mp.check_step(
        net.train_step,
        parameters=lambda: [(net.W1, net.b1), (net.W2, net.b2)],
        activation="relu",
        optimizer=mp.SGD(0.1),
    )
    print(report)
    report.raise_if_wrong()
"""

from ._errors import Error, ParityError
from ._optimizers import SGD, Adagrad, Adam, Adamax, AdamW, NAdam, Optimizer, RMSprop
from ._report import Explanation, Report
from ._step import assert_parity, check_step
from ._trace import Trace, check_trace

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Error",
    "Explanation",
    "NAdam",
    "Optimizer",
    "ParityError",
    "RMSprop",
    "Report",
    "Trace",
    "assert_parity",
    "check_step",
    "check_trace",
]
