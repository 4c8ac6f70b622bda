"""The commands of docs/clusters.md, run at a real Slurm behind ssh and a real Ray, with the output that is shown."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.engines import short_folder
from tests.coordinator.command import delete_kernels
from tests.pages import Shell, accept, run_page
from tests.paths import ROOT
from tests.reader import BEFORE, begin

PAGE = ROOT / "docs" / "clusters.md"
TABLES = """
[tool.coord.targets.uni]
kind = "slurm"
host = "cluster"
root = "{root}"
python = "{python}"
cpus = 1
shapes = {{ NvidiaTeslaT4 = ["--gres=gpu:tesla_t4:2"] }}

[tool.coord.targets.rig]
kind = "ray"
address = "{address}"
root = "{root}-of-rig"
python = "{python}"
shapes = {{ NvidiaTeslaT4 = {{ gpus = 3 }} }}
"""


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path fits into a line of the page."""
    with short_folder() as folder:
        yield folder


@pytest.mark.slow
@pytest.mark.clusters_only
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("slurm_cluster", "ssh_host")
@pytest.mark.parametrize("target", ["uni", "rig"])
def test_the_commands_of_the_page(target: str, tmp_path: Path, short: Path, request: pytest.FixtureRequest) -> None:
    """Those for Slurm, which need no Ray, and those that name the Ray cluster."""
    address = request.getfixturevalue("ray_head").address if target == "rig" else "http://127.0.0.1:9"
    shell = Shell(tmp_path, tmp_path)
    begin(shell, "tiny", "tiny")
    root = short / "root"
    settings = shell.folder / "pyproject.toml"
    tables = TABLES.format(root=root, python=sys.executable, address=address)
    settings.write_text(settings.read_text(encoding="utf-8") + tables, encoding="utf-8")
    host = socket.gethostname().split(".")[0]
    of_disk = subprocess.run(
        ["df", "--output=fstype", short], capture_output=True, text=True, check=True
    ).stdout.split()
    shell.known = {
        f"root is on {of_disk[-1]} of": "root is on ext4 of",
        str(root): "/scratch/ada/coord",
        sys.executable: "/home/ada/venv/bin/python",
        f" on {host}": " on vm",
        f" of {host}": " of vm",
        f"as {getpass.getuser()}:": "as ada:",
    }
    try:
        differences = run_page(PAGE, shell, BEFORE, marked=f"it needs a cluster, {target}")
    finally:
        delete_kernels(shell.folder / ".coord" / "local-kaggle")
    if os.environ.get("PAGES") == "accept":
        for each in differences:
            accept(PAGE, each)
    assert not differences, "\n".join(map(str, differences))
