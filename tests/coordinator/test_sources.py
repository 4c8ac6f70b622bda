"""Which files go into the bundle, and which ones keep it from being made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coordinator.bundle.sources import collect
from coordinator.errors import BundleError
from tests.coordinator.programs import write_files

ENTRY = {"pack/__init__.py": "", "pack/train.py": ""}


def _paths(root: Path) -> list[str]:
    return [file.path for file in collect(root, "pack.train")]


def _error(root: Path) -> str:
    with pytest.raises(BundleError) as caught:
        collect(root, "pack.train")
    return caught.value.what


def test_the_whole_package_goes_in_with_its_data(tmp_path: Path) -> None:
    """Modules that nobody imports by name and data of any kind are there, in sorted order; rubbish is not."""
    write_files(
        tmp_path,
        {
            **ENTRY,
            "pack/by_name.py": "",
            "pack/data/a.bin": b"\0\xff",
            "pack/data/deep/empty": "",
            "pack/__pycache__/train.cpython-311.pyc": "",
            "pack/old.pyc": "",
            "pack/.ipynb_checkpoints/x.py": "",
            "README.md": "",
            "unused.py": "",
        },
    )
    assert _paths(tmp_path) == [
        *("pack/__init__.py", "pack/by_name.py", "pack/data/a.bin", "pack/data/deep/empty", "pack/train.py"),
    ]


def test_imports_are_followed_wherever_they_stand(tmp_path: Path) -> None:
    """Local modules, packages and namespace folders come in through any import statement, and through each other."""
    write_files(
        tmp_path,
        {
            "pack/__init__.py": "",
            "pack/train.py": "import json, alone\ndef late():\n    from library.part import x\n",
            "alone.py": "try:\n    import namespace.inner.leaf as leaf\nexcept ImportError:\n    pass\n",
            "library/__init__.py": "",
            "library/part.py": "from .other import x\nimport pack.train\n",
            "library/other.py": "x = 1\n",
            "library/table.csv": "1\n",
            "namespace/inner/leaf.py": "if 0:\n    import far\n",
            "far.py": "",
            "json_like.py": "",
            "tests/test_x.py": "",
        },
    )
    assert _paths(tmp_path) == [
        *("alone.py", "far.py", "library/__init__.py", "library/other.py", "library/part.py", "library/table.csv"),
        *("namespace/inner/leaf.py", "pack/__init__.py", "pack/train.py"),
    ]


def test_relative_imports_name_nothing_outside(tmp_path: Path) -> None:
    """`from . import engine` is the package's own engine, not a module of that name beside the package."""
    files = {"pack/train.py": "from . import engine\nfrom .engine import x\n", "pack/engine.py": "", "engine.py": ""}
    write_files(tmp_path, {**ENTRY, **files})
    assert "engine.py" not in _paths(tmp_path)


def test_a_module_and_a_folder_of_one_name(tmp_path: Path) -> None:
    """Python takes the module, since the folder is no regular package: so the module must be in the bundle."""
    write_files(tmp_path, {**ENTRY, "pack/train.py": "import both\n", "both.py": "", "both/tool.py": ""})
    assert "both.py" in _paths(tmp_path)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("KGAT_" + "a1" * 16, "a Kaggle access token"),
        ('{"username": "a", "key" : "' + "0f" * 16 + '"}', "a Kaggle API key"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "a private key"),
        ("-----BEGIN " + "PRIVATE KEY-----", "a private key"),
        ("AKIA" + "B2" * 8, "an AWS access key"),
        ("ghp_" + "a1" * 18, "a GitHub token"),
        ("hf_" + "aB" * 17, "a Hugging Face token"),
    ],
)
@pytest.mark.parametrize("file", ["pack/keys.py", "pack/data/blob.bin", "beside.py"])
def test_secrets_are_refused_with_their_place(tmp_path: Path, name: str, what: str, file: str) -> None:
    """A secret's text is found in any file of the bundle, told by file and line, and not repeated."""
    write_files(tmp_path, {**ENTRY, "pack/train.py": "import beside\n", "beside.py": ""})
    write_files(tmp_path, {file: f"# 1\n# 2\nx = '{name}'\n".encode() + (b"\xff" if file.endswith("bin") else b"")})
    said = _error(tmp_path)
    assert said.startswith(f"{file}:3 holds what looks like {what};")
    assert name not in said


@pytest.mark.parametrize("name", [".env", ".env.local", "kaggle.json", "access_token", "id_rsa", "x.pem", "data/y.key"])
def test_files_that_hold_secrets_are_refused_by_name(tmp_path: Path, name: str) -> None:
    """Leaving them out silently would hide where they lie."""
    write_files(tmp_path, {**ENTRY, f"pack/{name}": "x"})
    assert _error(tmp_path) == f"pack/{name} looks like a secret and would become part of the kernel's source"


def test_names_that_only_look_alike_are_taken(tmp_path: Path) -> None:
    """Words of a model's source that begin like a token are no secrets."""
    write_files(tmp_path, {**ENTRY, "pack/words.py": "KGAT_SHORT = hf_model = 'AKIA'\nkey = {'key': 'value'}\n"})
    assert "pack/words.py" in _paths(tmp_path)


@pytest.mark.parametrize("inside", ["pack/link", "pack/deep/link", "beside", "beside.py"])
def test_links_out_of_the_project_are_refused(tmp_path: Path, inside: str) -> None:
    """To a file or a folder, in the package or beside it."""
    outside = write_files(tmp_path / "outside", {"secret.py": "", "folder/x.py": ""})
    root = write_files(tmp_path / "project", {**ENTRY, "pack/train.py": "import beside\n", "pack/deep/x.txt": ""})
    target = outside / ("secret.py" if inside.endswith(".py") else "folder")
    (root / inside).symlink_to(target)
    assert _error(root) == f"{inside} is a link to {target}, outside the project"


def test_links_inside_the_project_are_followed(tmp_path: Path) -> None:
    """What lies in the project may be linked; the bundle holds the content under the link's name."""
    write_files(tmp_path, {**ENTRY, "shared/words.txt": "hello"})
    (tmp_path / "pack" / "words.txt").symlink_to("../shared/words.txt")
    (tmp_path / "pack" / "more").symlink_to("../shared")
    found = {file.path: file.data for file in collect(tmp_path, "pack.train")}
    assert found["pack/words.txt"] == found["pack/more/words.txt"] == b"hello"


@pytest.mark.parametrize("target", [".", "..", "../pack"])
def test_links_in_circles_are_refused(tmp_path: Path, target: str) -> None:
    """A folder that holds itself would go in again and again."""
    write_files(tmp_path, ENTRY)
    (tmp_path / "pack" / "again").symlink_to(target)
    assert "is a link to a folder that it lies in" in _error(tmp_path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A link to nothing would be missing in the kernel; reading a pipe would wait for ever."""
    write_files(tmp_path, ENTRY)
    (tmp_path / "pack" / "gone").symlink_to("nowhere")
    assert _error(tmp_path).startswith("pack/gone is not a file")
    (tmp_path / "pack" / "gone").unlink()
    os.mkfifo(tmp_path / "pack" / "pipe")
    assert _error(tmp_path).startswith("pack/pipe is not a file")


@pytest.mark.parametrize("name", [b"a\nimport os", b"\xff", "a\u2028b".encode(), b"a\x1b[31m"])
def test_names_that_would_break_the_script_are_refused(tmp_path: Path, name: bytes) -> None:
    """A file's name stands in a comment of the kernel: a line end there would be the start of code."""
    write_files(tmp_path, ENTRY)
    Path(os.fsdecode(os.fsencode(tmp_path / "pack") + b"/" + name)).touch()
    said = _error(tmp_path)
    assert said.isascii()
    assert said.isprintable()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"x = 1\n\ndef f(:\n", "pack/bad.py:3: invalid syntax"),
        (b"x = '\n", "pack/bad.py:1: unterminated string literal"),
        (b"if 1:\nx\n", "pack/bad.py:2: expected an indented block"),
        (b"x = '\xff'\n", "pack/bad.py"),
        (b"x = 1\0\n", "pack/bad.py: source code string cannot contain null bytes"),
    ],
)
def test_syntax_errors_are_told_before_a_push(tmp_path: Path, source: bytes, message: str) -> None:
    """In any module of the package, with file and line: on Kaggle it would cost a session."""
    write_files(tmp_path, {**ENTRY, "pack/bad.py": source})
    assert _error(tmp_path).startswith(message)


def test_other_encodings_are_python_too(tmp_path: Path) -> None:
    """A source may declare its encoding; the bundle keeps its bytes."""
    source = "# coding: latin-1\nimport far\nx = 'ü'\n".encode("latin-1")
    write_files(tmp_path, {**ENTRY, "pack/train.py": source, "far.py": b"\xef\xbb\xbfx = 1\r\n"})
    found = {file.path: file.data for file in collect(tmp_path, "pack.train")}
    assert found["pack/train.py"] == source
    assert found["far.py"] == b"\xef\xbb\xbfx = 1\r\n"


def test_a_missing_entry(tmp_path: Path) -> None:
    """The message names the file that is wanted; a package that runs through its __main__ is an entry too."""
    write_files(tmp_path, {"pack/__init__.py": ""})
    assert _error(tmp_path) == 'there is no entry module "pack.train": pack/train.py is missing'
    write_files(tmp_path, {"pack/train/__main__.py": ""})
    assert "pack/train/__main__.py" in _paths(tmp_path)
