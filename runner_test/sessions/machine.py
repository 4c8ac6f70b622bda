"""One run of a script or notebook: its folders, its processes, its limits, and how it ended."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from runner_test.environment import Surroundings, environment
from runner_test.sessions import isolation, kaggle_modules, notebook, scratch
from runner_test.sessions.execute import Command, Outcome, Stopped, execute
from runner_test.sessions.interpreter import Layer, interpreter, user_packages
from runner_test.sessions.layout import KAGGLE, NOTEBOOK, SCRIPT, WORKING, lay_out
from runner_test.sessions.limits import Places, Shortened, Watch
from runner_test.sessions.log import Record
from runner_test.sessions.shared import Shared
from runner_test.settings import DEFAULTS, Settings
from runner_test.state import rules, tree

_GPUS, _TPUS = ("nvidia[0-9]*", "kfd", "dxg"), ("accel*", "vfio/[0-9]*")  # devices in /dev

_TELLS_MISSING = Path(__file__).with_name("tells_missing.py")


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
    machine_shape: str = ""
    """The machine that was asked for; "" is one without an accelerator."""
    modules: Sequence[str] = ()
    """Those of the inputs in which Python finds modules, too: the competitions'."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables besides those of every session."""
    tells_missing: bool = False
    """Whether its log says which files below `input/` are opened in vain."""
    shared: Shared | None = None
    """What an isolated session has together with another one."""


@dataclass(frozen=True)
class Machine:
    """What a session runs on: a folder that is, or takes the place of, `/kaggle`, an interpreter, and limits."""

    root: Path
    options: SessionOptions
    is_isolated: bool
    is_notebook: bool

    def run(
        self, source: bytes, *, on_records: Callable[[Sequence[Record]], None], stop: Callable[[], bool]
    ) -> Outcome:
        """Lay the session out, run it, and clean up; it ends early once `stop()` is true.

        Raises RootInUse, MissingFolder, BadName and BadSecrets.
        """
        options, settings = self.options, self.options.settings
        secrets = kaggle_modules.read_secrets(Path(settings.secrets))
        code = NOTEBOOK if self.is_notebook else SCRIPT
        mounts = lay_out(self.root, source, options.inputs, code, links=not self.is_isolated)
        working = self.root / WORKING
        with scratch.folder() as private:
            kaggle_modules.provide(private / "kaggle", secrets, internet=options.internet)
            written = [private / name for name in ("home", "tmp", "python")]
            watch = Watch(settings, Places(working, others=(self.root, *written)))
            say = Shortened(settings, on_records)
            if note := _missing_device(options.machine_shape):
                say.add(note, 0.0)
            outcome = execute(
                self._command(code, mounts, private),
                timeout=options.timeout,
                on_records=say,
                stop=stop,
                limit=watch.look,
            )
            if outcome.stopped is None and outcome.exit_code == 0 and (problem := watch.files_problem()):
                outcome = replace(outcome, stopped=Stopped.LIMIT, reason=problem)
        tree.open_up(working)
        if self.is_isolated and outcome.exit_code > 128:
            outcome = replace(outcome, exit_code=128 - outcome.exit_code)  # bubblewrap reports signal n as 128 + n
        return outcome

    def _command(self, code: PurePath, mounts: Mapping[str, Path], private: Path) -> Command:
        """The command that runs the script or the notebook, in namespaces of its own if isolated."""
        options, installed = self.options, interpreter(self.options.python)
        around = self._surroundings(private)
        layer = Layer(
            private / "python",
            around.programs.parent,
            around.home,
            search=[isolation.MODULES if self.is_isolated else private / "kaggle"],
            moved=isolation.moved(installed) if self.is_isolated else {},
        )
        layer.make(installed, [_TELLS_MISSING] if options.tells_missing else [])
        (private / "home" / user_packages(installed)).mkdir(parents=True)
        (private / "tmp").mkdir()
        variables = environment(around)
        if options.overrides is not None:
            variables["COORD_OVERRIDES"] = options.overrides
        variables |= options.variables
        arguments = self._arguments(str(layer.python), around.kaggle, code)
        if not self.is_isolated:
            return Command(arguments, self.root / WORKING, variables)
        memory = options.settings.memory
        container = isolation.Container(self.root, private, mounts, installed, options.internet, memory, options.shared)
        enclosed, file = container.enclose(arguments)
        return Command(enclosed, self.root / WORKING, variables, descriptors=[file])

    def _surroundings(self, private: Path) -> Surroundings:
        is_isolated = self.is_isolated
        python = isolation.PYTHON if is_isolated else private / "python"
        return Surroundings(
            kaggle=KAGGLE if is_isolated else self.root,
            home=isolation.HOME if is_isolated else private / "home",
            temporary=isolation.TEMPORARY if is_isolated else private / "tmp",
            programs=python / "bin",
            modules=self.options.modules,
            is_isolated=is_isolated,
            is_notebook=self.is_notebook,
        )

    def _arguments(self, python: str, kaggle: PurePath, code: PurePath) -> list[str]:
        if self.is_notebook:
            program = str(isolation.NOTEBOOK_PROGRAM) if self.is_isolated else notebook.PROGRAM
            return notebook.command(python, program, kaggle / code, kaggle / WORKING)
        return [python, str(kaggle / code)]


def _missing_device(shape: str) -> str | None:
    """A line for the log of a session that asked for a device which this machine lacks, or None."""
    kinds = {"GPU": (rules.is_gpu(shape), _GPUS), "TPU": (rules.is_tpu(shape), _TPUS)}
    for kind, (asked, patterns) in kinds.items():
        if asked and not any(True for pattern in patterns for _ in Path("/dev").glob(pattern)):
            return f"The local Kaggle: this machine has no {kind}. The session asked for {shape}, and runs without it."
    return None
