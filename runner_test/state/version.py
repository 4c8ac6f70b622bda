"""What Kaggle stores: kernels, and their versions as they were saved."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from runner_test.settings import DEFAULTS, Settings
from runner_test.state import files
from runner_test.state.paths import VersionPaths
from runner_test.state.reference import Reference


@dataclass(frozen=True)
class NewVersion:
    """What a push asks to be saved and run, checked and with refused sources taken out."""

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


@dataclass(frozen=True)
class Kernel:
    """A kernel as a whole. Its privacy is that of the newest push, as is its title."""

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
    """One saved version: everything that its session needs to know but the source, which lies beside it."""

    owner: str
    slug: str
    number: int
    created: float  # seconds since 1970
    ticket: str  # its place in the queue
    python: str  # the interpreter that runs it
    machine_shape: str
    timeout: float  # seconds
    enable_internet: bool
    keywords: tuple[str, ...]
    dataset_sources: tuple[str, ...]
    competition_sources: tuple[str, ...]
    kernel_sources: tuple[str, ...]
    docker_image: str
    # Records of earlier days say nothing of what follows.
    kernel_type: str = "script"  # "script" or "notebook"
    settings: Settings = DEFAULTS
    isolated: bool = False  # in namespaces of its own; decided when it is saved

    @property
    def reference(self) -> Reference:
        """Owner and slug."""
        return Reference(self.owner, self.slug)


def write_version(paths: VersionPaths, version: Version) -> None:
    """Put a version's record on disk."""
    files.write_json(paths.record, asdict(version))


def read_version(paths: VersionPaths) -> Version:
    """Read a version's record. Raises FileNotFoundError where the version has been deleted."""
    fields: dict[str, Any] = json.loads(paths.record.read_text(encoding="utf-8"))
    tuples = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    settings = {"settings": Settings(**fields["settings"])} if "settings" in fields else {}
    return Version(**fields | tuples | settings)
