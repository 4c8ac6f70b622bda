"""Files that are replaced as a whole."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import pytest

from model_src.files import finite, replacing, write_csv, write_text


@pytest.mark.parametrize("options", [{}, {"is_durable": True}, {"is_shared": True}])
def test_an_error_leaves_the_file_as_it_was(tmp_path: Path, options: dict[str, bool]) -> None:
    """The new content is not visible before the end, and no temporary file is left."""
    path = tmp_path / "table.csv"
    path.write_text("earlier")

    def fail() -> None:
        with replacing(path, **options) as file:
            file.write(b"new")
            assert path.read_text() == "earlier"
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail()
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("table.csv", "earlier")]
    with replacing(path, **options) as file:
        file.write(b"new")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("table.csv", "new")]


def test_several_writers_of_one_file(tmp_path: Path) -> None:
    """With `is_shared` each uses another temporary name; the file is complete in any order."""
    path = tmp_path / "shared"
    both = threading.Barrier(2)

    def write(letter: bytes) -> None:
        with replacing(path, is_shared=True) as file:
            both.wait()
            file.write(letter * 100_000)
            both.wait()

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in (b"a" * 100_000, b"b" * 100_000)
    assert list(tmp_path.iterdir()) == [path]


def test_text_and_tables_are_written_byte_by_byte_the_same(tmp_path: Path) -> None:
    """UTF-8, unchanged newlines, quotes where CSV needs them."""
    write_text(tmp_path / "a.txt", "größer\r\n")
    assert (tmp_path / "a.txt").read_bytes() == "größer\r\n".encode()
    write_csv(tmp_path / "a.csv", ["ImageId", "value"], [["a", 1], ['b,"', "x\ny"]])
    assert (tmp_path / "a.csv").read_bytes() == b'ImageId,value\na,1\n"b,""","x\ny"\n'


def test_json_has_no_infinite_numbers() -> None:
    """At any depth they become null, and NaN, too; everything else stays."""
    values = {"a": [1.5, math.inf, (math.nan, "x")], "b": {"c": -math.inf, "d": 3}}
    assert finite(values) == {"a": [1.5, None, [None, "x"]], "b": {"c": None, "d": 3}}
