"""The kernel's text: whatever the sources and the config hold comes out of it again, and the bytes are reproducible."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from coordinator.bundle.bootstrap import digest_of, stamp_of
from coordinator.bundle.script import literal, render, stamped
from coordinator.bundle.sources import SourceFile, collect
from coordinator.errors import BundleError
from coordinator.kaggle_rules import SOURCE_MAX
from coordinator.project import Project, default_template
from tests.coordinator.programs import run_kernel, script_of, write_files

# Prints what the kernel has unpacked, and the config that it was given.
TELL = """
import hashlib, json, os
from pathlib import Path

root = Path(__file__).parent.parent
files = [path for path in root.rglob("*") if path.is_file() and path.name != "coord_config.json"]
sums = {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
print(json.dumps({"files": sums, "config": json.loads(Path(os.environ["COORD_CONFIG"]).read_text("utf-8"))}))
"""
PACK: dict[str, str | bytes] = {"pack/__init__.py": "", "pack/train.py": TELL}

_PIECES = (
    *("'''", '"""', "'", '"', "\\", "\\\\", "\\'", "{{", "}}", "{%", "%}", "{#", "#}", "{{ kernel }}", "{% raw %}"),
    *("\n", "\r", "\r\n", "\t", "\x0b", "\x0c", "\x1c", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\0", "é", "😀"),
    *("r'''", "\\N{DASH}", "\\u0041", "\\x41", "FILES = {}", "# coding: latin-1\n", "a", " "),
)
_texts = st.lists(st.sampled_from(_PIECES) | st.text(max_size=5), max_size=8).map("".join)
_contents = st.binary(max_size=30) | _texts.map(str.encode)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_contents, max_size=8), st.dictionaries(_texts, _values, max_size=4), _texts)
@example(
    [b"", b"\n", b"x", b"x\n", b"'", b'"', b"\\", b"'''\"\"\"\\"], {"a": "\ufeff\0\r\n\u2028"}, "'''\n\0\rimport os"
)
@example([], {"a": "ü"}, "label encoding: one-hot")
def test_every_byte_comes_out_again(contents: list[bytes], config: dict[str, Any], about: str) -> None:
    """Sources, binary data and config values of any kind pass through the kernel's text unchanged, as a program shows.

    No piece of them is taken for Python, for the template's language, or for the end of the literal that holds it.
    """
    data = {f"pack/data/{number}.txt": content for number, content in enumerate(contents)}
    files = {"pack/__init__.py": b"", "pack/train.py": TELL.encode()} | data
    script = script_of(files, config=config, about=about)
    with tempfile.TemporaryDirectory() as directory:
        ran = run_kernel(script.text, Path(directory) / "session")
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert told["files"] == {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    assert told["config"] == config


@settings(max_examples=200, deadline=None)
@given(_texts.filter(lambda text: not set(text) & set("\r\0")))
def test_a_literal_is_the_text(text: str) -> None:
    """What stands in the script as a literal evaluates to the text it was made of."""
    assert ast.literal_eval(literal(text)) == text


def test_names_of_any_script(tmp_path: Path) -> None:
    """Blanks, quotes and characters beyond U+FFFF in a file's name reach the kernel's disk as they are."""
    names = ["pack/data/a b.txt", "pack/data/ü'\"<&>.txt", "pack/data/😀{{ x }}.txt", "pack/data/back\\slash"]
    ran = run_kernel(script_of({**PACK, **dict.fromkeys(names, "x")}).text, tmp_path)
    assert ran.code == 0, ran.err
    assert set(json.loads(ran.out)["files"]) == {*PACK, *names}


def test_people_can_read_the_sources() -> None:
    """A source stands in the kernel line by line as it was written, under its name."""
    source = 'def f() -> str:\n    """Doc."""\n    return r"\\d"\n'
    text = script_of({**PACK, "pack/engine.py": source}).text
    assert "- pack/engine.py\n" in text
    assert f"r'''\n{source}''')\n" in text


def test_the_same_bytes_whatever_the_order() -> None:
    """Neither a second time nor the order of the files makes a difference; a file's content or name does."""
    files = {**PACK, "pack/a.py": "a", "pack/b.py": "b"}
    script = script_of(files)
    assert script_of(files) == script
    assert script_of(dict(reversed(files.items()))) == script
    assert script_of({**files, "pack/b.py": "c"}).digest != script.digest
    assert script_of(files, config={"a": 1}).digest != script.digest


def test_the_same_bytes_in_another_process(tiny: Project) -> None:
    """Other seeds of Python's hashes, other working directories: the same kernel."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom coordinator.bundle.sources import collect\n"
        "from coordinator.bundle.script import render\nfrom coordinator.project import default_template\n"
        "script = render(default_template('kernel.py.j2'), experiment='e', about='', entry='tiny_model.train',\n"
        "                config={'b': 1, 'a': {'d': 2, 'c': 3}},\n"
        "                files=collect(Path(sys.argv[1]), 'tiny_model.train'))\n"
        "sys.stdout.write(script.text)"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code, str(tiny.root)],
            cwd=directory,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed, directory in (("1", tiny.root), ("2", tiny.root.parent), ("0", Path("/")))
    }
    assert len(texts) == 1


def test_the_digest_covers_all_but_the_first_line() -> None:
    """The stamp at the push changes nothing that the digest says; any other change does."""
    script = script_of(PACK)
    assert script.text.startswith(f"# coord: run=- digest={script.digest}\n")
    assert script.digest == "sha256:" + hashlib.sha256(script.text.partition("\n")[2].encode()).hexdigest()
    text = stamped(script.text, run_id="0123abcd", git="abc-dirty")
    assert stamp_of(text) == {"run": "0123abcd", "digest": script.digest, "git": "abc-dirty"}
    assert digest_of(text) == script.digest
    assert stamped(text, run_id="-", git=None) == script.text
    assert digest_of(text + " ") != script.digest


def test_a_text_without_a_stamp() -> None:
    """A kernel that coord did not make has no stamp, and its first line counts."""
    assert stamp_of("print('run=1')\n") == {}
    assert stamp_of("") == {}
    assert digest_of("a\nb") != digest_of("c\nb")


def test_too_much_text_becomes_an_archive_that_runs(tmp_path: Path) -> None:
    """Sources beyond the limit are compressed, the kernel says so at its top, and unpacks the same files."""
    files = {**PACK, "pack/long.py": "# text\n" * (SOURCE_MAX // 7), "pack/data/x.bin": bytes(range(256))}
    script = script_of(files)
    assert script.form == "archive"
    assert "compressed into one\n# archive, because" in script.text[:600]
    assert len(script.text) < SOURCE_MAX // 10
    assert script_of(dict(reversed(files.items()))) == script
    ran = run_kernel(script.text, tmp_path)
    assert ran.code == 0, ran.err
    assert set(json.loads(ran.out)["files"]) == set(files)


def test_the_limit_to_the_byte() -> None:
    """Text is kept as long as the stamped kernel fits, and not one byte longer."""
    overhead = len(script_of({**PACK, "pack/data.txt": ""}).text.encode())
    fits = SOURCE_MAX - 200 - overhead
    kept = script_of({**PACK, "pack/data.txt": "x" * fits})
    assert kept.form == "text"
    longest = stamped(kept.text, run_id="f" * 16, git="0" * 12 + "-dirty")
    assert len(longest.encode()) <= SOURCE_MAX
    assert script_of({**PACK, "pack/data.txt": "x" * (fits + 1)}).form == "archive"


def test_more_than_kaggle_takes_is_refused() -> None:
    """What does not fit even compressed is an error that names the largest files, largest first."""
    noise = random.Random(0).randbytes
    files = {**PACK, "pack/weights.bin": noise(900_000), "pack/small.bin": noise(200_000)}
    with pytest.raises(BundleError, match="not even compressed") as caught:
        script_of(files)
    first, second = caught.value.what.splitlines()[1:3]
    assert first.split() == ["900,000", "bytes", "pack/weights.bin"]
    assert second.split() == ["200,000", "bytes", "pack/small.bin"]
    assert "dataset_sources" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{% for %}", "Expected an expression"),
        ("{{ config | unheard }}", "No filter named 'unheard'"),
    ],
)
def test_a_template_of_ones_own_that_is_wrong(tmp_path: Path, template: str, message: str) -> None:
    """A mistake in the project's own template is told with its name."""
    file = write_files(tmp_path, {"kernel.py.j2": template}) / "kernel.py.j2"
    with pytest.raises(BundleError) as caught:
        render(file, experiment="e", about="", entry="pack.train", config={}, files=())
    assert caught.value.what.startswith("kernel.py.j2: ")
    assert message in caught.value.what


def test_the_real_model_source_fits_as_text(repository: Project) -> None:
    """The repository's own kernel is readable text, and far from the limit."""
    files = collect(repository.root, repository.settings.entry)
    assert "model_src/config.py" in {file.path for file in files}
    assert all(isinstance(file, SourceFile) and file.path.startswith("model_src/") for file in files)
    script = render(
        default_template("kernel.py.j2"), experiment="e", about="", entry="model_src.train", config={}, files=files
    )
    assert script.form == "text"
    assert len(script.text.encode()) < SOURCE_MAX // 2
