"""Kernels in a container that a real pyxis and enroot start, if they are there: no package of Debian's has them.

PYXIS names spank_pyxis.so, PYXIS_IMAGE a squashfs file with /usr/bin/python3; enroot has to be in PATH.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.target.protocol import RunState
from tests.clusters.engines import SLURM, Slurm, program_of, running_slurm, short_folder
from tests.clusters.slurm_target import SAVES, ended, push, running, target_at, text_of

PLUGIN, IMAGE = os.environ.get("PYXIS", ""), os.environ.get("PYXIS_IMAGE", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.clusters_only,
    pytest.mark.skipif(not (PLUGIN and IMAGE), reason="PYXIS and PYXIS_IMAGE do not name a plugin and an image"),
]


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    """A Slurm with the plugin."""
    controller, node = program_of("slurmctld", SLURM), program_of("slurmd", SLURM)
    with short_folder() as folder:
        plugins = folder / "plugstack.conf"
        plugins.write_text(f"required {PLUGIN} runtime_path={folder}\n")
        with running_slurm(controller, node, f"PlugStackConfig={plugins}") as engine:
            yield engine


def test_a_run_in_a_container(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees the root folder, is warned, saves, is requeued, and goes on; another one is cancelled."""
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "a root"
    uni = target_at(root, container=IMAGE, container_kind="pyxis", python="/usr/bin/python3")
    monkeypatch.setattr(uni, "_resume", lambda _: {"setting": "train.resume_from", "continues": False})
    there = push(uni, f"import os\nprint(os.path.exists({str(Path(__file__))!r}), os.path.exists('../meta.json'))")
    assert ended(uni, there).state is RunState.COMPLETE
    assert text_of(uni, there) == "False True\n"
    warned = push(uni, SAVES, "run-2", slug="warned")
    running(uni, warned)
    slurm("scancel", "--batch", "--signal=USR1", (root / "kernels/ada/warned/v1/job").read_text().strip())
    state = ended(uni, warned)
    assert (state.state, [each.reason for each in state.attempts]) == (RunState.COMPLETE, ["time limit", ""])
    text = text_of(uni, warned)
    assert (text.count("saved"), text.count("begun")) == (1, 2)
    stopped = push(uni, SAVES, "run-3", slug="stopped")
    running(uni, stopped)
    uni.cancel(stopped)
    assert ended(uni, stopped).state is RunState.CANCELLED
    assert "saved" in text_of(uni, stopped)
