"""A project with something to look at, and the server of its live page as a process."""

from __future__ import annotations

import json
import struct
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.remarks import note, tag
from coordinator.ledger.sweeps import Member, Sweep, add as add_sweep
from coordinator.ledger.work import work_of
from coordinator.project.project import Project
from coordinator.results.events import Event
from tests.coordinator.command import Coord, until
from tests.coordinator.finished_runs import finished

EVIL = "<script>document.title = 'taken'; fetch('http://example.invalid/')</script><img src=x onerror=alert(1)>\"'"
_GRID = {
    "base": (0.781, 0.1),
    "base--lr0.05": (0.803, 0.05),
    "base--lr0.02": (0.798, 0.02),
    "base--lr0.2": (0.744, 0.2),
}


def fill(project: Project) -> list[Run]:
    """Four configs of three seeds each, with curves, worst cases, notes; a run that continues another; a sweep."""
    runs = []
    for number, (name, (mean, lr)) in enumerate(_GRID.items()):
        for seed in range(3):
            value = mean + (seed - 1) * 0.004
            values = [value + (at % 5 - 2) * 0.01 for at in range(20)]
            experiment = f"{name}-s{seed}"
            run = finished(
                project, experiment, number * 3 + seed + 1, values, seed=seed, sets=[f"optim.lr={lr}"],
                overrides=[f"optim.lr={lr}", f"seed={seed}"],
                created_at=f"2026-11-30T0{number}:1{seed}:00+00:00",
                pushed_at=f"2026-11-30T0{number}:1{seed}:05+00:00",
                started_at=f"2026-11-30T0{number}:1{seed}:20+00:00",
                ended_at=f"2026-11-30T0{number}:4{seed}:20+00:00",
                fetched_at=f"2026-11-30T0{number}:5{seed}:20+00:00",
            )  # fmt: skip
            _results(project, run, value)
            runs.append(run)
    later = finished(project, "base-s0", 20, [0.79] * 20, continues=runs[0].id, created_at="2026-11-30T05:00:00+00:00")
    members = tuple(Member(run.experiment, "base", tuple(run.overrides), "", work_of(run) or "") for run in runs[3:])
    with Ledger(project.ledger) as ledger:
        add_sweep(ledger, Sweep("base--lr-s3", "base", "local", False, "2026-11-30T01:00:00+00:00", members))
        tag(ledger, runs[3].experiment, "candidate", run=runs[3])
        note(ledger, runs[3].experiment, "the lower rate is calmer", run=runs[3])
    return [*runs, later]


def _results(project: Project, run: Run, value: float) -> None:
    folder = project.results(run.experiment, run.target, run.version or 0)
    events = [
        {
            "event": "epoch", "fold": fold, "folds": 2, "epoch": epoch, "epochs": 12,
            "metrics": {"val/dice": value - 0.3 / epoch + 0.004 * fold, "train/loss": 0.9 / epoch + 0.02 * fold},
        }
        for fold in range(2)
        for epoch in range(1, 13)
    ]  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    lines = [f"» {Event.parse(event)}" for event in events]
    (folder / "kernel.log").write_text("\n".join(["reading 20 images", *lines, "done", ""]))
    (folder / "worst").mkdir()
    for at in range(3):
        (folder / "worst" / f"{at + 1:02}-image-{at}.png").write_bytes(picture(at))


def picture(number: int) -> bytes:
    """A PNG of 96 x 96 grey pixels: two rings."""
    rows = b""
    for y in range(96):
        row = bytearray(b"\0")
        for x in range(96):
            near = [abs(((x - cx) ** 2 + (y - cy) ** 2) ** 0.5 - 16 - 3 * number) for cx, cy in ((36, 48), (62, 50))]
            row.append(max(30, int(200 - 40 * min(near))) if min(near) < 4 else 30 + (x + y) // 4)
        rows += bytes(row)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 96, 96, 8, 0, 0, 0, 0)
    whole = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + whole


def step_by_step(project: Project) -> None:
    """Lets a run with `train.wait_for` wait before each epoch for a file: `go1` for the first, and so on."""
    file = project.root / "tiny_model" / "train.py"
    text = file.read_text(encoding="utf-8")
    waits = (
        '            while config["train"]["wait_for"] and not (Path(os.environ.get("COORD_KAGGLE_ROOT", "/kaggle")) / '
        'f"go{fold * epochs + epoch}").exists():\n                time.sleep(0.02)\n'
    )
    at = "            value = engine.epoch("
    assert text.count(at) == 1
    file.write_text(text.replace(at, waits + at), encoding="utf-8")


@dataclass(frozen=True)
class Live:
    """A server of the live page."""

    process: subprocess.Popen[str]
    url: str

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(self.url.rstrip("/") + path, headers=headers, timeout=60)


@contextmanager
def live_page(coord: Coord, *arguments: str) -> Iterator[Live]:
    """`coord ui`, which is ended with Ctrl-C if it still runs."""
    process = coord.start("ui", "--no-browser", *(arguments or ("--port", "0")))
    assert process.stdout
    url = process.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:"), process.communicate()
    try:
        yield Live(process, url)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def go(coord: Coord, slug: str, *steps: int) -> None:
    """Lets the run do these epochs; see `step_by_step`."""
    root: Path = coord.session_root(slug, 1)
    until((root / "working" / "metrics.json").is_file, "the program's start")  # its session begins with empty folders
    for step in steps:
        (root / f"go{step}").touch()
