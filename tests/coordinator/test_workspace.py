"""A workspace: the target that a verb needs is there, is opened for a block, or is missed with a plain error."""

from __future__ import annotations

import pytest

from coordinator.errors import CredentialsError, TargetError
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.workspace import Workspace


def test_a_target_is_open_for_a_block(tiny: Project) -> None:
    """The project's own target where no name is given; the workspace itself stays without one."""
    with Ledger(tiny.ledger) as ledger:
        here = Workspace(tiny, ledger)
        with here.open_target(None) as there:
            assert (there.target.name, there.target.owner) == ("local", "ada")
            assert (there.project, there.ledger) == (tiny, ledger)
        assert here.opened is None
        with pytest.raises(RuntimeError, match="no open target"):
            _ = here.target


def test_a_target_that_cannot_be_opened(tiny: Project) -> None:
    """A name that is none, and Kaggle without credentials."""
    with Ledger(tiny.ledger) as ledger:
        here = Workspace(tiny, ledger)
        with pytest.raises(TargetError, match=r"no \[tool.coord.targets.moon\]"), here.open_target("moon"):
            pass
        with pytest.raises(CredentialsError), here.open_target("kaggle"):
            pass
