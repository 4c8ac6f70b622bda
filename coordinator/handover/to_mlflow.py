"""Runs into an MLflow tracking store: a server, a database or, where MLflow still allows it, a folder."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import logging
import math
import os
import posixpath
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from coordinator.disk import hint as full_hint
from coordinator.errors import CoordError
from coordinator.handover.destination import Outcome, Taken, library
from coordinator.handover.record import Record
from coordinator.target import RunState

T = TypeVar("T")

RUN_TAG = "coord.run_id"
_FINGERPRINT_TAG = "coord.export"
"""Is set last: a run that has it is complete."""

# Limits of MLflow's REST API (mlflow/utils/validation.py, 3.17). It would cut long values itself, with a warning each.
_KEY_LENGTH, _PARAM_LENGTH, _TAG_LENGTH = 250, 6000, 5000
_METRICS_AT_ONCE, _PARAMS_AT_ONCE = 1000, 100
_LARGEST_FLOAT = 1.7976931348623157e308
"""The value that its databases store for an infinity."""

_STATUS = {RunState.COMPLETE: "FINISHED", RunState.CANCELLED: "KILLED"}

# Settings of MLflow's requests; a variable that the user has set wins.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the default of 7 waits for minutes if there is no server
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # on stdout is only the command's answer
    "MLFLOW_DISABLE_TELEMETRY": "true",  # what is exported goes to the store only
}


class MlflowStore:
    """One MLflow experiment. Runs are found again by their tag `coord.run_id`.

    Notes and tags that people have added there stay: a run is completed in place, and never created again.
    """

    name = "mlflow"

    def __init__(self, uri: str, under: str) -> None:
        """Makes the MLflow experiment `under` if it is missing.

        Raises DependencyError if MLflow is not installed, CoordError if the store does not answer.
        """
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        with library("mlflow"):
            from mlflow.tracking import MlflowClient
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of each table of a new database
        self._uri = uri
        _check_writable(uri)
        with self._explained():
            self._client = MlflowClient(tracking_uri=uri)
            found = self._client.get_experiment_by_name(under)
            if found is not None and found.lifecycle_stage != "active":
                raise CoordError(
                    f'the MLflow experiment "{under}" was deleted',
                    hint="Restore it, or name another with --under.",
                )
            self._experiment = (
                found.experiment_id
                if found is not None
                else self._client.create_experiment(under, artifact_location=_artifacts(uri))
            )

    def take(self, record: Record) -> Taken:
        """Adds the run, or what is missing of it. Raises CoordError if the store refuses it."""
        with self._explained():
            query = f"tags.`{RUN_TAG}` = '{record.run.id}'"
            found = next(iter(self._client.search_runs([self._experiment], query, max_results=1)), None)
            if found is None:
                created = self._client.create_run(
                    self._experiment,
                    start_time=record.started,
                    tags={RUN_TAG: record.run.id, **_tags(record)},
                    run_name=record.label,
                )
                self._fill(created.info.run_id, record)
                return Taken(Outcome.NEW, created.info.run_id)
            run_id = found.info.run_id
            if found.data.tags.get(_FINGERPRINT_TAG) == record.fingerprint:
                return Taken(Outcome.UNCHANGED, run_id)
            self._fill(run_id, record, params=found.data.params, keys=found.data.metrics.keys())
            return Taken(Outcome.UPDATED, run_id)

    def _fill(
        self, run_id: str, record: Record, *, params: Mapping[str, str] | None = None, keys: Iterable[str] = ()
    ) -> None:
        """Adds what is missing; `params` and metrics with these `keys` are there already, at least in part."""
        from mlflow.entities import Metric, Param, RunTag

        names = safe_keys(record.params)
        # A parameter cannot be set twice; the config of a run never changes.
        missing = [(names[name], value) for name, value in record.params.items() if names[name] not in (params or {})]
        for params_now in _batches(
            [Param(name, _cut(_text(value), _PARAM_LENGTH)) for name, value in missing], _PARAMS_AT_ONCE
        ):
            self._client.log_batch(run_id, params=params_now)
        points = [*record.points(), *((key, value, 0, record.ended) for key, value in record.final.items())]
        names = safe_keys([key for key, *_ in points])
        there = {key: {_point(each) for each in self._client.get_metric_history(run_id, key)} for key in keys}
        measured = [Metric(names[key], value, time, epoch) for key, value, epoch, time in points]
        new = [each for each in measured if _point(each) not in there.get(each.key, ())]
        for metrics_now in _batches(new, _METRICS_AT_ONCE):
            self._client.log_batch(run_id, metrics=metrics_now)
        for file in record.files:
            self._client.log_artifact(run_id, str(file.path), artifact_path=posixpath.dirname(file.name) or None)
        self._client.set_terminated(run_id, _STATUS.get(record.run.state, "FAILED"), record.ended)
        tags = {**_tags(record), _FINGERPRINT_TAG: record.fingerprint}
        self._client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException

        refusals = [MlflowException, OSError, ImportError]
        with contextlib.suppress(ImportError):  # not needed for a tracking server
            refusals.append(importlib.import_module("sqlalchemy.exc").SQLAlchemyError)
        try:
            yield
        except tuple(refusals) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise CoordError(f"MLflow at {_without_password(self._uri)}: {_without_password(lines[0])}") from error


def safe_keys(names: Iterable[str]) -> dict[str, str]:
    """Name -> key that MLflow accepts: letters, digits and `_-. /`, at most 250, and a path inside its folder.

    Names that would become the same key get a part of their digest at the end.
    """
    unique = list(dict.fromkeys(names))
    keys: dict[str, str] = {}
    # Names that need no change come first, so that they keep their name in any case.
    for name in sorted(unique, key=lambda name: _safe(name) != name):
        key = _safe(name)
        if key in keys.values():
            digest = hashlib.sha256(name.encode()).hexdigest()[:8]
            key = f"{key[: _KEY_LENGTH - 9]}-{digest}"
        keys[name] = key
    return keys


def _safe(name: str) -> str:
    # ASCII only, and no colon: some stores keep metrics as files of that name.
    parts = re.sub(r"[^A-Za-z0-9_\-. /]", "_", name).split("/")
    path = "/".join("_" if part in ("", ".", "..") else part for part in parts)
    return path[:_KEY_LENGTH].rstrip("/") or "_"


def _tags(record: Record) -> dict[str, str]:
    """The record's tags, and those that MLflow's page shows in columns."""
    run = record.run
    tags = {**record.tags, "mlflow.source.name": run.url, "mlflow.user": run.owner}
    if run.git is not None and not run.git.endswith("dirty"):
        tags["mlflow.source.git.commit"] = run.git
    return {name: _cut(value, _TAG_LENGTH) for name, value in tags.items() if value}


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _point(metric: Any) -> tuple[str, int, int, float | None]:
    """A key that is equal for equal measurements."""
    value = None if math.isnan(metric.value) else max(-_LARGEST_FLOAT, min(metric.value, _LARGEST_FLOAT))
    return metric.key, metric.step, metric.timestamp, value


def _artifacts(uri: str) -> str | None:
    """The folder for files: beside a SQLite file, so that both move together; None is the store's own place.

    MLflow's default is the current working directory.
    """
    file = _sqlite_file(uri)
    return None if file is None else (file.resolve().parent / "mlruns").as_uri()


def _sqlite_file(uri: str) -> Path | None:
    parts = urlsplit(uri)
    return Path(parts.path[1:]) if parts.scheme.startswith("sqlite") and len(parts.path) > 1 else None


def _check_writable(uri: str) -> None:
    """Raises CoordError if the database cannot be written: MLflow itself would try for minutes."""
    file = _sqlite_file(uri)
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("BEGIN IMMEDIATE")
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CoordError(f"MLflow at {uri}: {reason}", hint=full_hint(error, file)) from error


def _without_password(text: str) -> str:
    return re.sub(r"(://)[^/@\s]+@", r"\1...@", text)


def _batches(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]
