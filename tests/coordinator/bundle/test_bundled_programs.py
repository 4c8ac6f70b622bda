"""Whatever works unbundled works bundled: each sample of tests/samples/bundle is run as it is, and as a kernel."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from coordinator.bundle.arguments import paths_named
from coordinator.bundle.files import SourceFile
from coordinator.bundle.script import Content, render_script
from coordinator.bundle.sources import Selection, collect
from coordinator.errors import BundleError
from coordinator.project.shipped import default_template
from tests.coordinator.bundle.programs import NONE, left_in
from tests.paths import SAMPLES

PROGRAMS = SAMPLES / "bundle"
NOBODY = 65534
CAN_BE_NOBODY = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("setpriv") is not None
# Allowed to read everything, since this Python may lie in somebody's home.
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)

# A path in which sources lie: where the original was copied to, or where the kernel has unpacked them.
_ROOT = re.compile(r"/[^\s\"']*?/(?:original|working|coord-[0-9a-f]{16}/sources)(?=/)")


@dataclass(frozen=True)
class Sample:
    """A program, and how it is started."""

    name: str
    entry: str = "main.py"
    """A script's path, or a module's name for `python -m`."""
    arguments: tuple[str, ...] = ()
    stdin: str = ""
    prints: str = ""
    """The output of a sample that uses torch. To load torch takes seconds: the sample is not run unbundled as well,
    and in one kind of folder only. (`children`, `inspect_source` and `workers_of_a_script` do the same without it.)"""
    path: tuple[str, ...] = ()
    """Folders that PYTHONPATH names."""
    in_checkout: tuple[bool, ...] = (False, True)
    """Whether its sources lie in a checkout. A program that uses relative names runs only there."""

    def __str__(self) -> str:
        return "-".join([self.name, *self.arguments])

    @property
    def torch(self) -> bool:
        return bool(self.prints)

    @property
    def start(self) -> list[str]:
        return [self.entry] if self.entry.endswith(".py") else ["-m", self.entry]


@dataclass(frozen=True)
class Outcome:
    """What a program shows of itself."""

    code: int
    out: str
    err: str


METHODS = ("fork", "spawn", "forkserver")
CODES = ("0", "3", "255", "256", "-1", "None", "True", "'text'", "(1, 2)", "hard", "subclass", "fork")
SIGNALS = ("TERM", "INT", "KILL", "PIPE")
TRACEBACKS = (
    *("chained", "context", "group", "broken", "thread", "at_exit", "own_hook", "logged", "interrupted"),
    *("asyncio_task", "noted", "deleted", "missing", "assertion", "several_lines"),
)
STARTED_AS_MODULES = {
    "relative_imports": "pack.train",
    "namespace_entry": "outer.inner.run",
    "computed_names": "pack",
    "module_entry": "pack.tools.run",
    "children": "pack",
    "syntax_error_of_a_module": "pack.train",
    "missing_entry_module": "pack.not_there",
    "import_error_of_the_entry": "pack.train",
    "latin_1_entry": "pack.train",
    "shadowed_library_of_a_module": "pack",
    "names_of_libraries_in_a_package": "pack.train",
    "deep_packages": "a.b.c.d.e.run",
    "threads": "pack",
}
TORCH_CODE = """\
2 [2.0, 2.0] [3.0, 3.0]
fork [[0, 1], [4, 9], [16, 25]]
spawn [[0, 1], [4, 9], [16, 25]]
2
"""
TORCH_RUN = """\
10 __main__ 11 __main__
children ended with 1
"""
# What import statements don't reach: `coord bundle --include` takes it.
INCLUDED = {"own_paths": ("vendored/*.py",), "unittest_names": ("pack/*.py",)}
# `coord bundle` refuses these, because a source is broken or the entry is missing: they are packed without it.
REFUSED = ("missing_entry_module", "syntax_error", "syntax_error_of_a_module", "tracebacks")
FAIL = (
    "missing_entry_module",
    "syntax_error",
    "syntax_error_of_a_module",
    "import_error_of_the_entry",
    "latin_1_entry",
)
FAIL_OR_NOT = ("tracebacks", "traceback_of_a_script", "exit_codes", "signals", "argv", "argv_of_a_module")
STARTED_IN_A_SPECIAL_WAY = [
    Sample("package_entry", "pack", ("--lr", "0.1")),
    Sample("script_entry", arguments=("--lr", "0.1")),
    Sample("script_in_a_folder", "tools/main.py"),
    *(Sample("workers_of_a_script", arguments=(method,)) for method in METHODS),
    *(Sample("workers_of_a_module", "pack.train", (method,)) for method in METHODS),
    *(
        Sample("argv", arguments=arguments)
        for arguments in [(), ("--lr", "1e-3", "a b", "", "ü", "'\""), ("--help",), ("--unknown",)]
    ),
    Sample("argv_of_a_module", "pack", ("--unknown",)),
    *(Sample("exit_codes", arguments=(code,)) for code in CODES),
    *(Sample("signals", arguments=(f"SIG{name}", "default")) for name in SIGNALS),
    *(Sample("signals", arguments=(name, how)) for name in ("SIGTERM", "SIGINT") for how in ("handled", "ignored")),
    *(Sample("tracebacks", "pack", (kind,)) for kind in TRACEBACKS),
    Sample("path_additions", "tools/main.py"),
    *(Sample("relative_additions", arguments=(name,), in_checkout=(True,)) for name in ("wide", "default")),
    Sample("named_folders", arguments=("a",)),
    Sample(
        "named_by_arguments",
        arguments=("--config", "configs/wide.json", "--words=words.txt", "--data-dir", "data"),
        in_checkout=(True,),
    ),
    Sample("programs", in_checkout=(True,)),
    Sample("names_of_a_module", "pack.train", in_checkout=(True,)),
    Sample("src_layout", "lungs.train", path=("src",)),
    Sample("script_of_a_src_layout", "train.py", path=("src",)),
    Sample("stdin", stdin="Ada\nsecond\nthird"),
    Sample("torch_code", in_checkout=(True,), prints=TORCH_CODE),
    Sample("torch_run", "pack", ("3",), in_checkout=(False,), prints=TORCH_RUN),
]
_SPECIAL = {sample.name for sample in STARTED_IN_A_SPECIAL_WAY}
ALL = [
    *(
        Sample(folder.name, STARTED_AS_MODULES.get(folder.name, "main.py"))
        for folder in sorted(PROGRAMS.iterdir())
        if folder.name not in _SPECIAL
    ),
    *STARTED_IN_A_SPECIAL_WAY,
]
ONE_EACH = list({each.name: each for each in ALL if not (each.torch or each.in_checkout == (True,))}.values())


def _parameter(sample: Sample) -> Any:
    return pytest.param(sample, id=str(sample), marks=[pytest.mark.slow] if sample.torch else [])


def _files(folder: Path) -> list[SourceFile]:
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return [SourceFile(path.relative_to(folder).as_posix(), path.read_bytes()) for path in sorted(paths)]


def _kernel(sample: Sample, *, in_checkout: bool = False) -> str:
    folder, included = PROGRAMS / sample.name, INCLUDED.get(sample.name, ())
    is_refused = sample.name in REFUSED
    selection = Selection(
        include=included, path=sample.path, named=paths_named(sample.arguments), in_checkout=in_checkout
    )
    files = _files(folder) if is_refused else collect(folder, sample.entry, selection)
    content = Content(sample.entry, files, path=sample.path, in_checkout=in_checkout)
    return render_script(default_template("kernel.py.j2"), content).text


def _run(
    sample: Sample, command: list[str], working: Path, temporary: Path, variables: Mapping[str, str] = NONE
) -> Outcome:
    done = subprocess.run(
        [*command, *sample.arguments],
        cwd=working,
        env={**os.environ, "TMPDIR": str(temporary), "HOME": str(temporary), "PYTHONUNBUFFERED": "", **variables},
        input=sample.stdin.encode(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    # An output stays bytes in all but its type: what is no UTF-8 differs too.
    out, err = (stream.decode("utf-8", "backslashreplace") for stream in (done.stdout, done.stderr))
    return Outcome(done.returncode, out, re.sub(" 0x[0-9a-f]+", " 0x...", _ROOT.sub("ROOT", err)))


@functools.cache
def _original(sample: Sample) -> Outcome:
    """How the program ends unbundled, in a copy of its folder that is then gone."""
    if sample.torch:
        return Outcome(1 if sample.arguments else 0, sample.prints, "")
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory, "original")
        shutil.copytree(PROGRAMS / sample.name, root, ignore=shutil.ignore_patterns("__pycache__"))
        Path(directory, "t").mkdir()
        paths = [*(str(root / each) for each in sample.path), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = {"PYTHONPATH": os.pathsep.join(paths)}
        return _run(sample, [sys.executable, "-B", *sample.start], root, Path(directory, "t"), variables)


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path that every user may enter: pytest's own folders are for one user, and too long for sockets."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.mark.parametrize("sample", [_parameter(sample) for sample in ALL])
def test_bundled_as_unbundled(sample: Sample, place: Path) -> None:
    """The same exit code and output, from a temporary directory and in a checkout, and nothing left.

    From a temporary directory each program runs once where it is hardest, if that is possible: by a user who owns
    nothing there, under another name, in a directory that cannot be written.
    """
    if sample.torch:
        pytest.importorskip("torch")
    original = _original(sample)
    # A sample that fails by mistake would agree with its original, and show nothing.
    if not sample.torch and sample.name not in FAIL_OR_NOT:
        assert bool(original.code) is (sample.name in FAIL), original
    for in_checkout in sample.in_checkout:
        is_hardest = CAN_BE_NOBODY and sample in ONE_EACH and not in_checkout
        temporary, working = place / f"{in_checkout:d}" / "t", place / f"{in_checkout:d}" / "working"
        temporary.mkdir(parents=True)
        working.mkdir()
        script = working / "renamed kernel" if is_hardest else working.parent / "script.py"
        script.write_bytes(_kernel(sample, in_checkout=in_checkout).encode())
        if is_hardest:
            temporary.chmod(0o1777)
            script.chmod(0o444)
            working.chmod(0o555)
        command = [*AS_NOBODY, sys.executable, script.name] if is_hardest else [sys.executable, str(script)]
        assert _run(sample, command, working, temporary) == original
        # A process that is killed cannot remove its files; in a checkout there is another one that does.
        if in_checkout or (original.code >= 0 and "hard" not in sample.arguments):
            assert [path for path in left_in(temporary) if path.startswith("coord-")] == []
        assert list(working.iterdir()) == ([script] if is_hardest else [])
        assert {path.name for path in working.parent.iterdir()} - {"script.py"} == {"t", "working"}


@pytest.mark.parametrize("sample", [sample for sample in ONE_EACH if sample.name in REFUSED], ids=str)
def test_broken_samples_are_refused(sample: Sample) -> None:
    with pytest.raises(BundleError):
        collect(PROGRAMS / sample.name, sample.entry)


def test_every_sample_is_run() -> None:
    """A sample that is named here but is not there, or the other way round, would test nothing."""
    names = {folder.name for folder in PROGRAMS.iterdir()}
    assert {*STARTED_AS_MODULES, *_SPECIAL} <= names
    assert names == {sample.name for sample in ALL}
