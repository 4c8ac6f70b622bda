"""What people type, and coord prints, as the name of a run or of an experiment.

base                  an experiment; where a run is wanted, its newest one
base@v3               its version 3
base@local-v3         its version 3 on that target; also as `local/base@v3`, and as tables print it, `base local-v3`
local/base            its newest run on that target
base@recorded         the values that its YAML file records; no run
https://...           the page of a run, as `coord push` and `coord status --url` print it
"""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Callable, Collection, Iterable, Sequence

from coordinator.errors import RunNotFound, UsageError
from coordinator.ledger.ledger import Ledger, Run
from coordinator.names import is_seed_of
from coordinator.project import STANDARD_TARGETS, TARGET_NAME, TargetName

RECORDED = "recorded"
_NAME = re.compile(
    rf"(?:(?P<place>{TARGET_NAME})/)?(?P<experiment>[^@\s/]+)"
    rf"(?:@(?P<recorded>{RECORDED})|(?:@|\s+)(?:(?P<target>{TARGET_NAME})-)?v?(?P<version>\d+|\?))?"
)
_SECOND_WORD = re.compile(rf"({TARGET_NAME})-v(?:\d+|\?)")
_SPELLINGS = "Say NAME, NAME@v3, NAME@local-v3 or NAME@recorded."


@dataclasses.dataclass(frozen=True)
class RunName:
    """A name, parsed: an experiment, and perhaps which of its runs."""

    experiment: str
    """May have `*` and `?` where a command takes patterns."""
    target: TargetName | None = None
    version: int | None = None
    is_recorded: bool = False

    @property
    def is_run(self) -> bool:
        """Whether it names one run, and not all of an experiment."""
        return self.version is not None

    def names(self, run: Run) -> bool:
        """Whether it names this run, or its experiment."""
        return fnmatch.fnmatchcase(run.experiment, self.experiment) and self.takes(run)

    def takes(self, run: Run) -> bool:
        """Whether the target and the version that it says, if any, are those of the run."""
        return self.target in (None, run.target) and self.version in (None, run.version)

    def with_options(self, target: str | None = None, version: int | None = None) -> RunName:
        """The name together with `--target` and `--version`. Raises UsageError if they contradict it."""
        for option, given, said in (("--target", target, self.target), ("--version", version, self.version)):
            if None not in (given, said) and given != said:
                raise UsageError(
                    f"{self} and {option} {given} are different runs", hint=f"Leave one of them out: {self} is enough."
                )
        return dataclasses.replace(
            self,
            target=target or self.target,
            version=self.version if version is None else version,
        )

    def __str__(self) -> str:
        """In the spelling that every command takes: `base@local-v3`."""
        if self.is_recorded:
            return f"{self.experiment}@{RECORDED}"
        if self.version is None:
            return f"{self.target}/{self.experiment}" if self.target else self.experiment
        return f"{self.experiment}@{f'{self.target}-' if self.target else ''}v{self.version}"


def parse_run_name(text: str) -> RunName:
    """Raises UsageError, with the spellings that there are."""
    match = _NAME.fullmatch(text.strip())
    if match is None:
        raise UsageError(f'"{text}" names no run', hint=_SPELLINGS)
    if match["version"] == "?":
        raise UsageError(f'"{text}" has no version yet', hint="Its push has no answer so far: coord status asks again.")
    if match["place"] and match["target"] not in (None, match["place"]):
        raise UsageError(f'"{text}" names two targets', hint=_SPELLINGS)
    target = match["place"] or match["target"]
    version = None if match["version"] is None else int(match["version"])
    return RunName(match["experiment"], target, version, is_recorded=match["recorded"] is not None)


def joined(
    words: Sequence[str],
    is_experiment: Callable[[str], bool] = lambda _: False,
    targets: Collection[str] = tuple(STANDARD_TARGETS),
) -> list[str]:
    """The names in words of a command line, where a label pasted from a table is two words: `base local-v3`.

    A second word that is the name of an experiment, or begins with none of the targets' names, stays one.
    """
    names: list[str] = []
    for word in words:
        label = _SECOND_WORD.fullmatch(word)
        if names and "@" not in names[-1] and label and label[1] in targets and not is_experiment(word):
            names[-1] += f"@{word}"
        else:
            names.append(word)
    return names


def find_named(ledger: Ledger, name: RunName) -> Run:
    """The run that it names, or the experiment's newest one. Raises RunNotFound, with what there is instead."""
    if name.is_recorded:
        raise recorded_only(name)
    try:
        return ledger.find(name.experiment, target=name.target, version=name.version)
    except RunNotFound:
        runs = ledger.runs(target=name.target)
        ran = sorted({run.experiment for run in runs if is_seed_of(run.experiment, name.experiment)})
        if not ran:
            raise
        raise RunNotFound(f"{name.experiment} ran once a seed, as {', '.join(ran)}", hint="Name one of them.") from None


def at_address(ledger: Ledger, address: str) -> RunName:
    """The run whose page is there; of a page that several versions have, the newest one. Raises RunNotFound."""
    page = address.partition("?")[0].rstrip("/")
    for run in ledger.runs(hidden=True):
        if page.endswith(f"/runs/{run.id}") or (run.url and page == run.url.partition("?")[0].rstrip("/")):
            return RunName(run.experiment, run.target, run.version)
    raise RunNotFound(f"no run of this project has the page {address}", hint="See: coord status --url")


def meant(runs: Iterable[Run], name: RunName) -> list[Run]:
    """Those of the runs that the name names; if none of its own is there, those of its seeds."""
    runs = list(runs)
    of_seeds = (run for run in runs if is_seed_of(run.experiment, name.experiment) and name.takes(run))
    return [run for run in runs if name.names(run)] or list(of_seeds)


def recorded_only(name: RunName) -> RunNotFound:
    """The error of a command that is about a run, for the name of recorded values."""
    return RunNotFound(
        f"{name} is not a run: its values were measured elsewhere, and are recorded in the experiment's YAML file",
        hint=f"Its config: coord show {name.experiment}",
    )
