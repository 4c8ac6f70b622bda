"""The verb live-check: asks every probe, writes the table of facts, and deletes what was made, after a question."""

from __future__ import annotations

import importlib.metadata
import secrets
import string
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from coordinator import __version__
from coordinator.clock import SYSTEM_CLOCK, Clock
from coordinator.errors import TargetError
from coordinator.files import write_atomically
from coordinator.maintenance.live_check.check import SESSION_SECONDS, SESSIONS, CheckPace, LiveCheck, ReadSources
from coordinator.maintenance.live_check.facts import Fact, Facts
from coordinator.maintenance.live_check.made import PREFIX, MadeThings, Thing
from coordinator.maintenance.live_check.probe import Probe
from coordinator.maintenance.live_check.probes import LEFT_OUT, PROBES
from coordinator.project import Project, target_name
from coordinator.target import Target, kaggle_endpoint, open_target

_STAMP = string.ascii_lowercase + string.digits
_LOCAL_PACE = CheckPace(runs=2.5, soon=0.4, most=120.0)
CLEAN = "coord live-check --clean"
"""Deletes what an earlier check left."""


@dataclass(frozen=True)
class Talk:
    """How a check speaks with its user."""

    say: Callable[[str], None]
    agrees: Callable[[str], bool]
    """Shows a text that ends with a question; True for yes."""


@dataclass(frozen=True)
class Checked:
    """The end of a check."""

    facts: Facts
    markdown: Path
    remains: tuple[Thing, ...]
    """What it made, and what is still on the target."""
    kept: bool
    """The user wanted it so."""


def live_check(
    project: Project, target: str | None, talk: Talk, sources: ReadSources, *, clock: Clock = SYSTEM_CLOCK
) -> Checked | None:
    """Asks all probes, on that target; None if the user did not agree to what it would do.

    Writes the table into `.coord/live-check/`. Raises KeyboardInterrupt with a text that names what remains on the
    target, after it has written what is known by then.
    """
    with open_target(project, target_name(project, target)) as there:
        made = MadeThings(_made_file(project, there))
        # Credentials that are refused are no fact about each probe.
        user = there.user() or there.owner
        if not talk.agrees(plan(there, user, made)):
            return None
        stamp = "".join(secrets.choice(_STAMP) for _ in range(6))
        pace = _LOCAL_PACE if there.abilities.is_on_this_machine else CheckPace()
        check = LiveCheck(there, stamp, made, clock, talk.say, sources, pace)
        found: list[Fact] = []
        try:
            found.extend(_asked(check, talk.say))
        except KeyboardInterrupt:
            rest = [each.unanswered("not tried", "interrupted") for each in PROBES[len(found) :]]
            so_far = _write(project, there, _facts(there, [*found, *rest]))
            what = f"interrupted; the facts so far are in {so_far}"
            raise KeyboardInterrupt(f"{what}\n{_remaining(there, made.all())}") from None
        facts = _facts(there, found)
        markdown = _write(project, there, facts)
        kept = not _deleted(there, made, talk)
        if made.all():
            talk.say(_remaining(there, made.all()))
        return Checked(facts, markdown, made.all(), kept)


def delete_left(project: Project, target: str | None, talk: Talk) -> tuple[Thing, ...]:
    """Deletes what earlier checks left, after a question. Returns what remains. Raises TargetError if that failed."""
    with open_target(project, target_name(project, target)) as there:
        made = MadeThings(_made_file(project, there))
        if not made.all():
            talk.say(f"no check has left anything on {there.name}")
            return ()
        if _deleted(there, made, talk) and made.all():
            raise TargetError(_remaining(there, made.all()))
        return made.all()


def plan(target: Target, user: str, made: MadeThings) -> str:
    """What a check would do, with a question."""
    minutes = SESSIONS * SESSION_SECONDS // 60
    lines = [
        f"coord live-check, on {target.name}, as {user}:",
        f"  makes a private data set with two versions, of a few KB, and private kernels; all are called {PREFIX}...",
        f"    (one, of a title of 5 characters, is not); {SESSIONS} of the kernels run, the others are only saved",
        f"  uses at most {minutes} minutes of a CPU: each session is ended after {SESSION_SECONDS // 60}",
        "  ends one of these sessions while it runs, by deleting its kernel if need be",
        "  nothing is public, nothing has an accelerator or the internet, nothing is submitted",
        "  asks at the end whether to delete what it made",
    ]
    if made.all():
        lines += ["An earlier check has left:", *(f"  {thing}" for thing in made.all())]
    return "\n".join([*lines, "Begin?"])


def _asked(check: LiveCheck, say: Callable[[str], None]) -> Iterator[Fact]:
    for number, probe in enumerate(PROBES, 1):
        fact = probe.fact(check)
        say(f"{number}/{len(PROBES)} {_line(probe, fact)}")
        yield fact


def _line(probe: Probe, fact: Fact) -> str:
    rest = f": {fact.seen}; coord assumes: {fact.assumed}" if fact.verdict == "differs" else ""
    return f"{probe.name}: {fact.verdict}{rest or ('' if fact.verdict == 'agrees' else f': {fact.seen}')}"


def _deleted(target: Target, made: MadeThings, talk: Talk) -> bool:
    """Deletes what was made, as far as that succeeds; False if the user did not want it.

    Raises KeyboardInterrupt with a text that names what remains.
    """
    if not made.all():
        return True
    things = "\n".join(f"  {thing}" for thing in made.all())
    try:
        if not talk.agrees(f"Made on {target.name}:\n{things}\nDelete all of it?"):
            return False
        made.delete_all(target, talk.say)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted\n{_remaining(target, made.all())}") from None
    return True


def _remaining(target: Target, things: tuple[Thing, ...]) -> str:
    if not things:
        return f"nothing of it remains on {target.name}"
    listed = "\n".join(f"  {thing}" for thing in things)
    return f"still on {target.name}, unless it was never made:\n{listed}\n{CLEAN} --target {target.name} deletes it."


def _facts(target: Target, found: list[Fact]) -> Facts:
    heading = {
        "target": target.name,
        "address": _place(target),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "coord": __version__,
        "kagglesdk": importlib.metadata.version("kagglesdk"),
    }
    return Facts(heading, tuple(found), LEFT_OUT)


def _write(project: Project, target: Target, facts: Facts) -> Path:
    """Writes both files; returns that for people."""
    base = project.live_check / f"{facts.heading['date']}-{target.name}"
    markdown = base.with_suffix(".md")
    markdown.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(base.with_suffix(".json"), facts.to_json())
    write_atomically(markdown, facts.to_markdown())
    return markdown


def _place(target: Target) -> str:
    return "this machine" if target.abilities.is_on_this_machine else kaggle_endpoint()


def _made_file(project: Project, target: Target) -> Path:
    """Another address has other things."""
    place = "".join(c if c.isalnum() else "-" for c in f"{target.name}-{_place(target)}-{target.owner}")
    return project.live_check / f"made-{place}.json"
