"""Checkpoint files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from model_src.training.checkpoint import DamagedCheckpoint, load_checkpoint, save_checkpoint


def test_checkpoint_is_written_completely_or_not_at_all(tmp_path: Path, flushed: list[bytes]) -> None:
    """A failed write does not change the file, and torch can read the file directly."""
    path = tmp_path / "state.pth"
    save_checkpoint(path, {"tensor": torch.arange(3)})
    before = path.read_bytes()
    assert flushed == [before]  # before it got its name
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(path, {"tensor": torch.arange(3), "function": lambda: None})
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["state.pth"]
    assert torch.load(path, weights_only=True)["tensor"].tolist() == load_checkpoint(path)["tensor"].tolist()
    shutil.copyfile(path, tmp_path / "foreign.pth")
    torch.save({"model": {}}, tmp_path / "foreign.pth")
    with pytest.raises(DamagedCheckpoint, match=r"foreign\.pth is damaged or was not written completely"):
        load_checkpoint(tmp_path / "foreign.pth")


@dataclass(frozen=True)
class Code:
    """Creates a file when it is unpickled."""

    path: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_code_in_a_checkpoint_is_not_executed(tmp_path: Path) -> None:
    """Even if its digest is right: an attached output may be anybody's."""
    save_checkpoint(tmp_path / "state.pth", {"model": Code(tmp_path / "ran")})
    with pytest.raises(DamagedCheckpoint, match=r"state\.pth has other content than tensors and plain values"):
        load_checkpoint(tmp_path / "state.pth")
    assert not (tmp_path / "ran").exists()


def test_a_changed_byte_is_damage(tmp_path: Path) -> None:
    """In the middle of a tensor, where torch reads it without an error."""
    path = tmp_path / "state.pth"
    save_checkpoint(path, {"tensor": torch.full((100,), 7, dtype=torch.uint8)})
    content = path.read_bytes()
    assert content.count(b"\7" * 100) == 1
    path.write_bytes(content.replace(b"\7" * 100, b"\7" * 99 + b"\6"))
    with pytest.raises(DamagedCheckpoint, match="is damaged or was not written completely"):
        load_checkpoint(path)
