"""The digest of the work of a kernel: of its files, config, environment and what it reads, but not of its name."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coordinator.kaggle_rules import normal_metadata

if TYPE_CHECKING:  # it imports the template engine, which most commands do not need
    from coordinator.kernel.build import Build

_OTHERWISE = frozenset({"id", "id_no", "title", "code_file", "is_private", "keywords"})
"""Keys of kernel-metadata.json that do not change what a session does: names, and who may see it."""

_OF_CONTENT = re.compile(r"/coord-(?:sources|wheels)-[0-9a-f]{12}$")


@dataclass(frozen=True, order=True)
class Source:
    """One version of what a run reads: of another kernel's output, or of a data set."""

    reference: str
    """owner/slug, in the form of `normal_name`; datasets/owner/slug for a data set."""
    version: int

    def __str__(self) -> str:
        return f"{self.reference} v{self.version}"

    @classmethod
    def parse_all(cls, data: Any) -> tuple[Source, ...]:
        """What `to_json` of a run wrote. Raises TypeError if it is anything else."""
        try:
            # A kernel that is needed by two names is there twice.
            found = tuple(dict.fromkeys(cls(each["reference"], each["version"]) for each in data))
        except (KeyError, TypeError, IndexError) as error:
            raise TypeError(f"a source is not of the form reference and version: {error}") from error
        if not all(type(each.reference) is str and type(each.version) is int for each in found):
            raise TypeError("a source has a value of another type than it should")
        return found


_USUAL: Mapping[str, Any] = {}
"""The start of a model source: its entry, without arguments, in the kernel's working directory."""


def is_of_content(reference: object) -> bool:
    """Whether a data set (owner/slug) is one that coord has named by its content: sources, or wheels."""
    return _OF_CONTENT.search(str(reference)) is not None


def work_to_do(built: Build, reads: Sequence[Source] = ()) -> str:
    """The digest of a built kernel's work that reads these versions, equal to `ledger.work.work_of` of its run."""
    files = {file.path: file.sha256 for file in built.files}
    return digest_of_work(files, built.experiment.config, built.metadata.data, reads, built.launch)


def digest_of_work(
    files: Mapping[str, str],
    config: Mapping[str, Any],
    metadata: Mapping[str, Any],
    reads: Sequence[Source] = (),
    launch: Mapping[str, Any] = _USUAL,
) -> str:
    """SHA-256 of the files (path -> SHA-256), the config, those metadata that change what a session does, and `reads`.

    Metadata name their sources without a version: `reads` has the versions that are known. Without any, the digest is
    that of a coord which did not know versions. `launch` is what of the program's start changes the work, too (see
    `Launch.work`).
    """
    surroundings = {key: value for key, value in normal_metadata(metadata).items() if key not in _OTHERWISE}
    if needs := launch.get("needs"):  # they are part of the launch, without the owner, who is known at a push only
        slugs = tuple(f"/{slug}" for slug in needs.values())
        sources = surroundings.get("kernel_sources") or ()
        surroundings["kernel_sources"] = [name for name in sources if not name.endswith(slugs)]
    # Those that coord makes of the sources and of the wheels: the files and the launch say what is in them.
    if any(map(is_of_content, sources := surroundings.get("dataset_sources") or ())):
        surroundings["dataset_sources"] = [name for name in sources if not is_of_content(name)]
    parts: list[Any] = [dict(files), dict(config), surroundings]
    if reads:
        parts.append([[each.reference, each.version] for each in sorted(reads)])
    if launch:
        parts.append(dict(launch))
    text = json.dumps(parts, sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
