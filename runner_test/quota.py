"""The weekly quota of accelerator hours, counted from the sessions that are on disk."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kagglesdk.kernels.types.kernels_api_service import ApiGetAcceleratorQuotaStatisticsRequest

from runner_test import rules
from runner_test.rpc import Answer, Caller


def get_accelerator_quota_statistics(caller: Caller, request: ApiGetAcceleratorQuotaStatisticsRequest) -> Answer:
    """What this week's sessions with an accelerator have used, to the second."""
    del request  # it has no fields
    start, end = rules.quota_week(datetime.now(UTC))
    return {
        "quotaRefreshTime": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "gpuQuota": _quota(caller, rules.is_gpu, rules.GPU_QUOTA, start.timestamp()),
        "tpuQuota": _quota(caller, rules.is_tpu, rules.TPU_QUOTA, start.timestamp()),
    }


def _quota(caller: Caller, counts: Callable[[str], bool], allowed: int, since: float) -> dict[str, Any]:
    """Used by ended sessions and reserved by running ones.

    Not through ApiAcceleratorQuota: its writer drops a duration's days, so 30 hours would become 6.
    """
    used = reserved = 0.0
    has_ever_run = False
    store = caller.store
    mine = [kernel.reference for kernel in store.kernels() if kernel.owner == caller.user]
    saved = [store.version(reference, number) for reference in mine for number in store.numbers(reference)]
    for version in saved:
        if version is None or not counts(version.machine_shape):
            continue
        progress = store.progress(version)
        if progress.started is None:
            continue
        has_ever_run = True
        seconds = max(0.0, (progress.ended or time.time()) - max(progress.started, since))
        if progress.state.final:
            used += seconds
        else:
            reserved += seconds
    return {
        "timeUsed": f"{round(used)}s",
        "timeReserved": f"{round(reserved)}s",
        "totalTimeAllowed": f"{allowed}s",
        "minimumTimeAllowed": f"{allowed}s",
        "hasEverRun": has_ever_run,
    }
