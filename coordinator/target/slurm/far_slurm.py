"""Slurm's part of the far side's program: it follows `far` in the text that is sent. Python 3.6.

In a version's folder it adds job.sh (what sbatch gets) and job (what sbatch answered). An array has its own folder:

    arrays/NAME/     job.sh, members (a version's folder a line), array (the indices and the cap), job
"""

import os
import re
import subprocess
import sys
import time
from typing import Any, Dict

from coordinator.target.cluster.far import (
    ANSWERS,
    Refused,
    claim,
    read_json,
    read_text,
    record,
    run_folder,
    withdraw,
    write_file,
)

STRANGERS = ("COORD_", "KAGGLE_", "SBATCH_", "SLURM_JOB")
"""Variables that no job takes over from who submits it: credentials, and what another job has."""
UNANSWERED = ("timed out", "unable to contact", "connection refused", "communication", "zero bytes", "try again")
"""Words of a message after which the job may exist nevertheless."""
MOST_SECONDS = 60
YOUNG = 20.0
"""Seconds after a push in which its own process may still be submitting."""
Row = Dict[str, Any]


def push(request: "Row") -> "Row":
    """Makes the versions of `runs`, and submits one job for them (an array if there is a `cap`); asked twice, the same.

    Raises Refused before anything is made if such a job can never run.
    """
    test(request)
    root, made, answers = request["root"], [], []
    try:
        for each in request["runs"]:
            answers.append(claim(dict(each, root=root)))
            if answers[-1]["new"]:
                made.append(answers[-1]["folder"])
        folder = answers[0]["folder"]
        if request["array"]:
            folder = array_folder(root, request["name"])
            make_array(folder, request, [each["folder"] for each in answers])
        job = submitted(folder, request["name"])
    except (OSError, Refused) as error:
        if isinstance(error, OSError) or error.answer["kind"] != "unknown":
            for folder in made:
                withdraw(folder)
        raise
    return {"runs": answers, "job": job}


def test(request: "Row") -> "Row":
    """Asks Slurm whether such a job could ever run. Raises Refused if not."""
    code, _, said = ran(["sbatch", "--test-only", "--chdir=/"], request["script"], environment=clean_environment())
    if code == 127:
        raise Refused("refused", "there is no sbatch", "Is this the login node? Name another `host` in its table.")
    if code == 124 or (code and is_unanswered(said)):
        raise Refused("unknown", "sbatch --test-only: " + last_line(said))
    if code:
        hint = "Correct partition, time, cpus, memory, extra or shapes in its table. What there is: sinfo"
        raise Refused("refused", "Slurm can never run such a job: " + last_line(said), hint)
    return {"said": last_line(said)}


def array_folder(root: str, name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}", name):
        raise Refused("refused", f"{name!r} cannot be the name of an array")
    return os.path.join(root, "arrays", name)


def make_array(folder: str, request: "Row", members: "list[str]") -> None:
    os.makedirs(folder, exist_ok=True)
    write_file(os.path.join(folder, "members"), "".join(f"{each}\n" for each in members))
    write_file(os.path.join(folder, "array"), request["array"])
    write_file(os.path.join(folder, "job.sh"), request["script"])


def submitted(folder: str, name: str) -> str:
    """The job of a folder: the one that it has, or a new one. What sbatch answers is kept there, whoever listens."""
    known = job_in(folder) or job_named(name, folder)
    if known:
        return known
    indices = read_text(os.path.join(folder, "array")).strip()
    options = [f"--chdir={folder}", f"--output={folder}/job.log", "--open-mode=append"]
    options += [f"--array={indices}"] if indices else []
    line = 'cd "$1" && shift && sbatch --parsable "$@" >job.tmp 2>job.err </dev/null && mv job.tmp job'
    command = ["sh", "-c", line, "-", folder, *options, "job.sh", folder]
    process = subprocess.Popen(
        command,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(120)
    except subprocess.TimeoutExpired:
        pass  # it goes on, and leaves its answer
    found = job_in(folder) or job_named(name, folder)
    if found:
        return found
    said = last_line(read_text(os.path.join(folder, "job.err")))
    if process.returncode == 1 and said and not is_unanswered(said):
        raise Refused("refused", "sbatch refused: " + said, "Correct its table ([tool.coord.targets.NAME]).")
    raise Refused("unknown", "sbatch was cut off" + (": " + said if said else ""))


def ran(words: "list[str]", given: str = "", environment: "dict[str, str] | None" = None) -> "tuple[int, str, str]":
    """(exit code, output, errors) of a program here; code 127 if it is not there."""
    try:
        done = subprocess.run(
            words,
            input=given.encode("utf-8"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=MOST_SECONDS,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        return 127, "", f"{words[0]} is not there"
    except subprocess.TimeoutExpired:
        return 124, "", f"{words[0]} gave no answer in {MOST_SECONDS} s"
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def is_unanswered(said: str) -> bool:
    return any(words in said.lower() for words in UNANSWERED)


def last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:500] if lines else ""


def clean_environment() -> "dict[str, str]":
    return {name: value for name, value in os.environ.items() if not name.startswith(STRANGERS)}


def job_in(folder: str) -> str:
    """The number of the job that sbatch has answered; empty if it has not."""
    found = re.match(r"\d+", read_text(os.path.join(folder, "job"), 4096))
    return found.group() if found else ""


def job_named(name: str, folder: str) -> str:
    """The oldest job of that name and folder that Slurm knows; empty if it knows none."""
    rows = [row for row in queue() if is_of(row, name, folder)]
    if not rows:
        rows = [row for row in accounted(["--name", name, "-S", "now-14days"]) if is_of(row, name, folder)]
    return min((row["array"] for row in rows), key=int, default="")


def is_of(row: "Row", name: str, folder: str) -> bool:
    return bool(row["name"] == name and os.path.realpath(row["folder"]) == os.path.realpath(folder))


def queue() -> "list[Row]":
    """The user's jobs in squeue, of the last minutes also those that have ended; each task of an array by itself."""
    form = "%F|%K|%T|%r|%j|%Z"
    code, out, said = ran(["squeue", "--noheader", "--array", "--states=all", "--user", user(), "--format", form])
    if code:
        raise Refused("unknown", "squeue: " + last_line(said))
    rows = []
    for line in out.splitlines():
        parts = line.strip().split("|", 5)
        if len(parts) == 6 and parts[0].isdigit():
            rows.append(dict(zip(("array", "task", "state", "reason", "name", "folder"), parts)))
    return rows


def accounted(which: "list[str]") -> "list[Row]":
    """Jobs in the accounting; none where there is no accounting."""
    code, out, _ = ran(["sacct", "--noheader", "--parsable2", "-X", "--format=JobID,State,JobName,WorkDir", *which])
    rows = []
    for line in () if code else out.splitlines():
        parts = line.strip().split("|", 3)
        number = re.match(r"(\d+)(?:_(\d+))?$", parts[0])
        if len(parts) == 4 and number:
            row = {"array": number.group(1), "task": number.group(2) or "N/A", "reason": ""}
            # "CANCELLED by 1000"
            rows.append(dict(row, state=parts[1].split(" ")[0], name=parts[2], folder=parts[3]))
    return rows


def key(row: "Row") -> str:
    return f"{row['array']}_{row['task']}" if row["task"].isdigit() else row["array"]


def user() -> str:
    if sys.platform == "win32":
        raise NotImplementedError
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def states(request: "Row") -> "Row":
    """The own records of many runs, with what squeue and sacct say of those that their records leave open."""
    root, found, open_ones = request["root"], [], []
    for ref in request["refs"]:
        folder = run_folder(root, ref)
        each = record(folder)
        found.append(each)
        if each["exists"] and not (each["attempts"] and each["attempts"][-1].get("next") == "end"):
            open_ones.append((folder, each))
    rows = queue() if open_ones else []
    for folder, each in open_ones:
        each["job"], name, home = job_of(root, folder, each)
        mine = [row for row in rows if key(row) == (each["claim"] or each["job"])]
        if not mine and not each["claim"]:
            mine = [row for row in rows if home == folder and is_of(row, name, folder)]
        each["queue"] = mine[-1] if mine else None
        if mine or each["job"] or each["attempts"] or each["cancelled"] or time.time() - (each["pushed"] or 0) < YOUNG:
            continue
        try:
            submitted(home, name)  # the push was cut off between its claim and its job
            each["queue"] = {"state": "PENDING", "reason": ""}
        except Refused as refused:  # the others have states nevertheless
            if refused.answer["kind"] == "refused":
                each.update(queue={"state": "REFUSED", "reason": ""}, said=refused.answer["what"])
    asked = [each for _, each in open_ones if not each["queue"] and (each["claim"] or each["job"])]
    if asked:
        known = {key(row): row for row in accounted(["-j", ",".join(each["claim"] or each["job"] for each in asked)])}
        for each in asked:
            each["accounting"] = known.get(each["claim"] or each["job"])
    return {"now": time.time(), "runs": found}


def job_of(root: str, folder: str, each: "Row") -> "tuple[str, str, str]":
    """(job, its name, the folder that it was submitted from) of a run; of a member of an array, its task."""
    meta = read_json(os.path.join(folder, "meta.json"))
    if meta.get("array"):
        home = array_folder(root, meta["array"])
        if os.path.exists(os.path.join(home, "job.sh")):
            job = job_in(home)
            return f"{job}_{meta['index']}" if job else "", meta["array"], home
    return job_in(folder), str(each["run"]), folder


def end(request: "Row") -> "Row":
    """Ends a run for good: notes that first, so that no requeue brings it back, and then cancels its jobs."""
    root, ref = request["root"], request["ref"]
    each = ANSWERS["cancel"](request)
    job, name, home = job_of(root, run_folder(root, ref), each)
    jobs = {number for number in (job, each["claim"]) if re.fullmatch(r"\d+(_\d+)?", number)}
    if home == run_folder(root, ref):
        jobs |= {row["array"] for row in queue() if is_of(row, name, home)}
    if jobs:
        code, _, said = ran(["scancel", *sorted(jobs)])
        if code and "invalid job" not in said.lower() and "already" not in said.lower():
            raise Refused("unknown", "scancel: " + last_line(said))
    return {"jobs": sorted(jobs)}


def throttle(request: "Row") -> "Row":
    """How many tasks of an array may run at a time, from now on."""
    job = job_in(array_folder(request["root"], request["name"]))
    code, _, said = ran(["scontrol", "update", f"JobId={job}", f"ArrayTaskThrottle={request['cap']}"])
    if code:
        raise Refused("refused", "scontrol: " + last_line(said))
    return {}


def file_system(folder: str) -> str:
    """The type of the file system that a folder is on, as nfs4 or ext4; empty if Linux does not say."""
    found = ("", "")
    for line in read_text("/proc/self/mounts").splitlines():
        parts = line.split(" ")
        if len(parts) > 2:
            place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), parts[1])
            is_above = folder == place or folder.startswith(place.rstrip("/") + "/")
            if is_above and len(place) >= len(found[0]):  # of two at the same place, the later one is seen
                found = (place, parts[2])
    return found[1]


def slurm(request: "Row") -> "Row":
    """What there is: its version, whether it keeps accounts, the names of its machines, the root's file system."""
    code, out, said = ran(["sbatch", "--version"])
    if code:
        raise Refused("refused", "there is no sbatch: " + last_line(said), "Is this the login node?")
    accounts, nothing, why = ran(["sacct", "--noheader", "-X", "-S", "now"])
    machines = ran(["sinfo", "--noheader", "--Node", "--format=%N"])
    return {
        "version": out.strip(),
        "accounts": accounts == 0,
        "why": last_line(why or nothing),
        "nodes": sorted(set(machines[1].split())),
        "file_system": file_system(os.path.realpath(request["root"])),
    }


ANSWERS.update({each.__name__: each for each in (push, test, states, end, throttle, slurm)})
