"""A program in a checkout: what it reads is there, what it writes stays, and its own unchanged files are no output."""

from __future__ import annotations

import importlib.util
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from coordinator.bundle.files import SourceFile
from coordinator.bundle.script import Content, render_script
from coordinator.errors import BundleError
from coordinator.project.shipped import default_template
from tests.coordinator.bundle.programs import left_in, write_files

FILES = {
    "src/train.py": """\
import os, signal, sys, time
sys.path.append("models")
import unet, util
print(sys.argv[1:], open("config/default.json").read(), unet.NAME, util.NAME)
open("config/used.json", "w").write("{}")
os.makedirs("runs/1")
open("runs/1/model.pt", "w").write("weights")
open("notes.txt", "a").write("changed")
print("ready", flush=True)
how = sys.argv[1]
if how == "raise":
    raise ValueError(how)
if how == "exit":
    os._exit(7)
if how == "wait":
    time.sleep(60)
if how.startswith("SIG"):
    os.kill(os.getpid(), getattr(signal, how))
""",
    "src/util.py": "NAME = 'util'\n",
    "models/unet.py": "NAME = 'unet'\n",
    "config/default.json": '{"lr": 1}',
    "notes.txt": "as packed, ",
    "data/unused.txt": "x",
}
OUTPUT = ["config/used.json", "notes.txt", "runs/1/model.pt"]


def kernel(entry: str, arguments: Sequence[str] = (), files: Mapping[str, str] = FILES) -> str:
    sources = [SourceFile(name, text.encode()) for name, text in files.items()]
    content = Content(entry, sources, arguments=arguments, in_checkout=True)
    return render_script(default_template("kernel.py.j2"), content).text


def started(text: str, place: Path) -> subprocess.Popen[str]:
    """The kernel, started in `place`/working."""
    for folder in ("working", "t"):
        (place / folder).mkdir(exist_ok=True)
    (place / "script.py").write_text(text, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, str(place / "script.py")],
        cwd=place / "working",
        env={**os.environ, "TMPDIR": str(place / "t")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("how", "code"),
    [("end", 0), ("raise", 1), ("exit", 7), ("SIGKILL", -9), ("SIGTERM", -15), ("SIGSEGV", -11), ("SIGABRT", -6)],
)
def test_however_it_ends(tmp_path: Path, how: str, code: int) -> None:
    """The output is there, the unchanged files and the empty folders are gone, and so is the temporary directory."""
    with started(kernel("src/train.py", [how, "a b"]), tmp_path) as process:
        out = process.communicate(timeout=60)[0]
    assert process.returncode == code, out
    assert f"['{how}', 'a b'] {{\"lr\": 1}} unet util\n" in out
    assert files_in(tmp_path / "working") == OUTPUT
    assert (tmp_path / "working/notes.txt").read_text() == "as packed, changed"
    assert not (tmp_path / "working/data").exists()
    assert left_in(tmp_path / "t") == ()


@pytest.mark.parametrize("to_group", [False, True])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_from_outside(tmp_path: Path, number: signal.Signals, to_group: bool) -> None:
    """The program gets it once, also if it is sent to the whole process group, and its end is the kernel's end."""
    program = (
        "import signal, sys, time\n"
        "def stop(number, frame):\n    print('stopped by', number, flush=True)\n    time.sleep(0.3)\n    sys.exit(3)\n"
        f"signal.signal({number:d}, stop)\nopen('out.txt', 'w').write('1')\n"
        "print('ready', flush=True)\ntime.sleep(60)\n"
    )
    with started(kernel("train.py", files={"train.py": program}), tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (os.killpg if to_group else os.kill)(process.pid, number)
        out = process.communicate(timeout=60)[0]
    assert (process.returncode, out) == (3, f"stopped by {number:d}\n")
    assert files_in(tmp_path / "working") == ["out.txt"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_killed_kernel_leaves_nothing_running(tmp_path: Path) -> None:
    """What it wrote is kept. Its own files stay, since nobody is left who could remove them."""
    with started(kernel("src/train.py", ["wait"]), tmp_path) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "ready\n":
            pass
        process.kill()
        begun = time.monotonic()
        process.stdout.read()  # until the program's process has closed it, too
        assert time.monotonic() - begun < 30
    assert set(OUTPUT) < set(files_in(tmp_path / "working"))


def test_files_that_were_there_stay(tmp_path: Path) -> None:
    """Equal ones, of an earlier run or of the repository itself; they are not the kernel's to remove."""
    write_files(tmp_path / "working", {"src/util.py": FILES["src/util.py"], "config/other.json": "1"})
    with started(kernel("src/train.py", ["end"]), tmp_path) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert files_in(tmp_path / "working") == sorted([*OUTPUT, "config/other.json", "src/util.py"])


@pytest.mark.parametrize("files", [{"src/util.py": "other"}, {"src/util.py/x": ""}, {"src": ""}])
def test_other_files_are_never_touched(tmp_path: Path, files: dict[str, str]) -> None:
    write_files(tmp_path / "working", files)
    with started(kernel("src/train.py", ["end"]), tmp_path) as process:
        out = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert out.startswith("coord: ")
    assert "run the kernel in an empty directory" in out
    assert files_in(tmp_path / "working") == list(files)


def test_programs_that_start_their_own_files(tmp_path: Path) -> None:
    """As another Python process, as a module, and by the name of a script with a shebang."""
    files = {
        "launch.py": (
            "import subprocess, sys\n"
            "subprocess.run([sys.executable, 'train.py', '--fold', '0'], check=True)\n"
            "subprocess.run([sys.executable, '-m', 'src.train'], check=True)\n"
            "subprocess.run(['./run.sh'], check=True)\n"
        ),
        "train.py": "import sys, helper\nprint(sys.argv[1:])\n",
        "helper.py": "",
        "src/train.py": "print(__name__)\n",
        "run.sh": "#!/bin/sh\necho shell\n",
    }
    with started(kernel("launch.py", files=files), tmp_path) as process:
        out = process.communicate(timeout=60)[0]
    assert (process.returncode, out) == (0, "['--fold', '0']\n__main__\nshell\n")
    assert files_in(tmp_path / "working") == []


def test_libraries_are_not_compiled_again(tmp_path: Path) -> None:
    """They have their bytecode beside them: to compile a large one takes longer than to load it. Also in a child."""
    shows = "import statistics\nprint(statistics.__cached__)\n"
    files = {"train.py": f"{shows}import subprocess, sys\nsubprocess.run([sys.executable, 'b.py'])\n", "b.py": shows}
    with started(kernel("train.py", files=files), tmp_path) as process:
        out = process.communicate(timeout=60)[0]
    assert out.splitlines() == [importlib.util.cache_from_source(str(statistics.__file__))] * 2


def test_an_old_template_is_refused(tmp_path: Path) -> None:
    """A project's own template that knows nothing of arguments would start the program without them."""
    template = tmp_path / "kernel.py.j2"
    template.write_text("{{ bootstrap }}\nrun(files={}, archive='', config=None, entry={{ entry }}, experiment='')\n")
    for content in (Content("train.py", (), arguments=["--fold"]), Content("train.py", (), in_checkout=True)):
        with pytest.raises(BundleError, match="would not be started as the settings say"):
            render_script(template, content)
