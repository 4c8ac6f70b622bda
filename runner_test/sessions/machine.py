"""One run of a script or notebook: its folders, its processes, its limits, and how it ended."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from runner_test.environment import environment
from runner_test.sessions import isolation, notebook, scratch
from runner_test.sessions.execute import Command, Outcome, Stopped, execute
from runner_test.sessions.layout import KAGGLE, NOTEBOOK, SCRIPT, WORKING, lay_out
from runner_test.sessions.limits import Places, Shortened, Watch
from runner_test.sessions.log import Record
from runner_test.sessions.shared import Shared
from runner_test.settings import DEFAULTS, Settings
from runner_test.state import tree


@dataclass(frozen=True)
class SessionOptions:
    """What a session has besides its script."""

    inputs: Mapping[str, Path] = field(default_factory=dict)
    """Folders to mount, by path below `input/`, such as `datasets/owner/slug`."""
    overrides: str | None = None
    """Value of the variable COORD_OVERRIDES."""
    timeout: float | None = None
    """Seconds that it may run."""
    python: str = sys.executable
    """The interpreter that runs it."""
    settings: Settings = DEFAULTS
    """Its limits, and whether it is isolated where this machine allows it."""
    internet: bool = False
    """Whether an isolated session has a network."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables besides those of every session."""
    shared: Shared | None = None
    """What an isolated session has together with another one."""


@dataclass(frozen=True)
class Machine:
    """What a session runs on: a folder that is, or takes the place of, `/kaggle`, an interpreter, and limits."""

    root: Path
    options: SessionOptions
    is_isolated: bool
    is_notebook: bool

    def run(self, source: bytes, *, on_record: Callable[[Record], None], stop: Callable[[], bool]) -> Outcome:
        """Lay the session out, run it, and clean up; it ends early once `stop()` is true.

        Raises RootInUse, MissingFolder and BadName.
        """
        options, settings = self.options, self.options.settings
        code = NOTEBOOK if self.is_notebook else SCRIPT
        mounts = lay_out(self.root, source, options.inputs, code, links=not self.is_isolated)
        working = self.root / WORKING
        with scratch.folder() as private:
            watch = Watch(settings, Places(working, others=(self.root, private / "home", private / "tmp")))
            outcome = execute(
                self._command(code, mounts, private),
                timeout=options.timeout,
                on_record=Shortened(settings, on_record),
                stop=stop,
                limit=watch.look,
            )
            if outcome.stopped is None and outcome.exit_code == 0 and (problem := watch.files_problem()):
                outcome = replace(outcome, stopped=Stopped.LIMIT, reason=problem)
        tree.open_up(working)
        if self.is_isolated and outcome.exit_code > 128:
            outcome = replace(outcome, exit_code=128 - outcome.exit_code)  # bubblewrap reports signal n as 128 + n
        return outcome

    def _command(self, code: PurePosixPath, mounts: Mapping[str, Path], private: Path) -> Command:
        """The command that runs the script or the notebook, in namespaces of its own if isolated."""
        options = self.options
        home, temporary = private / "home", private / "tmp"
        home.mkdir()
        temporary.mkdir()
        if self.is_isolated:
            container = isolation.Container(
                self.root, private, mounts, options.python, options.internet, options.settings.memory, options.shared
            )
            arguments = container.enclose(self._arguments(KAGGLE, code))
            variables = environment(PurePosixPath(isolation.HOME), PurePosixPath("/tmp"), None)
        else:
            arguments = self._arguments(self.root, code)
            variables = environment(home, temporary, self.root)
        if options.overrides is not None:
            variables["COORD_OVERRIDES"] = options.overrides
        return Command(arguments, self.root / WORKING, variables | dict(options.variables))

    def _arguments(self, kaggle: Path | PurePosixPath, code: PurePosixPath) -> list[str]:
        python = self.options.python
        if self.is_notebook:
            return notebook.command(python, kaggle / code, kaggle / WORKING)
        return [python, str(kaggle / code)]
