"""What `coord help TOPIC` prints."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """A subject that is wider than one command."""

    text: str | Callable[[], str]
    """In lines of at most 80 columns; those that begin with `  coord` are command lines."""
    page: str


_EXPERIMENTS = """
An experiment is a YAML file in experiments/. It says only what differs from
its base; coord resolves it to one complete, checked config.

  base: base            # the experiment that this one starts from
  config:
    optim.lr: 0.01      # values of the config, by their paths
  kernel:
    machine_shape: gpu  # what the kernel has that others don't

  coord experiments                 which ones there are
  coord show wide                   the config, and what differs from the base
  coord show wide --set optim.lr=1  the same with one value replaced
  coord dry-run wide                run it here, on little data
  coord push wide --wait            run it on the target

A value on the command line (--set PATH=VALUE) wins over the file. A push with
--set is a run of that experiment with that value; to keep it, write a file.
"""

_NAMES = """
What coord prints as the name of a run, every command takes.

  base             an experiment; where a run is wanted, its newest one
  base@v3          version 3 of its kernel: the same as base --version 3
  base@local-v3    version 3 on that target; --version 3 --target local
  base local-v3    the same, as tables print it (copy and paste)
  local/base       its newest run on that target
  https://...      the page of a run, as push and status --url print it
  base--lr0.1-s0   a member of a sweep: an experiment like any other
  base@recorded    values that the YAML file records; only in compare

  coord logs base@v3
  coord compare base wide@local-v2
  coord push base@v3       what that run was pushed with, its --set included
  coord runs 'base--*'     in runs and report, * and ? are wildcards

The name may be given with --exp, too: coord logs --exp base --version 3.
"""

_TARGETS = """
A target is where kernels run.

  kaggle   Kaggle itself, with your token: KAGGLE_API_TOKEN, or
           ~/.kaggle/access_token, or ~/.kaggle/kaggle.json
  local    the local Kaggle: the same requests, answered on this machine
  NAME     a Slurm or Ray cluster: a table [tool.coord.targets.NAME]

It comes from --target, then COORD_TARGET, then target in [tool.coord], then it
is kaggle. A run remembers its target: coord logs base@local-v3.

  coord targets                      which there are, and which answer
  coord doctor                       does the target answer, with this token?
  coord push base --target local     a run here, as a kernel would run
  coord local add-competition titanic data   its data, for kernels here
  coord quota                        what is left of the GPU and TPU hours
"""

_SWEEPS = """
A sweep runs every combination of settings, seeds and folds. Each is an
experiment of its own, with a name that says what differs: base--lr0.1-s0.

  coord sweep base --grid optim.lr=0.1,0.01 --plan   what would run, how long
  coord sweep base --grid optim.lr=0.1,0.01          run it
  coord sweep base --seeds 3                         the spread by luck
  coord sweep base --split-folds                     one kernel a fold
  coord sweep status base--lr                        how far it is
  coord sweep resume base--lr                        go on after a break
  coord fetch-results --all                          bring what has ended
  coord best                                         which config is best

The same command again goes on with the same sweep.
"""

_CHAINS = """
An experiment may need the output of another one: train, then infer.

  needs: train            # in experiments/infer.yaml

The program finds that folder in COORD_NEED. Every run records which version it
read, and coord says when a newer one makes it outdated.

  coord push infer --with-needs --plan   what would run, and why
  coord push infer --with-needs          first what it needs, then itself
  coord push infer --wait-for-needs      wait for runs that go on already
"""

_COMPETITIONS = """
A submission is a file of a complete run. coord compares it with the sample
submission first, and refuses what was submitted before.

  coord submit base --wait           the kernel's version; waits for the score
  coord submit base --upload         the file: for competitions that take files
  coord scores                       scores beside CV, and whether they agree

A code competition runs the kernel again on hidden data. Try that here first:

  coord local add-competition titanic data --solution truth.csv
  coord rehearse base                run here and again on hidden data
  coord local rerun-log titanic      the log of the second run
"""

_DATA = """
Data sets, models and competitions are attached to a kernel by their names on
Kaggle, in [tool.coord.kernel] or in an experiment's kernel: part.

  dataset_sources = ["ada/weights"]      # ada/weights/3 is one version
  competition_sources = ["titanic"]

  coord data push weights ada/weights    a folder as a private data set
  coord data status ada/weights          do sessions get it yet?
  coord data fetch ada/weights copy      bring it into a new folder
  coord local add-dataset ada/weights weights   the same for kernels here
  coord wheels                           packages that the image lacks
"""

_METRICS = """
coord reads numbers from what a program leaves: its own metrics.json, a CSV
logger, trainer_state.json of transformers, or lines of the log that a pattern
in [tool.coord.metrics] finds. With one import it gets them live:

  import coord_log
  coord_log.epoch(3, {"val/dice": 0.71})
  coord_log.result("cv/dice", 0.71, mode="max")

A metric has a direction, max or min: nothing assumes that more is better.

  coord logs base --follow      the numbers as they come
  coord fetch-results base      the table of folds
  coord compare base wide       better, or luck?
  coord best                    all configs by their mean over seeds
"""


def _settings() -> str:
    from coordinator.project import setting_groups

    def lines() -> Iterator[str]:
        yield "In pyproject.toml, with their types and defaults:"
        for group in setting_groups():
            of = f", {group.kind}" if group.kind else ""
            yield f"\n[{'.'.join(filter(None, ('tool.coord', group.name)))}]{of}"
            for each in group.settings:
                default = f", {each.default}" if each.default else ""
                yield textwrap.fill(
                    f"{each.name}: {each.type}{default}", 78, initial_indent="  ", subsequent_indent="    "
                )
                yield textwrap.fill(each.about, 78, initial_indent="      ", subsequent_indent="      ")

    return "\n".join(lines())


def _exit_codes() -> str:
    from coordinator.errors import EXIT_CODES

    return "\n".join(
        textwrap.fill(each.when, 78, initial_indent=f"{each.code:>4}  ", subsequent_indent="      ")
        for each in EXIT_CODES
    )


def _environment() -> str:
    from coordinator.environment import SIDES, VARIABLES

    def lines() -> Iterator[str]:
        for side, title in SIDES.items():
            yield f"\n{title}:"
            for each in VARIABLES:
                if each.side == side:
                    yield f"  {each.name}"
                    yield textwrap.fill(each.about, 78, initial_indent="      ", subsequent_indent="      ")

    return "\n".join(lines())


TOPICS = {
    "experiments": Topic(_EXPERIMENTS, "docs/experiments.md"),
    "names": Topic(_NAMES, "docs/experiments.md"),
    "settings": Topic(_settings, "docs/settings.md"),
    "targets": Topic(_TARGETS, "docs/local_kaggle.md"),
    "sweeps": Topic(_SWEEPS, "docs/experiments.md#many-runs"),
    "chains": Topic(_CHAINS, "docs/experiments.md#what-another-run-left"),
    "competitions": Topic(_COMPETITIONS, "docs/competitions.md"),
    "data": Topic(_DATA, "docs/data.md"),
    "metrics": Topic(_METRICS, "docs/metrics.md"),
    "exit-codes": Topic(_exit_codes, "docs/reference.md"),
    "environment": Topic(_environment, "docs/reference.md"),
}


def text_of(name: str) -> str:
    """The text, and where there is more."""
    topic = TOPICS[name]
    text = topic.text if isinstance(topic.text, str) else topic.text()
    return f"{text.strip(chr(10))}\n\nMore: {topic.page}"
