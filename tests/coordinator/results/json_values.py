"""Hypothesis strategies: any JSON, and objects that have some of the expected names."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON: st.SearchStrategy[Any] = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


def objects(*names: str) -> st.SearchStrategy[dict[str, Any]]:  # a strategy, as JSON is
    """Objects of any values below some of these names, which may be objects or lists of objects of such names."""
    keys = st.sampled_from(names)
    inner = JSON | st.dictionaries(keys, JSON, max_size=4)
    return st.dictionaries(keys, inner | st.lists(inner, max_size=3), max_size=len(names))
