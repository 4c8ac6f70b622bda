"""The live check against the local Kaggle: its facts, what it makes and deletes, and what a failure leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coordinator.cli import app
from coordinator.clock import SYSTEM_CLOCK
from coordinator.errors import TargetError
from coordinator.maintenance import ReadSources, Talk, delete_left, live_check
from coordinator.maintenance.live_check import live_check as verb
from coordinator.maintenance.live_check.check import CheckPace, LiveCheck
from coordinator.maintenance.live_check.facts import Answer, Fact, Facts
from coordinator.maintenance.live_check.live_check import Checked
from coordinator.maintenance.live_check.made import MadeThings, Thing
from coordinator.maintenance.live_check.probe import Probe
from coordinator.maintenance.live_check.probes import LEFT_OUT, PROBES
from coordinator.project import Project, find_project
from coordinator.target import Target, local, open_target, wire_of
from coordinator.target.wire import Reply
from runner_test.faults.plan import Fault, Faults, Kind
from runner_test.server import running_server
from runner_test.sessions import isolation
from runner_test.state import datasets, rules
from runner_test.store import Store
from tests.coordinator.targets import MemoryTarget
from tests.paths import ROOT

SOURCES = ReadSources("titanic", "ada/net/pyTorch/small")
NOT_KAGGLES = {
    "Python's version",
    "the image's packages",
    "free disk in /tmp",
    "the memory of a CPU machine",
    "the number of a session",
}
"""The local Kaggle differs: these are this machine's, but for the last, which makes `coord cancel` possible there."""
SAVED = ("a version that is only saved (QUICK_SAVE)", "a title of 4 characters", "version labels")


@dataclass
class Scripted:
    """A user who answers questions, in this order; yes to all further ones."""

    answers: list[bool] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    interrupts: str = ""
    """A word in a message at which Ctrl-C is pressed."""

    def say(self, text: str) -> None:
        self.said.append(text)
        if self.interrupts and self.interrupts in text:
            raise KeyboardInterrupt

    def agrees(self, text: str) -> bool:
        self.asked.append(text)
        return self.answers.pop(0) if self.answers else True

    @property
    def talk(self) -> Talk:
        return Talk(self.say, self.agrees)


def probe(name: str) -> Probe:
    return next(each for each in PROBES if each.name == name)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> tuple[Probe, ...]:
    """The check asks only probes that need no session."""
    found = tuple(probe(name) for name in SAVED)
    monkeypatch.setattr(verb, "PROBES", found)
    return found


def changed(project: Project, setting: str) -> Project:
    """The project with a setting of the local Kaggle."""
    with project.pyproject.open("a") as file:
        file.write(f"\n[tool.coord.local]\n{setting}\n")
    return find_project(project.root)


@pytest.fixture
def opened(tiny: Project) -> Iterator[Callable[[Target], LiveCheck]]:
    """Makes checks whose sessions end at once; what they made is deleted in the end."""
    made = MadeThings(tiny.live_check / "made.json")

    def check(target: Target) -> LiveCheck:
        return LiveCheck(target, "abc123", made, SYSTEM_CLOCK, lambda _: None, SOURCES, CheckPace(0.0, 0.2, 60.0))

    yield check
    store = Store(tiny.local_kaggle)
    for kernel in store.kernels():
        store.delete(kernel.reference)


def left(project: Project) -> list[str]:
    """What there is on the project's local Kaggle."""
    root = project.local_kaggle
    return sorted(
        [
            *(str(each.reference) for each in Store(root).kernels()),
            *(str(each.reference) for each in datasets.datasets(root)),
        ]
    )


@pytest.mark.skipif(isolation.problem() is not None, reason=str(isolation.problem()))
def test_every_question_has_an_answer(tiny: Project) -> None:
    """The local Kaggle is as coord assumes of Kaggle, but for what is this machine's; nothing is left on it."""
    folder = tiny.root / "rows"
    folder.mkdir()
    (folder / "train.csv").write_text("a\n")
    local.add_competition(tiny, "titanic", folder)
    local.add_model(tiny, "ada/net/pyTorch/small/1", folder)
    user = Scripted()
    found = live_check(tiny, "local", user.talk, SOURCES)
    assert found is not None
    assert [fact.name for fact in found.facts.facts] == [each.name for each in PROBES]
    silent = [f"{fact.name}: {fact.seen}" for fact in (*found.facts.of("not known"), *found.facts.of("not tried"))]
    assert silent == []
    differs = {fact.name: fact.seen for fact in found.facts.of("differs")}
    assert differs.keys() <= NOT_KAGGLES, differs
    assert "the number of a session" in differs

    begin, end = user.asked
    assert "at most 9 minutes of a CPU" in begin
    assert "nothing is public" in begin
    assert "data set ada/coord-live-check-" in end
    assert left(tiny) == []
    assert not list(tiny.live_check.glob("made*"))
    written = json.loads(found.markdown.with_suffix(".json").read_text())
    assert len(written["facts"]) == len(PROBES)
    assert "ada/" not in found.markdown.read_text()
    assert "| the mount of a competition | /kaggle/input/competitions/SLUG |" in found.markdown.read_text()


@pytest.mark.parametrize(
    ("setting", "name", "seen"),
    [
        ('layout = "2025"', "the mount of a data set", "/kaggle/input/coord-live-check-STAMP-data"),
        ('dataset_early = "older"', "a push that attaches a data set which is not ready", "taken; the session read"),
    ],
)
def test_another_kaggle_is_told(
    tiny: Project, opened: Callable[[Target], LiveCheck], setting: str, name: str, seen: str
) -> None:
    """A target that mounts or answers differently is seen to do so."""
    project = changed(tiny, f'isolation = "none"\n{setting}')
    with open_target(project, "local") as target:
        fact = probe(name).fact(opened(target))
    assert fact.seen.startswith(seen), fact
    assert fact.verdict == ("differs" if "layout" in setting else "agrees")


def test_another_limit_is_told(
    tiny: Project, opened: Callable[[Target], LiveCheck], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Titles and sources of other lengths than coord assumes are seen to be taken."""
    monkeypatch.setattr(rules, "MAX_SOURCE", 2 << 20)
    monkeypatch.setattr(rules, "title_problem", lambda title: None)
    with open_target(tiny, "local") as target:
        check = opened(target)
        facts = [probe(name).fact(check) for name in ("a source of 1 MiB and a byte", "a title of 51 characters")]
    assert [(fact.verdict, fact.seen) for fact in facts] == [("differs", "taken")] * 2


def test_nothing_is_asked_of_a_target_that_runs_what_is_only_saved(
    tiny: Project, opened: Callable[[Target], LiveCheck], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions about machines could start sessions there: they are left out."""
    project = changed(tiny, 'isolation = "none"')
    monkeypatch.setattr(LiveCheck, "status", lambda *_: Reply(200, "application/json", '{"status": "RUNNING"}'))
    with open_target(project, "local") as target:
        check = opened(target)
        facts = [probe(name).fact(check) for name in ("the machine gpu", "a title of 5 characters")]
        saved = target.source("ada", "coord-live-check-abc123-saved")
    assert {fact.verdict for fact in facts} == {"not tried"}
    assert saved is not None
    assert saved[0] == 1


def test_a_question_that_fails_is_recorded(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others go on, at an address that is called kaggle, too."""
    faults = Faults(
        [
            Fault("GetAcceleratorQuotaStatistics", Kind.STATUS, status=503),
            Fault("GetKernel", Kind.RESET),
        ]
    )
    names = ("the quota's answer", "a kernel that does not exist", "a data set that does not exist")
    monkeypatch.setattr(verb, "PROBES", tuple(probe(name) for name in names))
    with running_server(tiny.local_kaggle, faults=faults) as server:
        monkeypatch.setenv("COORD_KAGGLE_ENDPOINT", server.url)
        monkeypatch.setenv("KAGGLE_USERNAME", "ada")
        monkeypatch.setenv("KAGGLE_KEY", server.token)
        found = live_check(tiny, "kaggle", Scripted().talk, SOURCES)
        assert found is not None
        text = found.markdown.read_text()
        assert server.token not in text + found.facts.to_json()
    quota, kernel, data = found.facts.facts
    assert (quota.verdict, data.verdict) == ("not known", "agrees")
    assert quota.seen.startswith("GetAcceleratorQuotaStatistics: HTTP 503")
    assert kernel.verdict == "not known"
    assert "connection" in kernel.seen


def test_an_answer_of_another_form_is_recorded() -> None:
    """What a probe does not expect at all does not end the check."""
    check: Any = None
    nothing: dict[str, Answer] = {}
    fact = Probe("a", "b", "c", lambda _: nothing["x"]).fact(check)
    assert (fact.verdict, fact.seen) == ("not known", "the answer has another form: KeyError 'x'")


def test_who_does_not_agree_makes_nothing(tiny: Project) -> None:
    """The first question comes before everything."""
    user = Scripted([False])
    assert live_check(tiny, "local", user.talk, SOURCES) is None
    assert user.said == []
    assert left(tiny) == []


def test_what_shall_stay_is_listed_and_deleted_later(tiny: Project, few: tuple[Probe, ...]) -> None:
    """After a no it is named with the command that deletes it; the next check names it, too."""
    user = Scripted([True, False])
    found = live_check(tiny, "local", user.talk, SOURCES)
    assert isinstance(found, Checked)
    kernel = found.remains[0].reference
    assert found.kept
    assert left(tiny) == [kernel]
    assert user.said[-1].startswith("still on local, unless it was never made:")
    assert f"kernel {kernel}\n" in user.said[-1]
    assert "coord live-check --clean --target local deletes it." in user.said[-1]

    again = Scripted([False, False])
    assert live_check(tiny, "local", again.talk, SOURCES) is None
    assert f"An earlier check has left:\n  kernel {kernel}" in again.asked[0]
    assert [thing.reference for thing in delete_left(tiny, "local", again.talk)] == [kernel]
    assert left(tiny) == [kernel]

    assert delete_left(tiny, "local", again.talk) == ()
    assert left(tiny) == []
    delete_left(tiny, "local", again.talk)
    assert again.said[-1] == "no check has left anything on local"


@pytest.mark.parametrize("moment", ["2/3 ", "is deleted"])
def test_an_interrupted_check_says_what_it_made(tiny: Project, few: tuple[Probe, ...], moment: str) -> None:
    """Ctrl-C in the middle: the facts so far are written, and the list of what remains stays for --clean."""
    user = Scripted(interrupts=moment)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        live_check(tiny, "local", user.talk, SOURCES)
    assert re.search(r"  kernel ada/coord-live-check-\w+-saved\n", str(interrupt.value))
    facts = json.loads(next(tiny.live_check.glob("2*.json")).read_text())["facts"]
    assert [fact["verdict"] for fact in facts][:2] == ["agrees", "agrees" if moment == "is deleted" else "not tried"]
    assert delete_left(tiny, "local", Scripted().talk) == ()
    assert left(tiny) == []


def test_only_what_a_check_made_is_deleted(tiny: Project, opened: Callable[[Target], LiveCheck]) -> None:
    """A kernel of the user's is kept, even if the list names it; so is the entry."""
    with open_target(changed(tiny, 'isolation = "none"'), "local") as target:
        check = opened(target)
        check.save("ada/mine-alone", "mine alone", text="print('mine')\n")
        check.made.note(Thing("data set", "ada/mine"))
        said: list[str] = []
        check.made.delete_all(target, said.append)
        assert target.source("ada", "mine-alone") is not None
    assert said == [
        "data set ada/mine is deleted",
        "kernel ada/mine-alone was not deleted: its source is not a check's",
    ]
    assert MadeThings(tiny.live_check / "made.json").all() == (Thing("kernel", "ada/mine-alone"),)


def test_a_list_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """What was made is not silently forgotten."""
    (tmp_path / "made.json").write_text('[{"kind": "ker')
    with pytest.raises(TargetError, match=r"made\.json cannot be read"):
        MadeThings(tmp_path / "made.json")


@pytest.mark.parametrize(
    ("reply", "code", "refusal"),
    [
        (Reply(200, "application/json", '{"ref": "a/b"}'), 200, ""),
        (Reply(200, "application/json", '{"error": "The title is taken"}'), 200, "The title is taken"),
        (Reply(200, "application/json", '{"code": 404, "message": "Not found"}'), 404, "HTTP 404: Not found"),
        (Reply(400, "text/html", "<html>"), 400, "HTTP 400"),
        (Reply(200, "application/json", "[1]"), 200, ""),
    ],
)
def test_the_refusals_of_an_answer(reply: Reply, code: int, refusal: str) -> None:
    """Kaggle refuses by the status, by a code in the body, or in words."""
    assert (reply.code, reply.refusal) == (code, refusal)


def test_only_kaggles_protocol_can_be_spoken_to() -> None:
    """Another target has no wire of that kind."""
    with pytest.raises(TargetError, match="does not have Kaggle's protocol"):
        wire_of(MemoryTarget())


def test_the_command_needs_an_answer(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal there is nobody to agree."""
    monkeypatch.chdir(tiny.root)
    done = CliRunner().invoke(app, ["live-check", "--target", "local"])
    assert done.exit_code == 2
    assert "Agree with --yes." in done.output


def test_the_command_prints_what_differs(
    tiny: Project, monkeypatch: pytest.MonkeyPatch, few: tuple[Probe, ...]
) -> None:
    """The exit code says whether every question has an answer."""
    monkeypatch.chdir(tiny.root)
    monkeypatch.setattr(rules, "title_problem", lambda title: None)
    done = CliRunner().invoke(app, ["live-check", "--target", "local", "--yes"])
    assert done.exit_code == 0, done.output
    assert "differs: a title of 4 characters: taken (coord assumes: refused; kaggle_rules.py TITLE_MIN)" in done.stdout
    assert "3 facts: 2 agrees, 1 differs\n" in done.stdout


def test_a_table_with_bars() -> None:
    """What was seen cannot break the Markdown table."""
    fact = Fact("a", "b", "c", "agrees", "x|y")
    assert "| x\\|y |\n" in Facts({"target": "local"}, (fact,), {}).to_markdown()


def test_the_page_has_every_question() -> None:
    """docs/live_check.md shows each probe, and what is left out."""
    page = (ROOT / "docs" / "live_check.md").read_text(encoding="utf-8")
    assert len({each.name for each in PROBES}) == len(PROBES)
    assert [name for name in (*(each.name for each in PROBES), *LEFT_OUT) if f"| {name} |" not in page] == []
