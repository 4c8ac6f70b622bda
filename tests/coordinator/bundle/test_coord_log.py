"""A bundle brings coord_log by itself when the program imports it."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.bundle.image import shipped_image
from coordinator.bundle.program import bundle, script_at
from coordinator.bundle.sources import collect
from coordinator.bundle.third_party import lacking
from tests.coordinator.bundle.programs import run_kernel, write_files
from tests.paths import ROOT

OWN = (ROOT / "coord_log.py").read_bytes()


@pytest.mark.parametrize(
    "files",
    [
        {"main.py": "from coord_log import log\n"},
        {"main.py": "import pack\n", "pack/__init__.py": "", "pack/train.py": "import coord_log\n"},
        {"main.py": "def report():\n    from coord_log import log\n    return log\n"},
    ],
)
def test_it_is_packed_where_it_is_imported(tmp_path: Path, files: dict[str, str]) -> None:
    found = {file.path: file.data for file in collect(write_files(tmp_path, files), "main.py")}
    assert found == {**{name: text.encode() for name, text in files.items()}, "coord_log.py": OWN}


def test_the_programs_own_comes_first(tmp_path: Path) -> None:
    files = collect(write_files(tmp_path, {"main.py": "import coord_log\n", "coord_log.py": "x = 1\n"}), "main.py")
    assert {file.path: file.data for file in files}["coord_log.py"] == b"x = 1\n"


def test_nobody_else_gets_it(tmp_path: Path) -> None:
    files = collect(write_files(tmp_path, {"main.py": "print('coord_log')\n"}), "main.py")
    assert [file.path for file in files] == ["main.py"]


def test_it_is_not_missing_from_the_image(tmp_path: Path) -> None:
    files = collect(write_files(tmp_path, {"main.py": "import coord_log\n"}), "main.py")
    assert not lacking(files, shipped_image(), entry="main.py")


def test_it_reports_from_a_kernel(tmp_path: Path) -> None:
    program = "from coord_log import log\nlog.fold(0, auc=0.5)\nlog.final(auc=0.5, mode='max')\n"
    script, _ = bundle(script_at(write_files(tmp_path / "p", {"main.py": program}) / "main.py"))
    ran = run_kernel(script.text, tmp_path / "session")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("COORD {") == 2
    assert ran.left == ("metrics.json", "metrics.jsonl")
