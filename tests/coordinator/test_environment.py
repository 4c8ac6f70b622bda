"""The table of environment variables against every place in the code that reads or sets one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from coordinator.environment import SIDES, VARIABLES
from tests.paths import ROOT

ROOMS = ("coordinator", "runner_test", "project_templates", "kernel_templates", "model_src")
FILES = [
    *(file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))),
    ROOT / "coord_log.py",
]
TEMPLATES = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.j2"))]
OWN = re.compile(r"(?<!_)COORD_[A-Z]+(?:_[A-Z]+)*")

COMPUTED = {
    # Places where the name is computed, each with what it can be.
    "coordinator/target/credentials.py:KAGGLE_": {"KAGGLE_USERNAME", "KAGGLE_KEY"},
    "coordinator/target/proxies.py": {"HTTPS_PROXY"},  # every spelling of a proxy's variable
    "coordinator/handover/to_mlflow.py": set(),  # switches of MLflow's own, set for its import
    "coordinator/bundle/installed.py": {"PATH", "PYTHONPATH"},
    "coordinator/maintenance/live_check/session_script.py": set(),  # reports what a session has
}
EXEMPT = {
    # Written for a program that a session starts, and read by nobody here.
    "PYTHONDONTWRITEBYTECODE",
    "PATH",
    "GOOGLE_APPLICATION_CREDENTIALS",
}


def _names(node: ast.AST | None, constants: Mapping[str, list[ast.AST]]) -> Iterator[str | None]:
    """The variables that an expression names; None for one that is computed."""
    if isinstance(node, ast.Constant):
        if re.fullmatch(r"[A-Z][A-Z0-9_]+|no_proxy", str(node.value)):
            yield str(node.value)
    elif isinstance(node, ast.Tuple | ast.Set):
        for each in node.elts:
            yield from _names(each, constants)
    elif isinstance(node, ast.Name) and node.id in constants:
        for value in constants[node.id]:  # of several functions, perhaps
            yield from _names(value, {})
    else:
        yield None


def _used(file: Path) -> Iterator[str | None]:
    """The names with which a file reads or sets the environment."""
    source = file.read_bytes()
    if b"environ" not in source and b"getenv" not in source:  # to walk through all trees takes seconds
        return
    tree = ast.parse(source)
    constants: dict[str, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants.setdefault(node.targets[0].id, []).append(node.value)
        elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Name):
            constants.setdefault(node.target.id, []).append(node.iter)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.endswith(("environ.get", "environ.setdefault", "environ.pop", "os.getenv")):
                yield from _names(node.args[0], constants)
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("os.environ"):
            yield from _names(node.slice, constants)
        elif isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]).startswith("os.environ"):
            yield from _names(node.left, constants)


def _is_listed(name: str) -> bool:
    families = [re.escape(variable.name).replace("<NAME>", "[A-Z0-9_]*") for variable in VARIABLES]
    return any(re.fullmatch(family, name) for family in families)


def test_every_variable_that_the_code_reads_is_in_the_table() -> None:
    seen = set()
    for file in FILES:
        where = file.relative_to(ROOT).as_posix()
        for name in _used(file):
            if name is None:
                assert any(key.startswith(where) for key in COMPUTED), f"{where} reads a variable with a computed name"
            elif name not in EXEMPT:
                assert _is_listed(name.upper() if name == "no_proxy" else name), f"{where}: {name}"
                seen.add(name)
    assert {"COORD_TARGET", "KAGGLE_API_TOKEN", "TMPDIR", "COORD_TRUST", "COORD_GATEWAY"} <= seen


def test_every_name_with_our_prefix_is_in_the_table() -> None:
    """Those that are only written, in scripts of kernels and in templates, too."""
    for file in (*FILES, *TEMPLATES):
        for name in OWN.findall(file.read_text(encoding="utf-8")):
            assert _is_listed(name), f"{file.relative_to(ROOT)}: {name}"


def test_the_table_has_no_variable_that_nothing_uses() -> None:
    """Each name is in the code of a room (in capitals or not), or is one of a family."""
    code = "\n".join(
        file.read_text(encoding="utf-8") for file in (*FILES, *TEMPLATES) if file.name != "environment.py"
    ) + (ROOT / "runner_test" / "environment.py").read_text(encoding="utf-8")
    computed = set().union(*COMPUTED.values())
    for variable in VARIABLES:
        name = variable.name.partition("<")[0]
        assert name in code or name in computed, variable.name
        assert variable.side in SIDES
        assert variable.about.endswith("."), variable.name
    assert len({variable.name for variable in VARIABLES}) == len(VARIABLES)
