"""Probes about the session: its mounts, its environment, its image; and how it is ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from coordinator.bundle import normalised, shipped_image
from coordinator.errors import TargetError
from coordinator.maintenance.live_check.check import LiveCheck
from coordinator.maintenance.live_check.facts import Answer, NotTried
from coordinator.maintenance.live_check.made import Thing
from coordinator.maintenance.live_check.probe import Probe
from coordinator.target import RunState


def _fact(name: str, says: Callable[[Any], tuple[str, bool]]) -> Callable[[LiveCheck], Answer]:
    """What the first session reports under that name; `says` puts it in words and judges it."""
    return lambda check: Answer(*says(check.first_facts()[name]))


def _is(expected: object) -> Callable[[Any], tuple[str, bool]]:
    return lambda value: (str(value), value == expected)


def _mounted(facts: Mapping[str, Any], ending: str) -> list[str]:
    """The folders of the inputs whose names end so, in any layout."""
    folders = [name for name, size in facts["inputs"].items() if size < 0]
    return [name for name in folders if f"/{name}".lower().endswith(f"/{ending}".lower())]


def _place(facts: Mapping[str, Any], ending: str, expected: str) -> Answer:
    found = _mounted(facts, ending)
    seen = (
        ", ".join(f"/kaggle/input/{name}" for name in found)
        or f"not there; the inputs are {', '.join(facts['inputs'])}"
    )
    return Answer(seen, found == [expected])


def _dataset(check: LiveCheck) -> Answer:
    check.dataset_ready()
    reference = check.dataset()
    return _place(check.first_facts(), reference.partition("/")[2], f"datasets/{reference}")


def _competition(check: LiveCheck) -> Answer:
    slug = check.sources.competition
    refused = check.save_again(competitionDataSources=[slug]).data.get("invalidCompetitionSources")
    if refused:
        raise NotTried(f"{slug} was refused: accept its rules, or name another one with --competition")
    return _place(check.first_facts(), slug, f"competitions/{slug}")


def _model(check: LiveCheck) -> Answer:
    name = check.sources.model
    if not name:
        raise NotTried("name a model that you may read with --model")
    refused = check.save_again(modelDataSources=[name]).data.get("invalidModelSources")
    if refused:
        raise NotTried(f"{name} was refused: name another one with --model")
    facts = check.first_facts()
    variation = "/".join(name.split("/")[1:4]).lower()
    found = [each for each in facts["inputs"] if f"/{variation}/" in f"/{each}/".lower() and facts["inputs"][each] < 0]
    seen = ", ".join(f"/kaggle/input/{each}" for each in found)
    return Answer(seen or "not there", any(each.startswith(f"models/{name.split('/')[0].lower()}/") for each in found))


def _kernel(check: LiveCheck) -> Answer:
    facts = check.second_facts()
    address = check.first().address
    return _place(facts, address.partition("/")[2], f"notebooks/{address}")


_KAGGLES_OWN = {"__output__.json", "__results__.html", "__script__.py", "custom.css"}


def _own_files(check: LiveCheck) -> Answer:
    facts = check.second_facts()
    mount = next(iter(_mounted(facts, check.first().slug)), "?")
    inner = {name.removeprefix(f"{mount}/") for name in facts["inputs"] if name.startswith(f"{mount}/")}
    names = sorted(name for name in inner if "/" not in name and name != "many")
    return Answer(", ".join(names), set(names) == _KAGGLES_OWN | {"facts.json"})


def _rows(facts: Mapping[str, Any]) -> str:
    """Which version of the data set a session has read."""
    return ", ".join(sorted({str(text).split()[-1] for text in facts["rows"].values()})) or "none"


def _early(check: LiveCheck) -> Answer:
    reply = check.early()
    if reply.refusal:
        return Answer(reply.refusal, reply.code == 409)
    seen = _rows(check.second_facts())
    return Answer(f"taken; the session read version {seen}", seen == "1")


def _pinned(check: LiveCheck) -> Answer:
    facts = check.third_facts()
    reference = check.dataset()
    found = _mounted(facts, reference.partition("/")[2]) or [name for name, size in facts["inputs"].items() if size < 0]
    seen = f"version {_rows(facts)} at {', '.join(f'/kaggle/input/{name}' for name in found)}"
    return Answer(seen, _rows(facts) == "1" and found == [f"datasets/{reference}"])


def _session_number(check: LiveCheck) -> Answer:
    number = check.status(check.third().address).data.get("kernelSessionId")
    return Answer(
        f"{'named' if number else 'not named'}, so a session {'can' if number else 'cannot'} be cancelled", not number
    )


def _ended(check: LiveCheck) -> Answer:
    """Ends the third kernel's session while it runs: cancelled where that is possible, else by deleting its kernel."""
    ref = check.third()
    check.third_facts()
    if check.target.cancel(ref):
        state = check.end(ref).state
        return Answer(f"cancelled; the state is then {state}", state is RunState.CANCELLED)
    thing = Thing("kernel", ref.address)
    check.target.delete(ref.owner, ref.slug)
    if check.target.source(ref.owner, ref.slug) is not None:
        raise TargetError("the kernel was deleted, and is there still")
    check.made.forget(thing)
    code = check.status(ref.address).code
    return Answer(f"the kernel was deleted while it ran; its status is answered with {code}", code in (403, 404))


def _home(check: LiveCheck) -> Answer:
    facts = check.first_facts()
    home = facts["values"].get("HOME")
    return Answer(f"uid {facts['uid']}, HOME={home}", facts["uid"] == 0 and home == "/root")


def _writable(check: LiveCheck) -> Answer:
    found = check.first_facts()["writable"]
    can = sorted(name for name, value in found.items() if value is True)
    cannot = sorted(name for name, value in found.items() if value is not True)
    agrees = set(cannot) == {"/kaggle/input", "/kaggle/src"}
    return Answer(f"can be written: {', '.join(can)}; cannot: {', '.join(cannot) or 'none'}", agrees)


_VARIABLES = {
    "KAGGLE_KERNEL_RUN_TYPE",
    "KAGGLE_URL_BASE",
    "KAGGLE_DOCKER_IMAGE",
    "KAGGLE_CONTAINER_NAME",
    "KAGGLE_USER_SECRETS_TOKEN",
    "KAGGLE_DATA_PROXY_TOKEN",
    "KAGGLE_DATA_PROXY_URL",
    "KAGGLE_DATA_PROXY_PROJECT",
    "KAGGLE_GCP_ZONE",
}


def _variables(names: list[str]) -> tuple[str, bool]:
    found = {name for name in names if name.startswith("KAGGLE_")}
    lacks, more = sorted(_VARIABLES - found), sorted(found - _VARIABLES)
    seen = f"{len(found & _VARIABLES)} of them; lacks {', '.join(lacks) or 'none'}; more: {', '.join(more) or 'none'}"
    return seen, not lacks


def _value(name: str, expected: str) -> Callable[[LiveCheck], Answer]:
    def ask(check: LiveCheck) -> Answer:
        value = check.first_facts()["values"].get(name)
        return Answer("not set" if value is None else str(value), value == expected)

    return ask


def _search_path(check: LiveCheck) -> Answer:
    value = str(check.first_facts()["values"].get("PYTHONPATH", "not set"))
    return Answer(value, {"/kaggle/lib/kagglegym", "/kaggle/lib"} <= set(value.split(":")))


def _path(check: LiveCheck) -> Answer:
    value = str(check.first_facts()["values"].get("PATH", ""))
    return Answer(value, "/usr/local/bin" in value.split(":"))


def _python(version: str) -> tuple[str, bool]:
    known = shipped_image().python
    return version, version.startswith(f"{known}.")


def _packages(found: Mapping[str, str]) -> tuple[str, bool]:
    image = shipped_image()
    there = {normalised(name): version for name, version in found.items()}
    known = {name: version for name, version in image.packages.items() if version}
    lacks = sorted(set(known) - set(there))
    others = sorted(name for name in set(known) & set(there) if known[name] != there[name])
    shown = "".join(f"; {name} {there[name]}" for name in ("torch", "numpy", "pandas") if name in there)
    seen = (
        f"{len(there)}; of coord's {len(known)} {len(lacks)} are missing and {len(others)} have another version{shown}"
    )
    return seen, not lacks and not others


def _programs(found: Mapping[str, bool]) -> tuple[str, bool]:
    return ", ".join(f"{name}: {'yes' if has else 'no'}" for name, has in found.items()), bool(found.get("pip"))


def _folders(found: Mapping[str, bool]) -> tuple[str, bool]:
    return ", ".join(f"{name}: {'yes' if has else 'no'}" for name, has in found.items()), all(found.values())


def _internet(value: Any) -> tuple[str, bool]:
    return ("there is one", False) if value is True else (f"none ({value})", True)


def _disk(gigabytes: float) -> tuple[str, bool]:
    return f"{gigabytes:g} GB", 40 <= gigabytes <= 120


def _memory(gib: float) -> tuple[str, bool]:
    return f"{gib:g} GiB", 28 <= gib <= 33


_LOCAL = "docs/local_kaggle.md"

FIRST = (
    Probe("the script's place", "/kaggle/src/script.py", _LOCAL, _fact("argv", _is("/kaggle/src/script.py"))),
    Probe("the working directory", "/kaggle/working", _LOCAL, _fact("cwd", _is("/kaggle/working"))),
    Probe("the user and the home", "root, /root", _LOCAL, _home),
    Probe("what can be written", "the home and /kaggle/working; not /kaggle/input, /kaggle/src", _LOCAL, _writable),
    Probe("folders of /kaggle", "temp, lib, working, src, input", _LOCAL, _fact("folders", _folders)),
    Probe("the mount of a data set", "/kaggle/input/datasets/OWNER/SLUG", 'layout = "2026"', _dataset),
    Probe("the mount of a competition", "/kaggle/input/competitions/SLUG", 'layout = "2026"', _competition),
    Probe("the mount of a model", "/kaggle/input/models/OWNER/MODEL/...", 'layout = "2026"', _model),
    Probe("variables of Kaggle's", f"{len(_VARIABLES)} names", _LOCAL, _fact("variables", _variables)),
    Probe("KAGGLE_KERNEL_RUN_TYPE", "Batch", _LOCAL, _value("KAGGLE_KERNEL_RUN_TYPE", "Batch")),
    Probe("MPLBACKEND", "agg", _LOCAL, _value("MPLBACKEND", "agg")),
    Probe("PYTHONPATH", "/kaggle/lib/kagglegym and /kaggle/lib are in it", _LOCAL, _search_path),
    Probe("PATH", "/usr/local/bin is in it", _LOCAL, _path),
    Probe("Python's version", shipped_image().python, "bundle/image_packages.json", _fact("python", _python)),
    Probe("the image's packages", "those of the table", "bundle/image_packages.json", _fact("packages", _packages)),
    Probe("programs without the internet", "pip is there", _LOCAL, _fact("programs", _programs)),
    Probe("the internet, if it is off", "none", _LOCAL, _fact("internet", _internet)),
    Probe("a secret, without the internet", "raises ConnectionError", _LOCAL, _fact("secret", _is("ConnectionError"))),
    Probe("free disk in /tmp", "about 60 GB", "[tool.coord.local] temporary_gb", _fact("disk", _disk)),
    Probe("the memory of a CPU machine", "29 to 32 GiB", "[tool.coord.local] memory_gib", _fact("memory", _memory)),
)
EARLY = (
    Probe(
        "a push that attaches a data set which is not ready",
        "409, or silently the version before",
        "datasets/ready.py",
        _early,
    ),
)
SECOND = (
    Probe("the mount of a kernel's output", "/kaggle/input/notebooks/OWNER/SLUG", "bundle/needed.py", _kernel),
    Probe("Kaggle's own files in a kernel's output", ", ".join(sorted(_KAGGLES_OWN)), _LOCAL, _own_files),
)
THIRD = (
    Probe("a data set's version that was asked for", "that version, in the place without a number", _LOCAL, _pinned),
    Probe("the number of a session", "not named (so coord asks to delete instead)", "coord cancel", _session_number),
    Probe("a session that is ended while it runs", "it ends", "coord cancel", _ended),
)
