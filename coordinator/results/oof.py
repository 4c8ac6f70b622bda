"""Reads oof.csv: the out-of-fold value of one metric for each row (an image, say), and the fold that it was in."""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from coordinator.errors import TargetError
from coordinator.results.untrusted import number

if TYPE_CHECKING:
    from coordinator.results.table import Table

_OUT_OF_FOLD = ("", "cv", "oof")  # what a metric's name begins with
OOF_MAX = 1 << 28  # bytes
_LONGEST_CELL = 2**26  # characters; run lengths of a mask may exceed the 128 KiB that the csv module allows


@dataclass(frozen=True)
class OutOfFold:
    """The rows of one run."""

    folds: dict[str, str]
    """Image -> its fold, for every row."""
    values: dict[str, float]
    """Image -> its value, for the rows with a finite one; empty if there is no such column."""
    table: Table | None = None
    """The predictions, if they are scored as a whole."""
    are_folds_known: bool = True

    @functools.cached_property
    def assignment(self) -> str:
        """A digest that is equal for two runs with the same images in the same folds."""
        return hashlib.sha256(repr(sorted(self.folds.items())).encode()).hexdigest()


def read(file: Path, metric: str) -> OutOfFold | None:
    """The folds of all images, and their values of `metric`. None if there is no file, or no rows or folds in it.

    The first column is the image's id, `fold` its fold. The values of cv/dice are in the column dice; a metric that was
    not measured out of fold (holdout/dice) has no column. Raises TargetError if the file is no such table, or is too
    large to be read at once.
    """
    place, _, column = metric.rpartition("/")
    column = column if place in _OUT_OF_FOLD else ""
    try:
        with opened(file) as text:
            rows = csv.reader(text)  # DictReader takes twice as long, and reports read many files
            names = next(rows, [])
            places = {name: at for at, name in enumerate(names)}
            if "fold" not in places:
                return None
            first, fold, of_value = places[names[0]], places["fold"], places.get(column)
            least = max(first, fold, of_value or 0)
            folds: dict[str, str] = {}
            values: dict[str, float] = {}
            for row in filter(None, rows):
                if len(row) <= least:
                    row += [""] * (len(names) - len(row))
                image = row[first]
                if image in folds:
                    raise TargetError(f"{file} has two rows for {image}")
                folds[image] = row[fold]
                if of_value is not None:
                    value = number(float(row[of_value] or "nan"))
                    if value is not None:
                        values[image] = value
    except FileNotFoundError:
        return None
    return OutOfFold(folds, values) if folds else None


def cells(file: Path) -> list[list[str]]:
    """The rows of the file, its header first. Raises TargetError as `read` does, or if there is no file."""
    with opened(file) as text:
        return [row for row in csv.reader(text) if row]


@contextlib.contextmanager
def opened(file: Path) -> Iterator[TextIO]:
    """The file, for a reader of CSV, whose errors become a TargetError; but for that of a file that is not there."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        if (size := file.stat().st_size) > OOF_MAX:
            raise TargetError(f"{file} has {size:,} bytes: out-of-fold rows are read up to {OOF_MAX:,}")
        with file.open(encoding="utf-8", newline="") as text:
            yield text
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise TargetError(f"{file} cannot be read as out-of-fold rows: {error}") from error
    finally:
        csv.field_size_limit(before)
