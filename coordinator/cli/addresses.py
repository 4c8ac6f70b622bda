"""Shows where a run that was pushed can be seen: its page on the target, or the project's own live page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coordinator.cli.terminal import say, show_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordinator.ledger import Run
    from coordinator.project import Project


class PushedRuns:
    """Shows runs as they are pushed; a run without an address is named, and once it is said how to see such runs."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._has_told = False

    def show(self, run: Run, *, named: bool = False) -> None:
        """Prints its address, with `named` behind its name."""
        from coordinator.live_page import address_of, listening

        address = address_of(run, None if run.url else listening(self._project))
        show_text(f"{run.label}  {address}" if named and address else address or run.label)
        if not address and not self._has_told:
            say("coord ui shows it in a browser, live")
            self._has_told = True


def with_addresses(project: Project, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The JSON of runs with the addresses that the live page has for them, if it is open."""
    from coordinator.live_page import addressed, listening

    page = listening(project) if any(not item["url"] for item in items) else None
    return [addressed(item, page) for item in items]
