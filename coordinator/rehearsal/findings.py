"""Judges what a rehearsal saw: each reason why the kernel would fail on Kaggle, with its evidence and a remedy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from coordinator.rehearsal.evidence import LastError, Rows


class FindingKind(StrEnum):
    """What is wrong."""

    FILES = "files"
    """It reads a file that only the visible data have."""
    INTERNET = "internet"
    ROWS = "rows"
    """It knows the visible rows: their number, or their ids."""
    TIME = "time"
    COMPUTE = "compute"
    """It needs more memory or disk than there is."""
    FILE = "file"
    """No submission file, or one that can't be scored."""
    GATEWAY = "gateway"
    """No inference server answered, or it was lost."""
    ERROR = "error"
    """The program ended with an error, for another reason."""
    HOST = "host"
    """The rehearsal itself failed: the gateway, say."""


_REMEDIES = {
    FindingKind.FILES: "read only what the hidden data have; make the rest in a run before, and attach that: needs",
    FindingKind.INTERNET: "attach what it downloads: coord data push, coord wheels, or the output of a run (needs)",
    FindingKind.ROWS: "take number and ids of the rows from the data that are mounted in the run",
    FindingKind.TIME: "predict faster, in larger batches, with fewer or smaller models, or on a GPU",
    FindingKind.COMPUTE: "keep less in memory and on disk at a time: predict in pieces",
    FindingKind.FILE: "write the file that the sample submission shows; --file names it, if not submission.csv",
    FindingKind.GATEWAY: "call the server's serve() when KAGGLE_IS_COMPETITION_RERUN is set, before long work",
    FindingKind.ERROR: "its log shows more; try it with other rows than the visible ones",
    FindingKind.HOST: "look at the competition's gateway and scorer",
}
# What Kaggle calls a failed rerun, in the order of its page of errors.
_KINDS = {
    "Notebook Timeout": FindingKind.TIME,
    "Notebook Threw Exception": FindingKind.ERROR,
    "Notebook Exceeded Allowed Compute": FindingKind.COMPUTE,
    "Notebook Inference Server Error": FindingKind.GATEWAY,
    "Notebook Inference Server Never Started": FindingKind.GATEWAY,
    "Submission CSV Not Found": FindingKind.FILE,
    "Submission Scoring Error": FindingKind.FILE,
    "Kaggle Error": FindingKind.HOST,
}


@dataclasses.dataclass(frozen=True)
class RehearsalFinding:
    """One reason why the kernel would fail, or might."""

    kind: FindingKind
    what: str
    evidence: str
    fails: bool = True
    """Whether the rehearsal fails because of it; else it is a warning."""

    @property
    def remedy(self) -> str:
        return _REMEDIES[self.kind]

    def __str__(self) -> str:
        """One line: what, evidence, what to do."""
        evidence = f" ({' '.join(self.evidence.split())})" if self.evidence else ""
        return f"{self.what}{evidence}. {self.remedy[0].upper()}{self.remedy[1:]}."

    def to_json(self) -> dict[str, Any]:
        return {"kind": str(self.kind), **_fields(self), "remedy": self.remedy}


def _fields(finding: RehearsalFinding) -> dict[str, Any]:
    return {"what": finding.what, "evidence": finding.evidence, "fails": finding.fails}


@dataclasses.dataclass(frozen=True)
class Session:
    """What was seen of the run on the visible data, or of the rerun on the hidden ones."""

    seconds: float | None
    wanted: Rows | None
    """The rows that the data ask for, from the sample submission; None if that is not known."""
    given: Rows | None
    """The rows of the file that it left; None without such a file, or if it is no CSV file."""
    error: LastError | None = None
    no_internet: str | None = None
    """A line of its log that a program without internet prints."""

    @property
    def rows(self) -> Rows | None:
        """The rows of its data, as far as they are known."""
        return self.wanted if self.wanted is not None else self.given

    def summary(self, *, failed: bool = False) -> str:
        """`30 rows in 1.4 s`, or `30 rows, failed after 1.4 s`."""
        rows = "rows not known" if self.rows is None else f"{len(self.rows)} row{'s' * (len(self.rows) != 1)}"
        if self.seconds is None:
            return rows
        return f"{rows}{', failed after' if failed else ' in'} {duration(self.seconds)}"


@dataclasses.dataclass(frozen=True)
class JudgedRerun:
    """The rerun, and how the local Kaggle judged it."""

    session: Session
    limit: float
    """Seconds that it may take."""
    failure: str
    """Kaggle's name for how it failed; "" if it did not."""
    detail: str
    """What Kaggle would not tell."""
    only_visible: tuple[str, ...]
    """Files that its log names, and that only the visible data have."""
    problems: str
    """What is not as in the hidden sample submission, one problem a line; "" if nothing is, or that is not known."""
    is_scored: bool


def of_run(session: Session, *, has_internet: bool, state: str) -> Iterator[RehearsalFinding]:
    """What the run on the visible data shows; `state` says how it ended, "" if it is complete."""
    if has_internet:
        yield RehearsalFinding(
            FindingKind.INTERNET,
            "it runs with the internet, which a code competition refuses and a rerun does not have",
            "enable_internet = true in [tool.coord.kernel], or in the experiment",
        )
    if not state:
        return
    if session.no_internet is not None:
        yield RehearsalFinding(
            FindingKind.INTERNET, "it asks the internet for something", _shown(session) or session.no_internet
        )
    else:
        yield RehearsalFinding(FindingKind.ERROR, f"the run on the visible data {state}", _shown(session))


def of_rerun(visible: Session, rerun: JudgedRerun, *, rows_of_kaggle: int | None = None) -> Iterator[RehearsalFinding]:
    """What the rerun on the hidden data shows; `rows_of_kaggle` is how many rows Kaggle's hidden data have."""
    if rerun.failure:
        yield _why_failed(visible, rerun)
    elif rerun.problems:
        yield _about_file(visible, rerun, rerun.problems, fails=not rerun.is_scored)
    if rerun.only_visible and not rerun.failure:
        names = ", ".join(rerun.only_visible)
        what = f"it looks for {names}, which only the visible data have, and goes on without"
        yield RehearsalFinding(FindingKind.FILES, what, "the log of the rerun", fails=False)
    yield from _time(visible, rerun, rows_of_kaggle)


def _why_failed(visible: Session, rerun: JudgedRerun) -> RehearsalFinding:
    kind, session, called = (
        _KINDS.get(rerun.failure, FindingKind.ERROR),
        rerun.session,
        f"the rerun fails: {rerun.failure}",
    )
    error, shown = session.error, _shown(session) or rerun.detail
    if kind is FindingKind.FILE and session.given is not None:
        return _about_file(visible, rerun, rerun.detail, fails=True)
    if kind is FindingKind.TIME:
        return RehearsalFinding(kind, called, f"it was ended after {duration(rerun.limit)}, its limit")
    if kind in (FindingKind.ERROR, FindingKind.GATEWAY):
        if rerun.only_visible:
            names = ", ".join(rerun.only_visible)
            return RehearsalFinding(FindingKind.FILES, f"{called}; only the visible data have {names}", shown)
        if session.no_internet is not None:
            return RehearsalFinding(FindingKind.INTERNET, f"{called}; it asks the internet for something", shown)
        counts = [len(each.rows) for each in (visible, session) if each.rows is not None]
        if error is not None and len(set(counts)) == 2 and error.names(*counts):
            return RehearsalFinding(
                FindingKind.ROWS, f"{called}; {counts[0]} rows are visible, and {counts[1]} hidden", shown
            )
    if kind is FindingKind.GATEWAY and error is not None:  # the program's own error explains the server
        kind = FindingKind.ERROR
    return RehearsalFinding(kind, called, shown)


def _about_file(visible: Session, rerun: JudgedRerun, problems: str, *, fails: bool) -> RehearsalFinding:
    """Rows of the visible data explain a file that is not as expected; else its problems are the evidence."""
    given, wanted, before = rerun.session.given, rerun.session.wanted, visible.given
    if given is None or wanted is None or before is None or not (lacking := given.lacking(wanted)):
        name = f"the rerun fails: {rerun.failure}" if rerun.failure else "the rerun's file is not as the hidden sample"
        return RehearsalFinding(FindingKind.FILE, name, first_of(problems), fails)
    missing = f"{len(lacking)} of the {len(wanted)} hidden ids are missing, {lacking[0]} first"
    if set(given.ids) == set(before.ids):
        what = f"the rerun's file has the rows of the visible data: {given}"
    elif len(given) == len(before):
        what = f"the rerun's file has as many rows as the visible run's: {given}"
    else:
        return RehearsalFinding(FindingKind.FILE, f"the rerun's file has {given}", missing, fails)
    return RehearsalFinding(FindingKind.ROWS, what, missing, fails)


def _time(visible: Session, rerun: JudgedRerun, rows_of_kaggle: int | None) -> Iterator[RehearsalFinding]:
    """Whether a rerun that was not ended by its limit would reach it with all rows, so far as that can be told."""
    if _KINDS.get(rerun.failure) is FindingKind.TIME:
        return
    hidden = len(rerun.session.rows) if rerun.session.rows is not None else None
    rows = rows_of_kaggle or hidden
    seconds = None if rows is None else expected_seconds(visible, rerun, rows)
    if seconds is not None and seconds > rerun.limit:
        what = f"{rows} rows would take about {duration(seconds)}, and a rerun may take {duration(rerun.limit)}"
        yield RehearsalFinding(FindingKind.TIME, what, _measured(visible, rerun), fails=not rerun.failure)


def expected_seconds(visible: Session, rerun: JudgedRerun, rows: int) -> float | None:
    """How long that many rows would take, if each takes as long as the next; None if that is not known.

    Two measured numbers of rows tell what does not depend on them, such as loading a model; nothing is known if more
    rows took no longer. If the rerun did not end well, only the visible run counts, and all its time is the rows'.
    """
    few, before = visible.rows, visible.seconds
    many, after = rerun.session.rows, rerun.session.seconds
    if not few or not before:
        return None
    if rerun.failure or not many or not after or len(many) <= len(few):
        return before * max(1.0, rows / len(few))
    if after <= before:
        return after if rows <= len(many) else None
    return after + (after - before) / (len(many) - len(few)) * (rows - len(many))


def _measured(visible: Session, rerun: JudgedRerun) -> str:
    told = [("visible", visible)] + ([] if rerun.failure else [("hidden", rerun.session)])
    return ", ".join(
        f"{len(each.rows)} {name} rows took {duration(each.seconds)}"
        for name, each in told
        if each.rows and each.seconds
    )


def first_of(problems: str) -> str:
    """The first of several lines, and how many more there are."""
    first, *others = problems.strip().splitlines() or [""]
    return f"{first.strip()}, and {len(others)} more" if others else first


def _shown(session: Session) -> str:
    return str(session.error) if session.error is not None else session.no_internet or ""


def duration(seconds: float) -> str:
    """1.3 s, 12 min, 2.5 h"""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
