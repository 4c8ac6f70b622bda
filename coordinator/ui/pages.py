"""The pages, from the ledger, the results and what the watcher knows; each is kept until something has changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from coordinator import __version__
from coordinator.comparison import all_candidates, compare, summarize
from coordinator.errors import CoordError, RunNotFound
from coordinator.ledger import Ledger, Run, all_sweeps, dataset_versions, find_sweep, outdated, remarks_of
from coordinator.project import Project
from coordinator.report import Contents, charts, gather_page, new_environment, run_items, template_values, views
from coordinator.results import LOG_TEXT, Event, LineReader, folder_of, read_events
from coordinator.sweeps import progress
from coordinator.text import clean
from coordinator.ui import rows
from coordinator.ui.watcher import RunLog, Watcher, read_log
from coordinator.workspace import Workspace

ROWS = 100
"""Runs that the list shows at first."""
_ACTIVE = 8  # runs that go on, with a curve each
_CONFIGS = 60  # experiments of the leaderboards
_OPTIONS = 300  # names to choose from
_LINKS = 200  # runs with needs or chains
_SWEEPS = 50
_KEPT = 40  # pages
_SECONDS = 10.0  # ages are shown: a page is made again after so long
_MEASURED = 1000  # runs whose reported values are kept,
_EVENTS = 400  # so many of each
_LOG_BYTES = 200_000  # of a fetched log's end


@dataclass(frozen=True)
class Asked:
    """Which page, with what of it."""

    name: str
    which: str = ""
    words: str = ""
    """The filter of the list of runs."""
    most: int = ROWS
    names: tuple[str, ...] = ()
    """Configs to compare."""


class Pages:
    """Makes pages. One at a time: they share the ledger."""

    def __init__(self, project: Project, watcher: Watcher) -> None:
        self._project, self._watcher = project, watcher
        self._environment = new_environment(jinja2.PackageLoader("coordinator.ui", "templates"))
        self._environment.globals |= {"version": __version__, "summarize": summarize}
        self._lock = threading.Lock()
        self._kept: dict[Asked, tuple[object, float, str]] = {}
        self._reported: dict[tuple[str, str | None], tuple[Event, ...]] = {}
        self._made: dict[str, tuple[object, Any]] = {}
        self._makers: Mapping[str, Callable[[Workspace, Asked], dict[str, Any]]] = {
            "runs": self._runs,
            "run": self._run,
            "board": self._board,
            "worst": self._board,
            "compare": self._compare,
            "chains": self._chains,
            "sweep": self._sweep,
        }

    def html(self, asked: Asked) -> str:
        """The page's text. Raises RunNotFound if there is no such run or sweep, LedgerError."""
        with self._lock:
            state = (self._ledger_state(), self._watcher.version)
            kept = self._kept.get(asked)
            if kept is not None and kept[0] == state and time.monotonic() - kept[1] < _SECONDS:
                return kept[2]
            with Ledger(self._project.ledger) as ledger:
                values = self._makers[asked.name](Workspace(self._project, ledger), asked)
            text = self._environment.get_template(f"{asked.name}.html.j2").render({**self._common(asked), **values})
            self._kept.pop(asked, None)
            self._kept[asked] = (state, time.monotonic(), text)
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
            return text

    def problem(self, what: str, hint: str = "") -> str:
        """A page that says why there is no other."""
        return self._environment.get_template("problem.html.j2").render(
            {**self._common(Asked("problem")), "what": what, "hint": hint}
        )

    def _common(self, asked: Asked) -> dict[str, Any]:
        return {
            "project": self._project.root.name,
            "current": asked.name,
            "errors": self._watcher.errors,
            "quota": self._watcher.quota,
            "asked": asked,
            "rows": self._project.settings.metrics.rows,
        }

    def _ledger_state(self) -> object:
        """Another value after any change of the ledger."""
        found = []
        for file in (self._project.ledger, self._project.ledger.with_name(f"{self._project.ledger.name}-wal")):
            try:
                stat = file.stat()
                found.append((stat.st_mtime_ns, stat.st_size))
            except OSError:
                found.append((0, 0))
        return tuple(found)

    def _runs(self, here: Workspace, asked: Asked) -> dict[str, Any]:
        logs, remarks, runs = self._watcher.logs(), remarks_of(here.ledger), here.ledger.runs()
        words = asked.words.lower().split()
        looked_at = runs if words else runs[: asked.most]
        found = [rows.row_of(run, self._events_of(run, logs), remarks) for run in looked_at]
        found = [row for row in found if all(word in row.text for word in words)]
        active = [run for run in runs if run.state.is_active]
        sweeps = all_sweeps(here.ledger)
        return {
            "table": found[: asked.most],
            "matching": len(found) if words else len(runs),
            "all_runs": len(runs),
            "counts": _counted(runs),
            "active": run_items(here, active[:_ACTIVE], self._contents()),
            "active_rows": {run.id: rows.row_of(run, self._events_of(run, logs), remarks) for run in active[:_ACTIVE]},
            "active_left_out": max(0, len(active) - _ACTIVE),
            "sweeps": [progress.last_known(here.ledger, sweep) for sweep in sweeps[:_SWEEPS]],
            "sweeps_left_out": max(0, len(sweeps) - _SWEEPS),
            **_PARTS,
        }

    def _run(self, here: Workspace, asked: Asked) -> dict[str, Any]:
        run = here.ledger.get(asked.which)
        log = self._log_of(run)
        (item,) = run_items(here, [run], self._contents(pictures=12))
        runs = here.ledger.runs()
        connected = [each for each in rows.connections(runs, self._outdated(here, [run])) if each.run.id == run.id]
        return {
            "item": item,
            "row": rows.row_of(run, log.events if log else (), remarks_of(here.ledger)),
            "log": log,
            "connected": connected[0] if connected else None,
            "item_of": {item.run.id: item, **{part.id: _Anchored(f"/runs/{part.id}") for part in item.parts}},
            **_PARTS,
        }

    def _board(self, here: Workspace, _asked: Asked) -> dict[str, Any]:
        def gather() -> dict[str, Any]:
            try:
                page, warnings = gather_page(here, self._contents())
                return {**template_values(page), "warnings": warnings}
            except RunNotFound:
                return {"boards": (), "items": (), "warnings": ()}

        left_out = max(0, len({run.experiment for run in here.ledger.runs()}) - _CONFIGS)
        values = self._of_results(here, "board", gather)
        return {**values, "title": self._project.root.name, "left_out": left_out}

    def _of_results(self, here: Workspace, name: str, make: Callable[[], Any]) -> Any:
        """What `make` returns, which is made again when runs have come, ended or were fetched, not with each epoch."""
        runs = [(run.id, run.state, run.fetched_at, run.message) for run in here.ledger.runs()]
        state = (runs, remarks_of(here.ledger))
        if name not in self._made or self._made[name][0] != state:
            self._made.pop(name, None)
            self._made[name] = (state, make())
            while len(self._made) > _KEPT:
                del self._made[next(iter(self._made))]
        return self._made[name][1]

    def _compare(self, here: Workspace, asked: Asked) -> dict[str, Any]:
        names = [name for name in asked.names if name]

        def compared() -> dict[str, Any]:
            candidates = all_candidates(here)
            often = [each.runs[0].experiment for each in candidates if each.runs]
            options = [_named(each.runs[0], often) if each.runs else each.name for each in candidates][:_OPTIONS]
            try:
                found, problem = compare.compare_experiments(here, names) if names else None, None
            except CoordError as error:
                found, problem = None, error
            return {"options": options, "found": found, "problem": problem}

        values = self._of_results(here, f"compare {names}", compared)
        return {**values, "names": names, **_PARTS}

    def _chains(self, here: Workspace, _asked: Asked) -> dict[str, Any]:
        runs = here.ledger.runs()
        found = rows.connections(runs, self._outdated(here, runs[:_LINKS]))
        return {"connected": found[:_LINKS], "left_out": max(0, len(found) - _LINKS)}

    def _sweep(self, here: Workspace, asked: Asked) -> dict[str, Any]:
        try:
            sweep = find_sweep(here.ledger, asked.which)
        except CoordError as error:
            raise RunNotFound(error.what) from error
        try:
            found = progress.sweep_progress(here, sweep)
        except CoordError:  # a file of its experiments is gone: without the time left
            found = progress.last_known(here.ledger, sweep)
        logs, remarks = self._watcher.logs(), remarks_of(here.ledger)
        return {
            "sweep": found,
            "row_of": {
                each.run.id: rows.row_of(each.run, self._events_of(each.run, logs), remarks)
                for each in found.members
                if each.run
            },
            **_PARTS,
        }

    def _contents(self, *, pictures: int = 6) -> Contents:
        logged = {run_id: log.events for run_id, log in self._watcher.logs().items()}
        return Contents(most=_CONFIGS, pictures=pictures, logged=logged, is_live=True)

    def _outdated(self, here: Workspace, runs: Sequence[Run]) -> dict[str, list[str]]:
        every, datasets = here.ledger.runs(), dataset_versions(here.ledger)
        return {run.id: [str(each) for each in outdated(run, every, datasets)] for run in runs if run.reads}

    def _events_of(self, run: Run, logs: Mapping[str, RunLog]) -> Sequence[Event]:
        """What it reported: in its live log, or in its fetched results, which are read once."""
        if run.id in logs or (run.fetched_at is None and run.summary is None) or run.version is None:
            return logs[run.id].events if run.id in logs else ()
        key = (run.id, run.fetched_at)
        if key not in self._reported:
            folder = folder_of(self._project.results(run.experiment, run.target, run.version), run.id)
            try:
                found = [event for event in read_events(folder / "metrics.jsonl") if event] if folder else []
            except OSError:
                found = []
            self._reported[key] = tuple(event for event in found if event.kind == "epoch")[-_EVENTS:]
            while len(self._reported) > _MEASURED:
                del self._reported[next(iter(self._reported))]
        return self._reported[key]

    def _log_of(self, run: Run) -> RunLog | None:
        """The live log, or that which was fetched; else it is asked for, and is here later."""
        live = self._watcher.logs().get(run.id)
        if live is not None or run.version is None:
            return live
        folder = folder_of(self._project.results(run.experiment, run.target, run.version), run.id)
        try:
            if folder is None:
                raise FileNotFoundError
            with (folder / LOG_TEXT).open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - _LOG_BYTES))
                lines = [clean(line) for line in file.read().decode("utf-8", "replace").splitlines()]
            return read_log(lines, LineReader(self._project.settings.metrics))
        except OSError:
            if not run.state.is_active:
                self._watcher.want(run)
            return None


@dataclass(frozen=True)
class _Anchored:
    """A run that has a page."""

    anchor: str


_PARTS: Mapping[str, Any] = {
    "curves": views.run_curves,
    "bar": charts.bar,
}
"""What the report's parts about a run refer to, besides the run."""


def _counted(runs: Sequence[Run]) -> dict[str, int]:
    states = [str(run.state) for run in runs]
    return {state: states.count(state) for state in dict.fromkeys(states)}


def _named(run: Run, often: Sequence[str]) -> str:
    """How a config is named to `coord compare`."""
    return run.experiment if often.count(run.experiment) == 1 else f"{run.experiment}@{run.target}-v{run.version}"
