"""The list of all settings: every key is described, and its example can be written into pyproject.toml."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from coordinator.project import Settings, check, declared_paths
from coordinator.project.reference import Setting, setting_groups

SETTINGS = [setting for group in setting_groups() for setting in group.settings]
OPTIONAL_TABLES = ("metrics.primary", "metrics.oof")
"""Tables that are null by default: `declared_paths` takes each for one value."""


def test_the_list_has_every_declared_key_once() -> None:
    listed = [setting.key for setting in SETTINGS]
    declared = {path for path in declared_paths(Settings) if not path.endswith(".INSTEAD")} - set(OPTIONAL_TABLES)
    assert {key for key in listed if key.rpartition(".")[0] not in OPTIONAL_TABLES} == declared
    assert {key.rpartition(".")[0] for key in listed} >= set(OPTIONAL_TABLES)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_a_setting_is_described_and_its_example_is_accepted(setting: Setting) -> None:
    """The example, written into its table, passes the check that every command makes of the settings."""
    assert len(setting.about) > 10, "no docstring below the field"
    assert setting.about.endswith("."), setting.about
    value = tomllib.loads(f"example = {setting.example}")["example"]
    required: dict[str, Any] = {"mode": "max", "name": "auc"} if setting.key.startswith("metrics.primary") else {}
    table: dict[str, Any] = {**required, setting.name: value}
    for name in reversed(setting.key.split(".")[:-1]):
        table = {name: table}
    found, problems = check(Settings, table)
    assert found is not None, problems


def test_a_default_is_what_a_project_without_the_key_has() -> None:
    defaults = Settings()
    for setting in SETTINGS:
        value: Any = defaults
        for name in setting.key.split("."):
            value = getattr(value, name, None)
        if setting.default and not setting.key.startswith(OPTIONAL_TABLES):
            written = tomllib.loads(f"value = {setting.default}")["value"]
            assert (tuple(written) if isinstance(value, tuple) else written) == value, setting.key
