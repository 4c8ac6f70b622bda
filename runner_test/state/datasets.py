"""Data sets and their versions.

    <root>/datasets/<owner>/<slug>/dataset.json               title, owner, privacy and the like
    <root>/datasets/<owner>/<slug>/versions/<n>/version.json  written once
    <root>/datasets/<owner>/<slug>/versions/<n>/data          its files, or a link to a registered folder
    <root>/datasets/<owner>/<slug>                            a link: registered before data sets had versions
    <root>/arriving/<id>, <id>.lock                           a version that is being made

A version becomes visible at once, complete, and never changes. It is `ready`, and can be attached, only some seconds
later, as on Kaggle, where it is processed meanwhile.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner_test.errors import BadDataset, MissingFolder
from runner_test.settings import Settings
from runner_test.state import files, locks, uploads
from runner_test.state.counter import next_id
from runner_test.state.reference import Reference

if TYPE_CHECKING:
    from runner_test.state.assembling import NewFile


@dataclass(frozen=True)
class Dataset:
    """A data set."""

    id: int
    owner: str
    slug: str
    title: str
    is_private: bool
    created: float  # seconds since 1970
    license: str = "unknown"
    subtitle: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    descriptions: Mapping[str, str] = field(default_factory=dict)  # of files, by name

    @property
    def reference(self) -> Reference:
        """Owner and slug."""
        return Reference(self.owner, self.slug)


@dataclass(frozen=True)
class DatasetVersion:
    """A version of a data set. `folder` has its files; it may be a link to a registered folder, which may be gone."""

    number: int
    created: float  # seconds since 1970
    ready: float  # seconds since 1970, from when on it can be attached
    notes: str
    folder: Path
    uploads: tuple[str, ...] = ()  # the tokens of the files that it was made of

    @property
    def is_ready(self) -> bool:
        """Whether it can be attached, as far as its processing goes."""
        return time.time() >= self.ready

    @property
    def files_folder(self) -> Path | None:
        """The folder with its files, or None if it was registered and no longer exists."""
        return self.folder.resolve() if self.folder.is_dir() else None


@dataclass(frozen=True)
class NewDatasetVersion:
    """What a new version is made of."""

    files: "Sequence[NewFile]"
    notes: str = ""
    delete_old: bool = False


# Reading


def dataset(root: Path, reference: Reference) -> Dataset | None:
    """The data set, or None if there is none."""
    path = _folder(root, reference)
    if path.is_symlink():
        return _of_link(path, reference)
    try:
        fields = json.loads((path / "dataset.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Dataset(**fields | {"keywords": tuple(fields["keywords"])})


def datasets(root: Path) -> list[Dataset]:
    """All data sets, sorted by owner and slug."""
    folder = root / "datasets"
    names = sorted(path.relative_to(folder).parts for path in folder.glob("*/*"))
    # A hidden name is left by a process that was killed while it registered a data set.
    found = [dataset(root, Reference(owner, slug)) for owner, slug in names if not slug.startswith(".")]
    return [each for each in found if each is not None]


def versions(root: Path, reference: Reference) -> list[DatasetVersion]:
    """The versions of a data set, oldest first; empty if there is no such data set."""
    path = _folder(root, reference)
    if path.is_symlink():
        return [DatasetVersion(1, path.lstat().st_mtime, 0.0, "", path)]
    numbers = sorted(int(each.name) for each in (path / "versions").glob("[0-9]*"))
    found = [_read(path / "versions" / str(number)) for number in numbers]
    return [version for version in found if version is not None]


def version(root: Path, reference: Reference, number: int | None = None) -> DatasetVersion | None:
    """The version with that number, processed or not; without a number the newest one that is ready."""
    found = versions(root, reference)
    if number is None:
        return next((each for each in reversed(found) if each.is_ready), None)
    return next((each for each in found if each.number == number), None)


# Writing


def create(root: Path, settings: Settings, new: Dataset, first: NewDatasetVersion) -> Dataset:
    """Make a data set with its first version. Its id is given here. Raises BadDataset."""
    with _arriving(root) as staging:
        made = staging / "versions" / "1"
        _assemble(root, made / "data", first.files, settings)
        with locks.writing(root):
            if dataset(root, new.reference) is not None:
                raise BadDataset(f"there is a data set {new.reference} already")
            _check_unused(root, new.reference, first)
            with_id = replace(new, id=next_id(root, "datasets"))
            _write(staging, with_id)
            _write_version(made, 1, first, settings)
            path = _folder(root, new.reference)
            path.parent.mkdir(parents=True, exist_ok=True)
            staging.rename(path)
            _end(root, first)
    return with_id


def add_version(root: Path, settings: Settings, changed: Dataset, new: NewDatasetVersion) -> DatasetVersion:
    """Add a version to the data set, whose title and the like become those of `changed`. Raises BadDataset."""
    reference = changed.reference
    with _arriving(root) as staging:
        made = staging / "version"
        _assemble(root, made / "data", new.files, settings)
        with locks.writing(root):
            _check_unused(root, reference, new)
            _change(root, changed)
            added = _publish(root, reference, made, new, settings)
            _end(root, new)
            if new.delete_old:
                for old in [each for each in versions(root, reference) if each.number < added.number]:
                    _remove(root, old.folder.parent)
    return added


def register(root: Path, reference: Reference, folder: Path) -> None:
    """Make `folder`, which is not copied, the newest version of a data set, new or not. It is ready at once.

    Nothing is added if it is the newest version already. Raises MissingFolder.
    """
    if not folder.is_dir():
        raise MissingFolder(f"data set {reference}: no folder {folder}")
    with _arriving(root) as staging, locks.writing(root):
        there = versions(root, reference)
        if there and there[-1].folder.is_symlink() and there[-1].folder.resolve() == folder.resolve():
            return
        made = staging / "versions" / "1"
        made.mkdir(parents=True)
        (made / "data").symlink_to(folder.resolve())
        if there:
            _publish(root, reference, made, NewDatasetVersion(()), None)
            return
        title = reference.slug
        _write(staging, Dataset(next_id(root, "datasets"), reference.owner, reference.slug, title, False, time.time()))
        _write_version(made, 1, NewDatasetVersion(()), None)
        path = _folder(root, reference)
        path.parent.mkdir(parents=True, exist_ok=True)
        staging.rename(path)


def change(root: Path, changed: Dataset) -> None:
    """Change a data set's title and the like; its versions stay. Raises BadDataset if it is gone."""
    with locks.writing(root):
        _change(root, changed)


def _change(root: Path, changed: Dataset) -> None:
    """The caller holds the writers' lock."""
    path = _folder(root, changed.reference)
    if dataset(root, changed.reference) is None:
        raise BadDataset(f"there is no data set {changed.reference} any more")
    if path.is_symlink():
        changed = replace(changed, id=_convert(root, changed.reference).id)
    _write(path, changed)


def delete(root: Path, reference: Reference) -> None:
    """Remove a data set with all its versions; registered folders stay."""
    with locks.writing(root):
        path = _folder(root, reference)
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            _remove(root, path)


def _publish(
    root: Path, reference: Reference, made: Path, new: NewDatasetVersion, settings: Settings | None
) -> DatasetVersion:
    """Give a finished version its number, and make it visible. The caller holds the writers' lock."""
    path = _folder(root, reference)
    if path.is_symlink():
        _convert(root, reference)
    number = max((each.number for each in versions(root, reference)), default=0) + 1
    _write_version(made, number, new, settings)
    target = path / "versions" / str(number)
    made.rename(target)
    added = _read(target)
    assert added is not None
    return added


def _convert(root: Path, reference: Reference) -> Dataset:
    """Turn a data set that is a mere link into a folder with one version. The caller holds the writers' lock."""
    path = _folder(root, reference)
    (old,), found = versions(root, reference), replace(_of_link(path, reference), id=next_id(root, "datasets"))
    with files.unfinished_folder(path) as made:
        version_folder = made / "versions" / "1"
        version_folder.mkdir(parents=True)
        (version_folder / "data").symlink_to(path.readlink())
        _write_record(version_folder, replace(old, folder=version_folder / "data"))
        _write(made, found)
        path.unlink()
        made.rename(path)
    return found


def _assemble(root: Path, data: Path, files: "Sequence[NewFile]", settings: Settings) -> None:
    from runner_test.state.assembling import assemble  # here, because sessions, which need no archives, start sooner

    assemble(root, data, files, settings)


def _check_unused(root: Path, reference: Reference, new: NewDatasetVersion) -> None:
    """Raise BadDataset if a file has been used meanwhile. The caller holds the writers' lock until `_end`.

    A process that is killed just before `_end` leaves the uploads; the request once more would make a second version.
    """
    used = {token for each in versions(root, reference) for token in each.uploads}
    for each in new.files:
        if each.upload.token in used or not uploads.upload_content(root, each.upload.token).is_file():
            raise BadDataset(f"the upload of {each.upload.file_name!r} has been used already")


def _end(root: Path, new: NewDatasetVersion) -> None:
    for each in new.files:
        uploads.end_upload(root, each.upload.token)


@contextmanager
def _arriving(root: Path) -> Iterator[Path]:
    """An empty folder for a version that is being made, outside the writers' lock: unpacking takes long.

    What killed processes left is removed.
    """
    folder = root / "arriving"
    with locks.writing(root):
        folder.mkdir(exist_ok=True)
        for left in folder.glob("*.lock"):
            if not locks.is_held(left):
                if left.with_suffix("").exists():
                    files.remove_tree(left.with_suffix(""))
                left.unlink(missing_ok=True)  # its process may just have ended
        made = folder / os.urandom(8).hex()
        lock = locks.try_hold(made.with_suffix(".lock"))
        assert lock is not None
    try:
        made.mkdir()
        yield made
    finally:
        if made.exists():
            files.remove_tree(made)
        made.with_suffix(".lock").unlink()
        os.close(lock)


def _remove(root: Path, folder: Path) -> None:
    """Remove a folder at once: it is renamed first. The caller holds the writers' lock."""
    trash = root / "trash"
    trash.mkdir(exist_ok=True)
    gone = trash / os.urandom(8).hex()
    folder.rename(gone)
    files.remove_tree(gone)


# Records


def _folder(root: Path, reference: Reference) -> Path:
    return root / "datasets" / reference.owner / reference.slug


def _of_link(path: Path, reference: Reference) -> Dataset:
    return Dataset(0, reference.owner, reference.slug, reference.slug, False, path.lstat().st_mtime)


def _write(folder: Path, dataset: Dataset) -> None:
    files.write_json(folder / "dataset.json", asdict(dataset))


def _write_version(made: Path, number: int, new: NewDatasetVersion, settings: Settings | None) -> None:
    """Write a version's record; without settings, it needs no processing."""
    now = time.time()
    ready = now + settings.dataset_seconds if settings else 0.0
    tokens = tuple(each.upload.token for each in new.files)
    _write_record(made, DatasetVersion(number, now, ready, new.notes, made / "data", tokens))


def _write_record(made: Path, version: DatasetVersion) -> None:
    record = {name: value for name, value in asdict(version).items() if name != "folder"}
    files.write_json(made / "version.json", record)


def _read(folder: Path) -> DatasetVersion | None:
    try:
        fields = json.loads((folder / "version.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return DatasetVersion(**fields | {"uploads": tuple(fields["uploads"])}, folder=folder / "data")
