"""A run's summary: metrics.json, parsed where it enters coord (a fetch, a dry run, a row of the ledger)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from coordinator.errors import TargetError
from coordinator.results.untrusted import (
    check_size,
    mapping,
    mappings,
    number,
    numbers,
    parse_json,
    seconds,
    text,
    texts,
    whole,
)
from coordinator.text import clean

if TYPE_CHECKING:  # imported where they are parsed: `coord status` and most other commands ask for none of them
    from coordinator.results.analysis import Ablated, Bottlenecks, RuleChoice
    from coordinator.results.course import Interruption, LoopProfile, ReportedError
    from coordinator.results.metrics import Baseline, Metric, Primary, Repeats

T = TypeVar("T")
_DECODER = json.JSONDecoder()


class Summary:
    """What a run reported about itself. Where it did not report something, texts are empty and other values None.

    Each part is parsed when it is first used, and then kept. Parsing all of them at once takes four times as long as
    reading the JSON, and most commands read every row of the ledger but use few summaries.
    """

    def __init__(self, data: object, cut_out: Sequence[str] = (), values: str = "") -> None:
        """Takes any JSON value; or the text of an object, names of parts that were cut out of it, and these as JSON.

        Both texts must be sound. That of the object is parsed when another part is asked for.
        """
        self._data = data
        self._names, self._values = cut_out, values
        self._parts: dict[str, Any] | None = None

    @classmethod
    def parse(cls, data: object) -> Summary:
        """Takes any JSON value. Neither this nor any part raises an error."""
        return cls(data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Summary) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Summary()"

    def to_json(self) -> Any:
        """The JSON that it was parsed from, with the parts that coord does not know."""
        if self._values and isinstance(self._data, str):
            self._data, self._values = json.loads(self._data), ""
        return self._data

    def forget(self) -> None:
        """Drops what was parsed of the texts that it was made of: it takes five times their memory, and can come again.

        Of thousands of runs, all that each is asked for is asked at one time.
        """
        if self._values:
            texts = {name: vars(self)[name] for name in ("_data", "_names", "_values")}
            vars(self).clear()
            vars(self).update(texts, _parts=None)

    def _value(self, name: str) -> Any:
        # Without the machinery of a cached property: thousands of summaries are asked for a few parts each.
        if self._parts is None:
            values = _DECODER.raw_decode(self._values)[0] if self._values else ()
            self._parts = dict(zip(self._names, values, strict=False))
        if name in self._parts:
            return self._parts[name]
        found = self.to_json()
        return found.get(name) if isinstance(found, dict) else None

    def _part(self, name: str, parse: Callable[[dict[str, Any]], T]) -> T | None:
        value = self._value(name)
        return parse(value) if isinstance(value, dict) else None

    @property
    def is_coords(self) -> bool:
        """Whether it has the form that coord defines (docs/metrics.md), and is not just some metrics.json."""
        return any(self._value(name) is not None for name in ("schema", "primary", "run_id"))

    @property
    def schema(self) -> int | None:
        return whole(self._value("schema"))

    @property
    def status(self) -> str:
        """One of "complete", "error", "incomplete" (ended by its own settings), "running" (was killed)."""
        if self._parts is None and self._values and self._names[0] == "status":  # as all runs are asked for it alone
            return text(_DECODER.raw_decode(self._values, 1)[0])
        return text(self._value("status"))

    @property
    def is_partial(self) -> bool:
        """Whether the run reports that it ended before it was finished."""
        return self.status not in ("", "complete")

    @property
    def error(self) -> ReportedError | None:
        from coordinator.results.course import ReportedError

        return ReportedError.parse(self._value("error"))

    @property
    def experiment(self) -> str:
        return text(self._value("experiment"))

    @property
    def run_id(self) -> str:
        return text(self._value("run_id"))

    @property
    def digest(self) -> str:
        """The digest of the kernel that ran."""
        return text(self._value("digest"))

    @property
    def started(self) -> str:
        """ISO 8601."""
        return text(self._value("started"))

    @property
    def seconds(self) -> float | None:
        """From the start of the program until it last wrote its summary."""
        return seconds(self._value("seconds"))

    @cached_property
    def primary(self) -> Primary | None:
        from coordinator.results.metrics import Primary

        return self._part("primary", Primary.parse)

    @property
    def primary_name(self) -> str | None:
        return self.primary.name if self.primary else None

    @property
    def primary_value(self) -> float | None:
        """That over all rows, or else the mean over the folds."""
        return self.value_of(self.primary_name)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """In the order of the file."""
        from coordinator.results.metrics import Metric

        return tuple(map(Metric.parse, mappings(self._value("metrics"))))

    @property
    def primary_first(self) -> list[Metric]:
        """The metrics in the order in which they are shown."""
        first = self.primary_name
        return sorted(self.metrics, key=lambda metric: metric.name != first)

    @property
    def modes(self) -> dict[str, str]:
        """Metric -> its direction, see `Primary.mode`; of metrics that have a value, the primary one first."""
        means = [each for each in mappings(self._value("metrics")) if number(each.get("mean")) is not None]
        found = {text(each.get("name")): text(each.get("mode")) for each in means}
        if (primary := self.primary) is None or (primary.value is None and primary.name not in found):
            return found
        return {primary.name: found.get(primary.name, primary.mode), **found}

    def metric(self, name: str | None) -> Metric | None:
        return next((metric for metric in self.metrics if metric.name == name), None)

    def value_of(self, metric: str | None) -> float | None:
        """The value of a metric: for the primary one that over all images, otherwise the mean over the folds."""
        primary = mapping(self._value("primary"))
        if metric and text(primary.get("name")) == metric and (value := number(primary.get("value"))) is not None:
            return value
        return number(self._reported(metric).get("mean"))

    def rows_of(self, metric: str) -> int | None:
        """The number of images that a metric was measured on."""
        return whole(self._reported(metric).get("n"))

    def _reported(self, metric: str | None) -> dict[str, Any]:
        """What it reports of a metric, empty if nothing; no `Metric`, as thousands are asked for a number each."""
        for each in mappings(self._value("metrics")):
            if text(each.get("name")) == metric:
                return each
        return {}

    @cached_property
    def baselines(self) -> tuple[Baseline, ...]:
        from coordinator.results.metrics import Baseline

        return tuple(map(Baseline.parse, mappings(self._value("baselines"))))

    def baselines_in(self, metric: str | None) -> tuple[Baseline, ...]:
        """The scores of trivial predictions in that metric."""
        return tuple(each for each in self.baselines if each.metric == metric)

    @property
    def repeats(self) -> Repeats | None:
        if self._value("repeats") is None:  # as in most runs
            return None
        from coordinator.results.metrics import Repeats

        return self._part("repeats", Repeats.parse)

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The thresholds that the run predicts with, by name."""
        return numbers(self._value("thresholds"))

    @cached_property
    def choice(self) -> RuleChoice | None:
        from coordinator.results.analysis import RuleChoice

        return self._part("choice", RuleChoice.parse)

    @cached_property
    def ablation(self) -> tuple[Ablated, ...]:
        from coordinator.results.analysis import Ablated

        used = mapping(self.config.get("predict"))
        return tuple(Ablated.parse(row, used) for row in mappings(self._value("ablation")))

    @cached_property
    def bottlenecks(self) -> Bottlenecks | None:
        from coordinator.results.analysis import Bottlenecks

        return self._part("oracle", Bottlenecks.parse)

    @cached_property
    def profile(self) -> LoopProfile | None:
        from coordinator.results.course import LoopProfile

        return self._part("profile", LoopProfile.parse)

    @property
    def stages(self) -> Mapping[str, float]:
        """Stage -> seconds."""
        return numbers(self._value("stages"))

    @property
    def versions(self) -> Mapping[str, str | None]:
        """Versions of Python, of libraries and of the image; None where there is none."""
        return {clean(name): text(value) or None for name, value in mapping(self._value("versions")).items()}

    @property
    def devices(self) -> tuple[str, ...]:
        return texts(self._value("devices"))

    @property
    def counts(self) -> Mapping[str, str]:
        """Numbers of images and the like, as text: each program decides what it counts and how it writes it."""
        found = {clean(name): text(value) for name, value in mapping(self._value("counts")).items()}
        return {name: value for name, value in found.items() if value}

    @property
    def config(self) -> Mapping[str, Any]:
        """The config as the program read it."""
        return mapping(self._value("config"))

    @cached_property
    def resumed(self) -> Interruption | None:
        from coordinator.results.course import Interruption

        return self._part("resumed", Interruption.parse)

    @cached_property
    def stopped(self) -> Interruption | None:
        from coordinator.results.course import Interruption

        return self._part("stopped", Interruption.parse)

    @property
    def merged(self) -> tuple[str, ...]:
        """The labels of the runs that it was merged from, one a fold. Their ids are `merged_ids`."""
        return texts(self._value("merged"))

    @property
    def merged_ids(self) -> tuple[str, ...]:
        return texts(self._value("merged_ids"))


def read_summary(file: Path) -> Summary | None:
    """The summary in metrics.json; None if there is no such file.

    Raises TargetError if it is no JSON object, or too large to be kept in the ledger.
    """
    if not file.is_file():
        return None
    try:
        with file.open("rb") as content:
            check_size(os.fstat(content.fileno()).st_size)
            found = parse_json(content.read().decode("utf-8"))
    except (ValueError, OSError) as error:
        raise TargetError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise TargetError(f"{file} is not a JSON object")
    return Summary.parse(found)
