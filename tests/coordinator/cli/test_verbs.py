"""The verbs as processes against the local Kaggle: from a push to the table, with all that can happen on the way."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from coordinator.ledger.ledger import Ledger, new_run_id, now
from coordinator.target.protocol import RunState
from tests.coordinator.command import COORD, Coord, until


def test_the_whole_way(coord: Coord) -> None:
    """Push, status, logs, fetch-results: the digests of build, ledger and what ran agree, the table is shown."""
    pushed = coord("push", "--exp", "base", "--wait")
    assert pushed.stdout == "base local-v1\n"
    assert "fold 1, epoch 3/3: val/dice 0.7600" in pushed.stderr
    assert coord.states() == ["complete"]
    assert "a word from the package data ünïcødé" in coord("logs", "--exp", "base").stdout

    fetched = coord("fetch-results")
    for expected in (
        "base local-v1, cross-validation",
        "cv/dice",
        "(max)",
        "mean",
        "0.7550",
        "sd",
        "baseline all-empty",
        "0.5000",
    ):
        assert expected in fetched.stdout
    results = coord.root / "results" / "base" / "local-v1"
    names = ["kernel.log", "kernel.log.json", "kernel.py", "metrics.json", "metrics.jsonl", "oof.csv", "run.json"]
    assert sorted(path.name for path in results.iterdir()) == [*names, "submission.csv"]
    script = coord.session_root("tiny-base", 1) / "src" / "script.py"
    assert (results / "kernel.py").read_bytes() == script.read_bytes()
    assert "is what the working tree gives" in coord("build", "--exp", "base", "--check", str(results)).stdout

    manifest = json.loads((coord.root / "build" / "base" / "manifest.json").read_text())
    summary = json.loads((results / "metrics.json").read_text())
    (run,) = coord.json("status")
    assert manifest["digest"] == summary["digest"] == run["digest"]
    assert summary["run_id"] == run["id"]
    assert run["summary"]["primary"]["value"] == 0.755

    assert coord("report").stdout.startswith("report.html: 1 run of 1 config, ")
    page = (coord.root / "report.html").read_text(encoding="utf-8")
    for expected in ("base local-v1", "0.7550", "fold 1, epoch 3: 0.76<", manifest["digest"]):
        assert expected in page


def _as_notebooks(coord: Coord) -> None:
    file = coord.root / "pyproject.toml"
    table = "[tool.coord.kernel]\n"
    file.write_text(file.read_text().replace(table, f'{table}kernel_type = "notebook"\n'))


def test_the_whole_way_of_a_notebook(coord: Coord) -> None:
    """The same verbs, the same files, the same digests; the executed notebook comes home with them."""
    pytest.importorskip("ipykernel", reason="pip install 'coord[notebook]'")
    _as_notebooks(coord)
    pushed = coord("push", "--exp", "base", "--wait")
    assert "fold 1, epoch 3/3: val/dice 0.7600" in pushed.stderr
    assert "a word from the package data ünïcødé" in coord("logs", "--exp", "base").stdout
    fetched = coord("fetch-results")
    assert "0.7550" in fetched.stdout
    assert "warning" not in fetched.stderr
    results = coord.root / "results" / "base" / "local-v1"
    summary = json.loads((results / "metrics.json").read_text())
    manifest = json.loads((coord.root / "build" / "base" / "manifest.json").read_text())
    (run,) = coord.json("status")
    assert (run["state"], run["metadata"]["kernel_type"]) == ("complete", "notebook")
    assert manifest["digest"] == summary["digest"] == run["digest"]
    assert summary["run_id"] == run["id"]
    assert run["id"] in (results / "__notebook__.ipynb").read_text()

    done = coord("dry-run", "--exp", "base")
    assert "base dry run" in done.stdout
    summary = json.loads((coord.root / ".coord" / "dry-run" / "base" / "working" / "metrics.json").read_text())
    assert (summary["digest"], summary["config"]["train"]["epochs"]) == (manifest["digest"], 1)


def test_a_notebook_that_crashes(coord: Coord) -> None:
    """The run is an error, and its log has the script's own traceback and the exit code."""
    pytest.importorskip("ipykernel", reason="pip install 'coord[notebook]'")
    _as_notebooks(coord)
    pushed = coord("push", "--exp", "crash", "--wait", code=1)
    told = "RuntimeError at engine.py:6: the loss is not finite; The notebook ended with exit code 1."
    assert f"crash local-v1 has failed: {told}" in pushed.stderr
    log = coord("logs", "--exp", "crash").stdout
    assert 'File "tiny_model/engine.py", line 6, in epoch' in log
    assert "RuntimeError: the loss is not finite" in log
    assert "the script ended with exit code 1" in log
    coord("fetch-results", "--exp", "crash")
    assert (coord.root / "results" / "crash" / "local-v1" / "metrics.jsonl").is_file()


def test_a_script_does_not_become_a_notebook(coord: Coord) -> None:
    """Kaggle cannot change a kernel's type: coord says so before it pushes, and no more once the kernel is deleted."""
    pytest.importorskip("ipykernel", reason="pip install 'coord[notebook]'")
    coord("push", "--exp", "base", "--wait")
    _as_notebooks(coord)
    refused = coord("push", "--exp", "base", code=1)
    assert "ada/tiny-base is a script on local, and a kernel's type can't be changed" in refused.stderr
    assert len(coord.states()) == 1
    shutil.rmtree(coord.root / ".coord" / "local-kaggle" / "kernels" / "ada" / "tiny-base")
    coord("push", "--exp", "base", "--wait")
    assert coord.states() == ["complete", "complete"]


def test_push_returns_while_the_session_runs_and_its_death_changes_nothing(coord: Coord) -> None:
    """Two sessions run, the third waits; killing the pushing shell's whole process group stops none of them."""
    shell = coord.start("push", "--exp", "slow", "--wait")
    until(lambda: coord.states() == ["running"], "the first session's start")
    begin = time.monotonic()
    coord("push", "--exp", "slow", "--force")
    assert time.monotonic() - begin < 20  # it did not wait for the session, which would never end by itself
    coord("push", "--exp", "slow", "--force")
    until(lambda: coord.states() == ["queued", "running", "running"], "two sessions, one queued")

    os.killpg(shell.pid, signal.SIGKILL)
    shell.communicate()
    assert coord.states() == ["queued", "running", "running"]
    for version in (1, 2):
        (coord.session_root("tiny-slow", version) / "go").touch()
    until(lambda: coord.states() == ["running", "complete", "complete"], "the queued session's turn")
    (coord.session_root("tiny-slow", 3) / "go").touch()
    until(lambda: coord.states() == ["complete"] * 3, "the end of the last session")


def test_status_shows_the_last_epoch_of_a_running_session(coord: Coord) -> None:
    """While the run goes on, status reads its live log."""
    coord("push", "--exp", "slow")
    until(lambda: "val/dice 0.7600, fold 1, epoch 3/3" in coord("status").stdout, "the last epoch in the table")
    assert "RUNNING" in coord("status").stdout


def test_a_second_session_is_never_started_unasked(coord: Coord) -> None:
    """A push while a run of the same experiment is active is refused, and says how to insist."""
    coord("push", "--exp", "slow")
    refused = coord("push", "--exp", "slow", code=1)
    assert "slow local-v1 is" in refused.stderr
    assert "--force" in refused.stderr
    assert len(coord.states()) == 1


def test_a_crash_is_told_and_its_remains_are_fetched(coord: Coord) -> None:
    """The traceback names the source file and line; log and partial metrics come back."""
    pushed = coord("push", "--exp", "crash", "--wait", code=1)
    assert 'File "tiny_model/engine.py", line 6, in epoch' in pushed.stderr
    assert "RuntimeError: the loss is not finite" in pushed.stderr
    assert "coord: crash local-v1 has failed" in pushed.stderr
    assert coord.states() == ["error"]
    coord("logs", "--exp", "crash", "--follow", code=1)
    coord("fetch-results", "--exp", "crash")
    results = coord.root / "results" / "crash" / "local-v1"
    assert "the loss is not finite" in (results / "kernel.log").read_text()
    assert json.loads((results / "metrics.jsonl").read_text().splitlines()[0])["epoch"] == 1


def test_ctrl_c_stops_watching_not_the_run(coord: Coord) -> None:
    """Ctrl-C during push --wait and logs --follow ends with 130; the run goes on."""
    for arguments in (["push", "--exp", "slow", "--wait"], ["logs", "--follow"]):
        process = coord.start(*arguments)
        until(lambda: "running" in coord.states(), "the session's start")
        time.sleep(0.5)  # let it get into the live log
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == 130, stderr
        assert "Traceback" not in stderr
        assert coord.states() == ["running"]


def test_fetching_before_the_end_and_twice(coord: Coord) -> None:
    """A run that goes on has nothing to fetch; a second fetch moves nothing; --all takes what has ended."""
    coord("push", "--exp", "slow")
    assert "there is nothing to fetch yet" in coord("fetch-results", "--exp", "slow", code=1).stderr
    coord("push", "--exp", "base", "--wait")
    fetched = coord("fetch-results", "--all")
    assert "base local-v1: complete" in fetched.stdout
    assert "slow local-v1 is" in fetched.stderr
    assert "not both" in coord("fetch-results", "--all", "--version", "1", code=2).stderr
    # What can't be had keeps nothing else from coming in: the newer run's kernel is gone, and the older one comes.
    with Ledger(coord.root / ".coord" / "ledger.sqlite") as ledger:
        base = ledger.update(ledger.find("base").id, fetched_at=None)
        gone = dataclasses.replace(base, experiment="gone", slug="gone", created_at=now())
        ledger.add(dataclasses.replace(gone, id=new_run_id(), version=2, state=RunState.CANCELLED))
        ledger.add(dataclasses.replace(gone, id=new_run_id(), state=RunState.COMPLETE))
    rest = coord.here("fetch-results", "--all", code=1)
    assert "base local-v1: complete" in rest.stdout
    assert "gone local-v2 was cancelled, and nothing is left of it on local" in rest.stderr
    assert "coord: " in rest.stderr
    # A target that nobody can be at is asked once, and bars no other.
    with Ledger(coord.root / ".coord" / "ledger.sqlite") as ledger:
        ledger.update(base.id, fetched_at=None)
        for number in range(3):
            there = dataclasses.replace(gone, id=new_run_id(), experiment="far", target="kaggle", version=number + 1)
            ledger.add(there)
    rest = coord.here("fetch-results", "--all", code=1)
    assert "base local-v1: complete" in rest.stdout
    assert rest.stderr.count("no Kaggle credentials found") == 1
    assert "2 more of kaggle are left for later" in rest.stderr
    file = coord.root / "results" / "base" / "local-v1" / "metrics.json"
    before = file.stat().st_mtime_ns
    coord("fetch-results", "--exp", "base")
    assert file.stat().st_mtime_ns == before
    coord("fetch-results", "--exp", "base", "--force")
    assert file.stat().st_mtime_ns != before


def test_a_deleted_kernel_counts_from_one_again(coord: Coord) -> None:
    """The results of the old version 1 are kept beside those of the new one, and the ledger tells them apart."""
    coord("push", "--exp", "base", "--wait")
    coord("fetch-results", "--exp", "base")
    shutil.rmtree(coord.root / ".coord" / "local-kaggle" / "kernels" / "ada" / "tiny-base")
    coord("push", "--exp", "base", "--set", "optim.lr=0.2", "--wait")
    coord("fetch-results", "--exp", "base")
    newest, oldest = coord.json("status", "--exp", "base")
    assert (newest["version"], oldest["version"]) == (1, 1)
    results = coord.root / "results" / "base"
    learning_rates = {
        name: json.loads((results / name / "run.json").read_text())["config"]["optim"]["lr"]
        for name in ("local-v1", f"local-v1-{oldest['id'][:8]}")
    }
    assert list(learning_rates.values()) == [0.2, 0.1]


def test_overrides_reach_the_run_and_the_ledger(coord: Coord) -> None:
    """--set is typed by the config's dataclass and ends up in the kernel's own config."""
    coord("push", "--exp", "base", "--set", "train.epochs=1", "--set", "optim.lr=1e-3", "--wait")
    coord("fetch-results")
    (run,) = coord.json("status")
    assert run["overrides"] == ["train.epochs=1", "optim.lr=1e-3"]
    assert run["summary"]["config"]["train"]["epochs"] == 1
    assert run["summary"]["config"]["optim"]["lr"] == 0.001


def test_refused_sources_are_an_error_that_names_the_version_that_started(coord: Coord) -> None:
    """Kaggle runs a kernel without the sources that it does not know; coord does not call that a success."""
    (coord.root / "experiments" / "attached.yaml").write_text("base: base\nkernel: {dataset_sources: [ada/pictures]}\n")
    refused = coord("push", "--exp", "attached", code=1)
    assert "attached local-v1 has started without ada/pictures" in refused.stderr
    (coord.root / "pictures").mkdir()
    coord("local", "add-dataset", "ada/pictures", "pictures")
    coord("push", "--exp", "attached", "--force", "--wait")
    mounted = coord.session_root("tiny-attached", 2) / "input" / "datasets" / "ada" / "pictures"
    assert mounted.is_dir()


def test_dry_run_runs_the_file_that_would_be_pushed(coord: Coord) -> None:
    """build/base/kernel.py runs with the overrides of the settings; a crash ends with exit code 1."""
    done = coord("dry-run", "--exp", "base")
    assert "base dry run" in done.stdout
    working = coord.root / ".coord" / "dry-run" / "base" / "working"
    summary = json.loads((working / "metrics.json").read_text())
    manifest = json.loads((coord.root / "build" / "base" / "manifest.json").read_text())
    assert summary["digest"] == manifest["digest"]
    assert summary["config"]["train"]["epochs"] == 1
    assert manifest["config"]["train"]["epochs"] == 3
    # One epoch is all that a dry run does, so the crash has to come in that one.
    failed = coord("dry-run", "--exp", "crash", "--set", "train.crash_in_epoch=1", code=1)
    assert "the loss is not finite" in failed.stderr
    assert coord.states() == []


def test_json_answers_are_json(coord: Coord) -> None:
    """Every reading command answers with JSON on stdout, progress on stderr."""
    coord("push", "--exp", "base", "--wait")
    assert [item["name"] for item in coord.json("experiments")] == ["base", "crash", "slow"]
    assert coord.json("show", "--exp", "crash")["changes"] == [
        {"path": "train.crash_in_epoch", "base": None, "value": 2}
    ]
    assert coord.json("build", "--exp", "base")["experiment"] == "base"
    assert coord.json("fetch-results", "--exp", "base")[0]["directory"].endswith("results/base/local-v1")
    assert coord.json("status", "--exp", "base")[0]["state"] == "complete"
    records = [json.loads(line) for line in coord("logs", "--json").stdout.splitlines()]
    assert {record["stream_name"] for record in records} == {"stdout"}
    assert coord.json("dry-run", "--exp", "base")["exit_code"] == 0


def test_a_reader_that_goes_away_is_no_error_to_show(coord: Coord) -> None:
    """`coord logs | head -1` prints one line and no stack trace."""
    coord("push", "--exp", "base", "--wait")
    command = " ".join([*COORD, "logs"]) + " | head -1"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=coord.root,
        env=dict(coord.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "a word from the package data ünïcødé\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "--exp", "crush"], 1, 'there is no experiment "crush" in experiments/ (did you mean "crash"?)'),
        (["push"], 2, "which experiment? "),
        (["push", "--exp", "base", "--target", "mars"], 2, 'there is no target "mars"'),
        (["push", "--exp", "base", "--target", "kaggle"], 1, "no Kaggle credentials found"),
        (["push", "--exp", "base", "--set", "optim.lt=1"], 1, 'unknown name "lt" (did you mean "lr"?)'),
        (["push", "--exp", "base", "--set", "optim.lr=-1"], 1, "--set: optim.lr: must be > 0, is -1.0"),
        (["logs"], 1, "there are no runs yet"),
        (["logs", "--exp", "base"], 1, 'no run of "base"'),
        (["fetch-results", "--exp", "base", "--version", "7"], 1, 'no run of "base"'),
        (["dry-run", "--exp", "nothing"], 1, 'there is no experiment "nothing"'),
        (["local", "add-dataset", "ada/x", "missing"], 2, "missing"),
        (["local", "add-dataset", "ada", "."], 2, "ada"),
        (
            ["local", "add-model", "ada/net/pytorch/big", "."],
            2,
            "has no version: add one, such as ada/net/pytorch/big/1",
        ),
        (["local", "add-model", "ada/net/torch/big/1", "."], 2, "'torch' is no framework; there are"),
        (["local", "serve", "--port", "99999"], 2, "--port"),
        (["psh"], 2, " push  Build, push as a new version, print the URL."),
        (["status", "--wtch"], 2, "--watch"),
        (["--project", "nowhere", "status"], 2, "--project nowhere"),
    ],
)
def test_bad_input_gets_a_short_message(coord: Coord, arguments: list[str], code: int, message: str) -> None:
    """What, where, what to do: a few lines on stderr, nothing on stdout, exit code 1, or 2 for usage."""
    done = coord(*arguments, code=code)
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 4


def test_no_project(tmp_path: Path) -> None:
    """Outside a project, every command says that there is none."""
    done = Coord(tmp_path, dict(os.environ))("status", code=1)
    assert "no project here" in done.stderr
    assert len(done.stderr.splitlines()) == 2
