"""Output that is larger, or has longer lines, than anything that is read should have.

Seen: found by trying it on coord: a metrics.json of 150 MB of `[],[],...` cost 11 GB to fetch, and each `coord status`
7.5 GB from then on; a log of 16 MB without the end of a line took 46 s.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.errors import RunFailed, TargetError
from coordinator.ledger.ledger import Ledger, connect
from coordinator.project.project import Project
from coordinator.report import material
from coordinator.results import oof
from coordinator.results.events import EVENTS_MAX, LINE_MAX, event_of, log_lines, read_events
from coordinator.results.oof import OOF_MAX
from coordinator.results.summary import read_summary
from coordinator.results.tracebacks import Sources
from coordinator.results.untrusted import JSON_MAX
from coordinator.sweeps.merged_output import merged_oof
from coordinator.target.protocol import LogRecord
from tests.coordinator.fetching import fetched
from tests.coordinator.sample_runs import ON_KAGGLE

MIB = 1 << 20


@pytest.mark.parametrize(
    "text",
    [
        "[" + "[]," * (2 * MIB) + "[]]",
        '{"run_id": "r7", "x": [' + "{}," * 250_000 + "{}]}",
        '{"run_id": "r7", "x": [' + "0," * 250_000 + "0]}",
        '{"run_id": "r7", ' + ",".join(f'"{at}":0' for at in range(250_000)) + "}",
        '{"run_id": "r7", "x": "' + "x" * JSON_MAX + '"}',
        '{"run_id": "r7"}' + " " * JSON_MAX,
    ],
    ids=["lists", "objects", "numbers", "names", "a text", "blanks"],
)
def test_a_large_metrics_json_stays_a_file(tiny: Project, ledger: Ledger, text: str) -> None:
    """It is said, the ledger stays small, and memory is a small multiple of what may be read."""
    content = text.encode()
    tracemalloc.start()
    try:
        found = fetched(tiny, ledger, {"metrics.json": content, "a.txt": b"a"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(content) + 16 * MIB
    assert {"metrics.json", "a.txt"} <= set(found.files)
    assert "it stays a file, and no metrics are read from it" in found.warnings[0]
    assert (found.run.summary, found.run.fetched_at is not None) == (None, True)
    row = ledger.statement("SELECT * FROM runs", {})[0]
    assert len(json.dumps(dict(row))) < 10_000


def test_a_ledger_that_has_a_large_summary_already(tiny: Project, ledger: Ledger) -> None:
    """An older coord took it in: the run counts as one without, and costs nothing."""
    ledger.add(ON_KAGGLE)
    connection = connect(tiny.ledger)
    connection.execute("UPDATE runs SET summary = ?", ("[" + "[]," * (2 * MIB) + "[]]",))
    connection.close()
    tracemalloc.start()
    try:
        assert ledger.get(ON_KAGGLE.id).summary is None
        assert tracemalloc.get_traced_memory()[1] < 32 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("piece", "count"),
    [("x" * 4096, 4096), ("x", 200_000), ("50%\r", 100_000), ("\x1b[", 100_000), ("y" * MIB, 16)],
    ids=lambda value: ascii(value)[:12],
)
def test_a_log_without_ends_of_lines(piece: str, count: int) -> None:
    """Twice as much takes about twice as long; a line is handed on in parts, before its end and without a gap."""

    def seconds(number: int) -> float:
        records = [LogRecord("stdout", 0.0, piece)] * number
        begun = time.process_time()
        lines = list(log_lines(records))
        took = time.process_time() - begun
        assert max(map(len, lines)) <= LINE_MAX
        if piece[0] in "xy":
            assert "".join(lines) == piece * number
        return took

    half, whole = seconds(count // 2), seconds(count)
    assert whole < 3.2 * half + 0.2


@pytest.mark.parametrize("piece", ["(/", "[/", " /", 'File "/', "/coord-", "(/coord-x/a"])
def test_a_long_line_with_paths(tmp_path: Path, piece: str) -> None:
    """The search for the sources that a line of a log names takes no longer than reading it."""
    begun = time.process_time()
    assert Sources(tmp_path, {"a.py": "0" * 64}).place("coord-" + piece * (LINE_MAX // len(piece))) is None
    assert time.process_time() - begun < 5


LONG_EVENT = json.dumps({"event": "epoch", "epoch": 1, "text": "x" * MIB})
MANY_METRICS = json.dumps({"event": "epoch", "metrics": {f"m{at}": 1 for at in range(50_000)}})


@pytest.mark.parametrize("line", [LONG_EVENT, MANY_METRICS, '{"event":' * 30_000], ids=["text", "metrics", "depth"])
def test_an_event_that_is_too_large(tmp_path: Path, line: str) -> None:
    """In the log it is a text like any other; in metrics.jsonl it counts as a line that cannot be read."""
    assert event_of(f"COORD {line}") is None
    file = tmp_path / "metrics.jsonl"
    file.write_text(f'{{"event": "epoch", "epoch": 1}}\n{line}\n{{"event": "epoch", "epoch": 2}}\n')
    found = list(read_events(file))
    assert [each.epoch for each in found if each] == [1, 2]
    assert None in found


def sparse(file: Path, start: bytes, size: int) -> Path:
    """A file of that size that takes no room."""
    with file.open("wb") as content:
        content.write(start)
        content.truncate(size)
    return file


def test_a_metrics_json_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    """Its size is known before: not one byte of it gets into memory."""
    file = sparse(tmp_path / "metrics.json", b"{}", JSON_MAX * 8)
    tracemalloc.start()
    try:
        with pytest.raises(TargetError, match=f"at most {JSON_MAX:,} are read"):
            read_summary(file)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def test_events_behind_the_first_part_of_the_file(tmp_path: Path) -> None:
    """A file of any size is read up to a limit, a part of a line at a time."""
    file = sparse(tmp_path / "metrics.jsonl", b'{"event": "epoch", "epoch": 1}\n', EVENTS_MAX * 4)
    tracemalloc.start()
    try:
        found = sum(event is not None for event in read_events(file))
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()
    assert found == 1


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (lambda file: oof.read(file, "cv/dice"), TargetError),
        (lambda file: merged_oof("base", [file.parent], frozenset()), RunFailed),
    ],
    ids=["compare", "merge"],
)
def test_a_large_oof(tmp_path: Path, read: Callable[[Path], object], error: type[Exception]) -> None:
    """It is not read: compare and merge say so, and the report goes without its rows."""
    file = sparse(tmp_path / "oof.csv", b"ImageId,fold,dice\na,0,0.5\n", OOF_MAX + 1)
    with pytest.raises(error):
        read(file)
    assert material._rows(file) == {}


@pytest.mark.parametrize("name", ["oof.csv", "metrics.jsonl"])
def test_a_fetch_says_what_is_not_read(
    tiny: Project, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """With the size and the limit."""
    monkeypatch.setattr("coordinator.results.review.OOF_MAX", 10)
    monkeypatch.setattr("coordinator.results.review.EVENTS_MAX", 10)
    found = fetched(tiny, ledger, {name: b"x" * 11})
    assert found.warnings == (f"{name} has 11 bytes, and is read up to 10: the rest is not used",)
