"""Reads the out-of-fold predictions that the settings describe, from CSV, parquet or npy files of a run's output.

What a program wrote is untrusted: sizes are checked before anything is read, and nothing of it is unpickled.
"""

from __future__ import annotations

import csv
import fnmatch
import importlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from coordinator.errors import DependencyError, TargetError, did_you_mean
from coordinator.project import OutOfFoldSettings
from coordinator.results.oof import OOF_MAX, OutOfFold, opened
from coordinator.results.readers.files import fold_of, natural
from coordinator.results.untrusted import number
from coordinator.text import clean

ROWS_MAX = 2_000_000
_PREDICTIONS_MAX = 1000
_CELLS_MAX = 10 * ROWS_MAX
_NAMES_SHOWN = 12
_DELIMITERS = ",;\t"
_TRUTHS = {"True": 1.0, "False": 0.0, "true": 1.0, "false": 0.0}

Column = Sequence[float | str]
"""Numbers, with NaN where there is none; or texts only, as names of classes are."""


@dataclass(frozen=True)
class Table:
    """Out-of-fold predictions: a row for each id."""

    ids: tuple[str, ...]
    folds: tuple[str, ...] | None
    """None if neither a column nor the names of the files say them."""
    targets: Column
    predictions: tuple[Column, ...]
    """One column, or one for each class."""

    @property
    def complete(self) -> tuple[int, ...]:
        """The rows, counted from 0, that have a target and every prediction."""
        columns = (self.targets, *self.predictions)
        return tuple(at for at in range(len(self.ids)) if all(_is_there(column[at]) for column in columns))

    def as_out_of_fold(self) -> OutOfFold:
        """Its ids and folds, as a comparison reads them."""
        folds = self.folds or ("",) * len(self.ids)
        return OutOfFold(dict(zip(self.ids, folds, strict=True)), {}, self, are_folds_known=self.folds is not None)


@dataclass
class _Cells:
    """The cells of one file or of several, as they are written there."""

    ids: list[Any]
    folds: list[Any]
    targets: list[Any]
    predictions: list[list[Any]]


@dataclass(frozen=True)
class _Columns:
    """A file: its columns' names, how many rows it has if that is known, and what reads some of them, by number."""

    names: Sequence[str]
    rows: int | None
    read: Callable[[Sequence[int]], list[list[Any]]]


def read_table(folder: Path, settings: OutOfFoldSettings) -> Table | None:
    """The table that the settings describe; None if the output has no such file.

    Raises TargetError if it is no such table, or too large; DependencyError if what reads it is not installed.
    """
    found = (path for path in folder.glob(settings.file) if path.is_file() and not path.is_symlink())
    files = sorted(found, key=natural)
    if not files:
        return None
    all_cells = _Cells([], [], [], [])
    for file in files:
        _add(all_cells, _cells(folder, file, settings, counted=len(all_cells.targets)), file)
    ids = tuple(map(str, all_cells.ids))
    id_, count = Counter(ids).most_common(1)[0] if ids else ("", 0)
    if count > 1:
        raise TargetError(
            f'{settings.file} has {count} rows for {settings.id or "the row"} "{clean(id_)}"',
            hint="The id tells the rows apart: id in [tool.coord.metrics.oof].",
        )
    return Table(
        ids,
        tuple(map(str, all_cells.folds)) if len(all_cells.folds) == len(ids) else None,
        _column(all_cells.targets),
        tuple(map(_column, all_cells.predictions)),
    )


def _add(to: _Cells, more: _Cells, file: Path) -> None:
    if to.predictions and len(to.predictions) != len(more.predictions):
        raise TargetError(f"{file} has {len(more.predictions)} columns of predictions, others {len(to.predictions)}")
    to.ids += more.ids
    to.folds += more.folds
    to.targets += more.targets
    before = to.predictions or [[] for _ in more.predictions]
    to.predictions = [old + new for old, new in zip(before, more.predictions, strict=True)]
    _check_size(file, len(to.ids), len(to.predictions))


def _cells(folder: Path, file: Path, settings: OutOfFoldSettings, *, counted: int) -> _Cells:
    """What one file has of the table. `counted` rows come before it."""
    opening = _OPENING.get(file.suffix.lower())
    if opening is None:
        raise TargetError(f"{file} is of no kind that is read: {' '.join(_OPENING)}")
    if (size := file.stat().st_size) > OOF_MAX:
        raise TargetError(f"{file} has {size:,} bytes: out-of-fold rows are read up to {OOF_MAX:,}")
    try:
        return _chosen(folder, file, opening(file), settings, counted)
    except (OSError, ValueError, EOFError) as error:  # pyarrow's own errors are ValueErrors
        raise TargetError(f"{file} cannot be read as out-of-fold rows: {clean(str(error))}") from error


def _chosen(folder: Path, file: Path, columns: _Columns, settings: OutOfFoldSettings, counted: int) -> _Cells:
    """The columns that the settings name."""
    names = columns.names
    if columns.rows is not None:
        _check_size(file, columns.rows, 1)
    predictions = _named(file, "prediction", settings.prediction, names)
    _check_size(file, columns.rows or 0, len(predictions))
    wanted = list(predictions)
    other = folder / settings.target if settings.target.endswith(".npy") and settings.target not in names else None
    if other is None:
        wanted += _named(file, "target", settings.target, names)
    fold = "fold" if settings.fold is None and "fold" in names else settings.fold
    wanted += _named(file, "fold", fold, names) if fold is not None else []
    # Without a column that has no name, the rows are counted.
    has_ids = settings.id != "" or "" in names
    wanted += _named(file, "id", settings.id, names) if has_ids else []
    cells = columns.read(wanted)
    rows = len(cells[0])
    ids = cells.pop() if has_ids else list(range(counted, counted + rows))
    by_name = fold_of(Path(file.name))
    folds = cells.pop() if fold is not None else [] if by_name is None else [by_name] * rows
    targets = cells.pop() if other is None else _whole_file(other, rows)
    return _Cells(ids, folds, targets, cells)


def _named(file: Path, setting: str, wanted: str | Sequence[str], names: Sequence[str]) -> list[int]:
    """The columns of that name, or those that match the shell patterns, in the file's order."""
    patterns = [wanted] if isinstance(wanted, str) else list(wanted)
    exact = [names.index(pattern) for pattern in patterns if pattern in names]
    matched = [at for at, name in enumerate(names) if any(fnmatch.fnmatchcase(name, each) for each in patterns)]
    found = sorted({*exact, *matched}) if setting == "prediction" else exact[:1]
    if not found:
        listed = ", ".join(clean(name) or '""' for name in names[:_NAMES_SHOWN])
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        near = did_you_mean(patterns[0], names) if patterns else ""
        raise TargetError(
            f'{file} has no column "{" or ".join(patterns)}"{near}; its columns are {listed}{more}',
            hint=f"{setting} in [tool.coord.metrics.oof] names it.",
        )
    return found


def _check_size(file: Path, rows: int, predictions: int) -> None:
    if rows > ROWS_MAX or predictions > _PREDICTIONS_MAX or rows * predictions > _CELLS_MAX:
        raise TargetError(
            f"{file} has {rows:,} rows with {predictions:,} columns of predictions: out-of-fold rows are read up to "
            f"{ROWS_MAX:,}, with {_CELLS_MAX:,} predictions"
        )


def _csv(file: Path) -> _Columns:
    def read(wanted: Sequence[int]) -> list[list[Any]]:
        cells: list[list[Any]] = [[] for _ in wanted]
        with opened(file) as text:
            for at_row, row in enumerate(_rows(text)):
                if at_row == 0:
                    continue
                if len(row) <= max(wanted):
                    raise TargetError(f"{file} has {len(row)} cells in row {at_row}, and {len(names)} in its header")
                for at, column in zip(wanted, cells, strict=True):
                    column.append(row[at])
                if at_row % 100_000 == 0:
                    _check_size(file, at_row, len(wanted))
        return cells

    with opened(file) as text:
        names = [name.strip().removeprefix("\ufeff") for name in next(_rows(text), [])]
    return _Columns(names, None, read)


def _rows(text: TextIO) -> Iterator[list[str]]:
    """The rows, with the separator that the header has most of."""
    header = text.readline()
    text.seek(0)
    delimiter = max(_DELIMITERS, key=header.count)
    return (row for row in csv.reader(text, delimiter=delimiter, skipinitialspace=True) if row)


def _parquet(file: Path) -> _Columns:
    source = _library("pyarrow.parquet", file).ParquetFile(file)
    names = list(source.schema_arrow.names)
    # pandas writes an index without a name like this.
    shown = ["" if name == "__index_level_0__" else name for name in names]

    def read(wanted: Sequence[int]) -> list[list[Any]]:
        table = source.read(columns=list(dict.fromkeys(names[at] for at in wanted)))
        return [table.column(names[at]).to_pylist() for at in wanted]

    return _Columns(shown, source.metadata.num_rows, read)


def _npy(file: Path) -> _Columns:
    """A structured array has columns with names; those of any other are 0, 1, ..."""
    array = _library("numpy", file).load(file, allow_pickle=False, mmap_mode="r")
    if array.dtype.names is not None and array.ndim == 1:
        names = list(array.dtype.names)
        return _Columns(names, len(array), lambda wanted: [array[names[at]].tolist() for at in wanted])
    if array.dtype.names is not None or array.ndim not in (1, 2):
        raise TargetError(f"{file} has the shape {array.shape}: a table has rows and columns")
    table = array if array.ndim == 2 else array[:, None]
    numbers = [str(at) for at in range(table.shape[1])]
    return _Columns(numbers, len(table), lambda wanted: [table[:, at].tolist() for at in wanted])


def _whole_file(file: Path, rows: int) -> list[Any]:
    if not file.is_file():
        raise TargetError(f"{file} is not here", hint="target in [tool.coord.metrics.oof] names it.")
    columns = _npy(file)
    if len(columns.names) != 1 or columns.rows != rows:
        raise TargetError(f"{file} has {columns.rows} rows of {len(columns.names)}: {rows} targets are needed")
    return columns.read([0])[0]


_OPENING: dict[str, Callable[[Path], _Columns]] = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), _csv),
    **dict.fromkeys((".parquet", ".pq"), _parquet),
    ".npy": _npy,
}


def _library(name: str, file: Path) -> Any:
    package = name.partition(".")[0]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DependencyError(
            f"{file} is read with {package}, which is not installed", hint=f"pip install {package}"
        ) from error


def _column(cells: Sequence[Any]) -> Column:
    """Numbers if all that is there is a number, else texts."""
    try:
        return [math.nan if cell is None or cell == "" else float(_TRUTHS.get(cell, cell)) for cell in cells]
    except (ValueError, TypeError, OverflowError):
        return ["" if cell is None else clean(str(cell)) for cell in cells]


def _is_there(cell: float | str) -> bool:
    return bool(cell) if isinstance(cell, str) else number(cell) is not None
