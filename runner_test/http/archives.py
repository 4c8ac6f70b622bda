"""Zip archives, in which Kaggle serves a whole output or a competition's whole data."""

import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path


def archive(files: Iterable[tuple[str, Path]]) -> Path:
    """Write `files`, pairs of (name, path), to a temporary zip file, which the caller removes."""
    with tempfile.NamedTemporaryFile(prefix="kaggle-", suffix=".zip", delete=False) as file:
        path = Path(file.name)
        try:
            # Not compressed: weights and pictures compress badly, and the network is the loopback.
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed:
                for name, source in files:
                    packed.write(source, name)
        except BaseException:
            path.unlink()
            raise
    return path
