"""What a run measured: its metrics over the folds, the primary one, what a trivial prediction scores, repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coordinator.results.untrusted import mappings, number, text, whole


@dataclass(frozen=True)
class Primary:
    """The metric that the run is judged by."""

    name: str
    mode: str
    """"max" or "min": the direction that is better. Whatever the run reported, if it was something else."""
    value: float | None
    """Over all images."""

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
    """How many it was measured on."""


@dataclass(frozen=True)
class Metric:
    """A cross-validated metric, or one that was measured apart from the folds."""

    name: str
    mode: str
    """As `Primary.mode`."""
    folds: tuple[FoldValue, ...]
    """Empty if it was measured apart from the folds."""
    mean: float | None
    """Over the values of the folds, as `sd`, which is that of the sample."""
    sd: float | None
    images: int | None
    """How many it was measured on."""

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Metric:
        return cls(
            name=text(data.get("name")),
            mode=text(data.get("mode")),
            folds=tuple(
                FoldValue(text(fold.get("fold")), number(fold.get("value")), whole(fold.get("n")))
                for fold in mappings(data.get("folds"))
            ),
            mean=number(data.get("mean")),
            sd=number(data.get("sd")),
            images=whole(data.get("n")),
        )

    @property
    def by_fold(self) -> dict[str, float | None]:
        """Fold -> value."""
        return {each.fold: each.value for each in self.folds}


@dataclass(frozen=True)
class Baseline:
    """What a trivial prediction scores."""

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
    """One metric over repeats with at least two seeds."""

    metric: str
    mode: str
    """As `Primary.mode`."""
    values: tuple[SeedValue, ...]
    """At least two."""
    mean: float | None
    sd: float | None
    """Of the sample."""

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
