"""What a report shows of each run, read from the ledger and its results folder. Everything in it is untrusted text."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from coordinator.ledger import MERGED, Remark, Run, texts
from coordinator.project import Project, Recorded, leaves
from coordinator.results import events, folder_of, summary as metrics

_PICTURE_BYTES = 400_000  # a picture that is larger stays out
_PAGE_PICTURES = 120  # some 10 MB
_PNG = b"\x89PNG\r\n\x1a\n"
_MESSAGES = 12  # of a run's own messages, the last ones

Curve = list[tuple[float, float]]


@dataclass(frozen=True)
class Score:
    """What the competition gave a run's submission."""

    public: float | None = None
    private: float | None = None


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
    tables: tuple[metrics.MetricTable, ...]
    primary: metrics.MetricTable | None
    value: float | None
    score: Score
    curves: dict[str, dict[str, Curve]]
    """Metric -> fold (or seed and fold) -> points of (epoch, value)."""
    messages: tuple[str, ...]
    bottlenecks: metrics.Bottlenecks | None
    ablation: tuple[metrics.Ablated, ...]
    baselines: tuple[tuple[str, float | None], ...]
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
        """What its parts are, in words."""
        if not self.parts:
            return ""
        if self.run.version == MERGED:
            return f"merged from {len(self.parts)} folds"
        return f"continues {', '.join(f'{part.target}-v{part.version}' for part in reversed(self.parts))}"

    @property
    def seconds(self) -> float | None:
        took = (self.run.summary or {}).get("seconds")
        return float(took) if isinstance(took, int | float) else None


def gather(
    project: Project,
    runs: Iterable[Run],
    scores: Mapping[str, Score],
    *,
    pictures: int,
    parts: Mapping[str, Sequence[Run]] | None = None,
    remarks: Sequence[Remark] = (),
) -> list[Item]:
    """The items of these runs, in their order; `scores` by run id, `pictures` is the most that one run shows.

    `parts` has, by run id, the runs that this one is made of, in their order: its curves are theirs, too. `remarks` are
    the ledger's notes and tags. The page as a whole shows at most `_PAGE_PICTURES`.
    """
    items: list[Item] = []
    left = _PAGE_PICTURES
    for number, run in enumerate(runs):
        made_of = tuple((parts or {}).get(run.id, ()))
        items.append(_item(project, run, number, scores, min(pictures, left), made_of, remarks))
        left -= len(items[-1].pictures)
    return items


@dataclass(frozen=True)
class Elsewhere:
    """What was measured elsewhere of one experiment in one metric."""

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
        return stdev(self.values) if len(self.values) > 1 else None


def elsewhere(recorded: Mapping[str, Sequence[Recorded]]) -> list[Elsewhere]:
    """A row for each experiment and metric."""
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


def _item(
    project: Project,
    run: Run,
    number: int,
    scores: Mapping[str, Score],
    most: int,
    parts: tuple[Run, ...],
    remarks: Sequence[Remark],
) -> Item:
    summary = run.summary or {}
    directory = directory_of(project, run)
    tables = tuple(metrics.metric_tables(summary))
    name = metrics.primary_name(summary)
    primary = next((table for table in tables if table.name == name), None)
    reported = _events(directory)
    before = [event for each in parts for event in _events(directory_of(project, each))]
    pictures, left_out = _pictures(directory, most) if directory else ((), 0)
    return Item(
        run=run,
        anchor=f"run-{number}",
        tables=tables,
        primary=primary,
        value=metrics.primary_value(summary),
        score=scores.get(run.id, Score()),
        curves=_curves([*before, *reported]),
        messages=tuple(events.describe(found) for found in reported if found["event"] == "message")[-_MESSAGES:],
        bottlenecks=metrics.bottlenecks(summary),
        ablation=tuple(metrics.ablation(summary)),
        baselines=tuple(metrics.baselines(summary, name)) if name else (),
        pictures=pictures,
        pictures_left_out=left_out,
        facts=_facts(run, summary),
        config=tuple((path, _text(value)) for path, value in leaves(run.config)),
        warnings=_warnings(run, summary, directory),
        parts=parts,
        tags=tuple(texts(remarks, run, "tag")),
        notes=tuple(texts(remarks, run, "note")),
    )


def _events(directory: Path | None) -> list[dict[str, Any]]:
    if directory is None:
        return []
    try:
        lines = (directory / "metrics.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = (events.event(events.EVENT_PREFIX + line) for line in lines)
    return [event for event in found if event is not None]


def _curves(reported: Sequence[dict[str, Any]]) -> dict[str, dict[str, Curve]]:
    """By metric and fold, in the order of the epochs; of an epoch that was run twice, the later one counts."""
    curves: dict[str, dict[str, dict[float, float]]] = {}
    for event in reported:
        epoch = event.get("epoch")
        if event["event"] != "epoch" or not isinstance(epoch, int | float):
            continue
        line = events.where({key: value for key, value in event.items() if key in ("seed", "fold")}) or "all"
        for name, value in events.figures(event).items():
            curves.setdefault(name, {}).setdefault(line, {})[float(epoch)] = value
    return {
        name: {line: sorted(at.items()) for line, at in curves[name].items()}
        for name in sorted(curves, key=lambda name: name.startswith("train/"))
    }


def _pictures(directory: Path, most: int) -> tuple[tuple[Picture, ...], int]:
    files = sorted((directory / "worst").glob("*.png"))
    rows = _rows(directory / "oof.csv") if files else {}
    found: list[Picture] = []
    for file in files:
        if len(found) == most:
            break
        data = file.read_bytes() if file.stat().st_size <= _PICTURE_BYTES else b""
        if not data.startswith(_PNG):
            continue
        image = metrics.clean(file.stem.partition("-")[2] or file.stem)
        uri = "data:image/png;base64," + base64.b64encode(data).decode("ascii")
        found.append(Picture(uri, image, rows.get(image, ())))
    return tuple(found), len(files) - len(found)


def _rows(file: Path) -> dict[str, tuple[tuple[str, str], ...]]:
    """By image, the short values of its row: a mask in run lengths is none."""
    try:
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


def _facts(run: Run, summary: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    facts = [
        ("run id", run.id),
        ("kernel", f"{run.owner}/{run.slug}" + (f", version {run.version}" if run.version else "")),
        ("digest", run.digest),
        ("git", run.git or "not known"),
        ("overrides", " ".join(run.overrides)),
        ("pushed", run.pushed_at or ""),
        ("started", run.started_at or ""),
        ("ended", run.ended_at or ""),
        ("fetched", run.fetched_at or ""),
    ]
    devices = summary.get("devices")
    if isinstance(devices, list):
        facts.append(("devices", ", ".join(map(_text, devices))))
    for name, title in (("versions", ""), ("stages", "seconds: "), ("counts", "count: ")):
        section = summary.get(name)
        if isinstance(section, dict):
            facts += [(f"{title}{key}", _text(value)) for key, value in section.items() if value is not None]
    return tuple((metrics.clean(name), metrics.clean(value)) for name, value in facts if value)


def _warnings(run: Run, summary: Mapping[str, Any], directory: Path | None) -> tuple[str, ...]:
    # A merged run's message says what it is, not what went wrong.
    found = [metrics.clean(run.message)] if run.message and run.version != MERGED else []
    error = summary.get("error")
    if error and error != run.message:
        found.append(metrics.clean(_text(error)))
    if summary and summary.get("digest") not in (None, run.digest):
        found.append("The file that ran is not the one that was pushed: their digests differ.")
    if directory is None:
        found.append(f"Its results are not here: coord fetch-results --exp {run.experiment}")
    return tuple(found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
