"""`[tool.coord.local]`: how a project's sessions run on the local Kaggle, and what coord says about it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from coordinator.errors import ProjectError
from coordinator.project.project import Project, find_project
from coordinator.target import local
from tests.coordinator.command import Coord


def _set(coord: Coord, text: str) -> None:
    with (coord.root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[tool.coord.local]\n{text}\n")


def test_a_push_when_the_quota_is_spent(coord: Coord) -> None:
    """No version is saved, coord says when there will be hours again, and the exit code is that of "later"."""
    _set(coord, "gpu_quota_hours = 0")
    with (coord.root / "experiments" / "gpu.yaml").open("w", encoding="utf-8") as file:
        file.write("base: base\nkernel: {machine_shape: NvidiaB200}\n")
    refused = coord("push", "--exp", "gpu", code=75)
    assert "You've exceeded the number of hours allowed to use GPU. Your quota will reset to 0 hours" in refused.stderr
    assert coord.states() == ["refused"]
    # A machine that coord does not know is one with a GPU here and there.
    assert 'warning: machine_shape "NvidiaB200" is not known' in refused.stderr


def test_every_version_of_a_data_set_has_one_place(tiny: Project) -> None:
    """In a dry run, too, where the version that is named is stood in for."""
    assert local.mount_path(tiny, "datasets", "ada/rows/3") == local.mount_path(tiny, "datasets", "ada/rows")
    assert local.mount_path(tiny, "notebooks", "ada/rows") == "notebooks/ada/rows"


def test_a_push_at_the_session_limit(coord: Coord) -> None:
    """Refused with the exit code of "later" and without a version; with --wait-for-slot it waits, and is pushed."""
    _set(coord, "gpu_sessions = 1")
    for name, base in (("gpu", "base"), ("long", "slow")):
        text = f"base: {base}\nkernel: {{machine_shape: NvidiaTeslaT4}}\n"
        (coord.root / "experiments" / f"{name}.yaml").write_text(text)
    coord.here("push", "--exp", "long")
    refused = coord.here("push", "--exp", "gpu", code=75)
    assert "local runs as many sessions as it allows: Maximum batch GPU session count of 1 reached" in refused.stderr
    assert "--wait-for-slot" in refused.stderr

    with coord.start("push", "--exp", "gpu", "--wait-for-slot") as waiting:
        assert waiting.stderr is not None
        assert any("trying again when a session has ended" in line for line in waiting.stderr)
        seen = json.loads(coord.here("status", "--json").stdout)
        assert [run["state"] for run in seen] == ["refused", "refused", "running"]
        (coord.session_root("tiny-long", 1) / "go").touch()
        assert waiting.wait(60) == 0
    assert json.loads(coord.here("status", "--exp", "gpu", "--json").stdout)[0]["version"] == 1


def test_the_layout_of_the_inputs(coord: Coord) -> None:
    """The setting reaches sessions and dry runs."""
    _set(coord, 'layout = "2025"\nisolation = "none"')
    (coord.root / "pictures").mkdir()
    with (coord.root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('\n[tool.coord.dry_run]\ninput = "pictures"\n')
    (coord.root / "experiments" / "attached.yaml").write_text(
        "base: base\nkernel: {dataset_sources: [ada/scans], model_sources: [ada/net/pyTorch/big, ada/net/jax/big]}\n"
    )
    for framework in ("pyTorch/big/7", "jax/big/3"):
        (coord.root / framework).mkdir(parents=True)
        coord("local", "add-model", f"ada/net/{framework}", framework)
    (coord.root / "jax" / "big" / "3").rmdir()  # a model that is gone is stood in for
    coord("dry-run", "--exp", "attached")
    inputs = coord.root / ".coord" / "dry-run" / "attached" / "input"
    assert sorted(path.name for path in inputs.iterdir()) == ["net", "scans"]
    assert (inputs / "net" / "pytorch" / "big" / "7").resolve() == coord.root / "pyTorch" / "big" / "7"
    assert (inputs / "net" / "jax" / "big" / "1").resolve() == coord.root / "pictures"
    (coord.root / "jax" / "big" / "3").mkdir()
    coord("local", "add-dataset", "ada/scans", "pictures")
    coord("push", "--exp", "attached", "--wait")
    inputs = coord.session_root("tiny-attached", 1) / "input"
    assert sorted(path.name for path in inputs.iterdir()) == ["net", "scans"]
    assert sorted(path.parent.name for path in (inputs / "net").glob("*/*/*")) == ["big", "big"]


def test_a_machine_without_isolation_is_mentioned_once(coord: Coord) -> None:
    """The first dry run or push says what is not isolated, and what to do; none does where that is meant."""
    without = {"PATH": str(Path(sys.executable).parent)}
    first = coord("dry-run", "--exp", "base", variables=without)
    assert "note: the local Kaggle's sessions are not isolated on this machine" in first.stderr
    assert "apt install bubblewrap" in first.stderr
    assert "isolated" not in coord("push", "--exp", "base", "--wait", variables=without).stderr
    shutil.rmtree(coord.root / ".coord")
    _set(coord, 'isolation = "none"')
    assert "isolated" not in coord("dry-run", "--exp", "base", variables=without).stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('isolation = "docker"', "isolation: must be one of 'auto', 'none', is 'docker'"),
        ("layout = 2026", "tool.coord.local.layout"),
        ("gpu_sessions = 1.5", "tool.coord.local.gpu_sessions: must be a whole number, is 1.5"),
        ("memory_gib = -1", "tool.coord.local.memory_gib: must be >= 0, is -1"),
        ("gpu_quota_hours = inf", "tool.coord.local.gpu_quota_hours: must be a finite number, is inf"),
        ("memory_gb = 16", 'unknown key "memory_gb" (did you mean "memory_gib"?)'),
    ],
)
def test_settings_that_cannot_be(coord: Coord, text: str, message: str) -> None:
    """A message with the setting's name, before anything runs."""
    _set(coord, text)
    with pytest.raises(ProjectError) as error:
        find_project(coord.root)
    assert message in error.value.what


def test_no_limit_reaches_the_session(coord: Coord) -> None:
    """0 is no limit, and goes through the settings, the server and the version's record."""
    _set(coord, "memory_gib = 0\noutput_gb = 0\noutput_files = 0\nlog_mib = 0")
    coord("push", "--exp", "base", "--wait")
    record = json.loads((coord.session_root("tiny-base", 1).parent / "version.json").read_text(encoding="utf-8"))
    assert record["settings"]["memory_gib"] == 0
