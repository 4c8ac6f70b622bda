"""The state of the local Kaggle on disk: kernels, versions, outputs, registered data.

Several processes may use one root at a time, and each may be killed at any moment. So a record is completed under a
hidden name and then renamed, version numbers are assigned under one lock, and nothing is cached.

    <root>/kernels/<owner>/<slug>/kernel.json, versions/<n>/   (paths.py)
    <root>/datasets/<owner>/<slug>/dataset.json, versions/<n>/ (datasets.py)
    <root>/models/...                                          links to registered folders (models.py)
    <root>/competitions/<slug>                                 links to registered folders (sources.py)
    <root>/competition-rules                                   how submissions are scored (competitions.py)
    <root>/uploads, arriving                                   files on their way in, data sets that are being made
    <root>/submissions                                         submissions, reruns and scores
    <root>/rehearsals                                          reruns that are no submissions (submissions.py)
    <root>/queue, slots                                        the queue of sessions (slots.py)
    <root>/new, trash                                          what is being made, and what is being deleted
    <root>/usage.jsonl                                         accelerator hours of what was deleted (usage.py)
    <root>/told-isolation                                      the warning that was shown already (isolation.py)
    <root>/lock, counter, counter-datasets, secret             writers' lock, last ids, key of signed URLs
    <root>/token                                               what a client must know
"""

import json
import os
import secrets
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from runner_test.errors import MissingFolder, StopFailed, TooManySessions
from runner_test.sessions import isolation, start_supervisor
from runner_test.settings import DEFAULTS, Settings
from runner_test.state import (
    Kernel,
    NewVersion,
    Output,
    Reference,
    Rules,
    SessionProgress,
    State,
    Usage,
    Version,
    VersionPaths,
    competitions,
    datasets,
    files,
    kernel_folder,
    locks,
    models,
    next_id,
    outputs,
    progress,
    read_version,
    remove_tree,
    rules,
    slots,
    sources,
    tree,
    usage,
    version_numbers,
    version_paths,
    write_version,
)

_STOPPING = 10.0  # seconds to wait for a session's end


@dataclass(frozen=True)
class Store:
    """The local Kaggle below `root`, a folder that is made if needed.

    Sessions of versions that are saved here run with the interpreter `python` and with `settings`. Raises MissingFolder
    if the folder can't be made.
    """

    root: Path
    python: str = sys.executable
    settings: Settings = DEFAULTS

    def __post_init__(self) -> None:
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise MissingFolder(f"the local Kaggle's folder {self.root} can't be made: {error.strerror}") from error
        _close_to_others(self.root)
        # Supervisors have another working directory, where a relative root would be another folder.
        object.__setattr__(self, "root", self.root.resolve())

    # Registered data

    def add_dataset(self, reference: str, folder: Path) -> None:
        """Register `folder` as the newest version of data set `owner/slug`. Raises BadName and MissingFolder."""
        datasets.register(self.root, Reference.parse(reference), folder)

    def add_model(self, reference: str, folder: Path) -> None:
        """Register `folder` as `owner/model/framework/variation/version`. Raises BadName and MissingFolder."""
        models.register(self.root, reference, folder)

    def add_competition(
        self, slug: str, folder: Path, solution: Path | None = None, rules: Rules | None = None
    ) -> None:
        """Register `folder` as the data of a competition, in place of an earlier registration.

        It accepts submissions if it has a solution and rules; rules without a solution are for rehearsals. Raises
        BadName, MissingFolder and BadCompetition.
        """
        sources.check_folder(f"competition {slug}", folder)
        if rules is not None:
            competitions.register(self.root, slug, folder, solution, rules)
        else:
            competitions.unregister(self.root, slug)
        sources.add_competition(self.root, slug, folder)

    # Writing

    def save(self, reference: Reference, pushed: NewVersion) -> Version:
        """Save a new version of a kernel, new or not, and start its session if it is to run.

        If this process is killed meanwhile, there is no new version, or one whose session is reported as lost. Raises
        TooManySessions and StartFailed.
        """
        with locks.writing(self.root), self._staging() as staging:
            if pushed.runs:
                self._check_sessions(reference.owner, pushed.machine_shape)
            numbers = version_numbers(self.root, reference)
            kernel = self.kernel(reference)
            if kernel is None:
                kernel = Kernel(
                    id=next_id(self.root, "kernels"),
                    owner=reference.owner,
                    slug=reference.slug,
                    title=pushed.title,
                    is_private=pushed.is_private,
                    created=time.time(),
                )
            else:
                kernel = replace(kernel, title=pushed.title, is_private=pushed.is_private)
            version = self._version(kernel, max(numbers, default=0) + 1, pushed)
            made = VersionPaths(staging / "versions" / str(version.number))
            made.folder.mkdir(parents=True)
            files.write_text(made.source, pushed.source)
            progress.write(made, SessionProgress(State.QUEUED if pushed.runs else State.NEW_SCRIPT))
            write_version(made, version)
            if not pushed.runs:
                self._publish(kernel, staging, made)
                return version
            # Held from before the version becomes visible until its supervisor ends.
            lock = locks.try_hold(made.alive)
            assert lock is not None
            try:
                paths = self._publish(kernel, staging, made)
                slots.enqueue(paths, version.ticket)
                start_supervisor(paths, lock)
            finally:
                os.close(lock)
        return version

    def cancel(self, version: Version) -> None:
        """Request the end of a version's session, as the button on Kaggle's page does."""
        self.paths(version).cancel.touch()

    def delete(self, reference: Reference) -> None:
        """Delete a kernel with its versions and outputs, and end its sessions first. Raises StopFailed."""
        with locks.writing(self.root):
            folder = kernel_folder(self.root, reference)
            live = [self._paths(reference, number) for number in version_numbers(self.root, reference)]
            for paths in live:
                paths.cancel.touch()
            give_up = time.monotonic() + _STOPPING
            for paths in live:
                while locks.is_held(paths.alive):
                    if time.monotonic() > give_up:
                        raise StopFailed(f"a session of {reference} does not end: see {paths.diary}")
                    time.sleep(0.02)
            used = [self._usage(reference, number) for number in version_numbers(self.root, reference)]
            usage.keep(self.root, filter(None, used))
            trash = self.root / "trash"
            trash.mkdir(exist_ok=True)
            folder.rename(trash / secrets.token_hex(8))
            remove_tree(trash)  # with what a killed process may have left in it

    # Reading

    def kernel(self, reference: Reference) -> Kernel | None:
        """The kernel, or None if there is none."""
        try:
            text = (kernel_folder(self.root, reference) / "kernel.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return Kernel(**json.loads(text))

    def kernels(self) -> list[Kernel]:
        """All kernels, sorted by owner and slug."""
        folder = self.root / "kernels"
        names = sorted(path.relative_to(folder).parts for path in folder.glob("*/*"))
        found = [self.kernel(Reference(owner, slug)) for owner, slug in names]
        return [kernel for kernel in found if kernel is not None]

    def numbers(self, reference: Reference) -> list[int]:
        """The numbers of a kernel's versions, oldest first."""
        return version_numbers(self.root, reference)

    def version(self, reference: Reference, number: int) -> Version | None:
        """A version of the kernel, or None if there is none."""
        try:
            return read_version(self._paths(reference, number))
        except FileNotFoundError:
            return None

    def newest(self, reference: Reference) -> Version | None:
        """The newest version of the kernel, or None if there is none."""
        numbers = self.numbers(reference)
        return self.version(reference, numbers[-1]) if numbers else None

    def last_run(self, reference: Reference) -> Version | None:
        """The newest version that was not only saved, or None if there is none."""
        found = (self.version(reference, number) for number in reversed(self.numbers(reference)))
        return next((each for each in found if each and self.progress(each).state is not State.NEW_SCRIPT), None)

    def paths(self, version: Version) -> VersionPaths:
        """The paths of a version."""
        return self._paths(version.reference, version.number)

    def progress(self, version: Version) -> SessionProgress:
        """The state of a version's session. Raises FileNotFoundError once the version has been deleted."""
        return progress.read(self.paths(version))

    def usage(self) -> list[Usage]:
        """The use of accelerators by each session, those of deleted kernels included."""
        there = [
            self._usage(kernel.reference, number)
            for kernel in self.kernels()
            for number in self.numbers(kernel.reference)
        ]
        # Read last: a kernel that is deleted in between is then in one of the two.
        kept = {item.ticket: item for item in usage.kept(self.root)}
        return list((kept | {item.ticket: item for item in there if item is not None}).values())

    def outputs(self, version: Version) -> list[Output]:
        """The files in the session's working directory, sorted by name; none before the session has ended."""
        is_final = self.progress(version).state.final
        return outputs.listed(self.paths(version).working, version.settings) if is_final else []

    def output(self, version: Version, name: str) -> Path | None:
        """The path of the output file with that name; None for any other name, however malformed."""
        return tree.file(self.paths(version).working, name)

    def secret(self) -> bytes:
        """The key that signs this store's URLs; it is made on first use."""
        return bytes.fromhex(self._random_text(self.root / "secret"))

    def token(self) -> str:
        """The token that every request must have; it is made on first use, and only this user can read it."""
        return self._random_text(self.token_file)

    @property
    def token_file(self) -> Path:
        """The file that holds the token."""
        return self.root / "token"

    def _random_text(self, path: Path) -> str:
        if not path.exists():
            with locks.writing(self.root):
                if not path.exists():
                    with files.replacing(path) as new:
                        new.touch(mode=0o600)
                        new.write_text(secrets.token_hex(32), encoding="ascii")
        return path.read_text(encoding="ascii").strip()

    def _check_sessions(self, owner: str, shape: str) -> None:
        """Raise TooManySessions, in Kaggle's words (Kaggle/kaggle-cli#185). The caller holds the writers' lock."""
        limit = self.settings.gpu_sessions
        if limit and rules.is_gpu(shape) and len(self._open_with_gpu(owner)) >= limit:
            raise TooManySessions(f"Maximum batch GPU session count of {limit} reached.")

    def _open_with_gpu(self, owner: str) -> list[Version]:
        """The owner's versions with a GPU whose sessions have not ended."""
        own = (kernel.reference for kernel in self.kernels() if kernel.owner == owner)
        saved = (self.version(reference, number) for reference in own for number in self.numbers(reference))
        on_gpu = (version for version in saved if version and rules.is_gpu(version.machine_shape))
        return [version for version in on_gpu if not self.progress(version).state.final]

    def _usage(self, reference: Reference, number: int) -> Usage | None:
        version = self.version(reference, number)
        return usage.usage(version, self.progress(version)) if version is not None else None

    def _paths(self, reference: Reference, number: int) -> VersionPaths:
        return version_paths(self.root, reference, number)

    def _version(self, kernel: Kernel, number: int, pushed: NewVersion) -> Version:
        now = time.time_ns()
        return Version(
            owner=kernel.owner,
            slug=kernel.slug,
            number=number,
            created=now / 1e9,
            ticket=f"{now:020d}-{kernel.id}-{number}",
            python=self.python,
            machine_shape=pushed.machine_shape,
            timeout=pushed.timeout,
            enable_internet=pushed.enable_internet,
            keywords=pushed.keywords,
            dataset_sources=pushed.dataset_sources,
            dataset_versions=pushed.dataset_versions,
            model_sources=pushed.model_sources,
            competition_sources=pushed.competition_sources,
            kernel_sources=pushed.kernel_sources,
            docker_image=pushed.docker_image,
            kernel_type=pushed.kernel_type,
            settings=self.settings,
            isolated=isolation.possible(self.settings),
        )

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """An empty folder for unfinished work, removed at the end. The caller holds the writers' lock."""
        folder = self.root / "new"
        if folder.exists():  # the process that made it was killed
            remove_tree(folder)
        folder.mkdir()
        try:
            yield folder
        finally:
            if folder.exists():
                remove_tree(folder)

    def _publish(self, kernel: Kernel, staging: Path, made: VersionPaths) -> VersionPaths:
        """Make the version visible, together with the kernel if that is new."""
        folder = kernel_folder(self.root, kernel.reference)
        if folder.exists():
            files.write_json(folder / "kernel.json", asdict(kernel))
            made.folder.rename(folder / "versions" / made.folder.name)
        else:
            files.write_json(staging / "kernel.json", asdict(kernel))
            folder.parent.mkdir(parents=True, exist_ok=True)
            staging.rename(folder)
        return self._paths(kernel.reference, int(made.folder.name))


def _close_to_others(root: Path) -> None:
    """Take the permissions of other users from the folder, which has the token. Raises MissingFolder."""
    mode = stat.S_IMODE(root.stat().st_mode)
    if mode & 0o077:
        try:
            root.chmod(mode & 0o700)
        except OSError as error:
            why = f"others can enter the local Kaggle's folder {root}, which has its token: {error.strerror}"
            raise MissingFolder(f"{why}; close it with chmod 700, or remove it") from error
