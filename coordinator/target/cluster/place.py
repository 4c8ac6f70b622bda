"""The methods of a target that need no engine: kernels, logs and outputs, in folders on the far side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from coordinator.bundle import read_kernel, script_in, stamp_of
from coordinator.errors import CoordError, NoAccess, TargetError
from coordinator.kernel import KernelMetadata
from coordinator.project import leaves
from coordinator.target.cluster.attached import attached_remedy, chosen_folder
from coordinator.target.cluster.far_side import FarSide
from coordinator.target.cluster.logs import Logs
from coordinator.target.cluster.record import RunRecord
from coordinator.target.competitions import Competitions
from coordinator.target.datasets import Datasets
from coordinator.target.download import Download
from coordinator.target.kernel_ref import KernelRef
from coordinator.target.protocol import LogRecord, OutputFile, Quota

_STARTER = Path(__file__).with_name("starter.py")
_KINDS = ("dataset_sources", "competition_sources", "kernel_sources", "model_sources")


@dataclass(frozen=True)
class Order:
    """A push, checked: what a version is made of."""

    run: str
    owner: str
    slug: str
    files: Mapping[str, str]
    """Name in the version's folder -> text."""
    meta: Mapping[str, Any]
    """What the starter reads: `inputs` (mount -> folder), `resume`, `requeues`."""


@dataclass
class ClusterPlace:
    """Kernels in folders below a root. A subclass adds how they are run: `push`, `state`, `cancel`."""

    name: str
    owner: str
    far: FarSide
    folders: Mapping[str, str] = field(default_factory=dict)
    """Attached source -> its folder there; others are in ROOT/input."""
    resume_setting: str | None = None
    """The config value that takes the place to go on from, where the model source has one."""
    requeues: int = 0
    """How often a run may go on after a time limit."""

    def __post_init__(self) -> None:
        self._logs = Logs(self.far)

    # What a push needs

    def order(self, metadata: KernelMetadata, source: str) -> Order:
        """What a push makes a version of. Raises TargetError if the run's id or an attached source is missing."""
        return self.orders([(metadata, source)])[0]

    def orders(self, pushes: Sequence[tuple[KernelMetadata, str]]) -> list[Order]:
        """Those of many pushes, with one question."""
        wanted = list(dict.fromkeys(pair for metadata, _ in pushes for pair in sources_of(metadata)))
        answer = self.far.ask("places", sources=wanted, folders=self._chosen(wanted)) if wanted else {}
        if missing := answer.get("missing"):
            self._refuse(missing)
        found = {(kind, name): (mount, folder) for kind, name, mount, folder in answer.get("found", [])}
        return [
            self._order(metadata, source, dict(found[pair] for pair in sources_of(metadata)))
            for metadata, source in pushes
        ]

    def _order(self, metadata: KernelMetadata, source: str, inputs: Mapping[str, str]) -> Order:
        script = script_in(source)
        run = stamp_of(script).get("run", "-")
        if run == "-":
            raise TargetError(f"the kernel of {metadata.data['id']} does not name its run", hint="Push it with coord.")
        owner, _, slug = str(metadata.data["id"]).partition("/")
        files = {"kernel.py": script, "starter.py": _STARTER.read_text(encoding="utf-8")}
        if script != source:
            files["kernel.ipynb"] = source
        meta = {"inputs": dict(inputs), "resume": self._resume(source), "requeues": self.requeues}
        return Order(run, owner, slug, files, meta)

    def _resume(self, source: str) -> dict[str, Any] | None:
        """How the kernel is told to go on from its own output; None if it cannot."""
        if self.resume_setting is None:
            return None
        try:
            config = read_kernel(source.encode("utf-8"), "the kernel").config or {}
        except CoordError:  # no kernel of coord's templates
            return None
        values = dict(leaves(config))
        if self.resume_setting not in values:
            return None
        return {"setting": self.resume_setting, "continues": values[self.resume_setting] is not None}

    def _chosen(self, wanted: Sequence[tuple[str, str]]) -> dict[str, str]:
        return {name: folder for _, name in wanted if (folder := chosen_folder(self.folders, name))}

    def _refuse(self, missing: Sequence[Sequence[str]]) -> NoReturn:
        named = ", ".join(f"{kind.removesuffix('_sources')} {name}" for kind, name, _ in missing)
        host, root = self.far.shell.host, self.far.root
        hint = "\n".join(
            attached_remedy(kind, name, self.name, host=host, root=root, folders=self.folders)
            for kind, name, _ in missing
        )
        raise TargetError(f"{self.name} does not have what the kernel attaches: {named}", hint=hint)

    def claim(self, order: Order) -> tuple[KernelRef, str]:
        """Makes the version of that run, and says where its folder is; asked twice, it is the same version."""
        found = self.far.ask(
            "claim",
            run=order.run,
            owner=order.owner,
            slug=order.slug,
            files=dict(order.files),
            meta=dict(order.meta),
        )
        return KernelRef(order.owner, order.slug, int(found["version"])), str(found["folder"])

    def records(self, refs: Sequence[KernelRef]) -> list[RunRecord]:
        """The own records of runs, with one question."""
        found = self.far.ask("look", refs=[as_list(ref) for ref in refs])
        return [RunRecord.parse(each, found.get("now")) for each in found["runs"]]

    # The target's methods

    @property
    def competitions(self) -> Competitions:
        raise TargetError(f"{self.name} has no competitions", hint="Submit a file to Kaggle: coord submit --upload")

    @property
    def datasets(self) -> Datasets:
        raise TargetError(f"{self.name} has no data sets of its own", hint="Copy the folder there (rsync).")

    def quota(self) -> Quota:
        raise TargetError(f"{self.name} has no quota")

    def delete(self, owner: str, slug: str) -> None:
        folder = f"{self.far.root}/kernels/{owner}/{slug}"
        raise TargetError(f"coord deletes nothing on {self.name}", hint=f"It is in {self.far.path(folder)}")

    def url(self, owner: str, slug: str) -> str:
        return f"{f'ssh://{self.far.shell.host}' if self.far.shell.host else 'file://'}{self.far.root}/kernels/{owner}/{slug}"

    def user(self) -> str | None:
        return str(self.far.ask("place")["user"])

    def has_source(self, kind: str, name: str) -> bool:
        asked = [(kind, name)]
        return not self.far.ask("places", sources=asked, folders=self._chosen(asked))["missing"]

    def kernels(self) -> Iterator[str]:
        yield from map(str, self.far.ask("kernels", owner=self.owner)["slugs"])

    def source(self, owner: str, slug: str, version: int | None = None) -> tuple[int, str] | None:
        found = self.far.ask("source", owner=owner, slug=slug, version=version)
        newest = found.get("newest")
        return None if newest is None else (int(newest), str(found["text"]))

    def log(self, ref: KernelRef) -> list[LogRecord]:
        return list(self._logs.records(ref, idle_seconds=0.0))

    def follow(self, ref: KernelRef, *, idle_seconds: float) -> Iterator[LogRecord]:
        return self._logs.records(ref, idle_seconds=idle_seconds)

    def outputs(self, ref: KernelRef) -> Iterator[OutputFile]:
        for name in self.far.ask("outputs", ref=as_list(ref), seconds=300.0)["names"]:
            yield OutputFile(name=str(name), url=f"{ref.address}/{ref.version}/{name}")

    def open_output(self, file: OutputFile, *, offset: int = 0) -> Download:
        owner, slug, version, name = file.url.split("/", 3)
        try:
            head, stream = self.far.begin("read", ref=[owner, slug, int(version)], name=name, offset=offset)
        except NoAccess as error:
            raise TargetError(f"{file.name} is not there any more", hint=error.hint) from error
        return Download(
            start=int(head["start"]),
            size=int(head["size"]),
            validator=str(head["validator"]),
            chunks=stream.chunks,
            close=stream.close,
        )

    def close(self) -> None:
        self.far.shell.close()


def sources_of(metadata: KernelMetadata) -> list[tuple[str, str]]:
    """(kind, name) of each attached source."""
    return [(kind, str(name)) for kind in _KINDS for name in metadata.data.get(kind) or ()]


def as_list(ref: KernelRef) -> list[object]:
    """The version, as the far side's program names it."""
    return [ref.owner, ref.slug, ref.version]
