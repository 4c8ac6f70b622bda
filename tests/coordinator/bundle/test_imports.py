"""What a source may import, found without its tree."""

from __future__ import annotations

import pytest

from coordinator.bundle.imports import may_import_top_level


@pytest.mark.parametrize(
    ("source", "may"),
    [
        ("k = 1\nimport sympy  # k\n", False),
        ("from .k import x\n", False),
        ("import sympy, k\n", True),
        ("from k.part import (\n    x,\n)\n", True),
        ("import importlib\nname = importlib.import_module('k')\n", True),
        ("# coding: latin-1\nk = 1\n", True),
        ("k = 1\nimport µ\n", True),
    ],
)
def test_a_short_name_is_searched_in_statements(source: str, may: bool) -> None:
    """It stands in every source, and only those that may import it are worth a tree."""
    assert may_import_top_level(source.encode(), {"k"}) is may
