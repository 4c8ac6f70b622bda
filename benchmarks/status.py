"""How many round trips `coord status` takes, for many runs that may be active, on a target that answers slowly.

    python -m benchmarks.status

A server in its own process uses Kaggle's protocol and waits before each answer. It records the time of each request. So
the requests that had to wait for an earlier answer ("in a row") can be counted, whatever else the machine was doing.
The time is measured in round trips, for all runs in parallel and for one run after the other.
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
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from benchmarks.measure import print_table
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import Project
from coordinator.project.settings import Settings
from coordinator.runs.status import AT_ONCE, OpenTargets, current_status, open_targets
from coordinator.target.open import ENDPOINT_VARIABLE
from coordinator.target.protocol import RunState

Kind = Literal["queued", "queued, 2 running", "running, new", "running, known", "ended"]
KINDS: tuple[Kind, ...] = ("queued", "queued, 2 running", "running, new", "running, known", "ended")
RECORDS = 40


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--latency", type=float, default=100.0, help="milliseconds before each answer")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument(
        "--one-by-one", action=argparse.BooleanOptionalAction, default=True, help="also with one thread"
    )
    arguments = parser.parse_args()
    latency = arguments.latency / 1000
    print(
        f"\nMeasured: {arguments.runs} runs, {arguments.latency:g} ms before each answer, median of "
        f"{arguments.repetitions}; Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs.\n"
    )
    rows = []
    for kind in KINDS:
        look = measure(kind, arguments.runs, latency, arguments.repetitions)
        serial = measure(kind, arguments.runs, latency, 1, at_once=1) if arguments.one_by_one else None
        times = [f"{1000 * look.cpu:.0f}", f"{1000 * look.wall:.0f}", f"{look.wall / latency:.1f}"]
        rows.append(
            [kind, f"{look.requests}", f"{look.deepest}", *times, f"{serial.wall / latency:.0f}" if serial else ""]
        )
    header = ["runs that are", "requests", "in a row", "CPU ms", "wall ms", "in round trips", "one by one"]
    print_table(header[: len(rows[0])], rows)


@dataclass(frozen=True)
class Measured:
    """The time and the requests of one `coord status`."""

    wall: float
    """Seconds, the median."""
    cpu: float
    """Seconds of this process."""
    requests: int
    deepest: int
    """The largest number of requests about one run of which each began after the answer to the one before."""


def measure(kind: Kind, runs: int, latency: float, repetitions: int, *, at_once: int = AT_ONCE) -> Measured:
    """Asks for the state of `runs` new runs, each time with new connections."""
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
        requests = asked()
    wall, cpu = (statistics.median(each) for each in zip(*taken, strict=True))
    by_run: dict[str, list[tuple[float, float]]] = {}
    for slug, begun, ended in requests:
        by_run.setdefault(slug, []).append((begun, ended))
    return Measured(wall, cpu, len(requests) // repetitions, max(_in_a_row(each) for each in by_run.values()))


def _in_a_row(spans: list[tuple[float, float]]) -> int:
    """The largest number of spans that do not overlap: takes the one that ends first, again and again."""
    count, free = 0, 0.0
    for begun, ended in sorted(spans, key=lambda span: span[1]):
        if begun >= free:
            count, free = count + 1, ended
    return count


def _look(targets: OpenTargets, ledger: Ledger, runs: list[Run], at_once: int) -> tuple[float, float]:
    targets.get("kaggle")  # imports kagglesdk, which startup_cli measures
    begun, used = time.perf_counter(), time.process_time()
    found = current_status(targets, ledger, runs, at_once=at_once, has_courses=False)  # as `coord status` does
    taken = time.perf_counter() - begun, time.process_time() - used
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
    """Raises AssertionError unless the ledger has the state and the last event of each run."""
    for place, run in enumerate(runs):
        found, (state, has_log) = ledger.get(run.id), _answers(kind, place)
        assert found.state is RunState(state.lower()), found
        epoch = found.last_event.epoch if found.last_event else None
        assert epoch == (RECORDS if has_log else None), found.last_event


# The server


def _answers(kind: Kind, place: int) -> tuple[str, bool]:
    """The state of the run with this number, and whether it has a log."""
    if kind == "ended":
        return "COMPLETE", True
    is_running = kind.startswith("running") or (kind == "queued, 2 running" and place < 2)
    return ("RUNNING", True) if is_running else ("QUEUED", False)


Asked = list[tuple[str, float, float]]
"""Slug of the kernel, and the times of the request and of its answer, in seconds."""


@contextlib.contextmanager
def serving(kind: Kind, latency: float) -> Iterator[tuple[str, Callable[[], Asked]]]:
    """The address of a server, and a function that returns the requests so far."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(theirs, kind, latency), daemon=True)
    process.start()

    def asked() -> Asked:
        ours.send("requests")
        found: Asked = ours.recv()
        return found

    try:
        yield f"http://127.0.0.1:{ours.recv()}", asked
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, kind: Kind, latency: float) -> None:
    asked: Asked = []
    log = [
        {"stream_name": "stdout", "time": float(each), "data": f'COORD {{"event": "epoch", "epoch": {each}}}\n'}
        for each in range(1, RECORDS + 1)
    ]
    events = [b"data: %s\n\n" % json.dumps(each).encode() for each in log]
    # The records so far come at once, each as its own chunk.
    stream = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in events)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next(
                    int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length")
                )
                body = json.loads(await reader.readexactly(length))
                begun = time.monotonic()
                await asyncio.sleep(latency)
                asked.append((body["kernelSlug"], begun, time.monotonic()))
                place = int(body["kernelSlug"].partition("-")[2])
                method = head.split(" ", 2)[1].rpartition("/")[2]
                if method == "GetKernelSessionLogsStream":
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
                    writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
                    writer.write(stream)
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
        asyncio.get_running_loop().add_reader(pipe.fileno(), lambda: pipe.send(asked) if pipe.recv() else None)
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
