"""The kernel as a program: all that works in a package works in the bundle, and the exit code is the program's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coordinator.bundle.script import stamped
from tests.coordinator.bundle.programs import NONE, Ran, run_kernel, script_of

ENGINE = """
from dataclasses import dataclass


@dataclass
class Point:
    x: int


def double(x: int) -> int:
    return 2 * x


def fail() -> None:
    raise RuntimeError("the loss is not finite")
"""


def _run(
    train: str, directory: Path, *, variables: dict[str, str] | None = None, config: dict[str, object] | None = None
) -> Ran:
    files = {"pack/__init__.py": "", "pack/engine.py": ENGINE, "pack/train.py": train, "pack/data/word.txt": "wörd"}
    return run_kernel(script_of(files, config=config or {}).text, directory, variables=variables or NONE)


@pytest.mark.parametrize(
    ("train", "code", "err"),
    [
        ("", 0, ""),
        ("import sys\nsys.exit()", 0, ""),
        ("import sys\nsys.exit(3)", 3, ""),
        ("import sys\nsys.exit('no data')", 1, "no data\n"),
        ("raise ValueError('bad')", 1, "ValueError: bad\n"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGINT)", -2, "KeyboardInterrupt\n"),
        ("import atexit\natexit.register(print, 'bye')\nraise SystemExit(75)", 75, ""),
    ],
)
def test_exit_codes_are_the_programs_own(tmp_path: Path, train: str, code: int, err: str) -> None:
    """However the entry module ends, the kernel ends the same way, and leaves nothing in the temporary directory."""
    ran = _run(train, tmp_path)
    assert ran.code == code
    assert ran.err.endswith(err)
    assert (ran.left, ran.temporary) == ((), ())


def test_tracebacks_name_the_sources_file_and_line(tmp_path: Path) -> None:
    """A crash shows the package's own file, its line and the line's text."""
    ran = _run("from . import engine\n\n\nengine.fail()\n", tmp_path)
    line = ENGINE.splitlines().index('    raise RuntimeError("the loss is not finite")') + 1
    assert ran.code == 1
    assert f'pack/engine.py", line {line}, in fail\n    raise RuntimeError("the loss is not finite")' in ran.err
    assert 'pack/train.py", line 4, in <module>' in ran.err


def test_a_syntax_error_in_the_entry_is_a_failure(tmp_path: Path) -> None:
    """What gets past the check before a push still ends with an exit code and a line."""
    ran = _run("x = (\n", tmp_path)
    assert ran.code == 1
    assert 'pack/train.py", line 1' in ran.err


EVERYTHING = """
import beside, inspect, json, multiprocessing, os, pickle, subprocess, sys
from importlib import resources
from pathlib import Path

from pack import engine as absolute
from . import engine


class Here(engine.Point):
    pass


def triple(x):
    return 3 * x


def main():
    told = {
        "name": __name__,
        "same": absolute is engine,
        "data": resources.files("pack").joinpath("data/word.txt").read_text("utf-8"),
        "source": inspect.getsource(engine.double),
        "pickled": pickle.loads(pickle.dumps(engine.Point(3))).x + pickle.loads(pickle.dumps(Here(4))).x,
        "beside": beside.VALUE,
    }
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            told[method] = [*pool.map(engine.double, [1, 2]), *pool.map(triple, [1]), pool.apply(Here, [5]).x]
    child = "import pack.engine, os; print(pack.engine.double(4), 'COORD_CONFIG' in os.environ)"
    told["child"] = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout
    child = subprocess.run([sys.executable, "-m", "pack.tool"], capture_output=True, text=True)
    told["module"] = child.stdout
    if os.fork() == 0:
        sys.exit(0)  # runs the exit handlers that this process has inherited
    os.wait()
    told["after a fork"] = Path(__file__).is_file()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
"""


def test_everything_that_works_in_a_package_works_in_the_bundle(tmp_path: Path) -> None:
    """Package data, sources, pickles, workers of every start method, and other Python processes find the package."""
    files = {
        "pack/__init__.py": "",
        "pack/engine.py": ENGINE,
        "pack/train.py": EVERYTHING,
        "pack/tool.py": "print(__name__)\n",
        "pack/data/word.txt": "wörd",
        "beside.py": "VALUE = 5\n",
    }
    ran = run_kernel(script_of(files).text, tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == {
        "name": "__main__",
        "same": True,
        "data": "wörd",
        "source": "def double(x: int) -> int:\n    return 2 * x\n",
        "pickled": 7,
        "beside": 5,
        "fork": [2, 4, 3, 5],
        "spawn": [2, 4, 3, 5],
        "forkserver": [2, 4, 3, 5],
        "child": "8 True\n",
        "module": "__main__\n",
        "after a fork": True,
    }
    assert (ran.left, ran.temporary) == ((), ())


TELL = """
import json, os
from pathlib import Path
names = ("COORD_EXPERIMENT", "COORD_RUN_ID", "COORD_BUNDLE_DIGEST")
config = json.loads(Path(os.environ["COORD_CONFIG"]).read_text("utf-8"))
print(json.dumps([config, *map(os.environ.get, names), os.getcwd()]))
"""
CONFIG = {"seed": 0, "optim": {"lr": 0.1, "betas": [0.9, 0.999]}, "note": None}


def test_the_program_learns_who_it_is(tmp_path: Path) -> None:
    """Config, experiment, run id and digest come through the environment; an unstamped kernel has no run."""
    script = script_of({"pack/__init__.py": "", "pack/train.py": TELL}, config=CONFIG)
    ran = run_kernel(script.text, tmp_path / "a")
    assert json.loads(ran.out) == [CONFIG, "try", "-", script.digest, str(tmp_path / "a" / "working")]
    ran = run_kernel(stamped(script.text, run_id="abc123", git="0a1b"), tmp_path / "b")
    assert (ran.err, json.loads(ran.out)[1:4]) == ("", ["try", "abc123", script.digest])


def test_overrides_change_values_at_run_time(tmp_path: Path) -> None:
    """Dotted paths in COORD_OVERRIDES replace values of any depth; the digest stays, since the file does."""
    overrides = {"seed": 3, "optim.lr": 1e-3, "optim.betas": [], "note": "ü"}
    ran = _run(TELL, tmp_path, variables={"COORD_OVERRIDES": json.dumps(overrides)}, config=CONFIG)
    assert json.loads(ran.out)[0] == {"seed": 3, "optim": {"lr": 0.001, "betas": []}, "note": "ü"}
    assert ran.err == ""


@pytest.mark.parametrize("path", ["sede", "optim.lrr", "optim.lr.x", "note.x", "", "optim.", "optim.betas.0"])
def test_an_override_of_nothing_ends_the_run(tmp_path: Path, path: str) -> None:
    """A path that the config does not have is no new value, but a failure with one line."""
    ran = _run(TELL, tmp_path, variables={"COORD_OVERRIDES": json.dumps({path: 1})}, config=CONFIG)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"coord: COORD_OVERRIDES: the config has no {path}\n"
    assert ran.temporary == ()


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "7"])
def test_overrides_that_are_not_an_object_end_the_run(tmp_path: Path, text: str) -> None:
    """So does a variable that holds something else."""
    ran = _run(TELL, tmp_path, variables={"COORD_OVERRIDES": text}, config=CONFIG)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "coord: COORD_OVERRIDES is not a JSON object\n"


def test_a_tampered_source_is_not_run(tmp_path: Path) -> None:
    """Each source is checked against the SHA-256 beside it before anything of it runs."""
    text = script_of({"pack/__init__.py": "", "pack/train.py": "print('hello')\n"}).text
    assert text.count("print('hello')") == 1
    ran = run_kernel(text.replace("print('hello')", "print('other')"), tmp_path)
    assert (ran.code, ran.out, ran.temporary) == (1, "", ())
    assert "coord: pack/train.py is not what was bundled (its SHA-256 differs): build and push again" in ran.err


def test_an_edited_kernel_says_so_and_has_another_digest(tmp_path: Path) -> None:
    """Editing the config on Kaggle's page is allowed, but the run does not pass for the one that was built."""
    script = script_of({"pack/__init__.py": "", "pack/train.py": TELL}, config=CONFIG)
    ran = run_kernel(script.text.replace('"seed": 0', '"seed": 1'), tmp_path)
    told = json.loads(ran.out)
    assert ran.code == 0
    assert told[0]["seed"] == 1
    assert told[3] != script.digest
    assert ran.err == f"coord: this script was edited after it was built; its digest is now {told[3]}\n"


def test_line_ends_of_another_system_do_not_matter(tmp_path: Path) -> None:
    """A page that stores the script with CRLF changes neither the sources nor the digest."""
    script = script_of({"pack/__init__.py": "", "pack/train.py": TELL, "pack/a.txt": "1\r\n2\n"}, config=CONFIG)
    ran = run_kernel(script.text.replace("\n", "\r\n"), tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)[3] == script.digest


def test_a_users_own_search_path_stays_behind_the_bundle(tmp_path: Path) -> None:
    """PYTHONPATH is kept for children, behind the bundle's directory."""
    train = "import os\nprint(os.environ['PYTHONPATH'].split(os.pathsep)[1:])\n"
    assert _run(train, tmp_path, variables={"PYTHONPATH": "/x:/y"}).out == "['/x', '/y']\n"
