"""Merges the out-of-fold rows and the events of runs of single folds, as of one run of all folds."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from coordinator.errors import RunFailed, TargetError
from coordinator.results import event_in, oof

OOF, EVENTS = "oof.csv", "metrics.jsonl"


def merged_oof(whole: str, folders: Iterable[Path], of_all: frozenset[str]) -> str:
    """The rows of every oof.csv, sorted by the first column, each image once; the columns `of_all` are left blank."""
    header: list[str] = []
    rows: dict[str, list[str]] = {}
    for folder in folders:
        own, *found = _rows(whole, folder / OOF) or [[]]
        if header and own != header:
            raise RunFailed(
                f"{whole} cannot be merged: {folder.parent.name}/{OOF} has other columns than the first fold's"
            )
        header = own
        for row in found:
            if len(row) != len(header):
                raise RunFailed(f"{whole} cannot be merged: {folder.parent.name}/{OOF} has a row of {len(row)} cells")
            if row[0] in rows:
                raise RunFailed(
                    f"{whole} cannot be merged: {row[0]} is in two folds",
                    hint="Were the runs made with other seeds, or on other data?",
                )
            rows[row[0]] = ["" if name in of_all else value for name, value in zip(header, row, strict=True)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *(rows[name] for name in sorted(rows))])
    return text.getvalue()


def _rows(whole: str, file: Path) -> list[list[str]]:
    try:
        return oof.cells(file)
    except TargetError as error:
        raise RunFailed(f"{whole} cannot be merged: {error.what}") from error


def merged_events(folders: Sequence[Path]) -> str:
    """The lines of every metrics.jsonl, one fold's after the other's; their times are of their own sessions.

    Lines that are not JSON, and folds without the file, are left out.
    """
    lines = []
    for number, folder in enumerate(folders):
        try:
            own = (folder / EVENTS).read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            continue
        for line in own:
            event = event_in(line)
            # One run starts once and ends once.
            is_first, is_last = number == 0, number == len(folders) - 1
            if event is not None and (is_first or event.kind != "start") and (is_last or event.kind != "end"):
                lines.append(f"{line}\n")
    return "".join(lines)
