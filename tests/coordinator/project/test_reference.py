"""The list of all settings: every key is described, and its example can be written into pyproject.toml."""

from __future__ import annotations

import dataclasses
import tomllib
from typing import Any

import pytest

from coordinator.project import RaySettings, Settings, SlurmSettings, check, declared_paths
from coordinator.project.reference import Setting, setting_groups

GROUPS = setting_groups()
SETTINGS = [setting for group in GROUPS for setting in group.settings]
OPTIONAL_TABLES = ("metrics.primary", "metrics.oof")
"""Tables that are null by default: `declared_paths` takes each for one value."""
NAMED = "targets.NAME"
"""A table of each target, by its kind: `declared_paths` takes all of them for one value, `targets`."""
REQUIRED: dict[str, dict[str, Any]] = {
    "slurm": {"kind": "slurm", "root": "/scratch"},
    "ray": {"kind": "ray", "root": "/scratch", "address": "http://ray:8265"},
}
"""What a table must have, by kind."""


def test_the_list_has_every_declared_key_once() -> None:
    listed = [setting.key for setting in SETTINGS if not setting.key.startswith(NAMED)]
    taken_for_one = {*OPTIONAL_TABLES, "targets"}
    declared = {path for path in declared_paths(Settings) if not path.endswith(".INSTEAD")} - taken_for_one
    assert {key for key in listed if key.rpartition(".")[0] not in OPTIONAL_TABLES} == declared
    assert {key.rpartition(".")[0] for key in listed} >= set(OPTIONAL_TABLES)
    assert len(listed) == len(set(listed))


def test_the_list_has_the_tables_of_each_kind_of_cluster() -> None:
    for declared in (SlurmSettings, RaySettings):
        (group,) = [group for group in GROUPS if group.kind == declared.KIND]
        below = {field.name for field in dataclasses.fields(declared)} - {"shapes"}
        assert {setting.name for setting in group.settings} | {"shapes"} == below | {"shapes"}


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        pytest.param(group.kind, each, id=f"{group.kind} {each.key}".strip())
        for group in GROUPS
        for each in group.settings
    ],
)
def test_a_setting_is_described_and_its_example_is_accepted(kind: str, setting: Setting) -> None:
    """The example, written into its table, passes the check that every command makes of the settings."""
    assert len(setting.about) > 10, "no docstring below the field"
    assert setting.about.endswith("."), setting.about
    value = tomllib.loads(f"example = {setting.example}")["example"]
    required: dict[str, Any] = {"mode": "max", "name": "auc"} if setting.key.startswith("metrics.primary") else {}
    table: dict[str, Any] = {**required, **REQUIRED.get(kind, {}), setting.name: value}
    for name in reversed(setting.key.split(".")[:-1]):
        # A request of a shape lies in a table of Ray's.
        table = {name: table, **(REQUIRED["ray"] if name == "shapes" else {})}
        table = {key.replace("NAME", "uni"): below for key, below in table.items()}
    found, problems = check(Settings, table)
    assert found is not None, problems


def test_a_default_is_what_a_project_without_the_key_has() -> None:
    defaults = Settings()
    for setting in SETTINGS:
        value: Any = defaults
        for name in setting.key.split("."):
            value = getattr(value, name, None)
        if setting.default and not setting.key.startswith((*OPTIONAL_TABLES, NAMED)):
            written = tomllib.loads(f"value = {setting.default}")["value"]
            assert (tuple(written) if isinstance(value, tuple) else written) == value, setting.key
