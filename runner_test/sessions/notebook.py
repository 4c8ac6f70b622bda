"""What the local Kaggle knows about notebooks: which it takes, and what runs them."""

import importlib.util
import json
from pathlib import Path, PurePath
from typing import Final

PROGRAM: Final = str(Path(__file__).with_name("run_notebook.py"))
"""What runs a notebook; a session's process runs it and need not import it."""


def problem(source: str) -> str | None:
    """What is wrong with a notebook's JSON. A cell's source must be one string here, which the format doesn't ask."""
    try:
        cells = json.loads(source)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] in ("code", "markdown", "raw")]
    except (ValueError, KeyError, TypeError):
        return "The source is not a notebook."
    if not all(isinstance(text, str) for text in sources):
        return "The source of a notebook's cell must be one string."
    return None


def missing() -> str | None:
    """What has to be installed before notebooks can be run here."""
    for package in ("ipykernel", "jupyter_client"):
        if importlib.util.find_spec(package) is None:
            return f"The local Kaggle needs {package} to run notebooks: pip install 'coord[local,notebook]'"
    return None


def command(python: str, notebook: PurePath, working: PurePath) -> list[str]:
    """The command that runs a notebook; the executed copy goes into the working directory, under Kaggle's name."""
    # -P: or the modules beside run_notebook.py would be in the way of others with their names.
    return [python, "-P", PROGRAM, str(notebook), str(working / "__notebook__.ipynb")]


def as_text(source: str) -> str:
    """A notebook for people: its cells one below the other."""
    cells = json.loads(source)["cells"]
    return "\n\n".join(f"# %% [{cell['cell_type']}]\n{''.join(cell['source'])}" for cell in cells)
