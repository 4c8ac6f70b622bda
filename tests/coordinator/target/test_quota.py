"""The accelerators' quota: as the target tells it, as a table with bars, as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from coordinator.cli.tables import runs as tables
from coordinator.project.project import Project
from coordinator.target.protocol import AcceleratorQuota, Quota
from coordinator.target.quota import current_quota

HOUR = 3600.0


def _lines(quota: Quota) -> list[str]:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(tables.quota(quota))
    return capture.get().splitlines()


@pytest.mark.parametrize(
    ("used", "reserved", "bar", "left"),
    [
        (0.0, 0.0, "░" * 30, "30.0 h"),
        (15 * HOUR, 3 * HOUR, "█" * 15 + "▒" * 3 + "░" * 12, "12.0 h"),
        (1.0, 1.0, "█▒" + "░" * 28, "30.0 h"),
        (29.9 * HOUR, 12 * HOUR, "█" * 30, "0.0 h"),
        (40 * HOUR, 0.0, "█" * 30, "0.0 h"),
    ],
)
def test_a_bar_has_all_of_the_quota(used: float, reserved: float, bar: str, left: str) -> None:
    """Used, reserved and left in 30 characters; the row fits 80 columns, and more than all is no longer a bar."""
    refreshes_at = datetime.now(UTC) + timedelta(days=2, hours=1)
    quota = Quota((AcceleratorQuota("gpu", used, reserved, 30 * HOUR),), refreshes_at)
    lines = _lines(quota)
    assert all(len(line) <= 80 for line in lines)
    (row,) = (line for line in lines if "GPU" in line)
    assert bar in row
    assert row.split()[-4:] == [*left.split(), "30.0", "h"]
    assert f"new in 2d, on {refreshes_at:%A}" in lines[-1]


def test_no_quota_at_all_is_no_division_by_it() -> None:
    """An account without TPU hours, and a target that does not say when they come back."""
    assert "TPU" in "".join(_lines(Quota((AcceleratorQuota("tpu", 0.0, 0.0, 0.0),), None)))


def test_the_local_kaggles_quota(tiny: Project) -> None:
    """Nothing has run yet; it comes back on a Saturday."""
    found = current_quota(tiny, "local")
    assert [(each.kind, each.used, each.left, each.total) for each in found.accelerators] == [
        ("gpu", 0.0, 30 * HOUR, 30 * HOUR),
        ("tpu", 0.0, 20 * HOUR, 20 * HOUR),
    ]
    assert found.refreshes_at is not None
    assert (found.refreshes_at.weekday(), found.refreshes_at > datetime.now(UTC)) == (5, True)
    assert found.to_json()["gpu"]["left_seconds"] == 30 * HOUR
