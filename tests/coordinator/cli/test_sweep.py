"""The commands for sweeps on the local Kaggle, and the push of several experiments."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.coordinator.command import Coord, until


@pytest.fixture
def coord(coord: Coord) -> Coord:
    """`coord` in the tiny project, whose sessions are not isolated."""
    with (coord.root / "pyproject.toml").open("a") as file:
        file.write('\n[tool.coord.local]\nisolation = "none"\n')
    return coord


def test_the_whole_way(coord: Coord) -> None:
    """A plan, a sweep on the local Kaggle as sessions become free, its status, one run fetched, and the plan again."""
    grid = ("--exp", "base", "--grid", "optim.lr=0.1,0.2", "--seeds", "2")
    shown = coord.here("sweep", *grid, "--plan").stdout
    assert "sweep base--lr-s2 on local: 4 to run" in shown
    assert max(map(len, shown.splitlines())) <= 80
    coord.here("sweep", *grid)
    states = until(
        lambda: (
            (now := json.loads(coord.here("sweep", "status", "base--lr-s2", "--json").stdout))["counts"]
            == {"complete": 4}
            and now
        ),
        "the end of the sweep",
    )
    assert [each["experiment"] for each in states["experiments"]][:2] == ["base--lr0.1-s0", "base--lr0.1-s1"]
    coord.here("fetch-results", "--exp", "base--lr0.2-s1")
    folder = coord.root / "results" / "base--lr0.2-s1" / "local-v1"
    assert (folder / "oof.csv").is_file()
    (sweep,) = json.loads((folder / "run.json").read_text())["sweeps"]
    assert [member["experiment"] for member in sweep["members"]] == [e["experiment"] for e in states["experiments"]]
    shown = coord.here("sweep", "status", "base--lr-s2").stdout
    assert "sweep base--lr-s2 on local: 4 complete" in shown
    assert "0.7550" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "0 to run, 4 done already" in coord.here("sweep", *grid, "--plan").stdout
    assert "all of it is pushed" in coord.here("sweep", *grid).stderr
    shown = coord.here("sweep", "status").stdout
    assert "4 complete" in shown
    assert max(map(len, shown.splitlines())) <= 80
    (listed,) = json.loads(coord.here("sweep", "status", "--json").stdout)
    assert (listed["sweep"], listed["counts"]) == ("base--lr-s2", {"complete": 4})
    assert len(json.loads(coord.here("status", "--json").stdout)) == 4
    assert '"optim.lr"' in coord.here("show", "--exp", "base--lr0.2-s1", "--json").stdout


def test_several_experiments_are_pushed_one_after_the_other(coord: Coord) -> None:
    """A refused one does not stop the others; work of a complete run is not repeated without --force."""
    (coord.root / "experiments" / "bad.yaml").write_text("base: base\nconfig: {optim: {lr: -1}}\n")
    (coord.root / "experiments" / "same.yaml").write_text("base: base\nabout: the same work\n")
    done = coord.here("push", "--exp", "bad", "--exp", "base", "--exp", "crash", "--json", code=1)
    assert 'experiment "bad" has 1 problem' in done.stderr
    assert [run["experiment"] for run in json.loads(done.stdout)] == ["base", "crash"]
    (coord.root / "experiments" / "also.yaml").write_text("base: slow\nabout: the same work\n")
    coord.here("push", "--exp", "slow")
    going = coord.here("push", "--exp", "also")
    assert going.stdout == "slow local-v1\n"
    assert "slow local-v1 does the same and is " in going.stderr
    (coord.session_root("tiny-slow", 1) / "go").touch()
    until(lambda: "RUN" not in (out := coord.here("status").stdout) and "QUEUED" not in out, "the end of the runs")
    same = coord.here("push", "--exp", "same", "--exp", "base", "--wait")
    assert same.stdout == "base local-v1\n" * 2
    assert "base local-v1 has done the same and is complete: not pushed again (--force repeats it)" in same.stderr
    assert coord.here("push", "--exp", "same", "--force").stdout.endswith("same local-v1\n")


def test_without_quota_it_is_later(coord: Coord) -> None:
    """Exit code 75 for an experiment that needs a GPU, while the others are pushed; a sweep says how to continue."""
    (coord.root / "experiments" / "gpu.yaml").write_text("base: base\nkernel: {machine_shape: NvidiaTeslaT4}\n")
    with (coord.root / "pyproject.toml").open("a") as file:
        file.write("gpu_quota_hours = 0\n")
    done = coord.here("push", "--exp", "gpu", "--exp", "base", code=75)
    assert done.stdout == "base local-v1\n"
    done = coord.here("sweep", "--exp", "gpu", "--seeds", "2", code=75)
    assert "Continue with: coord sweep resume gpu--s2" in done.stderr
    done = coord.here("sweep", "resume", "gpu--s2", "--json", code=75)
    assert json.loads(done.stdout)["counts"] == {"waiting": 2}
    assert "pushing them any more: coord sweep resume gpu--s2" in coord.here("sweep", "status", "gpu--s2").stdout


def test_the_local_kaggle_refuses_beyond_its_limit(coord: Coord) -> None:
    """A sweep is pushed as its sessions end, each experiment once: after --no-wait, after Ctrl-C while it waits."""
    text = "base: slow\nkernel: {machine_shape: NvidiaTeslaT4}\n"
    (coord.root / "experiments" / "gpu.yaml").write_text(text)
    with (coord.root / "pyproject.toml").open("a") as file:
        file.write("gpu_sessions = 1\n")
    done = coord.here("sweep", "--exp", "gpu", "--seeds", "3", "--no-wait", code=75)
    assert "Maximum batch GPU session count of 1 reached; 2 of 3 are left" in done.stderr
    assert "Continue with: coord sweep resume gpu--s3" in done.stderr
    with coord.start("sweep", "resume", "gpu--s3") as waiting:
        assert waiting.stderr is not None
        assert any("trying again when a session has ended" in line for line in waiting.stderr)
        os.killpg(waiting.pid, signal.SIGINT)
        assert "the rest: coord sweep resume gpu--s3" in waiting.stderr.read()
        assert waiting.wait(60) == 130
    found = json.loads(coord.here("sweep", "status", "gpu--s3", "--json").stdout)
    assert found["counts"] == {"waiting": 2, "running": 1}
    assert found["experiments"][0]["about"].startswith("fold 1, epoch 3/3: val/dice 0.7")

    def all_ended() -> bool:
        for seed in range(3):
            if (root := coord.session_root(f"tiny-gpu-s{seed}", 1)).is_dir():
                (root / "go").touch()
        return waiting.poll() is not None

    with coord.start("sweep", "resume", "gpu--s3") as waiting:
        until(all_ended, "the last push")
        assert waiting.wait(60) == 0
    runs = json.loads(coord.here("status", "--json").stdout)
    pushed = sorted((run["experiment"], run["version"]) for run in runs if run["version"])
    assert pushed == [(f"gpu--s{seed}", 1) for seed in range(3)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which experiment? "),
        (("--exp", "bse", "--seeds", "2"), 'did you mean "base"?'),
        (("--exp", "base"), "vary something"),
        (("--exp", "base", "--seeds", "1000000000"), "that is 1000000000 experiments"),
        (("--exp", "base", "--seeds", "2", "--name", "a/b"), "a sweep's name has letters"),
        (("--exp", "base", "--seeds", "2", "--name", ""), "a sweep's name has letters"),
        (("status", "x"), 'there is no sweep "x"'),
        (("resume", "x"), 'there is no sweep "x"'),
    ],
)
def test_a_command_that_makes_no_sense(coord: Coord, arguments: tuple[str, ...], message: str) -> None:
    """Each is one clear message."""
    assert message in coord.here("sweep", *arguments, code=1 if "bse" in arguments else 2).stderr


def test_a_cap_that_the_target_does_not_have_is_refused_before_the_sweep_is_recorded(coord: Coord) -> None:
    """With --plan, too."""
    words = ("sweep", "--exp", "base", "--seeds", "2", "--at-once", "1")
    for more in ((), ("--plan",)):
        refused = coord.here(*words, *more, code=2)
        assert "which has no array of kernels with a cap" in refused.stderr
    assert coord.json("sweep", "status") == []
