"""Runs in the job: starts the kernel, keeps its log and the run's own record, and warns it before the job is stopped.

    python starter.py FOLDER JOB

FOLDER is the run's, JOB the name of the job (which a job that starts again keeps). The standard library only, and
Python 3.8. It ends with REQUEUE if the run shall go on in another start, with 0 if the run is another job's, and
otherwise with the kernel's code.

SIGUSR1 says that the time is nearly over: a kernel that can go on from its own output gets SIGTERM, saves, and goes on
in the next start; unless two starts in a row have left nothing new, as would the next. SIGTERM says that the job is
being stopped: the kernel gets it, too. Whether the run starts again is then the engine's decision; after a cancel, it
does not.
"""

import codecs
import errno
import hashlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from types import FrameType
from typing import Any, BinaryIO, Dict

try:
    import ctypes
except ImportError:  # a Python in a small container
    ctypes = None  # type: ignore[assignment]

REQUEUE = 85
STOPPED = (143, -15)  # what a program ends with that SIGTERM stopped
MOST_LOG = 1 << 28
FOREIGN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Some hooks of containers set these: a kernel that starts processes of its own would take them for its place."""
CHECKPOINTS = (".pth", ".pt", ".ckpt", ".safetensors", ".bin")
REPORTS = ("metrics.json", "metrics.jsonl")
"""Files of the output that are new in each start, whether it came further or not."""
IDLE_STARTS = 2
"""So many starts in a row that the time limit stops before they leave anything new are a run's last."""
MOST_COMPARED = 10000  # files of the output
PIECE = 1 << 16  # bytes of output that are read at once: what a pipe holds
BEAT = 10.0
"""Seconds between two signs of life: an engine that has forgotten its jobs cannot say whether one runs."""
PATIENCE = 5.0  # seconds for what the kernel left behind to end

Record = Dict[str, Any]


class RunStart:
    """One start of a run."""

    def __init__(self, folder: str, job: str) -> None:
        self.folder, self.job = folder, job
        with open(self.path("meta.json"), encoding="utf-8") as file:
            self.meta: "Record" = json.load(file)
        self.earlier = attempts_in(self.path("attempts.jsonl"))
        self.number = 1 + max((int(each["number"]) for each in self.earlier), default=0)
        self.begun = min((float(each["started"]) for each in self.earlier if "started" in each), default=time.time())
        self.signal = ""
        self.child: "subprocess.Popen[bytes] | None" = None
        self.lock, self.written = threading.Lock(), 0
        self.over = threading.Event()
        self.is_full = False
        self.before: "Record | None" = None

    def path(self, *names: str) -> str:
        return os.path.join(self.folder, *names)

    @property
    def is_cancelled(self) -> bool:
        return os.path.exists(self.path("cancelled"))

    @property
    def can_go_on(self) -> bool:
        """Whether the program can go on from its own output."""
        return bool(self.meta.get("resume"))

    def is_ours(self) -> bool:
        """Claims the run for this job, in one step; False if it is another job's."""
        new = self.path(f".claim-{socket.gethostname()}-{os.getpid()}")
        try:
            with open(new, "w", encoding="utf-8", newline="") as file:
                file.write(self.job)
            try:
                os.link(new, self.path("claim"))
            except FileExistsError:
                pass
        finally:
            os.unlink(new)
        with open(self.path("claim"), encoding="utf-8") as file:
            return file.read() == self.job

    def run(self) -> int:
        """Runs the kernel, and returns this program's exit code."""
        if sys.platform == "win32":
            raise NotImplementedError
        if not self.is_ours():
            sys.stderr.write("coord: the run is another job's: nothing is done\n")
            return 0
        last = self.earlier[-1] if self.earlier else {}
        if last.get("next") == "end":
            return 0
        self.note(number=self.number, job=self.job, started=time.time(), host=socket.gethostname())
        if self.is_cancelled:
            self.end(None, "end")
            return 1
        environment = self.environment()
        if self.number > 1:
            how = "goes on from its own output" if "COORD_OVERRIDES" in environment else "begins again"
            self.say(f"start {self.number} of the run, on {socket.gethostname()}: it {how}")
        for number in (signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, self.on_signal)
        threading.Thread(target=self.beat, daemon=True).start()
        begun, self.before = time.time(), self.left()
        code = self.kernel(environment)
        self.over.set()
        idle = self.idle(code)
        following = self.next(code, idle)
        if idle:
            self.say(self.about_idle(following, time.time() - begun))
        self.end(code, following, idle)
        return REQUEUE if following == "requeue" else 128 - code if code < 0 else code

    def idle(self, code: int) -> int:
        """How many starts in a row, with this one, were stopped before they left anything new in the output."""
        is_stopped = code in STOPPED and bool(self.signal) and not self.is_cancelled
        if not is_stopped or self.before is None or self.left() != self.before:
            return 0
        return 1 + int(self.earlier[-1].get("idle") or 0 if self.earlier else 0)

    def about_idle(self, following: str, seconds: float) -> str:
        """What the log says of a start that left nothing new, and what to do."""
        stopped = f"start {self.number} was stopped after {seconds:.0f} s, before it had saved anything new"
        if self.signal == "TERM":
            return f"{stopped}: a start that comes further is longer, or saves more often"
        ends = "; the run ends, for another start would not come further" if following == "end" else ""
        return (
            f"{stopped}{ends}. Its time limit is too short: give it a longer `time` in its table (or timeout_seconds "
            "in the experiment), or a smaller `signal_before`, which warns it later"
        )

    def next(self, code: int, idle: int) -> str:
        """What comes after the kernel's end: "end", "requeue", or "wait", where the engine decides."""
        if self.is_cancelled or code not in STOPPED or not self.signal:
            return "end"
        if self.signal == "TERM":
            return "wait"
        limits = [each for each in self.earlier if each.get("signal") == "USR1"]
        is_in_vain = idle >= IDLE_STARTS and self.earlier[-1] in limits
        return "requeue" if len(limits) < int(self.meta.get("requeues", 0)) and not is_in_vain else "end"

    def on_signal(self, number: int, _: "FrameType | None") -> None:
        if sys.platform == "win32":
            return
        if number == signal.SIGUSR1 and not self.can_go_on:
            return  # it would lose the time that is left, and nothing could go on
        if number == signal.SIGTERM or not self.signal:
            if not self.signal:
                self.signal = signal.Signals(number).name[3:]
                self.note(number=self.number, signal=self.signal)
            if self.child is not None and self.child.poll() is None:
                self.child.send_signal(signal.SIGTERM)

    # The kernel

    def environment(self) -> "dict[str, str]":
        """The variables of the kernel; its folders are made."""
        found = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        for name in [name for name in found if name.startswith(("COORD_", "KAGGLE_"))]:
            del found[name]
        kaggle = self.path("kaggle")
        shutil.rmtree(kaggle, ignore_errors=True)
        for mount, place in self.meta.get("inputs", {}).items():
            link = os.path.join(kaggle, "input", mount)
            os.makedirs(os.path.dirname(link), exist_ok=True)
            os.symlink(place, link)
        os.makedirs(os.path.join(kaggle, "input"), exist_ok=True)
        os.symlink(self.path("working"), os.path.join(kaggle, "working"))
        found["COORD_KAGGLE_ROOT"] = kaggle
        for name, usual, own in (("TMPDIR", "/tmp", "tmp"), ("HOME", "", "home")):
            place = found.get(name) or usual
            if not (place and os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK)):
                place = self.path(own)
                os.makedirs(place, exist_ok=True)
            found[name] = place
        found.setdefault("PYTHONUNBUFFERED", "1")
        if self.number > 1:
            found.update(self.going_on())
        return found

    def going_on(self) -> "dict[str, str]":
        """What tells the kernel to go on; a kernel that cannot begins again, in an empty folder."""
        working = self.path("working")
        if not self.can_go_on:
            shutil.rmtree(working, ignore_errors=True)
            os.makedirs(working, exist_ok=True)
            return {}
        resume = self.meta["resume"]
        # A run that continues another one has its own state only once it has saved one.
        if resume.get("continues") and not any(
            name.endswith(CHECKPOINTS) for _, _, names in os.walk(working) for name in names
        ):
            return {}
        return {"COORD_OVERRIDES": json.dumps({resume["setting"]: "."})}

    def left(self) -> "Record | None":
        """The files of the output, and what tells of each whether it is new; None if it cannot matter or be known."""
        found: "Record" = {}
        for folder, _, names in os.walk(self.path("working")) if self.can_go_on else ():
            for name in names:
                path = os.path.join(folder, name)
                try:
                    about = os.lstat(path)
                    if not stat.S_ISREG(about.st_mode) or name in REPORTS:
                        continue
                    found[path] = (about.st_size, about.st_mtime_ns)
                    if about.st_size <= PIECE:  # a small one may be written anew in each start, and be the same
                        with open(path, "rb") as file:
                            found[path] = hashlib.sha256(file.read()).digest()
                except OSError:
                    return None
            if len(found) > MOST_COMPARED:
                return None
        return found if self.can_go_on else None

    def kernel(self, environment: "dict[str, str]") -> int:
        """Runs the kernel to its end, with its output into the log; returns its exit code."""
        if sys.platform == "win32":
            raise NotImplementedError
        command = [sys.executable, self.path("kernel.py")]
        # A session of its own: of the job's signals it gets what `on_signal` sends, unless the engine tells all.
        self.child = child = subprocess.Popen(
            command,
            cwd=self.path("working"),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=as_child,
        )
        if self.signal:  # it came before there was a kernel
            child.send_signal(signal.SIGTERM)
        assert child.stdout is not None
        assert child.stderr is not None
        pipes = [
            threading.Thread(target=self.copy, args=each, daemon=True)
            for each in ((child.stdout, "stdout"), (child.stderr, "stderr"))
        ]
        for pipe in pipes:
            pipe.start()
        code = child.wait()
        until = time.monotonic() + PATIENCE
        for pipe in pipes:
            pipe.join(max(0.0, until - time.monotonic()))
        try:
            os.killpg(child.pid, signal.SIGKILL)  # what it left behind
        except ProcessLookupError:
            pass
        for pipe in pipes:
            pipe.join(PATIENCE)
        return code

    def copy(self, pipe: BinaryIO, stream: str) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            chunk = os.read(pipe.fileno(), PIECE)
            text = decoder.decode(chunk, not chunk)
            if text:
                self.log(stream, text)
            if not chunk:
                return
            if len(chunk) < PIECE:
                time.sleep(0.02)  # so that a line which is written in pieces is one record

    # The log and the record

    def beat(self) -> None:
        """Touches a file as long as the kernel runs; ends a cancelled run, of which the engine may not have heard."""
        while True:
            if self.is_cancelled and not self.signal:
                os.kill(os.getpid(), signal.SIGTERM)
            try:
                os.close(os.open(self.path("alive"), os.O_WRONLY | os.O_CREAT, 0o644))
                os.utime(self.path("alive"))
            except OSError:
                pass  # a full disk
            if self.over.wait(BEAT):
                return

    def say(self, text: str) -> None:
        self.log("stderr", f"coord: {text}\n")

    def log(self, stream: str, text: str) -> None:
        """Adds to the log. A full disk must not stop the kernel from here: its own files will."""
        line = json.dumps({"stream": stream, "time": round(time.time() - self.begun, 3), "data": text}) + "\n"
        with self.lock:
            self.written += len(line)
            if self.written > MOST_LOG:
                return
            try:
                append(self.path("log.jsonl"), ("" if not self.is_full else "\n") + line)
                self.is_full = False
            except OSError:
                self.is_full = True  # the job's own output is on the same disk: it is not told there

    def end(self, code: "int | None", following: str, idle: int = 0) -> None:
        if self.is_full:
            self.log("stderr", "coord: parts of this log are missing: the disk was full\n")
        self.note(number=self.number, ended=time.time(), code=code, signal=self.signal, next=following, idle=idle)

    def note(self, **values: Any) -> None:
        """Adds a line to the run's own record; on a full disk, in the room that the push has reserved for it."""
        line = json.dumps(values) + "\n"
        try:
            append(self.path("attempts.jsonl"), line)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not os.path.exists(self.path("reserve")):
                raise
            os.unlink(self.path("reserve"))
            append(self.path("attempts.jsonl"), "\n" + line)  # a part of it may have been written


def as_child() -> None:
    """Lets the kernel end where the starter is killed (Linux), and survive the job's warning.

    Slurm gives the signals of srun, which starts a container, to all processes of the step.
    """
    if sys.platform == "win32":
        raise NotImplementedError
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if ctypes is None:
        return
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    except (AttributeError, OSError):
        pass


def append(path: str, text: str) -> None:
    """Adds a text to a file, in one step where there is room for it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        left = text.encode("utf-8")
        while left:
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)


def attempts_in(path: str) -> "list[Record]":
    """The lines of the run's record, by number; an unfinished one is left out."""
    found: "dict[int, Record]" = {}
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            each = json.loads(line)
            found.setdefault(int(each["number"]), {}).update(each)
        except (ValueError, KeyError, TypeError):
            continue
    return [found[number] for number in sorted(found)]


if __name__ == "__main__":
    sys.exit(RunStart(os.path.abspath(sys.argv[1]), sys.argv[2]).run())
