"""Files of tensors and plain values that are there completely or not at all, and say when they are damaged.

Each is what `torch.save` writes, so `torch.load` reads it, followed by a line with the SHA-256 of what is before it.
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


class TornCheckpoint(ValueError):
    """A checkpoint that is not as it was written."""


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Replace the file as a whole; `state` holds tensors and plain values alone."""
    with replacing(path, is_durable=True) as file:
        torch.save({"schema": SCHEMA, **state}, file)
        file.write(MARK + _digest(file, file.tell()))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote, on the CPU. Raises TornCheckpoint when it is anything else."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END) - TAIL
        file.seek(max(size, 0))
        tail = file.read()
        if size < 0 or not tail.startswith(MARK) or tail[len(MARK) :] != _digest(file, size):
            raise TornCheckpoint(f"{path} is damaged or was not written completely")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise TornCheckpoint(f"{path} holds more than tensors and plain values") from error
    if state.get("schema") != SCHEMA:
        raise TornCheckpoint(f"{path} is no checkpoint of schema {SCHEMA}")
    return state


def _digest(file: BinaryIO, size: int) -> bytes:
    """The SHA-256 of the file's first bytes, in hexadecimal digits; leaves the file's position at their end."""
    digest = hashlib.sha256()
    file.seek(0)
    while size and (block := file.read(min(size, 1 << 20))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest().encode()
