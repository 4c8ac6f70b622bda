"""A place on this machine where kernels lie as on a cluster, and kernels for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.bundle.script import stamped
from coordinator.kernel.metadata import KernelMetadata
from coordinator.target.cluster import ClusterPlace, FarSide, open_shell
from coordinator.target.kernel_ref import KernelRef


@pytest.fixture
def place(tmp_path: Path) -> ClusterPlace:
    """A place below `tmp_path`/root, of ada."""
    return place_at(tmp_path / "root")


def place_at(root: Path, host: str = "") -> ClusterPlace:
    return ClusterPlace("uni", "ada", FarSide(open_shell(host), str(root)))


def kernel(text: str, run: str = "run-1") -> str:
    """The text of a kernel that this run pushed."""
    return stamped(f"# coord: run=- digest=-\n{text}\n", run_id=run, git=None)


def metadata(**sources: list[str]) -> KernelMetadata:
    return KernelMetadata("", {"id": "ada/smoke", **sources})


def claimed(place: ClusterPlace, text: str, run: str = "run-1") -> tuple[KernelRef, Path]:
    """A version of a kernel, and its folder."""
    ref, folder = place.claim(place.order(metadata(), kernel(text, run)))
    return ref, Path(folder)


def start(folder: Path, job: str = "7") -> subprocess.Popen[bytes]:
    """Starts the run of a folder, as its job would."""
    return subprocess.Popen([sys.executable, str(folder / "starter.py"), str(folder), job], stderr=subprocess.DEVNULL)
