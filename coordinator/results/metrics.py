"""What a run measured: its metrics over the folds, the primary metric, baselines, and repeats with several seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from coordinator.results.untrusted import mappings, number, text, whole


@dataclass(frozen=True)
class Primary:
    """The metric by which runs are compared."""

    name: str
    mode: str
    """The direction that is better, "max" or "min"; or another text, if the run reported one."""
    value: float | None
    """The value over all images."""

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Primary | None:
        """None without a name."""
        name = text(data.get("name"))
        return cls(name, text(data.get("mode")), number(data.get("value"))) if name else None


@dataclass(frozen=True)
class FoldValue:
    """A metric's value in one fold."""

    fold: str
    value: float | None
    images: int | None
    """The number of images that it was measured on."""


@dataclass(frozen=True)
class Metric:
    """A metric that was cross-validated, or measured on images that are in no fold."""

    name: str
    mode: str
    """See `Primary.mode`."""
    mean: float | None
    """The mean over the values of the folds."""
    sd: float | None
    """Their standard deviation (of the sample)."""
    images: int | None
    """The number of images that it was measured on."""
    _folds: Any = field(repr=False)
    """As the run reported them."""

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Metric:
        return cls(
            name=text(data.get("name")),
            mode=text(data.get("mode")),
            mean=number(data.get("mean")),
            sd=number(data.get("sd")),
            images=whole(data.get("n")),
            _folds=data.get("folds"),
        )

    @cached_property
    def folds(self) -> tuple[FoldValue, ...]:
        """Empty if it was measured on images that are in no fold."""
        return tuple(
            FoldValue(text(fold.get("fold")), number(fold.get("value")), whole(fold.get("n")))
            for fold in mappings(self._folds)
        )

    @property
    def by_fold(self) -> dict[str, float | None]:
        """Fold -> value."""
        return {each.fold: each.value for each in self.folds}


@dataclass(frozen=True)
class Baseline:
    """The score of a trivial prediction."""

    name: str
    metric: str
    value: float | None

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Baseline:
        return cls(text(data.get("name")), text(data.get("metric")), number(data.get("value")))


@dataclass(frozen=True)
class SeedValue:
    """A metric's value under one seed."""

    seed: int | None
    value: float


@dataclass(frozen=True)
class Repeats:
    """One metric in repeats of a run with several seeds."""

    metric: str
    mode: str
    """See `Primary.mode`."""
    values: tuple[SeedValue, ...]
    """Two or more."""
    mean: float | None
    sd: float | None
    """The standard deviation (of the sample)."""

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Repeats | None:
        """None with fewer than two values."""
        read = [(whole(each.get("seed")), number(each.get("value"))) for each in mappings(data.get("values"))]
        values = tuple(SeedValue(seed, value) for seed, value in read if value is not None)
        if len(values) < 2:
            return None
        return cls(
            text(data.get("metric")), text(data.get("mode")), values, number(data.get("mean")), number(data.get("sd"))
        )
