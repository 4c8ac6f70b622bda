"""Probes about what a kernel may be: titles, names, sizes, sources, machines. Each saves a version that is not run."""

from __future__ import annotations

from collections.abc import Callable

from coordinator.errors import TargetError
from coordinator.kaggle_rules import SOURCE_MAX, TITLE_MAX, TITLE_MIN
from coordinator.maintenance.live_check.check import LiveCheck, named_by
from coordinator.maintenance.live_check.facts import Answer, NotTried
from coordinator.maintenance.live_check.probe import Probe
from coordinator.target import Reply

_TAKEN = "taken"


def _said(reply: Reply) -> str:
    return reply.refusal or _TAKEN


def _saved_only(check: LiveCheck) -> Answer:
    reference = check.scratch()
    reply = check.status(reference)
    return Answer(str(reply.data.get("status")), reply.data.get("status") == "NEW_SCRIPT")


def _title(length: int, *, is_taken: bool) -> Callable[[LiveCheck], Answer]:
    """A new kernel with a title of that many characters. The slug has the stamp: it is no kernel of the user's."""

    def ask(check: LiveCheck) -> Answer:
        check.scratch()
        letters = check.stamp * TITLE_MAX
        title = f"q{letters}"[:length] if length < 20 else f"{check.title('t')} {letters}"[:length]
        owner, _, slug = check.reference(title).partition("/")
        if check.target.source(owner, slug) is not None:
            raise NotTried("you have a kernel of that title")
        asked = check.reference(check.title(f"t{length}")) if length < 20 else check.reference(title)
        reply = check.save(asked, title)
        return Answer(_said(reply), (not reply.refusal) is is_taken)

    return ask


def _other_slug(check: LiveCheck) -> Answer:
    check.scratch()
    title, asked = check.title("titled"), check.reference(check.title("asked"))
    reply = check.save(asked, title)
    if reply.refusal:
        return Answer(reply.refusal, agrees=False)
    code = check.status(asked).code
    named = named_by(reply)
    agrees = named == check.reference(title) and code in (403, 404)
    return Answer(f"the answer names {named}; the other slug is answered with {code}", agrees)


def _slugified(check: LiveCheck) -> Answer:
    check.scratch()
    title = f"coord_live check-{check.stamp} lr=0.001 Über a/b"
    expected = check.reference(title)
    reply = check.save(expected, title)
    named = named_by(reply)
    return Answer(reply.refusal or f"{title!r} becomes {named}", named == expected)


def _size(extra: int, *, is_taken: bool) -> Callable[[LiveCheck], Answer]:
    def ask(check: LiveCheck) -> Answer:
        begin = check.source("")
        text = begin + "#" * (SOURCE_MAX + extra - len(begin))
        reply = check.save_again(text=text)
        return Answer(_said(reply), (reply.code < 400 and not reply.refusal) if is_taken else reply.code == 400)

    return ask


_SOURCES = {
    "Dataset": ("datasetDataSources", "coord-live-check/no-such-data"),
    "Competition": ("competitionDataSources", "coord-live-check-no-such"),
    "Kernel": ("kernelDataSources", "coord-live-check/no-such-kernel"),
    "Model": ("modelDataSources", "coord-live-check/no-such/pyTorch/none/1"),
}


def _missing(check: LiveCheck) -> Answer:
    reply = check.save_again(**{field: [name] for field, name in _SOURCES.values()})
    named = {kind: reply.data.get(f"invalid{kind}Sources") == [name] for kind, (_, name) in _SOURCES.items()}
    kinds = ", ".join(kind.lower() for kind, is_named in named.items() if is_named) or "none"
    return Answer(reply.refusal or f"taken, and named as invalid: {kinds}", not reply.refusal and all(named.values()))


def _form(what: str, field: str, form: str, *, is_taken: bool) -> Callable[[LiveCheck], Answer]:
    """A source in another form; `form` has {owner}, {slug}, {OWNER} and {SLUG}."""

    def ask(check: LiveCheck) -> Answer:
        check.dataset_ready()
        reference = check.dataset() if what == "Dataset" else check.first_complete().address
        owner, _, slug = reference.partition("/")
        name = form.format(owner=owner, slug=slug, OWNER=owner.upper(), SLUG=slug.upper())
        reply = check.save_again(**{field: [name]})
        refused = reply.data.get(f"invalid{what}Sources") or []
        seen = reply.refusal or ("named as invalid" if refused else _TAKEN)
        return Answer(seen, (seen == _TAKEN) is is_taken)

    return ask


def _machine(name: str, *known: str) -> Callable[[LiveCheck], Answer]:
    """A machine's name; `known` are the names as which it may be kept."""

    def ask(check: LiveCheck) -> Answer:
        reply = check.save_again(machineShape=name)
        if reply.refusal:
            return Answer(reply.refusal, agrees=False)
        kept = str(check.saved().get("machineShape", ""))
        check.save_again()
        return Answer(f"taken, kept as {kept or 'none'}", kept in known)

    return ask


def _framework(check: LiveCheck) -> Answer:
    name = check.sources.model
    if not name:
        raise NotTried("name a model that you may read with --model")
    replies = [check.save_again(modelDataSources=[each]) for each in (name, name.lower())]
    refused = [bool(reply.data.get("invalidModelSources")) for reply in replies]
    if refused[0]:
        raise NotTried(f"{name} was refused: name another one with --model")
    return Answer("named as invalid" if refused[1] else _TAKEN, agrees=True)


def _left_out(check: LiveCheck) -> Answer:
    reply = check.save_again(newTitle=None, enableInternet=None)
    if reply.refusal:
        return Answer(reply.refusal, agrees=False)
    found = check.saved()
    internet = bool(found.get("enableInternet"))
    is_kept = found.get("title") == check.title("saved")
    seen = f"the title is {'kept' if is_kept else found.get('title')}, the internet is {'on' if internet else 'off'}"
    return Answer(seen, is_kept and not internet)


def _number(check: LiveCheck) -> Answer:
    number = check.saved().get("id")
    if not number:
        raise TargetError("GetKernel names no number")
    before = check.saved().get("currentVersionNumber")
    reply = check.save(check.reference(check.title("by number")), check.title("saved"), id=number)
    after = check.saved().get("currentVersionNumber")
    seen = reply.refusal or f"version {after} of the kernel with that number, after {before}"
    return Answer(seen, not reply.refusal and after == int(before or 0) + 1)


def _type(check: LiveCheck) -> Answer:
    cells = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    check.scratch()
    title = check.title("type")
    first = check.save(check.reference(title), title)
    reply = check.save(check.reference(title), title, kernelType="notebook", text=cells)
    kept = check.metadata(check.reference(title)).get("kernelType")
    check.save(check.reference(title), title)  # so that its newest source is a check's again
    return Answer(first.refusal or reply.refusal or f"taken; it is a {kept}", bool(reply.refusal))


def _labels(check: LiveCheck) -> Answer:
    reference = check.scratch()
    codes = {label: check.status(reference, versionLabel=label).code for label in ("v1", "1", "v99")}
    seen = ", ".join(f"{label}: {'an answer' if code < 400 else code}" for label, code in codes.items())
    return Answer(seen, codes["v1"] < 400 <= min(codes["1"], codes["v99"]))


def _version_in_slug(check: LiveCheck) -> Answer:
    reply = check.status(f"{check.scratch()}/1")
    return Answer(reply.refusal or "an answer", reply.code == 403)


def _capitals(check: LiveCheck) -> Answer:
    owner, _, slug = check.scratch().partition("/")
    reply = check.kernels("GetKernel", userName=owner.upper(), kernelSlug=slug.upper())
    ref = str((reply.data.get("metadata") or {}).get("ref", ""))
    return Answer(reply.refusal or f"an answer, about {ref}", not reply.refusal and ref == ref.lower())


_RULES = "kaggle_rules.py"
_LOCAL = "docs/local_kaggle.md"

PROBES = (
    Probe("a version that is only saved (QUICK_SAVE)", "NEW_SCRIPT", f"{_RULES} NEVER_RUN_STATUS", _saved_only),
    Probe(
        f"a title of {TITLE_MIN - 1} characters",
        "refused",
        f"{_RULES} TITLE_MIN",
        _title(TITLE_MIN - 1, is_taken=False),
    ),
    Probe(f"a title of {TITLE_MIN} characters", "taken", f"{_RULES} TITLE_MIN", _title(TITLE_MIN, is_taken=True)),
    Probe(f"a title of {TITLE_MAX} characters", "taken", f"{_RULES} TITLE_MAX", _title(TITLE_MAX, is_taken=True)),
    Probe(
        f"a title of {TITLE_MAX + 1} characters",
        "refused",
        f"{_RULES} TITLE_MAX",
        _title(TITLE_MAX + 1, is_taken=False),
    ),
    Probe("a slug that is not its title's", "the title's slug is used; 403 or 404 for the other", _LOCAL, _other_slug),
    Probe("the slug of a title with _ = . / and ü", "python-slugify's", "kernel/metadata.py kernel_slug", _slugified),
    Probe("a source of 1 MiB", "taken", f"{_RULES} SOURCE_MAX", _size(0, is_taken=True)),
    Probe("a source of 1 MiB and a byte", "HTTP 400", f"{_RULES} SOURCE_MAX", _size(1, is_taken=False)),
    Probe("sources that do not exist", "taken without them; each is named", _LOCAL, _missing),
    Probe(
        "a data set with the website's prefix",
        "refused",
        f"{_RULES} SOURCE_PREFIXES",
        _form("Dataset", "datasetDataSources", "datasets/{owner}/{slug}", is_taken=False),
    ),
    Probe(
        "a data set's version as owner/slug/1",
        "taken",
        f"{_RULES} normal_source",
        _form("Dataset", "datasetDataSources", "{owner}/{slug}/1", is_taken=True),
    ),
    Probe(
        "a data set's version as owner/slug/versions/1",
        "taken (coord sends owner/slug/1)",
        _LOCAL,
        _form("Dataset", "datasetDataSources", "{owner}/{slug}/versions/1", is_taken=True),
    ),
    Probe(
        "a data set's name in capitals",
        "taken",
        f"{_RULES} normal_name",
        _form("Dataset", "datasetDataSources", "{OWNER}/{SLUG}", is_taken=True),
    ),
    Probe(
        "a kernel's version as a source",
        "refused",
        "kernel/metadata.py",
        _form("Kernel", "kernelDataSources", "{owner}/{slug}/1", is_taken=False),
    ),
    Probe("a machine that nobody knows", "taken, and kept", _LOCAL, _machine("NvidiaLiveCheck", "NvidiaLiveCheck")),
    Probe("the machine gpu", "kept as NvidiaTeslaT4", f"{_RULES} normal_shape", _machine("gpu", "NvidiaTeslaT4")),
    Probe(
        "a machine's name in lower case",
        "kept as NvidiaTeslaT4",
        f"{_RULES} normal_shape",
        _machine("nvidiateslat4", "NvidiaTeslaT4"),
    ),
    Probe(
        "a model's framework in lower case",
        "not known: coord sends what you write",
        f"{_RULES} SENT_IN_NORMAL_FORM",
        _framework,
    ),
    Probe("a push without title and internet", "the title is kept, the internet is off", _LOCAL, _left_out),
    Probe(
        "a push with the kernel's number and another slug", "a version of the kernel with that number", _LOCAL, _number
    ),
    Probe("a script that becomes a notebook", "refused", "runs/push.py", _type),
    Probe("version labels", "v1 is one; 1 and a version that is not there are refused", _LOCAL, _labels),
    Probe("a version in the slug of a status", "HTTP 403", _LOCAL, _version_in_slug),
    Probe("an owner and a slug in capitals", "an answer, in lower case", f"{_RULES} normal_name", _capitals),
)
