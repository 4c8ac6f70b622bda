"""Programs whose names no import statement could have: scripts without .py, "my-module", "1.train.py".

Seen: found by trying the public suites of two other bundlers on coord.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.bundle import shipped_image
from coordinator.bundle.program import bundle, module_of, script_at
from coordinator.bundle.sources import collect
from coordinator.bundle.third_party import lacking
from coordinator.errors import BundleError, CoordError, UsageError
from tests.coordinator.bundle.programs import run_kernel, write_files

SHEBANGS = [
    *("#!/usr/bin/env python3", "#!/usr/bin/python", "#! /usr/bin/env python", "#!/usr/bin/env python3.11"),
    *("#!/usr/bin/env -S python3 -u", "#!/usr/bin/env -S uv run --script", "#!/usr/bin/env pypy3"),
]
MAIN = "import helper\nprint('ran', helper.X, __name__)\n"
HELPER = {"helper.py": "X = 1\n"}


def _paths(root: Path, entry: str) -> list[str]:
    program = script_at(root / entry)
    return [file.path for file in bundle(program)[1]]


@pytest.mark.parametrize("name", ["train", "run-0.3", "my tool", "train.pyw", "1", "train.v2"])
def test_a_script_that_the_command_line_names(tmp_path: Path, name: str) -> None:
    """Python runs a file of any name; what it imports goes in."""
    write_files(tmp_path, {name: MAIN, **HELPER})
    assert _paths(tmp_path, name) == sorted([name, "helper.py"])


@pytest.mark.parametrize("first", SHEBANGS)
@pytest.mark.parametrize("name", ["train", "train.txt", "train.cgi"])
def test_a_script_whose_first_line_names_python(tmp_path: Path, name: str, first: str) -> None:
    """The first line says what a file is where its name doesn't: as the entry, and where a script names it."""
    write_files(tmp_path, {name: f"{first}\n{MAIN}", **HELPER, "main.py": f"import os\nos.execv('{name}', ['x'])\n"})
    assert _paths(tmp_path, name) == sorted([name, "helper.py"])
    assert _paths(tmp_path, "main.py") == sorted([name, "helper.py", "main.py"])


@pytest.mark.parametrize("entry", ["train", "bin/train", "bin/my-train.sh"])
def test_such_a_script_runs(tmp_path: Path, entry: str) -> None:
    """Under its own name, with the modules beside it, although there is a module of that name as well."""
    folder = tmp_path / Path("p", entry).parent
    write_files(
        tmp_path / "p", {entry: f"#!/usr/bin/env python3\nimport train_it, sys\n{MAIN}print(sys.argv[0][-5:])\n"}
    )
    write_files(folder, {**HELPER, "train_it.py": "", "train.py": "raise SystemExit('the module')\n"})
    ran = run_kernel(bundle(script_at(tmp_path / "p" / entry, tmp_path / "p"))[0].text, tmp_path / "session")
    assert (ran.code, ran.out) == (0, f"ran 1 __main__\n{entry[-5:]}\n"), ran.err


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("run", "#!/bin/sh\necho\n", "run is no Python source: its first line is '#!/bin/sh'"),
        ("run", "#!/usr/bin/env bash\nx=1\n", "run is no Python source: its first line is"),
        ("run.txt", "a\n", "run.txt is no Python source: its name does not end in .py, and its first line names no"),
        ("a.ipynb", '{"cells": []}', "a.ipynb is no Python source: its name does not end in .py"),
        ("run", "x = \n", "run:1: invalid syntax"),
        ("run", "#!/usr/bin/python2\nprint 1\n", "run:2: Missing parentheses"),
        ("run", "\0\0", "run: source code string cannot contain null bytes"),
    ],
)
def test_what_is_no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, told: str) -> None:
    """A shell's script, a text, a notebook, old Python: refused, with the reason."""
    write_files(tmp_path, {name: text})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CoordError) as caught:
        script_at(Path(name))
    assert caught.value.what.startswith(told)
    assert isinstance(caught.value, UsageError | BundleError)


IMPORTS = [
    'import importlib\nimportlib.import_module("{}")\n',
    'from importlib import import_module as load\nload("{}").main()\n',
    'from importlib import import_module\nimport_module(name="{}")\n',
    '__import__("{}")\n',
    '__import__(name="{}")\n',
    'import runpy\nrunpy.run_module("{}", run_name="__main__")\n',
    'import runpy\nrunpy.run_module(mod_name="{}")\n',
    'import importlib.util\nspec = importlib.util.find_spec("{}")\n',
    'import pkgutil\nmain = pkgutil.resolve_name("{}:main")\n',
    'import importlib\nname = "x"\nimportlib.import_module(name)\n',
]


@pytest.mark.parametrize("source", IMPORTS)
@pytest.mark.parametrize("name", ["my-module", "2024_model", "café-au-lait", "class"])
def test_a_module_that_no_statement_can_import(tmp_path: Path, source: str, name: str) -> None:
    """A literal name in a call is followed, in a script and in a package; a computed one takes what lies beside it."""
    write_files(tmp_path / "a", {"main.py": source.format(name), f"{name}.py": "import helper\n", **HELPER})
    assert _paths(tmp_path / "a", "main.py") == sorted(["helper.py", "main.py", f"{name}.py"])
    package = {f"{name}/__init__.py": "", f"{name}/__main__.py": "", f"{name}/data.csv": ""}
    write_files(tmp_path / "b", {"main.py": source.format(name), **package})
    assert _paths(tmp_path / "b", "main.py") == sorted(["main.py", *package])
    if "{}" in source:
        write_files(tmp_path / "c", {"pack/__init__.py": "", "pack/train.py": source.format(name), f"{name}.py": ""})
        assert f"{name}.py" in [file.path for file in collect(tmp_path / "c", "pack.train")]


RUNS = [
    'import runpy\nrunpy.run_path("{}")\n',
    'from runpy import run_path as go\ngo("{}", run_name="x")\n',
    'import runpy\nrunpy.run_path(path_name="{}")\n',
    'import importlib.util as u\nspec = u.spec_from_file_location("train", "{}")\n',
    'import importlib.machinery as m\nm.SourceFileLoader("train", "{}").load_module()\n',
    'import os, runpy\nrunpy.run_path(os.path.join(os.path.dirname(__file__), "{}"))\n',
    'import runpy\nfrom pathlib import Path\nrunpy.run_path(str(Path(__file__).parent / "{}"))\n',
]


@pytest.mark.parametrize("source", RUNS)
@pytest.mark.parametrize("name", ["1.train.py", "my-train.py", "steps/01 prepare.py"])
def test_a_file_that_is_run_by_its_path(tmp_path: Path, source: str, name: str) -> None:
    """A script or a package's module may run any file: it goes in with what it imports."""
    write_files(tmp_path / "a", {"main.py": source.format(name), name: "import helper\n", **HELPER})
    assert _paths(tmp_path / "a", "main.py") == sorted(["helper.py", "main.py", name])
    pack = {"pack/__init__.py": "", "pack/train.py": source.format(name)}
    write_files(tmp_path / "b", {**pack, name: "import helper\n", **HELPER})
    assert [file.path for file in collect(tmp_path / "b", "pack.train")] == sorted([*pack, "helper.py", name])


def test_what_such_a_script_imports_is_checked(tmp_path: Path) -> None:
    """The image's packages are compared with its imports, as with those of any source."""
    write_files(tmp_path, {"train": "import not_in_the_image, helper\n", **HELPER})
    program = script_at(tmp_path / "train")
    files = collect(program.root, program.entry, is_script=program.is_script)
    (found,) = lacking(files, shipped_image(), entry=program.entry)
    assert (found.module, found.places) == ("not_in_the_image", ("train:1",))


def test_a_module_and_a_file_of_one_name(tmp_path: Path) -> None:
    """In the kernel only one of them could be the entry: it is refused where both are part of the program."""
    write_files(tmp_path, {"train.py": "open('train')\n", "train": "a text\n"})
    with pytest.raises(BundleError, match=r"^train is a file and the entry module: rename the file"):
        bundle(module_of("train", tmp_path))
