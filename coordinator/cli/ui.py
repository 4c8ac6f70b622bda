"""The command that serves the live page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import command, this_project
from coordinator.cli.terminal import say, show_text

if TYPE_CHECKING:
    from coordinator.live_page import LivePage

app = App()


@app.command()
@command
def ui(
    port: Annotated[
        int | None,
        typer.Option("--port", help="Port on this machine; else 7799, or a free one.", min=0, max=65535),
    ] = None,
    browser: Annotated[bool, typer.Option("--open/--no-browser", help="Open it in a browser.")] = True,
) -> None:
    """Serve the live page: all runs, as they are now.

    State, curves, logs, leaderboard, comparisons, sweeps, worst cases. It only shows; Ctrl-C ends it.
    """
    from coordinator.ui import serve

    def started(page: LivePage) -> None:
        show_text(page.url)
        say("The live page of this project; Ctrl-C ends it, and nothing else.")
        if browser:
            _open(page.url)

    other = serve(this_project(), port, started)
    if other is not None:
        show_text(other.url)
        say(f"It is open already: process {other.pid} serves it.")
        if browser:
            _open(other.url)


def _open(url: str) -> None:
    """Opens the user's browser, if there is a screen for one: in a terminal-only session there is not."""
    import os
    import sys
    import webbrowser

    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        return
    webbrowser.open(url)
