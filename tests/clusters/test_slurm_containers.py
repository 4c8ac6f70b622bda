"""Kernels in containers that a real apptainer, or a real pyxis and enroot start, if they are there.

Debian 12 has no package of them. APPTAINER_IMAGE names an image for apptainer (a folder will do), PYXIS the plugin
spank_pyxis.so, PYXIS_IMAGE a squashfs file; each image has /usr/bin/python3. apptainer and enroot have to be in PATH.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.project.project import Project
from coordinator.project.settings import Settings
from coordinator.target.protocol import RunState
from coordinator.target.slurm.findings import findings
from tests.clusters.engines import SLURM, Slurm, program_of, running_slurm, short_folder
from tests.clusters.slurm_target import SAVES, ended, push, running, target_at, text_of

PLUGIN = os.environ.get("PYXIS", "")
IMAGES = {"apptainer": os.environ.get("APPTAINER_IMAGE", ""), "pyxis": PLUGIN and os.environ.get("PYXIS_IMAGE", "")}

pytestmark = [pytest.mark.slow, pytest.mark.clusters_only]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(kind, marks=pytest.mark.skipif(not image, reason=f"{kind.upper()}_IMAGE names no image"))
        for kind, image in IMAGES.items()
    ],
)
def in_container(request: pytest.FixtureRequest) -> Iterator[tuple[Slurm, dict[str, str]]]:
    """A Slurm, and the settings of a target on it whose kernels run in containers of this kind."""
    kind: str = request.param
    controller, node = program_of("slurmctld", SLURM), program_of("slurmd", SLURM)
    with contextlib.ExitStack() as stack:
        lines: list[str] = []
        if kind == "pyxis":
            folder = stack.enter_context(short_folder())
            plugins = folder / "plugstack.conf"
            plugins.write_text(f"required {PLUGIN} runtime_path={folder}\n")
            lines = [f"PlugStackConfig={plugins}"]
        engine = stack.enter_context(running_slurm(controller, node, *lines))
        yield engine, {"container": IMAGES[kind], "container_kind": kind, "python": "/usr/bin/python3"}


def test_a_run_in_a_container(
    in_container: tuple[Slurm, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees the root folder, is warned, saves, is requeued, and goes on; another one is cancelled."""
    slurm, settings = in_container
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "a root"
    uni = target_at(root, **settings)
    assert uni.settings is not None
    if uni.settings.container_kind == "apptainer":
        project = Project(root=tmp_path, settings=Settings(owner="ada"))
        found = {each.check: each for each in findings(project, "uni", uni.settings, {"json": "json", "no_cv2": "cv2"})}
        assert found["python"].what.startswith(f"/usr/bin/python3 in {IMAGES['apptainer']} is 3.")
        assert found["imports"].what == "it lacks what the kernels import: no_cv2"
        assert found["imports"].remedy == "In the image: /usr/bin/python3 -m pip install cv2"
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
