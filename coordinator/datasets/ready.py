"""Whether a version that was sent has arrived, and whether sessions get it yet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from coordinator.errors import Later, NoAnswer, TargetError
from coordinator.files import held
from coordinator.ledger import (
    DatasetVersion,
    Unanswered,
    dataset_versions,
    give_up_dataset_version,
    now,
    stamped_dataset,
    update_dataset_version,
)
from coordinator.target import Dataset, DatasetState
from coordinator.workspace import Workspace

_WAITS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0)
"""Seconds between two questions; the last one is repeated."""
_SAY_EVERY = 60.0  # seconds
_PATIENCE = 2 * 3600.0  # seconds that are waited for one version
_SILENT_AT_MOST = 3
"""Questions in a row that get no answer (each is retried by the client)."""


def stamps_of(there: Dataset) -> dict[int, tuple[str, str]]:
    """(digest, id) by number, of each version that says it: in its notes, or of the first in the description."""
    found = {each.number: stamp for each in there.versions if (stamp := stamped_dataset(each.notes))}
    first = stamped_dataset(there.description)
    return {**({1: first} if first else {}), **found}


def stamped_newest(workspace: Workspace, there: Dataset) -> DatasetVersion | None:
    """The newest version as a row for the ledger, if coord pushed it, from here or elsewhere."""
    stamp = stamps_of(there).get(there.newest)
    if stamp is None:
        return None
    digest, number = stamp
    return DatasetVersion(
        id=number,
        target=workspace.target.name,
        reference=there.reference,
        digest=digest,
        files=0,
        size=there.size,
        state=DatasetState.PROCESSING,
        created_at=workspace.ledger.moment(),
        version=there.newest,
        before=there.newest - 1,
    )


def unknown_version(workspace: Workspace, reference: str) -> DatasetVersion | None:
    """The newest version of a data set, if coord pushed it and the ledger does not have it."""
    there = workspace.datasets.dataset(reference)
    found = None if there is None else stamped_newest(workspace, there)
    if found is None:
        return None
    known = {each.id for each in dataset_versions(workspace.ledger, target=found.target, reference=reference)}
    return None if found.id in known else found


def unanswered(workspace: Workspace, each: DatasetVersion) -> Unanswered[DatasetVersion]:
    """A version whose request got no answer."""
    sent = datetime.fromisoformat(each.sent_at or each.created_at).timestamp()
    return Unanswered(sent, lambda: adopt(workspace, each), lambda: give_up_dataset_version(workspace.ledger, each))


def adopt(workspace: Workspace, each: DatasetVersion) -> DatasetVersion | None:
    """The version as it is on the target, also in the ledger; None if the target does not have it."""
    there = workspace.datasets.dataset(each.reference)
    number = None if there is None else _number(workspace, there, each)
    if number is None:
        return None
    return update_dataset_version(
        workspace.ledger, each, state=DatasetState.PROCESSING, version=number, never_arrived=False, message=""
    )


def _number(workspace: Workspace, there: Dataset, each: DatasetVersion) -> int | None:
    """Which of the target's versions it is: by its stamp, or, of a target that tells no notes, by the files."""
    stamps = stamps_of(there)
    by_stamp = next((number for number, (_, own) in stamps.items() if own == each.id), None)
    if by_stamp is not None or there.versions or there.newest != each.before + 1 or stamps:
        return by_stamp
    listed = [(file.name, file.size) for file in workspace.datasets.files(each.reference, there.newest)]
    is_ours = len(listed) == each.files and sum(size for _, size in listed) == each.size
    return there.newest if is_ours else None


def refresh(workspace: Workspace, each: DatasetVersion) -> DatasetVersion:
    """The version in its current state, also in the ledger; one whose state cannot change any more is not asked for."""
    if each.state is DatasetState.SENDING:
        with held(_lock(workspace, each), wait=False) as is_free:  # else another process is sending it
            each = (unanswered(workspace, each).settle(workspace.clock) or each) if is_free else each
    if each.state is not DatasetState.PROCESSING:
        return each
    datasets = workspace.datasets
    # In this order: a state that is asked for first may be that of the version before.
    there = datasets.dataset(each.reference)
    state = datasets.state(each.reference) if there is not None else DatasetState.PROCESSING
    if there is None or state is DatasetState.PROCESSING:
        return each
    stamps = stamps_of(there)
    number = next((number for number, (_, own) in stamps.items() if own == each.id), each.version)
    if number != each.version:  # another one was made at the same time
        each = update_dataset_version(workspace.ledger, each, version=number)
    if state is DatasetState.FAILED and there.newest == number:
        return update_dataset_version(
            workspace.ledger, each, state=state, message=f"{workspace.target.name} could not process its files"
        )
    if there.current < (number or 0):
        return each
    return update_dataset_version(workspace.ledger, each, state=DatasetState.READY, ready_at=now())


def wait_until_ready(workspace: Workspace, each: DatasetVersion) -> DatasetVersion:
    """Asks until sessions get the version.

    Raises TargetError if it cannot become ready, or never arrived; Later if it takes hours; NoAnswer after several
    questions without an answer.
    """
    if each.state is DatasetState.SENDING:
        workspace.say(f"the last push of {each.reference} has no answer: checking whether it arrives")
        with held(_lock(workspace, each), wait=True):
            rows = dataset_versions(workspace.ledger, target=each.target, reference=each.reference)
            each = next((row for row in rows if row.id == each.id), each)  # another process may have sent it meanwhile
            if each.state is DatasetState.SENDING:
                each = unanswered(workspace, each).wait(workspace.clock)
    begun, said, asked, silent = workspace.clock.monotonic(), -_SAY_EVERY, 0, 0
    while True:
        try:
            each, silent = refresh(workspace, each), 0
        except (NoAnswer, Later):
            silent += 1
            if silent >= _SILENT_AT_MOST:
                raise
        if each.state is not DatasetState.PROCESSING:
            check_usable(each)
            return each
        waited = workspace.clock.monotonic() - begun
        if waited >= _PATIENCE:
            raise Later(
                f"{each.label} is still being processed after {waited / 3600:.0f} hours",
                hint=f"Ask again: coord data status {each.reference}",
            )
        if asked >= 1 and waited - said >= _SAY_EVERY:
            workspace.say(f"{workspace.target.name} is processing {each.label}; sessions get it when that has ended")
            said = waited
        workspace.clock.sleep(_WAITS[min(asked, len(_WAITS) - 1)])
        asked += 1


def _lock(workspace: Workspace, each: DatasetVersion) -> Path:
    owner, _, slug = each.reference.partition("/")
    return workspace.project.dataset_lock(each.target, owner, slug)


def check_usable(each: DatasetVersion) -> None:
    """Raises TargetError if no session will ever get the version."""
    if each.state in (DatasetState.FAILED, DatasetState.REFUSED):
        raise TargetError(
            f"{each.label}: {each.message or f'it has {each.state}'}",
            hint=f"See its page, and push it again: coord data push DIR {each.reference}",
        )


def open_versions(workspace: Workspace, references: Iterable[str]) -> list[DatasetVersion]:
    """This project's versions of these data sets (owner/slug or owner/slug/version) whose state may still change."""
    wanted = {"/".join(name.split("/")[:2]) for name in references}
    if not wanted:
        return []
    found = dataset_versions(workspace.ledger, target=workspace.target.name)
    return [each for each in found if each.state.is_open and each.reference in wanted]


def refresh_attached(workspace: Workspace, references: Iterable[str]) -> None:
    """Asks once for the versions of these data sets whose state may still change."""
    for each in open_versions(workspace, references):
        refresh(workspace, each)


def wait_for_attached(workspace: Workspace, references: Iterable[str]) -> None:
    """Waits until a session would get the newest versions of these data sets that this project pushed.

    Kaggle gives a session that begins earlier the version before, and says nothing. Raises TargetError, CoordError.
    """
    for each in open_versions(workspace, references):
        workspace.say(f"waiting for {each.label}, which is attached and not ready yet")
        try:
            wait_until_ready(workspace, each)
        except TargetError as error:
            current = next(
                (row for row in dataset_versions(workspace.ledger, reference=each.reference) if row.id == each.id), each
            )
            if current.never_arrived:
                workspace.say(f"{each.reference}: that push never arrived; the version before it is attached")
                continue
            raise type(error)(f"{each.label} is attached: {error.what}", hint=error.hint) from error
