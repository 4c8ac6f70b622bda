"""How long a bundled program takes to start, compared with the package: this project's model source, a small entry.

    python -m benchmarks.startup

The entry reads the dataclasses of the config and imports no large library, so that only the start is measured. Each way
is a whole process, from its start to its end, and they run in turns.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import print_table, seconds
from coordinator.bundle.files import SourceFile
from coordinator.bundle.script import Content, Form, render_script
from coordinator.bundle.sources import collect
from coordinator.project.shipped import default_template

ROOT = Path(__file__).parent.parent
ENTRY = "model_src.light"
PACKAGE = "the package, python -m"
LIGHT = b"from .config import Config\n\nprint(Config().seed)\n"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=41)
    repetitions = parser.parse_args().repetitions
    files = (*collect(ROOT, "model_src.train"), SourceFile(f"{ENTRY.replace('.', '/')}.py", LIGHT))
    with tempfile.TemporaryDirectory() as folder:
        measured = seconds(ways(files, Path(folder)), repetitions)
    print(
        f"\nMeasured: {len(files)} files, {sum(len(file.data) for file in files):,} bytes, median of {repetitions}; "
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs.\n"
    )
    package = measured[PACKAGE]
    print_table(
        ["start of", "ms", "ms above the package"],
        [[name, f"{1000 * each:.1f}", f"{1000 * (each - package):.1f}"] for name, each in measured.items()],
    )


def ways(files: tuple[SourceFile, ...], folder: Path) -> dict[str, Callable[[], object]]:
    """The functions to measure: the package from its own folder, and both forms of the kernel."""
    package, working = folder / "package", folder / "working"
    working.mkdir()
    for file in files:
        (package / file.path).parent.mkdir(parents=True, exist_ok=True)
        (package / file.path).write_bytes(file.data)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COORD"))}
    expected = run(["-m", ENTRY], package, environment)
    found: dict[str, Callable[[], object]] = {PACKAGE: lambda: run(["-m", ENTRY], package, environment)}
    forms: tuple[Form, ...] = ("text", "archive")
    for form in forms:
        content = Content(ENTRY, files, {}, "light")
        script = render_script(default_template("kernel.py.j2"), content, form=form)
        kernel = folder / f"{form}.py"
        kernel.write_bytes(script.text.encode("utf-8"))
        start = functools.partial(run, [str(kernel)], working, environment | {"TMPDIR": str(folder)})
        assert start() == expected
        found[f"the kernel ({form}, {len(script.text):,} bytes)"] = start
    return found


def run(arguments: list[str], working: Path, environment: dict[str, str]) -> str:
    """Runs Python with these arguments and returns what it prints."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=working, env=environment, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
