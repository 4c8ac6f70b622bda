"""What targets can do, and what is said where one cannot, or is not in the settings any more."""

from __future__ import annotations

import dataclasses

import pytest

from coordinator.errors import TargetError, UsageError
from coordinator.project.project import Project
from coordinator.project.target_settings import SlurmSettings, TargetSettings
from coordinator.target.abilities import ABILITIES, abilities_of, known_abilities, lacking, recorded_abilities
from coordinator.target.open import open_target
from coordinator.target.quota import current_quota
from coordinator.workspace import Workspace
from tests.coordinator.targets import MemoryTarget


@pytest.fixture
def lab(tiny: Project) -> Project:
    targets: dict[str, TargetSettings] = {"uni": SlurmSettings(kind="slurm", root="/scratch/ada")}
    return Project(tiny.root, dataclasses.replace(tiny.settings, targets=targets))


def test_abilities_go_by_the_kind(lab: Project) -> None:
    assert abilities_of(lab, "uni") is ABILITIES["slurm"]
    assert abilities_of(lab, "local").is_on_this_machine
    assert known_abilities(lab, "gone") is None
    # Of what only the ledger knows, the name says enough where it always stands for the same.
    assert recorded_abilities("kaggle") is ABILITIES["kaggle"]
    assert recorded_abilities("uni") is None


def test_a_target_that_the_settings_do_not_have_any_more(tiny: Project) -> None:
    with pytest.raises(TargetError, match=r"has no \[tool.coord.targets.uni\]"), open_target(tiny, "uni"):
        pass


def test_a_cluster_has_no_quota_and_no_data_sets(lab: Project) -> None:
    """Each is one message that says what to do instead, before anything is asked."""
    with pytest.raises(UsageError, match="uni is a Slurm cluster, which has no quota") as caught:
        current_quota(lab, "uni")
    assert "coord quota --target kaggle" in str(caught.value.hint)
    assert str(lacking("uni", ABILITIES["ray"], "no x", "Do y.")) == "uni is a Ray cluster, which has no x"

    class Cluster(MemoryTarget):
        abilities = ABILITIES["slurm"]

    with pytest.raises(UsageError, match="no data sets of its own") as caught:
        _ = Workspace(lab, None, Cluster(name="uni")).datasets  # type: ignore[arg-type]
    assert "[tool.coord.targets.uni]" in str(caught.value.hint)
