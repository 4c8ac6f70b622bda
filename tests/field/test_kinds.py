"""Each module of this folder names its kind of fault and where it was seen, and docs/reliability.md lists it."""

from __future__ import annotations

import pytest

from tests.field.kinds import kinds, table
from tests.paths import ROOT


@pytest.mark.parametrize("module", kinds())
def test_a_module_names_its_kind(module: str) -> None:
    kind, seen = kinds()[module]
    assert kind
    assert seen, f"{module}: its docstring needs a paragraph that begins with `Seen:`"


def test_the_documents_list_the_kinds() -> None:
    """`python -m tests.field.kinds` prints the table."""
    assert table() in (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
