"""Who has the best public scores: made of the submissions each time it is asked for.

A user is a team of one. No competition ends here, so the private scores do not count.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runner_test.state.competitions import rules_of
from runner_test.state.submissions import Entry, entries, result_of


@dataclass(frozen=True)
class Team:
    """A user's place on the leaderboard."""

    number: int  # of its first submission, which no other team has
    user: str
    best: Entry
    score: float  # the best public one
    count: int  # scored submissions
    last: float  # when the newest of these was made, in seconds since 1970


def leaderboard(root: Path, slug: str) -> list[Team]:
    """The teams of a competition, the best first; of two with the same score the one that had it first."""
    scored = _scored(root, entries(root, slug))
    sign = _sign(root, slug)
    teams = []
    for user in dict.fromkeys(entry.user for entry, _ in scored):
        own = [(entry, score) for entry, score in scored if entry.user == user]
        best, score = min(own, key=lambda each: (sign * each[1], each[0].number))
        numbers = [entry.number for entry, _ in own]
        teams.append(Team(min(numbers), user, best, score, len(own), max(entry.created for entry, _ in own)))
    return sorted(teams, key=lambda team: (sign * team.score, team.best.number))


def scores_of_kernels(root: Path, slug: str | None = None) -> dict[str, float]:
    """The best public score of what each kernel has submitted, by owner/slug: to a competition, or to any."""
    best: dict[str, float] = {}
    for entry, score in _scored(root, entries(root, slug)):
        kernel, _, version = entry.kernel.rpartition("/")
        if version:
            better = min if _sign(root, entry.competition) > 0 else max
            best[kernel] = better(score, best.get(kernel, score))
    return best


def _scored(root: Path, found: Iterable[Entry]) -> list[tuple[Entry, float]]:
    results = [(entry, result_of(root, entry)) for entry in found]
    return [(entry, result.public) for entry, result in results if result.public is not None]


def _sign(root: Path, slug: str) -> int:
    """1 if the lower score is the better one in that competition, else -1."""
    rules = rules_of(root, slug)
    return 1 if rules is not None and rules.mode == "min" else -1
