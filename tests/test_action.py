"""action.yml and the workflows: linted, and each shell step of the action run as GitHub's runner does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from runner_test.server import running_server
from tests import forked
from tests.github_api import GitHub, running_github
from tests.installed import ACTION, INSTALL, action, environment as environment
from tests.paths import ROOT, SAMPLES
from tests.workflow import Job, texts, tool

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
PAGE = ROOT / "docs" / "github.md"


def _examples() -> dict[str, str]:
    """The workflows of the documentation, by name, each with a commit of the action in place of <commit>."""
    text = PAGE.read_text(encoding="utf-8").replace("@<commit>", f"@{'0123456789' * 4}")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return {yaml.safe_load(block)["name"]: block for block in blocks if "jobs:" in block}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files that GitHub would run: the action, the workflow, and the examples of the documentation."""
    folder = tmp_path_factory.mktemp("examples") / ".github" / "workflows"
    folder.mkdir(parents=True)
    for name, text in _examples().items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    assert len(list(folder.iterdir())) >= 2
    return [ACTION, WORKFLOW, *sorted(folder.iterdir())]


def _lint(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def test_github_takes_them(written: list[Path]) -> None:
    """They follow GitHub's schemas; a key that is not in them is found."""
    check = (sys.executable, "-m", "check_jsonschema", "--builtin-schema")
    for schema, files in (("vendor.github-actions", written[:1]), ("vendor.github-workflows", written[1:])):
        done = _lint(*check, schema, *files)
        assert done.returncode == 0, done.stdout
    assert _lint(*check, "vendor.github-workflows", ACTION).returncode == 1


def test_nothing_is_more_open_than_it_must_be(written: list[Path], tmp_path: Path) -> None:
    """zizmor finds nothing: actions are pinned by hash, permissions few, scripts without expressions. It sees those."""
    audit = (tool("zizmor"), "--offline", "--no-progress", "--persona", "regular")
    done = _lint(*audit, *written)
    assert done.returncode == 0, done.stdout + done.stderr
    bad = tmp_path / "action.yml"
    bad.write_text(
        ACTION.read_text(encoding="utf-8").replace('"$EXPERIMENT"', "${{ inputs.experiment }}"), encoding="utf-8"
    )
    assert "template-injection" in _lint(*audit, bad).stdout


def test_the_scripts_are_clean(written: list[Path], tmp_path: Path) -> None:
    """shellcheck finds nothing in any script, and no script has an expression of GitHub in it."""
    count = 0
    for file in written:
        for key, text in texts(yaml.safe_load(file.read_text(encoding="utf-8"))):
            if key == "run":
                count += 1
                assert "${{" not in text or file == WORKFLOW, text
                script = tmp_path / f"{count}.sh"
                script.write_text(f"set -eo pipefail\n{text}", encoding="utf-8")
                done = _lint(tool("shellcheck"), "--shell", "bash", script)
                assert done.returncode == 0, f"{file.name}: {text}\n{done.stdout}"
    assert count >= 12
    script.write_text("rm -r $FOLDER/x\n", encoding="utf-8")
    assert "SC2086" in _lint(tool("shellcheck"), "--shell", "bash", script).stdout


def test_secrets_reach_only_the_steps_that_need_them() -> None:
    """Not the dry run, which runs the model's code and what that installs."""
    with_secret = {
        step["name"]: [name for name, value in step.get("env", {}).items() if "token" in value]
        for step in action()["runs"]["steps"]
    }
    assert {name: found for name, found in with_secret.items() if found} == {
        "Push": ["KAGGLE_API_TOKEN"],
        "Fetch": ["KAGGLE_API_TOKEN"],
        "Comment": ["GITHUB_TOKEN"],
    }


def test_the_page_has_every_input_and_output() -> None:
    """And the examples use no others."""
    text, ours = PAGE.read_text(encoding="utf-8"), action()
    assert set(re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)) == {*ours["inputs"], *ours["outputs"]}
    for example in _examples().values():
        for job in yaml.safe_load(example)["jobs"].values():
            for step in job["steps"]:
                if "coord@" in step.get("uses", ""):
                    assert set(step["with"]) <= set(ours["inputs"])


def test_the_workflow_is_for_every_system_and_python() -> None:
    """The three systems, each Python of pyproject.toml and newer, and the same packages as `make`."""
    matrix = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["test"]["strategy"]["matrix"]
    assert [each.partition("-")[0] for each in matrix["system"]] == ["ubuntu", "macos", "windows"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert project["requires-python"] == f">={matrix['python'][0]}"
    extras = {
        file: set(re.findall(r"-e '\.\[([a-z,]+)\]'", file.read_text(encoding="utf-8")))
        for file in (WORKFLOW, ROOT / "Makefile", ROOT / "CONTRIBUTING.md")
    }
    assert len(set().union(*extras.values())) == 1, extras


@pytest.fixture(scope="module")
def kaggle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables that lead to a Kaggle in this process, and the token of it."""
    with running_server(tmp_path_factory.mktemp("kaggle"), token_user="ada") as server:
        yield {"COORD_KAGGLE_ENDPOINT": server.url, "token": server.token}


@pytest.fixture
def github() -> Iterator[GitHub]:
    with running_github() as there:
        yield there


@pytest.fixture
def installed(environment: Path, kaggle: dict[str, str], github: GitHub, tmp_path: Path) -> Job:
    """A job about the tiny project, for a pull request, with the coord that the action has installed."""
    shutil.copytree(SAMPLES / "tiny", tmp_path / "work" / "models" / "tiny")
    (tmp_path / "temp").mkdir()
    variables = {
        "COORD_KAGGLE_ENDPOINT": kaggle["COORD_KAGGLE_ENDPOINT"],
        "GITHUB_API_URL": github.url,
        "GITHUB_REPOSITORY": "ada/titanic",
        "PATH": f"{environment}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": "",
    }
    context = {"event.pull_request.number": "7", "ref_type": "branch", "ref_name": "7/merge", "token": github.token}
    return Job(tmp_path / "work", tmp_path / "temp", variables, context)


@pytest.fixture
def job(installed: Job) -> Job:
    """The same with the coord of this checkout, which is forked: an installed one starts for a second."""
    if sys.platform != "linux":
        return installed
    programs, installed.inherited = forked.programs_for_shells()
    installed.variables = {**installed.variables, "PATH": f"{programs}{os.pathsep}{installed.variables['PATH']}"}
    return installed


TINY = {"working-directory": "models/tiny", "target": "kaggle"}
PUSH = {**TINY, "push": "true", "wait": "true", "check": "false"}


@pytest.mark.slow
def test_a_tag_pushes_what_it_names(installed: Job, kaggle: dict[str, str]) -> None:
    """Built, run here, pushed, followed, fetched; the tables are in the summary and in a file; nothing is commented."""
    job = installed
    job.github = {**job.github, "ref_type": "tag", "ref_name": "push/base/2"}
    job.run(ACTION, {**PUSH, "check": "true", "kaggle-token": kaggle["token"]}, leave_out=INSTALL)
    assert job.names == ["Which experiment", "Build", "Check", "Push", "Fetch", "Tables"], job.ran[-1]
    assert [each.code for each in job.ran] == [0] * 6, job.ran[-1]
    assert job.outputs["experiment"] == "base"
    assert job.outputs["url"].endswith("/ada/tiny-base")
    assert "### coord: base" in job.summary
    assert "| fold |" in job.summary
    assert Path(job.outputs["tables"]).read_text(encoding="utf-8") == job.summary
    shown = "".join(each.output for each in job.ran) + job.summary
    assert kaggle["token"] not in shown


@pytest.mark.slow
def test_a_pull_request_has_one_comment(job: Job, github: GitHub, kaggle: dict[str, str]) -> None:
    """The second run changes the comment of the first, on whatever page it is, and no other."""
    others = [github.add(f"comment {number}")["body"] for number in range(120)]
    inputs = {**PUSH, "experiment": "base", "comment": "true", "kaggle-token": kaggle["token"]}
    job.run(ACTION, inputs, leave_out=INSTALL)
    assert job.ran[-1].name == "Comment"
    assert job.ran[-1].code == 0, job.ran[-1].output
    assert github.comments[-1]["html_url"] in job.ran[-1].output
    first = github.comments[-1]["body"]
    assert first.startswith("<!-- coord: base -->\n### coord: base\n")
    assert "| mean |" in first

    (job.temp / "summary.md").unlink()
    job.ran.clear()
    job.run(
        ACTION,
        {**TINY, "check": "false", "experiment": "base", "comment": "true", "compare": "base"},
        leave_out=INSTALL,
    )
    assert job.ran[-1].code == 0, job.ran[-1].output
    assert [each["body"] for each in github.comments[:-1]] == others
    assert github.comments[-1]["body"] != first
    assert "base has no repeats" in github.comments[-1]["body"]
    assert [each for each in github.asked if "GET" not in each] == [
        "POST /repos/ada/titanic/issues/7/comments",
        f"PATCH /repos/ada/titanic/issues/comments/{github.comments[-1]['id']}",
    ]


@pytest.mark.slow
def test_a_run_that_fails_fails_the_job(job: Job, kaggle: dict[str, str]) -> None:
    """Its address is known all the same, and nothing is fetched or commented."""
    job.run(
        ACTION, {**PUSH, "experiment": "crash", "comment": "true", "kaggle-token": kaggle["token"]}, leave_out=INSTALL
    )
    assert job.failed.name == "Push"
    assert job.failed.code == 1
    assert job.outputs["url"].endswith("/ada/tiny-crash")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inputs", "context", "step", "code", "message"),
    [
        ({}, {}, "Which experiment", 2, "Set the input experiment, or push a tag such as push/NAME/1"),
        ({}, {"ref_type": "tag", "ref_name": "v1.0"}, "Which experiment", 2, "Set the input experiment"),
        ({"experiment": "a\nurl=b"}, {}, "Which experiment", 2, "more than one line"),
        ({"experiment": "bsae"}, {}, "Build", 1, 'did you mean "base"?'),
        ({"experiment": "$(touch stolen)"}, {}, "Build", 2, "$(touch stolen)"),
        ({"experiment": '"; touch stolen; "'}, {}, "Build", 2, "touch stolen"),
        ({}, {"ref_type": "tag", "ref_name": "push/`touch stolen`/1"}, "Build", 2, "`touch stolen`"),
        ({"experiment": "base", "push": "true"}, {}, "Push", 1, "no Kaggle credentials found"),
        ({"experiment": "base", "push": "true", "target": "kagle"}, {}, "Push", 1, "kagle"),
        ({"experiment": "base", "comment": "true"}, {}, "Tables", 1, "no run is complete and fetched"),
    ],
)
def test_what_stops_a_job_says_what_to_do(
    job: Job, inputs: dict[str, str], context: dict[str, str], step: str, code: int, message: str
) -> None:
    """The step that fails ends the job with its own code; nothing of an input is run by the shell."""
    job.github = {**job.github, **context}
    job.run(ACTION, {**TINY, "check": "false", **inputs}, leave_out=INSTALL)
    assert (job.failed.name, job.failed.code) == (step, code), job.ran[-1]
    assert message in job.failed.output
    assert "Traceback" not in job.failed.output
    assert not list(job.checkout.rglob("stolen"))


def _comment(github: GitHub, file: Path, name: str = "base", **variables: str) -> subprocess.CompletedProcess[str]:
    known = {
        "GITHUB_API_URL": github.url,
        "GITHUB_REPOSITORY": "ada/titanic",
        "GITHUB_TOKEN": github.token,
        "PULL_REQUEST": "7",
    }
    return forked.run(
        [sys.executable, "-c", forked.SCRIPT, ROOT / "action" / "comment.py", file, name],
        env={**os.environ, **known, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("variables", "may_write", "message"),
    [
        ({}, False, "403 Resource not accessible by integration. Give the job"),
        ({"GITHUB_TOKEN": "old"}, True, "401 Bad credentials. Give the job"),
        ({"GITHUB_REPOSITORY": "ada/nothing"}, True, "404 Not Found"),
        ({"GITHUB_TOKEN": ""}, True, "GITHUB_TOKEN is not set"),
        ({"PULL_REQUEST": ""}, True, "only a workflow that runs on: pull_request can comment on one"),
        ({"PULL_REQUEST": "7/../8"}, True, "PULL_REQUEST is not a number"),
        ({"GITHUB_API_URL": "http://127.0.0.1:9"}, True, "no answer from http://127.0.0.1:9"),
    ],
)
def test_a_comment_that_is_not_written_is_an_error(
    github: GitHub, tmp_path: Path, variables: dict[str, str], may_write: bool, message: str
) -> None:
    """With the reason, as an annotation of the job; the token is not shown."""
    github.may_write = may_write
    file = tmp_path / "tables.md"
    file.write_text("| a |\n", encoding="utf-8")
    done = _comment(github, file, **variables)
    assert done.returncode == 1
    assert done.stdout.startswith("::error title=coord::The comment was not written: ")
    assert message in done.stdout
    assert (github.token in done.stdout, done.stderr, github.comments) == (False, "", [])


def test_a_long_text_is_cut_and_each_experiment_has_its_own_comment(github: GitHub, tmp_path: Path) -> None:
    """GitHub refuses more than 65,536 characters; base and base2 don't write over each other's comment."""
    file = tmp_path / "tables.md"
    file.write_text("| one line of it |\n" * 5000, encoding="utf-8")
    for name in ("base2", "base", "base --> x", "base"):
        assert _comment(github, file, name).returncode == 0
    firsts = [each["body"].splitlines()[0] for each in github.comments]
    assert firsts == ["<!-- coord: base2 -->", "<!-- coord: base -->", "<!-- coord: base  x -->"]
    assert github.comments[0]["body"].endswith("(cut: the summary of the job has all of it)\n")
