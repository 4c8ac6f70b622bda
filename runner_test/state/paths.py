"""The paths of kernels and their versions below the store's root; no other module knows them."""

from dataclasses import dataclass
from pathlib import Path

from runner_test.state.reference import Reference


@dataclass(frozen=True)
class VersionPaths:
    """The files below `<root>/kernels/<owner>/<slug>/versions/<number>/`."""

    folder: Path

    @property
    def root(self) -> Path:
        """The store's root, five levels up."""
        return self.folder.parents[4]

    @property
    def kernel(self) -> Path:
        """The folder of the version's kernel."""
        return self.folder.parents[1]

    @property
    def record(self) -> Path:
        """The version's record (JSON), written once. If it is missing, the version has been deleted."""
        return self.folder / "version.json"

    @property
    def source(self) -> Path:
        """The script as it was pushed, or the notebook (JSON)."""
        return self.folder / "source.py"

    @property
    def mounts(self) -> Path:
        """The folders that the session has below `input/` (JSON), written when it starts."""
        return self.folder / "mounts.json"

    @property
    def progress(self) -> Path:
        """The session's state (JSON), rewritten by the supervisor."""
        return self.folder / "progress.json"

    @property
    def alive(self) -> Path:
        """The lock that a live supervisor holds."""
        return self.folder / "alive.lock"

    @property
    def cancel(self) -> Path:
        """Exists once the session's end has been requested."""
        return self.folder / "cancel"

    @property
    def log(self) -> Path:
        """The session's output, one JSON record a line."""
        return self.folder / "log.jsonl"

    @property
    def diary(self) -> Path:
        """The supervisor's own output: empty unless it failed."""
        return self.folder / "supervisor.log"

    @property
    def session(self) -> Path:
        """The session root, which takes the place of `/kaggle`."""
        return self.folder / "kaggle"

    @property
    def working(self) -> Path:
        """The session's working directory, whose files are its output."""
        return self.session / "working"


def kernel_folder(root: Path, reference: Reference) -> Path:
    """The folder of a kernel, whether it exists or not."""
    return root / "kernels" / reference.owner / reference.slug


def version_paths(root: Path, reference: Reference, number: int) -> VersionPaths:
    """The paths of a version, whether it exists or not."""
    return VersionPaths(kernel_folder(root, reference) / "versions" / str(number))


def version_numbers(root: Path, reference: Reference) -> list[int]:
    """The numbers of the existing versions, oldest first; empty if there is no such kernel."""
    try:
        names = [path.name for path in (kernel_folder(root, reference) / "versions").iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(name) for name in names)
