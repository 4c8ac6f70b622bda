"""`coord push --with-needs`: what an experiment needs comes first, once, and nothing is done that was done before."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from coordinator.errors import BundleError, ExperimentError, NoAnswer, NoSlot, RunFailed, UsageError
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.results.summary import Summary
from coordinator.runs.chain_plan import chain_of_needs
from coordinator.runs.push_several import push_several
from coordinator.target.protocol import RunState
from tests.coordinator.command import Coord
from tests.coordinator.runs.chained import SLUGS, Chained


@pytest.fixture
def chained(tiny: Project, ledger: Ledger) -> Chained:
    return Chained(tiny, ledger)


def test_in_order(chained: Chained) -> None:
    """Needs first, at the same time where they don't depend on one another; then what reads them. One line a step."""
    (run,) = chained.push()
    assert chained.pushes == [*SLUGS]
    assert [str(each) for each in run.named_reads] == ["weights: ada/tiny-base v1", "folds: ada/tiny-folds v1"]
    assert [text for text in chained.said if "/3 " in text] == [
        "1/3 base: pushed base local-v1: it has no complete run yet",
        "2/3 folds: pushed folds local-v1: it has no complete run yet",
        "3/3 infer: waiting for base local-v1",
        "3/3 infer: waiting for folds local-v1",
        "3/3 infer: pushed infer local-v1: it has no complete run yet",
    ]
    assert [each.id for each in chained.push()] == [run.id]  # it runs: the same command takes it
    chained.ends()
    (again,) = chained.push()
    assert (again.id, again.state) == (run.id, RunState.COMPLETE)
    assert chained.said[-3:] == [f"{place}: {name} local-v1 is complete" for place, name in PLACES]
    assert len(chained.pushes) == 3


PLACES = [("1/3 base", "base"), ("2/3 folds", "folds"), ("3/3 infer", "infer")]


def test_a_need_of_two_is_pushed_once(chained: Chained) -> None:
    """Two experiments need base, and one of these needs the other."""
    chained.write("second", "base: infer\nneeds: {first: infer}\nconfig: {seed: 9}\n")
    runs = chained.push("second", "infer")
    assert [run.experiment for run in runs] == ["infer", "second"]
    assert chained.pushes == [*SLUGS, "tiny-second"]
    assert {str(each) for each in runs[1].named_reads} == {
        *("weights: ada/tiny-base v1", "folds: ada/tiny-folds v1", "first: ada/tiny-infer v1")
    }


def trained_with_other_values(chained: Chained) -> None:
    chained.done()
    (result,) = push_several(chained.here, ["base"], ["optim.lr=0.5"], force=False, wait_for_slot=False)
    assert result.error is None
    chained.ends()


def trained_again(chained: Chained) -> None:
    chained.done()
    chained.push("base", force=True)
    chained.ends()


def training(chained: Chained) -> None:
    chained.push("base")


def failed(chained: Chained) -> None:
    chained.push("base")
    chained.ends(RunState.ERROR)


def done_by_another_name(chained: Chained) -> None:
    chained.write("copy", "base: base\n")
    chained.push("copy")
    chained.ends()


def ended_early(chained: Chained) -> None:
    (run,) = chained.push("base")
    chained.ends()
    chained.ledger.update(run.id, state=RunState.COMPLETE, summary=Summary.parse({"status": "incomplete"}))


def changed(chained: Chained) -> None:
    chained.done()
    change_sources(chained)


def change_sources(chained: Chained) -> None:
    file = chained.project.root / "tiny_model" / "engine.py"
    file.write_text(file.read_text() + "# changed\n")


STOPPED = ("stop", "stopped", "its need base stops the chain")
IS_DONE = ("nothing", "complete", "base local-v1 is complete")
NEW, GOES = ("push", "new", "it has no complete run yet"), ("push", "new", "its need base will have a new version")


@pytest.mark.parametrize(
    ("before", "base", "infer"),
    [
        (lambda chained: None, NEW, GOES),
        (training, ("wait", "running", "base local-v1 is running"), GOES),
        (Chained.done, IS_DONE, ("nothing", "complete", "infer local-v1 is complete")),
        (
            trained_with_other_values,
            ("push", "changed", "base local-v2 had other config (optim.lr)"),
            ("push", "outdated", "its need base will have a new version"),
        ),
        (
            trained_again,
            ("nothing", "complete", "base local-v2 is complete"),
            ("push", "outdated", "infer local-v1 read v1 of ada/tiny-base, which has v2 now"),
        ),
        (
            changed,
            ("push", "changed", "base local-v1 had other files (tiny_model/engine.py)"),
            ("push", "outdated", "its need base will have a new version"),
        ),
        (failed, ("stop", "failed", "base local-v1 has failed"), STOPPED),
        (ended_early, ("stop", "incomplete", "base local-v1 reports that it ended before it was finished"), STOPPED),
        (done_by_another_name, NEW, GOES),  # what is mounted is base's own output
    ],
)  # fmt: skip
def test_the_plan(
    chained: Chained, before: Callable[[Chained], object], base: Sequence[str], infer: Sequence[str]
) -> None:
    """What each would do, and why; nothing is pushed, built or recorded."""
    before(chained)
    runs, pushes = [run.id for run in chained.ledger.runs()], chained.pushes
    builds = {path: path.stat().st_mtime_ns for path in chained.project.root.glob("build/*")}
    plan = chained.plan()
    assert (plan["base"].action, plan["base"].reason, plan["base"].why) == tuple(base)
    assert (plan["infer"].action, plan["infer"].reason, plan["infer"].why) == tuple(infer)
    assert plan["infer"].to_json()["needs"][0] == {"name": "weights", "experiment": "base", "version": None}
    assert ([run.id for run in chained.ledger.runs()], chained.pushes) == (runs, pushes)
    assert {path: path.stat().st_mtime_ns for path in chained.project.root.glob("build/*")} == builds


def test_the_plan_of_a_forced_one(chained: Chained) -> None:
    """--force is for what was named, not for what that needs."""
    chained.done()
    plan = chained.plan(force=True)
    assert [(step.action, step.reason) for step in plan.values()] == [
        ("nothing", "complete"),
        ("nothing", "complete"),
        ("push", "forced"),
    ]
    chained.push(force=True)
    assert chained.versions == {**dict.fromkeys(SLUGS, 1), "tiny-infer": 2}


def test_only_what_is_outdated_is_pushed_again(chained: Chained) -> None:
    """After a new version of one need: the reader alone, and it reads the new one."""
    trained_again(chained)
    (run,) = chained.push()
    assert chained.versions == {"tiny-base": 2, "tiny-folds": 1, "tiny-infer": 2}
    assert [str(each.source) for each in run.named_reads] == ["ada/tiny-base v2", "ada/tiny-folds v1"]


def test_a_need_that_fails_stops_the_chain(chained: Chained) -> None:
    """With its message, and what to do; also if it had failed before. Once it was pushed again, the chain goes on."""
    chained.waits = lambda: chained.ends(RunState.ERROR)
    for _ in range(2):
        with pytest.raises(RunFailed, match="base local-v1 has failed") as caught:
            chained.push()
        assert "coord push --exp base\n" in str(caught.value.hint)
        assert "coord push --exp infer --with-needs --target local" in str(caught.value.hint)
        assert chained.versions == {"tiny-base": 1, "tiny-folds": 1}
    chained.waits = lambda: None
    chained.ends()
    (result,) = push_several(chained.here, ["base"], [], force=False, wait_for_slot=False)
    assert result.run is not None
    (run,) = chained.push()
    assert [str(each.source) for each in run.named_reads] == ["ada/tiny-base v2", "ada/tiny-folds v1"]


def test_what_runs_and_does_other_work_is_waited_for(chained: Chained) -> None:
    """Its kernel can't run twice, and its version would be mounted: what the file says comes after it."""
    (_,) = push_several(chained.here, ["base"], ["optim.lr=0.5"], force=False, wait_for_slot=False)
    (run,) = chained.push()
    assert "1/3 base: base local-v1 is running and does other work: pushed after it" in chained.said
    assert str(run.named_reads[0].source) == "ada/tiny-base v2"


def test_sources_that_change_meanwhile_stop_it(chained: Chained) -> None:
    """Nothing is mixed: what waits is not pushed with other sources. The same command then goes by these."""
    chained.waits = lambda: change_sources(chained)
    with pytest.raises(ExperimentError, match="infer is not what it was when the chain began") as caught:
        chained.push()
    assert "coord push --exp infer --with-needs" in str(caught.value.hint)
    assert chained.versions == {"tiny-base": 1, "tiny-folds": 1}
    chained.waits = lambda: None
    chained.ends()
    chained.push()
    assert chained.versions == {"tiny-base": 2, "tiny-folds": 2, "tiny-infer": 1}


def test_the_session_limit(chained: Chained) -> None:
    """A need that runs gives its session free: that is waited for. Others' sessions only with the option."""
    chained.target.slots = 1
    chained.push()
    assert chained.versions == dict.fromkeys(SLUGS, 1)
    chained.ends()
    trained_again(chained)
    chained.target.running.append("somebody")
    with pytest.raises(NoSlot) as caught:
        chained.push()
    assert "Then go on with: coord push --exp infer --with-needs" in str(caught.value.hint)
    chained.push(wait_for_slot=True)
    assert chained.versions["tiny-infer"] == 2


def test_what_is_wrong_with_the_last_one_is_told_first(chained: Chained) -> None:
    """Before hours of training."""
    chained.write("infer", "base: base\nneeds: {weights: base}\nargs: ['${needs.weight}']\n")
    with pytest.raises(BundleError, match="no need has that name"):
        chained.push()
    assert chained.pushes == []


def test_overrides_are_for_what_was_named(chained: Chained) -> None:
    """And they can't be for what is needed, too."""
    (run,) = chained.push(sets=["seed=5"])
    assert run.config["seed"] == 5
    assert {each.config["seed"] for each in chained.ledger.runs()} == {5, 7, chained.run("base").config["seed"]}
    with pytest.raises(UsageError, match="--set is for the experiments that --exp names, and base is needed"):
        chained.push("base", "infer", sets=["seed=5"])


@pytest.mark.parametrize(
    ("needed", "problem"), [("base@v1", None), ("base@v2", "v2 is needed, and the newest complete")]
)
def test_a_version_that_is_named(chained: Chained, needed: str, problem: str | None) -> None:
    """It is read as it is, also when the sources have changed; another one can't be asked for."""
    chained.push("base")
    chained.ends()
    chained.write("infer", f"base: base\nconfig: {{seed: 8}}\nneeds: {{weights: {needed}}}\n")
    change_sources(chained)
    if problem is None:
        (run,) = chained.push()
        assert str(run.named_reads[0]) == "weights: ada/tiny-base v1"
    else:
        with pytest.raises(RunFailed, match=problem):
            chained.push()
    assert chained.versions["tiny-base"] == 1


def test_two_versions_of_one_need(chained: Chained) -> None:
    """Kaggle mounts one version of a kernel."""
    chained.write("first", "base: base\nneeds: {weights: base@v1}\n")
    chained.write("both", "base: base\nneeds: {a: first, b: base@v2}\n")
    with pytest.raises(ExperimentError, match="base is needed in v1 and in v2"):
        chain_of_needs(chained.project, ["both"])


def test_a_run_that_was_continued_has_done_its_work(chained: Chained) -> None:
    """The complete run at the end of a chain of continued ones is what is mounted."""
    ended_early(chained)
    first = chained.run("base")
    with pytest.raises(RunFailed, match="ended before it was finished") as caught:
        chained.push()
    assert "coord continue --exp base" in str(caught.value.hint)
    (result,) = push_several(chained.here, ["base"], ["seed=99"], force=False, wait_for_slot=False)
    assert result.run is not None
    chained.ends()
    chained.ledger.update(result.run.id, state=RunState.COMPLETE, continues=first.id)
    (run,) = chained.push()
    assert str(run.named_reads[0].source) == "ada/tiny-base v2"


def test_a_target_that_is_silent_for_a_while(chained: Chained) -> None:
    """It is asked again; after ten minutes of waiting the error is shown, and nothing else was pushed."""
    chained.waits = lambda: chained.target.failures.update(state=[NoAnswer("no connection")] * 3)
    with pytest.raises(NoAnswer):
        chained.push()
    assert chained.passed > 600
    chained.waits, chained.target.failures = lambda: None, {}
    (run,) = chained.push()
    assert run.experiment == "infer"
    chained.check_nothing_doubled()


def test_a_session_that_does_not_end(chained: Chained) -> None:
    """It is not waited for longer than the target's own limit."""
    (run,) = chained.push("base")
    chained.ledger.update(run.id, state=RunState.RUNNING, started_at="2026-01-01T00:00:00+00:00")
    chained.target.slots = 3
    with pytest.raises(RunFailed, match=r"running, but a session ends after 12:00:00") as caught:
        chained.push()
    assert "coord cancel --exp base --version 1" in str(caught.value.hint)


INFER = """
import os
from pathlib import Path

Path("submission.csv").write_text("id,label\\nn0,1\\nn1,1\\n")
print("read", (Path(os.environ["COORD_NEED_WEIGHTS"]) / "metrics.json").stat().st_size > 0)
"""


def test_train_infer_and_submit_here(coord: Coord) -> None:
    """Two programs on the local Kaggle: the plan, the chain, the mount, the submission and whose CV it is beside."""
    files = {
        "tiny_model/infer.py": INFER,
        "metric.py": "def score(submission, solution, ids):\n    return 0.5\n",
        "experiments/infer.yaml": (
            "base: base\nentry: tiny_model.infer\nneeds: {weights: base}\nkernel: {competition_sources: [parity]}\n"
        ),
        "pyproject.toml": (coord.root / "pyproject.toml")
        .read_text()
        .replace("[tool.coord]\n", '[tool.coord]\nscorer = "metric:score"\n'),
        "data/sample_submission.csv": "id,label\nn0,0\nn1,0\n",
        "solution.csv": "id,label,Usage\nn0,1,Public\nn1,1,Private\n",
    }
    (coord.root / "data").mkdir()
    for name, text in files.items():
        (coord.root / name).write_text(text)
    coord.here("local", "add-competition", "parity", "data", "--solution", "solution.csv")

    push = ("push", "--exp", "infer", "--with-needs")
    plan = coord.here(*push, "--plan").output
    assert "its need base will have a new version" in " ".join(plan.split())
    assert [step["action"] for step in json.loads(coord.here(*push, "--plan", "--json").stdout)] == ["push", "push"]
    done = coord.here(*push, "--wait")
    assert "read True" in done.stderr
    assert done.stdout.splitlines() == ["infer local-v1"]
    (again,) = json.loads(coord.here(*push, "--json").stdout)
    assert (again["version"], again["reads"]) == (1, [{"name": "weights", "reference": "ada/tiny-base", "version": 1}])
    assert (
        "--plan is for an experiment and what it needs" in coord.here("push", "--exp", "base", "--plan", code=2).output
    )

    done = coord.here("submit", "--exp", "infer", "--wait", "--json")
    sent = json.loads(done.stdout)
    assert sent["description"].startswith("infer local-v1, cv/dice 0.7550 of base local-v1 (coord ")
    assert (sent["cv_run"], sent["cv"], sent["public"]) == ("base local-v1", 0.755, 0.5)
