"""The metrics of a run in progress, as its log reports them: `logs --follow` shows them below the log."""

from __future__ import annotations

from dataclasses import dataclass, replace

from coordinator.results import Event


@dataclass(frozen=True)
class Figure:
    """One metric in the epochs of a fold so far. Events do not have its direction, so it has both extremes."""

    last: float
    lowest: float
    lowest_in: int | float | None
    """The epoch with that value."""
    highest: float
    highest_in: int | float | None


class FoldMetrics:
    """The metrics of the current fold, from the events of a log."""

    def __init__(self) -> None:
        self.place = ""
        """Where the last event was: `fold 0, epoch 3/8`."""
        self.figures: dict[str, Figure] = {}
        """By metric, the most important first; of one fold (of one repeat) only."""
        self._fold = ""

    def feed(self, event: Event) -> bool:
        """Adds an event; returns whether it had the metrics of an epoch."""
        if event.kind != "epoch":
            return False
        if event.repeat_and_fold != self._fold:
            self._fold, self.figures = event.repeat_and_fold, {}
        self.place, epoch = event.place, event.epoch
        for name, value in event.figures.items():
            before = self.figures.get(name)
            now = Figure(value, value, epoch, value, epoch) if before is None else replace(before, last=value)
            if value < now.lowest:
                now = replace(now, lowest=value, lowest_in=epoch)
            if value > now.highest:
                now = replace(now, highest=value, highest_in=epoch)
            self.figures[name] = now
        return True
