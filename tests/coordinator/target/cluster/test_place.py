"""Kernels, logs and outputs in folders: claims that happen once, names and links that are not trusted."""

from __future__ import annotations

import ast
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coordinator.bundle import stamp_of
from coordinator.errors import NoAccess, NoAnswer, NotSent, TargetError
from coordinator.target.cluster import ClusterPlace, FarSide, open_shell
from coordinator.target.kernel_ref import KernelRef
from tests.coordinator.target.cluster.places import claimed, kernel, metadata, place as place, place_at, start
from tests.paths import ROOT


def test_the_same_run_is_the_same_version(place: ClusterPlace) -> None:
    first, folder = claimed(place, "print(1)")
    assert claimed(place, "print(1)") == (first, folder)
    second, _ = claimed(place, "print(2)", "run-2")
    assert (first.version, second.version) == (1, 2)
    found = place.source("ada", "smoke")
    assert found is not None
    assert (found[0], stamp_of(found[1])["run"]) == (2, "run-2")
    assert place.source("ada", "smoke", 1) == (2, kernel("print(1)"))
    assert place.source("ada", "smoke", 3) is None
    assert place.source("ada", "other") is None
    assert list(place.kernels()) == ["smoke"]


def test_claims_at_the_same_time_are_one_version_a_run(place: ClusterPlace) -> None:
    """Eight far sides claim for three runs."""
    runs = [f"run-{number % 3}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda run: claimed(place, "print()", run)[0].version, runs))
    assert sorted(set(found)) == [1, 2, 3]
    assert len({(run, version) for run, version in zip(runs, found, strict=True)}) == 3


def test_a_claim_is_whole_or_not_there(place: ClusterPlace, tmp_path: Path) -> None:
    """A claim that was killed has left a folder that counts as no version."""
    kernels = tmp_path / "root" / "kernels" / "ada" / "smoke"
    (kernels / ".new-x" / "working").mkdir(parents=True)
    assert place.source("ada", "smoke") is None
    assert claimed(place, "print()")[0].version == 1


def test_missing_sources_are_named_with_the_remedy(place: ClusterPlace, tmp_path: Path) -> None:
    asked = metadata(dataset_sources=["ada/lungs/3"], competition_sources=["siim"], kernel_sources=["ada/base"])
    with pytest.raises(TargetError) as refused:
        place.order(asked, kernel("print()"))
    assert refused.value.what == (
        "uni does not have what the kernel attaches: dataset ada/lungs/3, competition siim, kernel ada/base"
    )
    folder = tmp_path / "root" / "input" / "datasets" / "ada" / "lungs"
    assert f"rsync -a --mkpath FOLDER/ {folder}/" in str(refused.value.hint)
    assert "Push that experiment first" in str(refused.value.hint)

    folder.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    place.folders = {"siim": str(tmp_path / "elsewhere")}
    _, need = claimed(place, "open('weights', 'w').write('w')")
    assert start(need).wait() == 0
    order = place.order(metadata(**asked.data | {"kernel_sources": ["ada/smoke"]}), kernel("print()", "run-2"))
    assert order.meta["inputs"] == {
        "datasets/ada/lungs": str(folder),
        "competitions/siim": str(tmp_path / "elsewhere"),
        "notebooks/ada/smoke": str(need / "working"),
    }


def test_hostile_names_and_links_of_the_output(place: ClusterPlace, tmp_path: Path) -> None:
    """Links out of the folder and pipes are no output; a name that is not UTF-8 is listed, and refused later."""
    (tmp_path / "secret").write_text("key")
    ref, folder = claimed(place, "print()")
    working = folder / "working"
    (working / "a b\n").write_text("new line")
    (working / "deep").mkdir()
    (working / "deep" / "model.pth").write_bytes(b"0123456789")
    (working / "last.pth").symlink_to("deep/model.pth")
    (working / "out").symlink_to(tmp_path / "secret")
    (working / "up").symlink_to("../meta.json")
    (working / "home").symlink_to(tmp_path)
    os.mkfifo(working / "pipe")
    Path(os.fsdecode(os.fsencode(working) + b"/\xff.csv")).write_text("x")
    files = {file.name: file for file in place.outputs(ref)}
    assert set(files) == {"a b\n", "deep/model.pth", "last.pth", "\udcff.csv"}

    read = place.open_output(files["last.pth"], offset=4)
    assert (read.start, read.size, b"".join(read.chunks)) == (4, 10, b"456789")
    read.close()
    again = place.open_output(files["last.pth"], offset=11)
    again.close()
    assert again.start == 0
    for name in ("out", "up", "../meta.json", "/etc/passwd", "pipe", "home/secret", "gone"):
        with pytest.raises(TargetError, match="not there any more"):
            place.open_output(type(files["last.pth"])(name, f"ada/smoke/1/{name}"))


@pytest.mark.parametrize("name", ["..", "a/b", "", "-x", "a\n"])
def test_no_name_leads_out_of_the_root(place: ClusterPlace, name: str) -> None:
    with pytest.raises(TargetError, match="cannot be a part of a kernel's name"):
        place.source("ada", name)


def test_a_damaged_record_is_no_error(place: ClusterPlace) -> None:
    """What is in a run's folder may have been cut off, or been written by the kernel."""
    ref, folder = claimed(place, "print()")
    (folder / "attempts.jsonl").write_text(
        '{"number": 1, "started": 1e99, "host": "\\u001b[31mx"}\n[1]\n{"number": "x"}\n{"n'
    )
    (folder / "working" / "metrics.json").write_text("[" * 100000)
    (folder / "log.jsonl").write_text('{"stream": "stdout", "time": NaN, "data": ""}\n{"data": 1}\nnull\n{"stream"')
    (record,) = place.records([ref])
    (attempt,) = record.attempts
    assert (attempt.host, record.status, record.following, record.code) == ("x", "", "", None)
    assert place.log(ref) == []
    with pytest.raises(NoAccess):
        list(place.outputs(KernelRef("ada", "smoke", 9)))
    (unknown,) = place.records([KernelRef("ada", "smoke", 9)])
    assert not unknown.exists


def test_what_is_wrong_with_a_far_side_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="cannot be started"):
        FarSide(open_shell(""), str(tmp_path), python="/no/python").ask("place")
    with pytest.raises(NoAnswer, match="no answer that coord understands"):
        FarSide(open_shell(""), str(tmp_path), python="/bin/cat").ask("place")
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="file/root: Not a directory"):
        FarSide(open_shell(""), str(tmp_path / "file" / "root")).ask("place")


def test_the_far_programs_are_of_an_old_python() -> None:
    """Grammar of 3.6 and 3.8, and imports of their standard library."""
    for name in ("cluster/far.py", "cluster/far_answer.py", "slurm/far_slurm.py", "cluster/starter.py"):
        file = ROOT / "coordinator" / "target" / name
        ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8 if file.stem == "starter" else 6))


def test_json_of_a_name_is_plain(place: ClusterPlace) -> None:
    """The far side answers in ASCII, whatever the locale of its shell is."""
    ref, folder = claimed(place, "print()")
    (folder / "working" / "ü.csv").write_text("")
    reply = place.far.shell.run(["true"])
    assert reply.code == 0
    assert [file.name for file in place.outputs(ref)] == ["ü.csv"]
    assert json.loads((folder / "meta.json").read_text())["run"] == "run-1"


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root, for a small file system")
    root = tmp_path / "small"
    root.mkdir()
    assert os.system(f"mount -t tmpfs -o size=256k tmpfs {root}") == 0
    try:
        with pytest.raises(TargetError) as full:
            claimed(place_at(root), "#" * 400_000)
        assert "No space left on device" in full.value.what
        assert "Make room below" in str(full.value.hint)
        assert place_at(root).source("ada", "smoke") is None
    finally:
        os.system(f"umount {root}")
