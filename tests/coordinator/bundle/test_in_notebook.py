"""Notebooks in a real kernel: the cells become a script that finds what a script finds, and ends as it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from coordinator.bundle.notebook import notebook_of
from coordinator.bundle.script import Script
from runner_test.sessions import SessionOptions, run_once
from tests.coordinator.bundle.programs import run_kernel, script_of
from tests.paths import ROOT

# Says what a program finds around itself: workers that start afresh, streams, arguments, the environment of coord.
LOOKS_AROUND = """
import json, multiprocessing, os, signal, sys
import matplotlib_less as nothing  # a local module

def work(number):
    return number * nothing.FACTOR

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(work, [1, 2]))
    print("ünïcødé \\u2028 \U0001f600", file=sys.stderr)
    print(len(sys.argv), sys.stdin.read() == "", "get_ipython" in globals(), os.environ.get("MPLBACKEND"))
    print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, "IPython" in sys.modules)
    print(json.load(open(os.environ["COORD_CONFIG"])), os.environ["COORD_BUNDLE_DIGEST"], os.environ["COORD_RUN_ID"])
    sys.exit(json.load(open(os.environ["COORD_CONFIG"]))["code"])
"""
PACK = {"pack/__init__.py": "", "pack/train.py": LOOKS_AROUND, "matplotlib_less.py": "FACTOR = 21\n"}


@dataclass(frozen=True)
class Ran:
    """What a notebook's session said and left."""

    code: int
    out: str
    err: str
    working: Path


def _cells(script: Script) -> dict[str, Any]:
    notebook = notebook_of(script.text, title="a title", experiment="try", about="", command="make it")
    document: dict[str, Any] = json.loads(notebook.for_disk())
    return document


def _run(document: dict[str, Any], directory: Path) -> Ran:
    pytest.importorskip("ipykernel", reason="pip install 'coord[notebook]'")
    directory.mkdir()
    file = directory / "kernel.ipynb"
    file.write_text(json.dumps(document), encoding="utf-8")
    said: dict[str, list[str]] = {"stdout": [], "stderr": []}
    code = run_once(
        file,
        directory / "kaggle",
        lambda record: said[record.stream_name].append(record.data),
        SessionOptions(timeout=60),
    )
    return Ran(code, "".join(said["stdout"]), "".join(said["stderr"]), directory / "kaggle" / "working")


@pytest.mark.parametrize("code", [0, 7])
def test_a_notebook_does_what_its_script_does(tmp_path: Path, code: int) -> None:
    """The same output on the same streams, the same digest, workers and all; a failure names the exit code."""
    script = script_of(PACK, config={"code": code})
    expected = run_kernel(script.text, tmp_path / "script")
    assert (expected.code, expected.err) == (code, "ünïcødé \u2028 \U0001f600\n"), expected.err
    ran = _run(_cells(script), tmp_path / "notebook")
    assert ran.out == expected.out
    assert ran.err.startswith(expected.err)
    assert ran.code == bool(code)
    assert ("the script ended with exit code 7" in ran.err) == (code == 7)
    assert [path.name for path in ran.working.iterdir()] == ["__notebook__.ipynb"]


def test_an_edited_config_takes_effect_and_is_noticed(tmp_path: Path) -> None:
    """Somebody changes the config's cell on Kaggle's page and runs all: the change holds, and the log says so."""
    script = script_of(
        {"pack/__init__.py": "", "pack/train.py": "import os; print(open(os.environ['COORD_CONFIG']).read())"},
        config={"lr": 0.1},
    )
    document = _cells(script)
    config = document["cells"][1]
    config["source"] = [line.replace('"lr": 0.1', '"lr": 0.2') for line in config["source"]]
    ran = _run(document, tmp_path / "edited")
    assert ran.code == 0
    assert '"lr": 0.2' in ran.out
    assert "this script was edited after it was built" in ran.err


def test_cells_of_ones_own_are_not_a_part_of_it(tmp_path: Path) -> None:
    """Cells that somebody adds run in the notebook only; a cell that is run again counts as it is the last time."""
    script = script_of({"pack/__init__.py": "", "pack/train.py": "print('trained')"})
    document = _cells(script)
    mine: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {},
        "source": "print('mine')",
        "outputs": [],
        "execution_count": None,
    }
    broken = {**document["cells"][2], "source": "".join(document["cells"][2]["source"]).partition("\n")[0] + "\n1 / 1"}
    document["cells"][2:2] = [mine, broken, mine]
    ran = _run(document, tmp_path / "added")
    assert (ran.code, ran.out, ran.err) == (0, "mine\nmine\ntrained\n", "")


def test_cells_that_have_not_run(tmp_path: Path) -> None:
    """The last cell alone says what is missing, instead of running half a bundle."""
    document = _cells(script_of({"pack/__init__.py": "", "pack/train.py": ""}))
    document["cells"] = [cell for cell in document["cells"] if "pack/train.py\n" not in "".join(cell["source"])[:90]]
    ran = _run(document, tmp_path / "missing")
    assert ran.code == 1
    assert re.search(r"coord: 1 of \d cells have not run \(pack/train\.py\): choose Run All", ran.err)


# A program that follows another one, as a notebook's last cell does.
FOLLOWS = """
import sys
from coordinator.bundle.in_notebook import follow
try:
    print("ended with", follow([sys.executable, "-c", sys.argv[1]]))
except KeyboardInterrupt:
    print("interrupted")
"""


def _follow(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FOLLOWS, program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("program", "end"),
    [
        ("import os; os.kill(os.getpid(), 9)", "ended with 137\n"),
        ("raise SystemExit(3)", "ended with 3\n"),
        # What keeps the pipe open after its end does not keep the notebook waiting.
        (
            "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3)'])",
            "ended with 0\n",
        ),
    ],
)
def test_how_a_script_ends(program: str, end: str) -> None:
    """Exit codes as a shell gives them."""
    process = _follow(program)
    assert process.communicate(timeout=30)[0] == end


@pytest.mark.parametrize("to", [os.kill, os.killpg], ids=["the kernel", "its group"])
@pytest.mark.parametrize(
    ("on_interrupt", "end"),
    [("signal.default_int_handler", "interrupted\n"), ("lambda *_: print('caught')", "caught\nended with 0\n")],
    ids=["dies of it", "handles it"],
)
def test_an_interrupt_is_passed_on_once(to: Callable[[int, int], None], on_interrupt: str, end: str) -> None:
    """Whether the kernel alone is interrupted or its whole process group; the script decides what that means."""
    program = (
        f"import os, signal, sys, time\nsignal.signal(signal.SIGINT, {on_interrupt})\nprint('ready')\n"
        "sys.stderr = open(os.devnull, 'w')\n"
        "time.sleep(1.5)\n"
    )
    process = _follow(program)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"  # live: the program has not ended
    to(process.pid, signal.SIGINT)
    assert process.communicate(timeout=30)[0] == end


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """The script's temporary folder goes with it; what its bootstrap keeps is not the notebook's affair."""
    document = _cells(script_of({"pack/__init__.py": "", "pack/train.py": "print('trained')"}))
    lists = {**document["cells"][1], "source": "import os, tempfile\nprint(os.listdir(tempfile.gettempdir()))"}
    document["cells"].append(lists)
    ran = _run(document, tmp_path / "session")
    assert ran.out.startswith("trained\n[")
    assert "coord-notebook-" not in ran.out
