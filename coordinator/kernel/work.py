"""The digest of the work of a kernel: of its files, config and environment, but not of its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it imports the template engine, which most commands do not need
    from coordinator.kernel.build import Build

_OTHERWISE = frozenset({"id", "id_no", "title", "code_file", "is_private", "keywords"})
"""Keys of kernel-metadata.json that do not change what a session does: names, and who may see it."""


_USUAL: Mapping[str, Any] = {}
"""The start of a model source: its entry, without arguments, in the kernel's working directory."""


def work_to_do(built: Build) -> str:
    """The digest of a built kernel's work, equal to `ledger.work.work_of` of its run."""
    files = {file.path: file.sha256 for file in built.files}
    return digest_of_work(files, built.experiment.config, built.metadata.data, built.launch)


def digest_of_work(
    files: Mapping[str, str], config: Mapping[str, Any], metadata: Mapping[str, Any], launch: Mapping[str, Any] = _USUAL
) -> str:
    """SHA-256 of the files (path -> SHA-256), the config and those metadata that change what a session does.

    `launch` is what of the program's start changes it, too (see `Launch.work`).
    """
    surroundings = {key: value for key, value in metadata.items() if key not in _OTHERWISE}
    parts = [dict(files), dict(config), surroundings, *([dict(launch)] if launch else [])]
    text = json.dumps(parts, sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
