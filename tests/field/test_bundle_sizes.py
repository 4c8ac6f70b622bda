"""Sizes first: large files beside modules, and small archives that hold a lot, are refused before they fill the memory.

Seen: found by trying it on coord (60 files of 5 MB: 255 s and 2.9 GB; a bz2 bomb of 3 KB: 5.9 GB).
"""

from __future__ import annotations

import base64
import bz2
import contextlib
import os
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coordinator.bundle import bootstrap
from coordinator.bundle.files import SourceFile
from coordinator.bundle.reader import read_kernel
from coordinator.bundle.script import Content, render_script
from coordinator.bundle.sources import Selection, collect
from coordinator.bundle.vendor import vendored
from coordinator.errors import BundleError
from coordinator.project.shipped import default_template
from tests.coordinator.bundle.distributions import install
from tests.coordinator.bundle.programs import write_files

MB = 1_000_000
MANY = {f"data/{number:02}.bin": 5 * MB for number in range(60)}


def _sparse(root: Path, sizes: dict[str, int]) -> None:
    """Files of these sizes, which take no room on the disk."""
    for name, size in sizes.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size)


@contextlib.contextmanager
def _within(size: int) -> Iterator[None]:
    """Python's objects in the block take at most so many bytes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


# Files of the package -> what the message names, and the pattern that leaves it out.
LARGE: dict[str, tuple[dict[str, int], str, str]] = {
    "a folder": (MANY, "pack/data/ has 60 files of 300,000,000 bytes", "/pack/data/"),
    "folders of classes": (
        {f"data/train/{number % 20}/{number}.png": 3 * MB for number in range(100)},
        "pack/data/train/ has 100 files of 300,000,000 bytes",
        "/pack/data/train/",
    ),
    "one file": ({"weights.pth": 500 * MB}, "pack/weights.pth has 500,000,000 bytes", "/pack/weights.pth"),
    "one of 50 GB": ({"a/b/raw.npy": 50_000 * MB}, "pack/a/b/raw.npy has 50,000,000,000 bytes", "/pack/a/b/raw.npy"),
    "sources": (
        {f"made/t{number}.py": 5 * MB for number in range(10)},
        "pack/made/ has 10 files of 50,000,000 bytes",
        "/pack/made/",
    ),
    "many small ones": (
        {f"data/{number}.txt": 400_000 for number in range(100)},
        "pack/data/ has 100 files of 40,000,000 bytes",
        "/pack/data/",
    ),
    "two folders": (
        {**{f"a/{number}": 5 * MB for number in range(4)}, **{f"b/{number}": 5 * MB for number in range(4)}},
        "pack/ has 9 files of 40,000,000 bytes",
        "/pack/",
    ),
}


# Of packages of which only the reached modules go in, their data goes in as well.
CASES = [
    *(pytest.param(*each, False, id=name) for name, each in LARGE.items()),
    pytest.param(*LARGE["one file"], True, id="one file, reached"),
]


@pytest.mark.parametrize(("sizes", "told", "pattern", "reached"), CASES)
def test_large_files_beside_a_module(
    tmp_path: Path, sizes: dict[str, int], told: str, pattern: str, reached: bool
) -> None:
    """They are refused at once, unread; the message names the place, and its ways out work."""
    write_files(tmp_path, {"main.py": "import pack\n", "pack/__init__.py": ""})
    _sparse(tmp_path / "pack", sizes)
    begun = time.process_time()
    with _within(5 * MB), pytest.raises(BundleError) as caught:
        collect(tmp_path, "main.py", Selection(reached_only=reached))
    assert time.process_time() - begun < 2
    assert caught.value.what.startswith(told)
    assert f'--exclude "{pattern}"' in (caught.value.hint or "")
    kept = ["main.py"] if pattern == "/pack/" else ["main.py", "pack/__init__.py"]
    without = Selection(exclude=[pattern], reached_only=reached)
    assert [file.path for file in collect(tmp_path, "main.py", without)] == kept
    write_files(tmp_path, {".coordignore": f"{pattern}\n", "main.py": "try:\n    import pack\nexcept ImportError: 0\n"})
    assert [file.path for file in collect(tmp_path, "main.py", Selection(reached_only=reached))] == kept


def test_what_was_asked_for_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pattern of the message takes a large folder in; what an import brings is still counted.

    With a hundredth of the bound: what is taken is read and searched for secrets.
    """
    monkeypatch.setattr("coordinator.bundle.sizes.FOUND_MAX", 320_000)
    write_files(tmp_path, {"main.py": "import pack\n", "pack/__init__.py": ""})
    _sparse(tmp_path / "pack", {f"data/{number}/x.bin": 90_000 for number in range(4)})
    with pytest.raises(BundleError) as caught:
        collect(tmp_path, "main.py")
    pattern = (caught.value.hint or "").partition('--include "')[2].partition('"')[0]
    assert len(collect(tmp_path, "main.py", Selection(include=[pattern]))) == 6
    _sparse(tmp_path / "pack", {"more.bin": 330_000})
    with pytest.raises(BundleError, match=r"pack/more\.bin has 330,000 bytes"):
        collect(tmp_path, "main.py", Selection(include=[pattern]))


def test_a_large_distribution_is_not_vendored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size is known before any file of it is read."""
    install(tmp_path / "site", "large-thing", files={"large_thing/__init__.py": "", "large_thing/words.bin": ""})
    _sparse(tmp_path / "site", {"large_thing/words.bin": 300 * MB})
    monkeypatch.syspath_prepend(tmp_path / "site")
    with (
        _within(5 * MB),
        pytest.raises(BundleError, match=r"large-thing 1\.0 has 300,000,\d{3} bytes, and a bundle takes"),
    ):
        vendored(tmp_path, ["large-thing"])


def test_a_large_file_that_a_script_names_is_not_read(tmp_path: Path) -> None:
    """Its size is known before: it stays out, with a line that says so."""
    write_files(tmp_path, {"main.py": "open('raw.bin')\n"})
    _sparse(tmp_path, {"raw.bin": 100_000 * MB})
    said: list[str] = []
    assert len(collect(tmp_path, "main.py", say=said.append)) == 1
    assert said == ["left out: raw.bin, named in main.py:1: 100,000,000,000 bytes; take it with --include"]


def _kernel(archive: str) -> bytes:
    return (
        "from x import run\nFILES = {}\n"
        f"run(files=FILES, archive={archive!r}, config={{}}, entry='a', experiment='e')\n"
    ).encode()


def _packed(text: bytes) -> str:
    return base64.b64encode(bz2.compress(text)).decode()


ZEROS = (
    "QlpoOTFBWSZTWQ4J4t8BX45AAMAAAAggADCATUZCoCWpCoCXMUFZJlNZxS9ikQC4mEAEwAAAIAAIIAAwzAUppgohU2IUQqeLuSKcKEhsnlOXgA=="
)
"""What `_packed` gives of 70 MB of zeros: it takes a second."""


def _nested() -> str:
    """In several streams: one of that length takes seconds to compress."""
    packed = bz2.compress(b'{"a": [') + bz2.compress(b"[]," * (MB // 10)) * 30 + bz2.compress(b"[]]}")
    return base64.b64encode(packed).decode()


# What the archive of a kernel may hold -> why it is refused.
BOMBS: dict[str, tuple[Callable[[], str], str]] = {
    "zeros": (lambda: ZEROS, "it holds more than 64,000,000 bytes"),
    "a text": (
        lambda: base64.b64encode(
            bz2.compress(b'{"a": ["", "utf-8", "') + bz2.compress(b"x" * 7 * MB) * 10 + bz2.compress(b'"]}')
        ).decode(),
        "it holds more than 64,000,000",
    ),
    "many streams": (
        lambda: base64.b64encode(bz2.compress(bytes(10 * MB)) * 500).decode(),
        "it holds more than 64,000,000 bytes",
    ),
    "lists in a list": (_nested, "it is no JSON object of texts"),
    "depth": (lambda: _packed(b'{"a":' * 100_000), "it is no JSON object of texts"),
    "a number": (lambda: _packed(b'{"a": ' + b"9" * 10 * MB + b"}"), "it is no JSON object of texts"),
    "a list": (lambda: _packed(b"[]"), "it is no JSON object of texts"),
    "numbers": (lambda: _packed(b'{"a": [1, 2, 3]}'), "it is no JSON object of texts"),
    "two texts": (lambda: _packed(b'{"a": ["", ""]}'), "it is no JSON object of texts"),
    "half a text": (lambda: _packed(b'{"a": ["", "", "'), "it is no JSON object of texts"),
    "no archive": (lambda: base64.b64encode(b"BZh9 nothing").decode(), "archive cannot be read"),
    "cut": (lambda: _packed(os.urandom(50_000))[:20_000], "archive cannot be read"),
}


@pytest.mark.parametrize(("archive", "why"), BOMBS.values(), ids=BOMBS)
def test_a_kernel_that_would_fill_the_memory(archive: Callable[[], str], why: str) -> None:
    """It is refused with a line, and little memory is taken."""
    kernel = _kernel(archive())
    with _within(250 * MB), pytest.raises(BundleError, match=r"kernel\.py:3: archive cannot be read") as caught:
        read_kernel(kernel, "kernel.py")
    assert why in caught.value.what


@pytest.mark.parametrize(
    "text",
    [
        b"x = [" + b"[]," * MB + b"]",
        b"a\n" * MB,
        b'{"cells": [' + b"[]," * 2 * MB + b"[]]}",
        b'{"cells": [' + b"[]," * MB + b"0",
        b'{"cells": [{"cell_type": "code", "source": "# coord: run=-\\n' + b"a\\n" * MB + b'"}]}',
    ],
    ids=["lists", "lines", "a large notebook", "half a notebook", "a notebook with a large script"],
)
def test_a_file_that_is_too_large_for_a_kernel(text: bytes) -> None:
    """A tree of Python's objects would take a thousand times the memory of its text."""
    with _within(150 * MB), pytest.raises(BundleError, match=r"^kernel\.py: it has [\d,]+ bytes, where a kernel has"):
        read_kernel(text, "kernel.py")


@pytest.mark.parametrize("codec", ["punycode", "Punycode", "idna", "punycode crlf"])
def test_an_encoding_that_takes_for_ever(codec: str) -> None:
    """Some codecs take time by the square of the length: no source has them."""
    text = "".join(map(chr, range(0x4E00, 0x6E00)))
    kernel = f"run(files={{'a': ('', {codec!r}, {text!r})}}, archive='', config={{}}, entry='a', experiment='e')\n"
    begun = time.process_time()
    with pytest.raises(BundleError, match=f"a cannot be decoded .no source is written in {codec}"):
        read_kernel(kernel.encode(), "kernel.py")
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    "data", [b'say "x" \\ \\" \n{}[],:', b'\0\xff"\\', "ü\u2028\U0001f600".encode(), b"", b'"' * 1000]
)
def test_every_archive_that_coord_makes_is_read(data: bytes) -> None:
    """Texts with quotes, backslashes and other signs of JSON, and data."""
    files = [SourceFile("a/b.py", b"x = 1\n"), SourceFile('odd "name".txt', data)]
    script = render_script(default_template("kernel.py.j2"), Content("a.b", files, {}), form="archive")
    assert {file.path: file.data for file in read_kernel(script.text.encode(), "k").files} == {
        file.path: file.data for file in files
    }


def test_what_could_not_be_read_back_is_not_built() -> None:
    """Data that compresses to nothing: the same bound when a kernel is made."""
    files = [SourceFile("a.py", b""), SourceFile("zeros.bin", b" " * 65 * MB)]
    with pytest.raises(
        BundleError, match=r"the sources have 65,\d{3},\d{3} bytes in an archive of .*\n +65,000,001 bytes"
    ):
        render_script(default_template("kernel.py.j2"), Content("a", files, {}), form="archive")


def test_the_kernel_unpacks_all_of_it() -> None:
    """The bound is the reader's: a kernel takes what it was built with, also from an archive of several streams."""
    text = b'{"a": ["", "utf-8", "x"]}'
    archive = base64.b64encode(bz2.compress(text[:9]) + bz2.compress(text[9:])).decode()
    assert bootstrap.archive_text(archive) == text
    assert bootstrap.archive_text(archive, 5) == text[:5]
