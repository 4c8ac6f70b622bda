"""What a session of the local Kaggle can reach with and without isolation, and the time that isolation takes.

    python -m benchmarks.sessions

First a script tries what it can reach, in both kinds of session. Then the time of a whole session that does nothing is
measured, in turns with the interpreter alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import print_table, seconds
from runner_test.sessions import SessionOptions, isolation, run_once
from runner_test.settings import Settings

# Runs in a session; each entry is a row of the table.
PROBE = """
import getpass, json, os, pathlib, socket, sys

def can(try_it):
    try:
        try_it()
    except OSError:
        return "no"
    return "yes"

server = socket.create_server(("127.0.0.1", 0))
kaggle = pathlib.Path(os.environ.get("COORD_KAGGLE_ROOT", "/kaggle"))
print(json.dumps({
    "writes its own script": can(lambda: (kaggle / "src/script.py").open("a")),
    "writes its inputs": can(lambda: (kaggle / "input/datasets/me/data/file").open("a")),
    "reads its inputs": can(lambda: (kaggle / "input/datasets/me/data/file").open()),
    "writes its working directory": can(lambda: open("file", "w")),
    "reads another file of the user": can(lambda: open(FILE)),
    "connects to itself": can(lambda: socket.create_connection(server.getsockname())),
    "connects to this machine": can(lambda: socket.create_connection(("127.0.0.1", PORT))),
    "sees other processes": can(lambda: os.kill(SUPERVISOR, 0)),
    "its files are in": str(kaggle) if str(kaggle) == "/kaggle" else "a folder of the store",
    "its user is": "that of coord" if str(kaggle) != "/kaggle" else f"{getpass.getuser()}, inside",
}))
"""


def main() -> None:
    """Run the probe, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=41)
    repetitions = parser.parse_args().repetitions
    if problem := isolation.problem():
        sys.exit(problem)
    plain, isolated = Settings(isolation="none"), Settings()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reached = [reach(folder, settings) for settings in (plain, isolated)]
        ways = {
            "the interpreter alone": lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
            "a session, not isolated": session(folder, plain),
            "a session, isolated": session(folder, isolated),
        }
        measured = seconds(ways, repetitions)
    print()
    print_table(
        ["a session with the internet off", "not isolated", "isolated"],
        [[row, *(each[row] for each in reached)] for row in reached[0]],
    )
    print(
        f"\nMeasured: median of {repetitions}; Python {platform.python_version()}, {platform.machine()}, "
        f"{os.cpu_count()} CPUs.\n"
    )
    alone = measured["the interpreter alone"]
    rows = [[row, f"{1000 * each:.1f}", f"{1000 * (each - alone):.1f}"] for row, each in measured.items()]
    print_table(["start to end", "ms", "ms above the interpreter"], rows)


def reach(folder: Path, settings: Settings) -> dict[str, str]:
    """What the probe prints in a session with these settings."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    for file in (data / "file", folder / "diary"):
        file.touch()
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        known = {"FILE": str(folder / "diary"), "PORT": server.getsockname()[1], "SUPERVISOR": os.getpid()}
        script = folder / "probe.py"
        script.write_text("".join(f"{name} = {value!r}\n" for name, value in known.items()) + PROBE)
        code = run_once(
            script,
            folder / f"probe-{settings.isolation}",
            lambda record: said.append(record.data),
            SessionOptions({"datasets/me/data": data}, timeout=60, settings=settings),
        )
    if code != 0:
        sys.exit("".join(said))
    found: dict[str, str] = json.loads("".join(said))
    return found


def session(folder: Path, settings: Settings) -> Callable[[], object]:
    """A function that runs a session that does nothing."""
    script = folder / "nothing.py"
    script.write_text("pass\n")
    numbers = itertools.count()

    def run() -> None:
        root = folder / f"{settings.isolation}-{next(numbers)}"
        code = run_once(script, root, lambda _: None, SessionOptions(timeout=60, settings=settings))
        assert code == 0

    return run


if __name__ == "__main__":
    main()
