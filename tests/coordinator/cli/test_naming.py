"""The experiment or the run that a command is about, in bare words and by options."""

from __future__ import annotations

import contextlib
import dataclasses

import click
import pytest
from click.testing import CliRunner

from coordinator.ledger.ledger import Ledger
from coordinator.project import Project
from coordinator.target.protocol import RunState
from tests.coordinator.cli.tree import commands, root
from tests.coordinator.command import Coord
from tests.coordinator.sample_runs import COMPLETE


@pytest.fixture
def runs(tiny: Project) -> None:
    """`base` ran twice here, the second time with an override, and failed once on Kaggle."""
    second = dataclasses.replace(
        COMPLETE, id="r3", version=2, overrides=["optim.lr=0.7"], created_at="2026-11-02T00:00:00+00:00"
    )
    failed = dataclasses.replace(
        COMPLETE,
        id="r4",
        target="kaggle",
        version=3,
        state=RunState.ERROR,
        created_at="2026-11-03T00:00:00+00:00",
        url="https://www.kaggle.com/code/ada/tiny-base",
    )
    with Ledger(tiny.ledger) as ledger:
        for run in (COMPLETE, second, failed):
            ledger.add(run)


def _options(command: click.Command) -> set[str]:
    return {option for each in command.params for option in each.opts}


def test_every_command_with_an_experiment_takes_it_bare() -> None:
    """Wherever there is --exp there is an argument for it, and --limit and --version are called so."""
    with_exp = {name: each for name, each in commands() if "--exp" in _options(each)}
    assert len(with_exp) >= 19
    for name, each in with_exp.items():
        assert any(isinstance(param, click.Argument) and "NAME" in (param.metavar or "") for param in each.params), name
    for name, each in commands():
        assert not _options(each) & {"--most", "--max", "-n", "--run", "--experiment"}, name


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("show base", "base: a model"),
        ("show --exp base", "base: a model"),
        ("show base --exp base", "base: a model"),
        ("show base@v2", "lr: 0.7"),
        ("show base local-v2", "lr: 0.7"),
        ("show base@local-v2 --set optim.lr=0.9", "lr: 0.9"),
        ("show local/base@v2", "lr: 0.7"),
        ("status base@v2 --json", '"version": 2'),
        ("status https://www.kaggle.com/code/ada/tiny-base?scriptVersionId=5 --json", '"version": 3'),
        ("runs base@local-v2 --columns run,version", "base local-v2"),
        ("runs base local-v2", "base local-v2"),
        ("runs b*", "base kaggle-v3"),
        ("runs --exp local/base", "base local-v1"),
        ("tag base good", "good"),
        ("tag base@local-v1 good", "good"),
        ("tag base local-v1 good", "good"),
        ("tag --exp base good", "good"),
        ("tag --exp base --version 1 good", "good"),
        ("note base hello", "hello"),
        ("note base", "base has no notes"),
        ("report base@local-v2", "1 run"),
        ("sweep base@v1 --grid optim.lr=0.1,0.2 --plan --target local", "base--lr0.1"),
        ("sweep --grid optim.lr=0.1,0.2 base --plan --target local", "base--lr0.1"),
        ("push base --with-needs --plan --target local", "base"),
        ("build base@v2", "build/base"),
        ("continue base@v9", '"base" has no run of version 9'),
        ("fetch-results base@kaggle-v9", '"base" has no run of version 9'),
        ("logs bsae", '(did you mean "base"?)'),
        ("status bsae", '(did you mean "base"?)'),
        ("compare bsae", '(did you mean "base"?)'),
        ("scores bsae", '(did you mean "base"?)'),
        ("image refresh bsae@v1", '(did you mean "base"?)'),
        ("image refresh bsae--lr0.1@v1", 'no run of "bsae--lr0.1"'),
        ("export bsae --tensorboard events", '(did you mean "base"?)'),
        ("show bsae", '(did you mean "base"?)'),
    ],
)
@pytest.mark.usefixtures("runs")
def test_one_name_everywhere(line: str, shown: str, coord: Coord) -> None:
    """In each kind of command: about configs, about runs, about lists; and misspelt."""
    is_wrong = "bsae" in line or "v9" in line
    done = coord.here(*line.split(), code=1 if is_wrong else 0)
    assert shown in done.output


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("show", "which experiment? "),
        ("push", "Known: base, crash, slow"),
        ("sweep --plan", "which experiment? "),
        ("show base crash", "base and crash: "),
        ("show base --exp crash", "base and --exp crash: which of the two?"),
        ("logs base --exp crash", "base and --exp crash: which of the two?"),
        ("note base crash --exp slow", "base and --exp slow: which of the two?"),
        ("note base two words", "Put a text of several words in quotes."),
        ("sweep base crash --plan", "base and crash: "),
        ("logs base@v1 --version 2", "base@v1 and --version 2 are different runs"),
        ("logs base@local-v1 --target kaggle", "base@local-v1 and --target kaggle are different runs"),
        ("status local/base --target kaggle", "local/base and --target kaggle are different runs"),
        ("logs base@x", '"base@x" names no run'),
        ("sweep base@v2 --grid optim.lr=1 --plan", "base@v2 was pushed with --set optim.lr=0.7"),
        ("push base@v2 crash", "base@v2 was pushed with --set optim.lr=0.7"),
        ("image refresh", "which log? Name a file, or a fetched run"),
    ],
)
@pytest.mark.usefixtures("runs")
def test_names_that_make_no_sense(line: str, message: str, coord: Coord) -> None:
    done = coord.here(*line.split(), code=2)
    assert message in done.output


PAGE = "http://127.0.0.1:7799/runs/01"


@pytest.fixture
def seeds(tiny: Project) -> None:
    """`wide` ran once a seed, here."""
    with Ledger(tiny.ledger) as ledger:
        for number, name in enumerate(("wide--s0", "wide--s1")):
            moment = f"2026-11-0{number + 1}T00:00:00+00:00"
            run = dataclasses.replace(COMPLETE, experiment=name, slug=f"tiny-{name}", created_at=moment)
            ledger.add(dataclasses.replace(run, id=f"0{number}", metadata={"code_file": "kernel.py"}))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("status wide --json", ("wide--s0", "wide--s1")),
        ("status local/wide", ("wide--s0", "wide--s1")),
        ("runs wide", ("wide--s0", "wide--s1")),
        ("report wide", ("2 runs",)),
        ("compare wide wide", ("wide",)),
        ("export wide --tensorboard events", ("wide--s0", "wide--s1")),
        ("scores wide --json", ('"submissions": []',)),
        ("tag wide good", ("wide--s0", "wide--s1")),
        ("note wide hello", ("wide--s0", "wide--s1")),
        ("tag wide@v1 good", ("wide--s1",)),
        ("tag wide", ("wide--s0 and wide--s1 have no tags",)),
        ("logs wide", ("wide ran once a seed: this is its newest run, wide--s1 local-v1",)),
        ("fetch-results wide", ("wide ran once a seed: this is its newest run, wide--s1 local-v1",)),
        ("submit wide", ("wide ran once a seed: this is its newest run, wide--s1 local-v1",)),
        ("promote wide -o kept", ("wide ran once a seed: this is its newest run, wide--s1 local-v1",)),
        ("continue wide", ("wide ran once a seed: this is its newest run, wide--s1 local-v1",)),
        ("hide wide", ("wide ran once a seed, as wide--s0, wide--s1",)),
        ("cancel wide", ("wide ran once a seed, as wide--s0, wide--s1",)),
        ("fetch-results wdie --all", ('no run of "wdie"',)),
    ],
)
@pytest.mark.usefixtures("seeds")
def test_a_name_without_its_seed(line: str, shown: tuple[str, ...], coord: Coord) -> None:
    """What `compare` takes as one config, every command takes; where that ends a session or hides a run, it asks."""
    with contextlib.chdir(coord.root), pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "120")
        done = CliRunner().invoke(root(), line.split(), prog_name="coord")
    for text in shown:
        assert text in done.output, done.output


_NAMES_THEM = (
    'there is no experiment "near" in experiments/, but one a seed: near--s0, near-s1\nName one of them (coord push'
)
_NO_RUN = 'no run of "near"\nPush one: coord push --exp near'
FAMILY = {
    # It makes a session or a file, so it says which there are.
    "show near": _NAMES_THEM,
    "build near": _NAMES_THEM,
    "build near --check": _NAMES_THEM,
    "dry-run near": _NAMES_THEM,
    "rehearse near": _NAMES_THEM,
    "push near": _NAMES_THEM,
    "push near --with-needs --plan": _NAMES_THEM,
    "sweep near --seeds 2 --plan": _NAMES_THEM,
    # It is about runs, and there are none yet.
    "status near": "no run of near yet; push them: coord push near--s0 near-s1",
    "runs near": "no run of near yet; push them: coord push near--s0 near-s1",
    "report near": 'there is no experiment and no run "near", but one a seed: near--s0, near-s1',
    "compare near base": 'there is no experiment "near", but one a seed: near--s0, near-s1',
    **dict.fromkeys(("logs near", "fetch-results near", "cancel near", "continue near", "submit near"), _NO_RUN),
    **dict.fromkeys(("scores near", "promote near -o kept", "export near --tensorboard events", "hide near"), _NO_RUN),
    "image refresh near": _NO_RUN,
    "note near": "near--s0 and near-s1 have no notes",
    "tag near": "near--s0 and near-s1 have no tags",
}


@pytest.mark.parametrize(("line", "told"), FAMILY.items())
def test_a_name_of_which_only_the_seeds_have_files(line: str, told: str, coord: Coord) -> None:
    """Nothing is built or pushed that was not named; each command says which names there are."""
    for name in ("near--s0", "near-s1"):
        (coord.root / "experiments" / f"{name}.yaml").write_text("base: base\n")
    with contextlib.chdir(coord.root), pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        done = CliRunner().invoke(root(), line.split(), prog_name="coord")
    assert told in done.output
    assert "did you mean" not in done.output
    assert not (coord.root / "build").exists()


def test_all_commands_are_in_that_table() -> None:
    takes = {name for name, each in commands() if "--exp" in _options(each)}
    assert takes - {line.partition(" near")[0] for line in FAMILY} == set()


PRINTED = ("wide", "wide--s1", "wide--s1 local-v1", "wide--s1@v1", "wide--s1@local-v1", "local/wide", PAGE)
TAKES_A_RUN = (
    *("status {}", "runs {}", "logs {}", "report {} -o r.html", "scores {}", "note {}", "tag {}"),
    *("compare {} wide--s0", "fetch-results {}", "promote {} -o kept", "submit {} --upload", "continue {}"),
    *("cancel {}", "image refresh {}", "export {} --tensorboard events", "hide {}"),
)
TAKES_A_CONFIG = ("show {}", "build {}", "push {} --with-needs --plan", "sweep {} --seeds 2 --plan")
UNKNOWN = (
    "names no run",
    "there is no experiment",
    "no run of",
    'no run "',
    "which experiment",
    "cannot be read",
    "Usage",
)


@pytest.mark.parametrize("line", TAKES_A_RUN)
@pytest.mark.usefixtures("seeds")
def test_each_printed_name_is_known_to_each_command(line: str, coord: Coord) -> None:
    """What it then says is about that run: it has ended, it was not fetched, or which of its seeds is meant."""
    for name in PRINTED:
        # One word where the command takes a file in the same place.
        words = line.format(name.replace(" ", "@") if line.startswith("image") else name)
        with contextlib.chdir(coord.root):
            done = CliRunner().invoke(root(), words.split(), prog_name="coord")
        assert isinstance(done.exception, SystemExit | None), words
        assert not any(text in done.output for text in UNKNOWN), f"{words}: {done.output}"


@pytest.mark.usefixtures("seeds")
def test_a_report_of_hidden_runs(coord: Coord) -> None:
    coord.here("hide", "wide--s1")
    for name in ("wide--s1", "wide--s1@local-v1"):
        assert f"all runs of {name} are hidden" in coord.here("report", name, code=1).output


@pytest.mark.parametrize("line", TAKES_A_CONFIG)
@pytest.mark.usefixtures("runs")
def test_the_page_of_a_run_is_its_config(line: str, coord: Coord) -> None:
    with contextlib.chdir(coord.root):
        done = CliRunner().invoke(root(), line.format("http://127.0.0.1:7799/runs/r1").split(), prog_name="coord")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("address", ["https://www.kaggle.com/code/bob/other", "http://127.0.0.1:7799/runs/r0"])
@pytest.mark.usefixtures("runs")
def test_the_page_of_no_run(address: str, coord: Coord) -> None:
    assert f"no run of this project has the page {address}" in coord.here("logs", address, code=1).output


def test_no_project_names_init(coord: Coord, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every command that needs a project says how to make one."""
    done = dataclasses.replace(coord, root=tmp_path_factory.mktemp("empty"))("status", code=1)
    assert "no project here" in done.stderr
    assert "coord init DIR" in done.stderr
