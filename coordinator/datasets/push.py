"""The verb data push: a folder becomes the newest version of a private data set."""

from __future__ import annotations

from pathlib import Path

from coordinator.ledger import DatasetVersion
from coordinator.workspace import Workspace


def push_folder(
    workspace: Workspace, folder: Path, reference: str, *, message: str = "", wait: bool = True
) -> DatasetVersion:
    """Makes the folder's content the newest version of the data set owner/slug, which is created if there is none.

    Returns once the version is ready, so that a kernel which is pushed then reads it; without `wait`, once the target
    has taken it. Content that the newest version has already is not sent again. An upload that broke off goes on.
    """
    raise NotImplementedError
