"""References: owner/slug."""

from pathlib import Path

from hypothesis import given, strategies as st

from runner_test.errors import BadName
from runner_test.state import Reference


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_reference_never_leaves_its_folder(owner: str, slug: str) -> None:
    """Every accepted reference consists of two plain path components and parses from its own text."""
    try:
        reference = Reference.parse(f"{owner}/{slug}")
    except BadName:
        return
    assert Path("/root", reference.owner, reference.slug).resolve().parent.parent == Path("/root")
    assert Reference.parse(str(reference)) == reference
    assert str(reference) == f"{owner}/{slug}".lower()
