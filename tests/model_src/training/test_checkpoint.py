"""Checkpoint files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from model_src.training.checkpoint import DamagedCheckpoint, load_checkpoint, save_checkpoint


def test_checkpoint_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    """A failed write does not change the file, and torch can read the file directly."""
    path = tmp_path / "state.pth"
    save_checkpoint(path, {"tensor": torch.arange(3)})
    before = path.read_bytes()
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(path, {"tensor": torch.arange(3), "function": lambda: None})
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["state.pth"]
    assert torch.load(path, weights_only=True)["tensor"].tolist() == load_checkpoint(path)["tensor"].tolist()
    shutil.copyfile(path, tmp_path / "foreign.pth")
    torch.save({"model": {}}, tmp_path / "foreign.pth")
    with pytest.raises(DamagedCheckpoint, match=r"foreign\.pth is damaged or was not written completely"):
        load_checkpoint(tmp_path / "foreign.pth")
