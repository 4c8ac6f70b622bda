"""Permissions, version labels, pages of lists, and signed addresses: what the methods have in common."""

import re
import time
from urllib.parse import quote, urlencode

from runner_test.errors import BadName
from runner_test.http.rpc import Caller, Refusal
from runner_test.http.signing import Grant
from runner_test.state import Dataset, Kernel, Reference, Version, datasets
from runner_test.store import Store

PAGE_SIZE = 20  # where a request names none


def denied(permission: str) -> Refusal:
    """The refusal for a missing permission, in Kaggle's words."""
    return Refusal(403, f"Permission '{permission}' was denied")


def kernel(caller: Caller, user_name: str, slug: str) -> Kernel:
    """The kernel. Raises the same Refusal if it does not exist and if the caller may not see it, as Kaggle does."""
    try:
        found = caller.store.kernel(Reference.parse(f"{user_name}/{slug}"))
    except BadName:
        found = None
    if found is None or not may_see(caller, found):
        raise denied("kernels.get")
    return found


def may_see(caller: Caller, kernel: Kernel) -> bool:
    """Whether the kernel is public or the caller's own."""
    return not kernel.is_private or kernel.owner == caller.user


def dataset(caller: Caller, owner: str, slug: str) -> Dataset:
    """The data set. Raises the same Refusal if it does not exist and if the caller may not see it, as Kaggle does."""
    try:
        found = datasets.dataset(caller.store.root, Reference.parse(f"{owner}/{slug}"))
    except BadName:
        found = None
    if found is None or not may_read(caller, found):
        raise denied("datasets.get")
    return found


def own_dataset(caller: Caller, owner: str, slug: str) -> Dataset:
    """The data set, if the caller may change it. Raises Refusal."""
    found = dataset(caller, owner, slug)
    if found.owner != caller.user:
        raise denied("datasets.update")
    return found


def dataset_url(caller: Caller, reference: Reference) -> str:
    """The address of a data set's page."""
    return f"{caller.url}/datasets/{reference}"


def may_read(caller: Caller, dataset: Dataset) -> bool:
    """Whether the data set is public or the caller's own."""
    return not dataset.is_private or dataset.owner == caller.user


def version(caller: Caller, kernel: Kernel, label: str) -> Version:
    """The version with the label ("v3"), or the newest if `label` is empty. Raises Refusal.

    As on Kaggle, a number alone is no label (Kaggle/kaggle-cli, 2.2.5).
    """
    number = re.fullmatch(r"v([0-9]{1,9})", label, re.ASCII)
    if label and not number:
        raise Refusal(404 if label.isdecimal() else 400, f"{label!r} is not a version label such as 'v3'")
    if number:
        found = caller.store.version(kernel.reference, int(number[1]))
    else:
        found = caller.store.newest(kernel.reference)
    if found is None:
        raise Refusal(404, f"{kernel.reference} has no version {number[1] if number else 'at all'}")
    return found


_VERSIONS = 1_000_000  # more than a kernel will ever have


def session_id(kernel: Kernel, version: Version) -> int:
    """The id of a version's session."""
    return kernel.id * _VERSIONS + version.number


def session(caller: Caller, number: int) -> Version:
    """The caller's version whose session has that id. Raises Refusal."""
    kernel_id, version_number = divmod(number, _VERSIONS)
    for kernel in caller.store.kernels():
        if kernel.id == kernel_id and kernel.owner == caller.user:
            found = caller.store.version(kernel.reference, version_number)
            if found is not None:
                return found
    raise denied("kernelSessions.get")


def page_size(asked: int, most: int) -> int:
    """The size of a page: the requested size up to `most`, or the default."""
    return min(asked, most) if asked > 0 else PAGE_SIZE


def offset(token: str) -> int:
    """The index at which the page with that token begins. Raises Refusal."""
    if token and not re.fullmatch(r"[0-9]{1,9}", token, re.ASCII):
        raise Refusal(400, f"Bad page token {token!r}")
    return int(token or 0)


def next_token(end: int, total: int) -> str | None:
    """The token of the page that begins at index `end`, or None if there is none."""
    return str(end) if end < total else None


def signed_url(caller: Caller, place: str, name: str) -> str:
    """An address of one file that is valid for a limited time and needs no credentials."""
    grant = Grant(place, name, expires=int(time.time() + caller.url_lifetime))
    query = {"expires": grant.expires, "signature": grant.signature(caller.store.secret())}
    return f"{caller.url}/{place}/{quote(name)}?{urlencode(query)}"


def check_signature(store: Store, place: str, name: str, *, expires: str, signature: str) -> None:
    """Raise Refusal unless the address was signed for this file and has not expired."""
    if not re.fullmatch(r"[0-9]{1,12}", expires, re.ASCII):
        raise Refusal(403, "The address of this file is not signed")
    if not Grant(place, name, int(expires)).allows(store.secret(), signature, time.time()):
        raise Refusal(403, "The address of this file has expired or was changed: list the output again")
