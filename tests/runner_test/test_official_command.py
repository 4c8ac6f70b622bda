"""The official `kaggle` command, unmodified, as a process, with the local Kaggle as its proxy."""

import csv
import io
import json
import sys
import zipfile
from pathlib import Path

import pytest

from runner_test.state import Rules
from tests.paths import ROOT
from tests.runner_test.contest import PREDICTS, hide
from tests.runner_test.local import WAITS_FOR_GO, Local, eventually
from tests.runner_test.official import kaggle, run, several

METADATA = {
    "id": "me/by-command",
    "title": "By command",
    "code_file": "kernel.py",
    "language": "python",
    "kernel_type": "script",
    "is_private": True,
    "enable_gpu": False,
    "enable_internet": False,
    "dataset_sources": ["nobody/nothing"],
    "competition_sources": [],
    "kernel_sources": [],
}


def kernel_folder(tmp_path: Path, **changes: object) -> Path:
    """A folder with a kernel to push."""
    folder = tmp_path / "kernel"
    folder.mkdir(exist_ok=True)
    (folder / "kernel-metadata.json").write_text(json.dumps(METADATA | changes))
    (folder / "kernel.py").write_text("print('hello from ü')\nopen('out.csv', 'w').write('a,b')\n")
    return folder


def test_every_command_for_kernels(local: Local, tmp_path: Path) -> None:
    """push, status, logs (live too), files, output, pull, list, quota and delete work, with a name and a key."""
    folder = kernel_folder(tmp_path)
    printed = kaggle(local, tmp_path, "kernels", "push", "-p", str(folder))
    assert "Kernel version 1 successfully pushed" in printed
    assert f"{local.url}/code/me/by-command" in printed
    assert "not valid dataset sources and could not be added to the kernel: ['nobody/nothing']" in printed
    local.reach("by-command", "COMPLETE")
    assert "COMPLETE" in kaggle(local, tmp_path, "kernels", "status", "me/by-command")
    log = json.loads(kaggle(local, tmp_path, "kernels", "logs", "me/by-command"))
    assert "".join(record["data"] for record in log) == "hello from ü\n"
    assert "hello from ü" in kaggle(local, tmp_path, "kernels", "logs", "--follow", "me/by-command")
    assert "out.csv" in kaggle(local, tmp_path, "kernels", "files", "me/by-command")

    output = tmp_path / "output"
    kaggle(local, tmp_path, "kernels", "output", "me/by-command", "-p", str(output))
    assert sorted(path.name for path in output.iterdir()) == ["by-command.log", "out.csv"]
    assert (output / "out.csv").read_text() == "a,b"
    assert json.loads((output / "by-command.log").read_text()) == log

    pulled = tmp_path / "pulled"
    kaggle(local, tmp_path, "kernels", "pull", "me/by-command", "-p", str(pulled), "-m")
    assert (pulled / "by-command.py").read_text() == (folder / "kernel.py").read_text()
    metadata = json.loads((pulled / "kernel-metadata.json").read_text())
    assert (metadata["id"], metadata["title"], metadata["is_private"]) == ("me/by-command", "By command", True)

    # Official forms: the kernel by its number, machines in any spelling, values that are left out.
    named = {key: value for key, value in METADATA.items() if key not in ("id", "title", "is_private", "enable_gpu")}
    number = {"id_no": metadata["id_no"], "machine_shape": "nvidia L4", "dataset_sources": []}
    (folder / "kernel-metadata.json").write_text(json.dumps(named | number))
    assert "Kernel version 2 successfully pushed" in kaggle(local, tmp_path, "kernels", "push", "-p", str(folder))
    second = local.version("by-command", 2)
    assert (second.machine_shape, local.store.kernels()[0].title) == ("NvidiaL4", "By command")
    assert local.store.kernels()[0].is_private
    local.reach("by-command", "COMPLETE")  # the list below is of those with output

    found = kaggle(
        *(local, tmp_path, "kernels", "list", "--mine", "--language", "python", "--kernel-type", "script"),
        *("--output-type", "data", "--page-size", "200", "--sort-by", "dateRun", "-s", "by command"),
    )
    assert "me/by-command" in found
    assert "30.00h" in kaggle(local, tmp_path, "quota")
    kaggle(local, tmp_path, "kernels", "delete", "me/by-command", "-y")
    assert local.store.kernels() == []


def test_a_competition(local: Local, tmp_path: Path) -> None:
    """list, files, download, submit (a file, and a kernel's output) and submissions; this project's own scorer."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "sample_submission.csv").write_text("ImageId,EncodedPixels\na,-1\nb,-1\n")
    solution = tmp_path / "solution.csv"
    solution.write_text("ImageId,EncodedPixels,Usage\na,1 4,Public\nb,-1,Private\n")
    rules = Rules("model_src.score:competition_score", str(ROOT), sys.executable)
    local.store.add_competition("siim", data, solution, rules)

    def contest(*arguments: str) -> str:
        return kaggle(local, tmp_path, "competitions", *arguments)

    assert "/competitions/siim" in contest("list", "-s", "siim")
    assert "sample_submission.csv" in contest("files", "siim")
    contest("download", "siim", "-f", "sample_submission.csv", "-p", str(tmp_path / "one"))
    sample = tmp_path / "one" / "sample_submission.csv"
    assert sample.read_text() == (data / sample.name).read_text()
    contest("download", "siim", "-p", str(tmp_path / "all"))
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["siim.zip"]

    printed = contest("submit", "siim", "-f", str(sample), "-m", "all empty")
    assert "Successfully submitted to siim" in printed
    assert "4 submissions remaining today" in printed
    local.run("solver", "open('submission.csv', 'w').write('ImageId,EncodedPixels\\na,1 4\\nb,1 4\\n')")
    assert "Successfully" in contest(
        "submit", "siim", "-k", "me/solver", "-v", "1", "-f", "submission.csv", "-m", "mine"
    )

    def scored() -> list[dict[str, str]] | None:
        rows = list(csv.DictReader(io.StringIO(contest("submissions", "siim", "-v", "-q"))))
        return rows if all(row["status"].endswith("COMPLETE") for row in rows) else None

    rows = eventually(scored, "both are scored")
    assert [(row["ref"], row["description"], row["publicScore"], row["privateScore"]) for row in rows] == [
        ("2", "mine", "1.00000", "0.00000"),
        ("1", "all empty", "0.00000", "1.00000"),
    ]
    assert contest("leaderboard", "siim", "-s", "-v").splitlines()[1].split(",")[1::2] == ["me", "1.00000"]
    contest("leaderboard", "siim", "-d", "-p", str(tmp_path / "board"))
    with zipfile.ZipFile(tmp_path / "board" / "siim.zip") as archive:
        assert b"1,1,me," in archive.read(archive.namelist()[0])


def test_saving_without_running(local: Local, tmp_path: Path) -> None:
    """push --no-run, and the live log of an earlier version; both came with 2.2.5."""
    folder = kernel_folder(tmp_path, dataset_sources=[])
    if "--no-run" not in kaggle(local, tmp_path, "kernels", "push", "--help"):
        pytest.skip("this kaggle has no --no-run: 2.2.5 has it (OFFICIAL_KAGGLE may name one)")
    local.run("by-command", "print('one')")
    printed = kaggle(local, tmp_path, "kernels", "push", "-p", str(folder), "--no-run")
    assert "Kernel version 2 successfully saved without running" in printed
    assert "NEW_SCRIPT" in kaggle(local, tmp_path, "kernels", "status", "me/by-command")
    assert "COMPLETE" in kaggle(local, tmp_path, "kernels", "status", "me/by-command/1")
    assert kaggle(local, tmp_path, "kernels", "logs", "me/by-command/1", "--follow") == "one\n"
    kaggle(local, tmp_path, "kernels", "pull", "me/by-command/1", "-p", str(tmp_path / "pulled"))
    assert (tmp_path / "pulled" / "by-command.py").read_text() == "print('one')"


def test_a_code_competition(local: Local, tmp_path: Path) -> None:
    """A kernel that is submitted with `-k` and `-v` runs again with the hidden data; its file is scored."""
    contest = hide(local, tmp_path)
    local.run("solver", PREDICTS + "write(rows)", competition_data_sources=["parity"], enable_internet=False)
    submit = ("submit", "parity", "-k", "me/solver", "-v", "1", "-f", "submission.csv", "-m", "hidden")
    assert "Successfully submitted to parity" in kaggle(local, tmp_path, "competitions", *submit)
    assert contest.scored(1) == ("COMPLETE", "1.00000", "1.00000", "")


def test_every_command_for_data_sets(local: Local, tmp_path: Path) -> None:
    """init, create, version, status, files, download, metadata (both ways), list and delete work."""
    folder, got = tmp_path / "rows", tmp_path / "got"
    (folder / "images").mkdir(parents=True)
    got.mkdir()
    (folder / "a.csv").write_text("a,b\n1,2\n")
    (folder / "images" / "ü 1.png").write_bytes(b"p" * 300_000)
    several(local, tmp_path, ["datasets", "init", "-p", str(folder)])
    metadata = folder / "dataset-metadata.json"
    fields = json.loads(metadata.read_text())
    described = {"title": "My rows", "id": "me/my-rows", "resources": [{"path": "a.csv", "description": "the rows"}]}
    metadata.write_text(json.dumps(fields | described))
    at, mine = ["-p", str(got)], ["datasets", "list", "--mine", "-s", "rows"]
    created, status, listed, files, _, _, _, told = several(
        local,
        tmp_path,
        ["datasets", "create", "-p", str(folder), "-r", "zip"],
        ["datasets", "status", "me/my-rows"],
        mine,
        ["datasets", "files", "me/my-rows"],
        ["datasets", "download", "me/my-rows", "--unzip", *at],
        ["datasets", "download", "me/my-rows", "-f", "images/ü 1.png", *at],
        ["datasets", "metadata", "me/my-rows", *at],
        ["datasets", "status", "me/my-rows", "--format", "json"],
    )
    assert "Your private Dataset is being created" in created, created
    assert f"{local.url}/datasets/me/my-rows" in created
    assert status.split()[-1] == "ready"
    assert "me/my-rows" in listed
    assert "images/ü 1.png" in files, files
    assert json.loads(told.splitlines()[-1]) == {"status": "ready", "current_version_number": 1}
    assert (got / "a.csv").read_text() == "a,b\n1,2\n"
    assert (got / "images" / "ü 1.png").stat().st_size == 300_000
    info = json.loads((got / "dataset-metadata.json").read_text())["info"]
    assert (info["title"], info["isPrivate"], info["data"][0]["description"]) == ("My rows", True, "the rows")

    (got / "dataset-metadata.json").write_text(json.dumps(info | {"title": "Your rows", "keywords": ["chest"]}))
    (folder / "a.csv").write_text("new\n")
    _, versioned, listed, _, _, _, deleted, nothing = several(
        local,
        tmp_path,
        ["datasets", "metadata", "me/my-rows", "--update", *at],
        ["datasets", "version", "-p", str(folder), "-m", "new rows"],
        [*mine, "-v"],
        ["datasets", "download", "me/my-rows/1", "-f", "a.csv", "-p", str(tmp_path / "old")],
        ["datasets", "download", "me/my-rows", "-f", "a.csv", "-p", str(tmp_path / "new")],
        ["datasets", "files", "me/my-rows/1"],
        ["datasets", "delete", "me/my-rows", "-y"],
        mine,
    )
    assert "Dataset version is being created" in versioned, versioned
    assert "Your rows" in listed
    assert (tmp_path / "old" / "a.csv").read_text() == "a,b\n1,2\n"
    assert (tmp_path / "new" / "a.csv").read_text() == "new\n"
    assert "deleted" in deleted
    assert "No datasets found" in nothing


def test_models(local: Local, tmp_path: Path) -> None:
    """list, get, instances and versions, their files, and download work for a registered model."""
    for number in (1, 2):
        weights = tmp_path / f"v{number}"
        weights.mkdir()
        (weights / "config.json").write_text(f"{number}")
        local.store.add_model(f"Google/Gemma2.5/PyTorch/2b-it/{number}", weights)
    variation = "google/gemma2.5/pyTorch/2b-it"
    listed, got, instances, versions, files, _ = several(
        local,
        tmp_path,
        ["models", "list", "-s", "gemma"],
        ["models", "get", "google/gemma2.5"],
        ["models", "instances", "list", "google/gemma2.5"],
        ["models", "instances", "versions", "list", variation],
        ["models", "instances", "versions", "files", f"{variation}/2"],
        ["models", "instances", "versions", "download", f"{variation}/1", "--untar", "-p", str(tmp_path / "got")],
    )
    assert "google/gemma2.5" in listed
    assert '"slug": "2b-it"' in got, got
    assert instances.splitlines()[-1].split()[0] == "2", instances
    assert [row.split()[0] for row in versions.splitlines()[-2:]] == ["2", "1"], versions
    assert "config.json" in files
    assert (tmp_path / "got" / "config.json").read_text() == "1"


def test_a_notebook(local: Local, tmp_path: Path) -> None:
    """The command pushes a notebook as Jupyter writes it, and pulls it as a notebook."""
    pytest.importorskip("ipykernel", reason="pip install 'coord[notebook]'")
    folder = kernel_folder(tmp_path, code_file="kernel.ipynb", kernel_type="notebook", dataset_sources=[])
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "execution_count": 3,
        "outputs": [{"output_type": "stream"}],
    }
    cells = [{**cell, "source": ["x = 1\n", "print('hello', x)"]}]
    (folder / "kernel.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    printed = kaggle(local, tmp_path, "kernels", "push", "-p", str(folder))
    assert "Kernel version 1 successfully pushed" in printed
    local.reach("by-command", "COMPLETE")
    log = json.loads(kaggle(local, tmp_path, "kernels", "logs", "me/by-command"))
    assert "".join(record["data"] for record in log) == "hello 1\n"
    pulled = tmp_path / "pulled"
    kaggle(local, tmp_path, "kernels", "pull", "me/by-command", "-p", str(pulled), "-m")
    (cell,) = json.loads((pulled / "by-command.ipynb").read_text())["cells"]
    assert (cell["source"], cell["outputs"]) == ("x = 1\nprint('hello', x)", [])
    assert json.loads((pulled / "kernel-metadata.json").read_text())["kernel_type"] == "notebook"


def test_the_library(local: Local, tmp_path: Path) -> None:
    """What a program imports of the official package works as its command does."""
    local.run("by-library", "open('out.csv', 'w').write('a,b')")
    program = """
import sys
from kaggle.api.kaggle_api_extended import KaggleApi
api = KaggleApi()
api.authenticate()
print(api.kernels_status("me/by-library").status)
files, token = api.kernels_output("me/by-library", path=sys.argv[1], force=True, quiet=True)
print([file.rpartition("/")[2] for file in files], [kernel.ref for kernel in api.kernels_list(mine=True)])
print(api.competitions_list().competitions)
"""
    output = tmp_path / "output"
    output.mkdir()
    printed = run(local, tmp_path, sys.executable, "-c", program, str(output))
    assert "COMPLETE" in printed
    assert "['out.csv', 'by-library.log'] ['me/by-library']" in printed
    assert (output / "out.csv").read_text() == "a,b"


def test_with_an_access_token(local: Local, tmp_path: Path) -> None:
    """The token works without a name, as itself or as its file; its user is the server's."""
    folder = kernel_folder(tmp_path, id="local/by-token", title="By token", dataset_sources=[])
    printed = kaggle(
        local, tmp_path, "kernels", "push", "-p", str(folder), KAGGLE_API_TOKEN=str(local.store.token_file)
    )
    assert "Kernel version 1 successfully pushed" in printed


def test_a_refused_push_is_printed(local: Local, tmp_path: Path) -> None:
    """The command prints the answer's `error`."""
    folder = kernel_folder(tmp_path, title="x" * 60)
    assert "5 to 50 characters" in kaggle(local, tmp_path, "kernels", "push", "-p", str(folder))


@pytest.mark.parametrize("arguments", [["kernels", "status", "anna/private"], ["kernels", "status", "me/nothing"]])
def test_what_is_not_there(local: Local, tmp_path: Path, arguments: list[str]) -> None:
    """For another user's private kernel and for a missing one the command prints Kaggle's explanation of a 403."""
    local.push("private", WAITS_FOR_GO, user="anna")
    with pytest.raises(AssertionError, match=r"Permission 'kernels.get' was denied"):
        kaggle(local, tmp_path, *arguments)
