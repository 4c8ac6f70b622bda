"""Names of output files that one system takes and another does not.

Seen: https://github.com/wandb/wandb/issues/1143 and https://github.com/actions/upload-artifact/issues/546 (a colon in a
name); on coord one `back\\slash.txt` in the output, and neither fetch, submit nor promote worked.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from coordinator.errors import UsageError
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.results.folder import Results
from coordinator.runs.fetch.output_file import ensure_local
from coordinator.workspace import Workspace
from tests.coordinator.fetching import fetched
from tests.coordinator.targets import MemoryTarget

BACKSLASH = "it has a backslash, which separates folders on some systems"
OUT = "it leads out of its folder"
CONTROL = "it has control characters"
NO_FILE = "it names no file"
LONG = "a part of it is longer than 255 bytes"


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("back\\slash.txt", BACKSLASH),
        ("a\\..\\..\\x", BACKSLASH),
        ("C:\\x", BACKSLASH),
        ("\\\\server\\share\\x", BACKSLASH),
        ("../x", OUT),
        ("a/../../x", OUT),
        ("a/..", OUT),
        ("/etc/x", OUT),
        ("//server/x", OUT),
        ("", NO_FILE),
        (".", NO_FILE),
        ("./", NO_FILE),
        ("two\nlines.txt", CONTROL),
        ("a\rb.txt", CONTROL),
        ("a\tb.txt", CONTROL),
        ("a\0b.txt", CONTROL),
        ("a\x7f.txt", CONTROL),
        ("a\x85b.txt", CONTROL),
        ("a\u2028b.txt", CONTROL),
        ("\x1b[2Jx.txt", CONTROL),
        ("\x9b2Jx.txt", CONTROL),
        ("half \ud800.txt", CONTROL),
        ("byte \udcff.txt", CONTROL),
        ("weights\u202ehtp.exe", CONTROL),
        ("weights\u2066htp.exe", CONTROL),
        ("n" * 256, LONG),
        ("d" * 256 + "/x", LONG),
        ("ü" * 128, LONG),
        ("/".join(["d" * 200] * 25), "this system refuses the name (File name too long)"),
        ("d/" * 64 + "x", "it is in more than 63 folders"),
        ("metrics.json/x", "a file has the name of its folder"),
        ("fold0.pth/a/b", "a file has the name of its folder"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_name_that_cannot_be_written_is_left_and_said(tiny: Project, ledger: Ledger, name: str, why: str) -> None:
    """The rest comes, the run is complete here, and nothing is written outside its folder."""
    before = files_in(tiny.root.parent)
    found = fetched(tiny, ledger, {name: b"odd", "fold0.pth": b"weights", "sub/a.txt": b"a"})
    assert set(found.files) == {
        *("fold0.pth", "sub/a.txt", "metrics.json"),
        *("run.json", "kernel.log", "kernel.log.json"),
    }
    (warning,) = found.warnings
    assert warning.startswith(f"not fetched, because {why}: ")
    assert "\n" not in warning
    assert len(warning) < 200
    assert (found.run.fetched_at is not None, found.left_out) == (True, 0)
    new = files_in(tiny.root.parent) - before
    assert {each for each in new if not each.startswith(("tiny/results/base/kaggle-v3/", "tiny/.coord/"))} == set()
    again = fetched(tiny, ledger, {})
    assert again.size == 0, "what cannot be written is not asked for again and again"


@pytest.mark.parametrize(
    "name",
    ["CON", "NUL", "aux.txt", "com1.log", "dot.", "space ", " x", "a:b", 'q"?*<>|', "-rf", "~", "$HOME", "é.txt", "😀"],
)
def test_a_name_that_this_system_takes_comes(tiny: Project, ledger: Ledger, name: str) -> None:
    """Other systems refuse some of these; where they can be files, they are."""
    found = fetched(tiny, ledger, {name: b"odd"})
    assert found.warnings == ()
    assert (found.directory / name).read_bytes() == b"odd"


@pytest.mark.parametrize("ignores_case", [True, False])
@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["Best.pth", "best.pth"], ["Best.pth"]),
        (["Worst/a.png", "worst/A.png"], ["Worst/a.png"]),
        (["caf\u00e9.txt", "cafe\u0301.txt"], ["caf\u00e9.txt"]),
        (["RUN.JSON", "Kernel.Log", ".Parts/x"], []),
        (["Fold0", "fold0/x"], ["Fold0"]),
        (["stra\u00dfe", "STRASSE"], ["stra\u00dfe"]),
    ],
)
def test_names_that_are_one_file_where_case_does_not_count(
    tiny: Project,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    kept: list[str],
    ignores_case: bool,
) -> None:
    """The first one comes and replaces none of coord's own; the others are said. Where case counts, all come."""
    monkeypatch.setattr(Results, "ignores_case", lambda _: ignores_case)
    found = fetched(tiny, ledger, dict.fromkeys(names, b"x"))
    assert set(names) & set(found.files) == set(kept if ignores_case else names)
    said = " ".join(found.warnings)
    assert [name in said for name in names] == [ignores_case and name not in kept for name in names]


def test_where_case_counts_is_asked_of_the_file_system(tiny: Project) -> None:
    """By the folder of parts, with its name in capitals."""
    results = Results(tiny.results("base", "local", 1))
    results.make_room({"id": "r1"})
    assert not results.ignores_case()
    (results.directory / ".PARTS").mkdir()
    assert results.ignores_case()


@pytest.mark.parametrize("name", ["back\\slash.csv", "../submission.csv", "/submission.csv", "", "a\nb.csv"])
def test_a_file_to_submit_has_such_a_name(tiny: Project, ledger: Ledger, name: str) -> None:
    """`coord submit --file` says what is wrong with it; the run's other files can be submitted."""
    run = fetched(tiny, ledger, {name: b"x", "submission.csv": b"id\n"}).run
    here = Workspace(tiny, ledger, MemoryTarget(name="kaggle"))
    with pytest.raises(UsageError, match="--file"):
        ensure_local(here, run, name)
    assert ensure_local(here, run, "submission.csv")[1].read_bytes() == b"id\n"


def test_the_record_of_a_results_folder_names_files_outside(tiny: Project, ledger: Ledger) -> None:
    """A folder that came from somebody else: what it lists outside of itself does not count as fetched."""
    found = fetched(tiny, ledger, {"a.txt": b"a"})
    file = found.directory / "run.json"
    kept = '{"size": 1, "sha256": "0"}'
    file.write_text(file.read_text().replace('"output": {', f'"output": {{"../../../x": {kept}, "b\\\\c": {kept}, '))
    assert set(Results(found.directory).fetched()) == {PurePosixPath("a.txt"), PurePosixPath("metrics.json")}
