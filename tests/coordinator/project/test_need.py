"""`needs:` in an experiment's file: its forms, what bases say, and what is said about mistakes."""

from __future__ import annotations

import pytest

from coordinator.errors import ExperimentError
from coordinator.project.experiment import Change, resolve
from coordinator.project.need import Need
from coordinator.project.project import Project
from tests.coordinator.bundle.programs import write_files


def _needs(project: Project, name: str) -> dict[str, str]:
    return {need.name: str(need) for need in resolve(project, name).needs}


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("base", (Need("base", "base"),)),
        ("base@v3", (Need("base", "base", 3),)),
        ("[base, slow@v12]", (Need("base", "base"), Need("slow", "slow", 12))),
        ("{weights: base, folds: slow@v1}", (Need("weights", "base"), Need("folds", "slow", 1))),
        ("{one: base, two: base}", (Need("one", "base"), Need("two", "base"))),
        ("base--lr0.01-s0", (Need("base__lr0_01_s0", "base--lr0.01-s0"),)),
        ("'base'", (Need("base", "base"),)),
        ("[]", ()),
        ("", ()),
        ("\n  # weights: base", ()),
    ],
)
def test_the_forms(tiny: Project, text: str, needs: tuple[Need, ...]) -> None:
    """A text, a list and a mapping; a version after the name; an experiment of a sweep, which has no file."""
    write_files(tiny.experiments, {"infer.yaml": f"needs: {text}\n"})
    found = resolve(tiny, "infer")
    assert found.needs == needs
    assert found.to_json()["needs"] == [need.to_json() for need in needs]


def test_a_base_is_replaced_by_a_text_or_a_list_and_merged_with_a_mapping(tiny: Project) -> None:
    """As all of a file: lists replace, mappings are merged, and null drops one."""
    write_files(
        tiny.experiments,
        {
            "first.yaml": "needs: {weights: base, folds: slow}\n",
            "same.yaml": "base: first\n",
            "merged.yaml": "base: first\nneeds: {weights: base@v2, more: crash}\n",
            "dropped.yaml": "base: merged\nneeds: {weights: null, folds: ~}\n",
            "replaced.yaml": "base: merged\nneeds: crash\n",
            "without.yaml": "base: first\nneeds: []\n",
        },
    )
    assert _needs(tiny, "same") == {"weights": "base", "folds": "slow"}
    assert _needs(tiny, "merged") == {"weights": "base@v2", "folds": "slow", "more": "crash"}
    assert _needs(tiny, "dropped") == {"more": "crash"}
    assert _needs(tiny, "replaced") == {"crash": "crash"}
    assert _needs(tiny, "without") == {}
    assert resolve(tiny, "same").changes == ()
    assert resolve(tiny, "merged").changes == (
        Change("needs.weights", "base", "base@v2"),
        Change("needs.more", None, "crash"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("needs: bsae", 'bad.yaml:1: needs.bsae: there is no experiment "bsae" (did you mean "base"?)'),
        ("needs: bsae--s0", 'there is no experiment "bsae--s0"'),
        ("needs: bad", "bad.yaml:1: needs.bad: an experiment can't need itself; coord continue goes on from its run"),
        ("needs: base@3", 'needs: "base@3" is no experiment: write NAME, or NAME@v3 for its version 3'),
        ("needs: base@v0", '"base@v0" is no experiment'),
        ("needs: {a-b: base}", 'needs.a-b: "a-b" is no name of a need: letters, digits and _ only'),
        ("needs: {ü: base}", '"ü" is no name of a need'),
        ("needs:\n- base\n- base\n", "bad.yaml:3: needs.1: base is named twice"),
        ("needs:\n- base\n- [slow]\n", "needs.1: must be an experiment, a list of experiments, or a mapping"),
        ("needs: {w: {x: y}}", "needs.w: must be an experiment"),
        ("needs:\n  w: base\n  W: slow\n", 'bad.yaml:3: needs.W: "w" and "W" would be one variable, COORD_NEED_W'),
        ("needs: {a: base@v1, b: base@v2}", "needs.b: base@v1 is needed, too, and Kaggle mounts one version"),
        ("needs: {a: base, b: base@v2}", "needs.b: base is needed, too"),
        ("needs: to", "bad.yaml:1: needs.to: the needs form a circle: bad -> to -> fro -> bad"),
        ("needs: fro--s1", "the needs form a circle: bad -> fro--s1 -> bad"),
    ],
)
def test_mistakes(tiny: Project, text: str, message: str) -> None:
    """Each is told with its place, and with what to write instead where that is known."""
    write_files(tiny.experiments, {"bad.yaml": text, "to.yaml": "base: low", "low.yaml": "needs: fro"})
    write_files(tiny.experiments, {"fro.yaml": "needs: {x: bad}"})
    with pytest.raises(ExperimentError) as caught:
        resolve(tiny, "bad")
    assert message in caught.value.what


def test_a_circle_of_others_is_their_own_problem(tiny: Project) -> None:
    """An experiment outside a circle ends in no endless walk, and resolves."""
    write_files(tiny.experiments, {"a.yaml": "needs: b", "b.yaml": "needs: a", "c.yaml": "needs: [a, base]"})
    assert _needs(tiny, "c") == {"a": "a", "base": "base"}
