"""What an experiment reads of others: `needs:` in its file.

    needs: lr001_step4                              # one, called by its experiment
    needs: [lr001_step4, cv5]
    needs: {weights: lr001_step4, folds: cv5@v3}    # with names of their own; v3 is the version that has to be read

As everywhere in these files, a text or a list replaces what the bases say, and a mapping is merged with it by name:
`needs: {folds: null}` drops one, `needs: []` all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.errors import ExperimentError
from coordinator.names import near_experiment
from coordinator.project.problem import ConfigProblem
from coordinator.project.problem_report import ProblemReport
from coordinator.project.project import Project
from coordinator.project.scalar import text_of
from coordinator.project.values import plain
from coordinator.project.yaml_file import YamlFile, read_yaml

KEY = "needs"
_SWEPT = "--"
"""Separates, in the name of a sweep's experiment, its base from what is set."""
_VALUE = re.compile(r"(?P<experiment>[^@\s]+)(?:@v(?P<version>[1-9][0-9]{0,8}))?")


@dataclass(frozen=True)
class Need:
    """An experiment whose output another one reads."""

    name: str
    """What the program calls it: letters, digits and _."""
    experiment: str
    version: int | None = None
    """The version of its kernel that has to be read; None is the newest complete one."""

    def __str__(self) -> str:
        return self.experiment if self.version is None else f"{self.experiment}@v{self.version}"

    @property
    def variable(self) -> str:
        """The variable of the environment that has its folder."""
        return f"COORD_NEED_{self.name.upper()}"

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "experiment": self.experiment, "version": self.version}


def needs_of(chain: Sequence[YamlFile], known: Sequence[str], report: ProblemReport) -> tuple[Need, ...]:
    """The needs of the experiment whose file is the last of the chain; the furthest base is the first.

    `known` has the names of all experiments. Adds every problem to the report: of the form, of experiments that are not
    there, and of needs that lead back to the experiment itself.
    """
    layers = _Layers()
    for file in chain:
        layers.add(file)
    needs = [need for need, _ in layers.found.values()]
    for file, problem in layers.problems:
        report.add_in(file, problem)
    for need, file in layers.found.values():
        for text in _problems(report.project, chain[-1].path.stem, need, needs, known):
            report.add_in(file, ConfigProblem(f"{KEY}.{need.name}", text))
    return tuple(needs)


def written_needs(chain: Sequence[YamlFile]) -> tuple[Need, ...]:
    """What `needs_of` returns, without its checks."""
    layers = _Layers()
    for file in chain:
        layers.add(file)
    return tuple(need for need, _ in layers.found.values())


def base_in(name: str) -> str:
    """The experiment that a sweep's experiment starts from, which has no file of its own: in its name."""
    return name.partition(_SWEPT)[0]


class _Layers:
    """The needs of a chain of files, each laid over those before it."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[Need, YamlFile]] = {}
        self.problems: list[tuple[YamlFile, ConfigProblem]] = []

    def add(self, file: YamlFile) -> None:
        value = plain(file.data.get(KEY))
        if value is None:  # a section in which every line is a comment has no value
            return
        if not isinstance(value, Mapping):
            self.found = {}
        for path, name, each in _entries(file.data[KEY]):
            try:
                need = _need(name, each)
            except ValueError as error:
                self.problems.append((file, ConfigProblem(path, str(error))))
                continue
            if need is None:
                self.found.pop(name, None)
            elif need.name in self.found and not name:
                self.problems.append((file, ConfigProblem(path, f"{need.name} is named twice")))
            else:
                self.found[need.name] = (need, file)


def _entries(value: Any) -> Iterator[tuple[str, str, Any]]:
    """(dotted path, name or "", value) of each need as it is written."""
    if isinstance(value, Mapping):
        yield from ((f"{KEY}.{name}", str(name), each) for name, each in value.items())
    elif isinstance(value, list):
        yield from ((f"{KEY}.{at}", "", each) for at, each in enumerate(value))
    else:
        yield KEY, "", value


def _need(name: str, value: Any) -> Need | None:
    """The need; None if its name drops that of a base. Raises ValueError, which says what is wrong."""
    text = text_of(value)
    if text is None:
        if name and plain(value) is None:
            return None
        raise ValueError(f"must be an experiment, a list of experiments, or a mapping of names to them, is {value!r}")
    found = _VALUE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text}" is no experiment: write NAME, or NAME@v3 for its version 3')
    name = name or re.sub(r"\W", "_", found["experiment"], flags=re.ASCII)
    if not re.fullmatch(r"\w+", name, flags=re.ASCII):
        raise ValueError(f'"{name}" is no name of a need: letters, digits and _ only')
    return Need(name, found["experiment"], int(found["version"]) if found["version"] else None)


def _problems(project: Project, name: str, need: Need, others: Sequence[Need], known: Sequence[str]) -> Iterator[str]:
    """What is wrong with one need beside those before it."""
    if need.experiment == name:
        yield "an experiment can't need itself; coord continue goes on from its run"
    elif need.experiment not in known and base_in(need.experiment) not in known:
        yield f'there is no experiment "{need.experiment}"{near_experiment(need.experiment, known)}'
    elif way := _way_back(project, [name, need.experiment], known, set()):
        yield f"the needs form a circle: {' -> '.join(way)}"
    for other in others[: others.index(need)]:
        if other.variable == need.variable:
            yield f'"{other.name}" and "{need.name}" would be one variable, {need.variable}: name one of them otherwise'
        if other.experiment == need.experiment and other.version != need.version:
            yield f"{other} is needed, too, and Kaggle mounts one version of a kernel"


def _way_back(project: Project, way: list[str], known: Sequence[str], seen: set[str]) -> list[str]:
    """The experiments from the first of `way` along the needs back to it; empty if they don't lead there."""
    for each in _needed_by(project, way[-1], known):
        if each == way[0]:
            return [*way, each]
        if each not in seen:
            seen.add(each)
            if found := _way_back(project, [*way, each], known, seen):
                return found
    return []


def _needed_by(project: Project, name: str, known: Sequence[str]) -> list[str]:
    """The experiments that one needs, as far as its files can be read: their own problems are told elsewhere."""
    chain: list[YamlFile] = []
    base: str | None = name if name in known else base_in(name)
    while base is not None and base in known and base not in [file.path.stem for file in chain]:
        try:
            chain.append(read_yaml(project.experiment_file(base)))
        except ExperimentError:
            break
        base = text_of(chain[-1].data.get("base"))
    return [need.experiment for need in written_needs(chain[::-1])]
