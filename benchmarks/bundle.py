"""One script of a program and the packages beside it: `coord bundle` and stickytape, each as a whole process.

    python -m benchmarks.bundle [--repetitions N]

Each program is in a folder with a copy of an installed package, without compiled files: one imports every module of
rich, one imports sympy. stickytape packs the modules that import statements lead to. `coord bundle` packs whole
packages (tests and data included), or with --reached the same modules as stickytape. Each output is run before it
counts.
"""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import print_table, seconds

ROOT = Path(__file__).parent.parent
COORD = [sys.executable, "-m", "coordinator"]
PEER = [sys.executable, "-c", "from stickytape.main import main; main()"]
# Modules of rich that cannot be imported on every machine (for Windows, for Jupyter) are not imported.
NOT_HERE = ("_win32_console", "_windows_renderer", "__main__")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bundle")
    parser.add_argument("--repetitions", type=int, default=5, help="runs of each way, in turns (%(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        programs = [found for name in ("rich", "sympy") if (found := program(Path(directory) / name, name))]
        peer = importlib.util.find_spec("stickytape") is not None
        print(f"Python {platform.python_version()}, {platform.machine()}", end="")
        print(
            f"; stickytape {importlib.metadata.version('stickytape')}\n" if peer else "; stickytape is not installed\n"
        )
        for script in programs:
            compare(script, given.repetitions, peer=peer)
            print()
    compare_start(given.repetitions)


def program(folder: Path, package: str) -> Path | None:
    """A folder with a copy of the package, and the script that imports it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        print(f"{package}: skipped, not installed")
        return None
    source = Path(spec.submodule_search_locations[0])
    shutil.copytree(source, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    names = [package]
    if package == "rich":
        files = sorted(source.rglob("*.py"))
        dotted = [".".join([package, *file.relative_to(source).with_suffix("").parts]) for file in files]
        # A module with a name such as unicode10-0-0 cannot be imported by an import statement.
        names = [name.removesuffix(".__init__") for name in dotted if name.replace(".", "_").isidentifier()]
    script = folder / "main.py"
    lines = [f"import {name}\n" for name in names if not name.endswith(NOT_HERE)]
    script.write_text("".join([*lines, 'print("ran")\n']), encoding="utf-8")
    return script


def compare(script: Path, repetitions: int, *, peer: bool) -> None:
    """Prints one table, with ratios to stickytape if it is installed."""
    out = script.with_name("out")
    out.mkdir()
    commands = {"stickytape": [*PEER, str(script), "--output-file", str(out / "stickytape")]} if peer else {}
    for name, options in (("coord bundle", ()), ("coord bundle --reached", ("--reached",))):
        output = str(out / name)
        commands[name] = [*COORD, "bundle", str(script), "-o", output, "--form", "archive", *options]
    ways: dict[str, Callable[[], object]] = {name: functools.partial(run, each) for name, each in commands.items()}
    for name, way in ways.items():
        way()
        if run([sys.executable, str(out / name)], cwd=out) != "ran\n":
            sys.exit(f"the output of {name} for {script.parent.name} does not run")
    taken = seconds(ways, repetitions)
    sizes = {name: (out / name).stat().st_size for name in commands}
    first = next(iter(taken))
    rows = [
        [name, f"{time:.2f}", f"{time / taken[first]:.2f}", f"{sizes[name]:,}", f"{sizes[name] / sizes[first]:.2f}"]
        for name, time in taken.items()
    ]
    print_table([f"one script of {script.parent.name}", "seconds", "ratio", "bytes", "ratio"], rows)


def compare_start(repetitions: int) -> None:
    """Builds this project's kernel, compared with a process that only imports the libraries of such a command line."""
    ways: dict[str, Callable[[], object]] = {
        "import jinja2, yaml, typer, pydantic": functools.partial(
            run, [sys.executable, "-c", "import jinja2, yaml, typer, pydantic"]
        ),
        "coord build --exp smoke": functools.partial(run, [*COORD, "build", "--exp", "smoke"]),
    }
    for way in ways.values():
        way()
    taken = seconds(ways, repetitions)
    first = next(iter(taken.values()))
    print_table(["whole process", "seconds", "ratio"], [[n, f"{t:.2f}", f"{t / first:.2f}"] for n, t in taken.items()])


def run(command: list[str], *, cwd: Path = ROOT) -> str:
    """Returns the standard output of the command; ends the program if the command fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
