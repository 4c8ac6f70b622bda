"""What the doctor can know of a shared folder without a job."""

from __future__ import annotations

import pytest

from coordinator.target.slurm.far_slurm import file_system
from coordinator.target.slurm.findings import shared


@pytest.mark.parametrize(
    ("file_system", "nodes", "level", "words"),
    [
        ("ext4", ["login"], "ok", "is the cluster's only machine"),
        ("ext4", ["login.lab.org"], "ok", "is the cluster's only machine"),
        (
            "ext4",
            ["n1", "n2"],
            "warning",
            "ext4 of login; only a job shows whether 2 other machines (n1, n2) can see it",
        ),
        ("tmpfs", ["login", "n1"], "warning", "1 other machine (n1)"),
        ("overlay", [f"n{number}" for number in range(9)], "warning", "9 other machines (n0, n1, n2, ...)"),
        ("nfs4", ["n1"], "ok", "only a job shows whether 1 other machine (n1) can see it, at the same path"),
        ("lustre", ["n1", "n2"], "ok", "can see it, at the same path"),
        ("", ["n1"], "ok", "a file system of unknown type"),
        ("ext4", [], "ok", "sinfo names no machine"),
    ],
)
def test_a_folder_of_one_machine_is_a_warning(file_system: str, nodes: list[str], level: str, words: str) -> None:
    """What is exported over a network may still be an ext4 here: so it is no more than a warning."""
    found = shared(file_system, "login", nodes)
    assert found.level == level
    assert words in found.what
    assert ("df -hT" in found.remedy) == (level == "warning")


def test_the_file_system_of_a_folder() -> None:
    assert file_system("/proc/self") == "proc"
    assert file_system("/") != ""
    assert file_system("/processes") == file_system("/"), "it is not below /proc"
