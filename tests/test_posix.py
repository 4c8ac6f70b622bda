"""The tests that Windows can't run are skipped there with a reason; what fails for another reason still fails."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.posix import REFUSAL

WITHOUT = """
import sys
sys.modules.pop("fcntl", None)
class Without:
    def find_spec(self, name, path=None, target=None):
        if name == "fcntl":
            raise ModuleNotFoundError("No module named 'fcntl'", name=name)
sys.meta_path.insert(0, Without())
pytest_plugins = ["tests.posix"]
"""
TESTS = {
    "test_locks.py": "import fcntl\n\ndef test_lock() -> None:\n    pass\n",
    "test_mine.py": f"""
import pytest

def test_works(): pass
def test_late(): import fcntl
def test_local(): pytest.fail("exit code 1: {REFUSAL}")
def test_wrong(): assert 1 == 2

@pytest.fixture
def server(): import fcntl
def test_server(server): pass
""",
    "test_typo.py": "import fnctl\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"conftest.py": WITHOUT, **TESTS}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_only_what_windows_lacks_is_skipped(folder: Path) -> None:
    """With a pytest whose Python has no fcntl: a module, a test and a fixture that need it, and coord's own refusal."""
    command = (sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", folder)
    done = subprocess.run(
        [str(each) for each in (*command, "--continue-on-collection-errors", folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"1 failed, 1 passed, 4 skipped, 1 error", done.stdout), done.stdout
    assert done.stdout.count("Windows has no fcntl") == 3, done.stdout
    assert f"SKIPPED [1] {'test_mine.py'}" in done.stdout.replace(str(folder) + "/", "")
    assert re.search(rf"SKIPPED.*{REFUSAL}", done.stdout)
    assert REFUSAL in (ROOT / "coordinator" / "target" / "local.py").read_text(encoding="utf-8")
    assert re.search(r"FAILED.*test_wrong", done.stdout)
    assert re.search(r"ERROR.*test_typo", done.stdout)
