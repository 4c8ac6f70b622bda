"""Parses sources as the image's Python would: syntax that is newer is refused, by file and line."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

from coordinator.errors import BundleError
from coordinator.stdlib import minor

if TYPE_CHECKING:
    from coordinator.bundle.sources import SourceFile

_HERE = sys.version_info[1]


def parse(source: SourceFile, python: str | None = None) -> ast.Module:
    """The module's tree. Raises BundleError if Python `python` ("3.12"; None: the one that runs here) cannot read it.

    A newer Python here refuses what an older one there does not know, as far as its parser tells versions apart
    (`feature_version`: match, except*, type parameters and their defaults, and later syntax; not the f-strings of PEP
    701). An older one here cannot read newer syntax at all, and the error says so.
    """
    there = _HERE if python is None else minor(python)
    try:
        # Without a version where none is needed: the parser is then the one that imports would use.
        return ast.parse(source.data, filename=source.path, feature_version=(3, there) if there < _HERE else None)
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise BundleError(f"{source.path}{line}: {error.msg}", hint=_hint(source, there)) from error
    except ValueError as error:
        raise BundleError(f"{source.path}: {error}") from error


def _hint(source: SourceFile, there: int) -> str | None:
    if there > _HERE:
        return (
            f"This Python 3.{_HERE} cannot read it. If it is syntax of Python 3.{there}, which the image has, "
            f"run coord with that Python."
        )
    if there < _HERE and _is_python(source):
        return f"Python 3.{_HERE} reads it, but the image has Python 3.{there}."
    return None


def _is_python(source: SourceFile) -> bool:
    try:
        ast.parse(source.data)
    except (SyntaxError, ValueError):
        return False
    return True
