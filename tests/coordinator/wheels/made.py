"""Writes wheels into a folder that stands for an index, and projects that require them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from coordinator.project.project import Project, find_project
from tests.coordinator.bundle.programs import NONE, write_files

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
CP = f"cp{PYTHON.replace('.', '')}"
ANY = "py3-none-any"


def write_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str | bytes] = NONE,
    requires: Sequence[str] = (),
    tag: str = ANY,
) -> Path:
    """One wheel; a file's name may begin with the wheel's .data folder, as "data/scripts/x"."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {each}" for each in requires]
    metadata += [f"Provides-Extra: {extra}" for each in requires for extra in re.findall(r'extra == "(\w+)"', each)]
    whole: dict[str, str | bytes] = {
        **{f"{stem}.{path}" if path.startswith("data/") else path: data for path, data in files.items()},
        f"{stem}.dist-info/METADATA": "\n".join(metadata) + "\n",
        f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    whole = {path.replace("dist-info/own/", f"{stem}.dist-info/"): data for path, data in whole.items()}
    contents = {path: data.encode() if isinstance(data, str) else data for path, data in whole.items()}
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=") for path, data in contents.items()
    }
    record = "".join(f"{path},sha256={digests[path].decode()},{len(data)}\n" for path, data in contents.items())
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{stem}-{tag}.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in {**contents, f"{stem}.dist-info/RECORD": record.encode()}.items():
            wheel.writestr(path, data)
    return folder / f"{stem}-{tag}.whl"


COMPILED = """
#define PY_SSIZE_T_CLEAN
#include <Python.h>
static PyObject *twice(PyObject *self, PyObject *number) { return PyNumber_Add(number, number); }
static PyMethodDef methods[] = {{"twice", twice, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fast", NULL, -1, methods};
PyMODINIT_FUNC PyInit__fast(void) { return PyModule_Create(&module); }
"""


def compiled(folder: Path) -> bytes:
    """An extension module `_fast` with a function `twice`; skips the test without a C compiler and Python's headers."""
    headers = Path(sysconfig.get_paths()["include"])
    if not (headers / "Python.h").is_file():
        pytest.skip(f"no Python.h in {headers}: an extension module can't be compiled")
    source, library = folder / "_fast.c", folder / "_fast.so"
    source.write_text(COMPILED)
    try:
        subprocess.run(["cc", "-O0", "-shared", "-fPIC", f"-I{headers}", source, "-o", library], check=True)
    except OSError as error:
        pytest.skip(f"no C compiler: {error}")
    return library.read_bytes()


def write_project(
    root: Path, requirements: Sequence[str], *, image: Mapping[str, str | None] = NONE, python: str = PYTHON
) -> Project:
    """A project whose script is `train.py`, with a table of its image's packages."""
    table = {"date": "2026-01-01", "python": python, "source": "made up", "packages": dict(image), "modules": {}}
    settings = f'[tool.coord]\ntarget = "local"\nentry = "train.py"\nrequirements = {json.dumps(list(requirements))}\n'
    write_files(
        root,
        {
            "pyproject.toml": settings,
            "kaggle-image.json": json.dumps(table),
            "experiments/first.yaml": "config: {rate: 2}\n",
            "train.py": "print(1)\n",
        },
    )
    return find_project(root)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which pip finds wheels, and nowhere else."""
    pytest.importorskip("pip", reason="this Python has no pip")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path / "index"
