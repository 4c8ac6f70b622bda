"""Imports run one way. The design's arrows, as a table, against every import statement of the project."""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Each layer may import from the layers below it (further down in this list) and, inside a row, from the same row.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"compare_tables", "score_tables", "sweep_tables"},
    {"results_table"},
    {"tables"},
    {"merge_folds", "sweep", "sweep_progress"},
    {
        "cancel",
        "check",
        "continuation",
        "doctor",
        "dry_run",
        "export",
        "fetch",
        "follow",
        "handover",
        "image_refresh",
        "init",
        "ledger_check",
        "output_file",
        "promote",
        "push",
        "report",
        "run_list",
        "scores",
        "status",
        "submit",
    },
    {"compare", "estimates", "recorded_scores"},
    {"comparison"},
    {"chains", "deadlines", "identical", "merged_output", "refresh", "remarks", "salvage", "sweeps"},
    {"board", "build", "kaggle", "ledger", "local", "metrics", "reachability", "submissions", "targets", "transfer"},
    {"migrations", "run"},
    {"target"},
    {"competitions"},
    {"grid"},
    {"bundle", "metadata", "credentials", "git", "locks", "oof", "parallel", "results", "tally", "tracebacks"},
    {"experiment", "image", "image_probe"},
    {"kaggle_rules", "project", "yaml_file"},
    {"addresses", "kernel_ref", "own_modules", "ranks", "schema", "settings", "submission_file", "templates"},
    {"new_folder", "printable", "statistics", "stdlib"},
    {"errors"},
    {"__init__"},
]
STANDARD_LIBRARY = sys.stdlib_module_names


def _imports(file: Path) -> Iterator[tuple[int, str]]:
    """(number of leading dots, dotted name) of every import statement in a file."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            # `from coordinator import tables` imports a module, too.
            names = [alias.name for alias in node.names] if base == "coordinator" else [""]
            yield from ((node.level, f"{base}.{name}".rstrip(".")) for name in names)


def _modules(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"no modules in {package}/"
    return found


def _layer(module: str) -> int:
    (index,) = [index for index, layer in enumerate(LAYERS) if module in layer]
    return index


@pytest.mark.parametrize("file", _modules("coordinator"), ids=lambda file: str(file.relative_to(ROOT)))
def test_coordinator_imports_downwards_only(file: Path) -> None:
    """cli -> verbs -> {build, kaggle, ledger, metrics} -> {bundle, metadata, experiment} -> project -> errors."""
    name = file.relative_to(ROOT / "coordinator").parts[0].removesuffix(".py")
    for level, imported in _imports(file):
        assert level == 0, f"{file.name}: relative import of {imported}"
        top, _, rest = imported.partition(".")
        if top == "coordinator":
            other = rest.partition(".")[0]
            below = [module for layer in LAYERS for module in layer]
            other = other if other in below else "__init__"
            assert other == name or _layer(other) >= _layer(name), f"{name} imports {other}, which lies above it"
        assert top != "model_src", f"{name} imports the model source"
        # importlib.import_module in local.py is the one way to the local Kaggle.
        assert top != "runner_test", f"{name} imports the local Kaggle"


def test_only_local_reaches_the_local_kaggle() -> None:
    """`runner_test` is named as a module in one file of coordinator."""
    naming = [file.name for file in _modules("coordinator") if '"runner_test' in file.read_text().replace("'", '"')]
    naming += [file.name for file in _modules("coordinator") if "runner_test.{" in file.read_text()]
    assert set(naming) == {"local.py"}


# The rooms of the model source, and its modules outside of them. Each row may import from the rows below it alone.
MODEL_LAYERS = [
    {"train", "merge"},
    {"analysis"},
    {"training"},
    {"output"},
    {"network", "prediction", "score"},
    {"data"},
    {"identity"},
    {"config"},
    {"files", "ranges", "typed"},
]


def _model_imports(file: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """(module, name) of every name that a module of the model source imports from another one, by its place in it."""
    package = file.relative_to(ROOT / "model_src").parent.parts
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*package[: len(package) - node.level + 1], *(node.module or "").split("."))
            module = tuple(filter(None, base))
            for alias in node.names:
                is_module = (ROOT / "model_src" / Path(*module, f"{alias.name}.py")).is_file()
                yield (*module, alias.name) if is_module else module, alias.name


def _handed_on(room: str) -> set[str]:
    """The names that the face of a room hands on."""
    face = ROOT / "model_src" / room / "__init__.py"
    return {name for _, name in _model_imports(face)} if face.is_file() else set()


@pytest.mark.parametrize("file", _modules("model_src"), ids=lambda file: str(file.relative_to(ROOT)))
def test_model_source_imports_itself_relatively_and_nothing_else_of_ours(file: Path) -> None:
    """The kernel's side knows neither the coordinator nor the local Kaggle."""
    allowed = {"torch", "torchvision", "pydicom", "numpy", "pandas", "PIL", *STANDARD_LIBRARY}
    depth = len(file.relative_to(ROOT / "model_src").parts)
    for level, imported in _imports(file):
        top = imported.partition(".")[0]
        assert 0 < level <= depth or (level == 0 and top in allowed), f"{file.name} imports {imported}"


@pytest.mark.parametrize("file", _modules("model_src"), ids=lambda file: str(file.relative_to(ROOT)))
def test_model_source_imports_downwards_only(file: Path) -> None:
    """data -> network, prediction -> output -> training -> analysis -> train; a face is used for what it hands on."""
    row_of = {name: row for row, names in enumerate(MODEL_LAYERS) for name in names}
    room = file.relative_to(ROOT / "model_src").parts[0].removesuffix(".py")
    if room == "__init__":
        assert not list(_model_imports(file)), "the face of the model source loads nothing"
        return
    for module, name in _model_imports(file):
        other = module[0]
        assert other == room or row_of[other] > row_of[room], f"{file.name} imports {other}, which lies above it"
        if other != room and len(module) > 1:
            assert name not in _handed_on(other), f"{file.name} imports {name} past the face of {other}"


def test_model_source_has_no_circles() -> None:
    """No module imports, directly or by way of others, itself."""
    graph = {
        file.relative_to(ROOT / "model_src").with_suffix("").parts: {module for module, _ in _model_imports(file)}
        for file in _modules("model_src")
    }
    faces = {parts[:-1]: parts for parts in graph if parts[-1] == "__init__"}
    graph = {parts: {faces.get(module, module) for module in modules} for parts, modules in graph.items()}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert set(order) == set(graph)


def test_what_the_coordinator_reads_needs_the_standard_library_only() -> None:
    """It reads the config's dataclasses, and what may differ in a continued run, without torch."""
    read = {"__init__", "config", "identity", "ranges", "typed"}
    for name in read:
        for level, imported in _imports(ROOT / "model_src" / f"{name}.py"):
            allowed = read if level else STANDARD_LIBRARY
            assert imported.partition(".")[0] in allowed, f"{name}.py imports {imported}"


@pytest.mark.parametrize("file", _modules("runner_test"), ids=lambda file: file.name)
def test_local_kaggle_never_imports_coordinator(file: Path) -> None:
    """It is a stand-in for Kaggle, which does not know coord either."""
    for level, imported in _imports(file):
        assert level == 0
        assert imported.partition(".")[0] not in {"coordinator", "model_src"}, f"{file.name} imports {imported}"


@pytest.mark.parametrize(
    ("name", "others"),
    [("bundle/bootstrap.py", set()), ("bundle/in_notebook.py", {"IPython"}), ("image_probe.py", set())],
)
def test_what_runs_in_the_kernel_needs_the_standard_library_only(name: str, others: set[str]) -> None:
    """Its text runs inside the kernel, before anything of ours is there; a notebook's kernel is IPython's."""
    for _, imported in _imports(ROOT / "coordinator" / name):
        assert imported.partition(".")[0] in STANDARD_LIBRARY | others


def test_what_runs_a_notebook_needs_nothing_of_ours() -> None:
    """A session starts it as a program, with the interpreter that it was saved for."""
    for _, imported in _imports(ROOT / "runner_test" / "run_notebook.py"):
        assert imported.partition(".")[0] in STANDARD_LIBRARY | {"jupyter_client"}


def test_only_the_command_line_prints() -> None:
    """A verb returns values. (The bootstrap and the probe print inside the kernel.)"""
    printing = {
        file.name
        for file in _modules("coordinator")
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing == {"terminal.py", "bootstrap.py", "image_probe.py"}


def test_every_module_says_what_it_is_for() -> None:
    """A docstring at the top of each module, and of each test."""
    for package in ("coordinator", "model_src", "runner_test", "tests", "benchmarks"):
        for file in _modules(package):
            if "samples" not in file.parts:
                assert ast.get_docstring(ast.parse(file.read_bytes())), f"{file.relative_to(ROOT)} has no docstring"


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
