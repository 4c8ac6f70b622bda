"""What the probes of a live check ask with: the target, and the kernels and the data set that the check makes.

Each of these is made when the first probe needs it. If that fails, the probes that need it have no answer, and the
others go on.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from coordinator.clock import Clock
from coordinator.errors import CoordError, NoAnswer, TargetError
from coordinator.kernel import KernelMetadata, kernel_slug
from coordinator.maintenance.live_check import session_script
from coordinator.maintenance.live_check.facts import NotTried
from coordinator.maintenance.live_check.made import MARK, MadeThings, Thing
from coordinator.target import DatasetState, KernelRef, Reply, RunState, SessionState, Target, Wire, wire_of

T = TypeVar("T")

SESSIONS = 3
"""Kernels that run."""
SESSION_SECONDS = 180
"""A session is ended by the target after so long."""
_NO_ANSWER = frozenset({429, 500, 502, 503, 504})  # statuses
_SCRIPT = Path(session_script.__file__)


@dataclass(frozen=True)
class CheckPace:
    """How long a check waits, in seconds."""

    runs: float = 30.0
    """A session goes on after its first lines, so that its live log can be read."""
    soon: float = 5.0
    """How long a live log is read before its end."""
    most: float = 900.0
    """Until a session ends, or a data set is ready."""


@dataclass(frozen=True)
class ReadSources:
    """Sources of others, which the user may read."""

    competition: str
    """The slug of one whose rules the user has accepted."""
    model: str
    """owner/model/framework/variation[/version]; empty for none."""


def once(make: Callable[[LiveCheck], T]) -> Callable[[LiveCheck], T]:
    """Makes a thing the first time, and returns it or its error every time."""

    @functools.wraps(make)
    def made(self: LiveCheck) -> T:
        name = make.__name__
        if name not in self.results:
            try:
                self.results[name] = make(self)
            except CoordError as error:
                self.results[name] = error
        result = self.results[name]
        if isinstance(result, CoordError):
            raise result
        return result  # type: ignore[no-any-return]

    return made


@dataclass
class LiveCheck:
    """One check. Its methods raise the errors of targets, and NotTried."""

    target: Target
    stamp: str
    """Six letters and digits, in the name of everything that it makes."""
    made: MadeThings
    clock: Clock
    say: Callable[[str], None]
    sources: ReadSources
    pace: CheckPace
    results: dict[str, Any] = field(default_factory=dict)
    """Name of a method that is called `once` -> its value or its error."""

    @property
    def wire(self) -> Wire:
        return wire_of(self.target)

    @property
    def owner(self) -> str:
        return self.target.owner

    def title(self, what: str) -> str:
        return f"coord live check {self.stamp} {what}"

    def reference(self, title: str) -> str:
        return f"{self.owner}/{kernel_slug(title, '')}"

    def source(self, body: str) -> str:
        return f"{MARK} {self.stamp}\n{body}"

    def kernels(self, method: str, **fields: Any) -> Reply:
        return _answered(method, self.wire.call(f"kernels.KernelsApiService/{method}", fields))

    def data_sets(self, method: str, **fields: Any) -> Reply:
        return _answered(method, self.wire.call(f"datasets.DatasetApiService/{method}", fields))

    # Versions that are only saved

    def save(self, reference: str, title: str, **fields: Any) -> Reply:
        """Asks to save a version that is not run; `reference` or what the answer names is remembered as made."""
        asked = {
            "slug": reference,
            "newTitle": title,
            "text": self.source("print()\n"),
            "language": "python",
            "kernelType": "script",
            "isPrivate": True,
            "enableInternet": False,
            "kernelExecutionType": "QUICK_SAVE",
        }
        sent = {name: value for name, value in (asked | fields).items() if value is not None}
        return self._push(sent)

    def _push(self, fields: Mapping[str, Any]) -> Reply:
        asked = Thing("kernel", str(fields["slug"]))
        is_new = asked not in self.made.all()
        self.made.note(asked)
        reply = self.kernels("SaveKernel", **fields)
        named = named_by(reply)
        if named:
            self.made.note(Thing("kernel", named))
        if is_new and named != asked.reference:  # it was refused, or got another name
            self.made.forget(asked)
        return reply

    @once
    def scratch(self) -> str:
        """A kernel (owner/slug) with one version, which was only saved. Raises NotTried if that is run here."""
        title = self.title("saved")
        reply = self.save(self.reference(title), title)
        if reply.refusal:
            raise TargetError(f"saving a version without running it: {reply.refusal}")
        status = self.status(self.reference(title)).data.get("status")
        if status != "NEW_SCRIPT":
            # The further questions could start sessions, also with an accelerator.
            raise NotTried(f"a version that is only saved is {status} here, not NEW_SCRIPT")
        return self.reference(title)

    def save_again(self, **fields: Any) -> Reply:
        """One more version of that kernel, only saved."""
        return self.save(self.scratch(), self.title("saved"), **fields)

    def saved(self) -> dict[str, Any]:
        """The metadata of that kernel."""
        return self.metadata(self.scratch())

    def metadata(self, reference: str) -> dict[str, Any]:
        owner, _, slug = reference.partition("/")
        reply = self.kernels("GetKernel", userName=owner, kernelSlug=slug)
        if reply.refusal:
            raise TargetError(f"reading {reference}: {reply.refusal}")
        return dict(reply.data.get("metadata") or {})

    def status(self, reference: str, **fields: Any) -> Reply:
        owner, _, slug = reference.partition("/")
        return self.kernels("GetKernelSessionStatus", userName=owner, kernelSlug=slug, **fields)

    # The data set

    def upload(self, name: str, content: bytes) -> str:
        """Sends a file; returns its token."""
        place = self.target.datasets.place(name, len(content), self.clock.seconds())
        has = self.target.datasets.send(place, name, content, (0, len(content)))
        if has != len(content):
            raise NoAnswer(f"{name}: the target has {has} of {len(content)} bytes")
        return place.token

    @property
    def dataset_name(self) -> str:
        return self.reference(self.title("data"))

    @once
    def dataset(self) -> str:
        """The data set, with its first version: a file, a folder and an archive. It may not be ready yet."""
        contents = {
            "rows.csv": b"version\n1\n",
            "folder/inner.txt": b"inner\n",
            "packed.zip": packed("a.txt", "b/c.txt"),
        }
        tokens = {PurePosixPath(name): self.upload(name.rpartition("/")[2], data) for name, data in contents.items()}
        self.made.note(Thing("data set", self.dataset_name))
        slug = self.dataset_name.partition("/")[2]
        self.target.datasets.create(self.dataset_name, slug, f"{MARK} first {self.stamp}", tokens)
        return self.dataset_name

    @once
    def dataset_ready(self) -> float:
        """Waits until its first version is ready; returns the seconds that it took."""
        return self.wait_ready(self.dataset(), 1)

    @once
    def second_version(self) -> str:
        """Adds a version, which has one file at the top, an archive. It may not be ready yet."""
        self.dataset_ready()
        reference = self.dataset()
        token = self.upload("all.zip", packed("rows.csv", "deep/d.txt", text="version\n2\n"))
        self.target.datasets.add_version(reference, f"{MARK} second {self.stamp}", {PurePosixPath("all.zip"): token})
        return reference

    def wait_ready(self, reference: str, version: int) -> float:
        def is_ready() -> bool | None:
            found = self.target.datasets.dataset(reference)
            state = self.target.datasets.state(reference) if found else DatasetState.PROCESSING
            if state is DatasetState.FAILED:
                raise TargetError(f"{reference} could not be processed")
            return (state is DatasetState.READY and found is not None and found.current >= version) or None

        started = self.clock.monotonic()
        self.wait(is_ready, f"version {version} of {reference} is ready")
        return self.clock.monotonic() - started

    # The kernels that run

    def _run(self, what: str, seconds: float, **sources: list[str]) -> KernelRef:
        title = self.title(what)
        reference = self.reference(title)
        data = {
            "id": reference,
            "title": title,
            "code_file": "script.py",
            "language": "python",
            "kernel_type": "script",
            "is_private": True,
            "enable_internet": False,
            **sources,
        }
        self.made.note(Thing("kernel", reference))
        self.say(f"pushing {reference}")
        metadata = KernelMetadata(text=json.dumps(data), data=data)
        return self.target.push(metadata, self.script(seconds), timeout_seconds=SESSION_SECONDS).ref

    def script(self, seconds: float) -> str:
        text = _SCRIPT.read_text(encoding="utf-8")
        return self.source(re.sub(r"^SECONDS = .*$", f"SECONDS = {seconds}", text, count=1, flags=re.MULTILINE))

    @once
    def first(self) -> KernelRef:
        """The first kernel, with the data set (if there is one), a competition and a model."""
        attached: dict[str, list[str]] = {"competition_sources": [self.sources.competition]}
        if self.sources.model:
            attached["model_sources"] = [self.sources.model]
        try:
            self.dataset_ready()
            attached["dataset_sources"] = [self.dataset()]
        except CoordError as error:
            self.say(f"the first kernel runs without the data set: {error.what}")
        return self._run("first", self.pace.runs, **attached)

    @once
    def first_facts(self) -> dict[str, Any]:
        """What its session was like, after its end."""
        return self._facts(self.first())

    def first_complete(self) -> KernelRef:
        """The first kernel, whose output is complete."""
        self.first_facts()
        return self.first()

    @once
    def early(self) -> Reply:
        """The answer to a push that attaches the data set while its second version is processed.

        It attaches the first kernel, too.
        """
        first = self.first_complete()
        title = self.title("second")
        fields = {
            "slug": self.reference(title),
            "newTitle": title,
            "text": self.script(0.0),
            "language": "python",
            "kernelType": "script",
            "isPrivate": True,
            "enableInternet": False,
            "sessionTimeoutSeconds": SESSION_SECONDS,
            "kernelDataSources": [first.address],
            "datasetDataSources": [self.second_version()],
        }
        self.say(f"pushing {fields['slug']}")
        return self._push(fields)

    @once
    def second_facts(self) -> dict[str, Any]:
        """The session of the second kernel, which reads the first one's output."""
        reply = self.early()
        if not reply.refusal:
            owner, _, slug = self.reference(self.title("second")).partition("/")
            return self._facts(KernelRef(owner, slug, int(reply.data["versionNumber"])))
        self.wait_ready(self.dataset(), 2)
        sources = {"kernel_sources": [self.first().address], "dataset_sources": [self.dataset()]}
        return self._facts(self._run("second", 0.0, **sources))

    @once
    def third(self) -> KernelRef:
        """The third kernel: it reads the data set's first version by its number, and is ended while it runs."""
        self.wait_ready(self.second_version(), 2)
        return self._run("third", 4 * self.pace.runs, dataset_sources=[f"{self.dataset()}/1"])

    @once
    def third_facts(self) -> dict[str, Any]:
        """The inputs of its session, from its live log."""
        ref = self.third()

        def has_begun() -> bool | None:
            return self.target.state(ref).state is not RunState.QUEUED or None

        self.wait(has_begun, f"{ref} has begun")
        for record in self.target.follow(ref, idle_seconds=self.pace.most):
            _, mark, text = record.data.partition(session_script.REPORT)
            if mark:
                return dict(json.loads(text))
        raise TargetError("its live log ended without its report")

    def end(self, ref: KernelRef) -> SessionState:
        """Waits for the end of a session; returns its state."""

        def ended() -> SessionState | None:
            state = self.target.state(ref)
            return None if state.state.is_active else state

        return self.wait(ended, f"{ref} has ended")

    def output(self, ref: KernelRef, name: str) -> bytes:
        files = [each for each in self.target.outputs(ref) if each.name == name]
        if not files:
            raise TargetError(f"{ref} has no file {name}")
        download = self.target.open_output(files[0])
        with contextlib.closing(download):
            return b"".join(download.chunks)

    def _facts(self, ref: KernelRef) -> dict[str, Any]:
        state = self.end(ref)
        if state.state is not RunState.COMPLETE:
            raise TargetError(f"{ref} {state.state.phrase}{f': {state.message}' if state.message else ''}")
        return dict(json.loads(self.output(ref, "facts.json")))

    def stream(self, ref: KernelRef, *, seconds: float, **fields: Any) -> Reply:
        """What comes of a live log within that time."""
        asked = {"userName": ref.owner, "kernelSlug": ref.slug, **fields}
        return self.wire.call("kernels.KernelsApiService/GetKernelSessionLogsStream", asked, seconds=seconds)

    def wait(self, look: Callable[[], T | None], what: str) -> T:
        until, pause = self.clock.monotonic() + self.pace.most, 0.2
        while (found := look()) is None:
            if self.clock.monotonic() > until:
                raise NoAnswer(f"not within {self.pace.most:,.0f} seconds: {what}")
            self.clock.sleep(pause)
            pause = min(5.0, 1.5 * pause)
        return found


def _answered(method: str, reply: Reply) -> Reply:
    """The reply. Raises NoAnswer if the target only says that it is busy, or broken."""
    if reply.code in _NO_ANSWER:
        raise NoAnswer(f"{method}: {reply.refusal}")
    return reply


def named_by(reply: Reply) -> str:
    """The kernel (owner/slug) that the answer to a push names; empty if there is none."""
    named = str(reply.data.get("ref", "")).removeprefix("/").removeprefix("code/")
    return named if re.fullmatch(r"[\w-]+/[\w-]+", named) else ""


def packed(*names: str, text: str = "packed\n") -> bytes:
    """An archive with these files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, text)
    return content.getvalue()
