"""Runs a notebook's cells in a kernel of its own, as Kaggle does with papermill: `python run_notebook.py FROM TO`.

The output of the cells goes to this program's streams as it comes. TO is the executed notebook, rewritten after each
cell. The first cell that fails ends the run: its traceback goes to stderr, and the exit code is 1.

It does not use papermill or nbclient, because their kernels start a session of processes of their own, which would go
on when this one is killed at its time limit. It imports nothing of runner_test: a session runs it as a program.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_TICK = 1.0  # seconds after which a silent kernel is checked


class KernelDied(Exception):
    """The notebook's kernel did not start, or ended during a cell; the argument is its exit code."""


def main(source: str, executed: str) -> int:
    """Run all cells of the notebook `source` and write `executed`; returns the exit code."""
    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.connect import write_connection_file

    notebook = json.loads(Path(source).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="nb-", ignore_cleanup_errors=True) as directory:
        # Sockets in a private folder: a port could be taken or reached by others.
        file, _ = write_connection_file(f"{directory}/kernel.json", transport="ipc", ip=f"{directory}/s")
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", file]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=_environment()) as kernel:
            client = BlockingKernelClient(connection_file=file)
            try:
                client.load_connection_file()
                # Without the heartbeat: on a busy machine it mistakes a slow kernel for a dead one.
                client.start_channels(hb=False)
                _wait_until_ready(client, kernel)
                return _run_cells(notebook, Path(executed), client, kernel)
            except KernelDied as error:
                print(f"The notebook's kernel died, or did not start: exit code {error}.", file=sys.stderr)
                return 1
            finally:
                _shut_down(client, kernel)


def _wait_until_ready(client: Any, kernel: "subprocess.Popen[bytes]") -> None:
    """Wait until the kernel answers and its messages arrive. Raises KernelDied."""
    give_up = time.monotonic() + _START_SECONDS
    while kernel.poll() is None and time.monotonic() < give_up:
        try:
            client.wait_for_ready(timeout=_TICK)
            client.kernel_info()
            client.get_iopub_msg(timeout=_TICK)
            return
        except (RuntimeError, queue.Empty):
            continue  # not yet
    raise KernelDied(kernel.poll())


def _shut_down(client: Any, kernel: "subprocess.Popen[bytes]") -> None:
    """Ask the kernel to end, and kill it if it does not."""
    client.shutdown()
    try:
        kernel.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        kernel.kill()
    client.stop_channels()


def _environment() -> dict[str, str]:
    # With JPY_PARENT_PID the kernel ends when this process has ended. Front ends set the others for their pages.
    own = {"JPY_PARENT_PID": str(os.getpid())}
    return {**os.environ, **own, "TERM": "xterm-color", "CLICOLOR": "1", "FORCE_COLOR": "1", "PAGER": "cat"}


def _run_cells(notebook: dict[str, Any], executed: Path, client: Any, kernel: "subprocess.Popen[bytes]") -> int:
    code_cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for cell in code_cells:
        cell["outputs"], cell["execution_count"] = [], None
    for number, cell in enumerate(code_cells, start=1):
        cell["execution_count"] = number
        try:
            _run_cell("".join(cell["source"]), cell["outputs"], client, kernel)
        finally:
            _write(executed, notebook)
        error = next((output for output in cell["outputs"] if output["output_type"] == "error"), None)
        if error is not None:
            rule = "-" * 75
            text = "\n".join(error["traceback"])
            print(f'{rule}\nException encountered at "In [{number}]":\n{rule}\n{text}', file=sys.stderr, flush=True)
            return 1
    return 0


def _run_cell(code: str, outputs: list[dict[str, Any]], client: Any, kernel: "subprocess.Popen[bytes]") -> None:
    """Run one cell, print its output, and collect its results. Raises KernelDied."""
    request = client.execute(code, allow_stdin=False)
    while True:
        try:
            message = client.get_iopub_msg(timeout=_TICK)
        except queue.Empty:
            if kernel.poll() is not None:
                raise KernelDied(kernel.returncode) from None
            continue
        if message["parent_header"].get("msg_id") != request:
            continue
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "status" and content["execution_state"] == "idle":
            return
        if kind == "stream":
            stream = sys.stderr if content["name"] == "stderr" else sys.stdout
            stream.write(content["text"])
            stream.flush()
            last = outputs[-1] if outputs else {}
            if last.get("name") == content["name"]:
                last["text"] += content["text"]
            else:
                outputs.append({"output_type": "stream", "name": content["name"], "text": content["text"]})
        elif kind in ("display_data", "execute_result", "error"):
            kept = ("data", "metadata", "execution_count", "ename", "evalue", "traceback")
            outputs.append({"output_type": kind} | {name: content[name] for name in kept if name in content})


def _write(file: Path, notebook: dict[str, Any]) -> None:
    partial = file.with_name(f".{file.name}.part")
    partial.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(file)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
