"""A kernel's page for people: its versions, their states and the newest source. Plain HTML, everything escaped."""

from datetime import UTC, datetime
from html import escape

from runner_test.progress import Progress
from runner_test.version import Kernel, Version

_STYLE = "body{font:16px sans-serif;max-width:60em;margin:2em auto}td,th{padding:.2em 1em .2em 0;text-align:left}"


def kernel_page(kernel: Kernel, versions: list[tuple[Version, Progress]], source: str) -> str:
    """The page's HTML; `versions` newest first."""
    rows = "\n".join(_row(version, progress) for version, progress in versions)
    privacy = "private" if kernel.is_private else "public"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(kernel.title)}</title><style>{_STYLE}</style></head>
<body><h1>{escape(kernel.title)}</h1>
<p>{escape(str(kernel.reference))}, {privacy}, on the local Kaggle</p>
<table><tr><th>Version</th><th>State</th><th>Saved (UTC)</th><th>Seconds</th><th></th></tr>
{rows}
</table>
<pre>{escape(source)}</pre></body></html>
"""


def _row(version: Version, progress: Progress) -> str:
    saved = datetime.fromtimestamp(version.created, UTC).strftime("%Y-%m-%d %H:%M:%S")
    ran = progress.started is not None and progress.ended is not None
    seconds = f"{(progress.ended or 0) - (progress.started or 0):.1f}" if ran else ""
    cells = [str(version.number), progress.state.value, saved, seconds, progress.failure or ""]
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
