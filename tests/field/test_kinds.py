"""Each module of this folder names its kind of fault and where it was seen, and docs/reliability.md lists it."""

from __future__ import annotations

import pytest

from tests.field.kinds import FIELD, cases, cases_of, kinds, table
from tests.paths import ROOT


@pytest.mark.parametrize("module", kinds())
def test_a_module_names_its_kind(module: str) -> None:
    kind, seen = kinds()[module]
    assert kind
    assert seen, f"{module}: its docstring needs a paragraph that begins with `Seen:`"


def test_the_documents_list_the_kinds(request: pytest.FixtureRequest) -> None:
    """`python -m tests.field.kinds` prints the table."""
    chosen = request.config
    is_whole = any(FIELD.is_relative_to(ROOT / each) for each in chosen.args)
    is_whole = is_whole and not (chosen.option.keyword or chosen.option.markexpr)
    # To collect the folder in another process takes seconds, and this one has collected it already.
    collected = (item.path.stem for item in request.session.items if item.path.parent == FIELD)
    counted = cases_of(collected) if is_whole else cases()
    assert table(counted) in (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
