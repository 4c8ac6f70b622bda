"""What the doctor asks of a Python there: does it start, how old is it, what does it lack."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from coordinator.target.cluster.python import Container, python_findings
from coordinator.target.cluster.shell import Here


def _found(python: str = sys.executable, setup: tuple[str, ...] = (), **modules: str) -> list[tuple[str, str, str]]:
    return [(each.check, str(each.level), each.remedy) for each in python_findings(Here(), python, setup, modules)]


def test_what_the_kernels_import_is_looked_for_and_not_imported(tmp_path: Path) -> None:
    """The lines of setup count, and what they print is no answer; a module that fails when it is imported is there."""
    (tmp_path / "fails.py").write_text("raise SystemExit(7)")
    setup = (f"export PYTHONPATH={tmp_path}", "echo coord welcome", "echo coord [[1, 2], []]")
    assert _found(setup=setup, json="json", fails="fails") == [("python", "ok", ""), ("imports", "ok", "")]
    assert _found(fails="fails")[1][1] == "problem", "it comes from the lines of setup only"


def test_what_is_missing_is_named_with_the_line_that_installs_it() -> None:
    (_, (check, level, remedy)) = _found(json="json", no_such_cv2="opencv-python", no_such_pil="pillow")
    assert (check, level) == ("imports", "problem")
    assert remedy == f"There: {sys.executable} -m pip install opencv-python pillow"


def test_a_python_in_a_container() -> None:
    """It is started as its kernels start it, and the image is what has to be mended."""
    container = Container("lab.sif", f"env PYTHONPATH= {shlex.quote(sys.executable)}")
    python, imports = python_findings(Here(), "/usr/bin/python3", (), {"no_such_cv2": "opencv-python"}, container)
    assert python.what.startswith("/usr/bin/python3 in lab.sif is 3.")
    assert imports.remedy == "In the image: /usr/bin/python3 -m pip install opencv-python"
    (failed,) = python_findings(Here(), "/usr/bin/python3", (), {}, Container("lab.sif", "false"))
    assert failed.remedy == "Correct python, container or setup in its table."


def test_a_python_that_does_not_start() -> None:
    for python, setup in (("/no/python3", ()), (sys.executable, ("exit 3",)), ("false", ()), ("echo", ("exit 0",))):
        ((check, level, remedy),) = _found(python, setup, json="json")
        assert (check, level, remedy) == ("python", "problem", "Correct python or setup in its table.")
