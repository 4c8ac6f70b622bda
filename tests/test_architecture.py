"""The allowed imports between packages, as tables, are compared with every import statement of the project."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from coordinator.project import STANDARD_TARGETS
from tests.paths import ROOT

# A room (a package of coordinator/) may import from the rooms below it, and from those in its own row if that makes no
# circle. The last row has the modules that belong to no room.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"maintenance", "report", "ui"},
    {"handover", "rehearsal", "submissions", "sweeps"},
    {"comparison", "runs"},
    {"datasets", "ledger", "live_page", "workspace"},
    {"results", "transfers"},
    {"target"},
    {"kernel"},
    {"bundle", "wheels"},
    {"project"},
    {
        "__init__",
        "clock",
        "disk",
        "environment",
        "errors",
        "files",
        "finding",
        "kaggle_rules",
        "names",
        "progress",
        "system",
        "text",
    },
]
STANDARD_LIBRARY = sys.stdlib_module_names


@dataclass(frozen=True)
class Outline:
    """What the tests below ask of a module."""

    imports: list[ast.Import | ast.ImportFrom]
    functions: list[tuple[int, str, int]]
    """Line, name, number of parameters without `self` and `cls`."""
    classes: list[str]
    """At its top."""
    prints: bool
    target_names: list[int]
    """The lines of texts that are equal to a target's name."""
    has_docstring: bool


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree; `ast.walk`, which also asks each node for the fields that it does not have, takes longer."""
    left = [tree]
    while left:
        node = left.pop()
        yield node
        for value in vars(node).values():
            if isinstance(value, list):
                left += [each for each in value if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST):
                left.append(value)


@functools.cache
def _outline(file: Path) -> Outline:
    """Read once for all tests: to walk through the trees of all modules takes seconds."""
    tree = ast.parse(file.read_bytes())
    imports: list[ast.Import | ast.ImportFrom] = []
    functions = []
    target_names = []
    prints = False
    for node in _nodes(tree):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and node.value in STANDARD_TARGETS:
                target_names.append(node.lineno)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [argument.arg for argument in given if argument.arg not in ("self", "cls")]
            functions.append((node.lineno, node.name, len(names)))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            prints |= node.func.id == "print"
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    return Outline(imports, functions, classes, prints, target_names, bool(ast.get_docstring(tree)))


def _imports(file: Path) -> Iterator[tuple[int, str]]:
    """(number of leading dots, dotted name) of every import statement in a file."""
    for node in _outline(file).imports:
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        else:
            base = node.module or ""
            # `from coordinator import tables` imports a module, too.
            names = [alias.name for alias in node.names] if base == "coordinator" else [""]
            yield from ((node.level, f"{base}.{name}".rstrip(".")) for name in names)


@functools.cache
def _modules(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"no modules in {package}/"
    return found


def _layer(module: str) -> int:
    (index,) = [index for index, layer in enumerate(LAYERS) if module in layer]
    return index


def _room(dotted: str) -> str:
    """The room of a module of coordinator/; a module that belongs to no room counts as its own room."""
    first = dotted.partition(".")[0]
    return first if any(first in layer for layer in LAYERS) else "__init__"


def _arrows(package: str = "coordinator") -> Iterator[tuple[Path, str, str]]:
    """(file, dotted name of the imported module, imported name) for each import of the package in itself."""
    for file in _modules(package):
        for node in _outline(file).imports:
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == package:
                for alias in node.names:
                    yield file, (node.module or "").removeprefix(package).lstrip("."), alias.name
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    assert not alias.name.startswith(package), f"{file}: write from {package}... import ..."


def _room_of(file: Path) -> str:
    return file.relative_to(ROOT / "coordinator").parts[0].removesuffix(".py")


@functools.cache
def _face(package: Path) -> frozenset[str]:
    """The names that a room exports: those that its `__init__.pyi`, or else its `__init__.py`, imports."""
    stub = package / "__init__.pyi"
    face = ast.parse((stub if stub.is_file() else stub.with_suffix(".py")).read_bytes())
    return frozenset(alias.name for node in face.body if isinstance(node, ast.ImportFrom) for alias in node.names)


def test_coordinator_imports_downwards_only() -> None:
    """A room imports only from its own row of the table and from rows below it; the table has every room once."""
    rooms = [name for layer in LAYERS for name in layer]
    assert len(rooms) == len(set(rooms))
    assert {_room_of(file) for file in _modules("coordinator")} == set(rooms)
    assert len(LAYERS) <= 12
    for file, module, name in _arrows():
        ours, theirs = _room_of(file), _room(module or name)
        if ours != theirs:
            assert _layer(theirs) >= _layer(ours), f"{file.relative_to(ROOT)} imports {theirs}, which lies above it"


@pytest.mark.parametrize("file", _modules("coordinator"), ids=lambda file: str(file.relative_to(ROOT)))
def test_coordinator_knows_neither_the_model_source_nor_the_local_kaggle(file: Path) -> None:
    """All imports are absolute, too. (Only importlib.import_module in target/local.py loads the local Kaggle.)"""
    for level, imported in _imports(file):
        assert level == 0, f"{file.name}: relative import of {imported}"
        assert imported.partition(".")[0] not in {"model_src", "runner_test"}, f"{file.name} imports {imported}"


def test_no_circle_of_rooms() -> None:
    """Rooms of one row may import from each other, but not in a circle."""
    graph: dict[str, set[str]] = {name: set() for layer in LAYERS for name in layer}
    for file, module, name in _arrows():
        graph[_room_of(file)].add(_room(module or name))
    order = TopologicalSorter({room: used - {room} for room, used in graph.items()})
    order.prepare()  # raises CycleError, which names the circle


def test_rooms_are_entered_by_their_face() -> None:
    """A module imports from another room only names that its `__init__.pyi` exports, and none of its modules."""
    for file, module, name in _arrows():
        theirs = _room(module or name)
        package = ROOT / "coordinator" / theirs
        if theirs == _room_of(file) or not package.is_dir() or file.name == "__main__.py":
            continue
        assert module == theirs, f"{file.relative_to(ROOT)} imports a module of the room {theirs}: {module}"
        assert name in _face(package), f"{file.relative_to(ROOT)}: the room {theirs} does not export {name}"


def test_faces_hand_on_nothing_that_nobody_uses() -> None:
    """Each name that a room exports is imported by another room."""
    used: dict[str, set[str]] = {}
    for file, module, name in _arrows():
        if module and module == _room(module) != _room_of(file):
            used.setdefault(module, set()).add(name)
    for room in sorted(name for layer in LAYERS for name in layer):
        if (ROOT / "coordinator" / room / "__init__.pyi").is_file():
            assert not _face(ROOT / "coordinator" / room) - used[room], room


def test_only_local_reaches_the_local_kaggle() -> None:
    """Only one file of coordinator has `runner_test` as the name of a module."""
    naming = [file.name for file in _modules("coordinator") if '"runner_test' in file.read_text().replace("'", '"')]
    naming += [file.name for file in _modules("coordinator") if "runner_test.{" in file.read_text()]
    assert set(naming) == {"local.py"}


_NO_TARGET = {
    "cli/__init__.py": "the name of a command, coord local",
    "cli/manual.py": "the name of a command, coord local",
    "environment.py": "whose an environment variable is: Kaggle's own",
    "maintenance/doctor/of_machine.py": "the name of a distribution, kaggle",
    "project/git.py": "a scope of git's configuration",
}
"""Modules with a text that is equal to a target's name, and what it is there."""


def test_no_module_names_a_target() -> None:
    """What a target can do is asked of its abilities: only its own room and the settings know its name.

    Another module that needs the one or the other says `target.KAGGLE`, `target.LOCAL`.
    """
    own = {"target", "project/settings.py", "project/target_settings.py"}
    found: dict[str, list[int]] = {}
    for file in _modules("coordinator"):
        path = file.relative_to(ROOT / "coordinator")
        if own & {path.parts[0], path.as_posix()}:
            continue
        if lines := _outline(file).target_names:
            found[path.as_posix()] = lines
    assert found.keys() == _NO_TARGET.keys(), found


# The packages of the model source, and its modules outside of them. Each row may import only from the rows below it.
MODEL_LAYERS = [
    {"train", "merge"},
    {"analysis"},
    {"training"},
    {"output"},
    {"network", "prediction", "score"},
    {"data"},
    {"identity"},
    {"config"},
    {"data_config"},
    {"files", "ranges", "typed"},
]


def _model_imports(file: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path of a module as a tuple, name) for every name that a module of the model source imports from another."""
    package = file.relative_to(ROOT / "model_src").parent.parts
    for node in _outline(file).imports:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*package[: len(package) - node.level + 1], *(node.module or "").split("."))
            module = tuple(filter(None, base))
            for alias in node.names:
                is_module = (ROOT / "model_src" / Path(*module, f"{alias.name}.py")).is_file()
                yield (*module, alias.name) if is_module else module, alias.name


def _handed_on(room: str) -> set[str]:
    """The names that a package of the model source exports."""
    face = ROOT / "model_src" / room / "__init__.py"
    return {name for _, name in _model_imports(face)} if face.is_file() else set()


@pytest.mark.parametrize("file", _modules("model_src"), ids=lambda file: str(file.relative_to(ROOT)))
def test_model_source_imports_itself_relatively_and_nothing_else_of_ours(file: Path) -> None:
    """The code that runs in the kernel imports neither the coordinator nor the local Kaggle."""
    allowed = {"torch", "torchvision", "pydicom", "numpy", "PIL", *STANDARD_LIBRARY}
    depth = len(file.relative_to(ROOT / "model_src").parts)
    for level, imported in _imports(file):
        top = imported.partition(".")[0]
        assert 0 < level <= depth or (level == 0 and top in allowed), f"{file.name} imports {imported}"


@pytest.mark.parametrize("file", _modules("model_src"), ids=lambda file: str(file.relative_to(ROOT)))
def test_model_source_imports_downwards_only(file: Path) -> None:
    """Imports lead only to rows below; names that a package exports are imported from the package itself."""
    row_of = {name: row for row, names in enumerate(MODEL_LAYERS) for name in names}
    room = file.relative_to(ROOT / "model_src").parts[0].removesuffix(".py")
    if room == "__init__":
        assert not list(_model_imports(file)), "the __init__.py of the model source imports nothing"
        return
    for module, name in _model_imports(file):
        other = module[0]
        assert other == room or row_of[other] > row_of[room], f"{file.name} imports {other}, which lies above it"
        if other != room and len(module) > 1:
            assert name not in _handed_on(other), f"{file.name}: import {name} from the package {other}"


def test_model_source_has_no_circles() -> None:
    """No module imports itself, directly or through others."""
    graph = {
        file.relative_to(ROOT / "model_src").with_suffix("").parts: {module for module, _ in _model_imports(file)}
        for file in _modules("model_src")
    }
    faces = {parts[:-1]: parts for parts in graph if parts[-1] == "__init__"}
    graph = {parts: {faces.get(module, module) for module in modules} for parts, modules in graph.items()}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert set(order) == set(graph)


def test_what_the_coordinator_reads_needs_the_standard_library_only() -> None:
    """The coordinator reads the config, and which settings may differ in a continued run, without torch."""
    read = {"__init__", "config", "data_config", "identity", "ranges", "typed"}
    for name in read:
        for level, imported in _imports(ROOT / "model_src" / f"{name}.py"):
            allowed = read if level else STANDARD_LIBRARY
            assert imported.partition(".")[0] in allowed, f"{name}.py imports {imported}"


# The packages of the local Kaggle: each imports only from those below it.
RUNNER_LAYERS = [
    {"__main__", "samples"},
    {"server"},
    {"faults"},
    {"http"},
    {"store"},
    {"sessions"},
    {"state"},
    {"__init__", "environment", "errors", "settings"},
]


@pytest.mark.parametrize("file", _modules("runner_test"), ids=lambda file: str(file.relative_to(ROOT)))
def test_local_kaggle_never_imports_coordinator(file: Path) -> None:
    """It replaces Kaggle, which has neither coord nor the model source."""
    for level, imported in _imports(file):
        assert level == 0, f"{file.name}: relative import of {imported}"
        assert imported.partition(".")[0] not in {"coordinator", "model_src"}, f"{file.name} imports {imported}"


def test_local_kaggle_imports_downwards_and_by_faces_only() -> None:
    """A package imports from the packages below it, and only names that their `__init__` exports."""
    runner = ROOT / "runner_test"
    layer = {room: index for index, row in enumerate(RUNNER_LAYERS) for room in row}
    rooms = {file.relative_to(runner).parts[0].removesuffix(".py") for file in _modules("runner_test")}
    assert rooms == layer.keys()
    for file, module, name in _arrows("runner_test"):
        ours = file.relative_to(runner).parts[0].removesuffix(".py")
        theirs = (module or name).partition(".")[0]
        where = f"{file.relative_to(ROOT)} imports {name} of {module or 'runner_test'}"
        assert theirs == ours or layer[theirs] > layer[ours], f"{where}, which does not lie below it"
        if theirs != ours and (runner / theirs).is_dir():
            assert module == theirs, f"{where}, a module of the package {theirs}"
            assert name in _face(runner / theirs), f"{where}: the package does not export it"


def test_local_kaggle_has_no_circle_of_modules() -> None:
    """No module imports itself through others, also inside a package."""
    graph: dict[str, set[str]] = {}
    for file, module, name in _arrows("runner_test"):
        if file.name != "__init__.py":
            ours = ".".join(file.relative_to(ROOT / "runner_test").with_suffix("").parts)
            graph.setdefault(ours, set()).update({module, f"{module}.{name}".lstrip(".")} - {""})
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("bundle/bootstrap.py", set()),
        ("bundle/delivery.py", set()),
        ("bundle/in_notebook.py", {"IPython"}),
        ("bundle/image_probe.py", set()),
        ("maintenance/live_check/session_script.py", {"kaggle_secrets"}),
        ("project/declaration/parser_probe.py", set()),
        ("project/declaration/dataclass_probe.py", set()),
    ],
)
def test_what_runs_elsewhere_needs_the_standard_library_only(name: str, others: set[str]) -> None:
    """These modules run inside the kernel (that of a notebook has IPython) or in a project's Python, without coord."""
    for _, imported in _imports(ROOT / "coordinator" / name):
        assert imported.partition(".")[0] in STANDARD_LIBRARY | others


def test_what_runs_a_notebook_needs_nothing_of_ours() -> None:
    """A session starts it as a program, with the interpreter that the notebook names."""
    for _, imported in _imports(ROOT / "runner_test" / "sessions" / "run_notebook.py"):
        assert imported.partition(".")[0] in STANDARD_LIBRARY | {"jupyter_client"}


def test_only_the_command_line_prints() -> None:
    """Verbs return values and do not print. (The others print inside the kernel.)"""
    printing = {file.name for file in _modules("coordinator") if _outline(file).prints}
    assert printing == {"terminal.py", "bootstrap.py", "image_probe.py", "needed.py", "session_script.py"}


def test_functions_have_at_most_six_parameters() -> None:
    """Values that are passed together belong in one dataclass. Commands of the cli have a parameter for each option."""
    for file in (*_modules("coordinator"), *_modules("model_src"), *_modules("runner_test")):
        if file.is_relative_to(ROOT / "coordinator" / "cli"):
            continue
        for line, name, count in _outline(file).functions:
            assert count <= 6, f"{file.relative_to(ROOT)}:{line} {name} has {count}"


def test_modules_are_small() -> None:
    """No module has more than 400 lines."""
    for file in (*_modules("coordinator"), *_modules("model_src"), *_modules("runner_test")):
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 400, file.relative_to(ROOT)


@pytest.mark.parametrize("package", ["coordinator", "model_src", "runner_test"])
def test_one_class_a_name(package: str) -> None:
    """No two classes of a package have the same name, so that a name has one meaning."""
    places: dict[str, list[str]] = {}
    for file in _modules(package):
        for name in _outline(file).classes:
            places.setdefault(name, []).append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_every_module_says_what_it_is_for() -> None:
    """Each module, also of the tests, has a docstring."""
    for package in ("coordinator", "model_src", "runner_test", "tests", "benchmarks"):
        for file in _modules(package):
            if "samples" not in file.parts:
                assert _outline(file).has_docstring, f"{file.relative_to(ROOT)} has no docstring"


def test_no_test_module_is_imported_by_another_module() -> None:
    """What several tests share is in modules of its own, which pytest collects no tests from."""
    for file in (file for file in _modules("tests") if "samples" not in file.parts):
        for node in _outline(file).imports:
            base = getattr(node, "module", None) or ""
            names = [f"{base}.{alias.name}".lstrip(".") for alias in node.names]
            found = [name for name in names if re.match(r"tests\..*\btest_", name)]
            assert not found, f"{file.relative_to(ROOT)} imports {found}: move what both use into a fixture module"


@functools.cache
def _loaded_by_the_coordinator() -> frozenset[str]:
    names = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in _modules("coordinator")
        if file.name != "__main__.py"
    ]
    code = f"import sys, importlib; [importlib.import_module(n) for n in {names}]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = frozenset(done.stdout.split())
    assert loaded.issuperset(names)
    return loaded


@pytest.mark.parametrize(
    "heavy",
    ["torch", "numpy", "pandas", "pydicom", "kaggle", "runner_test", "IPython", "mlflow", "tensorboard", "wandb"],
)
def test_the_coordinator_is_light(heavy: str) -> None:
    """Importing every module of the coordinator imports none of these (`import kaggle` would even authenticate)."""
    assert heavy not in _loaded_by_the_coordinator()
