"""`coord bundle`: samples run alike with their sources and as one script without; what it says, what it refuses."""

from __future__ import annotations

import ast
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from coordinator.bundle.files import failures_told
from coordinator.bundle.program import Program, bundle, module_of, script_at, write
from coordinator.bundle.script import Form
from coordinator.bundle.sources import Selection
from coordinator.errors import BundleError
from coordinator.files import is_leftover
from coordinator.names import is_confined
from tests import forked
from tests.coordinator.bundle.distributions import install
from tests.coordinator.bundle.programs import Ran, run_kernel, write_files
from tests.coordinator.command import COORD, run_coord, until
from tests.paths import SAMPLES

PROGRAMS = SAMPLES / "bundle_command"


@dataclass(frozen=True)
class Situation:
    """How a sample is started, and what must be in its bundle."""

    sample: str
    arguments: tuple[str, ...]
    """Of Python, in the sample's folder."""
    paths: str

    def program(self, folder: Path) -> Program:
        if self.arguments[0] == "-m":
            return module_of(self.arguments[1], folder)
        return script_at(folder / self.arguments[0], folder if "/" in self.arguments[0] else None)


SITUATIONS = [
    Situation(
        *("beside", ("main.py",)),
        "helper.py library/__init__.py library/deep/__init__.py library/deep/strip.py library/text.py "
        "library/words.txt main.py",
    ),
    Situation("namespace", ("main.py",), "main.py space/inner/leaf.py space/other.py"),
    Situation("inside", ("main.py",), "in_case.py in_class.py instead.py late_one.py main.py"),
    Situation("forms", ("main.py",), "forms/__init__.py forms/first.py forms/part.py forms/second.py main.py"),
    Situation("shadow", ("main.py",), "colorsys.py main.py"),
    Situation("literal", ("main.py",), "main.py one.py three/__init__.py three/four.py two.py"),
    Situation("computed", ("main.py",), "main.py plugins/a.py step_1.py step_2.py"),
    Situation("prefixed", ("main.py",), "main.py plugins/a.py"),
    Situation("data", ("main.py",), "main.py tables/one.csv tables/two.json words.txt"),
    Situation("other_script", ("main.py",), "beside.py main.py other.py"),
    Situation("folder", (".",), "__main__.py beside.py"),
    Situation("module", ("-m", "pack.tool"), "pack/__init__.py pack/part.py pack/tool.py"),
    Situation("two_folders", ("tools/main.py",), "only_above.py tools/both.py tools/main.py"),
]


def _original(folder: Path, *arguments: str, path: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.sample)
def test_samples_run_as_their_originals(situation: Situation, tmp_path: Path) -> None:
    """The same exit code and output without the sources, and no file in the bundle that is not needed."""
    folder = tmp_path / "sample"
    shutil.copytree(PROGRAMS / situation.sample, folder, ignore=shutil.ignore_patterns("__pycache__"))
    # A script below the root finds the root's modules by PYTHONPATH, as its bundle does.
    code, out, err = _original(folder, "-B", *situation.arguments, path=str(folder))
    assert (err, bool(out)) == ("", True)
    forms: tuple[Form, ...] = ("text", "archive")
    bundled = {form: bundle(situation.program(folder), form=form) for form in forms}
    shutil.rmtree(folder)
    for form, (script, files) in bundled.items():
        assert (script.form, " ".join(file.path for file in files)) == (form, situation.paths)
        ran = run_kernel(script.text, tmp_path / form)
        assert (ran.code, ran.out, ran.err) == (code, out, err), form


def _coord(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = run_coord("bundle", *arguments, cwd=folder, env=os.environ)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


SMALL: dict[str, str | bytes] = {
    "main.py": "import helper\nprint(helper.X, open(__file__).read().count('words.txt'))\n",
    "helper.py": "X = 1\n",
    "words.txt": "a\n",
}


def test_the_command_writes_a_script_that_runs(tmp_path: Path) -> None:
    """Progress is on stderr, an older output is replaced and is no part of the bundle, nothing is left beside it."""
    write_files(tmp_path, {**SMALL, "kernel.py": "import gone_long_ago\n", "main.py": "import helper, kernel\n"})
    write_files(tmp_path, SMALL)
    for _ in range(2):
        done = _coord(tmp_path, "main.py", "-o", "kernel.py")
        assert done.stdout == ""
        data, told = done.stderr.splitlines()
        assert data == "data: words.txt, named in main.py:2"
        size = (tmp_path / "kernel.py").stat().st_size
        assert told.startswith(f"3 files as text, {size:,} bytes, sha256:")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["helper.py", "kernel.py", "main.py", "words.txt"]
    assert (tmp_path / "kernel.py").stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert _run(tmp_path / "kernel.py", tmp_path / "session").out == "1 1\n"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _run(kernel: Path, session: Path) -> Ran:
    return run_kernel(kernel.read_text(encoding="utf-8"), session)


@pytest.mark.parametrize("name", ["a\nb/main.py", "\udcff.py", "x\u2028.py"])
def test_the_entrys_name_stands_in_a_comment(tmp_path: Path, name: str) -> None:
    """A line end in it would be the start of code, and half a character is no text: refused, in plain ASCII."""
    write_files(tmp_path, {name: ""})
    with pytest.raises(BundleError) as caught:
        bundle(script_at(tmp_path / name, tmp_path))
    assert caught.value.what == f"{name!a}: rename it, its name holds what cannot be printed"


def test_to_standard_output(tmp_path: Path) -> None:
    """-o - writes the same bytes as -o FILE."""
    write_files(tmp_path, SMALL)
    out = _coord(tmp_path, "main.py", "-o", "-").stdout
    _coord(tmp_path, "main.py", "-o", "../kernel.py")
    assert out == (tmp_path.parent / "kernel.py").read_text(encoding="utf-8")


def test_as_json(tmp_path: Path) -> None:
    """What was written, where, and of which files."""
    write_files(tmp_path, SMALL)
    told = json.loads(_coord(tmp_path, "main.py", "-o", "kernel.py", "--form", "archive", "--json").stdout)
    assert (told["output"], told["entry"], told["form"]) == ("kernel.py", "main.py", "archive")
    assert told["bytes"] == (tmp_path / "kernel.py").stat().st_size
    assert [(file["path"], file["bytes"]) for file in told["files"]] == [
        *(("helper.py", 6), ("main.py", len(SMALL["main.py"])), ("words.txt", 2)),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "what is to be bundled? Name a script, a folder with a __main__.py, or a module with -m"),
        (("main.py",), "where to? Name the file to write with -o (- is standard output)"),
        (("main.py", "-o", "-", "--json"), "-o - and --json both want standard output"),
        (("gone.py", "-o", "x.py"), "there is no script gone.py"),
        (("mian.py", "-o", "x.py"), 'there is no script mian.py (did you mean "main.py"?)'),
        (("main.py", "-o", ""), "where to? Name the file to write with -o"),
        (("-m", "gone", "-o", "x.py"), "there is no module gone in "),
        (("-m", "folder", "-o", "x.py"), "there is no module folder in "),
        (("folder", "-o", "x.py"), "there is no script folder/__main__.py"),
        (("words.txt", "-o", "x.py"), "words.txt is no Python source: its name does not end in .py"),
        (("main.py", "-o", "x.py", "--root", "folder"), "main.py does not lie below --root folder"),
        (("main.py", "-o", "x.py", "--root", "gone"), "--root gone: there is no such folder"),
    ],
)
def test_command_lines_that_make_no_sense(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    """Exit code 2, one line, and nothing is written."""
    write_files(tmp_path, {**SMALL, "folder/x.txt": ""})
    assert _coord(tmp_path, *arguments, code=2).stderr.startswith(f"coord: {message}")
    assert not (tmp_path / "x.py").exists()


def test_failures_leave_the_old_file(tmp_path: Path) -> None:
    """Exit code 1 for what cannot be bundled or written; the file of the last time stays as it is."""
    write_files(tmp_path, {**SMALL, "kernel.py": "old", "helper.py": "def f(:\n"})
    said = _coord(tmp_path, "main.py", "-o", "kernel.py", code=1).stderr
    assert "\ncoord: helper.py:1: invalid syntax\n" in said
    assert (tmp_path / "kernel.py").read_text() == "old"
    write_files(tmp_path, SMALL)
    said = _coord(tmp_path, "main.py", "-o", "gone/kernel.py", code=1).stderr
    assert "gone/kernel.py cannot be written: No such file or directory" in said
    said = _coord(tmp_path, "main.py", "-o", ".", code=1).stderr
    assert "coord: . cannot be written: Is a directory\n" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["helper.py", "kernel.py", "main.py", "words.txt"]


@pytest.mark.parametrize("output", ["main.py", "helper.py", "words.txt", "link.py"])
def test_a_source_is_never_overwritten(tmp_path: Path, output: str) -> None:
    """What would go into the bundle, whichever way it got there, and by whichever name."""
    write_files(tmp_path, SMALL)
    (tmp_path / "link.py").symlink_to("helper.py")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    said = _coord(tmp_path, "main.py", "-o", output, code=1).stderr
    assert f"coord: {output} is part of the program\nName another file with -o.\n" in said
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_older_bundle_in_a_package_is_no_part_of_it(tmp_path: Path) -> None:
    """It would grow with each bundle."""
    write_files(tmp_path, {"main.py": "import pack\n", "pack/__init__.py": ""})
    sizes = []
    for _ in range(2):
        _coord(tmp_path, "main.py", "-o", "pack/kernel.py")
        sizes.append((tmp_path / "pack" / "kernel.py").stat().st_size)
    assert sizes[0] == sizes[1]


def test_links_and_pipes_stay_what_they_are(tmp_path: Path) -> None:
    """Through a link its target is written, and a pipe (or a device) is written to, not replaced by a file."""
    link, pipe = tmp_path / "link.py", tmp_path / "pipe"
    link.symlink_to("real.py")
    write(link, "x = 1\n")
    assert (link.is_symlink(), (tmp_path / "real.py").read_text()) == (True, "x = 1\n")
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        write(pipe, "x = 2\n")
        assert reader.communicate(timeout=60)[0] == "x = 2\n"
    assert pipe.is_fifo()


def test_vendored_distributions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They go in; what they need besides is said, and refused for a kernel, whose image is known."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    install(tmp_path / "site", "zoo", files={"zoo/__init__.py": "X = 1\n"}, requires=["cage-of-no-image"])
    write_files(tmp_path / "program", {"main.py": "import zoo\nprint(zoo.X)\n"})
    program = script_at(tmp_path / "program" / "main.py")
    said: list[str] = []
    script, files = bundle(program, vendor=["zoo"], say=said.append)
    assert said == ["warning: zoo 1.0 needs cage-of-no-image, which is not vendored"]
    assert {"main.py", "zoo/__init__.py"} < {file.path for file in files}
    assert run_kernel(script.text, tmp_path / "session", variables={"PYTHONPATH": ""}).out == "1\n"
    with pytest.raises(BundleError, match="which is neither in the image nor vendored"):
        bundle(program, vendor=["zoo"], kaggle=True)


def test_for_kaggle(tmp_path: Path) -> None:
    """Missing imports are a warning, for the kernel may install them; what is too large is refused, nothing written."""
    write_files(tmp_path, {"main.py": "import zoo, numpy, pack\n", "pack/__init__.py": ""})
    assert "zoo" not in _coord(tmp_path, "main.py", "-o", "kernel.py").stderr
    told = _coord(tmp_path, "main.py", "-o", "kernel.py", "--kaggle").stderr
    assert told.startswith("warning: main.py:1 imports zoo, which the image of ")
    (tmp_path / "pack" / "noise.bin").write_bytes(os.urandom(1_100_000))
    said = _coord(tmp_path, "main.py", "-o", "large.py", "--kaggle", code=1).stderr
    assert "do not fit into Kaggle's 1,048,576 bytes, not even compressed; the largest:\n" in said
    said = _coord(tmp_path, "main.py", "-o", "large.py", "--kaggle", "--form", "text", code=1).stderr
    assert "bytes, as text; the largest:\n" in said
    assert not (tmp_path / "large.py").exists()


def test_for_kaggle_in_a_project(tmp_path: Path) -> None:
    """A project's own table of the image comes before the shipped one."""
    table = {"date": "2026-01-02", "python": "3.12", "source": "a test", "packages": {"zoo": "1.0"}, "modules": {}}
    write_files(tmp_path, {"main.py": "import zoo, numpy\n", "kaggle-image.json": json.dumps(table)})
    assert "main.py:1 imports zoo" in _coord(tmp_path, "main.py", "-o", "kernel.py", "--kaggle").stderr
    settings = '[tool.coord]\nmodel_source = "pack"\nentry = "pack.train"\nconfig = "pack.train:Config"\n'
    write_files(tmp_path, {"pyproject.toml": settings, "pack/train.py": ""})
    told = _coord(tmp_path, "main.py", "-o", "kernel.py", "--kaggle").stderr
    assert "main.py:1 imports numpy, which the image of 2026-01-02" in told
    assert "zoo" not in told


def test_a_folder_that_cannot_be_looked_at(tmp_path: Path) -> None:
    """One message, with the name below the root. (To root nothing is forbidden: the error is made here.)"""
    with pytest.raises(BundleError, match=r"^pack/one\.py cannot be read: Permission denied$"), failures_told(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "pack" / "one.py"))


def test_ctrl_c_while_many_sources_are_checked(tmp_path: Path) -> None:
    """To the whole group, as a terminal sends it: workers leave it to coord, which says so and writes nothing."""
    write_files(tmp_path, {"main.py": "import pack\n", "pack/__init__.py": ""})
    text = "def f(x):\n    return [x + 1, {'a': x}]\n" * 2_000
    write_files(tmp_path, {f"pack/part_{number}.py": text for number in range(60)})
    started = forked.start(
        [*COORD, "bundle", "main.py", "-o", "kernel.py"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    workers = until(lambda: children.read_text().split(), "the start of the workers")
    for worker in workers:
        (blocked,) = re.findall(r"^SigBlk:\s*(\w+)$", Path(f"/proc/{worker}/status").read_text(), re.MULTILINE)
        assert int(blocked, 16) & 1 << (signal.SIGINT - 1)
    os.killpg(started.pid, signal.SIGINT)
    err = started.communicate(timeout=60)[1]
    assert (started.returncode, err) == (130, "interrupted\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["main.py", "pack"]


def test_too_large_for_kaggle_is_said(tmp_path: Path) -> None:
    """coord bundle is not only for Kaggle: it writes the file all the same, and says what is large."""
    write_files(tmp_path, {"main.py": "import pack\nprint(pack.__name__)\n", "pack/__init__.py": ""})
    (tmp_path / "pack" / "noise.bin").write_bytes(os.urandom(1_100_000))
    told = _coord(tmp_path, "main.py", "-o", "kernel.py").stderr
    assert "too large for a Kaggle kernel, which may have 1,048,576 bytes; the largest files:\n" in told
    assert "   1,100,000 bytes  pack/noise.bin\n" in told
    assert _run(tmp_path / "kernel.py", tmp_path / "session").out == "pack\n"


def test_further_files_and_fewer(tmp_path: Path) -> None:
    """--include takes files by globs, and follows their imports; --exclude leaves files out of what was found."""
    files = {
        **SMALL,
        "pack/__init__.py": "",
        "pack/tests/test_x.py": "",
        "pack/a.txt": "",
        "extra/one.dat": "1",
        "extra/two.dat": "2",
        "plugin.py": "import pack\n",
    }
    write_files(tmp_path, files)
    program = script_at(tmp_path / "main.py")
    _, found = bundle(program, Selection(["extra/*.dat", "plugin.py"], ["tests/", "two.dat", "/words.txt"]))
    # What is asked for by name goes in, whatever the patterns say.
    assert [file.path for file in found] == [
        *("extra/one.dat", "extra/two.dat", "helper.py", "main.py", "pack/__init__.py", "pack/a.txt", "plugin.py"),
    ]
    with pytest.raises(BundleError, match=r"--include \*\.none: no file in .* matches"):
        bundle(program, Selection(include=["*.none"]))


def test_only_what_is_reached(tmp_path: Path) -> None:
    """--reached takes the modules of a package that imports lead to, with their parents' __init__.py and data."""
    files = {
        "main.py": "import pack.one\nprint(pack.one.NAME)\n",
        "pack/__init__.py": "from . import two\n",
        "pack/one.py": "from .deep import three\nfrom .deep.three import NAME\n",
        "pack/two.py": "",
        "pack/four.py": "",
        "pack/table.csv": "",
        "pack/deep/__init__.py": "",
        "pack/deep/three.py": "def late():\n    import space.inner.leaf\nNAME = __name__\n",
        "pack/deep/five.py": "",
        "pack/tests/__init__.py": "",
        "space/inner/leaf.py": "",
        "space/inner/other.py": "",
    }
    write_files(tmp_path, files)
    script, found = bundle(script_at(tmp_path / "main.py"), Selection(reached_only=True))
    out = {"pack/four.py", "pack/deep/five.py", "pack/tests/__init__.py", "space/inner/other.py"}
    assert {file.path for file in found} == set(files) - out
    assert run_kernel(script.text, tmp_path / "session").out == "pack.deep.three\n"
    write_files(tmp_path, {".gitignore": "three.py\n"})
    with pytest.raises(
        BundleError, match=r"pack/one\.py:1 imports pack\.deep\.three, but pack/deep/three\.py is ignored"
    ):
        bundle(script_at(tmp_path / "main.py"), Selection(reached_only=True))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("words.txt", b"x" * 1_000_001, "1,000,001 bytes; take it with --include"),
        ("words.txt", b"KGAT_" + b"a1" * 16, "it looks like a secret"),
        (".env", b"x", "it looks like a secret"),
        ("ignored.txt", b"x", "ignored by .gitignore:1 (ignored.txt)"),
    ],
)
def test_a_file_that_is_only_named_may_stay_out(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    """A string may name a file by chance: what must not go in stays out, with a message, and is not refused."""
    write_files(tmp_path, {"main.py": f"x = 1\nprint({name!r})\n", name: content, ".gitignore": "ignored.txt\n"})
    said: list[str] = []
    _, files = bundle(script_at(tmp_path / "main.py"), say=said.append)
    assert [file.path for file in files] == ["main.py"]
    assert said == [f"left out: {name}, named in main.py:2: {why}"]


def test_what_names_no_file_below_the_root(tmp_path: Path) -> None:
    """Folders, absolute paths, paths that lead out, links that lead out, names with line ends: nothing goes in."""
    outside = write_files(tmp_path / "outside", {"x.txt": "x"})
    names = ["folder", str(outside / "x.txt"), "../outside/x.txt", "a\nb", "", ".", "a" * 3000, "\0", "link.txt"]
    root = write_files(tmp_path / "root", {"main.py": f"names = {names!r}\n", "folder/x": "", "a\nb": ""})
    (root / "link.txt").symlink_to(outside / "x.txt")
    said: list[str] = []
    _, files = bundle(script_at(root / "main.py"), say=said.append)
    assert [file.path for file in files] == ["main.py"]
    assert said == ["left out: link.txt, named in main.py:1: a link out of the tree"]


_PIECES = (
    "'''",
    '"""',
    "'",
    '"',
    "\\",
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "\n",
    "é",
    "😀",
    "# coding: x",
    "FILES",
    " ",
)
_texts = st.lists(st.sampled_from(_PIECES) | st.text(max_size=4), max_size=8).map("".join)
# Names that every file system takes, one level deep, and that no editor leaves behind.
_names = _texts.map(lambda text: "".join(char for char in text if char.isprintable() and char != "/")[:40]).filter(
    lambda name: (
        name.strip(".") != ""
        and not name.startswith(".")
        and not name.endswith((".py", ".pyc", ".key", ".pem"))
        and is_confined(name)
        and not is_leftover(name)
    )
)


@settings(max_examples=15, deadline=None)
@given(text=_texts, names=st.sets(_names, max_size=3))
def test_sources_and_names_of_any_text(text: str, names: set[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a program holds in its literals and in the names of its data comes out of the bundle again."""
    root = tmp_path_factory.mktemp("root")
    main = f"# coding: utf-8\nimport os, pack\nprint(ascii({text!r}), ascii(sorted(os.listdir(pack.__path__[0]))))\n"
    try:
        main.encode()
    except UnicodeEncodeError:
        return  # half a character cannot stand in a source
    write_files(root, {"main.py": main, "pack/__init__.py": "", **{f"pack/{name}": name for name in names}})
    script, _ = bundle(script_at(root / "main.py"))
    ran = run_kernel(script.text, root / "session", variables={"PYTHONDONTWRITEBYTECODE": "1"})
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{text!a} {sorted([*names, '__init__.py'])!a}\n"
    ast.parse(script.text)
