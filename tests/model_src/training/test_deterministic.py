"""The setting for torch's deterministic algorithms."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from model_src.config import Config
from model_src.identity import refused
from tests.model_src.session_root import PROJECT

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
def test_flags_are_set_if_they_are_wanted(wanted: bool) -> None:
    """torch's, cuDNN's and cuBLAS's, in a process of its own; none of them otherwise."""
    environment = {name: value for name, value in os.environ.items() if name != "CUBLAS_WORKSPACE_CONFIG"}
    command = [sys.executable, "-c", PROGRAM, str(wanted)]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(wanted)] * 4


def test_a_run_can_be_continued_with_another_value() -> None:
    """The setting changes no meaning, so it may differ from that of the run before."""
    config = Config()
    values = {"train": {"deterministic": config.train.deterministic}}
    other = replace(config.train, deterministic=True)
    assert refused(values, {"train": {"deterministic": other.deterministic}}) == []
