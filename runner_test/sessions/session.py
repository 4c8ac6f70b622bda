"""Runs one script or notebook the way Kaggle does: detached, with a supervisor, or once in the foreground.

`start` starts a detached supervisor process, which survives the command that pushed, its terminal and the server:
`python -m runner_test.sessions.session <version folder> <descriptor of the held lock>`. `run_once` runs the same
session without a server, a queue or a version, to try a kernel before it is pushed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from signal import strsignal

from runner_test.environment import environment, inherited
from runner_test.errors import LocalKaggleError, NoJupyter, StartFailed
from runner_test.sessions import isolation, log, notebook, scratch
from runner_test.sessions.execute import Outcome, Stopped, execute
from runner_test.sessions.layout import KAGGLE, NOTEBOOK, SCRIPT, WORKING, lay_out
from runner_test.sessions.limits import Shortened, Watch
from runner_test.sessions.log import Record
from runner_test.settings import DEFAULTS, Settings
from runner_test.state import SessionProgress, State, Version, VersionPaths, progress, read_version, slots, sources

TIMED_OUT = 124  # run_once's answer to a script that ran out of time, after timeout(1)


def run_once(
    script: Path,
    root: Path,
    *,
    inputs: Mapping[str, Path],
    overrides: str | None,
    timeout: float | None,
    on_record: Callable[[Record], None],
    python: str = sys.executable,
    settings: Settings = DEFAULTS,
    internet: bool = False,
) -> int:
    """Run `script`, or a notebook (*.ipynb), in the session root `root` and wait for its end.

    `root` is made, or there without a session's folders.
    `inputs` maps mount paths below `input/` to folders, `overrides` becomes COORD_OVERRIDES, `timeout` is in seconds.
    `settings` say which limits it has, and whether it is isolated, where `internet` opens the network.
    Returns the exit code as a shell would give it: the script's own, 128 + n where signal n ended it, 124 where the
    time was up. An exception, KeyboardInterrupt included, ends the script and all that it started. Which limit was
    passed is the last record.
    Raises RootInUse, MissingFolder, BadName and NoJupyter.
    """
    is_notebook = script.suffix == ".ipynb"
    if is_notebook and (problem := notebook.missing()):
        raise NoJupyter(problem)
    root.mkdir(parents=True, exist_ok=True)
    machine = _Machine(
        root.resolve(),
        python,
        settings,
        isolated=isolation.possible(settings),
        is_notebook=is_notebook,
        internet=internet,
    )
    begin = time.monotonic()
    outcome = machine.run(
        script.read_bytes(),
        inputs,
        extra={} if overrides is None else {"COORD_OVERRIDES": overrides},
        timeout=timeout,
        on_record=on_record,
        stop=lambda: False,
    )
    if outcome.stopped is Stopped.TIMEOUT:
        return TIMED_OUT
    if outcome.stopped is Stopped.LIMIT:
        on_record(Record("stderr", round(time.monotonic() - begin, 6), f"\n{outcome.reason}\n"))
        return outcome.exit_code if outcome.exit_code > 0 else 128 - outcome.exit_code if outcome.exit_code else 1
    return outcome.exit_code if outcome.exit_code >= 0 else 128 - outcome.exit_code


@dataclass(frozen=True)
class _Machine:
    """What a session runs on: a folder that is, or stands in for, `/kaggle`, an interpreter, and limits."""

    root: Path
    python: str
    settings: Settings
    isolated: bool
    is_notebook: bool
    internet: bool

    def run(
        self,
        source: bytes,
        inputs: Mapping[str, Path],
        *,
        extra: Mapping[str, str],
        timeout: float | None,
        on_record: Callable[[Record], None],
        stop: Callable[[], bool],
    ) -> Outcome:
        """Lay the session out, run it, and clean up. Raises RootInUse, MissingFolder and BadName."""
        code = NOTEBOOK if self.is_notebook else SCRIPT
        mounts = lay_out(self.root, source, inputs, code, links=not self.isolated)
        watch = Watch(self.settings, self.root / WORKING)
        with scratch.folder() as private:
            home, temporary = private / "home", private / "tmp"
            home.mkdir()
            temporary.mkdir()
            if self.isolated:
                command = isolation.enclosed(
                    self._command(KAGGLE, code),
                    self.root,
                    private,
                    mounts,
                    python=self.python,
                    internet=self.internet,
                    memory=self.settings.memory,
                )
                variables = environment(PurePosixPath(isolation.HOME), PurePosixPath("/tmp"), None)
            else:
                command = self._command(self.root, code)
                variables = environment(home, temporary, self.root)
            outcome = execute(
                command,
                cwd=self.root / WORKING,
                environment=variables | dict(extra),
                timeout=timeout,
                on_record=Shortened(self.settings, on_record),
                stop=stop,
                limit=watch.look,
            )
        if self.isolated and outcome.exit_code > 128:
            outcome = replace(outcome, exit_code=128 - outcome.exit_code)  # bubblewrap's way to name a signal
        if outcome.stopped is None and outcome.exit_code == 0 and (problem := watch.output_problem()):
            return replace(outcome, stopped=Stopped.LIMIT, reason=problem)
        return outcome

    def _command(self, kaggle: Path | PurePosixPath, code: PurePosixPath) -> list[str]:
        if self.is_notebook:
            return notebook.command(self.python, kaggle / code, kaggle / WORKING)
        return [self.python, str(kaggle / code)]


def start(paths: VersionPaths, lock: int) -> None:
    """Leave a supervisor behind that holds `lock` (a descriptor) and runs the version. Raises StartFailed."""
    package = Path(__file__).resolve().parents[2]
    with paths.diary.open("ab") as diary:
        # Comes back once the supervisor has forked itself away, so there is no child to wait for later. Its own
        # environment is as clean as a session's, because a script can read its parent's.
        launched = subprocess.run(
            [sys.executable, "-m", "runner_test.sessions.session", str(paths.folder), str(lock)],
            cwd="/",
            env=inherited() | {"PYTHONPATH": str(package)},
            stdin=subprocess.DEVNULL,
            stdout=diary,
            stderr=diary,
            pass_fds=[lock],
            start_new_session=True,
            check=False,
        )
    if launched.returncode != 0:
        raise StartFailed(f"the session's supervisor did not start: see {paths.diary}")


def supervise(paths: VersionPaths) -> None:
    """Queue, run and bring to an end the session of one version; the caller holds its lock."""
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
        end = replace(now, state=State.ERROR, failure=f"The session broke: {error!r}")
        raise  # into the diary
    finally:
        # The slot goes with this process, so it is free just after the session is seen to have ended.
        progress.write(paths, replace(end, ended=time.time()))


def _session(paths: VersionPaths, version: Version, now: SessionProgress, stop: Callable[[], bool]) -> SessionProgress:
    machine = _Machine(
        paths.session,
        version.python,
        version.settings,
        isolated=version.isolated,
        is_notebook=version.kernel_type == "notebook",
        internet=version.enable_internet,
    )
    paths.session.mkdir(exist_ok=True)
    file = os.open(paths.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        outcome = machine.run(
            paths.source.read_bytes(),
            sources.mounts(paths.root, version),
            extra={},
            timeout=version.timeout,
            on_record=lambda record: log.append(file, record),
            stop=stop,
        )
    finally:
        os.close(file)
    state, failure = _verdict(outcome, version)
    return replace(now, state=state, failure=failure, exit_code=outcome.exit_code)


def _verdict(outcome: Outcome, version: Version) -> tuple[State, str | None]:
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
    """Be the supervisor of the version in the folder `arguments[0]`, holding the lock descriptor `arguments[1]`."""
    paths, lock = VersionPaths(Path(arguments[0])), int(arguments[1])
    os.set_inheritable(lock, False)  # or the script would keep the session alive after the supervisor's death
    if os.fork():
        os._exit(0)
    supervise(paths)


if __name__ == "__main__":
    main(sys.argv[1:])
