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
from hypothesis import HealthCheck, example, given, settings, strategies as st

from coordinator.bundle.bootstrap import decoded, digest_of, stamp_of
from coordinator.bundle.files import SourceFile
from coordinator.bundle.script import Content, literal, render_script, stamped
from coordinator.bundle.sources import collect
from coordinator.errors import BundleError
from coordinator.kaggle_rules import SOURCE_MAX
from coordinator.project.project import Project
from coordinator.project.shipped import default_template
from tests.coordinator.bundle.programs import run_kernel, script_of, write_files
from tests.paths import ROOT

# Prints what the kernel has unpacked, and the config that it was given.
TELL = """
import hashlib, json, os
from pathlib import Path

root = Path(__file__).parent.parent
files = [path for path in root.rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
sums = {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
print(json.dumps({"files": sums, "config": json.loads(Path(os.environ["COORD_CONFIG"]).read_text("utf-8"))}))
"""
PACK: dict[str, str | bytes] = {"pack/__init__.py": "", "pack/train.py": TELL}

CODE = str(ROOT)
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


@pytest.mark.parametrize(
    ("data", "encoding", "shown"),
    [
        (b"a\r\nb\r\n", "utf-8 crlf", "r'''\na\nb\n'''"),
        (b"a\r\nb\n", "utf-8", "'''\na\\r\nb\n'''"),
        (b"a\rb", "utf-8", "'''\na\\rb'''"),
        (b"\xef\xbb\xbfa\n", "utf-8-sig", "r'''\na\n'''"),
        (b"\xef\xbb\xbfa\r\n", "utf-8-sig crlf", "r'''\na\n'''"),
        ("a\ufeff\\n\n".encode(), "utf-8", "'''\na\\ufeff\\\\n\n'''"),
        ("# coding: latin-1\nx = 'ä'\n".encode("latin-1"), "iso-8859-1", "r'''\n# coding: latin-1\nx = 'ä'\n'''"),
        (
            "# -*- coding: shift_jis -*-\r\nx = 'ソ'\r\n".encode("shift_jis"),
            "shift_jis crlf",
            "r'''\n# -*- coding: shift_jis -*-\nx = 'ソ'\n'''",
        ),
        # What says one thing and is another, or nothing that a kernel could hold.
        (b"# coding: ascii\nx = '\xe4'\n", "base64", "r'''\nIyBjb2Rpbmc6IGFzY2lpCnggPSAn5CcK'''"),
        (b"# coding: nothing\nx = '\xe4'\n", "base64", "r'''\nIyBjb2Rpbmc6IG5vdGhpbmcKeCA9ICfkJwo='''"),
        (b"# coding: rot13\n\xff", "base64", "r'''\nIyBjb2Rpbmc6IHJvdDEzCv8='''"),
        (b"a\0b", "base64", "r'''\nYQBi'''"),
        (b"", "utf-8", "r'''\n'''"),
    ],
)
def test_people_can_read_sources_of_any_encoding(data: bytes, encoding: str, shown: str) -> None:
    """Line ends, byte order marks and declared encodings are said beside the text, which stays text."""
    script = script_of({**PACK, "pack/odd.py": data})
    assert f'FILES["pack/odd.py"] = ("{hashlib.sha256(data).hexdigest()}", "{encoding}", {shown})\n' in script.text
    text = ast.literal_eval(shown)
    assert decoded(encoding, text) == data


_CODECS = ("utf-8", "utf-8-sig", "latin-1", "cp1252", "shift_jis", "euc-jp", "utf-7", "koi8-r", "iso2022_jp", "hz")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(_CODECS), _texts, st.sampled_from(["\n", "\r\n", "\r"]))
@example("utf-7", "\ud800", "\n")
def test_sources_of_any_encoding_come_out_again(codec: str, text: str, line_end: str) -> None:
    """Whatever a source declares and holds: its bytes are those that were bundled, and the kernel is UTF-8."""
    declared = f"# coding: {codec}\n{text}\n".replace("\n", line_end)
    data = declared.encode(codec, "surrogatepass" if codec == "utf-7" else "replace")
    kernel = script_of({"pack/odd.py": data}).text
    kernel.encode("utf-8")
    (call,) = [node for node in ast.parse(kernel).body if ast.unparse(node).startswith("FILES[")]
    assert isinstance(call, ast.Assign)
    _, encoding, packed = ast.literal_eval(call.value)
    assert decoded(encoding, packed) == data


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(_texts, _values, max_size=5))
def test_the_config_in_the_kernel_is_the_config(config: dict[str, Any]) -> None:
    """Quotes, backslashes, braces, the template's syntax, any character: what Python reads is what was given."""
    kernel = script_of(PACK, config=config).text
    namespace: dict[str, Any] = {}
    exec(kernel.partition("\nFILES = {}")[0], namespace)
    assert namespace["CONFIG"] == config


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"optim": {"lr": float("nan")}}, "config: optim.lr is nan, which JSON does not have"),
        ({"a": [1, {"b": -float("inf")}]}, "config: a.1.b is -inf, which JSON does not have"),
        ({"note": "x\ud83d"}, r"config: note is 'x\ud83d', which is half a character (a lone surrogate)"),
        ({"a": {"\udc00": 1}}, r"config: a.\udc00 is '\udc00', which is half a character (a lone surrogate)"),
    ],
)
def test_a_config_that_no_kernel_can_hold(config: dict[str, Any], message: str) -> None:
    """It is refused, with the value and where it stands."""
    with pytest.raises(BundleError) as caught:
        script_of(PACK, config=config)
    assert caught.value.what == message


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(_texts, st.text(st.characters(categories=["Cs"]), min_size=1), min_size=1, max_size=2))
def test_no_half_character_gets_through(config: dict[str, Any]) -> None:
    """Lone surrogates are refused wherever they stand."""
    with pytest.raises(BundleError, match="half a character"):
        script_of(PACK, config={"section": [config]})


def test_a_bundle_without_a_project(tmp_path: Path) -> None:
    """It says nothing of an experiment, and its program finds neither a config nor the name of one."""
    tell = "import os\nprint([name for name in ('COORD_CONFIG', 'COORD_EXPERIMENT') if name in os.environ])\n"
    source = SourceFile("tools/main.py", tell.encode())
    script = render_script(default_template("kernel.py.j2"), Content("tools/main.py", [source]))
    head = script.text.partition("\nFILES = {}")[0]
    assert "# tools/main.py, bundled\n#\n" in head
    assert "experiment" not in head
    assert "CONFIG" not in head
    ran = run_kernel(script.text, tmp_path, variables={"COORD_OVERRIDES": '{"a": 1}'})
    assert (ran.code, ran.out, ran.err, ran.temporary) == (0, "[]\n", "", ())


def test_two_versions_differ_where_they_differ() -> None:
    """A changed line of a source changes itself, the source's digest and the kernel's: what a reader of a diff sees."""
    source = "".join(f"line_{number} = {number}\n" for number in range(100))
    before = script_of({**PACK, "pack/a.py": source}).text.splitlines()
    after = script_of({**PACK, "pack/a.py": source.replace("= 50\n", "= 51\n")}).text.splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [line.partition(" ")[0] for line in changed] == ["#", 'FILES["pack/a.py"]', "line_50"]


def test_the_same_bytes_whatever_the_order() -> None:
    """Neither a second time nor the order of the files makes a difference; a file's content or name does."""
    files = {**PACK, "pack/a.py": "a", "pack/b.py": "b"}
    script = script_of(files)
    assert script_of(files) == script
    assert script_of(dict(reversed(files.items()))) == script
    assert script_of({**files, "pack/b.py": "c"}).digest != script.digest
    assert script_of(files, config={"a": 1}).digest != script.digest


def test_the_same_bytes_elsewhere(tiny: Project, tmp_path: Path) -> None:
    """Other seeds of Python's hashes, locales, umasks, working directories, times and checkouts, users: the same."""
    code = (
        "import os, sys\nos.umask(int(sys.argv[2], 8))\nfrom pathlib import Path\n"
        "from coordinator.bundle.sources import collect\n"
        "from coordinator.bundle import Content, render_script\nfrom coordinator.project import default_template\n"
        "content = Content('tiny_model.train', collect(Path(sys.argv[1]), 'tiny_model.train'),\n"
        "                  {'b': 1, 'a': {'d': 'é', 'c': 3}}, 'e', 'ü')\n"
        "script = render_script(default_template('kernel.py.j2'), content)\n"
        "sys.stdout.buffer.write(script.text.encode())"
    )
    copy = tmp_path / "quite" / "another place"
    # Another order on disk, too: the files are made from the last to the first.
    for file in sorted(tiny.root.rglob("*"), reverse=True):
        if file.is_file():
            write_files(copy, {file.relative_to(tiny.root).as_posix(): file.read_bytes()})
            os.utime(copy / file.relative_to(tiny.root), (1, 1))
    texts = {
        subprocess.run(
            [sys.executable, "-c", code, str(root), umask],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": CODE, "PYTHONHASHSEED": seed, "LC_ALL": locale, "USER": user, "TZ": zone},
            capture_output=True,
            check=True,
        ).stdout
        for root, seed, locale, umask, user, zone, directory in (
            (tiny.root, "1", "C", "022", "ada", "UTC", tiny.root),
            (tiny.root, "2", "C.UTF-8", "077", "bob", "Asia/Tokyo", tiny.root.parent),
            (copy, "0", "POSIX", "002", "", "America/Lima", Path("/")),
        )
    }
    (text,) = texts
    assert str(tiny.root.parent).encode() not in text


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
    head = script.text.partition("\nARCHIVE = ")[0]
    assert "compressed into one archive, ARCHIVE" in head
    for path, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        assert (
            f'\nFILES["{path}"] = ("{hashlib.sha256(data).hexdigest()}", "archive", "")  # {len(data):,} bytes\n'
            in head
        )
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
        render_script(file, Content("pack.train", (), {}, "e"))
    assert caught.value.what.startswith("kernel.py.j2: ")
    assert message in caught.value.what


def test_the_real_model_source_fits_as_text(repository: Project) -> None:
    """The repository's own kernel is readable text, and far from the limit."""
    files = collect(repository.root, repository.settings.entry)
    assert "model_src/config.py" in {file.path for file in files}
    assert all(isinstance(file, SourceFile) and file.path.startswith("model_src/") for file in files)
    script = render_script(default_template("kernel.py.j2"), Content("model_src.train", files, {}, "e"))
    assert script.form == "text"
    assert len(script.text.encode()) < SOURCE_MAX // 2
