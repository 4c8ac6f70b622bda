"""Archives in which Kaggle serves a whole output, a competition's or data set's whole data, or a whole model."""

import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def archive(files: Iterable[tuple[str, Path]]) -> Path:
    """Write `files`, pairs of (name, path), to a temporary zip file, which the caller removes."""
    with (
        _temporary(".zip") as (path, file),
        # Not compressed: weights and pictures compress badly, and the network is the loopback.
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed,
    ):
        for name, source in files:
            packed.write(source, name)
    return path


def tape(files: Iterable[tuple[str, Path]]) -> Path:
    """Write `files`, pairs of (name, path), to a temporary tar.gz file, which the caller removes."""
    with (
        _temporary(".tar.gz") as (path, file),
        tarfile.open(fileobj=file, mode="w:gz", compresslevel=0) as packed,
    ):
        for name, source in files:
            packed.add(source, name, recursive=False)
    return path


@contextmanager
def _temporary(suffix: str) -> Iterator[tuple[Path, IO[bytes]]]:
    """A file that is removed if the block raises."""
    with tempfile.NamedTemporaryFile(prefix="kaggle-", suffix=suffix, delete=False) as file:
        path = Path(file.name)
        try:
            yield path, file
        except BaseException:
            path.unlink()
            raise
