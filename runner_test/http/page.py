"""HTML pages, with everything escaped: the list of kernels, each kernel and each data set with its versions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from runner_test.state import Dataset, DatasetVersion, Kernel, SessionProgress, Version

_STYLE = "body{font:16px sans-serif;max-width:60em;margin:2em auto}td,th{padding:.2em 1em .2em 0;text-align:left}"


def front_page(kernels: Sequence[tuple[Kernel, Version, SessionProgress]]) -> str:
    """The HTML of the list of kernels, each with its newest version, in the given order."""
    rows = "\n".join(
        f'<tr><td><a href="/code/{escape(str(kernel.reference))}">{escape(str(kernel.reference))}</a></td>'
        f"{_cells([kernel.title, *_state(version, progress)])}</tr>"
        for kernel, version, progress in kernels
    )
    body = (
        f"""<table><tr><th>Kernel</th><th>Title</th>{_HEADER}</tr>
{rows}
</table>"""
        if kernels
        else "<p>No kernels yet.</p>"
    )
    return _page("The local Kaggle", body)


def kernel_page(kernel: Kernel, versions: Sequence[tuple[Version, SessionProgress]], source: str) -> str:
    """The HTML of a kernel's page, with `versions` newest first."""
    rows = "\n".join(f"<tr>{_cells(_state(version, progress))}</tr>" for version, progress in versions)
    privacy = "private" if kernel.is_private else "public"
    body = f"""<p>{escape(str(kernel.reference))}, {privacy}, on <a href="/">the local Kaggle</a></p>
<table><tr>{_HEADER}</tr>
{rows}
</table>
<pre>{escape(source)}</pre>"""
    return _page(kernel.title, body)


def dataset_page(dataset: Dataset, versions: Sequence[DatasetVersion], files: Sequence[tuple[str, int]]) -> str:
    """The HTML of a data set's page, with `versions` newest first; `files` are names and sizes of the newest one's."""
    states = [(each, "ready" if each.is_ready else "being processed") for each in versions]
    rows = "\n".join(
        f"<tr>{_cells([str(each.number), state, _utc(each.created), each.notes])}</tr>" for each, state in states
    )
    listed = "\n".join(f"<tr>{_cells([name, f'{size:,}'])}</tr>" for name, size in files)
    privacy = "private" if dataset.is_private else "public"
    body = f"""<p>{escape(str(dataset.reference))}, {privacy}, on <a href="/">the local Kaggle</a></p>
<p>{escape(dataset.description or dataset.subtitle)}</p>
<table><tr><th>Version</th><th>State</th><th>Made (UTC)</th><th>Notes</th></tr>
{rows}
</table>
<table><tr><th>File</th><th>Bytes</th></tr>
{listed}
</table>"""
    return _page(dataset.title, body)


def _page(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style></head>
<body><h1>{escape(title)}</h1>
{body}</body></html>
"""


_HEADER = "<th>Version</th><th>State</th><th>Saved (UTC)</th><th>Seconds</th><th></th>"


def _state(version: Version, progress: SessionProgress) -> list[str]:
    """The texts of the columns of `_HEADER`."""
    saved = _utc(version.created)
    ran = progress.started is not None and progress.ended is not None
    seconds = f"{(progress.ended or 0) - (progress.started or 0):.1f}" if ran else ""
    return [str(version.number), progress.state.value, saved, seconds, progress.failure or ""]


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _cells(texts: Sequence[str]) -> str:
    return "".join(f"<td>{escape(text)}</td>" for text in texts)
