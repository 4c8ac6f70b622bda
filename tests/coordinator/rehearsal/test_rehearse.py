"""Kernels that are green on the visible data are rehearsed, with real sessions: what is said of each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coordinator.errors import TargetError
from coordinator.project.project import Project
from coordinator.target import local
from coordinator.target.kernel_ref import KernelRef
from tests.coordinator.command import Coord
from tests.coordinator.rehearsal.conftest import Register

# (what the rerun does besides, what is found, what of it is in the line)
FALSE_GREEN = [
    (
        '(DATA / "train.csv").read_text()',
        "files",
        ("only the visible data have train.csv", "any.py:8: FileNotFoundError: [Errno 2]", "needs"),
    ),
    (
        'import socket\nsocket.getaddrinfo("kaggle.invalid", 80)',
        "internet",
        ("it asks the internet for something", "any.py:8: socket.gaierror: [Errno"),
    ),
    (
        'Path("submission.csv").write_text("id,label\\nn0,0\\nn1,1\\nn2,0\\n")',
        "rows",
        ("has the rows of the visible data: 3 rows (n0, n1, n2)", "27 of the 30 hidden ids are missing, n3 first"),
    ),
    ('Path("submission.csv").unlink()', "file", ("Submission CSV Not Found", "There is no submission.csv.")),
    ("import time\ntime.sleep(60)", "time", ("Notebook Timeout", "ended after 1.8 s, its limit")),
    ("raise SystemExit(3)", "error", ("Notebook Threw Exception", "The script ended with exit code 3.")),
]


def _rehearse(coord: Coord, *options: str, code: int = 0) -> Any:
    return json.loads(coord.here("rehearse", "--exp", "any", "--json", *options, code=code).stdout)


@pytest.mark.parametrize(("again", "kind", "told"), FALSE_GREEN, ids=[each[1] for each in FALSE_GREEN])
def test_what_would_fail(parity: Coord, register: Register, again: str, kind: str, told: tuple[str, ...]) -> None:
    """One finding, of this kind, whose line has what happened, where, and what to do; exit code 1.

    All of it without a solution, too.
    """
    register("--time-limit", "0.0005" if kind == "time" else "9")
    (parity.root / "hidden" / "again.py").write_text(again)
    found = _rehearse(parity, code=1)
    assert [each["kind"] for each in found["findings"]] == [kind]
    (finding,) = found["findings"]
    line = f"{finding['what']} ({finding['evidence']}). {finding['remedy']}"
    for text in told:
        assert text in line
    assert found["fails"]
    assert found["public"] is None
    assert found["visible"]["rows"] == 3
    assert "not scored: the competition has no --solution here" in found["notes"]


def test_scores_and_times(parity: Coord, register: Register) -> None:
    """A kernel that passes is scored; with all of Kaggle's rows it may take too long all the same.

    The ledger has one run for all rehearsals, and no submission; the day's limit has none, either.
    """
    register("--solution", str(parity.root / "solution.csv"), "--daily-limit", "1")
    (parity.root / "hidden" / "again.py").write_text('try:\n    (DATA / "train.csv").open()\nexcept OSError:\n    pass')
    shown = parity.here("rehearse", "--exp", "any").stdout.splitlines()
    assert shown[0].startswith("visible  3 rows in ")
    assert shown[1].startswith("hidden   30 rows in ")
    assert shown[1].endswith(" s, of 12.0 h")
    assert shown[2].startswith("warning  it looks for train.csv, which only the visible data have, and goes on without")
    assert shown[3:] == ["any local-v1 passes in parity: public 1, private 1"]
    runs = json.loads(parity.here("status", "--json").stdout)
    assert [(run["experiment"], run["version"]) for run in runs] == [("any", 1)]
    assert json.loads(parity.here("scores", "--json").stdout)["submissions"] == []

    (parity.root / "hidden" / "again.py").write_text(
        'Path("submission.csv").write_text(Path("submission.csv").read_text().replace("n29,", "n28,"))'
    )
    found = _rehearse(parity, code=1)
    (finding,) = found["findings"]
    assert (finding["kind"], finding["what"]) == ("file", "the rerun's file has 30 rows (n0, n1, n2, ...)")
    assert finding["evidence"] == "1 of the 30 hidden ids are missing, n29 first"
    log = parity.here("local", "rerun-log", "ada/parity-any").stderr
    assert "rehearsal in parity, ada/parity-any/1: error after " in log
    assert "Submission Scoring Error" in log
    assert "submission.csv has no row for n29" in log


def test_what_is_missing(parity: Coord, register: Register) -> None:
    """A competition that is not known here, or not attached, is one message with what to do."""
    unknown = parity.here("rehearse", "--exp", "any", "--competition", "titanic", code=2).stderr
    assert "any does not read titanic, so its rerun would not see the hidden data" in unknown
    parity.here("local", "add-competition", "parity", "visible")
    hidden = parity.here("rehearse", "--exp", "any", code=2).stderr
    assert "the local Kaggle has no hidden data of parity" in hidden
    assert "coord local add-competition parity DATA --hidden DIR --code-only --solution FILE" in hidden
    register()
    needs = parity.here("rehearse", "--exp", "infer", code=1).stderr
    assert "infer needs train (weights): it has no run on local" in needs
    assert "coord rehearse --exp infer --with-needs" in needs


def test_a_rehearsal_that_is_interrupted(parity: Coord, register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the rerun and leaves nothing of it; one rehearsal of a kernel runs at a time.

    A competition that is only for rehearsals takes no submissions.
    """
    register()
    (parity.root / "hidden" / "again.py").write_text("import time\ntime.sleep(60)")
    second: list[str] = []

    def interrupted(project: Project, which: str) -> None:
        with pytest.raises(TargetError, match="ada/parity-any is being rehearsed already") as refused:
            local.start_rehearsal(project, KernelRef("ada", "parity-any", 1), "parity", "submission.csv")
        second.append(str(refused.value))
        raise KeyboardInterrupt

    monkeypatch.setattr(local, "rerun", interrupted)
    said = parity.here("rehearse", "--exp", "any", code=130).stderr
    assert "the rerun was ended; the same command begins it again" in said
    assert len(second) == 1
    assert list((parity.root / ".coord" / "local-kaggle" / "rehearsals").iterdir()) == []
    refused = parity.here("submit", "--exp", "any", code=1).stderr
    assert "takes no submissions" in refused
