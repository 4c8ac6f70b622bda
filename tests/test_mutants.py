"""The list of edits for `make mutants` fits the sources and the tests as they are."""

from __future__ import annotations

import ast
import functools

import pytest

from tests.mutants import LIST, mutants
from tests.paths import ROOT


@functools.cache
def _source(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@functools.cache
def _functions(path: str) -> set[str]:
    return {each.name for each in ast.walk(ast.parse(_source(path))) if isinstance(each, ast.FunctionDef)}


def test_every_line_of_the_list_still_applies() -> None:
    """Its old text is in its file once, the edited file can be compiled, and its tests exist."""
    listed = mutants(LIST.read_text(encoding="utf-8"))
    assert len({each.name for each in listed}) == len(listed) >= 60
    for each in listed:
        edited = each.edited(_source(each.path))
        if each.path.endswith(".py"):
            ast.parse(edited)
        for test in each.tests:
            path, _, name = test.partition("::")
            assert not name or name.partition("[")[0] in _functions(path), f"line {each.line}: there is no {test}"
        assert each.tests or each.why_equivalent


def test_the_documents_have_the_number_and_the_reasons() -> None:
    """How many edits there are, and why no test can notice some of them."""
    listed = mutants(LIST.read_text(encoding="utf-8"))
    document = _source("docs/reliability.md")
    assert f"There are {len(listed)} edits." in document
    for each in listed:
        assert not each.why_equivalent or f"- {each.name} (`{each.path}`)" in document


@pytest.mark.parametrize(
    "line",
    [
        "a name || a.py || old || new",
        "a name || a.py || old || old || tests/test_a.py",
        "a name || a.py || || new || tests/test_a.py",
        "a name || a.py || old || new ||",
    ],
)
def test_a_line_of_another_form_is_an_error(line: str) -> None:
    """It names the line."""
    with pytest.raises(ValueError, match="line 3: it has to be: name"):
        mutants(f"# a comment\n\n{line}\n")


def test_a_line_that_no_longer_applies_is_an_error() -> None:
    """The old text is gone, or it is there twice; a text that is there once is replaced."""
    (mutant,) = mutants("no lock || a.py || with lock: || if True: || tests/test_a.py tests/test_b.py::test_c")
    assert mutant.edited("with lock:\n    pass\n") == "if True:\n    pass\n"
    assert mutant.tests == ("tests/test_a.py", "tests/test_b.py::test_c")
    for source, times in (("pass\n", 0), ("with lock:\n    with lock:\n        pass\n", 2)):
        with pytest.raises(ValueError, match=f"line 1, no lock: a.py has its old text {times} times, not once"):
            mutant.edited(source)
