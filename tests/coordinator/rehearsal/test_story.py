"""A code competition from the training to the paired score, and a gateway, with real sessions: docs/competitions.md."""

from __future__ import annotations

import json
from typing import Any

from tests.coordinator.command import Coord
from tests.coordinator.rehearsal.conftest import Register


def _outdated(coord: Coord) -> dict[tuple[str, int], int]:
    """How many of its needs are outdated, for each run."""
    runs = json.loads(coord.here("status", "--json").stdout)
    return {(run["experiment"], run["version"]): len(run["outdated"]) for run in runs}


def _scores(coord: Coord) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(coord.here("scores", "--json").stdout)["submissions"]
    return found


def test_train_infer_submit_and_train_again(parity: Coord, register: Register) -> None:
    """Two seeds, each with its inference; three visible rows and thirty hidden ones; then one of them again."""
    register()
    parity.here("push", "--exp", "train", "--exp", "train_s1", "--wait")
    parity.here("push", "--exp", "infer_s1", "--wait")
    passed = parity.here("rehearse", "--exp", "infer")
    assert "pushed infer local-v1" in passed.stderr
    assert "infer local-v1 passes in parity" in passed.stdout

    register("--solution", str(parity.root / "solution.csv"))
    for name in ("infer", "infer_s1"):
        parity.here("submit", "--exp", name, "--wait")
    first, second = sorted(_scores(parity), key=lambda each: each["experiment"])
    assert (first["cv_run"], first["cv"], first["public"]) == ("train local-v1", 1.0, 1.0)
    assert second["cv_run"] == "train_s1 local-v1"
    assert second["cv"] < 1.0
    assert second["public"] < 1.0

    parity.here("push", "--exp", "train", "--force", "--wait")
    assert _outdated(parity) == {
        ("train", 2): 0,
        ("infer", 1): 1,
        ("infer_s1", 1): 0,
        ("train_s1", 1): 0,
        ("train", 1): 0,
    }
    refused = parity.here("submit", "--exp", "infer", code=1).stderr
    assert "the predictions of infer local-v1 are outdated: it read v1 of ada/parity-train" in refused
    register()
    again = parity.here("rehearse", "--exp", "infer")
    assert "reads train local-v2 as weights" in again.stderr
    assert "infer local-v2 passes in parity" in again.stdout
    assert _outdated(parity)["infer", 2] == 0


def test_a_gateway(parity: Coord, register: Register) -> None:
    """A kernel that serves in the rerun passes; one that never does is told so. What it needs is run first."""
    gateway = str(parity.root / "visible" / "kaggle_evaluation" / "parity_gateway.py")
    register("--gateway", gateway)
    served = parity.here("rehearse", "--exp", "serve", "--with-needs")
    assert "serve local-v1 passes in parity" in served.stdout

    program = parity.root / "serve.py"
    program.write_text(program.read_text().replace("    server.serve()\n", "    pass\n"))
    never = parity.here("rehearse", "--exp", "serve", code=1)
    (line,) = (line for line in never.stdout.splitlines() if line.startswith("FAILS"))
    assert "the rerun fails: Notebook Inference Server Never Started" in line
    assert "Call the server's serve() when KAGGLE_IS_COMPETITION_RERUN is set" in line
    assert "The log: coord local rerun-log ada/parity-serve" in never.stderr
