"""Reads what a report shows of each run from the ledger and the results folder. All of it is untrusted text."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from coordinator.comparison import sd_of
from coordinator.ledger import Remark, Run, texts
from coordinator.project import Project, Recorded, leaves
from coordinator.results import Ablated, Baseline, Bottlenecks, Event, Metric, folder_of, oof, read_events
from coordinator.runs import fetch
from coordinator.text import clean

_PICTURE_BYTES = 400_000  # a picture that is larger stays out
_PAGE_PICTURES = 120
_PAGE_PICTURE_BYTES = 2_500_000  # of all of them, as text
_PNG = b"\x89PNG\r\n\x1a\n"
_MESSAGES = 12  # the last messages of a run that are shown

Curve = list[tuple[float, float]]


@dataclass(frozen=True)
class Score:
    """The scores of a run's submission, or of a submission that is paired with its CV."""

    public: float | None = None
    private: float | None = None
    of: str = ""
    """The run that was submitted, if it is another one: it read this one's output."""


@dataclass(frozen=True)
class Picture:
    """One of the worst cases, with its row of oof.csv."""

    uri: str
    image: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Item:
    """One run as the page shows it."""

    run: Run
    anchor: str
    tables: tuple[Metric, ...]
    primary: Metric | None
    value: float | None
    score: Score
    curves: dict[str, dict[str, Curve]]
    """Metric -> fold (or seed and fold) -> points of (epoch, value)."""
    messages: tuple[str, ...]
    bottlenecks: Bottlenecks | None
    ablation: tuple[Ablated, ...]
    choice_note: str
    """What the run says about scores with a chosen rule; empty if it says nothing."""
    baselines: tuple[Baseline, ...]
    """In the primary metric."""
    pictures: tuple[Picture, ...]
    pictures_left_out: int
    facts: tuple[tuple[str, str], ...]
    """Provenance, as (what, value)."""
    config: tuple[tuple[str, str], ...]
    """Dotted path and value of every setting."""
    warnings: tuple[str, ...]
    parts: tuple[Run, ...] = ()
    """The runs that it continues, the first one first, or those of the folds that it was merged of."""
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return self.run.label

    @property
    def made_of(self) -> str:
        """The parts, in words: `continues local-v1`."""
        if not self.parts:
            return ""
        if self.run.is_merged:
            return f"merged from {len(self.parts)} folds"
        return f"continues {', '.join(f'{part.target}-v{part.version}' for part in reversed(self.parts))}"

    @property
    def seconds(self) -> float | None:
        return self.run.reported.seconds


@dataclass(frozen=True)
class About:
    """What is known of runs besides their results."""

    scores: Mapping[str, Score] = field(default_factory=dict)
    """By run id."""
    parts: Mapping[str, Sequence[Run]] = field(default_factory=dict)
    """By run id, the runs that this one is made of, in their order: its curves are theirs, too."""
    remarks: Sequence[Remark] = ()
    """The ledger's notes and tags."""
    logged: Mapping[str, Sequence[Event]] = field(default_factory=dict)
    """By run id, what its log reported so far, for runs whose results are not here."""
    is_live: bool = False
    """Whether each run has an address of its own, /runs/ID."""


def gather(project: Project, runs: Iterable[Run], about: About, *, pictures: int) -> list[Item]:
    """The items of these runs, in their order, each with at most so many pictures.

    The page as a whole has at most `_PAGE_PICTURES`, and of these at most `_PAGE_PICTURE_BYTES`.
    """
    items: list[Item] = []
    left, room = _PAGE_PICTURES, _PAGE_PICTURE_BYTES
    for number, run in enumerate(runs):
        items.append(_item(project, run, number, about, (min(pictures, left), room)))
        left -= len(items[-1].pictures)
        room -= sum(len(each.uri) for each in items[-1].pictures)
    return items


@dataclass(frozen=True)
class Elsewhere:
    """The recorded values of one experiment in one metric."""

    experiment: str
    metric: str
    mode: str
    values: tuple[float, ...]
    notes: tuple[str, ...]

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def sd(self) -> float | None:
        return sd_of(self.values) if len(self.values) > 1 else None


def elsewhere(recorded: Mapping[str, Sequence[Recorded]]) -> list[Elsewhere]:
    """The recorded values, grouped by experiment and metric."""
    grouped: dict[tuple[str, str, str], list[Recorded]] = {}
    for name, figures in recorded.items():
        for figure in figures:
            grouped.setdefault((name, figure.metric, figure.mode), []).append(figure)
    return [
        Elsewhere(*key, tuple(each.value for each in found), tuple(each.note for each in found if each.note))
        for key, found in grouped.items()
    ]


def directory_of(project: Project, run: Run) -> Path | None:
    """The folder with this run's results; None if there is none, or if it is of another run of that version."""
    if run.version is None:
        return None
    return folder_of(project.results(run.experiment, run.target, run.version), run.id)


def _item(project: Project, run: Run, number: int, about: About, most: tuple[int, int]) -> Item:
    summary, directory = run.reported, directory_of(project, run)
    parts = tuple(about.parts.get(run.id, ()))
    reported = _events(directory) or about.logged.get(run.id, ())
    before = [event for each in parts for event in _events(directory_of(project, each))]
    pictures, left_out = _pictures(directory, *most) if directory else ((), 0)
    return Item(
        run=run,
        anchor=f"/runs/{run.id}" if about.is_live else f"run-{number}",
        tables=tuple(summary.primary_first),
        primary=summary.metric(summary.primary_name),
        value=summary.primary_value,
        score=about.scores.get(run.id, Score()),
        curves=_curves([*before, *reported]),
        messages=tuple(str(event) for event in reported if event.kind == "message")[-_MESSAGES:],
        bottlenecks=summary.bottlenecks,
        ablation=summary.ablation,
        choice_note=summary.choice.note if summary.choice else "",
        baselines=summary.baselines_in(summary.primary_name),
        pictures=pictures,
        pictures_left_out=left_out,
        facts=_facts(run),
        config=tuple((path, _text(value)) for path, value in leaves(run.config)),
        warnings=_warnings(project, run, directory),
        parts=parts,
        tags=tuple(texts(about.remarks, run, "tag")),
        notes=tuple(texts(about.remarks, run, "note")),
    )


def _events(directory: Path | None) -> list[Event]:
    try:
        return [event for event in read_events(directory / "metrics.jsonl") if event] if directory else []
    except OSError:
        return []


def _curves(reported: Sequence[Event]) -> dict[str, dict[str, Curve]]:
    """By metric and fold, in the order of the epochs; if an epoch was run twice, the later one counts."""
    curves: dict[str, dict[str, dict[float, float]]] = {}
    for event in reported:
        if event.kind != "epoch" or event.epoch is None:
            continue
        line = event.repeat_and_fold or "all"
        for name, value in event.figures.items():
            curves.setdefault(name, {}).setdefault(line, {})[float(event.epoch)] = value
    return {
        name: {line: sorted(at.items()) for line, at in curves[name].items()}
        for name in sorted(curves, key=lambda name: name.startswith("train/"))
    }


def _pictures(directory: Path, most: int, room: int) -> tuple[tuple[Picture, ...], int]:
    files = sorted(path for path in (directory / "worst").glob("*.png") if path.is_file())
    rows = _rows(directory / "oof.csv") if files else {}
    found: list[Picture] = []
    for file in files:
        if len(found) == most:
            break
        data = file.read_bytes() if file.stat().st_size <= _PICTURE_BYTES else b""
        if not data.startswith(_PNG) or len(data) * 4 / 3 > room:
            continue
        image = clean(file.stem.partition("-")[2] or file.stem)
        uri = "data:image/png;base64," + base64.b64encode(data).decode("ascii")
        found.append(Picture(uri, image, rows.get(image, ())))
        room -= len(uri)
    return tuple(found), len(files) - len(found)


def _rows(file: Path) -> dict[str, tuple[tuple[str, str], ...]]:
    """By image, the short values of its row; masks in run lengths are left out."""
    try:
        if file.stat().st_size > oof.OOF_MAX:
            return {}
        with file.open(encoding="utf-8", errors="replace", newline="") as lines:
            reader = csv.reader(lines)
            header = next(reader, [])
            return {
                row[0]: tuple(
                    (name, value) for name, value in zip(header[1:], row[1:], strict=False) if len(value) < 16
                )
                for row in reader
                if row
            }
    except (OSError, csv.Error):
        return {}


def _facts(run: Run) -> tuple[tuple[str, str], ...]:
    facts = [
        ("run id", run.id),
        ("kernel", f"{run.owner}/{run.slug}" + (f", version {run.version}" if run.has_kernel else "")),
        ("digest", run.digest),
        ("git", run.git or "not known"),
        ("overrides", " ".join(run.overrides)),
        ("reads", ", ".join(map(str, run.named_reads))),
        ("pushed", run.pushed_at or ""),
        ("started", run.started_at or ""),
        ("ended", run.ended_at or ""),
        ("fetched", run.fetched_at or ""),
    ]
    facts.append(("devices", ", ".join(run.reported.devices)))
    facts += [(name, version or "") for name, version in run.reported.versions.items()]
    facts += [(f"seconds: {stage}", str(seconds)) for stage, seconds in run.reported.stages.items()]
    facts += [(f"count: {name}", count) for name, count in run.reported.counts.items()]
    return tuple((clean(name), clean(value)) for name, value in facts if value)


def _warnings(project: Project, run: Run, directory: Path | None) -> tuple[str, ...]:
    # The message of a merged run is no warning.
    found = [clean(run.message)] if run.message and not run.is_merged else []
    error = run.reported.error
    if error and error.message != clean(run.message):
        found.append(error.traceback or error.line)
    if run.reported.digest not in ("", run.digest):
        found.append("The file that ran is not the one that was pushed: their digests differ.")
    if directory is None and not run.state.is_active:
        version = f" --version {run.version}" if run.has_kernel else ""
        found.append(f"Its results are not here: coord fetch-results --exp {run.experiment}{version}")
    elif directory is not None and (gone := fetch.lacking(project, run)):
        found.append(f"Not here any more: {', '.join(gone[:_MESSAGES])}. coord fetch-results --all brings them again.")
    return tuple(found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
