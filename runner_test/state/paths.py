"""Where kernels and their versions lie below the store's root: the one place that knows the layout."""

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
        """The folder of the kernel that this is a version of."""
        return self.folder.parents[1]

    @property
    def record(self) -> Path:
        """What was saved, as JSON; written once. Its absence means that the version has been deleted."""
        return self.folder / "version.json"

    @property
    def source(self) -> Path:
        """The script as it was pushed, or the notebook (JSON)."""
        return self.folder / "source.py"

    @property
    def progress(self) -> Path:
        """How far the session is, as JSON; the supervisor rewrites it."""
        return self.folder / "progress.json"

    @property
    def alive(self) -> Path:
        """Locked for as long as somebody looks after the session."""
        return self.folder / "alive.lock"

    @property
    def cancel(self) -> Path:
        """Exists once somebody wants the session stopped."""
        return self.folder / "cancel"

    @property
    def log(self) -> Path:
        """The session's output, one JSON record a line."""
        return self.folder / "log.jsonl"

    @property
    def diary(self) -> Path:
        """What the supervisor itself says: empty unless something is broken."""
        return self.folder / "supervisor.log"

    @property
    def session(self) -> Path:
        """The session root, which stands in for `/kaggle`."""
        return self.folder / "kaggle"

    @property
    def working(self) -> Path:
        """The session's working directory, and so its output."""
        return self.session / "working"


def kernel_folder(root: Path, reference: Reference) -> Path:
    """The folder of a kernel, which need not exist."""
    return root / "kernels" / reference.owner / reference.slug


def version_paths(root: Path, reference: Reference, number: int) -> VersionPaths:
    """The paths of one version, which need not exist."""
    return VersionPaths(kernel_folder(root, reference) / "versions" / str(number))


def version_numbers(root: Path, reference: Reference) -> list[int]:
    """The versions that exist, oldest first; none where there is no such kernel."""
    try:
        names = [path.name for path in (kernel_folder(root, reference) / "versions").iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(name) for name in names)
