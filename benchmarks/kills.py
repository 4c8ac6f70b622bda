"""`kill -9` at random points of push and fetch-results: is anything lost, duplicated or incomplete?

    python -m benchmarks.kills [--kills 200] [--seed 1] [--target local]

Four processes at a time start `coord push` and `coord fetch-results` in one project, against one local Kaggle, and kill
each command after a random part of its usual time. After a killed push, the next push must not create a second session;
every version must belong to one run, and every run must have its version or be recorded as refused. After a killed
fetch, every file under its final name must be complete, and the next fetch must get all files. The first violation ends
the program. With `--target local`, each command has its own server, which ends with it.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import print_table
from benchmarks.processes import Place, fork, place
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import find_project
from coordinator.results.folder import RUN
from coordinator.target.protocol import RunState

WORKERS = 4
EXPERIMENTS = 5
"""Of each worker. The results of the first one are fetched; the others are pushed in turns, while sessions end."""
POINTS = {
    "push": (
        "before the intent was recorded",
        "intent recorded, nothing arrived",
        "arrived, answer not recorded",
        "answer recorded",
    ),
    "fetch-results": ("nothing here yet", "some files here", "all files here, not recorded", "recorded"),
}


def _new_push(experiment: str, random: random.Random) -> tuple[str, ...]:
    """A push of work that no run has done yet; other work would not be pushed again."""
    return ("push", "--exp", experiment, "--set", f"seed={random.getrandbits(30)}")


class Worker:
    """Starts and kills commands for its own experiments."""

    def __init__(self, place: Place, name: str, experiments: list[str], seed: int) -> None:
        self.place = place
        self.name = name
        self.experiments = experiments
        self.random = random.Random(seed)
        self.usual = {"push": 0.5, "fetch-results": 0.3}
        """Seconds that a command takes if it is not killed: first estimates."""
        self.hits: Counter[tuple[str, str]] = Counter()
        self.complete: Mapping[str, bytes] = {}
        """The checked files of the run of the first experiment."""

    def kill(self, number: int) -> None:
        """Kills this number of commands: fetches of the first experiment's run, and pushes of the others."""
        fetched, *pushed = self.experiments
        self.push(fetched)
        self.fetch(fetched)
        while (killed := sum(self.hits.values())) < number:
            if killed % 2:
                self._kill_fetch(fetched)
            else:
                self._kill_push(self._idle(pushed))

    def push(self, experiment: str) -> None:
        """Pushes without a kill, and waits for the session."""
        self._expect(_new_push(experiment, self.random), {0})
        self._wait(experiment)

    def fetch(self, experiment: str) -> None:
        """Fetches a run that has ended without a kill, and checks that all files are complete."""
        self._expect(("fetch-results", "--exp", experiment), {0})
        run = self.place.runs(experiment)[0]
        files = self._files(run)
        version = self.place.versions(experiment)[-1]
        for output in self.place.store.outputs(version):
            content = (self.place.store.paths(version).working / output.name).read_bytes()
            assert files.get(output.name) == content, f"{run.label}: {output.name} is not that of the session"
        assert {"run.json", "kernel.py", "kernel.log", "metrics.json"} <= set(files), sorted(files)
        assert run.fetched_at, f"{run.label} is not recorded as fetched"
        assert run.reported.to_json() == json.loads(files["metrics.json"]), f"{run.label}: the ledger has other metrics"
        self.complete = files

    def _kill_push(self, experiment: str) -> None:
        before = {run.id for run in self.place.runs(experiment)}
        push = _new_push(experiment, self.random)
        if not self._killed(push):
            self.check_records(experiment)
            return
        new = [run for run in self.place.runs(experiment) if run.id not in before]
        arrived = [self.place.pushed_by(version) for version in self.place.versions(experiment)]
        point = 0 if not new else 3 if new[0].version else 2 if new[0].id in arrived else 1
        self._hit("push", point)
        if self.random.random() < 0.3:  # either command may be the first to detect the killed push
            self._expect(("status", "--json"), {0})
        self._expect(push, {0, 1})
        self.check_records(experiment)

    def check_records(self, experiment: str) -> None:
        """Checks that every version belongs to one run, no push is open, and none was sent beside an active run."""
        runs = self.place.runs(experiment)
        versions = {version.number: self.place.pushed_by(version) for version in self.place.versions(experiment)}
        recorded = {run.version: run.id for run in runs if run.version is not None}
        assert recorded == versions, f"{experiment}: versions {versions}, but the ledger has {recorded}"
        assert len(set(versions.values())) == len(versions), f"{experiment}: a run was pushed twice: {versions}"
        for run in runs:
            assert (run.version is None) == (run.state is RunState.REFUSED), f"{run.label} is {run.state}"
        # Newest first: nobody asked for a push beside a session that goes on.
        for run in [run for run in runs if run.version is not None][1:]:
            assert not run.state.is_active, f"{run.label} is {run.state}, but another run was pushed beside it"

    def _kill_fetch(self, experiment: str) -> None:
        (run,) = self.place.runs(experiment)
        expected = self.complete
        shutil.rmtree(self._directory(run))
        with Ledger(find_project(self.place.root).ledger) as ledger:
            ledger.update(run.id, fetched_at=None, summary=None)
        arguments = ("fetch-results", "--exp", experiment, "--version", str(run.version))
        if self._killed(arguments):
            found = self._files(run)
            whole = {name: content for name, content in found.items() if not name.startswith(".")}
            for name, content in whole.items():
                same = _before_its_end(content) == _before_its_end(expected[name]) if name == RUN else False
                assert same or content == expected.get(name), f"{run.label}: {name} is not complete"
            run = self._run(run.id)
            point = 3 if run.fetched_at else 2 if whole == expected else 1 if whole else 0
            assert point != 3 or found == expected, f"{run.label} is recorded as fetched, but is not complete"
            self._hit("fetch-results", point)
            self._expect(arguments, {0})
        run = self._run(run.id)
        found = self._files(run)
        assert found == expected, f"{run.label}: the files are {sorted(found)}, not {sorted(expected)}"
        assert run.state is RunState.COMPLETE, f"{run.label} is {run.state}"
        assert run.fetched_at, f"{run.label} is not recorded as fetched"
        assert run.reported.to_json() == json.loads(expected["metrics.json"]), (
            f"{run.label}: the ledger has other metrics"
        )

    def _idle(self, experiments: list[str]) -> str:
        """Waits for an experiment without a waiting or running session, which can be pushed."""
        while True:
            for experiment in self.random.sample(experiments, len(experiments)):
                if self.place.is_idle(experiment):
                    return experiment
            time.sleep(0.02)

    def _killed(self, arguments: tuple[str, ...]) -> bool:
        """Starts the command and kills it after a random part of its usual time; False if it ended before."""
        process = self.place.start(*arguments)
        # Every moment is possible, later ones more often: the critical steps come after the build and the listing.
        time.sleep(self.usual[arguments[0]] * self.random.random() ** 0.5)
        os.kill(process, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        ended = self.place.output(process, code)
        assert code in (0, -signal.SIGKILL), f"coord {' '.join(arguments)}: exit code {code}\n{ended.err}"
        if code == 0:
            self.usual[arguments[0]] *= 0.8  # the kill came too late
        return code == -signal.SIGKILL

    def _expect(self, arguments: tuple[str, ...], codes: set[int]) -> int:
        begun = time.perf_counter()
        ended = self.place.run(*arguments)
        if ended.code == 0 and (usual := self.usual.get(arguments[0])) is not None:
            # Adapts to the load of the machine. A push that waited for another one to arrive does not count fully.
            self.usual[arguments[0]] = 0.5 * (usual + min(time.perf_counter() - begun, 1.5 * usual))
        assert ended.code in codes, f"coord {' '.join(arguments)}: exit code {ended.code}\n{ended.err}"
        if ended.code == 1:
            assert "second session with --force" in ended.err, ended.err
        return ended.code

    def _wait(self, experiment: str) -> None:
        give_up = time.monotonic() + 60
        while not self.place.is_idle(experiment):
            assert time.monotonic() < give_up, f"the session of {experiment} does not end"
            time.sleep(0.02)

    def _run(self, run_id: str) -> Run:
        with Ledger(find_project(self.place.root).ledger) as ledger:
            return ledger.get(run_id)

    def _directory(self, run: Run) -> Path:
        return find_project(self.place.root).results(run.experiment, run.target, run.ref.version)

    def _files(self, run: Run) -> dict[str, bytes]:
        directory = self._directory(run)
        found = (path for path in directory.rglob("*") if path.is_file())
        return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}

    def _hit(self, verb: str, point: int) -> None:
        self.hits[verb, POINTS[verb][point]] += 1


def _before_its_end(run_json: bytes) -> dict[str, Any]:
    """The content of a run.json without the list of fetched files, which a fetch writes last."""
    return {name: value for name, value in json.loads(run_json).items() if name != "output"}


def main() -> None:
    """Kill commands, check, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=("kaggle", "local"), default="kaggle")
    options = parser.parse_args()
    begun = time.perf_counter()
    names = [[f"w{worker}-{number}" for number in range(EXPERIMENTS)] for worker in range(WORKERS)]
    with place([name for each in names for name in each], options.target) as there:
        hits = there.root.parent / "hits"
        hits.mkdir()

        def work(worker: int) -> None:
            killer = Worker(there, f"worker {worker}", names[worker], 1000 * options.seed + worker)
            killer.kill(-(-options.kills // WORKERS))
            (hits / str(worker)).write_text(json.dumps(list(killer.hits.items())), encoding="utf-8")

        processes = [fork(functools.partial(work, worker)) for worker in range(WORKERS)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
        if any(codes):
            raise SystemExit(f"seed {options.seed}: a check failed, see above")
        total: Counter[tuple[str, str]] = Counter()
        for file in hits.iterdir():
            total.update({(verb, point): count for (verb, point), count in json.loads(file.read_text("utf-8"))})
        for experiment in (name for each in names for name in each):
            Worker(there, "", [], 0).check_records(experiment)
        runs = there.runs()
        sessions = sum(len(there.versions(name)) for each in names for name in each)
    rows = [[verb, point, f"{total[verb, point]}"] for verb, points in POINTS.items() for point in points]
    print(
        f"\n{sum(total.values())} kills (seed {options.seed}) in {time.perf_counter() - begun:.0f} s: "
        f"{len(runs)} runs in the ledger, {sum(run.version is not None for run in runs)} of them with a version, "
        f"{sessions} sessions.\n"
    )
    print_table(["killed", "state at the kill", "times"], rows)


if __name__ == "__main__":
    main()
