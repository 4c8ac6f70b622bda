"""Probes that make nothing: the account, its lists, and how calls are refused."""

from __future__ import annotations

from coordinator.maintenance.live_check.check import LiveCheck
from coordinator.maintenance.live_check.facts import Answer
from coordinator.maintenance.live_check.probe import Probe

_NOWHERE = "coord-live-check-no-such-thing"


def _unsigned(check: LiveCheck) -> Answer:
    reply = check.wire.call("kernels.KernelsApiService/ListKernels", {"group": "PROFILE"}, signed=False)
    return Answer(reply.refusal or "an answer", reply.code in (401, 403))


def _quota(check: LiveCheck) -> Answer:
    reply = check.kernels("GetAcceleratorQuotaStatistics")
    if reply.refusal:
        return Answer(reply.refusal, agrees=False)
    kinds = {name: sorted(value) for name, value in reply.data.items() if isinstance(value, dict)}
    quota = check.target.quota()
    total = {each.kind: f"{each.total / 3600:g} h" for each in quota.accelerators}
    fields = "; ".join(f"{name}: {', '.join(value)}" for name, value in sorted(kinds.items()))
    return Answer(f"{fields}; in all {total}", set(total) == {"gpu", "tpu"} and quota.refreshes_at is not None)


def _missing_kernel(check: LiveCheck) -> Answer:
    reply = check.kernels("GetKernel", userName=check.owner, kernelSlug=_NOWHERE)
    return Answer(reply.refusal or "an answer", reply.code in (403, 404))


def _missing_dataset(check: LiveCheck) -> Answer:
    reply = check.data_sets("GetDataset", ownerSlug=check.owner, datasetSlug=_NOWHERE)
    state = check.data_sets("GetDatasetStatus", ownerSlug=check.owner, datasetSlug=_NOWHERE)
    agrees = reply.code in (403, 404) and state.code in (403, 404)
    return Answer(
        f"GetDataset: {reply.refusal or 'an answer'}; GetDatasetStatus: {state.refusal or 'an answer'}", agrees
    )


def _unknown_method(check: LiveCheck) -> Answer:
    reply = check.kernels("NoSuchMethodOfLiveCheck")
    return Answer(reply.refusal or "an answer", reply.code in (404, 501))


def _pages(check: LiveCheck) -> Answer:
    found = []
    for size in (200, 201):
        reply = check.kernels("ListKernels", group="PROFILE", pageSize=size)
        found.append(reply.refusal or "taken")
    return Answer(f"pageSize 200: {found[0]}; 201: {found[1]}", found[0] == "taken")


PROBES = (
    Probe("a call without credentials", "401 or 403", "target/kaggle/error_table.py", _unsigned),
    Probe("the quota's answer", "GPU and TPU, each with its hours, and when they are renewed", "client.quota", _quota),
    Probe("a kernel that does not exist", "403 or 404", "target/kaggle/error_table.py", _missing_kernel),
    Probe("a data set that does not exist", "403 or 404", "target/kaggle/datasets.py", _missing_dataset),
    Probe("a method that does not exist", "404 or 501", "docs/local_kaggle.md", _unknown_method),
    Probe("the longest page of a list of kernels", "200 are taken", "docs/local_kaggle.md", _pages),
)
