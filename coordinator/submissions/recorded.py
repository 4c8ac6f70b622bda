"""Scores of submissions made elsewhere, which experiments' files record beside the CV."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any

from coordinator.project import Experiment, Project, Recorded, experiment_names, resolve_all
from coordinator.submissions.agreement import PARTS, Agreement, agreement

RECORDED = "recorded"
_LEADERBOARD = "leaderboard/"
"""What the metric of a recorded score begins with: leaderboard/public, leaderboard/private."""


@dataclasses.dataclass(frozen=True)
class RecordedScore:
    """An experiment's recorded scores, the newest of each part, and the mean of its recorded CV."""

    experiment: str
    metric: str
    """The recorded metric with the most values; empty if only scores are recorded."""
    mode: str
    cv: float | None
    n: int
    """Of how many recorded values `cv` is the mean."""
    public: float | None
    private: float | None
    score_mode: str
    note: str

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def to_row(self) -> dict[str, Any]:
        """As a row beside those of submissions: see `scores.Score.to_json`."""
        row = self.to_json() | {"target": RECORDED, "state": RECORDED, "message": self.note}
        return {name: value for name, value in row.items() if name not in ("n", "score_mode", "note")}


def recorded_scores(
    project: Project, experiment: str | None = None, *, say: Callable[[str], None]
) -> list[RecordedScore]:
    """Of all experiments, or of one, in the order of their names; it says which have problems and are left out."""
    names = experiment_names(project) if project.experiments.is_dir() else []
    found = resolve_all(project, [name for name in names if experiment in (None, name)])
    if found.errors:
        say(found.left_out)
    return [score for each in found.experiments if (score := _score(each)) is not None]


def recorded_agreements(found: Iterable[RecordedScore]) -> list[Agreement]:
    """How far the recorded CV ranks experiments as the recorded scores do, by metric."""
    groups: dict[tuple[str, str], list[RecordedScore]] = {}
    for each in found:
        if each.cv is not None:
            groups.setdefault((each.metric, each.mode), []).append(each)
    return [
        agreement(
            (RECORDED, "", metric, mode),
            part,
            [(each.cv, getattr(each, part)) for each in group],
            group[0].score_mode,
        )
        for (metric, mode), group in groups.items()
        for part in PARTS
    ]


def _score(experiment: Experiment) -> RecordedScore | None:
    parts = {part: _of(experiment.recorded, f"{_LEADERBOARD}{part}") for part in PARTS}
    scored = [figure for figures in parts.values() for figure in figures]
    if not scored:
        return None
    others = [figure.metric for figure in experiment.recorded if not figure.metric.startswith(_LEADERBOARD)]
    metric = max(dict.fromkeys(others), key=others.count) if others else ""
    values = _of(experiment.recorded, metric)
    return RecordedScore(
        experiment=experiment.name,
        metric=metric,
        mode=values[0].mode if values else "",
        cv=fmean(figure.value for figure in values) if values else None,
        n=len(values),
        public=parts["public"][-1].value if parts["public"] else None,
        private=parts["private"][-1].value if parts["private"] else None,
        score_mode=scored[0].mode,
        note="; ".join(figure.note for figure in scored if figure.note),
    )


def _of(figures: Sequence[Recorded], metric: str) -> list[Recorded]:
    return [figure for figure in figures if figure.metric == metric]
