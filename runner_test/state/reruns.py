"""Reruns: what a submission to a code competition with hidden data runs again, and how that ended.

    <root>/submissions/<number>/rerun/version.json, source.py, mounts.json   copied when it is submitted
                                      log.jsonl, gateway.jsonl, end.json     for the competition's host
                                      kaggle/, gateway/                      the sessions' folders

A rerun reads the versions of its sources that the submitted version had read: Kaggle records them with a version
(KernelVersionDatasetSources and KernelVersionKernelSources of its data set Meta Kaggle name versions). A newer version
of a data set, or of an attached kernel, takes a new version of the kernel that reads it.
"""

import json
import os
import re
import shutil
import sys
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from runner_test.environment import inherited
from runner_test.state import files, sources
from runner_test.state.detached import start_detached
from runner_test.state.paths import VersionPaths
from runner_test.state.version import Version, write_version

_BETWEEN_PATHS = re.compile(r"""["'\n]""")


class Failure(StrEnum):
    """What Kaggle calls the ways in which a rerun fails (Code Competitions: Errors & Debugging Tips)."""

    TIMEOUT = "Notebook Timeout"
    EXCEPTION = "Notebook Threw Exception"
    COMPUTE = "Notebook Exceeded Allowed Compute"
    SERVER_ERROR = "Notebook Inference Server Error"
    NEVER_STARTED = "Notebook Inference Server Never Started"
    NO_FILE = "Submission CSV Not Found"
    FORMAT = "Submission Scoring Error"
    KAGGLE = "Kaggle Error"

    @property
    def message(self) -> str:
        """What the participant is told: the name, and what it means, but nothing of the hidden data."""
        return f"{self.value}: {_MEANINGS[self]}"

    @property
    def counted(self) -> bool:
        """Whether such a submission counts against the day's limit: each does that the participant caused."""
        return self is not Failure.KAGGLE


_MEANINGS = {
    Failure.TIMEOUT: "the rerun on the hidden data took longer than the competition allows",
    Failure.EXCEPTION: "the rerun on the hidden data ended with an error; the hidden data differ from the visible ones",
    Failure.COMPUTE: "the rerun on the hidden data needed more memory or disk than there is",
    Failure.SERVER_ERROR: "the gateway lost the inference server, or got an error from it, or no answer in time",
    Failure.NEVER_STARTED: "the gateway could not reach an inference server in the rerun",
    Failure.NO_FILE: "the rerun on the hidden data ended without the submission file",
    Failure.FORMAT: "the submission file of the rerun can't be scored: its rows, columns or values are not as expected",
    Failure.KAGGLE: "the rerun failed for a reason that is not the notebook's; submit it again",
}


@dataclass(frozen=True)
class RerunEnd:
    """How a rerun ended. The competition's host may see it; of it, the participant sees the failure's message."""

    failure: str | None  # a value of Failure, or None if there is a file to score
    detail: str | None  # why, in words
    seconds: float
    exit_code: int | None = None  # of the kernel; -n if signal n ended it
    file: str | None = None  # the output file that is scored


@dataclass(frozen=True)
class RerunPaths:
    """The files of a submission's rerun."""

    folder: Path  # <root>/submissions/<number>/rerun

    @property
    def kernel(self) -> VersionPaths:
        """The copy of the version, and the session of the kernel."""
        return VersionPaths(self.folder)

    @property
    def gateway(self) -> VersionPaths:
        """The session of the gateway; it has no version of its own."""
        return VersionPaths(self.folder / "gateway")

    @property
    def shared(self) -> Path:
        """The folder that both sessions have as /kaggle/shared."""
        return self.folder / "shared"

    @property
    def hosts(self) -> Path:
        """The host names of both sessions."""
        return self.folder / "hosts"

    @property
    def end(self) -> Path:
        """How the rerun ended (JSON)."""
        return self.folder / "end.json"


def rerun_paths(submission: Path) -> RerunPaths:
    """The files of the rerun of the submission in that folder, whether it has one or not."""
    return RerunPaths(submission / "rerun")


def prepare(submission: Path, root: Path, version: Version, saved: VersionPaths) -> None:
    """Copy into a submission's folder what a rerun of the version needs. Raises MissingFolder and BadName."""
    paths = rerun_paths(submission).kernel
    paths.folder.mkdir()
    write_version(paths, version)
    shutil.copyfile(saved.source, paths.source)
    mounts = read_mounts(saved)
    if mounts is None:  # its session ran before they were recorded
        mounts = sources.mounts(root, version)
    write_mounts(paths, mounts)


def write_mounts(paths: VersionPaths, mounts: dict[str, Path]) -> None:
    """Record the folders that a version's session has, by path below `input/`."""
    files.write_json(paths.mounts, {mount: str(folder) for mount, folder in mounts.items()})


def read_mounts(paths: VersionPaths) -> dict[str, Path] | None:
    """The recorded folders, or None if there is no record."""
    try:
        found: dict[str, str] = json.loads(paths.mounts.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return {mount: Path(folder) for mount, folder in found.items()}


def start_rerun(submission: Path, lock: int) -> None:
    """Start a detached process that holds `lock` (a descriptor), runs the submission's kernel again and has it scored.

    If it does not start, there is no result, and the submission is reported as lost.
    """
    command = [sys.executable, "-m", "runner_test.sessions.rerun", "supervise", str(submission)]
    environment = inherited() | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    start_detached(command, "/", environment, diary=submission / "scoring.log", lock=lock)


def write_end(paths: RerunPaths, end: RerunEnd) -> None:
    """Record how a rerun ended."""
    files.write_json(paths.end, asdict(end))


def read_end(paths: RerunPaths) -> RerunEnd | None:
    """How a rerun ended, or None while it has not."""
    try:
        return RerunEnd(**json.loads(paths.end.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def only_visible(log: str, visible: Path, hidden: Path) -> list[str]:
    """The files that a rerun's log names and that the visible data have, but not the hidden ones, sorted.

    A path in quotes, as Python's errors have them, is compared by its end: its start depends on the mount.
    """
    found: set[str] = set()
    for text in _BETWEEN_PATHS.split(log):
        parts = PurePosixPath(text).parts
        if "/input/" not in text or ".." in parts:
            continue
        ends = (str(PurePosixPath(*parts[start:])) for start in range(1, len(parts)))
        name = next((end for end in ends if os.path.lexists(visible / end)), None)
        if name is not None and not os.path.lexists(hidden / name):
            found.add(name)
    return sorted(found)
