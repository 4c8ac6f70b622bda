"""Finds the project, reads its settings, and has all its paths: no other module joins them.

A project is a directory whose `pyproject.toml` has a `[tool.coord]` table.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coordinator.errors import NoProject, ProjectError
from coordinator.names import is_confined, is_device, is_plain
from coordinator.project.launch import is_script
from coordinator.project.own_modules import own_module, places
from coordinator.project.ownership import check_owner
from coordinator.project.problem import ConfigProblem, join
from coordinator.project.schema import check
from coordinator.project.settings import Settings, kind_of, parse_target
from coordinator.project.shipped import default_template
from coordinator.project.target_settings import TargetName
from coordinator.system import IS_WINDOWS


@dataclasses.dataclass(frozen=True)
class Project:
    """A project on disk. Every path that coord reads or writes is one of its methods.

    A name that cannot be one part of a path is a ProjectError: some names are from a target or from somebody's results.
    """

    root: Path
    settings: Settings

    @property
    def module_folders(self) -> tuple[Path, ...]:
        """Where `python -m` finds the program's modules: in the project, and in the folders that `path` names."""
        return (self.root, *(self.root / folder for folder in self.settings.path))

    @property
    def pyproject(self) -> Path:
        return self.root / "pyproject.toml"

    @property
    def experiments(self) -> Path:
        return self.root / self.settings.experiments

    @property
    def own_python(self) -> str:
        """The Python with the program's own libraries: `config_python`, or else coord's."""
        python = self.settings.config_python or sys.executable
        return str(self.root / Path(python).expanduser()) if os.sep in python else python

    @property
    def image_table(self) -> Path:
        """What `coord image refresh` writes; it may be missing."""
        return self.root / (self.settings.image or "kaggle-image.json")

    @property
    def wheels_lock(self) -> Path:
        """What `coord wheels` writes: which wheels the requirements need; it may be missing."""
        return self.root / "kaggle-wheels.json"

    def wheels(self, slug: str) -> Path:
        """The folder of the wheels that are the data set of this name."""
        return self.state / "wheels" / _part(slug)

    @property
    def state(self) -> Path:
        """Everything that coord remembers about this project, git-ignored."""
        return self.root / ".coord"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.sqlite"

    @property
    def live_page(self) -> Path:
        """Where `coord ui` listens, while it does."""
        return self.state / "ui.json"

    @property
    def live_page_lock(self) -> Path:
        """Held by the server of the live page."""
        return self._lock("ui")

    @property
    def local_kaggle(self) -> Path:
        return self.state / "local-kaggle"

    def experiment_file(self, name: str) -> Path:
        return self.experiments / f"{name}.yaml"

    def build(self, experiment: str) -> Path:
        return self.root / "build" / _part(experiment)

    def build_lock(self, experiment: str) -> Path:
        """Held while that experiment's build is swapped in."""
        return self._lock(f"build-{experiment}")

    def push_lock(self, target: str, slug: str) -> Path:
        """Held while a version of that kernel is being pushed."""
        return self._lock(f"{target}-{slug}")

    def fetch_lock(self, run_id: str) -> Path:
        """Held while that run's results are being fetched."""
        return self._lock(f"fetch-{run_id}")

    @property
    def export_lock(self) -> Path:
        """Held while runs are handed over to other tools."""
        return self._lock("export")

    @property
    def resolving_lock(self) -> Path:
        """Held while wheels are being resolved and downloaded."""
        return self._lock("wheels")

    def submit_lock(self, target: str, competition: str) -> Path:
        """Held while something is submitted to that competition."""
        return self._lock(f"submit-{target}-{competition}")

    def dataset_lock(self, target: str, owner: str, slug: str) -> Path:
        """Held while a version of that data set is being sent."""
        return self._lock(f"data-{target}-{owner}-{slug}")

    def uploads(self, target: str, owner: str, slug: str) -> Path:
        """Where the files of that data set go whose upload was begun."""
        return self.state / "uploads" / _part(f"{target}-{owner}-{slug}.jsonl")

    def sweep_lock(self, sweep: str) -> Path:
        """Held while that sweep's experiments are being pushed."""
        return self._lock(f"sweep-{sweep}")

    def _lock(self, name: str) -> Path:
        return self.state / "locks" / _part(name)

    @property
    def live_check(self) -> Path:
        """What `coord live-check` has found and made."""
        return self.state / "live-check"

    def dry_run(self, experiment: str) -> Path:
        return self.state / "dry-run" / _part(experiment)

    @property
    def sample_data_lock(self) -> Path:
        """Held while the small data of a dry run is made."""
        return self._lock("sample-data")

    @property
    def sample_data_record(self) -> Path:
        """What made the small data of a dry run."""
        return self.state / "sample-data.json"

    @property
    def all_results(self) -> Path:
        """The folder with one folder for each experiment, which has one for each run that was fetched."""
        return self.root / "results"

    @property
    def remarks(self) -> Path:
        """A second copy of the ledger's notes and tags."""
        return self.all_results / "remarks.jsonl"

    def results(self, experiment: str, target: str, version: int) -> Path:
        return self.all_results / _part(experiment) / _part(f"{target}-v{version}")

    def template(self, name: str) -> Path:
        """The project's own template of that name, or else the one that coord ships with."""
        if self.settings.templates is not None:
            own = self.root / self.settings.templates / name
            if own.is_file():
                return own
        return default_template(name)

    def relative(self, path: Path) -> str:
        """The path as a person in the project's root would type it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    def config_class(self) -> type:
        """The config's dataclass, imported from the project without the rest of the model source.

        Raises ProjectError if it cannot be imported, is no dataclass, or pulls in more than the standard library.
        """
        named = str(self.settings.config)
        found = self._imported("config", named)
        if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
            raise ProjectError(f"{self.said('config', named)} is not a dataclass")
        return found

    def continue_check(self) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Sequence[str]] | None:
        """The function that says why a run of one config cannot continue one of another; None if none is set.

        Raises ProjectError like `config_class`, and if it is no function.
        """
        name = self.settings.continue_check
        if name is None:
            return None
        found = self._imported("continue_check", name)
        if not callable(found):
            raise ProjectError(f"{self.said('continue_check', name)} is not a function")
        function: Callable[[Mapping[str, Any], Mapping[str, Any]], Sequence[str]] = found
        return function

    def said(self, setting: str, value: str) -> str:
        """How a message names a setting."""
        return f'{self.relative(self.pyproject)}: [tool.coord] {setting} = "{value}"'

    def _imported(self, setting: str, value: str) -> Any:
        """What a setting of the form module:name names, imported with the standard library alone."""
        module_name, _, name = value.partition(":")
        where = self.said(setting, value)
        if not name:
            raise ProjectError(f"{where} is not of the form module:name")
        try:
            return getattr(own_module(self.module_folders, module_name), name)
        except ImportError as error:
            path = self._way(error)
            raise ProjectError(
                f"{where} cannot be imported: {error}{path}", hint=self._what_to_move(setting, module_name, error)
            ) from error
        except Exception as error:  # the module is the user's code: it may raise anything
            told = f"{type(error).__name__}: {error}{self._way(error)}"
            raise ProjectError(f"{where} cannot be imported: {told}") from error

    def _way(self, error: Exception) -> str:
        """The project's own lines that led to the error, for the end of a message: ` (config.py:3, by load.py:7)`."""
        lines = [f"{self.relative(file)}:{line}" for file, line in reversed(places(error, self.module_folders))]
        return f" ({', imported by '.join(lines)})" if lines else ""

    def _what_to_move(self, setting: str, module: str, error: ImportError) -> str | None:
        """How to mend a module that coord cannot read because of what it imports."""
        library = (error.name or "").partition(".")[0]
        if not library or library == module.partition(".")[0]:  # one of its own modules is not there
            return None
        files = [self.relative(file) for file, _ in places(error, self.module_folders)]
        first, last = (files[0], files[-1]) if files else (module, module)
        inner = library if first == last else last
        of = "" if first == last else f" of {last}"
        lines = [
            f"coord reads {first} without the libraries that training needs: it gets the standard library only.",
            f"Move what needs {library} out of {first}, into a module that it does not import,"
            if first == last
            else f"Move what {first} needs{of} into a module that does not import {library},",
            f"or import {inner} inside the function that uses it.",
        ]
        if setting == "config":
            lines.append(f'Or name a Python that has {library}: config_python = "python3" in [tool.coord].')
        return "\n".join(lines)


def _part(name: str) -> str:
    """The name, which becomes one part of a path. Raises ProjectError if it would be more, or lead elsewhere."""
    if not is_plain(name):
        raise ProjectError(
            f"{name!r} can be no name of a file of this project", hint="Where is it from? See: coord ledger check"
        )
    if IS_WINDOWS and is_device(name):
        raise ProjectError(f"{name} can be no file on Windows: it is a device there", hint="Give it another name.")
    return name


def find_project(start: Path | None = None) -> Project:
    """The project that `start` (default: the current directory) lies in.

    Raises NoProject if there is none up to the file system's root, ProjectError if its settings have problems.
    """
    try:
        here = (start or Path.cwd()).resolve()
    except FileNotFoundError:
        raise NoProject("the current folder is gone", hint="Change into your project.") from None
    for directory in (here, *here.parents):
        table = _coord_table(directory / "pyproject.toml")
        if table is not None:
            check_owner(directory, [directory, directory / "pyproject.toml"])
            project = Project(root=directory, settings=_settings(directory / "pyproject.toml", table))
            check_owner(directory, _code(project))
            return project
    raise NoProject(
        f"no project here: neither {here} nor a folder above it has a pyproject.toml with a [tool.coord] table",
        hint="Make one with coord init DIR, change into yours, or name it: coord --project DIR COMMAND.",
    )


def _code(project: Project) -> list[Path]:
    """What a command may import or run, where it lies: a folder that is open to all may hold other users' files."""
    settings = project.settings
    config = settings.config if kind_of(settings.config) == "dataclass" else ""
    named = [str(config or ""), settings.continue_check or "", settings.entry.removesuffix(".py").replace("/", ".")]
    places = [(folder, name.partition(":")[0]) for folder in project.module_folders for name in named if name]
    modules = [folder.joinpath(*name.split(".")) for folder, name in places]
    above = [folder for module in modules for folder in module.parents if folder.is_relative_to(project.root)]
    files = [module.with_name(f"{module.name}.py") for module in modules]
    files += [folder / "__init__.py" for folder in above]
    folders = [project.experiments, *([project.root / settings.templates] if settings.templates else [])]
    return [path for path in dict.fromkeys([*above, *files, *modules, *folders]) if path.exists()]


def _coord_table(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool")
    except OSError as error:
        raise ProjectError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # the former also for bytes that are no text, and too many digits
        raise ProjectError(f"{file} is not valid TOML: {error}") from error
    table: dict[str, Any] | None = tool.get("coord") if isinstance(tool, dict) else None
    return table


def _settings(file: Path, table: dict[str, Any]) -> Settings:
    settings, problems = check(Settings, table)
    if settings is not None:
        settings = _with_defaults(file.parent, settings)
        problems = list(_impossible(file.parent, settings))
    if problems or settings is None:
        places = [join("tool.coord", problem.path).rstrip(".") for problem in problems]
        lines = "\n".join(f"  {place}: {found.message}" for place, found in zip(places, problems, strict=True))
        raise ProjectError(f"{file.name} has {len(problems)} problem{'s' * (len(problems) != 1)}:\n{lines}")
    return settings


_USUAL = "model_src"
"""The model source of a project that names none, and no entry that lies elsewhere."""


def _with_defaults(root: Path, settings: Settings) -> Settings:
    """The settings with what follows from others, and from the folders that there are."""
    entry = settings.entry or f"{_USUAL}.train"
    if settings.model_source is None and entry.partition(".")[0] == _USUAL and (root / _USUAL).is_dir():
        settings = dataclasses.replace(settings, model_source=_USUAL, entry=entry)
    if settings.config is None and settings.model_source == _USUAL and (root / _USUAL / "config.py").is_file():
        settings = dataclasses.replace(settings, config=f"{_USUAL}.config:Config")
    if settings.cwd is None:
        # A model source was written for coord: its working directory is the output.
        is_ours = settings.model_source is not None or kind_of(settings.config) == "dataclass"
        settings = dataclasses.replace(settings, cwd="working" if is_ours else "checkout")
    return settings


def _impossible(root: Path, settings: Settings) -> Iterator[ConfigProblem]:
    source = settings.model_source
    if source is not None and not (root / source).is_dir():
        yield ConfigProblem("model_source", f'there is no folder "{source}" in {root}')
    for folder in settings.path:
        if not is_confined(folder) or not (root / folder).is_dir():
            yield ConfigProblem("path", f'there is no folder "{folder}" in {root}')
    if not settings.entry:
        yield ConfigProblem("entry", 'is missing: what runs? entry = "train.py" or "package.train"')
    elif is_script(root, settings.entry):
        if not (root / settings.entry).is_file():
            yield ConfigProblem("entry", f'there is no script "{settings.entry}" in {root}')
    elif source is not None and settings.entry.partition(".")[0] != source.rstrip("/"):
        yield ConfigProblem("entry", f'"{settings.entry}" is not a module of "{source}"')


def target_name(project: Project, option: str | None) -> TargetName:
    """The target to use: `--target`, then COORD_TARGET, then the settings.

    Raises ProjectError if the project has no target of that name.
    """
    name = option or os.environ.get("COORD_TARGET") or project.settings.target
    try:
        return parse_target(name, project.settings)
    except ValueError as error:
        raise ProjectError(f"{'--target' if option else 'COORD_TARGET'}: {error}") from error
