"""The scorer of a project: what out-of-fold predictions are worth as a whole, on all rows and on resampled ones."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import CoordError, TargetError
from coordinator.project import SCORES, Project
from coordinator.results import own_scorer
from coordinator.results.scores import score_of
from coordinator.results.table import Column, read_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CHUNK = 200_000  # counts at a time
_TIMEOUT = 600  # of a process that scores, which begins no resample after `own_scorer.SECONDS`


@dataclass(frozen=True)
class Scorer:
    """The setting `score`, with what it needs to compute it."""

    name: str
    root: Path
    python: str
    """Which runs the project's own function."""

    @property
    def is_own(self) -> bool:
        return self.name not in SCORES

    def scores(
        self, targets: Column, tables: Sequence[Sequence[Column]], *, resamples: int = 0, seed: int = 0
    ) -> NDArray[np.float64]:
        """Shape (1 + resamples, tables): each table's score on all rows, then on resamples that all tables share.

        A table has columns of predictions, with a cell for each of the `targets`. NaN where a resample has no value;
        fewer resamples than asked for if the project's own function is slow. Raises TargetError if all
        rows together have no value, ImportError without numpy.
        """
        import numpy as np

        truth = np.asarray(targets)
        arrays = [np.column_stack([np.asarray(column) for column in table]) for table in tables]
        score = self._by_own if self.is_own else self._by_name
        found = score(truth, arrays, resamples, seed)
        if not np.isfinite(found[0]).all():
            raise TargetError(f"{self.name} has no value on these {len(truth)} rows: do they have one class only?")
        return found

    def _by_name(
        self, targets: NDArray[np.generic], tables: Sequence[NDArray[np.generic]], resamples: int, seed: int
    ) -> NDArray[np.float64]:
        import numpy as np

        try:
            scores = [score_of(self.name, targets, each) for each in tables]
        except ValueError as error:
            raise TargetError(f"{self.name} cannot be computed: {error}") from error
        rows, rng = len(targets), np.random.default_rng(seed)
        found = [np.column_stack([score(np.ones((1, rows))) for score in scores])]
        at_once = max(1, _CHUNK // rows)
        for start in range(0, resamples, at_once):
            count = min(at_once, resamples - start)
            drawn = rng.integers(rows, size=(count, rows)) + rows * np.arange(count)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows).astype(np.float64)
            found.append(np.column_stack([score(counts) for score in scores]))
        return np.concatenate(found)

    def _by_own(
        self, targets: NDArray[np.generic], tables: Sequence[NDArray[np.generic]], resamples: int, seed: int
    ) -> NDArray[np.float64]:
        import numpy as np

        arrays = {f"table_{at}": each[:, 0] if each.shape[1] == 1 else each for at, each in enumerate(tables)}
        with tempfile.TemporaryDirectory(prefix="coord-") as folder:
            given, output = Path(folder, "tables.npz"), Path(folder, "scores.npy")
            np.savez(given, targets=targets, **arrays)  # type: ignore[arg-type]  # numpy's stub takes them for allow_pickle
            command = [self.python, "-B", own_scorer.__file__, self.name, str(given), str(output)]
            said = self._run([*command, str(resamples), str(seed)])
            if not output.is_file():
                raise TargetError(
                    f'score = "{self.name}" failed: {(said.strip().splitlines() or ["it ended without a score"])[-1]}',
                    hint="It gets (targets, predictions), arrays, and returns a number; config_python in [tool.coord] "
                    "names a Python that has what it imports.",
                )
            found: NDArray[np.float64] = np.load(output)
        return found

    def _run(self, command: Sequence[str]) -> str:
        """What the process said on stderr; a function that prints does not disturb what coord prints."""
        try:
            done = subprocess.run(
                command,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_TIMEOUT,
            )
        except OSError as error:
            raise TargetError(f"{command[0]} cannot be started: {error.strerror}") from error
        except subprocess.TimeoutExpired:
            raise TargetError(f'score = "{self.name}" took more than {_TIMEOUT} s') from None
        return done.stderr.decode("utf-8", "replace")


def scorer_of(project: Project) -> Scorer | None:
    """The project's scorer of whole tables, if it names one."""
    name = project.settings.metrics.score
    return None if name is None else Scorer(name, project.root, project.own_python)


def table_faults(project: Project, folder: Path) -> list[str]:
    """What is wrong with the out-of-fold predictions in a run's output, if the settings say that there are any."""
    settings = project.settings.metrics.table
    if settings is None:
        return []
    try:
        table = read_table(folder, settings)
        if table is None:
            return [f"there is no {settings.file} with out-of-fold predictions in the output"]
        if not table.ids:
            return [f"{settings.file} has no rows"]
        rows = table.complete
        scorer = scorer_of(project)
        if scorer is not None and rows:
            targets, *columns = ([column[at] for at in rows] for column in (table.targets, *table.predictions))
            scorer.scores(targets, [columns])
    except CoordError as error:
        return [said(error, folder)]
    except ImportError:
        return [f"{project.settings.metrics.score} needs numpy, which is not installed: pip install numpy"]
    left = len(table.ids) - len(rows)
    return [f"{left} of {len(table.ids)} rows in {settings.file} have no target or no prediction: not scored"] * (
        left > 0
    )


def said(error: CoordError, folder: Path) -> str:
    """What an error says, and what to do, in one line; without the folder before its files' names."""
    return ". ".join(filter(None, [error.what, error.hint])).replace(f"{folder}{os.sep}", "")
