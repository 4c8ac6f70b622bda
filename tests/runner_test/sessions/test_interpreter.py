"""The writable layer above an installed Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner_test.sessions.interpreter import Interpreter, Layer, interpreter


def _refused(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("hard_links", [True, False], ids=["hard links", "a file system without them"])
def test_the_programs_of_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool) -> None:
    """Its scripts run with the session's Python, whatever their first line says; other programs are its own."""
    if not hard_links:
        monkeypatch.setattr(os, "link", _refused)
    programs = tmp_path / "a folder" / "bin"
    programs.mkdir(parents=True)
    own = programs / "python"
    texts = {
        "says": f"#!{own}3\nimport sys\nprint(sys.argv[1:], sys.executable, __name__)\n",
        "long": f"#!/bin/sh\n'''exec' {own} \"$0\" \"$@\"\n' '''\nprint('long')\n",
        "shell": "#!/bin/sh\necho shell\n",
    }
    for name, text in texts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    for name in ("python3", "pip3.9", "activate"):
        (programs / name).touch()
    here = interpreter(sys.executable)
    installed = Interpreter(here.executable, programs.parent, here.base, here.version, packages=())
    layer = Layer(tmp_path / "layer", tmp_path / "layer", tmp_path / "home", search=[], moved={})
    layer.make(installed)
    assert {path.name for path in (tmp_path / "layer" / "bin").iterdir()} == {
        *("python", "python3", f"python{here.version}", "pip", "pip3", f"pip{here.version}", ".run", *texts)
    }

    def run(name: str) -> str:
        command = [str(tmp_path / "layer" / "bin" / name), "a b"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert (tmp_path / "layer" / "bin" / "says").is_symlink() == (not hard_links)
    assert run("says") == f"['a b'] {layer.python} __main__"
    assert (run("long"), run("shell")) == ("long", "shell")


def test_a_python_without_pip(tmp_path: Path) -> None:
    """It gets the one that comes with Python: Kaggle's image has pip. Nothing is taken from the installed packages."""
    here = interpreter(sys.executable)
    installed = Interpreter(here.executable, tmp_path, here.base, here.version, packages=())
    layer = Layer(tmp_path / "layer", tmp_path / "layer", tmp_path / "home", search=[], moved={})
    layer.make(installed)
    asks = "import sys; print(*sys.path, sep='\\n')"
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    asked = subprocess.run([str(layer.python), "-c", asks], check=True, capture_output=True, text=True, env=variables)
    *_, own, pip = asked.stdout.splitlines()
    assert own == str(tmp_path / "layer" / "lib" / f"python{here.version}" / "site-packages")
    assert Path(pip).parent.name == "_bundled"
