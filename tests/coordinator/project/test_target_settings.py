"""The tables of named targets: what is taken, and what is said of the rest."""

from __future__ import annotations

import pytest

from coordinator.project.schema import check
from coordinator.project.settings import Settings, parse_target
from coordinator.project.target_settings import RaySettings, SlurmSettings, is_target_name

SLURM = {"kind": "slurm", "root": "/scratch/ada"}
RAY = {"kind": "ray", "root": "/scratch/ada", "address": "http://ray:8265/"}


def test_a_table_becomes_the_settings_of_its_kind() -> None:
    table = {
        "target": "uni",
        "targets": {
            "uni": SLURM | {"shapes": {"nvidiateslat4": ["--gres=gpu:2"], "cpu": []}, "sources": {"Ada/W": "/data/w"}},
            "lab-2": RAY | {"shapes": {"NvidiaTeslaT4": {"gpus": 2}}},
        },
    }
    found, problems = check(Settings, table)
    assert found is not None, problems
    uni, lab = found.targets["uni"], found.targets["lab-2"]
    assert isinstance(uni, SlurmSettings)
    assert isinstance(lab, RaySettings)
    assert uni.shapes == {"NvidiaTeslaT4": ("--gres=gpu:2",), "cpu": ()}
    assert uni.sources == {"ada/w": "/data/w"}
    assert (lab.address, lab.shapes["NvidiaTeslaT4"].gpus) == ("http://ray:8265", 2.0)
    assert found.target_names == ("kaggle", "local", "uni", "lab-2")
    assert parse_target("uni", found) == "uni"
    with pytest.raises(ValueError, match=r'no target "unu" \(did you mean "uni"\?\) \(targets are kaggle, local'):
        parse_target("unu", found)


@pytest.mark.parametrize(
    ("targets", "path", "message"),
    [
        ({"uni": {"root": "/x"}}, "targets.uni.kind", "is missing: it must be one of slurm, ray"),
        ({"uni": {"kind": "slrum", "root": "/x"}}, "targets.uni.kind", 'did you mean "slurm"'),
        ({"uni": {"kind": "slurm"}}, "targets.uni.root", "is missing"),
        ({"uni": SLURM | {"user": "ada"}}, "targets.uni.user", "say host"),
        ({"uni": SLURM | {"root": "scratch"}}, "targets.uni.root", "must be an absolute path"),
        ({"uni": SLURM | {"root": "/a/../b"}}, "targets.uni.root", "must be an absolute path"),
        ({"uni": SLURM | {"host": "-oProxyCommand=x"}}, "targets.uni.host", "must be one line"),
        ({"uni": SLURM | {"time": "a day"}}, "targets.uni.time", "must be minutes"),
        ({"uni": SLURM | {"extra": ["gpu"]}}, "targets.uni.extra", "options of sbatch"),
        ({"uni": SLURM | {"signal_before": 1}}, "targets.uni.signal_before", "must be >= 10"),
        ({"uni": SLURM | {"sources": {"../x": "/y"}}}, "targets.uni.sources", "no owner/slug"),
        ({"uni": RAY | {"address": "ray:8265"}}, "targets.uni.address", "must be one such as"),
        ({"kaggle": SLURM}, "targets", 'a table "kaggle"'),
        ({"Uni": SLURM}, "targets", 'has "Uni"'),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(targets: object, path: str, message: str) -> None:
    found, problems = check(Settings, {"targets": targets})
    assert found is None
    assert [problem.path for problem in problems] == [path]
    assert message in problems[0].message


def test_names_that_a_file_and_a_runs_name_can_have() -> None:
    assert all(map(is_target_name, ("uni", "lab-2", "a_b", "x" * 40)))
    assert not any(map(is_target_name, ("", "Uni", "a b", "a--b", "-a", "a/b", "2a", "x" * 41, None)))
