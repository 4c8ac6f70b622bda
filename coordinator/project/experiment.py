"""An experiment's file, through its bases and `--set`, to one complete and checked config.

A file says only what differs from its base:

    base: lr001_step3            # another experiment; none for the first of a family
    about: step 4, ten epochs
    config:  {schedule: {step_size: 4}}
    kernel:  {machine_shape: NvidiaTeslaT4}
    recorded: [{metric: leaderboard/public, mode: max, value: 0.8061}]
    args: [--fold, 0]            # after those of the settings and of its bases
    entry: infer.py              # another program, which gets none of their arguments
    needs: {weights: lr001_step4}    # experiments whose output it reads (see need.py)

A name that is not declared (see declaration/) is a problem, and all problems of all files are reported together.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from coordinator.errors import CoordError, ExperimentError, did_you_mean
from coordinator.files import is_leftover
from coordinator.kaggle_rules import normal_name, without_version
from coordinator.names import is_seed_of, near_experiment
from coordinator.project.declaration.declare import Given, declare
from coordinator.project.declaration.from_values import defaults_of
from coordinator.project.declaration.ways import way
from coordinator.project.launch import Launch, is_script
from coordinator.project.need import Need, needs_of, written_needs
from coordinator.project.problem import ConfigProblem
from coordinator.project.problem_report import ProblemReport, merge_all
from coordinator.project.project import Project
from coordinator.project.scalar import text_of
from coordinator.project.schema import Declared, assignment, check
from coordinator.project.section import ChoiceError, Section
from coordinator.project.settings import KernelSettings
from coordinator.project.values import json_like, leaves, merged, plain
from coordinator.project.yaml_file import YamlFile, read_yaml
from coordinator.text import command_line

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=+-]*")
_KERNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[a-z0-9][a-z0-9-]*")
"""owner/slug"""
_VALUE_MAX = 1e100  # as of runs: a larger one counts as no number there


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A value that was measured elsewhere (for example before coord was used), with its direction."""

    metric: str
    mode: Literal["max", "min"]
    value: float
    note: str = ""

    def __post_init__(self) -> None:
        if abs(self.value) > _VALUE_MAX:
            raise ValueError(f"value must be between {-_VALUE_MAX:g} and {_VALUE_MAX:g}, is {self.value:g}")


@dataclasses.dataclass(frozen=True)
class _File:
    """What an experiment's file may say."""

    base: str | None = None
    about: str = ""
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    kernel: dict[str, Any] = dataclasses.field(default_factory=dict)
    recorded: tuple[Recorded, ...] = ()
    entry: str | None = None
    args: tuple[str, ...] = ()
    needs: Any = None


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
    needs: tuple[Need, ...] = ()
    """The experiments whose output it reads."""

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
            "needs": [need.to_json() for need in self.needs],
            "overrides": list(self.overrides),
        }


@dataclasses.dataclass(frozen=True)
class AllExperiments:
    """Those that resolve, and by name the errors of those that do not."""

    experiments: tuple[Experiment, ...]
    errors: dict[str, CoordError]

    @property
    def left_out(self) -> str:
        """A sentence about those with problems."""
        return f"left out, because of problems in their files: {', '.join(self.errors)}; coord experiments shows them"

    def to_json(self) -> list[dict[str, Any]]:
        """All by name; of an experiment with problems its name and `error` only, which is null for the others."""
        items = [{**item.to_json(), "error": None} for item in self.experiments]
        items += [{"name": name, "error": error.what} for name, error in self.errors.items()]
        return sorted(items, key=lambda item: str(item["name"]))


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
    report = ProblemReport(project)
    known = experiment_names(project)
    chain = _chain(project, name, known, report)
    files = [_parsed(file, report) for file in chain]
    entry, args = _start(project, files, chain, report)
    needs = needs_of(chain, known, report)
    layers = [json_like(parsed.config) for parsed in files]
    try:
        declaration = declare(project, Given(entry, args, chain[0], layers, overrides))
    except ChoiceError as error:
        # An option that `--set` chooses wins over those of the files.
        if any(text.partition("=")[0].strip().removeprefix("defaults.") == error.path for text in overrides):
            report.add("--set", f"{error.path}: {error}")
        else:
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
    base_kernel, _ = check(KernelSettings, merge_all(base_layers))
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
            *_changes(_texts(written_needs(chain[:-1])), _texts(needs), prefix="needs"),
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
        needs=needs,
    )


def _start(
    project: Project, files: Sequence[_File], chain: Sequence[YamlFile], report: ProblemReport
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
        args += parsed.args
    return entry, tuple(args)


def resolve_all(project: Project, names: Sequence[str] | None = None) -> AllExperiments:
    """Every experiment, or those of the names: the problems of one hide no other. Without a folder there are none."""
    if names is None:
        names = experiment_names(project) if project.experiments.is_dir() else []
    found, errors = [], {}
    for name in names:
        try:
            found.append(resolve(project, name))
        except CoordError as error:
            errors[name] = error
    return AllExperiments(tuple(found), errors)


def not_read(project: Project) -> list[str]:
    """What to do with the files that are no experiments only because of the end of their names, as `base.yml`."""
    if not project.experiments.is_dir():
        return []
    endings = {".yaml", ".yml"}
    found = [file for file in project.experiments.iterdir() if file.suffix.lower() in endings]
    files = sorted(file for file in found if file.suffix != ".yaml" and not is_leftover(file.name))
    return [f"{project.relative(file)} is not read: name it {file.stem}.yaml" for file in files]


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
            title = text_of(kernel.get("title")) if isinstance(kernel, dict) else None
            at = text_of(files[at].get("base")) or ""
        titles[name] = title if title is not None else project.settings.kernel.title
    return titles


def _chain(project: Project, name: str, known: Sequence[str], report: ProblemReport) -> list[YamlFile]:
    """The experiment's file and those of its bases, the furthest base first, as far as they can be read."""
    if name not in known:
        is_family = any(is_seed_of(each, name) for each in known)
        first = "Name one of them (coord push takes several)" if is_family else f"Known: {_list(known)}"
        folder = project.relative(project.experiments)
        raise ExperimentError(
            f'there is no experiment "{name}" in {folder}/{near_experiment(name, known)}',
            hint=". ".join([first, *not_read(project)]) + ".",
        )
    chain: list[YamlFile] = []
    wanted = name
    while True:
        if not _NAME.fullmatch(wanted):
            raise ExperimentError(f'"{wanted}" is not a name: letters, digits and _ . = + - only')
        file = read_yaml(project.experiment_file(wanted))
        chain.append(file)
        base = text_of(file.data.get("base"))
        if base is None:
            return chain[::-1]
        names = [file.path.stem for file in chain]
        if base in names:
            report.add_in(file, ConfigProblem("base", f"the bases form a circle: {' -> '.join([*names, base])}"))
            return chain[::-1]
        if base not in known:
            instead = "".join(f"; {each}" for each in not_read(project)) or near_experiment(base, known)
            report.add_in(file, ConfigProblem("base", f'there is no experiment "{base}"{instead}'))
            return chain[::-1]
        wanted = base


def _base_config(project: Project, given: Given, declared: Declared) -> dict[str, Any]:
    """The config that the experiment starts from: its base's, or the declared defaults."""
    if isinstance(declared, Section):
        try:  # with the options of groups and the sub-command that the base chooses
            declared = declare(project, given).declared
        except ChoiceError:
            pass
    values = merge_all(given.layers)
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
    datasets = (without_version("dataset_sources", name) for name in kernel.dataset_sources)
    if normal_name(earlier) in (*kernel.kernel_sources, *datasets):
        return kernel
    return dataclasses.replace(kernel, kernel_sources=(*kernel.kernel_sources, earlier))


def _texts(needs: Sequence[Need]) -> dict[str, str]:
    return {need.name: str(need) for need in needs}


def _changes(base: Mapping[str, Any], value: Mapping[str, Any], prefix: str = "") -> list[Change]:
    before = dict(leaves(base, prefix=prefix))
    after = dict(leaves(value, prefix=prefix))
    paths = [*after, *(path for path in before if path not in after)]
    return [Change(path, before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)]


def _parsed(file: YamlFile, report: ProblemReport) -> _File:
    for problem in file.problems:
        report.add_in(file, problem)
    # A section in which every line is a comment has no value.
    data = {
        key: {} if key in ("config", "kernel") and value in (None, "") else value for key, value in file.data.items()
    }
    parsed, problems = check(_File, data)
    for problem in problems:
        report.add_in(file, problem)
    # A problem elsewhere in the file must not hide those in its settings.
    return parsed or _File(config=_section(file, "config"), kernel=_section(file, "kernel"))


def _section(file: YamlFile, key: str) -> dict[str, Any]:
    section = file.data.get(key)
    return section if isinstance(section, dict) else {}


def _list(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return f"{shown}, and {len(names) - most} more" if len(names) > most else shown or "none"


def build_command(name: str, overrides: Sequence[str]) -> str:
    """The command that makes an experiment's kernel, quoted for a shell, in one line whatever is in it."""
    return command_line("coord", "build", "--exp", name, *(word for each in overrides for word in ("--set", each)))
