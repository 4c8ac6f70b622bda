"""Which machine wrote into the ledger last: one folder that is synced between two has two ledgers, and no common lock.

coord's locks, and SQLite's, are those of one machine. What the other one pushed may be missing here, or a sync tool may
replace this file by the other one. That is said once for each change of the machine; nothing is refused, because a
folder may also have been moved.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path

from coordinator.ledger.ledger import Ledger, now

_MACHINE_ID = Path("/etc/machine-id")


@dataclass(frozen=True)
class Writer:
    """The machine that pushed or submitted last."""

    machine: str
    """A digest of its id, which is not to be told (see machine-id(5))."""
    host: str
    wrote_at: str


def this_machine() -> str:
    """A digest of this machine's id; empty if it has none, as in many containers: then it is not known."""
    try:
        found = _MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return hashlib.sha256(f"coord {found}".encode()).hexdigest()[:16] if found else ""


def other_writer(ledger: Ledger) -> Writer | None:
    """The machine that wrote last, if it was another one."""
    rows = ledger.statement("SELECT machine, host, wrote_at FROM last_writer", {})
    here = this_machine()
    found = [Writer(*map(str, row)) for row in rows]
    return found[0] if found and here and found[0].machine != here else None


def claim(ledger: Ledger) -> str:
    """Records that this machine writes; returns a warning, in one line, if another one did before, or ""."""
    other, here = other_writer(ledger), this_machine()
    if here:
        with ledger.transaction() as connection:
            connection.execute("DELETE FROM last_writer")
            connection.execute("INSERT INTO last_writer VALUES (?, ?, ?)", (here, platform.node(), now()))
    if other is None:
        return ""
    return (
        f"warning: {other.host} wrote last into this ledger, at {other.wrote_at}. Locks do not hold between machines: "
        "use one at a time, and wait until its files are synced; coord ledger check finds what is missing here"
    )
