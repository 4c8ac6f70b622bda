"""Scores one submission, in a process of its own: `python -m runner_test.sessions.scoring score FOLDER LOCK`.

A scorer is a function that a project names (`[tool.coord] scorer = "module:function"`):

    def score(submission: Path, solution: Path, ids: Collection[str]) -> float

It reads both files, checks the submission against the whole solution, and returns the score of the rows in `ids`, which
are some of the ids in the solution's first column. It raises ValueError, with a description, for a submission that the
competition would refuse. It is called once for the public and once for the private part.

Beside the standard library and lazy_loader, which the project's interpreter must have, it needs pandas to score.
"""

import importlib
import json
import math
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runner_test.sessions.null_values import null_values
from runner_test.state import Entry, Failure, Result, Rules, competitions, files, submissions

TIME_LIMIT = 600  # seconds
_LONGEST_ERROR = 1000  # characters


def load(rules: Rules) -> Callable[..., Any]:
    """Import the scorer. Raises ValueError if its name is invalid, and whatever its module raises."""
    module, colon, name = rules.scorer.partition(":")
    if not (module and colon and name):
        raise ValueError(f"{rules.scorer!r} is not of the form module:function")
    sys.path.insert(0, rules.project)
    found = getattr(importlib.import_module(module), name)
    if not callable(found):
        raise ValueError(f"{rules.scorer!r} is not a function")
    scorer: Callable[..., Any] = found
    return scorer


def score(folder: Path) -> Result:
    """Score the submission in a folder; an exception of the scorer becomes its result."""
    root, entry = folder.parents[1], submissions.entry_in(folder)
    rules = competitions.rules_of(root, entry.competition) if entry else None
    assert entry is not None
    if rules is None:
        return Result("ERROR", error="The competition no longer exists.")
    solution, parts = competitions.solution_of(root, entry.competition)
    try:
        submitted = submissions.file_in(folder, entry)
        if missing := null_values(submitted, solution):
            raise ValueError(f"Submission contains null values: {missing}")
        scorer = load(rules)
        figures = {part: float(scorer(submitted, solution, ids)) for part, ids in parts.items()}
    except ValueError as error:
        return _refused(entry, _described(error, entry.file_name, submissions.file_in(folder, entry)))
    except Exception as error:
        traceback.print_exc()  # goes to the submission's scoring.log
        return _refused(entry, f"The scorer failed: {type(error).__name__}: {error}")
    if not all(math.isfinite(figure) for figure in figures.values()):
        return _refused(entry, f"The score is not a number: {figures}")
    return Result("COMPLETE", public=figures["public"], private=figures["private"])


def _refused(entry: Entry, why: str) -> Result:
    """The result of a file that can't be scored. Of hidden data, only the host may learn why."""
    if entry.rerun:
        return submissions.failed(Failure.FORMAT, why[:_LONGEST_ERROR])
    return Result("ERROR", error=why[:_LONGEST_ERROR])


def _described(error: ValueError, name: str, path: Path) -> str:
    """The scorer's message, with the file named as its author knows it."""
    return str(error).replace(str(path), name)


def main(arguments: list[str]) -> None:
    """`check RULES` (JSON), or `score FOLDER LOCK`, where LOCK is the descriptor of the submission's held lock."""
    if arguments[0] == "check":
        try:
            load(Rules(**json.loads(arguments[1])))
        except Exception as error:
            sys.exit(f"{type(error).__name__}: {error}")
        return
    folder, lock = Path(arguments[1]), int(arguments[2])
    os.set_inheritable(lock, False)
    if os.fork():
        os._exit(0)
    signal.alarm(TIME_LIMIT)  # ends this process, and the submission is reported as lost
    result = score(folder)
    files.write_json(folder / "result.json", asdict(result))


if __name__ == "__main__":
    main(sys.argv[1:])
