"""A bundle as a notebook: the script's text in cells that Jupyter, Jupytext and people can read, and the way back."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from hypothesis import given, settings, strategies as st

from coordinator.bundle import bootstrap, in_notebook
from coordinator.bundle.bootstrap import digest_of, stamp_of
from coordinator.bundle.notebook import Notebook, notebook_of, script_in
from coordinator.bundle.script import stamped
from coordinator.errors import BundleError
from coordinator.kaggle_rules import SOURCE_MAX
from coordinator.kernel.build import Build, build_kernel
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from tests.coordinator.bundle.programs import run_kernel, script_of, write_files

# What a notebook's tools could take for their own: cell borders, magics, prompts, and coord's own lines.
NASTY = "\n".join(
    (
        "x = '''",
        "%matplotlib inline",
        "!ls",
        "%%time",
        "?help",
        ">>> 1",
        "In [1]: 1",
        "# %%",
        "# %% [markdown]",
        "# +",
        "",
        f"{in_notebook.RULER}coord's start",
        f"{in_notebook.STAMP}- digest=-",
        "'''",
        "# %%",
        "# coord in a notebook",
        "y = 'ü\\u2028 \U0001f600'",
        "",
        "",
        "",
        f"{in_notebook.RULER}pack/train.py",
        "",
    )
)
PACK = {"pack/__init__.py": "", "pack/train.py": "print('trained')\n", "pack/nasty.py": NASTY}


def _notebook(script: str) -> Notebook:
    return notebook_of(script, title="a title", experiment="try", about="", command="make it")


def _as_notebook(tiny: Project) -> Project:
    changed = tiny.pyproject.read_text().replace(
        "[tool.coord.kernel]\n", '[tool.coord.kernel]\nkernel_type = "notebook"\n'
    )
    write_files(tiny.root, {"pyproject.toml": changed})
    return find_project(tiny.root)


def _build(project: Project, name: str = "base") -> Build:
    return build_kernel(project, resolve(project, name))


def _code(notebook: Notebook) -> list[str]:
    return [cell["source"] for cell in notebook.cells if cell["cell_type"] == "code"]


def test_both_types_hold_the_same_script(tiny: Project) -> None:
    """The tiny project as a notebook has the script's text, digest and files; only the wrapping differs."""
    script = _build(tiny)
    notebook = _build(_as_notebook(tiny))
    assert notebook.code_file.name == "kernel.ipynb"
    assert sorted(path.name for path in notebook.directory.iterdir()) == [
        "kernel-metadata.json",
        "kernel.ipynb",
        "manifest.json",
    ]
    text = notebook.code_file.read_text(encoding="utf-8")
    assert script_in(text) == script.script.text == notebook.script.text
    assert digest_of(script_in(text)) == notebook.manifest["digest"] == script.manifest["digest"]
    assert notebook.manifest["files"] == script.manifest["files"]
    metadata = json.loads((notebook.directory / "kernel-metadata.json").read_text())
    assert (metadata["kernel_type"], metadata["code_file"]) == ("notebook", "kernel.ipynb")


def test_an_experiment_chooses_its_type(tiny: Project) -> None:
    """`kernel: {kernel_type: notebook}` differs like any other setting, and a wrong one is named."""
    write_files(tiny.root, {"experiments/other.yaml": "base: base\nkernel: {kernel_type: notebook}\n"})
    assert _build(tiny, "other").code_file.is_file()
    assert _build(tiny, "base").code_file.name == "kernel.py"
    write_files(tiny.root, {"experiments/other.yaml": "base: base\nkernel: {kernel_type: notbook}\n"})
    with pytest.raises(Exception, match="kernel_type: must be one of 'script', 'notebook'"):
        _build(tiny, "other")


def test_cells_that_read_well(tiny: Project) -> None:
    """Markdown on top, then stamp and config, a cell a file under its path, the bootstrap, the start."""
    notebook = _notebook(_build(tiny).script.text)
    assert [cell["cell_type"] for cell in notebook.cells] == ["markdown"] + ["code"] * (len(notebook.cells) - 1)
    first = [cell["source"].partition("\n")[0].removeprefix(in_notebook.RULER) for cell in notebook.cells]
    assert first[0] == "# a title"
    assert first[1].startswith("# coord: run=- digest=sha256:")
    assert first[2:7] == [
        "tiny_model/__init__.py",
        "tiny_model/config.py",
        "tiny_model/data/word.txt",
        "tiny_model/engine.py",
        "tiny_model/train.py",
    ]
    assert first[-3:] == ["coord's bootstrap", "coord in a notebook", "coord's start"]
    assert '"lr": 0.1' in notebook.cells[1]["source"]


def test_the_title_and_the_description_are_text(tiny: Project) -> None:
    """What markdown would take for its own is shown as it was written."""
    notebook = notebook_of(
        _build(tiny).script.text, title="a_b [x](y)", experiment="e", about="<b>*bold*\n# no title", command="make it"
    )
    assert notebook.cells[0]["source"].startswith("# a\\_b \\[x\\]\\(y\\)\n\n\\<b\\>\\*bold\\* \\# no title\n\n")


def test_it_says_how_to_make_it_again(tiny: Project) -> None:
    """With what was overridden: a shell reads it so, and no value breaks the line or the markdown."""
    overrides = ["optim.lr=0.5", 'train.tags=["`a`", "\'b\u2028"]']
    experiment = resolve(_as_notebook(tiny), "base", overrides)
    command = experiment.build_command
    read = subprocess.run(["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True).stdout
    words = ["coord", "build", "--exp", "base", "--set", overrides[0], "--set", overrides[1]]
    assert read.decode().split("\0") == [*words, ""]
    built = build_kernel(find_project(tiny.root), experiment)
    cover = json.loads(built.code_file.read_text(encoding="utf-8"))["cells"][0]["source"]
    assert f"made by `` {command} ``, not by hand" in "".join(cover)
    assert f"at that commit:         {command}\n" in built.script.text
    assert f"with this file: {command} --check FILE\n" in built.script.text


def test_it_is_a_notebook_by_the_book(tiny: Project) -> None:
    """nbformat finds it valid and would write the same bytes; Kaggle's form has the same cells, one string each."""
    text = _build(_as_notebook(tiny)).code_file.read_text(encoding="utf-8")
    read: Any = nbformat.reads(text, as_version=4)
    nbformat.validate(read)
    assert nbformat.writes(read) + "\n" == text
    sent = json.loads(_notebook(script_in(text)).for_kaggle())
    assert all(isinstance(cell["source"], str) for cell in sent["cells"])
    assert [cell["source"] for cell in sent["cells"]][1:] == [cell.source for cell in read.cells][1:]


def test_a_change_of_one_file_changes_one_cell(tiny: Project) -> None:
    """Cells keep their ids, and two versions differ in the lines that differ (and in the digest)."""
    before = _build(_as_notebook(tiny)).code_file.read_text(encoding="utf-8").splitlines()
    write_files(tiny.root, {"tiny_model/__init__.py": '"""Another docstring."""\n'})
    after = _build(find_project(tiny.root)).code_file.read_text(encoding="utf-8").splitlines()
    assert len(before) == len(after)
    changed = [line for line, other in zip(before, after, strict=True) if line != other]
    assert len(changed) == 3  # the stamp, the file's own digest, the docstring
    ids = [line for line in after if line.startswith('   "id": ')]
    assert len(ids) == len(set(ids)) > 8


def test_jupytext_and_back() -> None:
    """In Jupytext's percent format it is a script; read back, its cells are what they were, whatever the sources hold.

    (But for form feeds and the like, which Jupytext takes for line ends.)
    """
    script = script_of(PACK, config={"a": "%%time\n!ls"}).text
    notebook = _notebook(script)
    percent = jupytext.writes(jupytext.reads(notebook.for_disk(), fmt="ipynb"), fmt="py:percent")
    back = jupytext.writes(jupytext.reads(percent, fmt="py:percent"), fmt="ipynb")
    assert script_in(back) == script
    assert [cell["source"] for cell in json.loads(back)["cells"]] == [
        cell["source"].splitlines(keepends=True) for cell in notebook.cells
    ]


def test_jupytexts_script_runs(tmp_path: Path) -> None:
    """The cell that only a notebook needs is a comment there, so the file does what the kernel does."""
    percent = jupytext.writes(jupytext.reads(_notebook(script_of(PACK).text).for_disk(), fmt="ipynb"), fmt="py:percent")
    ran = run_kernel(percent, tmp_path / "session")
    assert (ran.code, ran.out) == (0, "trained\n"), ran.err


_PIECES = (
    *(
        "'''",
        '"""',
        "\\",
        "\n",
        "\n\n\n",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x85",
        "\u2028",
        "\ufeff",
        "😀",
        "%%time\n",
        "!ls\n",
    ),
    *(in_notebook.RULER, f"\n\n{in_notebook.RULER}coord's start\n", in_notebook.STAMP, "# %%\n", "?", ">>> ", "a"),
)
_texts = st.lists(st.sampled_from(_PIECES) | st.text(max_size=4), max_size=8).map("".join)


@settings(max_examples=30, deadline=None)
@given(st.lists(_texts, max_size=4), _texts, _texts)
def test_any_source_is_cut_and_joined(contents: list[str], value: str, about: str) -> None:
    """Every cell is Python by itself, for IPython, too, and together they are the script.

    (IPython takes ">>> " off a line even inside a string; so it is asked for the cells as they were sent to it.)
    """
    transformer = pytest.importorskip("IPython.core.inputtransformer2", reason="pip install 'coord[notebook]'")
    files = {f"pack/data/{number}.txt": content for number, content in enumerate(contents)}
    script = script_of({**PACK, **files}, config={"value": value}, about=about).text
    notebook = notebook_of(script, title="t", experiment="e", about=about, command="make it")
    for text in (notebook.for_disk(), notebook.for_kaggle()):
        nbformat.validate(nbformat.reads(text, as_version=4))
        assert script_in(text) == script
    for cell in _code(notebook):
        ast.parse(cell)
        ast.parse(transformer.TransformerManager().transform_cell(cell))


def test_the_stamp_of_a_push(tiny: Project) -> None:
    """The run id stands in the first line of the first code cell, and the digest is that of the script."""
    built = _build(_as_notebook(tiny))
    sent = built.as_sent(stamped(built.script.text, run_id="r-1", git="abc"))
    first = next(cell for cell in json.loads(sent)["cells"] if cell["cell_type"] == "code")
    assert first["source"].startswith(f"# coord: run=r-1 digest={built.script.digest} git=abc\n")
    assert stamp_of(script_in(sent))["run"] == "r-1"
    assert digest_of(script_in(sent)) == built.script.digest


def test_the_first_cell_is_known_by_its_stamp() -> None:
    """The kernel's side looks for what the script's side writes."""
    assert in_notebook.STAMP == bootstrap.STAMP + "run="


def test_the_limit_is_for_what_is_sent(tiny: Project) -> None:
    """Quotes and line ends take twice their size in a notebook: what fits as a script only goes in as an archive."""
    write_files(tiny.root, {"tiny_model/data/quotes.txt": '"\n' * (SOURCE_MAX * 2 // 5)})
    assert _build(tiny).manifest["form"] == "text"
    built = _build(_as_notebook(tiny))
    assert built.manifest["form"] == "archive"
    assert built.manifest["bytes"] == len(built.as_sent(built.script.text).encode()) < SOURCE_MAX
    assert script_in(built.code_file.read_text(encoding="utf-8")) == built.script.text


@pytest.mark.parametrize(
    "template",
    [
        "# coord: run=-\nprint('no ruler')\n",
        f"# coord: run=-\n{in_notebook.RULER}coord's start\nprint('no empty line above')\n",
        f"# coord: run=-\n\n{in_notebook.RULER}twice\n\n{in_notebook.RULER}twice\n\n{in_notebook.RULER}coord's start\n",
        "# coord: run=-\nno Python\n",
    ],
)
def test_a_template_that_makes_no_cells(template: str) -> None:
    """A project's own template is told what a notebook needs."""
    with pytest.raises(BundleError, match=r"kernel\.py\.j2 does not make a"):
        _notebook(template)


@pytest.mark.parametrize("source", ["print()\n", "{1: 2}\n", '{"a": 1}', '{"cells": [1]}', "", '{"cells": 3}'])
def test_what_is_no_notebook_is_a_script(source: str) -> None:
    """Somebody else's kernel of any kind is looked at without harm."""
    assert script_in(source) == source
