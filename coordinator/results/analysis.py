"""A run's analysis of its own score: bottlenecks, the settings that it compared, the rule that it chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coordinator.results.untrusted import mapping, mappings, number, numbers, text, whole


@dataclass(frozen=True)
class Stage:
    """The score with a stage of the model replaced by the truth."""

    name: str
    value: float | None
    gain: float | None
    """How much higher the score is than without this replacement."""

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Stage:
        return cls(text(data.get("name")), number(data.get("value")), number(data.get("gain")))


@dataclass(frozen=True)
class ErrorShare:
    """How much of the score one kind of error costs."""

    kind: str
    loss: float | None
    images: int | None
    """The number of images with such an error."""


@dataclass(frozen=True)
class Bottlenecks:
    """What the score would be if one stage of the model were perfect, and which errors cost how much of it."""

    metric: str
    baseline: float | None
    """The score as it is."""
    alone: tuple[Stage, ...]
    """Each stage replaced alone."""
    ladder: tuple[Stage, ...]
    """Each stage replaced together with all before it."""
    losses: tuple[ErrorShare, ...]
    """Together they are the difference of the score from 1."""

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Bottlenecks:
        return cls(
            metric=text(data.get("metric")),
            baseline=number(data.get("baseline")),
            alone=tuple(map(Stage.parse, mappings(data.get("alone")))),
            ladder=tuple(map(Stage.parse, mappings(data.get("ladder")))),
            losses=tuple(
                ErrorShare(text(kind), number(part.get("loss")), whole(part.get("images")))
                for kind, part in mapping(data.get("split")).items()
                if isinstance(part, dict)
            ),
        )


@dataclass(frozen=True)
class Ablated:
    """The score with one value of a setting, all other settings as in the run's config."""

    setting: str
    value: str
    is_used: bool
    """Whether the run predicts with it."""
    metric: str
    images: int | None
    as_set: float | None
    """The score with the thresholds of the config."""
    chosen: float | None
    """The score with the rule that was chosen on the out-of-fold predictions of all folds."""
    nested: float | None
    """The score where the rule for each fold was chosen on the other folds."""
    difference: float | None = None
    """The mean over the images of `as_set` above that of what the run predicts with."""
    error: float | None = None
    """The standard error of `difference`, over the images."""

    @classmethod
    def parse(cls, data: dict[str, Any], used: Mapping[str, Any]) -> Ablated:
        """`used` has the settings that the run predicts with."""
        name, value = data.get("name"), data.get("value")
        return cls(
            setting=text(name),
            value=text(value),
            is_used=isinstance(name, str) and name in used and used[name] == value,
            metric=text(data.get("metric")),
            images=whole(data.get("images")),
            as_set=number(data.get("dice")),
            chosen=number(data.get("dice_chosen")),
            nested=number(data.get("dice_nested")),
            difference=number(data.get("difference")),
            error=number(data.get("difference_error")),
        )


@dataclass(frozen=True)
class FoldRule:
    """A rule that makes a mask of probabilities, chosen on all folds but one."""

    fold: int | None
    """The fold that it was not chosen on."""
    thresholds: Mapping[str, float]


@dataclass(frozen=True)
class RuleChoice:
    """The rule that makes a mask of probabilities, chosen on the out-of-fold predictions."""

    thresholds: Mapping[str, float]
    chosen: float | None
    """The score with it, which is too high: it was chosen on the same images."""
    nested: float | None
    """The score where the rule for each fold was chosen on the other folds: that choice does not raise it."""
    nested_rules: tuple[FoldRule, ...]
    note: str
    """What the run says about these scores; empty if it says nothing."""

    @classmethod
    def parse(cls, data: dict[str, Any]) -> RuleChoice:
        return cls(
            thresholds=numbers(data.get("rule")),
            chosen=number(data.get("dice_chosen")),
            nested=number(data.get("dice_nested")),
            nested_rules=tuple(
                FoldRule(whole(rule.get("fold")), numbers({name: rule[name] for name in rule if name != "fold"}))
                for rule in mappings(data.get("nested_rules"))
            ),
            note=text(data.get("note")),
        )
