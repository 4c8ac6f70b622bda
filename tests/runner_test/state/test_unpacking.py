"""Archives are unpacked below their folder, and nowhere else."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runner_test.errors import BadDataset
from runner_test.state.unpacking import Room, folder_name, unpack


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    """A zip file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return made.getvalue()


def taped(*members: tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    """A tar file; a file's content is its name."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as file:  # type: ignore[call-overload]
        for member in members:
            data = member.name.encode() if member.isreg() else b""
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return made.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, leads_to: str = "") -> tarfile.TarInfo:
    """A member of a tar file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, leads_to
    return info


def zip_link(name: str) -> zipfile.ZipInfo:
    """A symbolic link in a zip file."""
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def lying_zip() -> bytes:
    """A zip file that says its member has one byte; it has a million."""
    data = zipped(("a", bytes(1_000_000)))
    return data.replace((1_000_000).to_bytes(4, "little"), (1).to_bytes(4, "little"))


def packed(tmp_path: Path, name: str, data: bytes, room: Room | None = None) -> dict[str, bytes] | None:
    """The files that come out of an archive, by name; None if it is none. Fails if anything lands elsewhere."""
    archive = tmp_path / "content"
    archive.write_bytes(data)
    before = set(tmp_path.rglob("*"))
    try:
        is_archive = unpack(archive, name, tmp_path / "to", room or Room(10_000, 100))
    finally:
        assert all(path.is_relative_to(tmp_path / "to") for path in set(tmp_path.rglob("*")) - before)
    found = (path for path in (tmp_path / "to").rglob("*") if path.is_file())
    return {str(path.relative_to(tmp_path / "to")): path.read_bytes() for path in found} if is_archive else None


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.zip", lambda: zipped(("x/", b""), ("x/ü.txt", b"x/\xc3\xbc.txt"), ("./y.txt", b"./y.txt"))),
        ("a.tar", lambda: taped(member("x", tarfile.DIRTYPE), member("x/ü.txt"), member("./y.txt"), mode="w")),
        ("a.tar.gz", lambda: taped(member("x/ü.txt"), member("./y.txt"))),
        ("a.tar.bz2", lambda: taped(member("x/ü.txt"), member("./y.txt"), mode="w:bz2")),
        ("a.txz", lambda: taped(member("x/ü.txt"), member("./y.txt"), mode="w:xz")),
    ],
)
def test_archives(tmp_path: Path, name: str, make: Callable[[], bytes]) -> None:
    """Folders and names are kept."""
    assert folder_name(name) == "a"
    assert packed(tmp_path, name, make()) == {"x/ü.txt": "x/ü.txt".encode(), "y.txt": b"./y.txt"}


@pytest.mark.parametrize(
    ("name", "data"), [("a.zip", b"PK"), ("a.zip", b""), ("a.tar.gz", b"x" * 600), ("a.tar", zipped(("a", b"b")))]
)
def test_what_is_no_archive(tmp_path: Path, name: str, data: bytes) -> None:
    """A file whose name only says so is not unpacked."""
    assert packed(tmp_path, name, data) is None


def test_a_tar_file_that_ends_with_a_zip_file(tmp_path: Path) -> None:
    """It is a tar file: its name says so."""
    inner = zipped(("a", b"b"))
    info = tarfile.TarInfo("inner.zip")
    info.size = len(inner)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as file:
        file.addfile(info, io.BytesIO(inner))
    assert packed(tmp_path, "a.tar", made.getvalue()) == {"inner.zip": inner}


@pytest.mark.parametrize("name", ["a.npz", "a.whl", "a.gz", "zip", ".zip", "a.zip.txt"])
def test_names_of_other_files(name: str) -> None:
    """These stay as they are."""
    assert folder_name(name) is None


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.zip", lambda: zipped(("../x", b"")), "not a path"),
        ("a.zip", lambda: zipped(("a/../../x", b"")), "not a path"),
        ("a.zip", lambda: zipped(("/tmp/x", b"")), "not a path"),
        ("a.zip", lambda: zipped(("a/" * 101 + "x", b"")), "not a path"),
        ("a.zip", lambda: zipped(("x" * 300, b"")), "not a path"),
        ("a.zip", lambda: zipped((zip_link("x"), b"/etc/passwd")), "a link or a device"),
        ("a.zip", lambda: zipped(("x", b""), ("x/y", b"")), "there twice|can't be written"),
        ("a.zip", lambda: zipped(("x", b"1"), ("./x", b"2")), "there twice"),
        ("a.zip", lambda: zipped(("x", b"1" * 2000))[:-60] + zipped(("x", b"2"))[-60:], "can't be unpacked|can't be"),
        ("a.zip", lambda: zipped(("x", bytes(10_001))), "more bytes"),
        ("a.zip", lambda: zipped(*((f"{number}", b"") for number in range(101))), "more files"),
        ("a.zip", lying_zip, "more bytes|can't be unpacked"),
        ("a.tar", lambda: taped(member("../x"), mode="w"), "not a path"),
        ("a.tar", lambda: taped(member("/x"), mode="w"), "not a path"),
        ("a.tar", lambda: taped(member("x", tarfile.SYMTYPE, "/etc"), member("x/y"), mode="w"), "a link or a device"),
        ("a.tar", lambda: taped(member("x", tarfile.LNKTYPE, "../content"), mode="w"), "a link or a device"),
        ("a.tar", lambda: taped(member("x", tarfile.CHRTYPE), mode="w"), "a link or a device"),
        ("a.tar", lambda: taped(member("x", tarfile.FIFOTYPE), mode="w"), "a link or a device"),
        ("a.tar.gz", lambda: taped(*(member(f"{number}" * 100) for number in range(9)))[:-30], "can't be unpacked"),
    ],
)
def test_archives_that_are_refused(tmp_path: Path, name: str, make: Callable[[], bytes], message: str) -> None:
    """What leads elsewhere, is no file, or is more than there is room for; a damaged archive, too."""
    with pytest.raises(BadDataset, match=message):
        packed(tmp_path, name, make())
