"""A session in the foreground, without a server, a queue or a version: to try a kernel before it is pushed."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from runner_test.errors import NoJupyter
from runner_test.sessions import isolation, notebook
from runner_test.sessions.execute import Stopped
from runner_test.sessions.log import Record
from runner_test.sessions.machine import Machine, SessionOptions

TIMED_OUT = 124  # exit code for a script that ran out of time, as of timeout(1)


def run_once(script: Path, root: Path, on_record: Callable[[Record], None], options: SessionOptions) -> int:
    """Run `script`, or a notebook (*.ipynb), in the session root `root`, and wait for its end.

    `root` is made; if it exists, it must not hold a session's folders. `on_record` is called with each line of output;
    which limit was exceeded is the last one.

    Returns the exit code as a shell would give it: the script's own, 128 + n where signal n ended it, 124 where the
    time was up. An exception, KeyboardInterrupt included, ends the script and all that it started.
    Raises RootInUse, MissingFolder, BadName, BadSecrets and NoJupyter.
    """
    is_notebook = script.suffix == ".ipynb"
    if is_notebook and (problem := notebook.missing()):
        raise NoJupyter(problem)
    root.mkdir(parents=True, exist_ok=True)
    is_isolated = isolation.possible(options.settings)
    machine = Machine(root.resolve(), options, is_isolated=is_isolated, is_notebook=is_notebook)
    begin, last = time.monotonic(), "\n"

    def pass_on(records: Sequence[Record]) -> None:
        nonlocal last
        for record in records:
            on_record(record)
        last = records[-1].data

    outcome = machine.run(script.read_bytes(), on_records=pass_on, stop=lambda: False)
    code = outcome.exit_code if outcome.exit_code >= 0 else 128 - outcome.exit_code
    if outcome.stopped is Stopped.TIMEOUT:
        return TIMED_OUT
    if outcome.stopped is Stopped.LIMIT:
        ends = [] if last.endswith("\n") else ["\n"]
        for text in (*ends, f"{outcome.reason}\n"):
            on_record(Record("stderr", round(time.monotonic() - begin, 6), text))
        return code or 1
    return code
