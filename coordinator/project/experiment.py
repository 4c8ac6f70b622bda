"""An experiment's file, through its bases and `--set`, to one complete and checked config.

A file says only what differs from its base:

    base: lr001_step3            # another experiment; none for the first of a family
    about: step 4, ten epochs
    config:  {schedule: {step_size: 4}}
    kernel:  {machine_shape: NvidiaTeslaT4}
    recorded: [{metric: leaderboard/public, mode: max, value: 0.8061}]
    args: [--fold, 0]            # after those of the settings and of its bases
    entry: infer.py              # another program, which gets none of their arguments

A name that is not declared (see declaration/) is a problem, and all problems of all files are reported together.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from coordinator.errors import ExperimentError, did_you_mean
from coordinator.files import is_leftover
from coordinator.project.declaration.declare import ChoiceError, Given, declare
from coordinator.project.declaration.from_values import defaults_of
from coordinator.project.declaration.ways import way
from coordinator.project.launch import Launch, is_script
from coordinator.project.project import Project
from coordinator.project.schema import ConfigProblem, Declared, assignment, check
from coordinator.project.section import Section
from coordinator.project.settings import KernelSettings
from coordinator.project.values import json_like, leaves, merged, plain
from coordinator.project.yaml_file import YamlFile, read_yaml
from coordinator.text import command_line

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=+-]*")
_KERNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[a-z0-9][a-z0-9-]*")
"""owner/slug"""


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A value that was measured elsewhere (for example before coord was used), with its direction."""

    metric: str
    mode: Literal["max", "min"]
    value: float
    note: str = ""


@dataclasses.dataclass(frozen=True)
class _File:
    """What an experiment's file may say."""

    base: str | None = None
    about: str = ""
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    kernel: dict[str, Any] = dataclasses.field(default_factory=dict)
    recorded: tuple[Recorded, ...] = ()
    entry: str | None = None
    args: tuple[str | int | float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Change:
    """One value that differs from the experiment's base."""

    path: str
    base: Any
    value: Any


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A resolved experiment."""

    name: str
    about: str
    bases: tuple[str, ...]
    """The experiments it builds on, nearest first."""
    config: dict[str, Any]
    """Complete: every value that is declared, as JSON-like data."""
    kernel: KernelSettings
    recorded: tuple[Recorded, ...]
    changes: tuple[Change, ...]
    """What differs from the nearest base (or from the declared defaults), `--set` included."""
    launch: Launch
    declared: Declared = dataclasses.field(repr=False, compare=False)
    """What its config was checked against."""
    overrides: tuple[str, ...] = ()
    """The `--set` texts, as given."""

    @property
    def build_command(self) -> str:
        """The command that makes its kernel again."""
        return build_command(self.name, self.overrides)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "about": self.about,
            "bases": list(self.bases),
            "config": self.config,
            "kernel": plain(self.kernel),
            "recorded": plain(self.recorded),
            "changes": plain(self.changes),
            "launch": self.launch.to_json(),
            "overrides": list(self.overrides),
        }


def experiment_names(project: Project) -> list[str]:
    """The names of all experiments, sorted. Raises ExperimentError if the folder is missing."""
    if not project.experiments.is_dir():
        raise ExperimentError(
            f"there is no folder {project.relative(project.experiments)} with experiments",
            hint='Make one, or set experiments = "..." in [tool.coord].',
        )
    files = project.experiments.glob("*.yaml")
    return sorted(file.stem for file in files if file.is_file() and not is_leftover(file.name))


def resolve(project: Project, name: str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment `name`, complete and checked, with `--set` overrides such as "optim.lr=0.0005" on top.

    Raises ExperimentError with every problem in every file of the chain.
    """
    report = _Report(project)
    chain = _chain(project, name, report)
    files = [report.parse(file) for file in chain]
    entry, args = _start(project, files, chain, report)
    layers = [json_like(parsed.config) for parsed in files]
    try:
        declaration = declare(project, Given(entry, args, chain[0], layers, overrides))
    except ChoiceError as error:
        report.attribute("config", ConfigProblem(error.path, str(error)), chain, ())
        raise report.error(name) from error
    declared = declaration.declared
    if isinstance(declared, Section):
        layers = [declared.with_aliases_resolved(layer) for layer in layers]
    given: dict[str, Any] = {}
    for text in overrides:
        try:
            given = merged(given, assignment(declared, text))
        except ValueError as error:
            report.add("--set", str(error))

    base_layers = [plain(project.settings.kernel)] + [parsed.kernel for parsed in files[:-1]]
    kernel = report.build(KernelSettings, "kernel", [*base_layers, files[-1].kernel], chain, {})
    config = report.build(declared, "config", layers, chain, json_like(given))
    if report.problems or kernel is None or config is None:
        raise report.error(name)
    config = plain(config)
    base_config = _base_config(project, Given(entry, args, chain[0], layers[:-1], ()), declared)
    base_kernel, _ = check(KernelSettings, _merge_all(base_layers))
    kernel = _with_earlier(project, config, kernel)
    return Experiment(
        name=name,
        about=files[-1].about,
        bases=tuple(file.path.stem for file in reversed(chain[:-1])),
        config=config,
        kernel=kernel,
        recorded=files[-1].recorded,
        changes=(
            *_changes(base_config, config),
            *_changes(plain(base_kernel or {}), plain(kernel), prefix="kernel"),
        ),
        launch=Launch(
            entry,
            args,
            project.settings.cwd or "working",
            way(project, declaration.delivery, config),
            project.settings.path,
        ),
        declared=declared,
        overrides=tuple(overrides),
    )


def _start(
    project: Project, files: Sequence[_File], chain: Sequence[YamlFile], report: _Report
) -> tuple[str, tuple[str, ...]]:
    """What runs, and its arguments: those of the settings and of each file. Another entry starts without any."""
    entry, args = project.settings.entry, list(project.settings.args)
    for parsed, file in zip(files, chain, strict=True):
        if parsed.entry is not None and parsed.entry != entry:
            entry, args = parsed.entry, []
            if is_script(project.root, entry) and not (project.root / entry).is_file():
                near = did_you_mean(entry, [each.name for each in project.root.glob("*.py")])
                report.add_in(file, ConfigProblem("entry", f'there is no script "{entry}"{near}'))
                raise report.error(file.path.stem)
        args += map(str, parsed.args)
    return entry, tuple(args)


def derive(project: Project, name: str, base: str, overrides: Sequence[str]) -> Experiment:
    """An experiment without a file: `base` with the overrides on top, under a name of its own.

    Raises what `resolve` does.
    """
    start, found = resolve(project, base), resolve(project, base, overrides)
    changes = tuple(_changes(start.config, found.config))
    values = ", ".join(f"{change.path}={json.dumps(change.value)}" for change in changes)
    return dataclasses.replace(
        found,
        name=name,
        about=": ".join(filter(None, [start.about, values])),
        bases=(base, *start.bases),
        recorded=(),  # of the base
        changes=changes,
    )


def kernel_titles(project: Project) -> dict[str, str]:
    """Each experiment's title setting, without resolving (or checking) anything else; unreadable files are left out."""
    files: dict[str, dict[str, Any]] = {}
    for name in experiment_names(project):
        try:
            files[name] = read_yaml(project.experiment_file(name)).data
        except ExperimentError:
            continue
    titles = {}
    for name in files:
        title, at, seen = None, name, set[str]()
        while title is None and at in files and at not in seen:
            seen.add(at)
            kernel = files[at].get("kernel")
            title = kernel.get("title") if isinstance(kernel, dict) else None
            at = str(files[at].get("base"))
        titles[name] = str(title if title is not None else project.settings.kernel.title)
    return titles


def _chain(project: Project, name: str, report: _Report) -> list[YamlFile]:
    """The experiment's file and those of its bases, the furthest base first, as far as they can be read."""
    known = experiment_names(project)
    if name not in known:
        raise ExperimentError(
            f'there is no experiment "{name}" in {project.relative(project.experiments)}/{did_you_mean(name, known)}',
            hint=f"Known: {_list(known)}.",
        )
    chain: list[YamlFile] = []
    wanted = name
    while True:
        if not _NAME.fullmatch(wanted):
            raise ExperimentError(f'"{wanted}" is not a name: letters, digits and _ . = + - only')
        file = read_yaml(project.experiment_file(wanted))
        chain.append(file)
        base = file.data.get("base")
        if not isinstance(base, str):
            return chain[::-1]
        names = [file.path.stem for file in chain]
        if base in names:
            report.add_in(file, ConfigProblem("base", f"the bases form a circle: {' -> '.join([*names, base])}"))
            return chain[::-1]
        if base not in known:
            report.add_in(file, ConfigProblem("base", f'there is no experiment "{base}"{did_you_mean(base, known)}'))
            return chain[::-1]
        wanted = base


def _base_config(project: Project, given: Given, declared: Declared) -> dict[str, Any]:
    """The config that the experiment starts from: its base's, or the declared defaults."""
    if isinstance(declared, Section):
        try:  # with the options of groups and the sub-command that the base chooses
            declared = declare(project, given).declared
        except ChoiceError:
            pass
    values = _merge_all(given.layers)
    value, _ = check(declared, values)
    if value is None and isinstance(declared, Section):  # it lacks what only the experiment gives
        return merged(defaults_of(declared), values)
    return dict(plain(value or {}))


def _with_earlier(project: Project, config: Mapping[str, Any], kernel: KernelSettings) -> KernelSettings:
    """Attaches the kernel that a run continues from, unless it is attached already: naming it once is enough."""
    setting = project.settings.continue_setting
    earlier = dict(leaves(config)).get(setting) if setting else None
    if not isinstance(earlier, str) or not _KERNEL.fullmatch(earlier):
        return kernel
    if earlier in (*kernel.kernel_sources, *kernel.dataset_sources):
        return kernel
    return dataclasses.replace(kernel, kernel_sources=(*kernel.kernel_sources, earlier))


def _changes(base: Mapping[str, Any], value: Mapping[str, Any], prefix: str = "") -> list[Change]:
    before = dict(leaves(base, prefix=prefix))
    after = dict(leaves(value, prefix=prefix))
    paths = [*after, *(path for path in before if path not in after)]
    return [Change(path, before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)]


def _merge_all(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for layer in layers:
        result = merged(result, layer)
    return result


def _section(file: YamlFile, key: str) -> dict[str, Any]:
    section = file.data.get(key)
    return section if isinstance(section, dict) else {}


def _list(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return f"{shown}, and {len(names) - most} more" if len(names) > most else shown or "none"


class _Report:
    """Collects the problems of all files of a chain, each with its file and line."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.problems: list[str] = []

    def add(self, where: str, message: str) -> None:
        self.problems.append(f"  {where}: {message}")

    def add_in(self, file: YamlFile, problem: ConfigProblem) -> None:
        line = file.line(problem.path)
        place = self.project.relative(file.path) + (f":{line}" if line else "")
        self.add(place, f"{problem.path}: {problem.message}" if problem.path else problem.message)

    def parse(self, file: YamlFile) -> _File:
        for problem in file.problems:
            self.add_in(file, problem)
        parsed, problems = check(_File, file.data)
        for problem in problems:
            self.add_in(file, problem)
        # A problem elsewhere in the file must not hide those in its settings.
        return parsed or _File(config=_section(file, "config"), kernel=_section(file, "kernel"))

    def build(
        self,
        cls: Declared,
        section: str,
        layers: Sequence[Mapping[str, Any]],
        chain: Sequence[YamlFile],
        given: Mapping[str, Any],
    ) -> Any:
        """The merged section, checked against `cls`; each problem is attributed to the last file that set the value."""
        value, problems = check(cls, merged(_merge_all(layers), given))
        given_paths = [path for path, _ in leaves(given)]
        aliases = cls.aliases if isinstance(cls, Section) else {}
        short = {path: alias for alias, path in aliases.items()}
        for problem in problems:
            if any(problem.path == item or problem.path.startswith(f"{item}.") for item in given_paths):
                self.add("--set", f"{problem.path}: {problem.message}")
            else:
                self.attribute(section, problem, chain, (short.get(problem.path, problem.path),))
        if value is None:
            return None
        # Checked once more as a whole: the declared defaults were not yet, and `lr: 1` becomes `lr: 1.0`.
        value, problems = check(cls, plain(value))
        for problem in problems:
            self.add(f"the defaults of {getattr(cls, '__name__', 'the program')}", f"{problem.path}: {problem.message}")
        return value

    def attribute(
        self, section: str, problem: ConfigProblem, chain: Sequence[YamlFile], also: Sequence[str] = ()
    ) -> None:
        """Adds a problem of a section with the file that set the value; `also` has other names of it."""
        path = f"{section}.{problem.path}" if problem.path else section
        places = [path, *(f"{section}.{each}" for each in also)]
        setter = next((file for file in reversed(chain) for place in places if place in file.lines), None)
        if setter is None:
            # An item of a list, or a whole section: the last file that sets any part of it.
            setter = next((file for file in reversed(chain) if file.line(path) is not None), chain[-1])
        self.add_in(setter, ConfigProblem(path, problem.message))

    def error(self, name: str) -> ExperimentError:
        count = len(self.problems)
        lines = "\n".join(self.problems)
        return ExperimentError(f'experiment "{name}" has {count} problem{"s" * (count != 1)}:\n{lines}')


def build_command(name: str, overrides: Sequence[str]) -> str:
    """The command that makes an experiment's kernel, quoted for a shell, in one line whatever is in it."""
    words = ["coord", "build", "--exp", name]
    for override in overrides:
        words += ["--set", override]
    return command_line(words)
