"""Which files go into the bundle, and which ones keep it from being made."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from coordinator.bundle.secrets import find_secrets
from coordinator.bundle.sources import collect
from coordinator.errors import BundleError
from tests.coordinator.bundle.programs import write_files

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
        ("KAGGLE_KEY=" + "0f" * 16, "a Kaggle API key"),
        ('os.environ["KAGGLE_KEY"] = "' + "0f" * 16, "a Kaggle API key"),
        ('WANDB_API_KEY: "' + "0f" * 20, "a Weights & Biases key"),
        ("xoxb-" + "123456789012-" * 2 + "aB3" * 8, "a Slack token"),
        ("https://hooks.slack.com/" + "services/T12345678/B12345678/" + "aB3" * 8, "a Slack webhook"),
        ("sk-proj-" + "aB3_" * 12, "an OpenAI key"),
        ("sk-" + "aB3d" * 12, "an OpenAI key"),
        ("sk-ant-api03-" + "aB3-" * 12, "an Anthropic key"),
        ("AIza" + "aB3_d" * 7, "a Google API key"),
        ("github_pat_" + "aB3_" * 18, "a GitHub token"),
        ("glpat-" + "aB3d" * 5, "a GitLab token"),
        ("sk_live_" + "aB3d" * 6, "a Stripe key"),
        ("pypi-AgE" + "aB3d" * 15, "a PyPI token"),
        ("npm_" + "aB3d" * 9, "an npm token"),
        ('client_secret = "' + "q7Hd2kLm9Xw4ZtRv" * 2 + '"', "a key"),
        ("-----BEGIN PGP " + "PRIVATE KEY BLOCK-----", "a private key"),
        ("PuTTY-User-Key" + "-File-3: ssh-ed25519", "a private key"),
        ('wandb.login(key="' + "0f" * 20 + '")', "a Weights & Biases key"),
        ('os.environ["COMET_API_KEY"] = "' + "aB3d5" * 5 + '"', "a Comet key"),
        ("eyJhcGlfYWRk" + "cmVzcyI6" + "aB3d" * 20, "a Neptune token"),
        ("eyJhbGciOiJI" + "UzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ." + "aB3_" * 10, "a JSON web token"),
        ("AccountKey=" + "aB3/" * 21 + "aB==", "an Azure storage key"),
        ("glrt-" + "aB3d" * 5, "a GitLab token"),
        ("GR1348941" + "aB3d" * 5, "a GitLab token"),
        ("//npm.example.com/:_authToken=" + "01234567-89ab-cdef-0123-456789abcdef", "an npm token"),
        ("SG." + "aB" * 11 + "." + "aB3_" * 10 + "aB3", "a SendGrid key"),
        ("0f" * 16 + "-us12", "a Mailchimp key"),
        ("SK" + "0f" * 16, "a Twilio key"),
        ("123456789:AA" + "aB3" * 11, "a Telegram token"),
        ("sq0csp-" + "aB3_" * 10 + "aB3", "a Square key"),
        ("AKCp" + "aB3d" * 15, "an Artifactory key"),
        ('cloudant_password = "' + "0f" * 32 + '"', "a Cloudant key"),
        ("https://api.softlayer.com/soap/v3.1/" + "0f" * 32, "a SoftLayer key"),
        ("https://ada:" + "correct4horse@example.com/data.zip", "a password in an address"),
    ],
)
@pytest.mark.parametrize("file", ["pack/keys.py", "pack/data/blob.bin", "beside.py"])
def test_secrets_are_refused_with_their_place(tmp_path: Path, name: str, what: str, file: str) -> None:
    """A secret's text is found in any file of the bundle, told by file and line, and not repeated."""
    write_files(tmp_path, {**ENTRY, "pack/train.py": "import beside\n", "beside.py": ""})
    write_files(tmp_path, {file: f"# 1\n# 2\nx = '''{name}'''\n".encode() + (b"\xff" if file.endswith("bin") else b"")})
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


@pytest.mark.parametrize("package", ["rich", "sympy", "torchvision", "kaggle", "kagglesdk", "pip", "requests"])
def test_large_code_bases_hold_no_secret(package: str) -> None:
    """Nothing in the sources of others, tests and made-up credentials included, is taken for one."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    files = list(Path(spec.submodule_search_locations[0]).rglob("*.py"))
    assert files
    assert {str(file): found for file in files if (found := find_secrets(file.read_bytes()))} == {}


def test_what_is_said_of_a_key_is_no_key(tmp_path: Path) -> None:
    """Placeholders, words, and names of variables stand where a key would."""
    lines = [
        'api_key = "your-api-key-goes-right-here-please"',
        "api_key = os.environ['SOME_VERY_LONG_VARIABLE_NAME_1234']",
        'secret_key = "00000000000000000000000000000000"',
        'WANDB_API_KEY = os.environ["WANDB_API_KEY"]',
        'css = "sk-estimator-doc-link-fitted-and-a-lot-more-words"',
        'address = "https://user:password@example.com", f"https://{USER_1}:{PASSWORD_1}@example.com"',
        'address = "https://example.com:8080/user1234567@example"',
        'glob = "global_variable_of_some_length_42", "gloas", "SKIPPED", "eyJ"',
    ]
    write_files(tmp_path, {**ENTRY, "pack/words.py": "import os\n" + "\n".join(lines)})
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
    """In any module that an import leads to, with file and line: on Kaggle it would cost a session."""
    write_files(tmp_path, {**ENTRY, "pack/train.py": "from . import bad\n", "pack/bad.py": source})
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


# What lies in a project, and which of it git ignores.
IGNORING: dict[str, str | bytes] = {
    **ENTRY,
    ".gitignore": "# comment\n\n*.log\n!pack/kept.log\n/pack/only_top\nfolder/\npack/**/deep.txt\nspace\\ \n",
    "pack/a.log": "",
    "pack/kept.log": "",
    "pack/only_top": "",
    "pack/inner/only_top": "",
    "pack/inner/folder/x.txt": "",
    "pack/inner/deep.txt": "",
    "pack/inner/.gitignore": "*.txt\n!keep.txt\n!b.log\n",
    "pack/inner/keep.txt": "",
    "pack/inner/drop.txt": "",
    "pack/inner/b.log": "",
    "pack/folder/.gitignore": "!*\n",
    "pack/folder/x.txt": "",
    "pack/space ": "",
    "pack/.env": "no longer refused\n",
    "pack/inner/more/.gitignore": ".env\n*.pem\n",
    "pack/inner/more/server.pem": "",
}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("above", ["", "far/above/"])
def test_ignored_files_are_those_that_git_ignores(tmp_path: Path, above: str) -> None:
    """At all levels, in a project at the top of the work tree or below it."""
    root = write_files(tmp_path / above, IGNORING)
    write_files(tmp_path, {".gitignore": (tmp_path / ".gitignore").read_text() if not above else ".env\ntop.*\n"})
    write_files(root, {"pack/top.txt": ""} if above else {".gitignore": str(IGNORING[".gitignore"]) + ".env\n"})
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    git = ["git", "-C", str(root), "ls-files", "--others", "--exclude-standard", "-z", "pack"]
    listed = subprocess.run(git, capture_output=True, check=True).stdout.decode().split("\0")
    assert _paths(root) == sorted(filter(None, listed))
    assert "pack/inner/b.log" in listed
    assert not {"pack/top.txt", "pack/a.log", "pack/folder/x.txt", "pack/.env"} & set(listed)


def test_what_is_ignored_is_said(tmp_path: Path) -> None:
    """The first few by name: a package's data may be ignored, and be missed."""
    write_files(tmp_path, {**ENTRY, ".gitignore": "*.bin\nmade/\n", "pack/made/x": ""})
    write_files(tmp_path, {f"pack/{number}.bin": "" for number in range(6)})
    said: list[str] = []
    collect(tmp_path, "pack.train", say=said.append)
    assert said == ["left out as ignored: pack/0.bin, pack/1.bin, pack/2.bin, pack/3.bin, pack/4.bin and 2 more"]


def test_coordignore_has_the_last_word(tmp_path: Path) -> None:
    """It leaves more out, and takes in again what git ignores: even out of an ignored folder."""
    write_files(
        tmp_path,
        {
            **ENTRY,
            ".gitignore": "*.bin\n/pack/made/\n",
            "pack/made/.gitignore": "*\n",
            ".coordignore": "tests/\n!/pack/w.bin\n!/pack/made/x.txt\n",
            "pack/tests/test_x.py": "def f(:\n",
            "pack/w.bin": "",
            "pack/v.bin": "",
            "pack/made/x.txt": "",
            "pack/made/y.txt": "",
        },
    )
    assert _paths(tmp_path) == ["pack/__init__.py", "pack/made/x.txt", "pack/train.py", "pack/w.bin"]


@pytest.mark.parametrize(
    ("statement", "files", "message"),
    [
        ("import far", {"far.py": ""}, "pack/train.py:2 imports far, but far.py is ignored by .gitignore:1 (far*)"),
        ("from far import x", {"far/__init__.py": ""}, "pack/train.py:2 imports far, but far/ is ignored by"),
        ("from . import far", {"pack/far.py": ""}, "pack/train.py:2 imports pack.far, but pack/far.py is ignored by"),
        (
            "from .far.deep import x",
            {"pack/far/deep.py": ""},
            "pack/train.py:2 imports pack.far.deep, but pack/far/ is",
        ),
        ("import pack.far as f", {"pack/far.py": ""}, "pack/train.py:2 imports pack.far, but pack/far.py is ignored"),
    ],
)
def test_an_ignored_module_that_is_imported(
    tmp_path: Path, statement: str, files: dict[str, str | bytes], message: str
) -> None:
    """It would be missing in the kernel: an error that says which line ignores it, and whose way out works."""
    write_files(tmp_path, {**ENTRY, "pack/train.py": f"# 1\n{statement}\n", ".gitignore": "far*\n", **files})
    with pytest.raises(BundleError) as caught:
        collect(tmp_path, "pack.train")
    assert caught.value.what.startswith(message)
    found = re.search(r'write "(.+)" into .coordignore', caught.value.hint or "")
    assert found
    write_files(tmp_path, {".coordignore": f"{found[1]}\n"})
    assert set(files) <= set(_paths(tmp_path))


OPTIONAL = (
    "try:\n    {}\nexcept ImportError:\n    pass\n",
    "with contextlib.suppress(ImportError):\n    {}\n",
    "try:\n    {}\nexcept* ImportError:\n    pass\n",
)


@pytest.mark.parametrize("module", ["far.py", "pack/far.py"])
@pytest.mark.parametrize("text", OPTIONAL)
def test_an_ignored_module_that_is_optional(tmp_path: Path, module: str, text: str) -> None:
    """The program says itself that it does without: such as settings that are private to one machine."""
    source = text.format("from . import far" if module.startswith("pack") else "import far")
    write_files(tmp_path, {**ENTRY, "pack/train.py": source, ".gitignore": "far.py\n", module: ""})
    said: list[str] = []
    assert module not in [file.path for file in collect(tmp_path, "pack.train", say=said.append)]
    name = "pack.far" if module.startswith("pack") else "far"
    assert said[-1] == f"left out: pack/train.py:2 imports {name}, but {module} is ignored by .gitignore:1 (far.py)"


def test_a_folder_that_is_ignored_may_be_a_librarys_namesake(tmp_path: Path) -> None:
    """build/ beside the package is not what `import build` means."""
    write_files(tmp_path, {**ENTRY, "pack/train.py": "import build\n", ".gitignore": "build/\n", "build/x.py": ""})
    assert "build/x.py" not in _paths(tmp_path)


def test_pythons_own_order(tmp_path: Path) -> None:
    """A package before a module, a module before a folder, and a folder only for what the library does not have."""
    write_files(
        tmp_path,
        {
            **ENTRY,
            "pack/train.py": "import one, two, logging, random\n",
            "one/__init__.py": "",
            "one.py": "",
            "two/x.py": "",
            "two.py": "",
            "logging/x.py": "",
            "random.py": "",
        },
    )
    assert _paths(tmp_path) == ["one/__init__.py", "pack/__init__.py", "pack/train.py", "random.py", "two.py"]


@pytest.mark.parametrize(
    "source",
    [
        "import ｆａｒ\n".encode(),
        b"# coding: utf-7\nimport f+AGE-r\n",
        "# -*- coding: shift_jis -*-\nimport far  # \u8868\n".encode("shift_jis"),
        b"\xef\xbb\xbfimport far\r\n",
        b"x = 1; import far\n",
        b"if 1: import os, far as x\n",
        b"from\\\n  far import (\n a)\n",
        b"import os\\\n, \\\n far\n",
    ],
)
def test_a_name_is_found_however_it_is_written(tmp_path: Path, source: bytes) -> None:
    """Python normalises names and decodes sources; the quick look that saves parsing most modules must not miss one."""
    write_files(tmp_path, {**ENTRY, "pack/train.py": source, "far.py": ""})
    assert "far.py" in _paths(tmp_path)


def test_many_sources_are_checked_side_by_side(tmp_path: Path) -> None:
    """A package of many megabytes is parsed by several processes; the error is the same."""
    text = f"# {'x' * 100_000}\n"
    write_files(tmp_path, {**ENTRY, **{f"pack/m{number:02}.py": text for number in range(60)}})
    assert len(_paths(tmp_path)) == 62
    write_files(tmp_path, {"pack/m53.py": text + "def f(:\n", "pack/train.py": "from .m53 import f\n"})
    assert _error(tmp_path) == "pack/m53.py:2: invalid syntax"
