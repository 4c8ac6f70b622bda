"""The weekly quota of accelerator hours, and the limit of sessions with a GPU at a time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from kagglesdk.kernels.types.kernels_api_service import (
    ApiDeleteKernelRequest,
)

from runner_test.state import Reference, Usage
from runner_test.state.usage import keep
from tests.runner_test.local import WAITS_FOR_GO, Local, eventually, fill
from tests.runner_test.serving import Serve


def test_quota(local: Local) -> None:
    """30 GPU hours are transferred correctly; a session with a GPU is counted in whole seconds, for its owner alone."""
    quota = local.api().get_accelerator_quota_statistics()
    assert quota.gpu_quota.total_time_allowed == timedelta(hours=30)
    assert quota.tpu_quota.total_time_allowed == timedelta(hours=20)
    assert quota.gpu_quota.time_used == timedelta(0)
    assert not quota.gpu_quota.has_ever_run
    now = datetime.now(UTC).replace(tzinfo=None)
    assert now < quota.quota_refresh_time <= now + timedelta(days=7)
    assert quota.quota_refresh_time.weekday() == 5
    local.run("on-gpu", "import time; time.sleep(1.2)", enable_gpu=True)
    local.run("on-cpu", "pass")
    quota = local.api().get_accelerator_quota_statistics()
    assert timedelta(seconds=1) <= quota.gpu_quota.time_used <= timedelta(seconds=10)
    assert quota.gpu_quota.has_ever_run
    assert quota.tpu_quota.time_used == timedelta(0)
    assert local.api("anna").get_accelerator_quota_statistics().gpu_quota.time_used == timedelta(0)


def test_the_quota_is_spent_by_running(serve: Serve) -> None:
    """Sessions on a GPU count, also running ones and those of deleted kernels; then a GPU is refused, but not a CPU."""
    local = serve(gpu_quota_hours=0.5 / 3600)
    assert not local.push("on-gpu", WAITS_FOR_GO, machine_shape="NvidiaTeslaT4").error
    local.pid("on-gpu")
    quota = local.api().get_accelerator_quota_statistics
    eventually(lambda: quota().gpu_quota.time_reserved.total_seconds(), "half a second is reserved")
    error = local.push("next-gpu", "pass", machine_shape="NvidiaTeslaP100").error
    assert "exceeded the number of hours allowed to use GPU. Your quota will reset to" in error
    assert not local.push("on-cpu", "pass").error
    assert not local.push("on-tpu", "pass", machine_shape="TpuV5E8").error
    local.go("on-gpu")
    local.reach("on-gpu", "COMPLETE")

    local.api().delete_kernel(fill(ApiDeleteKernelRequest(), user_name="me", kernel_slug="on-gpu"))
    assert "quota" in local.push("next-gpu", "pass", enable_gpu=True).error
    assert quota().gpu_quota.has_ever_run
    assert not local.push("hers-gpu", "pass", enable_gpu=True, user="anna").error


def test_the_quota_is_renewed(serve: Serve) -> None:
    """Sessions before this week's Saturday do not count."""
    local = serve(gpu_quota_hours=0.001)
    week = 7 * 86400
    old = time.time() - week
    keep(local.store.root, [Usage("1", "me", "NvidiaTeslaT4", old - 7200, old)])
    quota = local.api().get_accelerator_quota_statistics().gpu_quota
    assert (quota.time_used.total_seconds(), quota.has_ever_run) == (0, True)
    assert not local.push("on-gpu", "pass", enable_gpu=True).error
    keep(local.store.root, [Usage("2", "me", "NvidiaTeslaT4", time.time() - week, time.time())])
    assert local.push("on-gpu", "pass", enable_gpu=True).error


def test_a_push_beyond_the_session_limit(serve: Serve) -> None:
    """Refused in Kaggle's words while two sessions with a GPU have not ended; other users' sessions don't count."""
    local = serve()
    for name in ("on-cpu", "on-another-cpu", "on-gpu", "waits-for-gpu"):
        assert not local.push(name, WAITS_FOR_GO, enable_gpu="gpu" in name).error
    assert local.push("next-gpu", "pass", enable_gpu=True).error == "Maximum batch GPU session count of 2 reached."
    assert local.push(
        "on-gpu", "pass", machine_shape="NvidiaTeslaP100"
    ).error  # a new version of one of them is refused, too
    assert [kernel.slug for kernel in local.store.kernels() if local.store.numbers(kernel.reference) != [1]] == []
    assert local.store.kernel(Reference("me", "next-gpu")) is None
    assert not local.push("on-tpu", "pass", machine_shape="TpuV5E8").error
    assert not local.push("hers-gpu", "pass", enable_gpu=True, user="anna").error
    local.store.cancel(local.version("waits-for-gpu"))
    local.reach("waits-for-gpu", "CANCEL_ACKNOWLEDGED")
    assert local.push("next-gpu", "pass", enable_gpu=True).version_number == 1


def test_pushes_at_once_do_not_pass_the_session_limit(serve: Serve) -> None:
    """Of six pushes at the same time, three are accepted."""
    local = serve(gpu_sessions=3)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda n: local.push(f"on-gpu-{n}", WAITS_FOR_GO, enable_gpu=True), range(6)))
    assert (
        sorted(answer.error for answer in answers) == [""] * 3 + ["Maximum batch GPU session count of 3 reached."] * 3
    )


def test_without_a_session_limit_they_queue(serve: Serve) -> None:
    """With a limit of 0, the third is accepted and waits in the queue."""
    local = serve(gpu_sessions=0)
    for number in range(3):
        assert not local.push(f"on-gpu-{number}", WAITS_FOR_GO, enable_gpu=True).error
    local.pid("on-gpu-1")
    assert local.state("on-gpu-2") == "QUEUED"
