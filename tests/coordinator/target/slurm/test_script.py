"""The batch script: what a shell makes of it."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

import pytest

from coordinator.project.target_settings import SlurmSettings
from coordinator.target.slurm.script import job_script

ROOT, IMAGE, PYTHON = "/scratch/ada's $(id)", "docker://x/y:1 z", "/opt/my env/python"
BOUND = (ROOT, "/data/w `x`")


def _started(**values: Any) -> list[str]:
    """The words of the line that starts the starter, as the shell splits them."""
    sources = {"ada/weights": "/data/w `x`"}
    settings = SlurmSettings(kind="slurm", root=ROOT, python=PYTHON, sources=sources, **values)
    script = job_script(settings, "run-1", [])
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    (line,) = (line for line in script.splitlines() if "starter.py" in line)
    return shlex.split(line.partition("exec ")[2].partition(") &")[0])


def test_no_name_of_a_container_steers_the_shell() -> None:
    """As `apptainer exec` and pyxis document their options; a folder is there under its own path."""
    rest = ["$folder/starter.py", "$folder", "$job"]
    assert _started() == [PYTHON, *rest]
    first, second = BOUND
    binds = ["--bind", first, "--bind", second]
    assert _started(container=IMAGE) == ["apptainer", "exec", "--nv", *binds, IMAGE, PYTHON, *rest]
    mounts = f"--container-mounts={first}:{first},{second}:{second}"
    assert _started(container=IMAGE, container_kind="pyxis") == [
        *("srun", "--ntasks=1", f"--container-image={IMAGE}", mounts, PYTHON),
        *rest,
    ]


@pytest.mark.parametrize("folder", ["/data/a,b", "/data/a:b"])
def test_a_folder_that_no_option_can_name(folder: str) -> None:
    with pytest.raises(ValueError, match="a container cannot be given a folder whose path has a comma or a colon"):
        SlurmSettings(kind="slurm", root="/scratch", python="python3", container="x.sif", sources={"a/b": folder})
    SlurmSettings(kind="slurm", root="/scratch", python="python3", sources={"a/b": folder})
