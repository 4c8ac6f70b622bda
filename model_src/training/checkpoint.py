"""Checkpoint files: tensors and plain values, written atomically, with a digest that shows damage.

A file has the content of `torch.save`, so that `torch.load` can read it, followed by a line with its SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ..files import replacing

SCHEMA = 3
MARK = b"\nsha256:"
TAIL = len(MARK) + 64


class DamagedCheckpoint(ValueError):
    """A checkpoint that is damaged or has another format."""


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Replace a checkpoint file; `state` has tensors and plain values only."""
    with replacing(path, is_durable=True) as file:
        torch.save({"schema": SCHEMA, **state}, file)
        file.write(MARK + _digest(file, file.tell()))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a file of `save_checkpoint`, with tensors on the CPU. Raises DamagedCheckpoint when it is not one."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END) - TAIL
        file.seek(max(size, 0))
        tail = file.read()
        if size < 0 or not tail.startswith(MARK) or tail[len(MARK) :] != _digest(file, size):
            raise DamagedCheckpoint(f"{path} is damaged or was not written completely")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DamagedCheckpoint(f"{path} has other content than tensors and plain values") from error
    if state.get("schema") != SCHEMA:
        raise DamagedCheckpoint(f"{path} is not a checkpoint of schema {SCHEMA}")
    return state


def _digest(file: BinaryIO, size: int) -> bytes:
    """The SHA-256 of the first `size` bytes, in hexadecimal digits; the position of the file is behind them."""
    digest = hashlib.sha256()
    file.seek(0)
    while size and (block := file.read(min(size, 1 << 20))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest().encode()
