"""The figures of a run that goes on, as its log reports them: what `logs --follow` shows below the log."""

from __future__ import annotations

from dataclasses import dataclass, replace

from coordinator.results import Event


@dataclass(frozen=True)
class Figure:
    """One metric in the epochs of a fold so far. Which direction is better is for the reader: events don't say."""

    last: float
    lowest: float
    lowest_in: int | float | None
    """The epoch of it."""
    highest: float
    highest_in: int | float | None


class Board:
    """Feed it a log's events in their order."""

    def __init__(self) -> None:
        self.place = ""
        """The last event's: `fold 0, epoch 3/8`."""
        self.figures: dict[str, Figure] = {}
        """By metric, the most telling first; of one fold (of one repeat) only."""
        self._fold = ""

    def feed(self, event: Event) -> bool:
        """Takes an epoch's figures in; returns whether it was one."""
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
