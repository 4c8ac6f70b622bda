"""A kernel read back without running it: what went in comes out, and what is none of coord's is told by its line."""

from __future__ import annotations

import random
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from coordinator.bundle.files import SourceFile
from coordinator.bundle.reader import Kernel, read_kernel
from coordinator.bundle.script import Content, render_script, stamped
from coordinator.bundle.sources import collect
from coordinator.errors import BundleError
from coordinator.kaggle_rules import SOURCE_MAX
from coordinator.project.project import Project
from coordinator.project.shipped import default_template
from tests.coordinator.bundle.programs import script_of

_PIECES = ("'''\"\"\"", "\\", "\r\n", "{{ x }}", "{% raw %}", "FILES = {}", "# coding: latin-1")
_texts = st.text(max_size=9) | st.sampled_from(_PIECES)
_contents = st.binary(max_size=30) | _texts.map(str.encode)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
PACK: dict[str, str | bytes] = {"pack/__init__.py": "", "pack/train.py": "print('hello')\n"}


def _read(text: str) -> Kernel:
    return read_kernel(text.encode("utf-8"), "kernel.py")


def _files(kernel: Kernel) -> dict[str, bytes]:
    return {file.path: file.data for file in kernel.files}


@settings(max_examples=60, deadline=None)
@given(st.lists(_contents, max_size=8), st.dictionaries(_texts, _values, max_size=4), _texts)
@example(
    [b"", b"\n", b"x", b"\r\n", b"\xff", b"'", b"\\", b"'''\"\"\"\\"], {"a": "\ufeff\0\r\n\u2028"}, "'''\n\0\rimport os"
)
def test_what_went_in_comes_out(contents: list[bytes], config: dict[str, Any], about: str) -> None:
    """Files, config, entry and experiment of any kernel are read back, byte for byte."""
    files = {f"pack/data/{number}.txt": content for number, content in enumerate(contents)}
    script = script_of(files, config=config, about=about)
    kernel = _read(script.text)
    assert _files(kernel) == files
    assert kernel.config == config
    assert (kernel.experiment, kernel.entry, kernel.form) == ("try", "pack.train", "text")
    assert (kernel.digest, kernel.is_edited, dict(kernel.damaged)) == (script.digest, False, {})


def test_an_archive_is_read_like_text() -> None:
    """The compressed form holds the same."""
    files = {**PACK, "pack/long.py": "# text\n" * (SOURCE_MAX // 7), "pack/data/x.bin": bytes(range(256))}
    kernel = _read(script_of(files, config={"a": 1}).text)
    assert kernel.form == "archive"
    assert _files(kernel) == {path: data if isinstance(data, bytes) else data.encode() for path, data in files.items()}
    assert (kernel.config, kernel.is_edited) == ({"a": 1}, False)


def test_line_ends_that_were_changed_on_the_way() -> None:
    """A kernel that was stored with CRLF is the same kernel: Python, too, reads it so."""
    script = script_of({**PACK, "pack/data.txt": "a\r\nb\n"}, config={"a": "x\ny"})
    kernel = read_kernel(script.text.replace("\n", "\r\n").encode(), "kernel.py")
    assert kernel == _read(script.text)
    assert not kernel.is_edited


def test_the_stamp_is_read() -> None:
    """Run id and commit of a pushed kernel; without a first line, or after a change below it, it counts as edited."""
    text = stamped(script_of(PACK).text, run_id="0123abcd", git="abc-dirty")
    kernel = _read(text)
    assert (kernel.stamp["run"], kernel.stamp["git"], kernel.is_edited) == ("0123abcd", "abc-dirty", False)
    assert _read(text + "# more\n").is_edited
    without = _read(text.partition("\n")[2])
    assert (dict(without.stamp), without.is_edited, _files(without)) == ({}, True, _files(kernel))


class Forged(SourceFile):
    """A file under another one's digest."""

    @property
    def sha256(self) -> str:
        return "0" * 64


@pytest.mark.parametrize("size", [1, SOURCE_MAX], ids=["text", "archive"])
def test_a_file_that_was_tampered_with_is_reported(size: int) -> None:
    """It is read as it is, and named with the digest that the kernel gives for it."""
    files = [SourceFile("pack/good.py", b"x = 1\n"), Forged("pack/train.py", b"#" * size)]
    template = default_template("kernel.py.j2")
    script = render_script(template, Content("pack.train", files, {}, "e"))
    kernel = _read(script.text)
    assert (kernel.form, dict(kernel.damaged)) == (script.form, {"pack/train.py": "0" * 64})
    assert _files(kernel) == {"pack/good.py": b"x = 1\n", "pack/train.py": b"#" * size}


def test_nothing_in_a_kernel_is_run(tmp_path: Path) -> None:
    """Neither its top level nor what stands where a value should be."""
    text = script_of(PACK).text
    for place in ("FILES = ", "CONFIG = "):
        touched = tmp_path / place.split()[0]
        bad = text.replace(place, f"open({str(touched)!r}, 'w')\n{place}open({str(touched)!r}, 'w') or ", 1)
        assert bad != text
        with pytest.raises(BundleError):
            _read(bad)
        assert not touched.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "kernel.py:1: it ends without a call of run()"),
        ("import os\n\nprint(1)\n", "kernel.py:3: it ends without a call of run()"),
        ("x = 1\ndef f(:\n", "kernel.py:2: invalid syntax"),
        ("run(files={}, archive='')", "kernel.py:1: the call of run() lacks config, entry, experiment"),
        ("x = '\0'", "kernel.py:1: "),
        ("(" * 5000, "kernel.py:1: "),
        ('{"cells": []}', "kernel.py:1: it ends without a call of run()"),
        (("files", "FILES"), "kernel.py:2: files cannot be read: nothing is assigned to FILES"),
        (("files", "[]"), "kernel.py:2: files cannot be read: it is not a dictionary"),
        (("files", "{'a': ('b', 'text')}"), "kernel.py:2: files cannot be read: 'a' is not (SHA-256, encoding, text)"),
        (("files", "{'a': ('b', 'base64', 'a')}"), "kernel.py:2: files cannot be read: a cannot be decoded"),
        (("files", "dict(a=1)"), "kernel.py:2: files cannot be read: malformed node or string"),
        (("archive", "'abc'"), "kernel.py:2: archive cannot be read: "),
        (("archive", "5"), "kernel.py:2: archive cannot be read: it is not a string"),
        (("config", "json.loads('{')"), "kernel.py:2: config cannot be read: Expecting property name"),
        (("config", "5"), "kernel.py:2: config cannot be read: it is neither a dictionary nor None"),
        (("entry", "b'x'"), "kernel.py:2: entry cannot be read: it is not a string"),
    ],
)
def test_what_is_no_kernel(text: str | tuple[str, str], message: str) -> None:
    """One message that begins with file and line, and a hint."""
    if isinstance(text, tuple):
        values = {"files": "{}", "archive": "''", "config": "{}", "entry": "'a.b'", "experiment": "'e'"} | dict([text])
        text = "import json\nrun(" + ", ".join(f"{name}={value}" for name, value in values.items()) + ")\n"
    with pytest.raises(BundleError) as caught:
        _read(text)
    assert caught.value.what.startswith(message)
    assert "object at 0x" not in caught.value.what
    assert caught.value.hint == "This is no kernel that coord made, or it was damaged."


def test_bytes_that_are_no_text() -> None:
    """Not UTF-8: the line of the first wrong byte."""
    with pytest.raises(BundleError, match=r"kernel.py:2: it is not UTF-8"):
        read_kernel(b"a\n\xff", "kernel.py")
    with pytest.raises(BundleError):
        read_kernel(random.Random(0).randbytes(1000), "kernel.py")


def test_another_template(tmp_path: Path, tiny: Project) -> None:
    """A project's own text may hold the values otherwise: in the call itself, without a project's config."""
    text = textwrap.dedent(
        """
        from coord import run
        run(files={"a.py": ("%s", "base64", "eCA9IDEK")}, archive="", config=None, entry="a.py", experiment="")
        """
    )
    kernel = _read(text % ("0" * 64))
    assert (kernel.config, kernel.entry, kernel.experiment) == (None, "a.py", "")
    assert _files(kernel) == {"a.py": b"x = 1\n"}
    assert dict(kernel.damaged) == {"a.py": "0" * 64}


def test_the_real_kernel(repository: Project) -> None:
    """This repository's own model source is read back whole."""
    sources = collect(repository.root, repository.settings.entry)
    kernel = _read(script_of({file.path: file.data for file in sources}).text)
    assert kernel.files == sources
