"""The sources of sessions: data sets, models, registered competitions, and the outputs of other kernels.

The registration of a competition is a symbolic link, `<root>/competitions/<slug>`, to a folder, which is not copied.
"""

from pathlib import Path
from typing import Literal

from runner_test.errors import BadName, MissingFolder
from runner_test.settings import Layout
from runner_test.state import datasets, files, models, progress, tree
from runner_test.state.models import ModelSource
from runner_test.state.paths import version_numbers, version_paths
from runner_test.state.progress import State
from runner_test.state.reference import DatasetSource, Reference, check_name
from runner_test.state.version import Version


def add_competition(root: Path, slug: str, folder: Path) -> None:
    """Register `folder` as the data of a competition. Raises BadName and MissingFolder."""
    name = check_name(slug)
    _register(_competition_link(root, name), f"competition {name}", folder)


def dataset(root: Path, source: DatasetSource) -> Path | None:
    """The folder of a data set's version, the newest that is ready without a number; None if it does not exist."""
    version = datasets.version(root, source.reference, source.number)
    return version.files_folder if version is not None else None


def competition(root: Path, slug: str) -> Path | None:
    """The folder of a competition, or None if it is not registered or its folder no longer exists."""
    return _registered(_competition_link(root, slug))


def competitions(root: Path) -> list[str]:
    """The slugs of the registered competitions, sorted."""
    folder = root / "competitions"
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    # A process that was killed while it registered one leaves a link whose name begins with a dot.
    return [name for name in names if name[0] != "." and competition(root, name) is not None]


def kernel_output(root: Path, reference: Reference) -> Path | None:
    """The output folder of the kernel's newest complete version, or None."""
    for number in reversed(version_numbers(root, reference)):
        paths = version_paths(root, reference, number)
        if progress.read(paths).state is State.COMPLETE:
            return paths.working if tree.is_own(paths.working) else None
    return None


def mount_path(layout: Layout, kind: Literal["competitions", "datasets", "notebooks", "models"], source: str) -> str:
    """The path below `input/` where Kaggle mounts a source: `datasets/owner/slug` since 2026, `slug` before.

    `source` is owner/slug, with a version or without, a competition's slug, or a model with its version. Raises
    BadName.
    """
    if kind == "models":
        source = str(ModelSource.parse(source))
        return f"models/{source}" if layout == "2026" else source.partition("/")[2]
    if kind == "datasets":
        source = str(DatasetSource.parse(source).reference)
    return f"{kind}/{source}" if layout == "2026" else source.rpartition("/")[2]


def mounts(root: Path, version: Version) -> dict[str, Path]:
    """The folders to mount for a version, by path below `input/`.

    Raises MissingFolder for a source that no longer exists, and BadName if two sources have one path, which the layout
    before 2026 allows.
    """
    layout = version.settings.layout
    found = [
        *((mount_path(layout, "competitions", slug), competition(root, slug)) for slug in version.competition_sources),
        *((mount_path(layout, "datasets", str(each)), _folder_of(root, version, each)) for each in _attached(version)),
        *(
            (mount_path(layout, "models", name), models.folder(root, ModelSource.parse(name)))
            for name in version.model_sources
        ),
        *(
            (mount_path(layout, "notebooks", name), kernel_output(root, Reference.parse(name)))
            for name in version.kernel_sources
        ),
    ]
    gone = [mount for mount, folder in found if folder is None]
    if gone:
        raise MissingFolder(f"Sources that existed when the version was saved no longer do: {', '.join(gone)}")
    mounted = {mount: folder for mount, folder in found if folder is not None}
    if len(mounted) < len(found):
        raise BadName("Two sources with one slug can't both be mounted in the layout of 2025.")
    return mounted


def _attached(version: Version) -> list[DatasetSource]:
    """The data sets of a version, each with the number that it had when the version was saved."""
    parsed = [DatasetSource.parse(name) for name in version.dataset_sources]
    if not version.dataset_versions:  # saved before data sets had versions
        return parsed
    numbered = zip(parsed, version.dataset_versions, strict=True)
    return [DatasetSource(source.reference, number) for source, number in numbered]


def _folder_of(root: Path, version: Version, source: DatasetSource) -> Path | None:
    """The folder of an attached data set; None if that is gone, even if another one has got its name and number."""
    found = datasets.version(root, source.reference, source.number)
    is_another = found is not None and source.number is not None and found.created > version.created
    return found.files_folder if found is not None and not is_another else None


def competition_mounts(version: Version) -> tuple[str, ...]:
    """Where the competitions of a version are mounted, below `input/`: Python finds modules there, too."""
    layout = version.settings.layout
    return tuple(mount_path(layout, "competitions", slug) for slug in version.competition_sources)


def _competition_link(root: Path, slug: str) -> Path:
    return root / "competitions" / slug


def _register(link: Path, what: str, folder: Path) -> None:
    check_folder(what, folder)
    link.parent.mkdir(parents=True, exist_ok=True)
    files.replace_link(link, folder.resolve())


def check_folder(what: str, folder: Path) -> None:
    """Raise MissingFolder if `folder` is not an existing folder; `what` names it in the message."""
    if not folder.is_dir():
        raise MissingFolder(f"{what}: no folder {folder}")


def _registered(link: Path) -> Path | None:
    return link.resolve() if link.is_dir() else None
