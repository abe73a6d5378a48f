"""Traces: files with the inputs and results of a network, which `compare check --trace FILE` reads too."""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native
from ._errors import Error
from ._optimizers import Value
from ._report import Report

FORMAT = "mlp-parity-trace/2"

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8"}


class Trace:
    """The initial parameters, batches and results of a network.

    The names of tensors and metadata are those of the trace format: `initial.layer1.weight`, `batch.0.images`, `loss`,
    `gradient.layer1.weight`, `step.0.layer1.weight`; `activation`, `optimizer`, `learning_rate`, …

    Parameters
    ----------
    metadata : mapping, optional
        What the network computes: texts, numbers and booleans by key.
    tensors : mapping of array, optional
        The recorded arrays by name. They are copied.
    """

    def __init__(self, metadata: Mapping[str, Any] | None = None, tensors: Mapping[str, Any] | None = None) -> None:
        self.metadata: dict[str, Any] = {"format": FORMAT, **(metadata or {})}
        self.tensors: dict[str, npt.NDArray[Any]] = {}
        self.record("", tensors or {})

    def __setitem__(self, name: str, values: Any) -> None:
        """Record a copy of an array."""
        self.tensors[name] = np.array(values)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.tensors[name]

    def record(self, prefix: str, arrays: Mapping[str, Any]) -> None:
        """Record copies of several arrays, whose names begin with `prefix`: `initial.`, `gradient.` or `step.0.`."""
        for name, values in arrays.items():
            self[f"{prefix}{name}"] = values

    def __repr__(self) -> str:
        return f"<mlp_parity.Trace with {len(self.tensors)} arrays>"

    def to_bytes(self) -> bytes:
        """Return the contents of an `.npz` file with the trace."""
        entries: dict[str, Any] = {
            **self.tensors,
            **{key: np.array(_text(value)) for key, value in self.metadata.items()},
        }
        if "file" in entries:
            raise Error("unknown metadata key 'file'")
        objects = [name for name, values in entries.items() if values.dtype == object]
        if objects:
            raise Error(f"{objects[0]} is an array of Python objects; pass an array of numbers")
        buffer = io.BytesIO()
        np.savez(buffer, **entries)
        return buffer.getvalue()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trace to a file, whose name ends with `.npz` or `.safetensors`.

        Raises
        ------
        Error
            If the name ends with something else.
        """
        if Path(path).suffix not in (".npz", ".safetensors"):
            raise Error(f"cannot write a trace to {os.fspath(path)}; expected a name that ends with .npz or .safetensors")
        contents = self.to_bytes()
        if Path(path).suffix == ".safetensors":
            contents = _converted(contents)
        _write(Path(path), contents)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trace:
        """Read a trace from a safetensors, `.npz` or JSON file.

        Raises
        ------
        Error
            If the file is not a trace.
        """
        contents = _converted(Path(path).read_bytes())
        length = int.from_bytes(contents[:8], "little")
        header = json.loads(contents[8 : 8 + length])
        trace = cls(header.pop("__metadata__", {}))
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            data = contents[8 + length + start : 8 + length + end]
            if entry["dtype"] == "BF16":
                # NumPy has no such type; the upper half of a single-precision number is one.
                words = np.frombuffer(data, "<u2").astype("<u4") << 16
                values = words.view("<f4")
            else:
                values = np.frombuffer(data, _DTYPES[entry["dtype"]])
            trace[name] = values.reshape(entry["shape"])
        return trace

    def check(self, accept: Iterable[str] = ()) -> Report:
        """Compare every recorded number with a reference in double precision.

        Parameters
        ----------
        accept : iterable of str, optional
            Identifiers of explanations that are accepted as conventions.

        Raises
        ------
        Error
            If the trace is incomplete or contradicts itself.
        """
        return Report(_checked(self.to_bytes(), accept), self)


def check_trace(path: str | os.PathLike[str], accept: Iterable[str] = ()) -> Report:
    """Check a trace file of any format, as `compare check --trace` does.

    Raises
    ------
    Error
        If the file is not a trace.
    """
    return Report(_checked(Path(path).read_bytes(), accept), Trace.load(path))


def layer_names(count: int) -> list[str]:
    """Return the names of this many layers in a trace."""
    return [*(f"layer{number}" for number in range(1, count)), "output_layer"]


def activations(names: str | Sequence[str] | None) -> dict[str, Value]:
    """Return the metadata that declare the activations of the hidden layers.

    Raises
    ------
    Error
        If they are neither a name nor a sequence of names.
    """
    if names is None:
        return {}
    if isinstance(names, str):
        return {"activation": names}
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise Error(
            f"activation={names!r} is not a name; expected one such as 'relu', or a list with one for each hidden layer"
        )
    return {"activation": ",".join(names)}


def _write(path: Path, contents: bytes) -> None:
    """Write a file, which is complete or not changed at all."""
    temporary = path.with_name(f".mlp-parity-{secrets.token_hex(8)}")
    try:
        # A file of the module `tempfile` could be read only by its owner.
        with temporary.open("xb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.filename is not None:
            raise type(error)(error.errno, error.strerror, str(path)) from None
        raise


def _checked(contents: bytes, accept: Iterable[str]) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(_native.check(contents, list(accept)))
    except ValueError as error:
        raise Error(str(error)) from None
    return document


def _converted(contents: bytes) -> bytes:
    try:
        return _native.to_safetensors(contents)
    except ValueError as error:
        raise Error(str(error)) from None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, (bool, np.bool_)) else str(value)
