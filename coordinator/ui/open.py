"""The verb ui: serves the live page, and says plainly what it needs."""

from __future__ import annotations

from collections.abc import Callable

from coordinator.errors import DependencyError
from coordinator.live_page import LivePage
from coordinator.project import Project


def open_page(project: Project, port: int | None, on_start: Callable[[LivePage], None]) -> LivePage | None:
    """See `server.serve`. Raises DependencyError without the extra, and what that does."""
    try:
        from coordinator.ui.server import serve
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("starlette", "uvicorn", "anyio"):
            raise
        raise DependencyError(
            f"the live page needs {error.name}, which is not installed", hint="Run: pip install 'coord[ui]'"
        ) from error
    return serve(project, port, on_start)
