"""Metrics in the files of other libraries: CSV logs, the state of Hugging Face's Trainer, any metrics.json."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from coordinator.project import MetricsSettings
from coordinator.results.readers.points import PLACES, Point, Reading, number_of, numbers_in, whole_of
from coordinator.results.untrusted import mappings, parse_json

LARGEST = 32 * 2**20
"""Bytes of a file that is read for metrics; a log of a training is smaller by far."""
_FOLD = re.compile(r"fold[_\-=. ]?(\d+)", re.IGNORECASE)
_VERSION = re.compile(r"version_(\d+)$")
_CHECKPOINT = re.compile(r"checkpoint-(\d+)$")


def read_csv(folder: Path, settings: MetricsSettings) -> Reading | None:
    """CSV logs with a column `epoch`: those of Lightning, Keras and fastai, and many of people's own."""
    series, remarks = [], list[str]()
    for file in _files(folder, settings.file or ("**/*.csv", "**/*.log"), remarks):
        rows = _csv_points(file, named=settings.file is not None)
        if rows:
            series.append((file, rows))
    if not series:
        return None
    # Lightning starts a folder version_N for each trainer: without other names, one for each fold.
    folds = _folds([file for file, _ in series])
    points = tuple(
        Point(point.metrics, fold=point.fold if fold is None else fold, epoch=point.epoch)
        for fold, (_, found) in zip(folds, series, strict=True)
        for point in found
    )
    return Reading(_source("csv", folder, [file for file, _ in series]), points, remarks=tuple(remarks))


def read_trainer_state(folder: Path, settings: MetricsSettings) -> Reading | None:
    """trainer_state.json of Hugging Face's Trainer: of each training the one with the most steps."""
    remarks = list[str]()
    latest: dict[Path, tuple[float, Path, dict[str, Any]]] = {}
    for file in _files(folder, settings.file or ("**/trainer_state.json",), remarks):
        state = _json(file, remarks)
        steps = number_of(state.get("global_step")) or 0.0
        training = file.parent.parent if _CHECKPOINT.search(file.parent.name) else file.parent
        if "log_history" in state and steps >= latest.get(training, (-1.0,))[0]:
            latest[training] = (steps, file, state)
    if not latest:
        return None
    files = [file for _, file, _ in latest.values()]
    measured = []
    for fold, (_, _, state) in zip(_folds(files), latest.values(), strict=True):
        for row in mappings(state["log_history"]):
            metrics = {name: value for name, value in numbers_in(row).items() if name not in PLACES}
            measured.append(Point(metrics, fold=fold, epoch=number_of(row.get("epoch"))))
    return Reading(_source("trainer_state", folder, files), tuple(measured), remarks=tuple(remarks))


def read_json(folder: Path, settings: MetricsSettings) -> Reading | None:
    """A metrics.json (or the files that the settings name) of the program's own: its numbers, by dotted names."""
    remarks = list[str]()
    final: dict[str, float] = {}
    points, files = [], []
    for file in _files(folder, settings.file or ("metrics.json",), remarks):
        found = _json(file, remarks)
        numbers = numbers_in(found)
        left = [str(key) for key, value in found.items() if not isinstance(value, dict) and number_of(value) is None]
        if left:
            remarks.append(f"{_below(folder, file)}: these are no numbers and are not read: {', '.join(left[:8])}")
        fold = fold_of(file)
        place = {name: numbers.pop(name) for name in PLACES if name in numbers}
        fold = whole_of(place.get("fold")) if fold is None else fold
        if not numbers:
            continue
        files.append(file)
        if fold is None:
            final |= numbers
        else:
            points.append(Point(numbers, fold=fold, epoch=place.get("epoch")))
    return Reading(_source("json", folder, files), tuple(points), final, tuple(remarks)) if files else None


def _csv_points(file: Path, *, named: bool) -> list[Point]:
    """The rows of a CSV log; rows of the same epoch (and fold) are one point. None if it is no such log."""
    with file.open(encoding="utf-8", errors="replace", newline="") as text:
        sample = text.read(65536)
        header = sample.partition("\n")[0]
        delimiter = next((each for each in ",;\t" if each in header), ",")
        text.seek(0)
        rows = csv.DictReader(text, delimiter=delimiter, skipinitialspace=True)
        names = {name.strip().lower(): name for name in rows.fieldnames or () if name}
        if not named and "epoch" not in names:
            return []
        places = {place: names[place] for place in PLACES if place in names}
        found: dict[tuple[float | None, float | None], dict[str, float]] = {}
        for number, row in enumerate(_rows(rows)):
            at = {place: number_of(row.get(name)) for place, name in places.items()}
            key = (at.get("fold"), at.get("epoch", at.get("step", float(number))))
            metrics = {
                name: value
                for name, text_value in row.items()
                if name not in places.values() and name and (value := number_of(text_value)) is not None
            }
            found.setdefault(key, {}).update(metrics)
    return [Point(metrics, fold=whole_of(fold), epoch=epoch) for (fold, epoch), metrics in found.items() if metrics]


def _rows(rows: csv.DictReader[str]) -> Iterator[dict[str, Any]]:
    try:
        yield from rows
    except csv.Error:
        return  # a table that ends in the middle of a cell, or no table: what came before counts


def _folds(files: Sequence[Path]) -> list[int | None]:
    """The fold of each file by its path; by their order if they are Lightning's versions without other names."""
    folds = [fold_of(file) for file in files]
    if len(files) > 1 and folds == [None] * len(files):
        versions = [_VERSION.search(file.parent.name) for file in files]
        if all(versions):
            return list(range(len(files)))
    return folds


def fold_of(file: Path) -> int | None:
    """The fold that the path names, as in fold0/metrics.csv or log_fold_1.csv."""
    found = [match for part in file.parts[-4:] for match in _FOLD.findall(part)]
    return int(found[-1]) if found else None


def _files(folder: Path, patterns: str | Sequence[str], remarks: list[str]) -> list[Path]:
    """The files that match, by name with numbers as numbers (fold 10 after fold 9)."""
    wanted = [patterns] if isinstance(patterns, str) else patterns
    found = {path for pattern in wanted for path in folder.glob(pattern) if path.is_file() and not path.is_symlink()}
    result = []
    for path in sorted(found, key=natural):
        if path.stat().st_size <= LARGEST:
            result.append(path)
        elif path.suffix != ".csv":
            remarks.append(f"{_below(folder, path)} is not read for metrics: it has {path.stat().st_size:,} bytes")
    return result


def natural(path: Path) -> list[tuple[int, str]]:
    """A key that sorts numbers in names as numbers."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(path))]


def _json(file: Path, remarks: list[str]) -> dict[str, Any]:
    try:
        found = parse_json(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        remarks.append(f"{file.name} cannot be read as JSON: {error}")
        return {}
    if not isinstance(found, dict):
        remarks.append(f"{file.name} is no JSON object")
        return {}
    return found


def _below(folder: Path, file: Path) -> str:
    return file.relative_to(folder).as_posix()


def _source(reader: str, folder: Path, files: Sequence[Path]) -> str:
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{reader}: {_below(folder, files[0])}{more}"
