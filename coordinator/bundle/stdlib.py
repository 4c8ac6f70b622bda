"""Which top-level modules the standard library of a Python version has, told by the Python that runs here.

`sys.stdlib_module_names` speaks of the running version only; the public modules that came and went since 3.11 are a
table here, from "What's New in Python 3.12" to 3.14 (removed: PEP 594 and PEP 632; added: PEP 749 and PEP 784).
"""

from __future__ import annotations

import sys

_REMOVED: dict[int, frozenset[str]] = {
    12: frozenset({"asynchat", "asyncore", "distutils", "imp", "smtpd"}),
    13: frozenset(
        {
            *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib", "nis"),
            *("nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"),
        }
    ),
}
_ADDED: dict[int, frozenset[str]] = {14: frozenset({"annotationlib", "compression"})}


def standard_library(python: str) -> frozenset[str]:
    """Names that `import` finds in the standard library of Python `python` ("3.12")."""
    names, here, there = set(sys.stdlib_module_names), sys.version_info[1], minor(python)
    for version in range(here + 1, there + 1):
        names = (names - _REMOVED.get(version, frozenset())) | _ADDED.get(version, frozenset())
    for version in range(there + 1, here + 1):
        names = (names | _REMOVED.get(version, frozenset())) - _ADDED.get(version, frozenset())
    return frozenset(names)


def removed_in(module: str) -> str | None:
    """The Python version whose standard library no longer has the module, if it once had it."""
    return next((f"3.{version}" for version, names in _REMOVED.items() if module in names), None)


def minor(python: str) -> int:
    """12 for "3.12" and for "3.12.13"."""
    return int(python.split(".")[1])
