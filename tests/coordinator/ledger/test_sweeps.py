"""Which run counts as that of a sweep's member."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from coordinator.ledger.ledger import Ledger
from coordinator.ledger.sweeps import Member, Sweep, run_of
from coordinator.ledger.work import work_of
from coordinator.target.protocol import RunState
from tests.coordinator.sample_runs import BARE

RUN = dataclasses.replace(
    BARE,
    id="r1",
    experiment="base--s1",
    state=RunState.COMPLETE,
    version=1,
    files={"pack/train.py": "00"},
    config={"seed": 1},
    created_at="2026-11-02T00:00:00+00:00",
)
MEMBER = Member("base--s1", "base", ("seed=1",), whole="", work=work_of(RUN) or "")
SWEEP = Sweep("base--s2", "base", "local", is_repeat=False, created_at="2026-11-03T00:00:00+00:00", members=(MEMBER,))


@pytest.mark.parametrize(
    ("changes", "is_repeat", "counts"),
    [
        ({}, False, True),
        ({"files": {"pack/train.py": "11"}}, False, False),
        ({"config": {"seed": 2}}, False, False),
        ({"target": "kaggle"}, False, False),
        ({"experiment": "base--s2"}, False, False),
        ({}, True, False),
        ({"created_at": SWEEP.created_at}, True, True),
    ],
    ids=["same", "other files", "other config", "other target", "other name", "earlier than a repeat", "of a repeat"],
)
def test_a_run_of_the_same_work_is_the_members(
    ledger: Ledger, changes: dict[str, Any], is_repeat: bool, counts: bool
) -> None:
    """Another work under its name is another result: the sweep would compare what is not alike."""
    ledger.add(dataclasses.replace(RUN, **changes))
    found = run_of(ledger, dataclasses.replace(SWEEP, is_repeat=is_repeat), MEMBER)
    assert (found is not None) is counts


def test_a_merged_run_is_no_members(ledger: Ledger) -> None:
    """It has no kernel: its folds have been run."""
    ledger.add(RUN.as_merged())
    assert run_of(ledger, SWEEP, MEMBER) is None
