"""Writes distributions as an installer leaves them in site-packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.coordinator.bundle.programs import NONE, write_files


def install(
    site: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str | bytes] = NONE,
    requires: Sequence[str] = (),
    python: str = "",
    info: Mapping[str, str] = NONE,
) -> None:
    """One distribution in the folder `site`; `files` are its own, `info` further ones of its dist-info folder."""
    folder = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {each}" for each in requires] + [f"Requires-Python: {python}"] * bool(python)
    whole = {
        **files,
        f"{folder}/METADATA": "\n".join(metadata) + "\n",
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{folder}/INSTALLER": "pip\n",
        **{f"{folder}/{file}": text for file, text in info.items()},
    }
    record = "".join(f"{file},,\n" for file in sorted({*whole, f"{folder}/RECORD"}, reverse=True))
    write_files(site, {f"{folder}/RECORD": record, **whole})
