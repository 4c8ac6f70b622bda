"""Texts have the same bytes on every system: whoever opens one says its encoding, and its line ends where it writes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.paths import ROOT

IN_KERNELS = {"bootstrap.py", "checkout.py", "installed.py", "in_notebook.py", "session_script.py"}
"""They run where kernels run: on Linux."""


def _calls(file: Path) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            is_help = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "formatter"
            if not is_help:  # click's formatter of help has a method of that name
                yield node, name


def _modes(call: ast.Call, name: str) -> set[str]:
    """The letters of the modes in which a call opens a text file; empty if it opens none."""
    if name in ("read_text", "write_text"):
        return set(name[0])
    if name != "open":
        return set()
    texts = [each.value for each in ast.walk(call) if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    modes = [text for text in texts if text and set(text) <= set("rwxab+t")]
    return set() if any("b" in mode for mode in modes) else set("".join(modes)) or {"r"}


def test_every_text_file_says_what_it_is() -> None:
    """Else it would be cp1252 with CR LF on Windows."""
    found, wrong = 0, []
    for file in (*sorted((ROOT / "coordinator").rglob("*.py")), ROOT / "coord_log.py"):
        if file.name in IN_KERNELS:
            continue
        for call, name in _calls(file):
            modes = _modes(call, name)
            given = {each.arg for each in call.keywords}
            if not modes or (name == "open" and not given & {"encoding", "newline", "errors"} and modes == {"r"}):
                continue  # no text: an archive's member, a folder, a destination
            found += 1
            lacks = ({"encoding"} if name != "read_text" or len(call.args) == 0 else set()) - given
            lacks |= ({"newline"} if modes & set("wxa") else set()) - given
            if lacks:
                wrong.append(f"{file.relative_to(ROOT)}:{call.lineno}: {name} without {', '.join(sorted(lacks))}")
    assert not wrong, "\n".join(wrong)
    assert found > 40
