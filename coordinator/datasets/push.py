"""The verb data push: a folder becomes the newest version of a private data set."""

from __future__ import annotations

from pathlib import Path

from coordinator.bundle import Guard
from coordinator.datasets.contents import FolderContents, read_contents
from coordinator.datasets.ready import refresh, stamped_newest, unanswered, wait_until_ready
from coordinator.datasets.reference import Reference
from coordinator.datasets.upload import Journal, Upload
from coordinator.errors import CoordError, Later, NoAnswer, NotSent, TargetError, UsageError
from coordinator.files import held
from coordinator.kaggle_rules import DATASET_FILES_MANY
from coordinator.ledger import (
    DatasetVersion,
    add_dataset_version,
    claim,
    dataset_stamp,
    dataset_versions,
    new_dataset_version_id,
    now,
    update_dataset_version,
)
from coordinator.target import Dataset, DatasetState
from coordinator.workspace import Workspace

_MESSAGE_AT_MOST = 200  # characters


def push_folder(
    workspace: Workspace,
    folder: Path,
    reference: str,
    *,
    message: str = "",
    wait: bool = True,
) -> DatasetVersion:
    """Makes the folder's content the newest version of the data set owner/slug, which is created if there is none.

    Returns once the version is ready, so that a kernel which is pushed then reads it; without `wait`, once the target
    has taken it. Content that the newest version has already is not sent again. An upload that broke off goes on where
    the target stands, in another process, too.

    Raises UsageError for a folder that cannot become a data set, BundleError for what looks like a secret, TargetError
    if the target refused or the data set is public, NoAnswer if it is not known whether the version arrived: the next
    push finds out.
    """
    place = Reference.to_push(reference)
    if len(message) > _MESSAGE_AT_MOST:
        raise UsageError(f"--message has {len(message)} characters, of which {_MESSAGE_AT_MOST} are taken")
    contents = read_contents(folder, workspace.say)
    for remark in contents.remarks():
        workspace.say(remark)
    with held(workspace.project.dataset_lock(workspace.target.name, place.owner, place.slug), wait=True):
        each = _sent_before(workspace, place, contents)
        if each is None:
            each = _send(workspace, place, contents, message)
    return wait_until_ready(workspace, each) if wait else each


def _sent_before(workspace: Workspace, place: Reference, contents: FolderContents) -> DatasetVersion | None:
    """The data set's newest version, if it has the same content."""
    rows = dataset_versions(workspace.ledger, target=workspace.target.name, reference=str(place))
    for each in rows:
        if each.state is DatasetState.SENDING:
            workspace.say(f"the last push of {place} has no answer: checking whether it arrives")
            # This process holds the lock: no other one is working on it.
            unanswered(workspace, each).wait(workspace.clock)
    there = workspace.datasets.dataset(str(place))
    if there is None:
        place.check_new()
        return None
    if not there.is_private:
        raise TargetError(
            f"{place} is public on {workspace.target.name}, and everybody would get what is pushed",
            hint=f"Make it private on its page{f' ({there.url})' if there.url else ''}, or name another one.",
        )
    rows = dataset_versions(workspace.ledger, target=workspace.target.name, reference=str(place))
    known = _newest(workspace, there, rows)
    if known is None or known.digest != contents.digest:
        return None
    known = refresh(workspace, known)
    if known.state is DatasetState.FAILED:
        return None
    workspace.say(f"{known.label} has this content already: not sent again")
    return known


def _newest(workspace: Workspace, there: Dataset, rows: list[DatasetVersion]) -> DatasetVersion | None:
    """The target's newest version, which is recorded if the ledger lacks it; None if nothing tells its content."""
    found = stamped_newest(workspace, there)
    if found is None:
        taken = [each for each in rows if each.version == there.newest and each.state is not DatasetState.REFUSED]
        return taken[0] if taken else None
    known = next((each for each in rows if each.id == found.id), None)
    return add_dataset_version(workspace.ledger, found) if known is None else known


def _send(
    workspace: Workspace,
    place: Reference,
    contents: FolderContents,
    message: str,
) -> DatasetVersion:
    """Uploads the files, records the intent, and makes the version of them."""
    guard = Guard(workspace.project.root)
    guard.check(contents.files, f"the data set {place}")
    guard.check_texts({"--message": message}, "the data set's notes")
    datasets, target = workspace.datasets, workspace.target.name
    files = f"{len(contents.files):,} file{'s' * (len(contents.files) != 1)}, {contents.size:,} bytes"
    workspace.say(f"sending {files} to {place} on {target}")
    if len(contents.files) > DATASET_FILES_MANY:
        workspace.say(
            f"warning: each of {len(contents.files):,} files is sent by itself. Many small ones are faster as one .zip "
            "or .tar, which Kaggle unpacks"
        )
    journal = Journal(workspace.project.uploads(target, place.owner, place.slug), workspace.clock)
    upload = Upload.of(datasets, journal, workspace.clock, contents)
    with workspace.progress(upload.tally):
        tokens = upload.all(contents)
    there = datasets.dataset(str(place))
    if warning := claim(workspace.ledger):
        workspace.say(warning)
    number = new_dataset_version_id()
    each = add_dataset_version(
        workspace.ledger,
        DatasetVersion(
            id=number,
            target=target,
            reference=str(place),
            digest=contents.digest,
            files=len(contents.files),
            size=contents.size,
            state=DatasetState.SENDING,
            created_at=workspace.ledger.moment(),
            before=there.newest if there else 0,
            sent_at=now(),
        ),
    )
    notes = f"{message or 'Pushed by coord.'} {dataset_stamp(contents.digest, number)}"
    try:
        if there is None:
            datasets.create(str(place), place.slug, notes, tokens)
        else:
            datasets.add_version(str(place), notes, tokens)
    except CoordError as error:
        each = _not_answered(workspace, each, error, journal)
    else:
        each = update_dataset_version(workspace.ledger, each, state=DatasetState.PROCESSING, version=each.before + 1)
    journal.end()
    workspace.say(f"{target} has {each.label}")
    return each


def _not_answered(workspace: Workspace, each: DatasetVersion, error: CoordError, journal: Journal) -> DatasetVersion:
    """The version, if it arrived although its answer was lost. Raises the error if it did not, or NoAnswer."""
    if isinstance(error, NotSent) or not isinstance(error, NoAnswer):
        update_dataset_version(workspace.ledger, each, state=DatasetState.REFUSED, message=error.what)
        if not isinstance(error, NotSent | Later):
            journal.refused()
        raise error
    # From here on, not from the start of the request: a time-out may have taken longer than that.
    each = update_dataset_version(workspace.ledger, each, sent_at=now(), message=error.what)
    workspace.say(f"{error.what}; asking {workspace.target.name} whether it arrived")
    try:
        found = unanswered(workspace, each).wait(workspace.clock)
    except CoordError as second:
        # The user asked for the push, so its own error comes first.
        raise NoAnswer(
            f"{error.what}; it is not known whether {each.reference} has a new version",
            hint=f"coord data status {each.reference} asks what arrived. Nothing is sent twice.",
        ) from second
    if found.never_arrived:
        raise NoAnswer(
            f"the new version of {each.reference} never arrived on {workspace.target.name}",
            hint="There is no new version. What was uploaded is kept: run the same command again.",
        )
    return found
