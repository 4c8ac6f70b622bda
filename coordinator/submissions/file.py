"""Checks a submission's file against the competition's sample: columns, ids, number of rows, no missing values."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coordinator.errors import SubmissionError

_SHOWN = 5  # problems of a file
_NOT_A_VALUE = {"", "nan", "<na>", "null", "inf", "-inf"}


@dataclass(frozen=True)
class Form:
    """What a competition wants, as its sample shows it."""

    columns: tuple[str, ...]
    ids: Counter[str]
    """How many rows each id has."""
    odd: frozenset[tuple[int, str]]
    """(column from 0, value) of the missing values in the sample itself, which are allowed: empty masks, say."""


def form(sample: Path) -> Form:
    """The form that a sample submission shows. Raises SubmissionError if it is no CSV file with rows."""
    ids: Counter[str] = Counter()
    odd: set[tuple[int, str]] = set()
    rows = _rows(sample, f"the sample submission {sample.name}")
    _, columns = next(rows, (0, []))
    for _, row in rows:
        ids[row[0].strip()] += 1
        odd.update((place, value) for place, value in _odd(row))
    if not ids:
        raise SubmissionError(f"the sample submission {sample.name} has no rows")
    return Form(tuple(name.strip() for name in columns), ids, frozenset(odd))


def check(file: Path, expected: Form | None, *, name: str, several_rows: bool) -> None:
    """Raises SubmissionError, with the lines, if the competition would refuse the file.

    Without an expected form, only what is wrong in any competition is found. `several_rows`: an id may have more rows
    than the sample has.
    """
    found: list[str] = []
    count = 0
    for problem in _problems(file, expected, name, several_rows=several_rows):
        count += 1
        if count <= _SHOWN:
            found.append(f"  {problem}")
    if count > _SHOWN:
        found.append(f"  and {count - _SHOWN} more")
    if found:
        raise SubmissionError(
            f"{name} has {count} problem{'s' * (count != 1)}:\n" + "\n".join(found),
            hint="Nothing was submitted.",
        )


def _problems(file: Path, expected: Form | None, name: str, *, several_rows: bool) -> Iterator[str]:
    rows = _rows(file, name)
    line, header = next(rows, (1, []))
    columns = tuple(each.strip() for each in header)
    if not columns:
        yield "it is empty"
        return
    if expected is not None and columns != expected.columns:
        yield f"line {line}: the columns are {', '.join(columns)}, the sample has {', '.join(expected.columns)}"
        return
    seen: Counter[str] = Counter()
    for line, row in rows:
        if len(row) != len(columns):
            yield f"line {line}: {len(row)} values for {len(columns)} columns"
            continue
        each = row[0].strip()
        seen[each] += 1
        if expected is not None and each not in expected.ids:
            yield f'line {line}: "{each}" is not an id of the sample'
        elif expected is not None and seen[each] > expected.ids[each] and not several_rows:
            times = "more than once" if expected.ids[each] == 1 else f"more than {expected.ids[each]} times"
            yield f'line {line}: "{each}" is there {times}'
        for place, value in _odd(row):
            if expected is None or (place, value) not in expected.odd:
                yield f"line {line}: {columns[place]} is {value or 'empty'}"
    if not seen:
        yield "it has no rows"
    elif expected is not None:
        yield from _missing(seen, expected.ids)


def _odd(row: list[str]) -> Iterator[tuple[int, str]]:
    """(column, value) of each missing value."""
    for place, value in enumerate(row):
        plain = value.strip().lower()
        if plain in _NOT_A_VALUE:
            yield place, plain


def _missing(seen: Counter[str], expected: Counter[str]) -> Iterator[str]:
    missing = [each for each, times in expected.items() if seen[each] < times]
    if missing:
        first = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        yield f"{sum(seen.values()):,} rows, the sample has {sum(expected.values()):,}; missing: {first}"


def _rows(file: Path, name: str) -> Iterator[tuple[int, list[str]]]:
    """(line, values) of every row that is not blank. Raises SubmissionError."""
    csv.field_size_limit(sys.maxsize)  # a mask's run lengths can be long
    reader = None
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            for row in reader:
                if row:
                    yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{name} is not a CSV file: it is not UTF-8 text") from error
    except csv.Error as error:
        line = reader.line_num if reader is not None else 1
        raise SubmissionError(f"{name} is not a CSV file, after line {line}: {error}") from error
    except OSError as error:
        raise SubmissionError(f"{name} cannot be read: {error.strerror}") from error
