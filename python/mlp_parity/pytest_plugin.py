"""The fixture `assert_parity` for pytest."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import Report
from . import assert_parity as _assert_parity


@pytest.fixture
def assert_parity() -> Callable[..., Report]:
    """Return the function `mlp_parity.assert_parity`."""
    return _assert_parity
