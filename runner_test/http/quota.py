"""The weekly quota of accelerator hours, counted from the sessions, and its check before a push."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kagglesdk.kernels.types.kernels_api_service import ApiGetAcceleratorQuotaStatisticsRequest

from runner_test.http.rpc import Answer, Caller
from runner_test.settings import Settings
from runner_test.state import rules


@dataclass(frozen=True)
class _Kind:
    """A kind of accelerator, which machine shapes have it, and its hours a week."""

    name: str
    counts: Callable[[str], bool]
    hours: Callable[[Settings], float]


_GPU = _Kind("GPU", rules.is_gpu, lambda settings: settings.gpu_quota_hours)
_TPU = _Kind("TPU", rules.is_tpu, lambda settings: settings.tpu_quota_hours)


@dataclass(frozen=True)
class _Spent:
    """Seconds of this week: used by ended sessions, reserved by running ones."""

    used: float
    reserved: float
    has_ever_run: bool


def get_accelerator_quota_statistics(caller: Caller, request: ApiGetAcceleratorQuotaStatisticsRequest) -> Answer:
    """The use of accelerators this week, in whole seconds."""
    del request  # it has no fields
    _, end = rules.quota_week(datetime.now(UTC))
    return {
        "quotaRefreshTime": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "gpuQuota": _statistics(caller, _GPU),
        "tpuQuota": _statistics(caller, _TPU),
    }


def problem(caller: Caller, shape: str) -> str | None:
    """Why no session may start on this machine shape this week, or None. Running sessions may go on, as on Kaggle.

    The wording is that of Kaggle's page (Kaggle/kaggle-benchmarks#79, March 2026).
    """
    for kind in (_GPU, _TPU):
        hours = kind.hours(caller.store.settings)
        if not kind.counts(shape):
            continue
        spent = _spent(caller, kind)
        if spent.used + spent.reserved >= hours * 3600:
            _, end = rules.quota_week(datetime.now(UTC))
            days = math.ceil((end.timestamp() - time.time()) / 86400)
            return (
                f"Accelerator Quota Exceeded: You've exceeded the number of hours allowed to use {kind.name}. "
                f"Your quota will reset to {hours:g} hours in {days} day{'s' * (days != 1)}."
            )
    return None


def _statistics(caller: Caller, kind: _Kind) -> dict[str, Any]:
    """The answer for one kind, not made with ApiAcceleratorQuota: it drops a duration's days, so 30 hours become 6."""
    spent = _spent(caller, kind)
    allowed = f"{round(kind.hours(caller.store.settings) * 3600)}s"
    return {
        "timeUsed": f"{round(spent.used)}s",
        "timeReserved": f"{round(spent.reserved)}s",
        "totalTimeAllowed": allowed,
        "minimumTimeAllowed": allowed,
        "hasEverRun": spent.has_ever_run,
    }


def _spent(caller: Caller, kind: _Kind) -> _Spent:
    start, _ = rules.quota_week(datetime.now(UTC))
    since, now = start.timestamp(), time.time()
    mine = [item for item in caller.store.usage() if item.owner == caller.user and kind.counts(item.machine_shape)]

    def seconds(*, ended: bool) -> float:
        chosen = (item for item in mine if (item.ended is not None) is ended)
        return sum(max(0.0, (item.ended or now) - max(item.started, since)) for item in chosen)

    return _Spent(seconds(ended=True), seconds(ended=False), bool(mine))
