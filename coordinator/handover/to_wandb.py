"""Runs as offline runs of Weights & Biases, which `wandb sync DIR/wandb/offline-run-*` uploads later."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from coordinator.disk import hint as full_hint
from coordinator.errors import CoordError, UsageError
from coordinator.handover.destination import Outcome, Taken, library
from coordinator.handover.record import Record

_MARK = "coord-export.json"
"""A file in a run's folder, with the fingerprint of its content."""


class WandbFolder:
    """A folder of offline runs. The run keeps its id, so that a second sync does not create a second run."""

    name = "wandb-offline"

    def __init__(self, directory: Path, under: str) -> None:
        """`under` becomes the project on the server. Raises DependencyError if wandb is not installed."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # offline: errors are not sent either
        with library("wandb"):
            from wandb import Settings, init  # noqa: F401
        self._directory = directory.absolute()
        self._project = re.sub(r"[/\\#?%:]", "_", under)[:128]  # characters that wandb refuses in a project's name

    def take(self, record: Record) -> Taken:
        """Writes the run into a folder of its own, which is renamed into place when it is complete.

        Raises UsageError if the folder cannot be written, CoordError if wandb fails.
        """
        try:
            return self._take(record)
        except OSError as error:
            what = f"--wandb-offline {self._directory}: {error.strerror or error}"
            raise UsageError(what, hint=full_hint(error, self._directory)) from error

    def _take(self, record: Record) -> Taken:
        runs = self._directory / "wandb"
        older = sorted(runs.glob(f"offline-run-*-{record.run.id}"))
        for folder in older:
            if _fingerprint(folder) == record.fingerprint:
                return Taken(Outcome.UNCHANGED, str(folder))
        unfinished = self._directory / f".unfinished-{record.run.id}"
        shutil.rmtree(unfinished, ignore_errors=True)  # left by an export that was killed
        unfinished.mkdir(parents=True)
        try:
            self._write(record, unfinished)
            (made,) = (unfinished / "wandb").glob(f"offline-run-*-{record.run.id}")
            for name in ("logs", "tmp"):  # wandb's own files about this machine
                shutil.rmtree(made / name, ignore_errors=True)
            (made / _MARK).write_text(
                json.dumps({"fingerprint": record.fingerprint}) + "\n", encoding="utf-8", newline="\n"
            )
            runs.mkdir(exist_ok=True)
            for folder in older:
                folder.rename(unfinished / folder.name)
            made.rename(runs / made.name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return Taken(Outcome.UPDATED if older else Outcome.NEW, str(runs / made.name))

    def _write(self, record: Record, directory: Path) -> None:
        import wandb

        settings = wandb.Settings(
            console="off",
            silent=True,
            disable_code=True,
            disable_git=True,
            save_code=False,
            symlink=False,
            x_disable_meta=True,  # about this machine, which did not run it
            x_disable_stats=True,
            x_save_requirements=False,
            x_start_time=record.started / 1000,
        )
        try:
            run = wandb.init(
                dir=directory,
                mode="offline",
                id=record.run.id,
                project=self._project,
                name=record.label,
                group=record.group,
                tags=[record.run.target, record.run.state.value],
                config={
                    **record.run.config,
                    "coord": {name.removeprefix("coord."): each for name, each in record.tags.items()},
                },
                settings=settings,
                reinit="create_new",
            )
            self._fill(run, record)
            run.finish(exit_code=0 if record.tags["coord.state"] == "complete" else 1)
            # finish() returns while wandb's other process still writes the run's file; this waits until that has ended.
            wandb.teardown()
        except wandb.Error as error:
            raise CoordError(f"wandb could not write {record.label}: {error}") from error

    def _fill(self, run: Any, record: Record) -> None:
        """Writes metrics and files. Each fold counts its epochs from 1, so each has its own axis."""
        for prefix in dict.fromkeys(row.prefix for row in record.rows):
            run.define_metric(f"{prefix}epoch", hidden=True)
        axes = {f"{row.prefix}{name}": f"{row.prefix}epoch" for row in record.rows for name in row.values}
        for key, axis in axes.items():
            run.define_metric(key, step_metric=axis)
        for row in record.rows:
            values = {f"{row.prefix}{name}": value for name, value in row.values.items()}
            run.log({**values, f"{row.prefix}epoch": row.epoch, "_timestamp": row.time / 1000})
        run.summary.update(dict(record.final))
        for file in record.files:
            copy = Path(run.dir) / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.path, copy)
            run.save(glob.escape(str(copy)), base_path=run.dir, policy="now")


def _fingerprint(folder: Path) -> str | None:
    try:
        mark = json.loads((folder / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return mark.get("fingerprint") if isinstance(mark, dict) else None
