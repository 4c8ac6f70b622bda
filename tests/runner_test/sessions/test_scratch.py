"""A session's private folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from runner_test.sessions import scratch
from tests import forked
from tests.paths import ROOT

KEEPS_A_FOLDER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from runner_test.sessions import scratch
with scratch.folder() as path:
    (path / "file").touch()
    path.chmod(0o700)
    print(path, flush=True)
    time.sleep(600)
"""


def test_a_killed_session_leaves_its_folder_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is kept while its supervisor lives; once that is killed, the next session removes it, and no others."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    foreign = tmp_path / "kaggle-of-another-program"
    foreign.mkdir()
    command = [sys.executable, "-c", KEEPS_A_FOLDER, str(ROOT)]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with forked.start(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        assert left.parent == tmp_path
        with scratch.folder() as own:
            assert (left / "file").exists()
        assert not own.exists()
        process.kill()
    assert (left / "file").exists()
    with scratch.folder():
        assert not left.exists()
    assert foreign.exists()
