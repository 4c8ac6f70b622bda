"""A run's summary: metrics.json, parsed once where it enters coord."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from coordinator.errors import TargetError
from coordinator.results.untrusted import mapping, mappings, number, numbers, parse_json, text, texts, whole
from coordinator.text import clean

if TYPE_CHECKING:  # imported where they are parsed: `coord status` and most other commands ask for none of them
    from coordinator.results.analysis import Ablated, Bottlenecks, RuleChoice
    from coordinator.results.course import Interruption, LoopProfile, ReportedError
    from coordinator.results.metrics import Baseline, Metric, Primary, Repeats

T = TypeVar("T")


@dataclass(frozen=True)
class Summary:
    """What a run reported of itself. Texts are empty, numbers None and parts missing where it did not report them.

    A part is parsed when it is first asked for, and then kept: a ledger is read with thousands of summaries, of most of
    which nothing is asked.
    """

    _json: Any = field(repr=False)

    @classmethod
    def parse(cls, data: object) -> Summary:
        """Takes any JSON value. No part raises anything."""
        return cls(data)

    def to_json(self) -> Any:
        """What it was parsed from, with all that coord does not know."""
        return self._json

    def _value(self, name: str) -> Any:
        return self._json.get(name) if isinstance(self._json, dict) else None

    def _part(self, name: str, parse: Callable[[dict[str, Any]], T]) -> T | None:
        value = self._value(name)
        return parse(value) if isinstance(value, dict) else None

    @property
    def schema(self) -> int | None:
        return whole(self._value("schema"))

    @property
    def status(self) -> str:
        """ "complete", "error", "incomplete" if it ended by its own settings, "running" if it was killed."""
        return text(self._value("status"))

    @property
    def is_partial(self) -> bool:
        """Whether the run ended before it was finished, by its own account."""
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
        """Of the kernel that ran."""
        return text(self._value("digest"))

    @property
    def started(self) -> str:
        """ISO 8601."""
        return text(self._value("started"))

    @property
    def seconds(self) -> float | None:
        """From its start to the last time that it wrote its summary."""
        return number(self._value("seconds"))

    @cached_property
    def primary(self) -> Primary | None:
        from coordinator.results.metrics import Primary

        return self._part("primary", Primary.parse)

    @property
    def primary_name(self) -> str | None:
        return self.primary.name if self.primary else None

    @property
    def primary_value(self) -> float | None:
        return self.primary.value if self.primary else None

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """In the order of the file."""
        from coordinator.results.metrics import Metric

        return tuple(map(Metric.parse, mappings(self._value("metrics"))))

    @property
    def primary_first(self) -> list[Metric]:
        """The metrics as they are shown."""
        return sorted(self.metrics, key=lambda metric: metric.name != self.primary_name)

    def metric(self, name: str | None) -> Metric | None:
        return next((metric for metric in self.metrics if metric.name == name), None)

    def value_of(self, metric: str | None) -> float | None:
        """The value of a metric: over all images of the primary one, or else the mean over the folds."""
        if self.primary is not None and self.primary.name == metric and self.primary.value is not None:
            return self.primary.value
        found = self.metric(metric)
        return found.mean if found else None

    @cached_property
    def baselines(self) -> tuple[Baseline, ...]:
        from coordinator.results.metrics import Baseline

        return tuple(map(Baseline.parse, mappings(self._value("baselines"))))

    def baselines_in(self, metric: str | None) -> tuple[Baseline, ...]:
        """What trivial predictions score in that metric."""
        return tuple(each for each in self.baselines if each.metric == metric)

    @cached_property
    def repeats(self) -> Repeats | None:
        from coordinator.results.metrics import Repeats

        return self._part("repeats", Repeats.parse)

    @property
    def thresholds(self) -> Mapping[str, float]:
        """That it predicts with."""
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
        """Of Python, libraries and the image; None where there is none."""
        return {clean(name): text(value) or None for name, value in mapping(self._value("versions")).items()}

    @property
    def devices(self) -> tuple[str, ...]:
        return texts(self._value("devices"))

    @property
    def counts(self) -> Mapping[str, str]:
        """Of images and the like. As text: what a program counts, and how it writes it, is its own."""
        found = {clean(name): text(value) for name, value in mapping(self._value("counts")).items()}
        return {name: value for name, value in found.items() if value}

    @property
    def config(self) -> Mapping[str, Any]:
        """As the program read it."""
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
        """The labels of the runs of single folds that it was put together of; their ids are `merged_ids`."""
        return texts(self._value("merged"))

    @property
    def merged_ids(self) -> tuple[str, ...]:
        return texts(self._value("merged_ids"))


def read_summary(file: Path) -> Summary | None:
    """metrics.json, or None if the run left none. Raises TargetError if it is not what a program writes."""
    if not file.is_file():
        return None
    try:
        found = parse_json(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise TargetError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise TargetError(f"{file} is not a JSON object")
    return Summary.parse(found)
