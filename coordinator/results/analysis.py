"""What a run found out about its own figures: bottlenecks, settings that it compared, the rule that it chose."""

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
    """Over the score without that."""

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Stage:
        return cls(text(data.get("name")), number(data.get("value")), number(data.get("gain")))


@dataclass(frozen=True)
class ErrorShare:
    """What one kind of error takes from the score."""

    kind: str
    loss: float | None
    images: int | None
    """How many have such an error."""


@dataclass(frozen=True)
class Bottlenecks:
    """What the score would be if one stage of the model were perfect, and where it is lost."""

    metric: str
    baseline: float | None
    """The score as it is."""
    alone: tuple[Stage, ...]
    """With this stage alone replaced."""
    ladder: tuple[Stage, ...]
    """With this stage and all before it replaced."""
    losses: tuple[ErrorShare, ...]
    """They add up to what is missing from 1."""

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
    """What one value of a setting is worth, everything else as the run has it."""

    setting: str
    value: str
    is_used: bool
    """Whether the run predicts with it."""
    metric: str
    images: int | None
    as_set: float | None
    """The metric under the thresholds of the config,"""
    chosen: float | None
    """under the rule that was chosen out of fold,"""
    nested: float | None
    """and under rules chosen fold by fold."""

    @classmethod
    def parse(cls, data: dict[str, Any], used: Mapping[str, Any]) -> Ablated:
        """`used` are the settings that the run predicts with."""
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
        )


@dataclass(frozen=True)
class FoldRule:
    """A rule from a probability to a mask that was chosen on all folds but one."""

    fold: int | None
    """The one that it was not chosen on."""
    thresholds: Mapping[str, float]


@dataclass(frozen=True)
class RuleChoice:
    """The rule from a probability to a mask that was chosen out of fold."""

    thresholds: Mapping[str, float]
    chosen: float | None
    """The metric under it: too good, because it was chosen on the same images,"""
    nested: float | None
    """and what is not: under rules that were chosen on the other folds."""
    nested_rules: tuple[FoldRule, ...]

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
        )
