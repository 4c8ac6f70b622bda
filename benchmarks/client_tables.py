"""Prints the tables of docs/reliability.md about the client of Kaggle: python -m benchmarks.client_tables.

They are made from the tables that the client itself uses; a test compares the document with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordinator.target.kaggle.error_table import ERROR_TABLE, ErrorRow
from coordinator.target.kaggle.policy import (
    ANY_OTHER,
    CONNECT_SECONDS,
    DOWNLOAD,
    METHODS,
    PIECE,
    READ_SECONDS,
    RECEIVED,
    RULES,
    UPLOAD,
    Limits,
)


def tables() -> Iterator[str]:
    """Yields each table as Markdown."""
    yield table(
        ("calls", "failures", "repeated", "waits (s), doubled each time, at random up to a half shorter", "reason"),
        (
            (
                ", ".join(sorted(rule.kinds)),
                ", ".join(sorted(rule.failures)),
                f"{rule.times} times",
                f"{rule.first_wait:g} to {rule.most_wait:g}",
                rule.because,
            )
            for rule in RULES
        ),
    )
    limits = {
        **METHODS,
        "a signed address, to its first byte": DOWNLOAD,
        "a file to a signed address": UPLOAD,
        "how much of a file has arrived there": RECEIVED,
        "a piece of a file to a signed address": PIECE,
        "any other": ANY_OTHER,
    }
    yield table(
        (
            "method",
            "is a",
            "connection (s)",
            "each piece of the answer (s)",
            "all tries (s)",
            "answer at most",
        ),
        ((f"`{name}`" if name in METHODS else name, *_limits(given)) for name, given in limits.items()),
    )
    yield table(
        ("calls", "failure", "HTTP", "words", "error", "exit code", "message", "checked"),
        (_error(row) for row in ERROR_TABLE),
    )


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """One table as Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _limits(given: Limits) -> tuple[str, ...]:
    answer = "any size, counted by `fetch-results`" if given is DOWNLOAD else f"{given.answer >> 20} MiB"
    return given.kind.value, f"{CONNECT_SECONDS:g}", f"{READ_SECONDS:g}", f"{given.deadline:g}", answer


def _error(row: ErrorRow) -> tuple[str, ...]:
    statuses = sorted(row.statuses)
    is_range = len(statuses) > 9
    return (
        "any" if len(row.kinds) > 3 else ", ".join(sorted(row.kinds)),
        ", ".join(sorted(row.failures)) or "any",
        f"{statuses[0]} to {statuses[-1]}" if is_range else ", ".join(map(str, statuses)) or "any",
        f"`{row.words}`" if row.words else "any",
        row.error.__name__,
        str(row.error.exit_code),
        row.what.format_map(_Placeholders()),
        row.seen,
    )


class _Placeholders(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return {"target": "kaggle", "detail": "", "status": "N"}.get(key, f"ITS {key.upper()}")


if __name__ == "__main__":
    print("\n\n".join(tables()))
