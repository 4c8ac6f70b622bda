"""What `coord runs` and `coord sweep status` list: a sweep as one line, and addresses on request."""

from __future__ import annotations

import json

import pytest

from coordinator.ledger import sweeps
from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.sweeps import Member, Sweep
from coordinator.ledger.work import work_of
from coordinator.project.project import Project
from tests.coordinator.command import Coord
from tests.coordinator.finished_runs import finished

SWEPT = ("of-2", "of-3", "of-4")


@pytest.fixture(autouse=True)
def swept(tiny: Project) -> None:
    """A run of its own, and a sweep of three; each has an address."""

    def run(name: str, value: float) -> Run:
        url = f"https://example.org/{name}"
        return finished(tiny, name, 1, [value], has_oof=False, target="kaggle", url=url)

    run("old", 0.4)
    runs = [run(name, 0.5 + at / 10) for at, name in enumerate(SWEPT)]
    members = tuple(Member(each.experiment, "base", (), "", work_of(each) or "") for each in runs)
    with Ledger(tiny.ledger) as ledger:
        sweeps.add(ledger, Sweep("all", "base", "kaggle", is_repeat=False, created_at="2026-11-01", members=members))


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ((), ["sweep all", "old kaggle-v1"]),
        (("--limit", "1"), ["sweep all"]),
        (("--all",), ["of-4 kaggle-v1", "of-3 kaggle-v1", "of-2 kaggle-v1", "old kaggle-v1"]),
        (("of-*",), ["of-4 kaggle-v1", "of-3 kaggle-v1", "of-2 kaggle-v1"]),
        (("--sort=value",), ["old kaggle-v1", "of-2 kaggle-v1", "of-3 kaggle-v1", "of-4 kaggle-v1"]),
        (("--columns", "run,value"), ["of-4 kaggle-v1", "of-3 kaggle-v1", "of-2 kaggle-v1", "old kaggle-v1"]),
    ],
)
def test_a_sweep_is_one_line(options: tuple[str, ...], names: list[str], coord: Coord) -> None:
    """Unless runs are selected or sorted, or all are asked for."""
    printed = coord.here("runs", *options).stdout.splitlines()
    assert [line.split("  ")[0] for line in printed[2:]] == names, printed


def test_what_the_line_of_a_sweep_says(coord: Coord) -> None:
    done = coord.here("runs")
    assert "3 of 3 complete; best cv/dice 0.7000" in done.stdout
    assert "a sweep's runs: coord runs --all" in done.stderr


def test_programs_get_each_run(coord: Coord) -> None:
    assert len(json.loads(coord.here("runs", "--json").stdout)) == 4
    assert len(coord.here("runs", "--csv").stdout.splitlines()) == 5
    assert [*json.loads(coord.here("runs", "--json", "--columns", "run", "--url").stdout)[0]] == ["run"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (("runs", "--url"), ("old", *SWEPT)),
        (("runs", "--all", "--url"), ("old", *SWEPT)),
        (("runs", "old", "--url", "--columns", "run"), ("old",)),
        (("runs", "of-2", "--url", "--columns", "id,run"), ("of-2",)),
        (("sweep", "status", "all", "--url"), SWEPT),
        (("status", "--url"), ("old", *SWEPT)),
    ],
)
def test_addresses_on_request(line: tuple[str, ...], names: tuple[str, ...], coord: Coord) -> None:
    """A line a run below the table; none without `--url`. (Without credentials, a sweep is shown as last known.)"""
    code = 1 if line[0] == "sweep" else 0
    with_urls = coord.here(*line, code=code).stdout
    for name in names:
        assert f"{name} kaggle-v1  https://example.org/{name}\n" in with_urls
    assert with_urls.count("https://") == len(names)
    assert "https://" not in coord.here(*(word for word in line if word != "--url"), code=code).stdout
