"""Which top-level modules the standard library of a Python version has, told by whatever Python runs here.

`sys.stdlib_module_names` has those of the running version, and the package stdlibs those of all others: they agree with
what "What's New in Python" 3.12 to 3.14 says of public modules, have the private ones, too, and are kept up to date.
"""

from __future__ import annotations

import sys

from stdlibs import KNOWN_VERSIONS, stdlib_module_names

_KNOWN = sorted(int(version.partition(".")[2]) for version in KNOWN_VERSIONS if version.startswith("3."))


def standard_library(python: str) -> frozenset[str]:
    """Names that `import` finds in the standard library of Python `python` ("3.12"), or of the newest that is known."""
    there = minor(python)
    if there == sys.version_info[1]:
        return sys.stdlib_module_names
    return stdlib_module_names(f"3.{min(there, _KNOWN[-1])}")


def removed_in(module: str) -> str | None:
    """The first Python version from 3.12 on whose standard library no longer has the module; None if there is none."""
    for version in range(12, _KNOWN[-1] + 1):
        if module in stdlib_module_names(f"3.{version - 1}") and module not in stdlib_module_names(f"3.{version}"):
            return f"3.{version}"
    return None


def minor(python: str) -> int:
    """12 for "3.12" and for "3.12.13"."""
    return int(python.split(".")[1])
