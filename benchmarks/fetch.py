"""How long it takes to fetch 300 files with a slow connection: `coord fetch-results` and `kaggle kernels output`.

    python -m benchmarks.fetch

Both run as whole processes, unmodified, in turns, against one local Kaggle that delays every answer as a distant server
does. The files that they fetch are compared byte for byte before the times count.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.measure import print_table, seconds
from runner_test.http import create_app
from runner_test.store import Store

TINY = Path(__file__).parent.parent / "tests" / "samples" / "tiny"
# A session with many output files, as with pictures of predictions.
TRAIN = """
import random
from pathlib import Path

for number in range({files}):
    Path(f"picture-{{number:03}}.png").write_bytes(random.Random(number).randbytes({size}))
"""


class Late:
    """An application that delays its answers; `asked` counts the requests."""

    def __init__(self, app: ASGIApp, latency: float) -> None:
        self._app = app
        self._latency = latency
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await anyio.sleep(self._latency)
        await self._app(scope, receive, send)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--size", type=int, default=20_000, help="bytes of each file")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds of delay of each answer")
    parser.add_argument("--repetitions", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "kaggle", chosen.latency) as (url, late):
        project = Path(folder) / "project"
        shutil.copytree(TINY, project)
        (project / "tiny_model" / "train.py").write_text(TRAIN.format(files=chosen.files, size=chosen.size))
        home = Path(folder) / "home"
        home.mkdir()
        key = Store(Path(folder) / "kaggle").token()
        credentials = {"KAGGLE_USERNAME": "ada", "KAGGLE_KEY": key, "HOME": str(home)}
        common = {name: value for name, value in os.environ.items() if not name.startswith(("KAGGLE_", "COORD_"))}
        ours = common | credentials | {"COORD_TARGET": "kaggle", "COORD_KAGGLE_ENDPOINT": url}
        theirs = common | credentials | {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "http_proxy": url}
        run("coord", ["push", "--exp", "base", "--wait"], project, ours)
        output = Path(folder) / "output"
        ways = {
            "kaggle kernels output": functools.partial(
                run, "kaggle", ["kernels", "output", "ada/tiny-base", "-p", str(output)], project, theirs, fresh=output
            ),
            "coord fetch-results": functools.partial(
                run, "coord", ["fetch-results"], project, ours, fresh=project / "results"
            ),
        }
        requests = {}
        for name, way in ways.items():
            before = late.asked
            way()
            requests[name] = late.asked - before
        check(output, project / "results" / "base" / "kaggle-v1", chosen.files)
        ways["coord fetch-results, nothing new"] = functools.partial(run, "coord", ["fetch-results"], project, ours)
        before = late.asked
        ways["coord fetch-results, nothing new"]()
        requests["coord fetch-results, nothing new"] = late.asked - before
        measured = seconds(ways, chosen.repetitions)
    print(
        f"\nMeasured: {chosen.files} files of {chosen.size:,} bytes, {1000 * chosen.latency:.0f} ms a request, "
        f"median of {chosen.repetitions};\nPython {platform.python_version()}, {platform.machine()}, "
        f"{os.cpu_count()} CPUs.\n"
    )
    slowest = measured["kaggle kernels output"]
    print_table(
        ["fetch the output", "seconds", "requests", "times as fast"],
        [[name, f"{each:.2f}", str(requests[name]), f"{slowest / each:.1f}"] for name, each in measured.items()],
    )


@contextmanager
def served(root: Path, latency: float) -> Iterator[tuple[str, Late]]:
    """Runs the local Kaggle of folder `root` in a thread, with delayed answers."""
    late = Late(create_app(Store(root)), latency)
    server = uvicorn.Server(uvicorn.Config(late, port=0, http="h11", lifespan="off", log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", late
    finally:
        server.should_exit = True
        thread.join()


def run(
    program: str, arguments: list[str], folder: Path, environment: dict[str, str], fresh: Path | None = None
) -> None:
    """Runs a command to its end; the folder `fresh` is removed first."""
    if fresh is not None:
        shutil.rmtree(fresh, ignore_errors=True)
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def check(theirs: Path, ours: Path, files: int) -> None:
    """Ends the program if the two have not fetched the same files."""
    names = sorted(path.name for path in theirs.glob("*.png"))
    if len(names) != files or any((theirs / name).read_bytes() != (ours / name).read_bytes() for name in names):
        sys.exit("the two have fetched different files")


if __name__ == "__main__":
    main()
