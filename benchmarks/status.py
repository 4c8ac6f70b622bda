"""How many round trips `coord status` takes: many runs that may be going on, on a target that answers late.

    python -m benchmarks.status

A server in a process of its own speaks Kaggle's protocol and waits before each answer. What grows with that wait is
counted in waits: the round trips that come one after the other. Once side by side, and once one run after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from benchmarks.measure import print_table
from coordinator.ledger import Ledger, Run
from coordinator.project import Project, Settings
from coordinator.status import AT_ONCE, OpenTargets, open_targets, status
from coordinator.target import RunState
from coordinator.targets import ENDPOINT_VARIABLE

Kind = Literal["queued", "queued, 2 running", "running, new", "running, known", "ended"]
KINDS: tuple[Kind, ...] = ("queued", "queued, 2 running", "running, new", "running, known", "ended")
RECORDS = 40


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--latency", type=float, default=100.0, help="milliseconds before each answer")
    parser.add_argument("--repetitions", type=int, default=7)
    arguments = parser.parse_args()
    latency = arguments.latency / 1000
    print(
        f"\nMeasured: {arguments.runs} runs, {arguments.latency:g} ms before each answer, median of "
        f"{arguments.repetitions}; Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs.\n"
    )
    rows = []
    for kind in KINDS:
        measured = {wait: measure(kind, arguments.runs, wait, arguments.repetitions) for wait in (0.0, latency)}
        (fast, _), (slow, requests) = measured[0.0], measured[latency]
        one_by_one, _ = measure(kind, arguments.runs, latency, 1, at_once=1)
        figures = [f"{1000 * fast:.0f}", f"{1000 * slow:.0f}", f"{(slow - fast) / latency:.1f}"]
        rows.append([kind, f"{requests}", *figures, f"{slow / latency:.1f}", f"{one_by_one / latency:.0f}"])
    header = ["runs that are", "requests", "ms, no latency", "ms", "round trips", "ms in round trips", "one by one"]
    print_table(header, rows)


def measure(kind: Kind, runs: int, latency: float, repetitions: int, *, at_once: int = AT_ONCE) -> tuple[float, int]:
    """The median seconds of a look at `runs` runs, and how many requests it sends. Connections are made anew."""
    with tempfile.TemporaryDirectory() as folder, serving(kind, latency) as (address, asked):
        os.environ |= {ENDPOINT_VARIABLE: address, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "key"}
        project = Project(root=Path(folder), settings=Settings(owner="ada"))
        taken = []
        with Ledger(project.ledger) as ledger:
            for place in range(repetitions):
                found = _runs(ledger, place, runs, kind)
                with open_targets(project) as targets:
                    taken.append(_look(targets, ledger, found, at_once))
                _check(ledger, found, kind)
        return statistics.median(taken), asked() // repetitions


def _look(targets: OpenTargets, ledger: Ledger, runs: list[Run], at_once: int) -> float:
    targets.get("kaggle")  # importing kagglesdk is the start of the program, which another benchmark measures
    begun = time.perf_counter()
    found = status(targets, ledger, runs, at_once=at_once)
    taken = time.perf_counter() - begun
    assert not found.failures, found.failures
    return taken


def _runs(ledger: Ledger, place: int, number: int, kind: Kind) -> list[Run]:
    base = Run(
        id="",
        experiment="many",
        target="kaggle",
        owner="ada",
        slug="",
        digest="",
        config={},
        metadata={},
        overrides=[],
        state=RunState.RUNNING if kind == "running, known" else RunState.QUEUED,
        created_at="2026-11-01T00:00:00+00:00",
        version=1,
    )
    runs = [replace(base, id=f"{place}-{each}", slug=f"r{place}-{each}") for each in range(number)]
    for run in runs:
        ledger.add(run)
    return runs


def _check(ledger: Ledger, runs: list[Run], kind: Kind) -> None:
    """What was to be found out was found out, the last event of each log included."""
    for place, run in enumerate(runs):
        found, (state, has_log) = ledger.get(run.id), _answers(kind, place)
        assert found.state is RunState(state.lower()), found
        assert (found.last_event or {}).get("epoch") == (RECORDS if has_log else None), found.last_event


# The server


def _answers(kind: Kind, place: int) -> tuple[str, bool]:
    """The state of the run in that place, and whether there is a log."""
    if kind == "ended":
        return "COMPLETE", True
    is_running = kind.startswith("running") or (kind == "queued, 2 running" and place < 2)
    return ("RUNNING", True) if is_running else ("QUEUED", False)


@contextlib.contextmanager
def serving(kind: Kind, latency: float) -> Iterator[tuple[str, Callable[[], int]]]:
    """A server's address, and a function that says how many requests it has had."""
    ours, theirs = multiprocessing.Pipe()
    requests = multiprocessing.Value("l", 0)
    process = multiprocessing.Process(target=_serve, args=(theirs, kind, latency, requests), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}", lambda: int(requests.value)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, kind: Kind, latency: float, requests: Any) -> None:
    log = [
        {"stream_name": "stdout", "time": float(each), "data": f'COORD {{"event": "epoch", "epoch": {each}}}\n'}
        for each in range(1, RECORDS + 1)
    ]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next(
                    int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length")
                )
                body = json.loads(await reader.readexactly(length))
                requests.value += 1
                await asyncio.sleep(latency)
                place = int(body["kernelSlug"].partition("-")[2])
                method = head.split(" ", 2)[1].rpartition("/")[2]
                if method == "GetKernelSessionLogsStream":
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
                    writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
                    for each in log:
                        event = b"data: %s\n\n" % json.dumps(each).encode()
                        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
                    await writer.drain()
                    await asyncio.sleep(3600)  # the session goes on
                found = {"status": _answers(kind, place)[0]} if "Status" in method else {"log": json.dumps(log)}
                text = json.dumps(found).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
                await writer.drain()
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
