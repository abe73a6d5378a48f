"""Test of the notebook: its stored outputs are those that its cells print. It needs nbclient and ipykernel, without which it is
skipped, unless `MLP_PARITY_REQUIRE_FRAMEWORKS` is set."""

import copy
import importlib
import os
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "check_my_network.ipynb"

# If this environment variable is set, the outputs are stored in the notebook instead of being compared with it.
WRITE = "MLP_PARITY_WRITE_NOTEBOOK"

# The last digits of a number depend on the processor. A digit in a name, such as that of `layer1`, does not.
NUMBER = re.compile(r"(?<!\w)\d+(\.\d+)?(e[+-]\d+)?")


def words(notebook: Any) -> list[list[str]]:
    """Return the words that each code cell has printed, with `#` in place of numbers. The line breaks depend on the numbers."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    texts = ["".join(output["text"] for output in cell.outputs) for cell in cells]
    return [NUMBER.sub("#", text).split() for text in texts]


def test_stored_outputs_of_notebook_are_those_of_its_cells() -> None:
    load = importlib.import_module if os.environ.get("MLP_PARITY_REQUIRE_FRAMEWORKS") else pytest.importorskip
    nbclient, nbformat = load("nbclient"), load("nbformat")
    load("ipykernel")
    stored = nbformat.read(NOTEBOOK, as_version=4)
    executed = copy.deepcopy(stored)
    folder = {"metadata": {"path": str(NOTEBOOK.parent)}}
    nbclient.NotebookClient(executed, record_timing=False, coalesce_streams=True, resources=folder).execute()
    if os.environ.get(WRITE):
        executed.metadata = stored.metadata
        nbformat.write(executed, NOTEBOOK)
    else:
        assert words(executed) == words(stored), f"to store the outputs, set {WRITE}=1"
