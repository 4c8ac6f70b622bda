"""The check of a graphics card: the processor stands in for one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu_check.budget import INCOMPLETE
from benchmarks.gpu_check.steps import LAST, SPEED_UP, Way, speed_up
from tests.model_src.session_root import LOADED, NARROW, PROGRAM, PROJECT
from tests.warm import run_warm

CHECK = "benchmarks.gpu_check"
HAS_TO_HOLD = {
    "training step: both loops, fp32: difference of the first loss",
    *(f"oracle: train.amp: {amp}, images whose baseline is not the prediction" for amp in ("off", "auto")),
    *(f"oracle: train.amp: {amp}, least dice with all oracles" for amp in ("off", "auto")),
    *(
        f"weights{mode}: {pair} run"
        for mode in ("", ", train.deterministic")
        for pair in ("continued and whole", "repeated and first")
    ),
    "processes: two: merges of gradients in a step of two parts each",
    "processes: two: weights equal",
}
ONLY_ON_A_CARD = {
    *(
        f"training step: {loop}, {dtype}: peak memory"
        for loop in ("reference loop", "this loop", "this loop, channels_last")
        for dtype in ("fp32", "fp16", "bf16")
    ),
    "training step: train.amp: fp32 / auto, channels_last",
    "processes: two on one card",
}


def environment(*folders: Path) -> dict[str, str]:
    """The environment of a program that imports from these folders, too."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, folders), str(PROJECT), os.environ["PYTHONPATH"]])}


@pytest.mark.slow
@pytest.mark.release
def test_every_part_measures(tmp_path: Path) -> None:
    """Every row has a figure or what has to hold, but those that only a card can have; the table has the same rows."""
    arguments = ["--device", "cpu", "--size", "tiny", "--json", str(tmp_path / "check.json")]
    done = run_warm(PROGRAM[0], CHECK, *arguments, cwd=tmp_path, env=environment(NARROW), loaded=LOADED)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "check.json").read_text(encoding="utf-8"))["rows"]
    by_status: dict[str, set[str]] = {}
    for row in rows:
        by_status.setdefault(row["status"], set()).add(f"{row['part']}: {row['what']}")
    assert by_status.keys() == {"measured", "passed", "not here"}
    assert by_status["passed"] == HAS_TO_HOLD
    assert by_status["not here"] == ONLY_ON_A_CARD
    assert all(row["value"] > 0 for row in rows if row["status"] == "measured")
    assert {f"data loader: {n}" for n in ("1 worker", "2 workers", "4 workers")} <= by_status["measured"]
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ")][2:]
    assert [line.split("|")[1].strip() for line in lines] == [f"{row['part']}: {row['what']}" for row in rows]
    assert "the processor stands in" in done.stdout.splitlines()[0]
    assert list(tmp_path.iterdir()) == [tmp_path / "check.json"]


def test_no_time_is_said_for_every_row(tmp_path: Path) -> None:
    """With a budget of nothing each row is there and says that it was not measured."""
    arguments = ["--device", "cpu", "--size", "tiny", "--budget", "0", "--json", str(tmp_path / "check.json")]
    done = run_warm(CHECK, *arguments, cwd=tmp_path, env=environment(NARROW), loaded=LOADED)
    assert done.returncode == 1, done.stderr
    rows = json.loads((tmp_path / "check.json").read_text(encoding="utf-8"))["rows"]
    assert {row["status"] for row in rows} == {"not measured"}
    assert {f"{row['part']}: {row['what']}" for row in rows} > HAS_TO_HOLD | ONLY_ON_A_CARD
    assert "training step, reference loop, fp32: a step: not measured: its 0 s were over" in done.stderr


def test_without_a_card(tmp_path: Path) -> None:
    """One line, and an exit code of its own."""
    settings: dict[str, Any] = {"cwd": tmp_path, "loaded": LOADED}
    done = run_warm(CHECK, env={**environment(), "CUDA_VISIBLE_DEVICES": ""}, **settings)
    assert (done.returncode, done.stdout) == (2, "")
    assert "finds no graphics card with CUDA on this machine; nothing was measured" in done.stderr
    assert done.stderr.count("\n") == 1


PARTS = """
import json, os, time
from dataclasses import asdict
from pathlib import Path
from benchmarks.gpu_check.bench import SIZES, Bench
from benchmarks.gpu_check.budget import Part, Row, run_part


def fails(bench, until):
    yield Row("one", 1.0)
    raise RuntimeError("CUDA error: out | of luck\\nand more")


def hangs(bench, until):
    yield Row("two", 2.0)
    time.sleep(600)


def dies(bench, until):
    yield Row("one", 1.0)
    os._exit(7)


def fails_late(bench, until):
    yield from (Row(name, 1.0) for name in ("one", "two", "three"))
    raise SystemExit("at last")


if __name__ == "__main__":
    bench = Bench(Path("nowhere"), "cpu", SIZES["tiny"])
    for measure, seconds in ((fails, 60), (hangs, 2), (dies, 60), (fails_late, 60)):
        part = Part(measure.__name__, 1, ("one", "two", "three"), measure)
        for row in run_part(part, bench, seconds):
            print(row.part, row.what, row.value, row.status, row.note, sep=";")
"""


def test_what_goes_wrong_in_a_part_is_a_row(tmp_path: Path) -> None:
    """An error, a part without an end, and a process that dies: what was measured before is kept, the rest is named."""
    (tmp_path / "program.py").write_text(PARTS, encoding="utf-8")
    done = run_warm("program", cwd=tmp_path, env=environment(tmp_path), loaded=LOADED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "fails;one;1.0;measured;",
        "fails;two;None;failed;RuntimeError: CUDA error: out / of luck",
        "fails;three;None;not measured;after an error",
        "hangs;one;None;not measured;its 2 s were over",
        "hangs;two;2.0;measured;",
        "hangs;three;None;not measured;its 2 s were over",
        "dies;one;1.0;measured;",
        "dies;two;None;failed;its process ended with code 7",
        "dies;three;None;not measured;after an error",
        "fails_late;one;1.0;measured;",
        "fails_late;two;1.0;measured;",
        "fails_late;three;1.0;measured;",
        "fails_late;the end;None;failed;SystemExit: at last",
    ]


@pytest.mark.filterwarnings("ignore:.*CUDA is not available")
@pytest.mark.parametrize(
    ("capability", "dtype", "half", "status"),
    [((8, 0), "bf16", 2.0, "passed"), ((8, 0), "bf16", 2.1, "goal missed"), ((7, 5), "fp16", 1.0, "passed")],
)
def test_the_goal_of_amp(
    capability: tuple[int, int], dtype: str, half: float, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three seconds against two are 1.5 times: reached. A goal that is missed is no failure."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    taken = {Way(LAST, "fp32").step: 3.0, Way(LAST, dtype).step: half}
    (row,) = speed_up(taken, torch.device("cuda"), "")
    assert (row.what, row.value, row.status) == (SPEED_UP, 3 / half, status)
    assert row.note.startswith(f"auto is {dtype}; the goal of 1.5 is ")
    assert ("not reached" in row.note) == (status != "passed")
    assert status not in INCOMPLETE


ONE_CARD = """
import sys
from pathlib import Path
import torch
from benchmarks.gpu_check.bench import SIZES, Bench
from benchmarks.gpu_check.pair import measure_pair, measure_refusal

torch.cuda.device_count = lambda: 1
bench = Bench(Path.cwd(), "cuda", SIZES["tiny"])
bench.enter()
for row in [*measure_pair(bench, 0.0), *measure_refusal(bench, 0.0)]:
    print(row.what, row.status, row.note, sep=";", file=sys.stderr)
"""


def test_two_processes_on_one_card(tmp_path: Path) -> None:
    """The program itself is run, and refuses; what needs two cards is said to need them."""
    (tmp_path / "program.py").write_text(ONE_CARD, encoding="utf-8")
    done = run_warm("program", cwd=tmp_path, env=environment(tmp_path, NARROW), loaded=LOADED)
    assert done.returncode == 0, done.stderr
    *others, refused = done.stderr.splitlines()
    assert len(others) == 3
    assert all(line.endswith(";not here;one card") for line in others)
    assert refused.startswith("two on one card;passed;refused: 2 processes need a graphics card each, and")
