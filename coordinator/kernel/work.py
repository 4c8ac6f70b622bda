"""The digest of what a kernel does: its files, config and surroundings, whatever it is called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from coordinator.kernel.build import Build

_OTHERWISE = frozenset({"id", "id_no", "title", "code_file", "is_private", "keywords"})
"""Of kernel-metadata.json: what a kernel is called and who may see it."""


def work_to_do(built: Build) -> str:
    """The digest of what a built kernel would do, as `ledger.work.work_of` has it of a run."""
    files = {file.path: file.sha256 for file in built.files}
    return digest_of_work(files, built.experiment.config, built.metadata.data)


def digest_of_work(files: Mapping[str, str], config: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """SHA-256 of the files (path -> SHA-256), the config and what of the metadata changes what a session does."""
    surroundings = {key: value for key, value in metadata.items() if key not in _OTHERWISE}
    text = json.dumps([dict(files), dict(config), surroundings], sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
