"""Whether the image's Python can read the sources: syntax that is newer is refused, by file and line."""

from __future__ import annotations

import ast
import contextlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from coordinator.bundle.stdlib import minor
from coordinator.errors import BundleError

if TYPE_CHECKING:
    from coordinator.bundle.files import SourceFile

_HERE = sys.version_info[1]


def check_syntax_of(python: str, files: Sequence[SourceFile]) -> None:
    """Raises BundleError if a file, which the Python here can read, is too new for Python `python` ("3.12").

    It finds what the parser here can check by version (`feature_version`): match, except*, type parameters and their
    defaults, and what came later. It does not find the f-strings of 3.12 (PEP 701).
    """
    there = minor(python)
    if there >= _HERE:
        return
    for file in files:
        if file.is_python:
            _check(file, there)


def _check(file: SourceFile, there: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of invalid escapes, for example, which are shown when the program runs
        try:
            ast.parse(file.data, filename=file.path, feature_version=(3, there))
        except SyntaxError as error:
            line = f":{error.lineno}" if error.lineno else ""
            raise BundleError(
                f"{file.path}{line}: {error.msg}",
                hint=f"The Python 3.{_HERE} here reads it, the kernel's image has Python 3.{there}.",
            ) from error


@contextlib.contextmanager
def newer_syntax_explained(python: str) -> Iterator[None]:
    """An older Python here cannot read newer syntax at all: its error gets a hint that says so."""
    try:
        yield
    except BundleError as error:
        if isinstance(error.__cause__, SyntaxError) and minor(python) > _HERE:
            hint = (
                f"The Python 3.{_HERE} here cannot read it. If it is syntax of Python {python}, which the kernel's "
                "image has, run coord with that Python."
            )
            raise BundleError(error.what, hint=hint) from error.__cause__
        raise
