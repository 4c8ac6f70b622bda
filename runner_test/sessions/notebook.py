"""Notebooks: which are accepted, and the command that runs one."""

import importlib.util
import json
from pathlib import Path, PurePath
from typing import Final

PROGRAM: Final = str(Path(__file__).with_name("run_notebook.py"))
"""The program that runs a notebook. It is run by path, so the supervisor need not import it."""


def problem(source: str) -> str | None:
    """Why a notebook's JSON is refused, or None. Unlike the format, Kaggle wants a cell's source as one string."""
    try:
        cells = json.loads(source)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] in ("code", "markdown", "raw")]
    except (ValueError, KeyError, TypeError):
        return "The source is not a notebook."
    if not all(isinstance(text, str) for text in sources):
        return "The source of a notebook's cell must be one string."
    return None


def missing() -> str | None:
    """Which package is missing to run notebooks, as a sentence, or None."""
    for package in ("ipykernel", "jupyter_client"):
        if importlib.util.find_spec(package) is None:
            return f"The local Kaggle needs {package} to run notebooks: pip install 'coord[local,notebook]'"
    return None


def command(python: str, program: str, notebook: PurePath, working: PurePath) -> list[str]:
    """The command that runs a notebook with PROGRAM, which is at `program`.

    It writes the executed copy into the working directory, under Kaggle's name.
    """
    # -P: else the modules beside run_notebook.py would hide others with the same names.
    return [python, "-P", program, str(notebook), str(working / "__notebook__.ipynb")]


def as_text(source: str) -> str:
    """A notebook as text to read: its cells one below the other."""
    cells = json.loads(source)["cells"]
    return "\n\n".join(f"# %% [{cell['cell_type']}]\n{''.join(cell['source'])}" for cell in cells)
