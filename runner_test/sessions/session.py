"""The supervisor of a session: a detached process that queues, runs and ends the session of one version.

`start_supervisor` starts `python -m runner_test.sessions.session <version folder> <descriptor of the held lock>`, which
survives the command that pushed, its terminal and the server.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from signal import strsignal

from runner_test.environment import inherited
from runner_test.errors import LocalKaggleError, StartFailed
from runner_test.sessions import attached, log
from runner_test.sessions.execute import Outcome, Stopped
from runner_test.sessions.machine import Machine, SessionOptions
from runner_test.state import (
    SessionProgress,
    State,
    Version,
    VersionPaths,
    progress,
    read_version,
    reruns,
    slots,
    sources,
    start_detached,
)


def start_supervisor(paths: VersionPaths, lock: int) -> None:
    """Start a detached supervisor that holds `lock` (a descriptor) and runs the version. Raises StartFailed."""
    # It gets only a session's variables, because a script can read its parent's environment.
    environment = inherited() | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-m", "runner_test.sessions.session", str(paths.folder)]
    if start_detached(command, "/", environment, diary=paths.diary, lock=lock) != 0:
        raise StartFailed(f"the session's supervisor did not start: see {paths.diary}")


def supervise(paths: VersionPaths) -> None:
    """Queue, run and end the session of one version. The caller holds its lock."""
    version = read_version(paths)
    now = SessionProgress(supervisor=os.getpid())
    progress.write(paths, now)

    def stop() -> bool:
        return paths.cancel.exists() or not paths.record.exists()

    slot = slots.wait_for_slot(paths, version.ticket, stop=stop)
    if slot is None:
        progress.write(paths, replace(now, state=State.CANCEL_ACKNOWLEDGED, ended=time.time()))
        return
    now = replace(now, state=State.RUNNING, started=time.time())
    progress.write(paths, now)
    try:
        end = _session(paths, version, now, stop)
    except LocalKaggleError as error:
        end = replace(now, state=State.ERROR, failure=str(error))
    except BaseException as error:
        end = replace(now, state=State.ERROR, failure=f"The session failed: {error!r}")
        raise  # the traceback goes to the supervisor's log
    finally:
        # The slot is freed by this process's end, so just after the session's end becomes visible.
        progress.write(paths, replace(end, ended=time.time()))


def _session(paths: VersionPaths, version: Version, now: SessionProgress, stop: Callable[[], bool]) -> SessionProgress:
    mounts = attached.mounts(paths.root, version)
    reruns.write_mounts(paths, mounts)
    options = SessionOptions(
        inputs=mounts,
        timeout=version.timeout,
        python=version.python,
        settings=version.settings,
        internet=version.enable_internet,
        machine_shape=version.machine_shape,
        modules=sources.competition_mounts(version),
    )
    is_notebook = version.kernel_type == "notebook"
    machine = Machine(paths.session, options, is_isolated=version.isolated, is_notebook=is_notebook)
    paths.session.mkdir(exist_ok=True)
    file = os.open(paths.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        source = paths.source.read_bytes()
        outcome = machine.run(source, on_records=lambda records: log.append(file, records), stop=stop)
    finally:
        os.close(file)
    state, failure = verdict(outcome, version)
    return replace(now, state=state, failure=failure, exit_code=outcome.exit_code)


def verdict(outcome: Outcome, version: Version) -> tuple[State, str | None]:
    """The state in which a session ended, and why it failed, as a sentence."""
    if outcome.stopped is Stopped.CANCELLED:
        return State.CANCEL_ACKNOWLEDGED, None
    if outcome.stopped is Stopped.TIMEOUT:
        return State.ERROR, f"The session was ended after its time limit of {version.timeout:g} seconds."
    if outcome.stopped is Stopped.LIMIT:
        return State.ERROR, outcome.reason
    if outcome.exit_code < 0:
        number = -outcome.exit_code
        return State.ERROR, f"The {version.kernel_type} was killed by signal {number} ({strsignal(number)})."
    if outcome.exit_code > 0:
        return State.ERROR, f"The {version.kernel_type} ended with exit code {outcome.exit_code}."
    return State.COMPLETE, None


def main(arguments: list[str]) -> None:
    """Supervise the version in the folder `arguments[0]`; `arguments[1]` is the descriptor of its held lock."""
    paths, lock = VersionPaths(Path(arguments[0])), int(arguments[1])
    os.set_inheritable(lock, False)  # else the script would keep the lock after the supervisor's end
    if os.fork():
        os._exit(0)
    supervise(paths)


if __name__ == "__main__":
    main(sys.argv[1:])
