"""Every method of Kaggle that coord uses, with every fault: the error, the repetitions, and what stays in the ledger.

`fault_table` has the expectations. A fault is planned in the local Kaggle; one that never happens fails its test.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from requests.adapters import HTTPAdapter

from coordinator.clock import Clock
from coordinator.errors import CoordError, CredentialsError, Expired, NoAnswer, NotSent
from coordinator.kernel.build import Build, build_kernel
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from coordinator.runs.fetch.fetch import fetch_run
from coordinator.runs.push import push_kernel
from coordinator.runs.refresh import refresh_run
from coordinator.target.credentials import Credentials
from coordinator.target.kaggle import Kaggle
from coordinator.target.kaggle.competitions import KaggleCompetitions
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from runner_test.faults import Fault, Faults, Kind, method_of
from runner_test.server import running_server
from runner_test.state import Reference, Rules, competitions, datasets, sources, submissions
from runner_test.store import Store
from tests.coordinator.command import until
from tests.coordinator.target.kaggle.fault_table import (
    EXIT_CODES,
    FETCHES,
    MEANING,
    PERSISTENT,
    PUSHES,
    READS,
    REPEATED,
    WRITES,
    WRITES_FAIL,
    Push,
    fault,
    markdown,
)
from tests.paths import ROOT, SAMPLES

TINY = SAMPLES / "tiny"

PAGES_AT_MOST = "coordinator.target.kaggle.session._PAGES_AT_MOST"


@dataclass
class Patience:
    """The time-out of answers: long, except for one method if a test sets it."""

    method: str = ""
    seconds: float = 0.0

    def read_seconds(self, url: str) -> float:
        """The time-out of the answer to a request."""
        return self.seconds if self.seconds and method_of(url) == self.method else 30.0


class PlannedFaults(Faults):
    """They say whether the server may be away while it restarts."""

    takes_server_down = False

    def plan(self, plan: Iterable[Fault]) -> None:
        planned = list(plan)
        super().plan(planned)
        self.takes_server_down = any(each.fault is Kind.DOWN for each in planned)


@dataclass
class World:
    """A project, its ledger, one complete run, and a Kaggle whose calls can be made to fail."""

    project: Project
    built: Build
    ledger: Ledger
    store: Store
    faults: PlannedFaults
    url: str
    patience: Patience
    right: dict[str, Any] = dataclasses.field(default_factory=dict)
    """The result of each read without a fault."""
    waits: list[float] = dataclasses.field(default_factory=list)
    """The waits of the client between its tries, in seconds."""

    @property
    def folder(self) -> Path:
        """Where the competitions' files are."""
        return self.store.root.parent

    def kaggle(self, owner: str = "ada", *, token: str | None = None) -> Kaggle:
        """A client, as `open_target` makes it."""
        credentials = Credentials(source="the test", username=owner, key=self.store.token(), token=token)
        clock = Clock(sleep=self.wait)
        return Kaggle(name="kaggle", endpoint=self.url, credentials=credentials, owner=owner, clock=clock)

    def wait(self, seconds: float) -> None:
        """Records a wait. Only a server that is down needs some of it: to restart, if it does so at once."""
        self.waits.append(seconds)
        if self.faults.takes_server_down:
            time.sleep(min(seconds, 0.02))

    def give_up_on(self, method: str, seconds: float) -> None:
        """Sets the time-out for the answers of one method; 0 is that of all others."""
        self.patience.method, self.patience.seconds = method, seconds

    def recover(self) -> None:
        """Ends all faults, and waits until the server accepts connections."""
        self.faults.plan([])
        self.patience.seconds = 0.0
        address = urlsplit(self.url)
        with socket.socket() as probe:
            until(
                lambda: probe.connect_ex((address.hostname, address.port)) in (0, errno.EISCONN), "the server is back"
            )

    def push(self, kaggle: Kaggle) -> Run:
        """Pushes, with a clock that shortens the minute in which a push may still arrive."""
        passed = [0.0]

        def sleep(seconds: float) -> None:
            passed[0] += seconds
            time.sleep(min(seconds, 0.05))

        clock = Clock(lambda: time.time() + passed[0], sleep=sleep)
        return push_kernel(
            Workspace(self.project, self.ledger, kaggle, clock=clock, say=lambda _: None), self.built, force=False
        )

    def fetch(self, kaggle: Kaggle, run: Run) -> Path:
        fetched = fetch_run(
            Workspace(self.project, self.ledger, kaggle, clock=Clock(sleep=self.wait)),
            run,
            force=True,
        )
        return fetched.directory

    def settled(self, kaggle: Kaggle, run: Run) -> Run:
        return refresh_run(Workspace(self.project, self.ledger, kaggle), run, look_at_log=False)

    def versions(self, owner: str) -> list[int]:
        """The sessions that were started for an owner's kernel."""
        return self.store.numbers(Reference(owner, "tiny-base"))

    @property
    def run(self) -> Run:
        return next(run for run in self.ledger.runs() if run.owner == "ada")


@pytest.fixture(scope="module")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("faults")
    shutil.copytree(TINY, folder / "tiny")
    project = find_project(folder / "tiny")
    built = build_kernel(project, resolve(project, "base"))
    store, faults = Store(folder / "kaggle"), PlannedFaults()
    _hold_competitions(store.root, folder)
    with running_server(store.root, faults=faults, token_user="ada") as server, Ledger(project.ledger) as ledger:
        world = World(project, built, ledger, store, faults, server.url, Patience())
        kaggle = world.kaggle()
        world.push(kaggle)
        until(lambda: world.settled(kaggle, world.run).state is RunState.COMPLETE, "the end of the session")
        kaggle.close()
        yield world
    for kernel in store.kernels():
        store.delete(kernel.reference)


def _hold_competitions(root: Path, folder: Path) -> None:
    """`parity` accepts submissions and has one; the sample of `other` has another name. Nothing is scored.

    There is a data set, too.
    """
    for slug, sample in (("parity", "sample_submission.csv"), ("other", "sampleSubmission.csv")):
        (folder / slug).mkdir()
        (folder / slug / sample).write_text("id,label\na,0\nb,1\n")
        sources.add_competition(root, slug, folder / slug)
    datasets.register(root, Reference("ada", "some-data"), folder / "parity")
    solution = folder / "solution.csv"
    solution.write_text("id,label\na,1\nb,1\n")
    rules = Rules("metric:score", str(folder), "true", public_share=0.5)
    competitions.register(root, "parity", folder / "parity", solution, rules)
    new = submissions.NewSubmission("parity", "ada", "", solution.name, kernel="")
    submissions.submit(root, rules, solution, new)


@pytest.fixture
def world(_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Without waits between tries, with short lists, and with the time-outs that a test sets."""
    send = HTTPAdapter.send

    def impatient(self: HTTPAdapter, request: Any, **kwargs: Any) -> Any:
        return send(self, request, **kwargs | {"timeout": (5.0, _world.patience.read_seconds(request.url))})

    monkeypatch.setattr(HTTPAdapter, "send", impatient)
    monkeypatch.setattr(PAGES_AT_MOST, 20)
    _world.faults.forget()
    _world.recover()
    yield _world
    _world.faults.check()


# Reading

Read = Callable[[World, Kaggle], Any]


def _download(world: World, kaggle: Kaggle) -> bytes:
    file = next(file for file in kaggle.outputs(world.run.ref) if file.name == "metrics.json")
    with contextlib.closing(kaggle.open_output(file)) as download:
        return b"".join(download.chunks)


def _user(world: World) -> str | None:
    with contextlib.closing(world.kaggle(token=world.store.token())) as bearer:
        return bearer.user()


def _sample(kaggle: Kaggle, folder: Path, competition: str) -> bytes:
    file = kaggle.competitions.sample(competition, folder)
    assert file is not None
    return file.read_bytes()


def meaning(method: str, name: str) -> type[CoordError]:
    """The error for a fault; a refusal of a signed address, or of a token, means that it has expired."""
    if method == "IntrospectToken" and name in ("403", "404"):
        return CredentialsError
    refused = {"400", "401", "403", "404", "413"}
    return Expired if method in ("Download", "Upload") and name in refused else MEANING[name]


ASK: dict[str, Read] = {
    "source": lambda world, kaggle: kaggle.source("ada", "tiny-base", 1),
    "state": lambda world, kaggle: kaggle.state(world.run.ref),
    "log": lambda world, kaggle: kaggle.log(world.run.ref),
    "outputs": lambda world, kaggle: [file.name for file in kaggle.outputs(world.run.ref)],
    "follow": lambda world, kaggle: list(kaggle.follow(world.run.ref, idle_seconds=5.0)),
    "download": _download,
    "quota": lambda world, kaggle: kaggle.quota(),
    "kernels": lambda world, kaggle: list(kaggle.kernels()),
    "user": lambda world, kaggle: _user(world),
    "has_source": lambda world, kaggle: kaggle.has_source("competition_sources", "parity"),
    "competition": lambda world, kaggle: kaggle.competitions.competition("parity"),
    "allowance": lambda world, kaggle: kaggle.competitions.allowance("parity"),
    "sample": lambda world, kaggle: _sample(kaggle, world.folder, "parity"),
    "files": lambda world, kaggle: _sample(kaggle, world.folder, "other"),
    "standing": lambda world, kaggle: kaggle.competitions.standing(1),
    "submissions": lambda world, kaggle: list(kaggle.competitions.submissions("parity")),
    "upload": lambda world, kaggle: bool(kaggle.competitions.upload("parity", world.folder / "solution.csv")),
    "sending": lambda world, kaggle: bool(kaggle.competitions.upload("parity", world.folder / "solution.csv")),
    "data_state": lambda world, kaggle: kaggle.datasets.state("ada/some-data"),
    "data_place": lambda world, kaggle: bool(kaggle.datasets.place("solution.csv", 1, 0.0)),
}


CHANGE: dict[str, Read] = {
    "cancel": lambda world, kaggle: kaggle.cancel(world.run.ref),
    "delete": lambda world, kaggle: kaggle.delete("ada", "no-such-kernel"),
    "submit_version": lambda world, kaggle: kaggle.competitions.submit_version("parity", world.run.ref, "no.csv", ""),
    "submit_upload": lambda world, kaggle: kaggle.competitions.submit_upload("parity", "no-such-token", ""),
}


@pytest.mark.parametrize(("read", "name"), PERSISTENT)
def test_a_read_that_keeps_failing(world: World, read: str, name: str) -> None:
    """It ends with its error, in one line, after a limited number of tries."""
    method, ask = READS[read], ASK[read]
    world.faults.plan([fault(method, name, times=None)])
    world.give_up_on(method, 0.05 if name == "timeout" else 0.0)
    kaggle = world.kaggle()
    before = world.run
    with pytest.raises(CoordError) as error:
        ask(world, kaggle)
    kaggle.close()
    assert type(error.value) is meaning(method, name), error.value
    assert error.value.exit_code == EXIT_CODES.get(MEANING[name], 1)
    assert "\n" not in error.value.what
    assert world.faults.calls[method] <= 30
    assert world.run == before


@pytest.mark.parametrize(("read", "name"), REPEATED)
def test_a_read_that_fails_once(world: World, read: str, name: str) -> None:
    """A temporary fault leads to a repetition, and the result is the right one."""
    method, ask = READS[read], ASK[read]
    kaggle = world.kaggle()
    if read not in world.right:
        world.right[read] = ask(world, kaggle)
    right = world.right[read]
    world.faults.plan([fault(method, name)])
    world.give_up_on(method, 0.15 if name == "timeout" else 0.0)
    assert ask(world, kaggle) == right
    kaggle.close()
    assert world.faults.calls[method] >= 2


@pytest.mark.parametrize(("write", "name"), WRITES_FAIL)
def test_what_changes_something_fails(world: World, write: str, name: str) -> None:
    """It is sent once, except after a 409, and ends with its error; nothing is recorded."""
    method = WRITES[write]
    world.faults.plan([fault(method, name, times=None)])
    world.give_up_on(method, 0.05 if name == "timeout" else 0.0)
    kaggle = world.kaggle()
    before = world.run
    with pytest.raises(CoordError) as error:
        CHANGE[write](world, kaggle)
    kaggle.close()
    assert type(error.value) is (NoAnswer if name == "html" else MEANING[name]), error.value
    assert (world.faults.calls[method] == 1) is (name != "409")
    assert world.run == before


@pytest.mark.parametrize("read", READS)
def test_a_slow_answer_is_an_answer(world: World, read: str) -> None:
    """It arrives in small parts over a long time, and is complete."""
    method, ask = READS[read], ASK[read]
    kaggle = world.kaggle()
    if read not in world.right:
        world.right[read] = ask(world, kaggle)
    right = world.right[read]
    world.faults.plan([Fault(method, Kind.SLOW, seconds=0.1)])
    assert ask(world, kaggle) == right
    kaggle.close()


@pytest.mark.parametrize("status", ["403", "404"])
def test_a_kernel_that_is_not_there(world: World, status: str) -> None:
    """A refusal means that there is none if the credentials are valid for another call."""
    world.faults.plan([fault("GetKernel", status)])
    kaggle = world.kaggle()
    assert kaggle.source("ada", "tiny-base") is None
    world.faults.plan([fault("GetKernel", status), fault("ListKernels", status)])
    with pytest.raises(CredentialsError, match="your token has expired"):
        kaggle.source("ada", "tiny-base")
    kaggle.close()


def test_retry_after(world: World) -> None:
    """The wait has the length that the server asks for."""
    world.waits.clear()
    world.faults.plan([fault("GetKernelSessionStatus", "429", retry_after=7)])
    kaggle = world.kaggle()
    kaggle.state(world.run.ref)
    kaggle.close()
    (wait,) = world.waits
    assert 7 <= wait < 8


# Pushing


@pytest.fixture
def fresh(world: World, tmp_path: Path) -> Iterator[World]:
    """The same with an empty ledger; kernels other than the first are deleted in the end."""
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        yield dataclasses.replace(world, ledger=ledger)
    for kernel in world.store.kernels():
        if kernel.owner != "ada":
            world.store.delete(kernel.reference)


@pytest.mark.parametrize("case", PUSHES, ids=str)
def test_a_push_that_fails(fresh: World, case: Push) -> None:
    """Whatever the answer is, at most one session is started, and the ledger finds out whether it was."""
    world = fresh
    owner = f"ada-{case}"
    kind = fault("*", case.name).fault
    either = {"when": case.when} if kind in (Kind.DOWN, Kind.RESET, Kind.TIMEOUT, Kind.STATUS, Kind.HTML) else {}
    planned = fault("SaveKernel", case.name, times=None, **either)
    world.faults.plan([planned])
    # Long enough for a version to be saved, which is what the answer is about.
    world.give_up_on("SaveKernel", {"timeout-before": 0.1, "timeout-after": 1.0}.get(str(case), 0.0))
    kaggle = world.kaggle(owner)
    if case.error is None:
        assert world.push(kaggle).version == 1
    else:
        with pytest.raises(CoordError) as error:
            world.push(kaggle)
        assert type(error.value) is case.error, error.value
        assert error.value.exit_code == EXIT_CODES.get(case.error, 1)
    assert world.versions(owner) == [1] * case.arrived
    if case.arrived:  # what may have taken effect is not sent again
        assert world.faults.calls["SaveKernel"] == 1
    world.faults.check()

    world.recover()
    (run,) = world.ledger.runs()
    run = world.settled(kaggle, run)
    assert (run.version, run.state is RunState.REFUSED) == ((1, False) if case.arrived else (None, True))
    if not case.arrived:
        assert world.push(kaggle).version == 1
    assert world.versions(owner) == [1]
    assert world.faults.calls["SaveKernel"] == (not case.arrived)
    kaggle.close()


@pytest.mark.parametrize("name", ["down", "reset"])
def test_a_push_that_fails_once(fresh: World, name: str) -> None:
    """It did not arrive, so it is sent again as the same run: there is one session, and no error."""
    world = fresh
    kaggle = world.kaggle(f"ada-once-{name}")
    world.faults.plan([fault("SaveKernel", name)])
    run = world.push(kaggle)
    assert (run.version, world.versions(f"ada-once-{name}")) == (1, [1])
    assert len(world.ledger.runs()) == 1
    assert world.faults.calls["SaveKernel"] == 2
    kaggle.close()


@pytest.mark.parametrize("name", ["stale", "running"])
def test_a_state_that_is_out_of_date(fresh: World, name: str) -> None:
    """A run that is reported as running has not ended, and the state of a run that has ended is not asked for again."""
    world = fresh
    world.faults.plan([])
    kaggle = world.kaggle("ada-late")
    run = world.push(kaggle)
    store = world.store
    version = store.newest(Reference("ada-late", "tiny-base"))
    assert version is not None
    until(lambda: store.progress(version).state.final, "the end of the session")
    if name == "running":
        world.faults.plan([fault("GetKernelSessionStatus", name, times=2)])
        assert [world.settled(kaggle, run).state for _ in range(2)] == [RunState.RUNNING] * 2
    run = world.settled(kaggle, run)
    assert run.state is RunState.COMPLETE
    asked = world.faults.calls["GetKernelSessionStatus"]
    assert world.settled(kaggle, run) == run
    assert world.faults.calls["GetKernelSessionStatus"] == asked
    kaggle.close()


# Fetching


@pytest.mark.parametrize(("method", "name"), FETCHES)
def test_a_fetch_that_fails_is_completed_by_the_next(world: World, method: str, name: str) -> None:
    """No incomplete file has its final name, nothing is recorded, and the next fetch brings all files."""
    kaggle = world.kaggle()
    directory = world.project.results("base", "kaggle", 1)
    shutil.rmtree(directory, ignore_errors=True)
    world.ledger.update(world.run.id, fetched_at=None, summary=None)
    world.faults.plan([fault(method, name, times=None)])
    world.give_up_on(method, 0.05 if name == "timeout" else 0.0)
    with pytest.raises(CoordError) as error:
        world.fetch(kaggle, world.run)
    # If the server is still down, nothing was sent: NotSent is a kind of NoAnswer.
    assert type(error.value) in {meaning(method, name), NotSent if name == "down" else None}, error.value
    world.faults.check()
    version = world.store.newest(Reference("ada", "tiny-base"))
    assert version is not None
    working = world.store.paths(version).working
    whole = {path.name: path.read_bytes() for path in working.iterdir()}
    for path in directory.rglob("*"):
        if path.name in whole:
            assert path.read_bytes() == whole[path.name]
    assert (world.run.fetched_at, world.run.summary) == (None, None)

    world.recover()
    world.fetch(kaggle, world.run)
    assert {name: (directory / name).read_bytes() for name in whole} == whole
    assert world.run.summary is not None
    kaggle.close()


def test_the_tables_have_every_method() -> None:
    """A new method of the client fails here until the tables have its faults."""
    methods = {
        name
        for kind in (Kaggle, KaggleCompetitions)
        for name, value in vars(kind).items()
        if callable(value) and not name.startswith("_")
    }
    asks_nothing = {"close", "url"}
    told = {*READS, *WRITES, "push"} - {"download", "files", "sending"}
    told -= {"data_state", "data_place"}  # the other calls about data sets are tested in tests/coordinator/datasets
    assert methods - asks_nothing - {"open_output"} == told  # whose answer `download` reads


def test_the_documents_have_the_tables() -> None:
    """docs/reliability.md shows these tables: python -m tests.coordinator.target.kaggle.fault_table prints them."""
    document = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert markdown() in document, "copy what python -m tests.coordinator.target.kaggle.fault_table prints"
