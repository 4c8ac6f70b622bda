"""Which files of a session's working directory are served."""

from pathlib import Path

import requests

from tests.runner_test.local import Local


def test_output_stays_inside(local: Local, tmp_path: Path) -> None:
    """Links that lead out of the working directory and names that are not UTF-8 are not served; others are."""
    (tmp_path / "passwords").write_text("secret")
    script = f"""
import os
os.symlink({str(tmp_path / "passwords")!r}, "stolen")
os.symlink({str(tmp_path)!r}, "everything")
os.symlink("../src/script.py", "source")
os.symlink("nowhere", "dangling")
os.symlink("kept", "inside")
open("kept", "w").write("kept")
open("with space & \u00fc?#%.txt", "w").write("odd")
open(b"bad-\\xff", "w").close()
os.mkfifo("pipe")
"""
    local.run("links", script)
    files = {file.file_name: file.url for file in local.output("links").files}
    assert sorted(files) == ["inside", "kept", "with space & ü?#%.txt"]
    assert requests.get(files["inside"], timeout=10).text == "kept"
    assert requests.get(files["with space & ü?#%.txt"], timeout=10).text == "odd"
