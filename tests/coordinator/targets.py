"""A target whose kernels, sessions and competitions are values; a test prepares them, and reads what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from coordinator.bundle.script import stamped
from coordinator.errors import NoAccess, NoAnswer, NoSlot
from coordinator.kernel.metadata import KernelMetadata
from coordinator.project.target_settings import TargetName
from coordinator.target.abilities import ABILITIES, Abilities
from coordinator.target.competitions import Allowance, Competition, Standing, SubmissionState
from coordinator.target.datasets import Datasets
from coordinator.target.protocol import (
    Download,
    KernelRef,
    LogRecord,
    OutputFile,
    Pushed,
    Quota,
    RunState,
    SessionState,
)

RUNNING_SESSION = SessionState(RunState.RUNNING)


def source_of(run_id: str) -> str:
    """The text of a kernel that this run pushed."""
    return stamped("# coord: run=- digest=-\nprint()\n", run_id=run_id, git=None)


def records_of(*lines: str) -> list[LogRecord]:
    """A log with one record per line, one second apart."""
    return [LogRecord("stdout", float(number), line + "\n") for number, line in enumerate(lines)]


EPOCHS = records_of(
    'COORD {"event": "epoch", "epoch": 1}',
    "hello",
    'COORD {"event": "epoch", "epoch": 2}',
    'COORD {"event": "message"}',
)


@dataclass
class MemoryCompetitions:
    """One competition, with what was submitted to it. See `coordinator.target.competitions.Competitions`."""

    slug: str = "parity"
    left: int = 5
    is_for_good: bool = False
    is_open: bool = True
    kernels_only: bool = False
    lost: str = ""
    """"after": the answer to a submission is lost; "before": the submission itself; "silent": the list, too."""
    sample_text: str | None = None
    sent: list[Standing] = field(default_factory=list)
    """Newest first."""
    versions: list[tuple[str, str]] = field(default_factory=list)
    """(kernel with version, file) of each submission of a version."""
    uploads: list[bytes] = field(default_factory=list)
    standings: list[Standing | None] = field(default_factory=list)
    """The next answers about a single submission; None: there is no answer."""

    def competition(self, slug: str) -> Competition:
        self._check(slug)
        return Competition(slug, f"https://x/competitions/{slug}", self.is_open, self.kernels_only)

    def allowance(self, slug: str) -> Allowance:
        return Allowance(today=len(self.sent), left=self.left, is_for_good=self.is_for_good)

    def sample(self, slug: str, folder: Path) -> Path | None:
        if self.sample_text is None:
            return None
        (folder / "sample.csv").write_text(self.sample_text)
        return folder / "sample.csv"

    def submit_version(self, slug: str, kernel: KernelRef, file_name: str, description: str) -> int | None:
        self.versions.append((str(kernel), file_name))
        return self._take(description)

    def upload(self, slug: str, file: Path) -> str:
        self.uploads.append(file.read_bytes())
        return f"token-{len(self.uploads)}"

    def submit_upload(self, slug: str, token: str, description: str) -> int | None:
        assert token == f"token-{len(self.uploads)}"
        return self._take(description)

    def standing(self, ref: int) -> Standing:
        found = self.standings.pop(0)
        if found is None:
            raise NoAnswer("no answer in time")
        assert found.ref == ref
        return found

    def submissions(self, slug: str) -> Iterator[Standing]:
        self._check(slug)
        if self.lost == "silent" and self.sent:
            raise NoAnswer("no answer in time")
        yield from self.sent

    def _check(self, slug: str) -> None:
        if slug != self.slug:
            raise NoAccess(f"no {slug}")

    def _take(self, description: str) -> int | None:
        if self.lost != "before":
            self.sent.insert(0, Standing(len(self.sent) + 1, SubmissionState.PENDING, description, None, None, ""))
        if self.lost:
            raise NoAnswer("the connection was lost")
        return self.sent[0].ref


@dataclass
class MemoryTarget:
    """See `coordinator.target.Target`. What a test has not prepared raises AssertionError."""

    sources: dict[str, list[str]] = field(default_factory=dict)
    """By slug, the texts of versions 1, 2, ..."""
    name: TargetName = "local"
    owner: str = "ada"
    session: SessionState | None = None
    """The state of all sessions that are neither in `running` nor in `sessions`."""
    sessions: dict[str, SessionState | Exception] = field(default_factory=dict)
    """By kernel and version ("ada/smoke v4"): the state, or the error that is raised for it."""
    records: list[LogRecord] = field(default_factory=list)
    """The log of every session."""
    output: dict[str, bytes] | None = None
    """The files that every session left, by the names that the target gives them."""
    contest: MemoryCompetitions | None = None
    slots: int = 0
    """How many sessions may run at a time; 0: nothing may be pushed."""
    running: list[str] = field(default_factory=list)
    """Slugs of pushes whose sessions run, until a test takes them out."""
    push_plan: dict[str, list[tuple[bool, BaseException]]] = field(default_factory=dict)
    """By slug, for its next pushes: whether it takes effect, and the error that is its answer."""
    reachable: bool = True
    """Without, every question fails."""
    failures: dict[str, list[NoAnswer]] = field(default_factory=dict)
    """By name of a method, the errors of its next calls."""
    asked: list[str] = field(default_factory=list)
    """The questions and pushes, in their order: "newest", "v3", "state ada/smoke v4", "push smoke", ..."""

    @property
    def abilities(self) -> Abilities:
        return ABILITIES["kaggle" if self.name == "kaggle" else "local"]

    @property
    def competitions(self) -> MemoryCompetitions:
        assert self.contest is not None, "no competitions were prepared"
        return self.contest

    @property
    def datasets(self) -> Datasets:
        raise AssertionError("no data sets were prepared")

    def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
        assert self.slots, f"a push of {metadata.slug} was not prepared"
        self.asked.append(f"push {metadata.slug}")
        if len(self.running) >= self.slots:
            raise NoSlot(f"Maximum batch GPU session count of {self.slots} reached")
        plan = self.push_plan.get(metadata.slug)
        takes_effect, error = plan.pop(0) if plan else (True, None)
        if takes_effect:
            self.sources.setdefault(metadata.slug, []).append(source)
            self.running.append(metadata.slug)
        if error is not None:
            raise error
        ref = KernelRef(self.owner, metadata.slug, len(self.sources[metadata.slug]))
        return Pushed(ref=ref, url=self.url(self.owner, metadata.slug), refused_sources=())

    def source(self, owner: str, slug: str, version: int | None = None) -> tuple[int, str] | None:
        assert owner == self.owner
        self._ask("source", f"v{version}" if version else "newest")
        texts = self.sources.get(slug)
        return (len(texts), texts[(version or len(texts)) - 1]) if texts else None

    def url(self, owner: str, slug: str) -> str:
        return f"http://here/code/{owner}/{slug}"

    def state(self, ref: KernelRef) -> SessionState:
        self._ask("state", f"state {ref}")
        found = RUNNING_SESSION if ref.slug in self.running else self.sessions.get(str(ref), self.session)
        if isinstance(found, Exception):
            raise found
        assert found is not None, f"no session of {ref} was prepared"
        return found

    def log(self, ref: KernelRef) -> list[LogRecord]:
        self._ask("log", f"log {ref}")
        return self._log_of(ref)

    def follow(self, ref: KernelRef, *, idle_seconds: float) -> Iterator[LogRecord]:
        self._ask("follow", f"follow {ref}")
        yield from self._log_of(ref)

    def kernels(self) -> Iterator[str]:
        self._ask("kernels", "kernels")
        yield from self.sources

    def outputs(self, ref: KernelRef) -> Iterator[OutputFile]:
        assert self.output is not None, f"the output of {ref} was not prepared"
        yield from (OutputFile(name, name) for name in self.output)

    def open_output(self, file: OutputFile, *, offset: int = 0) -> Download:
        assert self.output is not None, f"{file.name} was not prepared"
        content = self.output[file.url]
        return Download(0, len(content), "", iter([content]), lambda: None)

    def cancel(self, ref: KernelRef) -> bool:
        raise AssertionError(f"a cancel of {ref} was not prepared")

    def delete(self, owner: str, slug: str) -> None:
        raise AssertionError(f"a delete of {owner}/{slug} was not prepared")

    def quota(self) -> Quota:
        raise AssertionError("no quota was prepared")

    def user(self) -> str | None:
        raise AssertionError("no user was prepared")

    def has_source(self, kind: str, name: str) -> bool:
        raise AssertionError(f"{name} was not prepared")

    def close(self) -> None:
        """There is nothing to close."""

    def _ask(self, method: str, question: str) -> None:
        self.asked.append(question)
        if not self.reachable:
            raise NoAnswer("no connection")
        if self.failures.get(method):
            raise self.failures[method].pop(0)

    def _log_of(self, ref: KernelRef) -> list[LogRecord]:
        assert self.session or self.sessions or self.running, f"no session of {ref} was prepared"
        return self.records
