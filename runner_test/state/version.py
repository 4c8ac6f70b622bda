"""The records of kernels and their versions."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from runner_test.settings import DEFAULTS, Settings
from runner_test.state import files
from runner_test.state.paths import VersionPaths
from runner_test.state.reference import Reference


@dataclass(frozen=True)
class NewVersion:
    """What a push saves and runs, after checks and without refused sources."""

    title: str
    source: str
    is_private: bool
    machine_shape: str  # "" is a machine without an accelerator
    timeout: float  # seconds that the session may run
    enable_internet: bool
    keywords: tuple[str, ...]
    dataset_sources: tuple[str, ...]
    competition_sources: tuple[str, ...]
    kernel_sources: tuple[str, ...]
    docker_image: str
    kernel_type: str  # "script" or "notebook"
    dataset_versions: tuple[int, ...] = ()  # of the data sets, in their order
    model_sources: tuple[str, ...] = ()  # each with its version
    runs: bool = True  # False: it is saved, and has no session


@dataclass(frozen=True)
class Kernel:
    """A kernel. Its title and its privacy are those of the newest push."""

    id: int
    owner: str
    slug: str
    title: str
    is_private: bool
    created: float  # seconds since 1970

    @property
    def reference(self) -> Reference:
        """Owner and slug."""
        return Reference(self.owner, self.slug)


@dataclass(frozen=True)
class Version:
    """A saved version: all that its session needs except the source, which is a file of its own."""

    owner: str
    slug: str
    number: int
    created: float  # seconds since 1970
    ticket: str  # sorts by age; its place in the queue
    python: str  # the interpreter that runs it
    machine_shape: str
    timeout: float  # seconds
    enable_internet: bool
    keywords: tuple[str, ...]
    dataset_sources: tuple[str, ...]
    competition_sources: tuple[str, ...]
    kernel_sources: tuple[str, ...]
    docker_image: str
    # Fields with defaults: older records lack them.
    kernel_type: str = "script"  # "script" or "notebook"
    settings: Settings = DEFAULTS
    isolated: bool = False  # whether its session has namespaces of its own; decided when it is saved
    dataset_versions: tuple[int, ...] = ()  # of the data sets, in their order; without them, the newest
    model_sources: tuple[str, ...] = ()  # each with its version

    @property
    def reference(self) -> Reference:
        """Owner and slug."""
        return Reference(self.owner, self.slug)


def write_version(paths: VersionPaths, version: Version) -> None:
    """Write a version's record."""
    files.write_json(paths.record, asdict(version))


def read_version(paths: VersionPaths) -> Version:
    """Read a version's record. Raises FileNotFoundError if the version has been deleted."""
    fields: dict[str, Any] = json.loads(paths.record.read_text(encoding="utf-8"))
    tuples = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    settings = {"settings": Settings(**fields["settings"])} if "settings" in fields else {}
    return Version(**fields | tuples | settings)
