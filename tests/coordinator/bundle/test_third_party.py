"""Imports and syntax that the kernel's image does not have are found before a push."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path

import pytest

from coordinator.bundle.files import SourceFile
from coordinator.bundle.image import Image
from coordinator.bundle.imports import Import, imports_of, names_imported, parse
from coordinator.bundle.sources import collect
from coordinator.bundle.syntax import check_syntax_of, newer_syntax_explained
from coordinator.bundle.third_party import check_third_party, lacking
from coordinator.errors import BundleError
from coordinator.kernel.build import build_kernel
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from tests.coordinator.bundle.distributions import install
from tests.coordinator.bundle.programs import run_kernel, write_files
from tests.coordinator.command import Coord

IMAGE = Image("2026-01-01", "3.12", "made up", {"numpy": "2.0.2", "pillow": "11.3.0"}, {"PIL": "pillow", "own": None})


def _files(**sources: str) -> list[SourceFile]:
    return [SourceFile(f"{name.replace('__', '/')}.py", text.encode()) for name, text in sources.items()]


def _lacking(text: str, *there: str) -> dict[str, tuple[str, ...]]:
    return {each.module: each.places for each in lacking(_files(pack__train=text), IMAGE, there=there)}


@pytest.mark.parametrize(
    ("text", "needed", "optional"),
    [
        ("import a", {"a"}, set()),
        ("import a.b as c, d", {"a", "d"}, set()),
        ("import a, \\\n  b", {"a", "b"}, set()),
        ("from a.b import c, d", {"a"}, set()),
        ("from a . b import (\n  c,\n  d)", {"a"}, set()),
        ("from \\\n a import \\\n c", {"a"}, set()),
        ("from a import(b)", {"a"}, set()),
        ("from . import a\nfrom .b import c\nfrom.d import e\nfrom ... import f", set(), set()),
        ("x = 1; import a", {"a"}, set()),
        ("if x: import a", {"a"}, set()),
        ("def f():\n  import a\nclass C:\n  from b import c", {"a", "b"}, set()),
        ("for x in y:\n  import a\nelse:\n  import b", {"a", "b"}, set()),
        ("match x:\n  case 1:\n    import a", {"a"}, set()),
        ("async def f():\n  async with x:\n    import a", {"a"}, set()),
        ("try:\n  import a\nexcept ImportError:\n  import b\nelse:\n  import c\nfinally:\n  import d", {"d"}, {*"abc"}),
        ("try:\n  import a\nexcept (OSError, ModuleNotFoundError):\n  pass", set(), {"a"}),
        ("try:\n  import a\nexcept:\n  pass", set(), {"a"}),
        ("try:\n  import a\nexcept builtins.Exception:\n  pass", set(), {"a"}),
        ("try:\n  import a\nexcept ValueError:\n  import b", {"a", "b"}, set()),
        ("try:\n  import a\nexcept* ImportError:\n  pass", set(), {"a"}),
        ("try:\n  def f():\n    if 1:\n      import a\nexcept ImportError:\n  pass", set(), {"a"}),
        ("if TYPE_CHECKING:\n  import a\nelse:\n  import b", {"b"}, {"a"}),
        ("if typing.TYPE_CHECKING:\n  import a", set(), {"a"}),
        ("with suppress(ImportError):\n  import a", set(), {"a"}),
        ("with contextlib.suppress(OSError):\n  import a", {"a"}, set()),
        ("'''import a'''\n# import b\nx = 'from c import d'", set(), set()),
        ("# from here to\nimport a", {"a"}, set()),
        ("import ä", {"ä"}, set()),
        ("import ａ", {"a"}, set()),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_a_module_needs(text: str, needed: set[str], optional: set[str], end: str) -> None:
    """Absolute imports in all their forms, wherever they stand; and those that the program can do without."""
    source = (text + "\n").replace("\n", end).encode()
    found = _imports(source)
    assert {_top(each) for each in found if not each.optional} == needed
    assert {_top(each) for each in found if each.optional} == optional
    quick = names_imported(source)
    assert quick is None or quick >= needed | optional


def _imports(source: bytes) -> tuple[Import, ...]:
    return imports_of(parse(source, "x.py"), "", source).imports


def _top(imported: Import) -> str:
    return imported.name.partition(".")[0]


def test_the_line_of_an_import() -> None:
    """Each import of a module is told; what is imported from it may be a module, too."""
    assert _imports(b"import a\n\nfrom b import c\n") == (
        *(Import("a", 1, False), Import("b", 3, False), Import("b.c", 3, False)),
    )


def test_the_quick_search_misses_nothing() -> None:
    """On the standard library's own sources: every name that the trees have."""
    folder = Path(sysconfig.get_path("stdlib"))
    files = [*folder.glob("*.py"), *folder.glob("importlib/**/*.py"), *folder.glob("concurrent/**/*.py")]
    assert len(files) > 100
    unparsed = 0
    for file in files[::2]:
        source = file.read_bytes()
        quick = names_imported(source)
        unparsed += quick is not None
        assert quick is None or {_top(each) for each in _imports(source) if not each.optional} <= quick, file
    assert unparsed > 50


def test_what_is_there_is_not_lacking() -> None:
    """The standard library of the image's Python, its packages, the bundle's own modules and what the settings say."""
    files = _files(
        pack__train="import json, numpy, PIL.Image, own, pack.net, single, folder.leaf, vendored, my_wheel, __main__\n",
        single="",
        folder__leaf="from pack import net",
    )
    assert lacking(files, IMAGE, there=("vendored", "My.Wheel")) == ()
    assert [each.module for each in lacking(files, IMAGE)] == ["my_wheel", "vendored"]
    compiled = SourceFile("fast.cpython-312-x86_64-linux-gnu.so", b"\x7fELF")
    assert lacking([*_files(train="import fast, folder\n"), compiled, SourceFile("folder/_c.so", b"")], IMAGE) == ()
    assert len(lacking([*_files(train="import words\n"), SourceFile("words.txt", b"")], IMAGE)) == 1


def test_what_is_lacking_is_told_with_every_place() -> None:
    """Sorted by name; optional imports are not told; a file that is no source is not read."""
    optional = "try:\n    import nice\nexcept ImportError:\n    pass\n"
    found = _lacking(f"import zoo\nimport imp\n\ndef f():\n    from zoo.cage import lion\n{optional}")
    assert found == {"imp": ("pack/train.py:2",), "zoo": ("pack/train.py:1", "pack/train.py:5")}
    assert lacking([SourceFile("notes.txt", b"import zoo")], IMAGE) == ()


def test_a_script_finds_what_lies_beside_it() -> None:
    """`python tools/main.py` has its folder on the path; a module that is run has not."""
    files = _files(tools__main="import beside, tools.beside\n", tools__beside="")
    assert lacking(files, IMAGE, entry="tools/main.py") == ()
    assert [each.module for each in lacking(files, IMAGE, entry="tools.main")] == ["beside"]


def test_the_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vendoring what is pure Python, wheels for what is not, and nothing for what the standard library dropped."""
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "pure-thing", "1.2", files={"puree/__init__.py": ""})
    install(tmp_path, "fast-thing", "3.4", files={"fast/_c.so": "", "fast/__init__.py": ""})
    with pytest.raises(BundleError) as caught:
        check_third_party(_files(pack__train="import puree, fast.x, imp\nimport nowhere\n"), IMAGE)
    assert caught.value.what.splitlines() == [
        "the image of 2026-01-01 (Python 3.12) lacks what the sources import:",
        "  pack/train.py:1: fast",
        "  pack/train.py:1: imp",
        "  pack/train.py:2: nowhere",
        "  pack/train.py:1: puree",
    ]
    assert (caught.value.hint or "").splitlines() == [
        "fast: fast-thing 3.4 is not pure Python (fast/_c.so); vendor cannot pack it. As a wheel, kernels can "
        'install it: requirements = ["fast-thing"] in [tool.coord], then coord wheels.',
        "imp: the standard library has it no longer since Python 3.12.",
        "nowhere: no distribution installed here has it. Name the one that does: "
        'requirements = ["..."] in [tool.coord], then coord wheels.',
        'puree: vendor = ["pure-thing"] in [tool.coord] packs pure-thing 1.2 into the bundle.',
        'If the kernel has it all the same, say so: image_extra = ["module"] in [tool.coord]. coord image show says '
        "where the table comes from, coord image refresh makes a new one.",
    ]


def test_the_distribution_that_has_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its list of modules, or else by its files: a package, a single file; not by what lies below a package."""
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "a-decoy", files={"other/animals.py": "", "other/animals/__init__.py": ""})
    install(tmp_path, "b-listed", files={"src/x.py": ""}, info={"top_level.txt": "listed\n"})
    install(tmp_path, "c-package", files={"animals/__init__.py": ""})
    install(tmp_path, "d-file", files={"single.py": ""})
    with pytest.raises(BundleError) as caught:
        check_third_party(_files(train="import animals, listed, single, src\n"), IMAGE)
    found = [line.split()[0:4:3] for line in (caught.value.hint or "").splitlines()[:4]]
    assert found == [
        ["animals:", '["c-package"]'],
        ["listed:", '["b-listed"]'],
        ["single:", '["d-file"]'],
        ["src:", "installed"],
    ]


def test_a_kernel_that_can_install_is_warned() -> None:
    """With the internet, a program may install what it needs first."""
    files = _files(pack__train="import zoo\n", pack__net="\nimport zoo\n")
    assert check_third_party(files, IMAGE, installs=True) == (
        "pack/train.py:1 imports zoo, which the image of 2026-01-01 (Python 3.12) lacks: "
        "the kernel must install it first",
    )


@pytest.mark.parametrize(
    ("python", "text", "message"),
    [
        ("3.9", "x = 1\nmatch x:\n    case 1:\n        pass\n", "Pattern matching is only supported in Python 3.10"),
        (
            "3.10",
            "try:\n    pass\nexcept* ValueError:\n    pass\n",
            "Exception groups are only supported in Python 3.11",
        ),
        ("3.7", "\n\nif (x := 1):\n    pass\n", "Assignment expressions are only supported in Python 3.8"),
    ],
)
def test_syntax_that_is_newer_than_the_images(python: str, text: str, message: str) -> None:
    """Refused with file and line; the same text is right where the image's Python is the one here."""
    files = _files(pack__good="", pack__new=text)
    with pytest.raises(BundleError) as caught:
        check_syntax_of(python, files)
    assert caught.value.what.startswith("pack/new.py:")
    assert message in caught.value.what
    assert (caught.value.hint or "").endswith(f"the kernel's image has Python {python}.")
    check_syntax_of(f"3.{sys.version_info[1]}", files)
    check_syntax_of(f"3.{sys.version_info[1] + 1}", files)


def test_the_images_python_is_newer_than_this_one(tmp_path: Path) -> None:
    """A syntax error may then be this Python's only, and the hint says so; other errors stay what they are."""
    newer = f"3.{sys.version_info[1] + 1}"
    write_files(tmp_path, {"pack/__init__.py": "", "pack/train.py": "x = 1\ndef f(:\n"})
    with pytest.raises(BundleError) as caught, newer_syntax_explained(newer):
        collect(tmp_path, "pack.train")
    assert caught.value.what == "pack/train.py:2: invalid syntax"
    assert f"The Python 3.{sys.version_info[1]} here cannot read it." in (caught.value.hint or "")
    assert f"syntax of Python {newer}" in (caught.value.hint or "")
    with pytest.raises(BundleError) as caught, newer_syntax_explained(newer):
        collect(tmp_path, "pack.other")
    assert "there is no entry module" in caught.value.what
    assert "Set entry" in (caught.value.hint or "")


def _use(tiny: Project, text: str, settings: str = "") -> Project:
    """The tiny project with a further module, and settings of its own."""
    write_files(tiny.root, {"tiny_model/use.py": text})
    if settings:
        write_files(
            tiny.root,
            {"pyproject.toml": tiny.pyproject.read_text().replace("[tool.coord]", f"[tool.coord]\n{settings}")},
        )
    return find_project(tiny.root)


def test_a_build_refuses_what_the_image_lacks(tiny: Project) -> None:
    """Also in modules that no other imports: the package goes in whole. image_extra is the way to insist."""
    project = _use(tiny, "import torch\nimport segmentation_models_pytorch as smp\n")
    with pytest.raises(BundleError, match=r"tiny_model/use\.py:2: segmentation_models_pytorch"):
        build_kernel(project, resolve(project, "base", ()))
    project = _use(tiny, "import segmentation_models_pytorch\n", 'image_extra = ["segmentation-models-pytorch"]')
    assert build_kernel(project, resolve(project, "base", ())).warnings == ()


def test_the_kit_of_a_competition_is_in_its_data(tiny: Project) -> None:
    """An attached competition brings `kaggle_evaluation`, if it has a gateway; without one nothing does."""
    project = _use(tiny, "import kaggle_evaluation.parity_inference_server\n")
    write_files(project.root, {"experiments/served.yaml": "base: base\nkernel: {competition_sources: [parity]}\n"})
    assert build_kernel(project, resolve(project, "served", ())).warnings == ()
    with pytest.raises(BundleError, match=r"tiny_model/use\.py:1: kaggle_evaluation"):
        build_kernel(project, resolve(project, "base", ()))


def test_a_build_with_the_internet_warns(tiny: Project) -> None:
    """In the settings or in the experiment; the command line says it."""
    project = _use(tiny, "import zoo\n")
    write_files(project.root, {"experiments/online.yaml": "base: base\nkernel: {enable_internet: true}\n"})
    (warning,) = build_kernel(project, resolve(project, "online", ())).warnings
    assert warning.startswith("tiny_model/use.py:1 imports zoo, which the image of 2026-02-26 (Python 3.12) lacks")
    done = Coord(project.root, dict(os.environ))("build", "--exp", "online")
    assert f"warning: {warning}\n" in done.stderr


def test_the_projects_table_decides(tiny: Project) -> None:
    """What is lacking in the shipped one may be in the image that the project's own log showed, and the reverse."""
    project = _use(tiny, "import zoo\n")
    project.image_table.write_text(Image("2026-01-01", "3.12", "", {"zoo": "1.0"}, {}).to_json())
    assert build_kernel(project, resolve(project, "base", ())).warnings == ()
    _use(tiny, "import numpy\n")
    with pytest.raises(BundleError, match="numpy"):
        build_kernel(project, resolve(project, "base", ()))


def test_a_build_with_a_vendored_distribution(tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the manifest, and the kernel imports the bundle's copy."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    install(tmp_path / "site", "zoo", "1.5", files={"zoo/__init__.py": "ANIMALS = ['lion']\n"}, info={"LICENSE": "MIT"})
    project = _use(tiny, "import zoo\n", 'vendor = ["zoo"]')
    write_files(
        project.root,
        {"tiny_model/train.py": "import json, zoo, importlib.metadata as m\nprint(zoo.ANIMALS, m.version('zoo'))\n"},
    )
    built = build_kernel(project, resolve(project, "base", ()))
    paths = [file["path"] for file in json.loads((built.directory / "manifest.json").read_text())["files"]]
    assert paths == sorted(paths)
    assert {"zoo/__init__.py", "zoo-1.5.dist-info/METADATA", "zoo-1.5.dist-info/LICENSE"} < set(paths)
    ran = run_kernel(built.script.text, tmp_path / "session", variables={"PYTHONPATH": ""})
    assert (ran.code, ran.out) == (0, "['lion'] 1.5\n"), ran.err
