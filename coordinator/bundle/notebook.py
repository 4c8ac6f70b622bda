"""A script as a notebook: the same text in cells, a markdown cell on top, and the cell that runs it all as a script.

The script is cut at its ruler lines (`# ---- path`). The cells joined are the script again, byte for byte, so a bundle
has the same digest in both types. By Jupytext's conventions (percent format) the notebook is a script, too: the one
cell that only a notebook needs is tagged `active-ipynb`.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from coordinator.bundle import in_notebook
from coordinator.errors import BundleError

_START = in_notebook.RULER + "coord's start"
_METADATA = {
    "jupytext": {
        # A line of a source that begins with "%" or "!" is text, no magic command to be commented out.
        "comment_magics": False,
        "text_representation": {"extension": ".py", "format_name": "percent"},
    },
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass(frozen=True)
class Notebook:
    """A notebook's cells, and its two texts."""

    cells: tuple[dict[str, Any], ...]

    def for_disk(self) -> str:
        """As Jupyter writes it: a list of lines for each cell, so that two versions differ line by line."""
        cells = [{**cell, "source": cell["source"].splitlines(keepends=True)} for cell in self.cells]
        return json.dumps(_document(cells), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def for_kaggle(self) -> str:
        """As Kaggle takes it: one string for each cell, which is shorter, too."""
        return json.dumps(_document(self.cells), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@functools.lru_cache(maxsize=1)  # a build needs its size, its file and what is sent
def notebook_of(script: str, *, title: str, experiment: str, about: str, command: str) -> Notebook:
    """The notebook of a rendered script. Raises BundleError if the template's script cannot be cut into cells."""
    pieces = _split(script)
    *above, start = pieces
    headings = [in_notebook.heading(piece) or "" for piece in pieces]
    if in_notebook.joined(pieces) != script or headings[-1] != _START or len(set(headings)) < len(headings):
        raise BundleError(
            "kernel.py.j2 does not make a script that can be cut into a notebook's cells",
            hint=f'It needs one empty line above each line that begins with "{in_notebook.RULER.strip()}", '
            f'and the line "{_START}" above its last statement.',
        )
    runner = Path(in_notebook.__file__).read_text(encoding="utf-8").strip()
    runner = f"{in_notebook.THIS}\n{runner}\n\nCELLS = {json.dumps(headings, indent=4, ensure_ascii=False)}"
    return Notebook(
        (
            _cell("markdown", "about", _cover(title, experiment, about, command)),
            *(_cell("code", heading, piece) for heading, piece in zip(headings, above, strict=False)),
            _cell("code", in_notebook.THIS, runner, tags=["active-ipynb"]),
            _cell("code", _START, start),
        )
    )


def script_in(source: str) -> str:
    """The script in a kernel's source: the source itself, or the joined cells of a notebook."""
    try:
        cells = json.loads(source)["cells"] if source.lstrip().startswith("{") else None
        texts = ["".join(cell["source"]) for cell in cells or [] if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        return source
    return source if cells is None else in_notebook.joined(in_notebook.pieces(texts).values())


def _split(script: str) -> list[str]:
    """The text between the ruler lines. A line like one inside a statement (in a source's text) does not count."""
    try:
        statements = ast.parse(script).body
    except SyntaxError as error:
        raise BundleError(f"kernel.py.j2 does not make a Python script: line {error.lineno}: {error.msg}") from error
    inside = {line for node in statements for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    lines = script.split("\n")
    rulers = [
        number
        for number, line in enumerate(lines)
        if number and line.startswith(in_notebook.RULER) and number + 1 not in inside
    ]
    return ["\n".join(lines[start:end]).rstrip("\n") for start, end in pairwise([0, *rulers, len(lines)])]


def _cell(kind: str, heading: str, source: str, *, tags: list[str] | None = None) -> dict[str, Any]:
    # A heading has the same id in every version, so that tools that compare notebooks match the cells.
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": hashlib.sha256(heading.encode("utf-8")).hexdigest()[:12],
        "metadata": {"tags": tags} if tags else {},
        "source": source,
    }
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell


def _document(cells: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}


def _cover(title: str, experiment: str, about: str, command: str) -> str:
    described = f"{_plain(' '.join(about.split()))}\n\n" if about.strip() else ""
    return f"""# {_plain(title)}

{described}The experiment `{experiment}`, made by {_code(command)}, not by hand: the same sources make \
the same cells.

The code cells, joined with an empty line between any two, are one Python script: its stamp and its config, each \
source file under its path, and the bootstrap, which unpacks the files and runs them. The digest in the stamp is the \
SHA-256 of the script without its first line. The cell *coord in a notebook* is not a part of it: it runs the script \
as a process of its own when the last cell is run. **Run All** does everything. A change of the config takes effect, \
and the log says that there was one."""


def _code(text: str) -> str:
    """Text as code in a line of markdown: between more backticks than it has in a row."""
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks} {text} {ticks}" if len(ticks) > 1 else f"`{text}`"


def _plain(text: str) -> str:
    """Text that markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$&-])", r"\\\1", text)
