"""Uploaded files become the folder of a data set's version, where archives are unpacked."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runner_test.errors import BadDataset
from runner_test.settings import Settings
from runner_test.state import unpacking, uploads
from runner_test.state.unpacking import Room
from runner_test.state.uploads import Upload

_MAX_FILES = 1_000_000


@dataclass(frozen=True)
class NewFile:
    """An uploaded file of a new version, and the folder that it belongs in."""

    upload: Upload
    folder: PurePosixPath


def assemble(root: Path, data: Path, files: Sequence[NewFile], settings: Settings) -> None:
    """Make the folder `data` with these files, read-only. Raises BadDataset.

    An archive is unpacked to a folder with its name; if it is the only file, to the top.
    """
    data.mkdir(parents=True)
    room = Room(settings.dataset, _MAX_FILES)
    for each in files:
        content = uploads.upload_content(root, each.upload.token)
        if not content.is_file():
            raise BadDataset(f"the upload of {each.upload.file_name!r} is not complete")
        try:
            (data / each.folder).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise BadDataset(f"{str(each.folder)!r} is a file and a folder") from error
        try:
            _place(content, each.upload.file_name, data / each.folder, room, is_sole=len(files) == 1)
        except FileExistsError as error:
            raise BadDataset(f"there are two files {str(each.folder / each.upload.file_name)!r}") from error
        except FileNotFoundError as error:  # while it was read
            raise BadDataset(f"the upload of {each.upload.file_name!r} has been used already") from error
    _close(data)


def _place(content: Path, name: str, folder: Path, room: Room, *, is_sole: bool) -> None:
    packed = unpacking.folder_name(name)
    if packed is not None and unpacking.unpack(content, name, folder if is_sole else folder / packed, room):
        return
    room.take(files=1, size=content.stat().st_size)
    try:
        (folder / name).hardlink_to(content)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(content, folder / name)


def _close(data: Path) -> None:
    """Make the files and folders read-only: a session that is not isolated could change them for all that follow."""
    for folder, _, names in os.walk(data, topdown=False):
        for name in names:
            Path(folder, name).chmod(0o444)
        Path(folder).chmod(0o555)
