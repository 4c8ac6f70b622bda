"""Configs are told apart by their texts: the same as if each was parsed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from coordinator.comparison.configs import key_of, seed_of, without_seed
from coordinator.project.project import Project
from coordinator.project.result_settings import SweepSettings
from coordinator.project.values import leaves
from tests.coordinator.sample_runs import BARE

CONFIGS: list[dict[str, Any]] = [
    *({"seed": 1, "lr": 0.1}, {"lr": 0.1, "seed": 2}, {"seed": 2, "lr": 0.2}, {"seed": 1.5, "lr": 0.1}),
    *({"seed": None}, {"seed": "1"}, {"seed": 10**20}, {"seed": -3}, {"seed": True}),
    *({"a": {"seed": 1}}, {"a": {"seed": 5}}, {"a": {"repeat": 2}}, {"a": {"repeat": 3}}, {"repeat": 1}, {"repeat": 2}),
    *({"parts": [{"seed": 1}]}, {"parts": [{"seed": 2}]}, {"parts": {"x": [1, {"seed": 1}]}}),
    *({'x"seed': 1}, {'x"seed': 2}, {"x.seed": 1}, {"x.seed": 2}, {"note": '"seed": 5, '}, {"note": '"seed": 6, '}),
    *({"train": {"state": 1}}, {"train": {"state": 2}}, {"state": 3}, {"state": 4}, {"a": {"state": 3}}),
    *({"note": "\0001", "seed": 1}, {"note": "\0001", "seed": 2}, {}),
]


@pytest.mark.parametrize("seed", ["seed", "train.state", "not.there"])
def test_a_text_tells_a_config_as_parsing_it_does(tiny: Project, seed: str) -> None:
    """Whatever the config has: seeds in lists count, as do names that only look like seeds."""
    settings = dataclasses.replace(tiny.settings, sweep=SweepSettings(seed=seed))
    project = dataclasses.replace(tiny, settings=settings)
    runs = [dataclasses.replace(BARE, config=config) for config in CONFIGS]
    for one in runs:
        found = dict(leaves(one.config)).get(seed)
        assert seed_of(project, one) == (found if isinstance(found, int) else None), one.config
        for other in runs:
            is_same = without_seed(project, one.config) == without_seed(project, other.config)
            assert (key_of(project, one) == key_of(project, other)) == is_same, (one.config, other.config)
