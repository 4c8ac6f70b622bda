"""Notebooks: run cell by cell in a kernel, logged live, ended as a script is."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
import requests
from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelRequest

from runner_test.errors import NoJupyter
from runner_test.sessions import SessionOptions, run_once
from tests.runner_test.local import WAITS_FOR_GO, Local, alive, eventually, fill, notebook

pytest.importorskip("ipykernel", reason="pip install 'coord[notebook]'")


def run(local: Local, slug: str, *sources: str) -> Any:
    """Push and wait for the session's end; returns the answer with its status."""
    return local.run(slug, notebook(*sources), kernel_type="notebook")


def log(local: Local, slug: str) -> dict[str, str]:
    """The text of a session's log, by stream."""
    records = json.loads(local.output(slug).log)
    return {
        name: "".join(record["data"] for record in records if record["stream_name"] == name)
        for name in ("stdout", "stderr")
    }


def test_a_notebook_runs(local: Local) -> None:
    """Its cells share variables and print into the log; its output has their files and the executed notebook."""
    status = run(
        local,
        "by-cells",
        "import os, sys\nx = 20",
        "x += 1\nprint('x ü', x)\nprint('aside', file=sys.stderr)\nopen('left.txt', 'w').close()",
        "print(os.getcwd(), os.environ['KAGGLE_KERNEL_RUN_TYPE'], '__file__' in globals())\nx * 2",
    )
    assert status.status.name == "COMPLETE", local.log_text("by-cells")
    working = local.working("by-cells")
    assert log(local, "by-cells") == {"stdout": f"x ü 21\n{working} Batch False\n", "stderr": "aside\n"}
    files = {file.file_name: file.url for file in local.output("by-cells").files}
    assert sorted(files) == ["__notebook__.ipynb", "left.txt"]
    executed: Any = nbformat.reads(requests.get(files["__notebook__.ipynb"], timeout=10).text, as_version=4)
    nbformat.validate(executed)
    _, _, second, third = executed.cells
    assert [(output.name, output.text) for output in second.outputs] == [("stdout", "x ü 21\n"), ("stderr", "aside\n")]
    assert third.outputs[-1].data == {"text/plain": "42"}
    assert [cell.execution_count for cell in executed.cells[1:]] == [1, 2, 3]


def test_the_log_is_live(local: Local) -> None:
    """The output of a cell is in the log while the cell runs."""
    local.push("live-one", notebook(WAITS_FOR_GO), kernel_type="notebook")
    local.pid("live-one")
    assert local.state("live-one") == "RUNNING"
    local.go("live-one")
    assert local.reach("live-one", "COMPLETE", "ERROR").status.name == "COMPLETE"
    assert local.log_text("live-one").endswith("gone\n")


def test_a_cell_that_fails(local: Local) -> None:
    """ERROR; the traceback is in the log and the executed notebook, and no later cell runs."""
    status = run(local, "failing", "def half(x):\n    return 1 / x", "half(0)", "print('never')")
    assert (status.status.name, status.failure_message) == ("ERROR", "The notebook ended with exit code 1.")
    printed = re.sub(r"\x1b\[[\d;]*m", "", log(local, "failing")["stderr"])
    assert 'Exception encountered at "In [2]":' in printed
    assert "----> 2     return 1 / x" in printed
    assert "ZeroDivisionError: division by zero" in printed
    assert log(local, "failing")["stdout"] == ""
    executed: Any = nbformat.read(str(local.working("failing") / "__notebook__.ipynb"), as_version=4)
    assert executed.cells[2].outputs[0].ename == "ZeroDivisionError"
    assert executed.cells[3].execution_count is None


def test_a_kernel_that_dies(local: Local) -> None:
    """A crash of the interpreter is an ERROR, and the session ends."""
    status = run(local, "crashing", "import os\nprint('said', flush=True)", "os.abort()")
    assert status.status.name == "ERROR"
    assert "The notebook's kernel died, or did not start: exit code -6." in local.log_text("crashing")


@pytest.mark.parametrize("end", ["time limit", "cancelled", "deleted"])
def test_a_notebook_is_ended_with_all_that_it_started(local: Local, end: str) -> None:
    """The kernel and the processes that its cells started are ended, also those with a process group of their own."""
    code = "import os, subprocess, sys\nother = subprocess.Popen([sys.executable, '-c', 'input()'], process_group=0, \
stdin=subprocess.PIPE)\nprint('other', other.pid, flush=True)"
    limit: dict[str, Any] = {"session_timeout_seconds": 5} if end == "time limit" else {}
    local.push("endless", notebook(code, WAITS_FOR_GO), kernel_type="notebook", **limit)
    pid = local.pid("endless")
    found = re.search(r"other (\d+)", local.log_text("endless"))
    assert found is not None
    version = local.version("endless")
    if end == "cancelled":
        local.store.cancel(version)
    elif end == "deleted":
        local.store.delete(version.reference)
    eventually(lambda: not alive(pid) and not alive(int(found[1])), "both have ended")
    if end != "deleted":
        local.reach("endless", "ERROR" if end == "time limit" else "CANCEL_ACKNOWLEDGED")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("print('a script')", "The source is not a notebook."),
        ('{"cells": 3}', "The source is not a notebook."),
        ("[]", "The source is not a notebook."),
        ('{"cells": [{"cell_type": "code"}]}', "The source is not a notebook."),
        ('{"cells": [{"cell_type": "code", "source": ["print()\\n"]}]}', "must be one string"),
    ],
)
def test_what_is_no_notebook_is_refused(refusing: Local, source: str, message: str) -> None:
    """Nothing is saved. A cell's source must be one string, as the official client sends it."""
    assert message in refusing.push("a-notebook", source, kernel_type="notebook").error
    assert refusing.store.kernels() == []


def test_a_kernels_type_stays(local: Local) -> None:
    """A script can't become a notebook, nor a notebook a script; GetKernel returns the type."""
    local.run("one-type", "pass")
    refused = local.push("one-type", notebook("pass"), kernel_type="notebook")
    assert refused.error == "The kernel is a script: its type can't be changed to notebook."
    run(local, "other-type", "pass")
    assert "is a notebook" in local.push("other-type", "pass").error
    answer = local.api().get_kernel(fill(ApiGetKernelRequest(), user_name="me", kernel_slug="other-type"))
    assert (answer.blob.kernel_type, answer.metadata.kernel_type) == ("notebook", "notebook")
    assert answer.blob.source == notebook("pass")


def test_a_kernel_of_an_earlier_day(local: Local) -> None:
    """A record without a kernel type, from an older version, is a script's."""
    local.run("old-one", "pass")
    record = local.store.paths(local.version("old-one")).record
    fields = json.loads(record.read_text())
    del fields["kernel_type"]
    record.write_text(json.dumps(fields))
    assert local.version("old-one").kernel_type == "script"


def test_without_jupyter(local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push and a run in the foreground name the package to install."""
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    assert (
        "pip install 'coord[local,notebook]'" in local.push("no-jupyter", notebook("1"), kernel_type="notebook").error
    )
    (tmp_path / "x.ipynb").write_text(notebook("1"))
    with pytest.raises(NoJupyter, match="needs ipykernel"):
        run_once(tmp_path / "x.ipynb", tmp_path, print, SessionOptions())
