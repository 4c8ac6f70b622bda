"""Filters, order and limits in SQL: they take the runs that the same rules, written out in Python, take."""

from __future__ import annotations

import dataclasses
import fnmatch
import random
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import UsageError
from coordinator.ledger import remarks, salvage_ledger
from coordinator.ledger.export import plain_row
from coordinator.ledger.ledger import Ledger
from coordinator.ledger.listing import ALWAYS, Filter, rows
from coordinator.ledger.migrations import MIGRATIONS
from coordinator.ledger.run import Run
from coordinator.ledger.run_name import parse_run_name
from coordinator.ledger.salvage import blank
from coordinator.ledger.selection import SORT_KEYS, RunSelection
from coordinator.ledger.sweeps import Member, Sweep, add
from coordinator.results.summary import Summary
from coordinator.runs.entries import newest_entries
from coordinator.target.protocol import RunState

NAMES = (
    *(
        "a",
        "A",
        "a-s0",
        "a--s1",
        "a-s\N{ARABIC-INDIC DIGIT ONE}",
        "a%",
        "a_",
        "a'b",
        'a"b',
        "a\\b",
        "a;--",
        "[a]",
        "a*",
    ),
    *("ä", "a\N{COMBINING DIAERESIS}", "ß", "\N{LATIN SMALL LETTER DOTLESS I}", "\N{PILE OF POO}", "a.b", "a--lr=0.1"),
)
PATTERNS = (
    *(*NAMES, "a*", "*", "?", "[!a]*", "[^a]*", "a[%_]", "*s?", "nothing", "A*", "*'*", "\udc80", "a@v1", "a@local-v2"),
    *("a-s0@v1", "kaggle/a*", "*@v0", "a@v99999999999999999999", "b", "ä*", "SS"),
)
TAGS = ("good", "Good", "100%", "a_b", "it's", '"', "ä", "x" * 50, "\N{PILE OF POO}")
METRICS: tuple[Any, ...] = (
    *(None, 0, -0.0, 1, 0.5, 0.25, -3.5, 1e99, 1e101, 2**60, True, "0.5", "nan", [], {}),
    *(0.5, 0.5),
)


def _summary(random_: random.Random) -> Summary | None:
    """What programs write, sound or not."""
    if random_.random() < 0.2:
        return None
    name = random_.choice(("cv/dice", "CV/dice", "ü", "", 7, None, ["x"], "a\nb"))
    metrics = [
        {"name": random_.choice((name, "cv/dice", 7)), "mean": random_.choice(METRICS), "mode": "max"}
        for _ in range(random_.randrange(3))
    ]
    found: dict[str, Any] = {
        "primary": {"name": name, "mode": random_.choice(("max", "min", "", None)), "value": random_.choice(METRICS)},
        "metrics": random_.choice((metrics, None, {}, "x")),
    }
    if random_.random() < 0.2:
        found["primary"] = random_.choice((None, [], "x", {}))
    return Summary.parse(found)


def _run(number: int, random_: random.Random) -> Run:
    version = random_.choice((None, 0, 1, 2, 3))
    return Run(
        id=f"{number:04x}" if random_.random() < 0.9 else f"{number:04x}\N{SNOWMAN}%_",
        experiment=random_.choice(NAMES),
        target=random_.choice(("local", "kaggle", "mine")),
        owner=random_.choice(("ada", "Bob")),
        slug=random_.choice(("x", "y")),
        digest=random_.choice(("sha256:1", "sha256:2")),
        config={"seed": number, **({"lr": random_.choice((1, 0.5, "x"))} if number % 3 else {})},
        metadata={},
        overrides=[],
        state=random_.choice(list(RunState)),
        created_at=f"2026-11-01T00:00:{random_.randrange(20):02}+00:00",
        version=version,
        git=random_.choice((None, "abc", "abd-dirty")),
        message=random_.choice(("", "it broke", "100%", "ä", "Z")),
        url=random_.choice(("", "https://x")),
        hidden_at=random_.choice((None, None, "2026-11-02T00:00:00+00:00")),
        fetched_at=random_.choice((None, "2026-11-02T00:00:00+00:00")),
        continues=random_.choice((None, None, "0001")),
        never_arrived=random_.random() < 0.2,
        summary=_summary(random_),
    )


def _filled(file: Path, seed: int, size: int = 80) -> Ledger:
    random_ = random.Random(seed)
    ledger = Ledger(file)
    with ledger, ledger.transaction():
        runs = [_run(number, random_) for number in range(size)]
        for run in runs:
            ledger.add(run)
        for run in random_.sample(runs, size // 2):
            of = random_.choice((None, run))
            remarks.tag(ledger, run.experiment, random_.choice(TAGS), run=of)
            remarks.note(ledger, run.experiment, random_.choice(TAGS), run=of)
    return ledger


def _plainly(ledger: Ledger, wanted: Filter, every: list[Run]) -> list[Run]:
    """The rules of `coord runs` in Python, over all runs, the newest first."""
    found = remarks.remarks_of(ledger)

    def counts(run: Run, is_run: bool) -> bool:
        return wanted.hidden or is_run or run.hidden_at is None or run.state.is_active

    if wanted.experiment is None:
        named = [run for run in every if wanted.target in (None, run.target) and counts(run, is_run=False)]
    else:
        name = parse_run_name(wanted.experiment)
        places = {None, wanted.target, name.target} - {None}
        on = [
            run
            for run in every
            if places <= {run.target} and name.version in (None, run.version) and counts(run, name.is_run)
        ]
        named = [run for run in on if fnmatch.fnmatchcase(run.experiment, name.experiment)]
        seeds = re.compile(re.escape(name.experiment) + r"--?s\d+")
        named = named or [run for run in on if seeds.fullmatch(run.experiment)]
    return [
        run
        for run in named
        if wanted.state in (None, run.state) and set(wanted.tags) <= set(remarks.texts(found, run, "tag"))
    ]


@pytest.mark.parametrize("seed", range(3))
def test_filters_take_what_the_same_rules_in_python_take(tmp_path: Path, seed: int) -> None:
    """Names, patterns and tags with every odd character, states, targets, versions, hidden runs; with a limit, too."""
    random_ = random.Random(seed)
    wanted = [
        *(Filter(experiment=pattern, hidden=hidden) for pattern in PATTERNS for hidden in (False, True)),
        *(Filter(tags=(tag,)) for tag in (*TAGS, "goo", "GOOD", "%", "_", "\udc80", "")),
        *(Filter(tags=(first, second)) for first in TAGS[:3] for second in TAGS[:3]),
        *(Filter(state=state) for state in RunState),
        *(Filter(target=target) for target in ("local", "kaggle", "mine", "other")),
        *(
            Filter(
                random_.choice(("a", "*", None, "a*")),
                random_.choice((None, "complete", "error", "queued")),
                random_.choice((None, "local", "kaggle")),
                random_.choice(((), ("good",), ("100%",))),
                hidden=random_.random() < 0.5,
            )
            for _ in range(60)
        ),
    ]
    with _filled(tmp_path / "ledger.sqlite", seed) as ledger:
        every = ledger.runs(hidden=True)
        matched = 0
        for each in wanted:
            expected = [run.id for run in _plainly(ledger, each, every)]
            matched += len(expected)
            assert [row["id"] for row in rows(ledger, each, columns=["id"])] == expected, each
            limit = random_.randrange(1, 6)
            assert [row["id"] for row in rows(ledger, each, columns=["id"], limit=limit)] == expected[:limit], each
        assert matched > 1000


@pytest.mark.parametrize("seed", range(3))
def test_the_order_is_that_of_the_same_rule_in_python(tmp_path: Path, seed: int) -> None:
    """By each column, up and down: numbers before texts, what has no value last, of equal ones the newest first."""
    with _filled(tmp_path / "ledger.sqlite", seed) as ledger:
        every = ledger.runs(hidden=True)
        listed = {row["id"]: row for row in rows(ledger, Filter(hidden=True), columns=ALWAYS)}
        whole = rows(ledger, Filter(hidden=True))
        assert list(listed.values()) == [{name: row[name] for name in ALWAYS} for row in whole]
        for name in (*ALWAYS, "lr"):
            values = {run.id: run.config.get("lr") if name == "lr" else listed[run.id][name] for run in every}
            assert name == "lr" or all(values[run.id] == plain_row(run).get(name, values[run.id]) for run in every)
            for sign in ("", "-"):
                keyed = [
                    (run.id, (isinstance(value, str), value)) for run in every if (value := values[run.id]) is not None
                ]
                keyed.sort(key=lambda each: each[1], reverse=bool(sign))
                expected = [*(run_id for run_id, _ in keyed), *(run.id for run in every if values[run.id] is None)]
                sort = f"{sign}{name}"
                found = rows(ledger, Filter(hidden=True), sort=sort, columns=["id"])
                assert [row["id"] for row in found] == expected, sort
                found = rows(ledger, Filter(hidden=True), sort=sort, columns=["id"], limit=7)
                assert [row["id"] for row in found] == expected[:7], sort


SETTINGS: tuple[dict[str, Any], ...] = (
    {"optim": {"lr": 0.1}, "list": [1, 10], "it's": 1, 'say "x"': 2, "ü": "b", "back\\slash": 3},
    {"optim": {"lr": 2}, "list": [1, 2], "it's": 3, 'say "x"': 1, "ü": "a", "back\\slash": 1},
    {"optim": {"lr": None}, "list": "text", "ü": "\N{PILE OF POO}"},
    {"optim": {"lr": {"base": 1}}, "list": {"a": 1}, "ü": "\uffff"},
    {"optim": {"lr": True}, "list": 5},
    {"optim": {"lr": "high"}, "a.b": 1, "seed": 2**70},
    {"optim": {"lr": "low"}, "a.b": 2, "seed": 1.5, "lr": float("nan")},
    {"optim": 3, "a": {"b": {"c": 1}}, "seed": -(2**70), "lr": float("inf")},
    {},
)


@pytest.mark.parametrize("settings", [SETTINGS, SETTINGS[:6]], ids=["some are no JSON", "JSON"])
def test_the_first_by_a_setting_are_those_of_the_whole_order(
    tmp_path: Path, settings: tuple[dict[str, Any], ...]
) -> None:
    """With a limit SQLite reads the setting alone, without one Python sorts whole rows; both say the same."""
    names = [*("optim.lr", "config.optim.lr", "optim", "list", "it's", 'say "x"', "ü", "back\\slash", "a.b", "a.b.c")]
    names += ["seed", "lr", "overrides", "metadata.title", "metric.cv/dice", "optim.lr.base"]
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for number, config in enumerate(settings * 2):
            title = {"title": f"t{number % 3}"}
            run = _run(number, random.Random(number))
            ledger.add(dataclasses.replace(run, config=config, metadata=title))
        compared = 0
        for name in names:
            for sort in (name, f"-{name}"):
                for wanted in (Filter(hidden=True), Filter(experiment="a*", hidden=True)):
                    try:
                        whole = rows(ledger, wanted, sort=sort, columns=["id"])
                    except UsageError:
                        with pytest.raises(UsageError):
                            rows(ledger, wanted, sort=sort, columns=["id"], limit=3)
                        continue
                    for limit in (1, 3, 100):
                        assert rows(ledger, wanted, sort=sort, columns=["id"], limit=limit) == whole[:limit], sort
                        compared += 1
    assert compared > 100


def _sorted_by(ledger: Ledger) -> list[tuple[str, Any, Any, Any]]:
    return [
        (row["id"], row["primary_name"], row["primary_mode"], row["primary_value"])
        for row in ledger.statement("SELECT * FROM runs ORDER BY id", {})
    ]


def test_the_primary_metric_follows_the_summary(tmp_path: Path) -> None:
    """However a row is written: added, updated, replaced, migrated, salvaged, or reset after damage."""
    file = tmp_path / "ledger.sqlite"
    with _filled(file, 7) as ledger:
        runs = {run.id: run for run in ledger.runs(hidden=True)}
        added = _sorted_by(ledger)
        for run_id, _, mode, value in added:
            row = plain_row(runs[run_id])
            assert (row["mode"], row["value"]) == (mode, value)
        numbers = [value for *_, value in added if value is not None]
        assert len(set(numbers)) > 5
        ids = list(runs)
        for run_id, other in zip(ids, reversed(ids), strict=True):
            ledger.update(run_id, summary=runs[other].summary)
        assert _sorted_by(ledger) != added
        for run in runs.values():
            ledger.replace(run)
        assert _sorted_by(ledger) == added
        damaged = next(run_id for run_id, *_, value in added if value is not None)
        ledger.statement("UPDATE runs SET summary = '{' WHERE id = :id", {"id": damaged})
        blank(ledger, damaged)
        assert (damaged, None, None, None) in _sorted_by(ledger)
        ledger.replace(runs[damaged])
    connection = sqlite3.connect(file)
    for index in ("runs_to_list", "tags_by_text", "remarks_by_experiment", "remarks_by_run"):
        connection.execute(f"DROP INDEX {index}")
    for column in ("primary_name", "primary_mode", "primary_value"):
        connection.execute(f"ALTER TABLE runs DROP COLUMN {column}")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 1}")
    connection.execute("CREATE INDEX runs_by_time ON runs (created_at)")
    connection.commit()
    connection.close()
    copy = tmp_path / "other" / "ledger.sqlite"
    copy.parent.mkdir()
    copy.write_bytes(file.read_bytes())
    salvage_ledger(copy)
    for each in (file, copy):
        with Ledger(each) as ledger:
            assert _sorted_by(ledger) == added


def test_a_short_run_says_what_was_not_read(tmp_path: Path) -> None:
    """Another field than those of the index is an error, not empty."""
    with _filled(tmp_path / "ledger.sqlite", 1) as ledger:
        (whole,), (short,) = (
            [run for run in each if run.id == "0003"] for each in (ledger.runs(hidden=True), ledger.short())
        )
        for name in ("id", "experiment", "target", "owner", "slug", "state", "version", "continues", "fetched_at"):
            assert getattr(short, name) == getattr(whole, name)
        for name in ("summary", "config", "message"):
            with pytest.raises(AttributeError, match="was not read"):
                getattr(short, name)


def _lines_plainly(runs: list[Run], sweeps: list[Sweep]) -> list[tuple[str, list[str]]]:
    """(name of the sweep or empty, ids of its runs) for each line; `sweeps` are oldest first."""
    of = {(sweep.target, member.experiment): sweep for sweep in sweeps for member in sweep.members}
    lines: dict[str, list[Run]] = {}
    for run in runs:
        sweep = of.get((run.target, run.experiment))
        is_own = sweep is None or run.continues is not None or run.version == 0
        key = run.id if sweep is None or is_own else f"sweep {sweep.name}"
        lines.setdefault(key, []).append(run)
    by_id, found = {run.id: run for run in runs}, []
    for key, each in lines.items():
        newest = list({run.experiment: run for run in reversed(each)}.values())
        newest.sort(key=each.index)
        whole = next((one for one in sweeps if key == f"sweep {one.name}"), None)
        there = {run.experiment for run in newest}
        for member in whole.members if whole is not None else ():
            if member.experiment not in there and member.run_id in by_id:
                newest.append(by_id[member.run_id])
        found.append((whole.name if whole else "", [run.id for run in newest]))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_lines_are_those_of_the_whole_list(tmp_path: Path, seed: int) -> None:
    """Sweeps that share experiments, on several targets, with work done elsewhere; whatever the limit."""
    random_ = random.Random(seed)
    with _filled(tmp_path / "ledger.sqlite", seed) as ledger:
        every = ledger.runs(hidden=True)
        swept, sweeps, done = 0, list[Sweep](), [run.id for run in every if not run.state.is_active]
        for number in range(4):
            members = tuple(
                Member(name, "base", (), "", "work", random_.choice((None, "gone", random_.choice(done))))
                for name in random_.sample(NAMES, 4)
            )
            place = random_.choice(("local", "kaggle"))
            sweeps.append(Sweep(f"s{number}", "base", place, is_repeat=False, created_at="2026", members=members))
            add(ledger, sweeps[-1])
        for target in (None, "local", "kaggle"):
            for hidden in (False, True):
                listed = [run for run in every if target in (None, run.target) and (hidden or run.counts)]
                expected = _lines_plainly(listed, sweeps)
                swept += sum(bool(name) for name, _ in expected)
                for most in (1, 2, 5, 20, None):
                    found = newest_entries(ledger, most, target, hidden=hidden)
                    lines = [(line.sweep.name if line.sweep else "", [run.id for run in line.runs]) for line in found]
                    assert lines == expected[:most]
                active = newest_entries(ledger, 3, target, hidden=hidden, active=True)
                whole = newest_entries(ledger, None, target, hidden=hidden)
                shown = [line for line in whole[3:] if line.is_active]
                ours = [line for line in active[3:] if line.is_active]
                assert active[:3] == whole[:3]
                assert sorted(line.runs[0].id for line in ours) == sorted(line.runs[0].id for line in shown)
    assert swept > 3


def test_every_key_is_a_column(tmp_path: Path) -> None:
    """Each of them is a column of `coord runs`, and orders a ledger, whatever SQLite thinks of its index."""
    assert {*SORT_KEYS} <= {*ALWAYS}
    with _filled(tmp_path / "ledger.sqlite", 2, size=5) as ledger:
        for sort in SORT_KEYS:
            assert len(ledger.selected(RunSelection(), sort=sort, most=3)) == 3
        run = ledger.selected(most=1)[0]
        assert dataclasses.asdict(run) == dataclasses.asdict(ledger.get(run.id))
