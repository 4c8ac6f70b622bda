"""Complete runs with a metric, and their submissions with scores, as values."""

from __future__ import annotations

import dataclasses
from typing import Any

from coordinator.ledger.run import Run
from coordinator.ledger.submissions import Submission
from coordinator.results.summary import Summary
from coordinator.target.competitions import SubmissionState
from coordinator.target.protocol import RunState
from tests.coordinator.sample_runs import BARE


def scored_run(number: int, cv: float | None, *, metric: str = "cv/dice", mode: str = "max") -> Run:
    """The complete run of this version, with this value of its primary metric; None: it left no summary."""
    return dataclasses.replace(
        BARE,
        id=f"{number:016x}",
        experiment="lr001_step4_with_a_long_name",
        target="kaggle",
        slug="siim",
        state=RunState.COMPLETE,
        version=number,
        summary=Summary.parse({"primary": {"name": metric, "mode": mode, "value": cv}}) if cv is not None else None,
    )


def submission(number: int, public: float | None, private: float | None = None, **changes: Any) -> Submission:
    """The submission of the run of this number, with its scores."""
    each = Submission(
        id=f"{number:08x}",
        run_id=f"{number:016x}",
        target="kaggle",
        competition="siim-acr-pneumothorax-segmentation",
        file_name="submission.csv",
        sha256="0" * 64,
        is_upload=False,
        description="",
        state=SubmissionState.COMPLETE,
        created_at=BARE.created_at,
        ref=12345670 + number,
        public=public,
        private=private,
    )
    return dataclasses.replace(each, **changes)
