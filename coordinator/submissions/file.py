"""Checks a submission's file against the competition's sample: columns, ids, number of rows, no missing values."""

from __future__ import annotations

import csv
import itertools
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from coordinator.errors import SubmissionError
from coordinator.submissions.values import Kind, Values

_SHOWN = 5  # problems of a file
_AT_ONCE = 50_000  # rows that are in memory


@dataclass(frozen=True)
class Form:
    """What a competition wants, as its sample shows it."""

    columns: tuple[str, ...]
    ids: Counter[str]
    """How many rows each id has."""
    numbers: frozenset[int]
    """The columns (from 0) that hold numbers: in the others, any text is a value."""
    odd: frozenset[tuple[int, Kind]]
    """What the sample itself has in a column, and is allowed there: missing values for empty masks, say."""


def form(sample: Path) -> Form:
    """The form that a sample submission shows. Raises SubmissionError if it is no CSV file with rows."""
    name = f"the sample submission {sample.name}"
    _, columns = next(_rows(sample, name), (0, []))
    numbers = _numbers(sample, name, len(columns))
    ids: Counter[str] = Counter()
    odd: set[tuple[int, Kind]] = set()
    for _, rows in _pieces(itertools.islice(_rows(sample, name), 1, None)):
        ids.update(row[0] for row in rows)
        whole = [row for row in rows if len(row) == len(columns)]
        odd.update((place, kind) for _, place, kind in (Values(whole).odd(numbers) if whole else ()))
    if not ids:
        raise SubmissionError(f"the sample submission {sample.name} has no rows")
    return Form(tuple(columns), ids, numbers, frozenset(odd))


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
    columns = tuple(header)
    if not columns:
        yield "it is empty"
        return
    if expected is not None and columns != expected.columns:
        yield f"line {line}: the columns are {', '.join(columns)}, the sample has {', '.join(expected.columns)}"
        return
    seen: Counter[str] = Counter()
    numbers = _numbers(file, name, len(columns)) if expected is None else expected.numbers
    for lines, piece in _pieces(rows):
        odd = _odd(piece, len(columns), numbers)
        for number, (line, row) in enumerate(zip(lines, piece, strict=True)):
            if len(row) != len(columns):
                yield f"line {line}: {len(row)} values for {len(columns)} columns"
                continue
            each = row[0]
            seen[each] += 1
            if expected is not None and each not in expected.ids:
                yield f'line {line}: "{each}" is not an id of the sample'
            elif expected is not None and seen[each] > expected.ids[each] and not several_rows:
                times = "more than once" if expected.ids[each] == 1 else f"more than {expected.ids[each]} times"
                yield f'line {line}: "{each}" is there {times}'
            for place, kind in odd.get(number, ()):
                # The sample's own ids are right, whatever they look like.
                if expected is None or (place and (place, kind) not in expected.odd):
                    about = f"{row[place]}, which is read as {kind}" if row[place] else "empty"
                    yield f"line {line}: {columns[place]} is {about}"
    if not seen:
        yield "it has no rows"
    elif expected is not None:
        yield from _missing(seen, expected.ids)


def _odd(rows: list[list[str]], width: int, numbers: Collection[int]) -> dict[int, list[tuple[int, Kind]]]:
    """By the row's number, (column, kind) of each value that is missing or infinite."""
    whole = [number for number, row in enumerate(rows) if len(row) == width]
    found = defaultdict[int, list[tuple[int, Kind]]](list)
    for at, place, kind in Values([rows[number] for number in whole]).odd(numbers) if whole else ():
        found[whole[at]].append((place, kind))
    return found


def _numbers(file: Path, name: str, width: int) -> frozenset[int]:
    """The columns of a file that hold numbers."""
    numbers = frozenset(range(width))
    for _, rows in _pieces(itertools.islice(_rows(file, name), 1, None)):
        whole = [row for row in rows if len(row) == width]
        numbers &= Values(whole).numbers() if whole else numbers
    return numbers


def _pieces(rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[list[int], list[list[str]]]]:
    """(lines, rows), some rows at a time."""
    while piece := list(itertools.islice(rows, _AT_ONCE)):
        yield [line for line, _ in piece], [row for _, row in piece]


def _missing(seen: Counter[str], expected: Counter[str]) -> Iterator[str]:
    missing = [each for each, times in expected.items() if seen[each] < times]
    if missing:
        first = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        yield f"{sum(seen.values()):,} rows, the sample has {sum(expected.values()):,}; missing: {first}"


def _rows(file: Path, name: str) -> Iterator[tuple[int, list[str]]]:
    """(line, stripped values) of every row that is not blank. Raises SubmissionError."""
    csv.field_size_limit(sys.maxsize)  # a mask's run lengths can be long
    reader = None
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            for row in reader:
                if row:
                    yield reader.line_num, [value.strip() for value in row]
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{name} is not a CSV file: it is not UTF-8 text") from error
    except csv.Error as error:
        line = reader.line_num if reader is not None else 1
        raise SubmissionError(f"{name} is not a CSV file, after line {line}: {error}") from error
    except OSError as error:
        raise SubmissionError(f"{name} cannot be read: {error.strerror}") from error
