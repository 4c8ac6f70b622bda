"""Standard output that is full, closed, or of an encoding without the characters; a width of the terminal that is none.

Seen: Textualize/rich#68 (UnicodeEncodeError with an ASCII stream) and found by trying it on coord (tracebacks with
/dev/full; nothing printed, and exit code 0, with COLUMNS=0).
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from pathlib import Path

import pytest

from coordinator.__main__ import main
from coordinator.project.project import Project

ABOUT = "Größe, π → ∞, 肺"
COMMANDS = [
    ("experiments",),
    ("experiments", "--json"),
    ("show", "--exp", "odd"),
    ("show", "--exp", "odd", "--json"),
    ("runs", "--csv"),
    ("doctor",),
    ("--version",),
    ("--help",),
    ("experiments", "--help"),
    ("bundle", "tiny_model/train.py", "-o", "-"),
]


@pytest.fixture
def odd(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project is the current folder, and has an experiment that is described in many scripts."""
    (tiny.experiments / "odd.yaml").write_text(f'base: base\nabout: "{ABOUT}"\n', encoding="utf-8")
    monkeypatch.chdir(tiny.root)
    return tiny


def _run(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, out: io.TextIOBase | None, errors: str = "utf-8"
) -> tuple[int, str]:
    """The exit code, and what is on stderr."""
    content = io.BytesIO()
    told = io.TextIOWrapper(content, encoding=errors, errors="strict")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["coord", *arguments])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", told)
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert isinstance(code, int)
    return code, content.getvalue().decode(errors)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_device_is_told(odd: Project, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    """An answer that cannot be written is a failure, told in a line, whoever prints it."""
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        code, told = _run(monkeypatch, *command, out=full)
    assert code == 1
    assert f"coord: standard output: {os.strerror(errno.ENOSPC)}\n" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("command", COMMANDS[:-1], ids=" ".join)
def test_a_closed_output_is_told(odd: Project, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    """`coord experiments >&-`: Python has no sys.stdout then."""
    code, told = _run(monkeypatch, *command, out=None)
    assert code == 1
    assert "coord: standard output: Bad file descriptor\nIt is closed.\n" in told


def test_nothing_to_print_is_no_failure(odd: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed output is one only for a command that has an answer."""
    assert _run(monkeypatch, "build", "--exp", "base", out=None)[0] in (0, 1)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "utf-8"])
@pytest.mark.parametrize("command", COMMANDS[:6], ids=" ".join)
def test_an_output_without_the_characters(
    odd: Project, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], encoding: str
) -> None:
    """They are escaped; JSON stays JSON."""
    content = io.BytesIO()
    code, told = _run(
        monkeypatch, *command, out=io.TextIOWrapper(content, encoding=encoding, errors="strict"), errors=encoding
    )
    assert "Traceback" not in told
    assert code in ((0, 1) if command == ("doctor",) else (0,))
    text = content.getvalue().decode(encoding)
    if "--json" in command:
        assert ABOUT in json.dumps(json.loads(text), ensure_ascii=False)
    elif "odd" in text and encoding == "utf-8":
        assert ABOUT in text
    elif "odd" in text:
        assert "\\u80ba" in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
def test_drawings_keep_their_width(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Spark lines, bars and arrows are drawn with what there is; other scripts are escaped. JSON is never redrawn."""
    from coordinator.cli.stdio import prepared
    from coordinator.cli.terminal import answer, show_text

    content = io.BytesIO()
    drawn = "▁▂▃▄▅▆▇█ ░▒ → ✓"
    with monkeypatch.context() as patch:
        stream = io.TextIOWrapper(content, encoding=encoding, errors="strict")
        patch.setattr(sys, "stdout", stream)
        with prepared():
            show_text(drawn)
            show_text("σ 肺")
            answer([drawn])
    first, second, *rest = content.getvalue().decode(encoding).splitlines()
    assert len(first) == len(drawn)
    assert "\\" not in first
    assert second.endswith("\\u80ba")
    assert json.loads("".join(rest)) == [drawn]


@pytest.mark.parametrize("name", ["é", "\udcff", "\x1b[31m", "𝔸"])
def test_an_error_about_an_odd_name(odd: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Names of the command line that the stream cannot show are escaped, and end nothing."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    code, told = _run(monkeypatch, "show", "--exp", name, out=out, errors="ascii")
    assert code == 1
    assert told.startswith("coord: there is no experiment")


@pytest.mark.parametrize("what", ["title", "output"])
def test_text_that_no_file_can_hold(odd: Project, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Bytes of the command line that are not UTF-8, on their way into a file."""
    (odd.experiments / "good.yaml").write_text("base: base\nrecorded: [{metric: m, mode: max, value: 1}]\n")
    page = ("--title", "a\udcff") if what == "title" else ("-o", "nowhere\udcff/page.html")
    code, told = _run(monkeypatch, "report", *page, out=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert code in (1, 2)
    assert any(line.startswith("coord: ") for line in told.splitlines()[-2:])
    assert "Traceback" not in told


@pytest.mark.parametrize("width", ["0", "1", "-1", "", "wide", "²", "80.5", "99999999999", "00"])
@pytest.mark.parametrize("name", ["COLUMNS", "LINES"])
def test_a_width_that_is_none(odd: Project, monkeypatch: pytest.MonkeyPatch, name: str, width: str) -> None:
    """It is as if there were none: the table is printed."""
    monkeypatch.setenv(name, width)
    content = io.BytesIO()
    code, _ = _run(monkeypatch, "experiments", out=io.TextIOWrapper(content, encoding="utf-8"))
    assert code == 0
    assert ABOUT in content.getvalue().decode()


def test_progress_that_cannot_be_shown_ends_nothing(odd: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full device behind stderr: the build is made, with exit code 0."""
    content = io.BytesIO()
    with monkeypatch.context() as patch, open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        patch.setattr(sys, "argv", ["coord", "-v", "build", "--exp", "base"])
        patch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding="utf-8"))
        patch.setattr(sys, "stderr", full)
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code in (None, 0)
    assert (odd.build("base") / "kernel.py").is_file()


def test_descriptors_that_are_closed_are_taken(odd: Project, tmp_path: Path) -> None:
    """Else the ledger would be opened as standard output, and what is printed would be written into it."""
    from coordinator.cli.stdio import fill

    child = os.fork()
    if child == 0:
        os.close(1)
        fill()
        file = os.open(tmp_path / "ledger", os.O_CREAT | os.O_RDWR)
        os._exit(file == 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
