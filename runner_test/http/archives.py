"""All files of a folder as one zip file, the way Kaggle serves an output or a competition's data as a whole."""

import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path


def archive(files: Iterable[tuple[str, Path]]) -> Path:
    """A zip file, in the system's temporary folder, of (name, path); whoever asked for it removes it."""
    with tempfile.NamedTemporaryFile(prefix="kaggle-", suffix=".zip", delete=False) as file:
        path = Path(file.name)
        try:
            # Not compressed: most of it is weights and pictures, and the wire is this machine's own.
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed:
                for name, source in files:
                    packed.write(source, name)
        except BaseException:
            path.unlink()
            raise
    return path
