"""`python -m runner_test` as a process."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner_test.server import running_server
from runner_test.store import Store
from tests import forked
from tests.paths import ROOT
from tests.runner_test.local import WAITS_FOR_GO, Local


def command(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """`python -m runner_test` as a process."""
    return forked.start(
        [sys.executable, "-m", "runner_test", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def test_serving_in_the_foreground(store: Store) -> None:
    """`serve` prints its address, ends at Ctrl-C with exit code 0, and its sessions go on."""
    with command("--root", str(store.root), "serve", "--port", "0", "--isolation", "none") as server:
        assert server.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert found
        local = Local(found[0], store)
        local.push("foreground", WAITS_FOR_GO)
        local.pid("foreground")
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=20)
    assert (server.returncode, err) == (0, "")
    assert "has stopped" in out
    with running_server(store.root) as other:
        assert Local(other.url, store).state("foreground") == "RUNNING"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["add-dataset", "a/b", "/does/not/exist"], 1, "error: data set a/b: no folder /does/not/exist"),
        (["add-dataset", "no-slash", "."], 1, "error: 'no-slash' is not of the form owner/slug"),
        (["add-dataset", "../../x", "."], 1, "is not of the form owner/slug"),
        (["add-competition", "../x", "."], 1, "is not a valid name"),
        (["cancel", "me/none"], 1, "there is no kernel me/none"),
        (["--root", "README.md", "serve", "--port", "0"], 1, "README.md can't be made: File exists"),
        (["serve", "--port", "notaport"], 2, "invalid int value"),
        (["serve", "--port", "99999"], 1, "port 99999: there is no such port"),
        (["add-competition", "c", ".", "--scorer", "a:b"], 2, "--solution and --scorer must be given together"),
    ],
)
def test_bad_input_on_the_command_line(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    """One line on stderr and exit code 1, or 2 for wrong usage; never a stack trace."""
    with command("--root", str(tmp_path / "k"), *arguments) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_registering_and_cancelling_on_the_command_line(local: Local, tmp_path: Path) -> None:
    """Registered folders are mounted, and `cancel` ends the session."""
    root = ["--root", str(local.store.root)]
    for arguments in (["add-dataset", "me/data", str(tmp_path)], ["add-competition", "siim", str(tmp_path)]):
        with command(*root, *arguments) as process:
            assert process.wait(20) == 0
    answer = local.push("waiting", WAITS_FOR_GO, dataset_data_sources=["me/data"], competition_data_sources=["siim"])
    assert (answer.invalid_dataset_sources, answer.invalid_competition_sources) == ([], [])
    local.pid("waiting")
    mounted = sorted(path.name for path in (local.working("waiting").parent / "input").iterdir())
    assert mounted == ["competitions", "datasets"]
    with command(*root, "cancel", "me/waiting") as process:
        assert process.wait(20) == 0
    local.reach("waiting", "CANCEL_ACKNOWLEDGED")
