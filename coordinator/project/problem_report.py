"""The problems of all files of an experiment, each with the file and the line that it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coordinator.errors import ExperimentError
from coordinator.project.problem import ConfigProblem
from coordinator.project.project import Project
from coordinator.project.schema import Declared, check
from coordinator.project.section import Section
from coordinator.project.values import leaves, merged, plain
from coordinator.project.yaml_file import YamlFile


class ProblemReport:
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

    def build(
        self,
        cls: Declared,
        section: str,
        layers: Sequence[Mapping[str, Any]],
        chain: Sequence[YamlFile],
        given: Mapping[str, Any],
    ) -> Any:
        """The merged section, checked against `cls`; each problem is attributed to the last file that set the value."""
        value, problems = check(cls, merged(merge_all(layers), given))
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


def merge_all(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All layers, each over those before it."""
    result: dict[str, Any] = {}
    for layer in layers:
        result = merged(result, layer)
    return result
