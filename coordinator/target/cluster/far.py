"""The program on the far side: it is sent over the shell with each question, and answers that one (`far_answer`).

The standard library only, and Python 3.6: login nodes have old ones. So annotations that need a newer Python are texts.
What few answers need (`shutil`, `tempfile`) is loaded by those: it takes as long as an answer.
It is no agent: it ends with its answer, and all that it knows is in the folders below the target's root:

    kernels/OWNER/SLUG/vN/     kernel.py (as it was sent), meta.json, starter.py, working/ (the output), log.jsonl,
                               attempts.jsonl (the run's own record), claim (the job that runs it), cancelled, reserve
    input/                     attached sources that the settings name no folder for

A version's folder gets its name, complete, in one step; so the name is the claim of a push, and meta.json its owner.
What a kernel has written there is not trusted: names are checked, sizes bounded, links out of its folder not followed.
"""

import errno
import json
import os
import re
import stat
import sys
import time
from collections.abc import Callable
from typing import Any, Dict

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=+-]{0,254}")
MOST_FILES = 100000
MOST_RECORD = 1 << 20
MOST_SUMMARY = 1 << 25
MOST_SOURCE = 1 << 28
RESERVE = 1 << 16
FULL = (errno.ENOSPC, errno.EDQUOT)
KINDS = {"dataset_sources": "datasets", "competition_sources": "competitions", "model_sources": "models"}
KERNELS = "kernel_sources"

Answer = Dict[str, Any]


class Refused(Exception):
    """What the user is told: `kind` is "gone", "full", "unknown" (whether it took effect) or "refused"."""

    def __init__(self, kind: str, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.answer = {"kind": kind, "what": what, "hint": hint}


def kernel_folder(root: str, owner: str, slug: str) -> str:
    """The folder of a kernel's versions."""
    for part in (owner, slug):
        if not PLAIN.fullmatch(part):
            raise Refused("refused", f"{part!r} cannot be a part of a kernel's name")
    return os.path.join(root, "kernels", owner, slug)


def run_folder(root: str, ref: "list[Any]") -> str:
    """The folder of a version: `ref` is [owner, slug, version]."""
    return os.path.join(kernel_folder(root, str(ref[0]), str(ref[1])), f"v{int(ref[2])}")


def versions(kernel: str) -> "list[int]":
    """The numbers of all versions, ascending."""
    try:
        names = os.listdir(kernel)
    except FileNotFoundError:
        return []
    return sorted(int(name[1:]) for name in names if re.fullmatch(r"v[1-9][0-9]{0,8}", name))


def read_text(path: str, most: int = MOST_RECORD) -> str:
    """The text of a regular file, at most so many bytes of it; empty if there is none."""
    try:
        with open(path, "rb") as file:
            return file.read(most).decode("utf-8", "replace") if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else ""
    except OSError:
        return ""


def read_json(path: str, most: int = MOST_RECORD) -> Answer:
    """The JSON object in a file; empty if there is none."""
    try:
        found = json.loads(read_text(path, most))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_file(path: str, text: str) -> None:
    """Writes a file that is on the disk when this returns."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


# --- a push


def claim(request: Answer) -> Answer:
    """Makes the version of a run, with the files of `request`; the one that the run has already, if it has one."""
    import shutil
    import tempfile

    run, kernel = request["run"], kernel_folder(request["root"], request["owner"], request["slug"])
    os.makedirs(kernel, exist_ok=True)
    known = versions(kernel)
    for version in reversed(known):
        if run_of(kernel, version) == run:
            return claimed(kernel, version, False)
    new = tempfile.mkdtemp(prefix=".new-", dir=kernel)
    try:
        os.mkdir(os.path.join(new, "working"))
        for name, text in request["files"].items():
            write_file(os.path.join(new, name), text)
        write_file(os.path.join(new, "reserve"), "\n" * RESERVE)
        write_file(os.path.join(new, "meta.json"), json.dumps(dict(request["meta"], run=run, pushed=time.time())))
        version = known[-1] + 1 if known else 1
        while True:
            try:
                os.rename(new, os.path.join(kernel, f"v{version}"))
                return claimed(kernel, version, True)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            if run_of(kernel, version) == run:  # the same push, sent twice
                return claimed(kernel, version, False)
            version += 1
    finally:
        shutil.rmtree(new, ignore_errors=True)


def claimed(kernel: str, version: int, is_new: bool) -> Answer:
    return {"version": version, "folder": os.path.join(kernel, f"v{version}"), "new": is_new}


def run_of(kernel: str, version: int) -> "str | None":
    """The run that a version belongs to."""
    found = read_json(os.path.join(kernel, f"v{version}", "meta.json"), MOST_SUMMARY).get("run")
    return found if isinstance(found, str) else None


def withdraw(folder: str) -> None:
    """Takes back a claim for which there is no job and never was one."""
    import shutil

    gone = f"{folder}.withdrawn-{os.getpid()}"
    os.rename(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


def places(request: Answer) -> Answer:
    """Where attached sources are: [kind, name, mount below input/, folder], and [kind, name, folder] of what is not."""
    root, found, missing = request["root"], [], []  # type: str, list[list[str]], list[list[str]]
    for kind, name in request["sources"]:
        mount, folder = mount_of(kind, name), request["folders"].get(name)
        if kind == KERNELS and not folder:
            folder = newest_output(root, name)
        if not folder:
            folder = os.path.join(root, "input", mount)
        if os.path.isdir(folder) and os.access(folder, os.R_OK | os.X_OK):
            found.append([kind, name, mount, os.path.realpath(folder)])
        else:
            missing.append([kind, name, folder])
    return {"found": found, "missing": missing}


def mount_of(kind: str, name: str) -> str:
    """Where Kaggle mounts a source, below input/."""
    parts = name.split("/")
    if not all(PLAIN.fullmatch(part) for part in parts):
        raise Refused("refused", f"{name!r} cannot be the name of a source")
    if kind == "dataset_sources":
        parts = parts[:2]  # without its version
    return "/".join([KINDS.get(kind, "notebooks"), *parts])


def newest_output(root: str, name: str) -> "str | None":
    """The output of the newest complete version of a kernel, owner/slug."""
    owner, _, slug = name.partition("/")
    kernel = kernel_folder(root, owner, slug)
    for version in reversed(versions(kernel)):
        folder = os.path.join(kernel, f"v{version}")
        if is_complete(folder):
            return os.path.join(folder, "working")
    return None


def is_complete(folder: str) -> bool:
    attempts = attempts_of(folder)
    return bool(attempts) and attempts[-1].get("next") == "end" and attempts[-1].get("code") == 0


# --- questions


def look(request: Answer) -> Answer:
    """The own records of many runs."""
    return {"now": time.time(), "runs": [record(run_folder(request["root"], ref)) for ref in request["refs"]]}


def record(folder: str) -> Answer:
    """What a run's folder says about it."""
    meta = read_json(os.path.join(folder, "meta.json"), MOST_SUMMARY)
    summary = read_json(os.path.join(folder, "working", "metrics.json"), MOST_SUMMARY)
    attempts = attempts_of(folder)
    status = summary.get("status")
    return {
        "exists": bool(meta),
        "run": meta.get("run"),
        "pushed": meta.get("pushed"),
        "job": read_text(os.path.join(folder, "job"), 4096).strip(),
        "claim": read_text(os.path.join(folder, "claim"), 4096).strip(),
        "silent": silent_seconds(os.path.join(folder, "alive")),
        "cancelled": os.path.exists(os.path.join(folder, "cancelled")),
        "attempts": attempts,
        "status": status if isinstance(status, str) else None,
        "said": "" if attempts else tail(os.path.join(folder, "job.log"), 2000),
    }


def silent_seconds(path: str) -> "float | None":
    """How long the starter has given no sign of life; None if it never did."""
    try:
        last = os.stat(path).st_mtime
        import tempfile

        with tempfile.TemporaryFile(dir=os.path.dirname(path)) as now:  # the same clock: that of the file system
            return max(0.0, os.fstat(now.fileno()).st_mtime - last)
    except OSError:
        return None


def attempts_of(folder: str) -> "list[Answer]":
    """The attempts of a run, in order: its start and its end are a line each."""
    found: "dict[int, Answer]" = {}
    for line in read_text(os.path.join(folder, "attempts.jsonl")).splitlines():
        try:
            each = json.loads(line)
            number = int(each["number"])
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # the disk was full
        found.setdefault(number, {}).update(each)
    return [found[number] for number in sorted(found)]


def tail(path: str, most: int) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - most))
            return file.read(most).decode("utf-8", "replace")
    except OSError:
        return ""


def source(request: Answer) -> Answer:
    """The number of the newest version, and the text of `version` or of the newest."""
    kernel = kernel_folder(request["root"], request["owner"], request["slug"])
    known = versions(kernel)
    if not known or request["version"] not in [None, *known]:
        return {"newest": None}
    text = read_text(os.path.join(kernel, f"v{request['version'] or known[-1]}", "kernel.py"), MOST_SOURCE)
    return {"newest": known[-1], "text": text}


def kernels(request: Answer) -> Answer:
    """The slugs of an owner's kernels."""
    folder = os.path.dirname(kernel_folder(request["root"], request["owner"], "x"))
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return {"slugs": [name for name in names if PLAIN.fullmatch(name)][:MOST_FILES]}


def outputs(request: Answer) -> Answer:
    """The names of the files that a run left; of links, those to files among them."""
    top = os.path.realpath(os.path.join(run_folder(request["root"], request["ref"]), "working"))
    if not os.path.isdir(top):
        raise Refused("gone", f"its folder {top} is not there")
    found = []
    for folder, inner, names in os.walk(top):
        inner.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if is_own_file(top, path):
                found.append(os.path.relpath(path, top))
        if len(found) > MOST_FILES:
            raise Refused("refused", f"it has more than {MOST_FILES} files", "Put them into one archive.")
    return {"names": found}


def is_own_file(top: str, path: str) -> bool:
    real = os.path.realpath(path)
    try:
        return real.startswith(top + os.sep) and stat.S_ISREG(os.stat(real).st_mode)
    except OSError:
        return False


def cancel(request: Answer) -> Answer:
    """Notes that a run shall end for good, before anything is asked to end it."""
    folder = run_folder(request["root"], request["ref"])
    if not os.path.isdir(folder):
        raise Refused("gone", f"{folder} is not there")
    with open(os.path.join(folder, "cancelled"), "a", encoding="utf-8", newline=""):
        return record(folder)


def place(request: Answer) -> Answer:
    """Whether the root can be written, and how much room there is."""
    if sys.platform == "win32":
        raise NotImplementedError
    import pwd
    import tempfile

    root = request["root"]
    os.makedirs(root, exist_ok=True)
    with tempfile.TemporaryFile(dir=root) as file:
        file.write(b"coord")
    room = os.statvfs(root)
    return {"free": room.f_bavail * room.f_frsize, "user": pwd.getpwuid(os.getuid()).pw_name, "host": os.uname()[1]}


ANSWERS: "dict[str, Callable[[Answer], Answer]]" = {
    each.__name__: each for each in (claim, places, look, source, kernels, outputs, cancel, place)
}
