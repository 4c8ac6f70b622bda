"""Every imported package is declared: the imports of each folder are compared with the lists of pyproject.toml."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
# The last ones stand for modules of Kaggle's image: a session finds them beside each other.
OWN = {"coordinator", "runner_test", "model_src", "benchmarks", "tests", "coord_log"} | {
    path.stem for path in (ROOT / "runner_test" / "sessions" / "stand_ins").glob("*.py")
}
BASE = "dependencies"


@dataclass(frozen=True)
class Import:
    """One imported package of another distribution."""

    package: str
    where: str
    is_lazy: bool
    """Inside a function, or for the type checker only: the code that needs it reports if it is missing."""


def imports(room: str) -> Iterator[Import]:
    """All imports of a folder except the standard library and this project."""
    for file in sorted((ROOT / room).rglob("*.py")):
        if not {"samples", "golden"} & set(file.relative_to(ROOT / room).parts) or room != "tests":
            yield from _of_node(ast.parse(file.read_text(encoding="utf-8")), str(file.relative_to(ROOT)), is_lazy=False)


def _of_node(node: ast.AST, where: str, *, is_lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):  # holds no statement, and most of the nodes
            continue
        names = []
        if isinstance(child, ast.Import):
            names = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom) and not child.level:
            names = [child.module or ""]
        for package in {name.partition(".")[0] for name in names} - OWN - sys.stdlib_module_names:
            yield Import(package, f"{where}:{getattr(child, 'lineno', 0)}", is_lazy)
        inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or _is_for_types(child)
        yield from _of_node(child, where, is_lazy=is_lazy or inner)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


_distributions = cache(packages_distributions)


@cache
def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def declared(*lists: str) -> set[str]:
    """The distributions in these lists: `dependencies`, or extras."""
    extras = _project()["optional-dependencies"]
    lines = [line for each in lists for line in (_project()[BASE] if each == BASE else extras[each])]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def undeclared(found: list[Import], *lists: str) -> list[str]:
    """The imports whose distribution is in none of the lists."""
    distributions, names = _distributions(), declared(*lists)
    return [
        f"{each.where} imports {each.package} ({', '.join(distributions.get(each.package, ['not installed']))})"
        for each in found
        if not names & set(map(canonicalize_name, distributions.get(each.package, [])))
    ]


def test_the_coordinator_needs_its_base_list_only() -> None:
    """Packages that the base installation lacks are imported inside functions, and are declared in an extra."""
    found = list(imports("coordinator"))
    assert {each.package for each in found} >= {"kagglesdk", "requests", "typer", "mlflow"}
    assert undeclared([each for each in found if not each.is_lazy], BASE) == []
    extras = ("submit", "ui", "hydra", "local", "notebook", "train", "mlflow", "tensorboard", "wandb")
    assert undeclared([each for each in found if each.is_lazy], BASE, *extras) == []


@pytest.mark.parametrize(
    ("room", "lists"),
    [
        ("runner_test", (BASE, "local", "notebook", "train")),
        ("model_src", ("train",)),
        ("benchmarks", (BASE, "local", "train", "dev")),
        ("tests", (BASE, "local", "notebook", "train", "dev")),
    ],
)
def test_what_is_imported_is_declared(room: str, lists: tuple[str, ...]) -> None:
    """Each folder imports only packages of the lists that are installed where it is used."""
    found = list(imports(room))
    assert found
    assert undeclared(found, *lists) == []


def test_an_import_that_is_not_declared_is_found() -> None:
    """It is reported if another package depends on it, and if it is not installed."""
    text = "import yaml.nodes\nimport no_such_package\nfrom . import here\ndef late():\n    import pytest\n"
    found = list(_of_node(ast.parse(text), "a.py", is_lazy=False))
    assert [(each.package, each.is_lazy) for each in found] == [
        ("yaml", False),
        ("no_such_package", False),
        ("pytest", True),
    ]
    assert undeclared(found, "train") == [
        "a.py:1 imports yaml (PyYAML)",
        "a.py:2 imports no_such_package (not installed)",
        "a.py:5 imports pytest (pytest)",
    ]
