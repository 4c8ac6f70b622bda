"""What people type, and coord prints, as the name of a run."""

from __future__ import annotations

import dataclasses

import pytest

from coordinator.errors import CoordError, RunNotFound, UsageError
from coordinator.ledger.ledger import Ledger
from coordinator.ledger.listing import Filter, selection, why_none
from coordinator.ledger.run_name import RunName, find_named, joined, parse_run_name
from tests.coordinator.sample_runs import COMPLETE

SECOND = dataclasses.replace(COMPLETE, id="second", version=2, created_at="2026-11-02T00:00:00+00:00")
ELSEWHERE = dataclasses.replace(
    COMPLETE, id="elsewhere", target="kaggle", version=3, created_at="2026-11-03T00:00:00+00:00"
)
SEEDS = [
    dataclasses.replace(COMPLETE, id=f"s{seed}", experiment=f"wide--s{seed}", slug=f"tiny-wide--s{seed}")
    for seed in (0, 1)
]


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """Three runs of `base` on two targets, and `wide` with two seeds."""
    for run in (COMPLETE, SECOND, ELSEWHERE, *SEEDS):
        ledger.add(run)
    return ledger


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("base", RunName("base")),
        ("base@v3", RunName("base", None, 3)),
        ("base@3", RunName("base", None, 3)),
        ("base@local-v3", RunName("base", "local", 3)),
        ("base local-v3", RunName("base", "local", 3)),
        (" base  kaggle-v12 ", RunName("base", "kaggle", 12)),
        ("local/base", RunName("base", "local")),
        ("local/base@v3", RunName("base", "local", 3)),
        ("kaggle/base@kaggle-v3", RunName("base", "kaggle", 3)),
        ("base@recorded", RunName("base", is_recorded=True)),
        ("base--lr0.1-s0-f2", RunName("base--lr0.1-s0-f2")),
        ("base--*", RunName("base--*")),
        ("local", RunName("local")),
    ],
)
def test_names(text: str, name: RunName) -> None:
    """Each spelling is taken, and what is printed of it names the same."""
    assert parse_run_name(text) == name
    assert parse_run_name(str(name)) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no run"),
        ("base@", "names no run"),
        ("@v3", "names no run"),
        ("base@Mars-v3", "names no run"),
        ("base@local", "names no run"),
        ("base wide", "names no run"),
        ("a/b/c", "names no run"),
        ("local/base@kaggle-v3", "names two targets"),
        ("base local-v?", "has no version yet"),
    ],
)
def test_what_is_no_name(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_run_name(text)


def test_the_label_of_a_run_names_it(filled: Ledger) -> None:
    """What tables print of a run is a name of that run, in every spelling."""
    for run in filled.runs():
        for text in (run.label, run.label.replace(" ", "@"), f"{run.target}/{run.experiment}@v{run.version}"):
            assert find_named(filled, parse_run_name(text)).id == run.id
            assert [each.id for each in filled.selected(selection(filled, text))] == [run.id]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["base", "local-v1"], ["base@local-v1"]),
        (["base", "local-v1", "wide", "kaggle-v2"], ["base@local-v1", "wide@kaggle-v2"]),
        (["base", "mine-v2"], ["base", "mine-v2"]),
        (["local-v1"], ["local-v1"]),
        (["base@v1", "local-v1"], ["base@v1", "local-v1"]),
        (["base", "kaggle-v9"], ["base", "kaggle-v9"]),  # an experiment of that name
        ([], []),
    ],
)
def test_labels_of_two_words(words: list[str], names: list[str]) -> None:
    """As they are pasted from a table."""
    assert joined(words, is_experiment=lambda word: word == "kaggle-v9") == names


@pytest.mark.parametrize(
    ("text", "target", "version", "named"),
    [
        ("base@v3", None, None, "base@v3"),
        ("base", "local", 3, "base@local-v3"),
        ("base@local-v3", "local", 3, "base@local-v3"),
        ("local/base", None, 2, "base@local-v2"),
    ],
)
def test_names_with_options(text: str, target: str | None, version: int | None, named: str) -> None:
    """--target and --version say what the name leaves open, or the same."""
    assert str(parse_run_name(text).with_options(target, version)) == named


@pytest.mark.parametrize(
    ("text", "target", "version", "message"),
    [
        ("base@v3", None, 2, "base@v3 and --version 2 are different runs"),
        ("base@local-v3", "kaggle", None, "base@local-v3 and --target kaggle are different runs"),
        ("local/base", "kaggle", 3, "local/base and --target kaggle are different runs"),
    ],
)
def test_options_that_contradict_the_name(text: str, target: str | None, version: int | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_run_name(text).with_options(target, version)


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("base", "elsewhere"),
        ("local/base", "second"),
        ("base@v1", COMPLETE.id),
        ("base@kaggle-v3", "elsewhere"),
        ("wide--s1", "s1"),
    ],
)
def test_the_run_that_a_name_means(filled: Ledger, text: str, id_: str) -> None:
    """The newest one that fits."""
    assert find_named(filled, parse_run_name(text)).id == id_


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("bsae", 'no run of "bsae" (did you mean "base"?)', "There are runs of base, wide--s0, wide--s1."),
        ("base@v9", '"base" has no run of version 9', "It has kaggle-v3, local-v2, local-v1."),
        ("base@kaggle-v1", '"base" has no run of version 1', "It has kaggle-v3."),
        ("wide", "wide ran once a seed, as wide--s0, wide--s1", "Name one of them."),
        ("base@recorded", "base@recorded is not a run", "Its config: coord show base"),
    ],
)
def test_names_without_a_run(filled: Ledger, text: str, what: str, hint: str) -> None:
    with pytest.raises(RunNotFound) as raised:
        find_named(filled, parse_run_name(text))
    error: CoordError = raised.value
    assert what in error.what
    assert hint in (error.hint or "")


def test_why_a_list_is_empty(filled: Ledger) -> None:
    assert filled.selected(selection(filled, "bsae")) == []
    for wanted, what in (
        (Filter("bsae"), 'no run of "bsae" (did you mean "base"?)'),
        (Filter("base@v9"), 'no run "base@v9" (did you mean "base@'),
        (Filter("base", tags=("slow",)), 'nothing has the tag "slow"'),
    ):
        with pytest.raises(RunNotFound) as raised:
            why_none(filled, wanted, ["new"])
        assert raised.value.what.startswith(what)
    assert why_none(filled, Filter("new"), ["new"]) == "no run of new yet; push one: coord push new"
    assert why_none(filled, Filter("base", state="queued")) == "no runs match"
    assert [run.id for run in filled.selected(selection(filled, "wide--*", "local"))] == ["s1", "s0"]
