"""How a session's processes are ended."""

import time

from tests.runner_test.local import WAITS_FOR_GO, Local, alive, eventually


def test_the_time_limit(local: Local) -> None:
    """A session is ended after its time limit, with its children, and keeps its output."""
    started = time.monotonic()
    status = local.run("too-slow", "open('left', 'w').close()\n" + WAITS_FOR_GO, session_timeout_seconds=1)
    assert status.status.name == "ERROR"
    assert "time limit of 1 seconds" in status.failure_message
    assert time.monotonic() - started < 10
    assert not alive(local.pid("too-slow"))
    assert [file.file_name for file in local.output("too-slow").files] == ["left"]


def test_children_end_with_the_script(local: Local) -> None:
    """Children that outlive the script are ended, those in a session of their own, too: Kaggle discards the machine."""
    script = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, other.pid)
"""
    assert local.run("parent", script).status.name == "COMPLETE"
    for child in map(int, local.log_text("parent").split()):
        eventually(lambda child=child: not alive(child), "the child has ended")  # type: ignore[misc]
