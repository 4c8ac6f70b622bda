"""The setting for torch's deterministic algorithms."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from model_src.config import Config, to_dict
from model_src.identity import refused
from tests.model_src.session_root import LOADED, PROJECT
from tests.warm import run_warm

PROGRAM = """
import os, sys
from model_src.config import TrainConfig
from model_src.training import compute_deterministically
import torch
torch.backends.cudnn.benchmark = True
compute_deterministically(TrainConfig(deterministic=sys.argv[1] == "True"))
print(
    torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(),
    not torch.backends.cudnn.benchmark, os.environ.get("CUBLAS_WORKSPACE_CONFIG") == ":4096:8",
)
"""


@pytest.mark.parametrize("wanted", [True, False])
def test_flags_are_set_if_they_are_wanted(wanted: bool, tmp_path: Path) -> None:
    """torch's, cuDNN's and cuBLAS's, in a process of its own; none of them otherwise."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "CUBLAS_WORKSPACE_CONFIG"}
    environment["PYTHONPATH"] = os.pathsep.join([str(PROJECT), environment["PYTHONPATH"]])
    done = run_warm("program", str(wanted), cwd=tmp_path, env=environment, loaded=LOADED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(wanted)] * 4


def test_a_run_can_be_continued_with_another_value() -> None:
    """The setting changes no meaning, so it may differ from that of the run before."""
    config = Config()
    other = replace(config, train=replace(config.train, deterministic=True))
    assert to_dict(other) != to_dict(config)
    assert refused(to_dict(config), to_dict(other)) == []
