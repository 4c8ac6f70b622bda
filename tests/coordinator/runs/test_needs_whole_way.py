"""A run that needs another one, with real sessions of the local Kaggle: from a need that runs to one that is new."""

from __future__ import annotations

import json

from tests.coordinator.bundle.programs import write_files
from tests.coordinator.command import Coord

INFER = """import json, os, sys
from pathlib import Path
weights = Path(sys.argv[1])
config = json.loads(Path(os.environ["COORD_CONFIG"]).read_text())
assert config["train"]["tags"] == [str(weights)] == [os.environ["COORD_NEED_WEIGHTS"]]
run = json.loads((weights / "metrics.json").read_text())["run_id"]
Path("submission.csv").write_text(f"id,label\\n{run},1\\n")
print("predicted with", run)
"""
FILE = """base: slow
entry: infer.py
needs: {weights: slow}
args: ["${needs.weights}"]
config: {train: {tags: ["${needs.weights}"]}}
"""


def test_from_a_need_that_runs_to_one_that_is_new(coord: Coord) -> None:
    """It waits for what it needs, reads it, is outdated after a new version, and then reads that."""
    write_files(coord.root, {"infer.py": INFER, "experiments/infer.yaml": FILE})
    missing = coord.here("push", "--exp", "infer", code=1)
    assert "infer needs slow (weights): it has no run on local\nMake one: coord push --exp slow" in missing.stderr

    coord.here("push", "--exp", "slow")
    running = coord.here("push", "--exp", "infer", code=75)
    assert "Wait for it: --wait-for-needs." in running.stderr
    with coord.start("push", "--exp", "infer", "--wait-for-needs", "--wait") as waiting:
        assert waiting.stderr is not None
        assert any("waiting for slow local-v1 (" in line for line in waiting.stderr)
        (coord.session_root("tiny-slow", 1) / "go").touch()
        said = waiting.stderr.read()
        assert waiting.wait(60) == 0, said
    assert "reads slow local-v1 as weights" in said
    infer, slow = json.loads(coord.here("status", "--json").stdout)
    assert f"predicted with {slow['id']}" in said
    assert infer["reads"] == [{"name": "weights", "reference": "ada/tiny-slow", "version": 1}]
    assert infer["launch"]["needs"] == {"weights": "tiny-slow"}
    assert infer["outdated"] == []

    again = coord.here("push", "--exp", "infer")
    assert "infer local-v1 has done the same and is complete" in again.stderr
    coord.here("push", "--exp", "slow", "--force")
    (coord.session_root("tiny-slow", 2) / "go").touch()
    coord.here("push", "--exp", "infer", "--wait-for-needs", "--wait")
    now = json.loads(coord.here("status", "--json").stdout)
    assert [(run["experiment"], run["version"], len(run["outdated"])) for run in now] == [
        ("infer", 2, 0),
        ("slow", 2, 0),
        ("infer", 1, 1),
        ("slow", 1, 0),
    ]
    assert f"predicted with {now[1]['id']}" in coord.here("logs", "--exp", "infer").stdout
    shown = coord.here("status").stdout
    assert "reads weights v2" in shown
    assert "outdated; reads weights v1; read v1 of ada/tiny-slow, which has v2 now" in shown
