"""Finds the project, reads its settings, and owns every path: nobody else joins path strings.

A project is a directory whose `pyproject.toml` has a `[tool.coord]` table.
"""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import importlib
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from coordinator.errors import NoProject, ProjectError
from coordinator.schema import Problem, check, join
from coordinator.templates import default_template as default_template  # where it used to be

TargetName = Literal["kaggle", "local"]


@dataclasses.dataclass(frozen=True)
class KernelSettings:
    """What goes into kernel-metadata.json: `[tool.coord.kernel]` has the defaults, an experiment the differences."""

    title: str = "{experiment}"
    """Title on Kaggle; `{experiment}` stands for the experiment's name. Its slug is the kernel's address."""
    kernel_type: Literal["script", "notebook"] = "script"
    """Some competitions take notebooks only. Kaggle does not let a kernel change its type later."""
    is_private: bool = True
    enable_internet: bool = False
    machine_shape: str | None = None
    """Accelerator, for example "NvidiaTeslaT4" (which is two T4s); null is a CPU."""
    dataset_sources: tuple[str, ...] = ()
    """owner/slug"""
    competition_sources: tuple[str, ...] = ()
    """slug"""
    kernel_sources: tuple[str, ...] = ()
    """owner/slug"""
    model_sources: tuple[str, ...] = ()
    """owner/model/framework/variation[/version]"""
    keywords: tuple[str, ...] = ()
    docker_image: str | None = None
    docker_image_pinning_type: Literal["original", "latest"] | None = None
    timeout_seconds: int | None = None
    """Kaggle ends the session after this long; null is Kaggle's own limit."""

    def __post_init__(self) -> None:
        if self.timeout_seconds is not None and self.timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds must be > 0, is {self.timeout_seconds}")


@dataclasses.dataclass(frozen=True)
class DryRunSettings:
    """How `coord dry-run` runs a kernel on this machine: on which data, with which values."""

    input: str = ""
    """Folder that stands in for every attached data set and competition, relative to the project."""
    prepare: tuple[str, ...] = ()
    """Command that makes that folder when it is missing; run with this Python (without naming it) in the project."""
    overrides: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Dotted config paths and their values for a dry run."""


@dataclasses.dataclass(frozen=True)
class LocalSettings:
    """How the local Kaggle's sessions run: `runner_test/settings.py` has the same names, defaults and meanings."""

    isolation: Literal["auto", "none"] = "auto"
    """auto: in namespaces of their own, where this machine allows that; none: as you, with your files and network."""
    layout: Literal["2026", "2025"] = "2026"
    """Where inputs are mounted: input/datasets/owner/slug and its like, or input/slug, as before 2026."""
    memory_gib: float = 30.0
    """Memory of a session, all its processes together; of this limit and the next three, 0 is none."""
    output_gb: float = 20.0
    output_files: float = 10_000
    log_mib: float = 64.0
    gpu_quota_hours: float = 30.0
    """A week; a push for a GPU is refused when they are spent."""
    tpu_quota_hours: float = 20.0
    gpu_sessions: int = 2
    """At once; a push for one more is refused, as on Kaggle; with 0 it is queued."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and value < 0:
                raise ValueError(f"{field.name} must be >= 0, is {value:g}")


@dataclasses.dataclass(frozen=True)
class SubmissionSettings:
    """What `coord submit` and `coord scores` know about the competition: `[tool.coord.submission]`."""

    competition: str | None = None
    """Its slug; by default the competition that is attached to the kernel, if that is one."""
    sample: str | None = None
    """Sample submission, relative to the project; without it the competition's own is downloaded."""
    several_rows: bool = False
    """An id may have more rows than in the sample: several masks of one image, say."""
    mode: Literal["max", "min"] | None = None
    """Direction in which the competition's score is better; that of the run's primary metric by default."""


@dataclasses.dataclass(frozen=True)
class SweepSettings:
    """What `coord sweep` has to know of the config: dotted paths."""

    seed: str = "seed"
    """What `--seeds` counts up."""
    fold_seed: str | None = None
    """Decides, where it is not null, what is in a fold, whatever the seed: `--seeds` keeps the folds with it."""
    fold_count: str | None = None
    """How many folds there are, for `--split-folds`."""
    folds: str | None = None
    """The list of the folds to run, counted from 0; empty = all."""
    of_all_folds: tuple[str, ...] = ()
    """Metrics, and columns of oof.csv, that come of all folds together, such as a threshold's that was chosen on them:
    what runs of single folds have under these names is of no use when they are merged."""
    merge: str | None = None
    """Module that works these out: `python -m MODULE MERGED FOLDER...` completes metrics.json and oof.csv in the first
    folder from what the folds' runs have left in the others."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """The `[tool.coord]` table."""

    owner: str | None = None
    """Kaggle user name; without it the credentials' user name is taken."""
    target: TargetName = "kaggle"
    model_source: str = "model_src"
    """The package that trains, relative to the project."""
    entry: str = "model_src.train"
    """Module that runs as `__main__`."""
    config: str = "model_src.config:Config"
    """The config's dataclass, module:name."""
    scorer: str | None = None
    """The competition's metric, module:function: `function(submission, solution, ids)` gets the paths of two CSV files
    and the ids of a part (public or private), returns its score, and raises ValueError for a malformed submission."""
    attached: tuple[str, ...] = ()
    """Dotted config paths whose values must be attached sources, such as data.source; a path on disk is none."""
    continue_setting: str | None = None
    """Dotted config path that names the kernel whose output a run goes on from, as train.resume_from; `coord continue`
    sets it to owner/slug."""
    continue_check: str | None = None
    """`module:function` of (earlier config, config) in plain values -> why the one can't go on from the other, a list.

    coord asks it before it pushes. Its module imports the standard library only.
    """
    fetch_skip: tuple[str, ...] = ()
    """Files of a run's output that are not fetched unless `--only` names them, as fold*.state.pth; shell patterns."""
    templates: str | None = None
    """Folder with kernel.py.j2 and kernel-metadata.json.j2; coord's own where it has none."""
    experiments: str = "experiments"
    vendor: tuple[str, ...] = ()
    """Installed pure-Python distributions that go into the bundle, as "einops" or "einops==0.8.2"."""
    image: str | None = None
    """Table of what the kernel's image has; kaggle-image.json beside pyproject.toml, if it is there, by default."""
    image_extra: tuple[str, ...] = ()
    """Modules or distributions that are in the kernel all the same, for example from an attached data set of wheels."""
    kernel: KernelSettings = KernelSettings()
    dry_run: DryRunSettings = DryRunSettings()
    submission: SubmissionSettings = SubmissionSettings()
    local: LocalSettings = LocalSettings()
    sweep: SweepSettings = SweepSettings()


@dataclasses.dataclass(frozen=True)
class Project:
    """A project on disk. Every path that coord reads or writes is one of its methods."""

    root: Path
    settings: Settings

    @property
    def pyproject(self) -> Path:
        return self.root / "pyproject.toml"

    @property
    def experiments(self) -> Path:
        return self.root / self.settings.experiments

    @property
    def image_table(self) -> Path:
        """What `coord image refresh` writes; it need not be there."""
        return self.root / (self.settings.image or "kaggle-image.json")

    @property
    def state(self) -> Path:
        """Everything that coord remembers about this project, git-ignored."""
        return self.root / ".coord"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.sqlite"

    @property
    def local_kaggle(self) -> Path:
        return self.state / "local-kaggle"

    def experiment_file(self, name: str) -> Path:
        return self.experiments / f"{name}.yaml"

    def build(self, experiment: str) -> Path:
        return self.root / "build" / experiment

    def build_lock(self, experiment: str) -> Path:
        """Held while that experiment's build is swapped in."""
        return self.state / "locks" / f"build-{experiment}"

    def push_lock(self, target: str, slug: str) -> Path:
        """Held while a version of that kernel is being pushed."""
        return self.state / "locks" / f"{target}-{slug}"

    def fetch_lock(self, run_id: str) -> Path:
        """Held while that run's results are being fetched."""
        return self.state / "locks" / f"fetch-{run_id}"

    @property
    def export_lock(self) -> Path:
        """Held while runs are handed over to other tools."""
        return self.state / "locks" / "export"

    def submit_lock(self, target: str, competition: str) -> Path:
        """Held while something is submitted to that competition."""
        return self.state / "locks" / f"submit-{target}-{competition}"

    def sweep_lock(self, sweep: str) -> Path:
        """Held while that sweep's experiments are being pushed."""
        return self.state / "locks" / f"sweep-{sweep}"

    def dry_run(self, experiment: str) -> Path:
        return self.state / "dry-run" / experiment

    @property
    def all_results(self) -> Path:
        """Has a folder for each experiment, and in it one for each run that was fetched."""
        return self.root / "results"

    @property
    def remarks(self) -> Path:
        """A second copy of the ledger's notes and tags."""
        return self.all_results / "remarks.jsonl"

    def results(self, experiment: str, target: str, version: int) -> Path:
        return self.all_results / experiment / f"{target}-v{version}"

    def template(self, name: str) -> Path:
        """The project's own template of that name, or else the one that coord ships with."""
        if self.settings.templates is not None:
            own = self.root / self.settings.templates / name
            if own.is_file():
                return own
        return default_template(name)

    def relative(self, path: Path) -> str:
        """The path as a person in the project's root would type it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    def config_class(self) -> type:
        """The config's dataclass, imported from the project without the rest of the model source.

        Raises ProjectError if it cannot be imported, is no dataclass, or pulls in more than the standard library.
        """
        found = self._imported("config", self.settings.config)
        if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
            raise ProjectError(f"{self._said('config', self.settings.config)} is not a dataclass")
        return found

    def continue_check(self) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Sequence[str]] | None:
        """What says why a run of one config can't go on from one of another; None if the settings name nothing.

        Raises ProjectError like `config_class`, and if it is no function.
        """
        name = self.settings.continue_check
        if name is None:
            return None
        found = self._imported("continue_check", name)
        if not callable(found):
            raise ProjectError(f"{self._said('continue_check', name)} is not a function")
        function: Callable[[Mapping[str, Any], Mapping[str, Any]], Sequence[str]] = found
        return function

    def _said(self, setting: str, value: str) -> str:
        return f'{self.relative(self.pyproject)}: [tool.coord] {setting} = "{value}"'

    def _imported(self, setting: str, value: str) -> Any:
        """What a setting of the form module:name is about, imported with the standard library alone."""
        module_name, _, name = value.partition(":")
        where = self._said(setting, value)
        if not name:
            raise ProjectError(f"{where} is not of the form module:name")
        try:
            with _importing_from(self.root, module_name.partition(".")[0]):
                return getattr(importlib.import_module(module_name), name)
        except ImportError as error:
            raise ProjectError(
                f"{where} cannot be imported: {error}",
                hint="That module may import only the standard library, because coord reads it without torch.",
            ) from error
        except Exception as error:  # the module is the user's code: it may raise anything
            raise ProjectError(f"{where} cannot be imported: {type(error).__name__}: {error}") from error


def find_project(start: Path | None = None) -> Project:
    """The project that `start` (default: the current directory) lies in.

    Raises NoProject if there is none up to the file system's root, ProjectError if its settings have problems.
    """
    here = (start or Path.cwd()).resolve()
    for directory in (here, *here.parents):
        table = _coord_table(directory / "pyproject.toml")
        if table is not None:
            return Project(root=directory, settings=_settings(directory / "pyproject.toml", table))
    raise NoProject(
        f"no project here: neither {here} nor a folder above it has a pyproject.toml with a [tool.coord] table",
        hint="Change into your project, or name it with --project DIR.",
    )


def _coord_table(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool")
    except OSError as error:
        raise ProjectError(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{file} is not valid TOML: {error}") from error
    table: dict[str, Any] | None = tool.get("coord") if isinstance(tool, dict) else None
    return table


def _settings(file: Path, table: dict[str, Any]) -> Settings:
    settings, problems = check(Settings, table)
    if settings is not None:
        problems = _impossible(file.parent, settings)
    if problems or settings is None:
        places = [join("tool.coord", problem.path).rstrip(".") for problem in problems]
        lines = "\n".join(f"  {place}: {found.message}" for place, found in zip(places, problems, strict=True))
        raise ProjectError(f"{file.name} has {len(problems)} problem{'s' * (len(problems) != 1)}:\n{lines}")
    return settings


def _impossible(root: Path, settings: Settings) -> list[Problem]:
    problems = []
    if not (root / settings.model_source).is_dir():
        problems.append(Problem("model_source", f'there is no folder "{settings.model_source}" in {root}'))
    if settings.entry.partition(".")[0] != settings.model_source.rstrip("/"):
        problems.append(Problem("entry", f'"{settings.entry}" is not a module of "{settings.model_source}"'))
    return problems


def target_name(project: Project, option: str | None) -> TargetName:
    """The target to use: `--target`, then COORD_TARGET, then the settings.

    Raises ProjectError if it is neither "kaggle" nor "local".
    """
    name = option or os.environ.get("COORD_TARGET") or project.settings.target
    if name not in ("kaggle", "local"):
        source = "--target" if option else "COORD_TARGET"
        raise ProjectError(f'{source}: there is no target "{name}"', hint="Targets are kaggle and local.")
    return name  # type: ignore[return-value]  # narrowed by the membership test above


@contextlib.contextmanager
def _importing_from(root: Path, package: str) -> Iterator[None]:
    """Imports of `package` come from `root`, leave nothing behind in sys.modules, and write no bytecode there."""

    def forget() -> dict[str, Any]:
        names = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
        return {name: sys.modules.pop(name) for name in names}

    before, path, bytecode, original = forget(), list(sys.path), sys.dont_write_bytecode, builtins.__import__
    sys.path.insert(0, str(root))
    builtins.__import__ = _only_standard_library(package)
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        forget()
        sys.modules.update(before)
        sys.path[:], sys.dont_write_bytecode, builtins.__import__ = path, bytecode, original


def _only_standard_library(package: str) -> Callable[..., ModuleType]:
    """An `__import__` with which the modules of `package` get the standard library and each other, and nothing else.

    (A finder would not do: it is not asked about what this process has imported already.)
    """
    original = builtins.__import__

    def guarded(
        name: str, scope: Mapping[str, Any] | None = None, local: Any = None, names: Any = (), level: int = 0
    ) -> ModuleType:
        top = name.partition(".")[0]
        asked_by = str((scope or {}).get("__name__")).partition(".")[0]
        if level == 0 and asked_by == package and top != package and top not in sys.stdlib_module_names:
            raise ImportError(f'"{top}" is not in the standard library', name=name)
        return original(name, scope, local, names, level)

    return guarded
