"""The project of tests/samples/parity, a code competition with hidden data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.coordinator.command import Coord, delete_kernels
from tests.paths import SAMPLES

_ANY = """import csv, os
from pathlib import Path

DATA = Path(os.environ.get("COORD_KAGGLE_ROOT", "/kaggle"), "input/competitions/parity")
rows = list(csv.DictReader((DATA / "test.csv").open()))
Path("submission.csv").write_text("id,label\\n" + "".join(f"{row['id']},{int(row['value']) % 2}\\n" for row in rows))
if (DATA / "again.py").exists():
    exec((DATA / "again.py").read_text())
"""


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coord]:
    """`coord` in a copy of the project: for all tests of a module, because sessions are what takes time.

    Its folders visible and hidden have the competition's kit, too. In the rerun of the experiment `any`, whose run is
    green, the text of hidden/again.py is executed at the end.
    """
    root = tmp_path_factory.mktemp("rehearsal") / "parity"
    for name in ("parity", "gateway"):
        shutil.copytree(SAMPLES / name, root, dirs_exist_ok=True)
    for name in ("visible", "hidden"):
        shutil.copytree(SAMPLES / "gateway" / "kit", root / name, dirs_exist_ok=True)
    (root / "experiments" / "any.yaml").write_text("entry: any.py\n")
    (root / "any.py").write_text(_ANY)
    yield Coord(root, dict(os.environ))
    delete_kernels(root / ".coord" / "local-kaggle")


Register = Callable[..., str]


@pytest.fixture(scope="module")
def register(parity: Coord) -> Register:
    """Adds the competition, with the given options besides its hidden data."""

    def add(*options: str) -> str:
        given = ("parity", str(parity.root / "visible"), "--hidden", str(parity.root / "hidden"), "--code-only")
        return parity.here("local", "add-competition", *given, *options).stderr

    return add
