"""Runs first inside the kernel: unpacks the sources, checks them, and runs the entry as `__main__`.

What was unpacked is kept for the next start on this machine, and checked again then, file by file:

    <temporary directory>/coord-<user id>/<digest of the files>/    the sources
    <temporary directory>/coord-<user id>/session-<random>/         one process's own, gone at its end: its config, and
                                                                    what it unpacks until that is renamed into place

Standard library only. This file's text is the end of every kernel (which is why it has no `from __future__` import),
and coord imports it as a module too, for the digest.
"""

import atexit
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType

STAMP = "# coord: "
"""Begins the script's first line, the only one that its digest leaves out: `# coord: run=... digest=sha256:...`."""
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")
"""Where to unpack if the environment names no temporary directory, or none that can be used."""
UNUSED = 7 * 24 * 3600
"""Seconds after which sources that nobody has started since are removed."""

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]
Packed = dict[str, tuple[str, str, str]]
"""Path -> (SHA-256, encoding, text); see `decoded`."""


def digest_of(script: str) -> str:
    """The digest of a kernel's text: SHA-256 of everything but the stamp line."""
    first, _, rest = script.partition("\n")
    return "sha256:" + hashlib.sha256((rest if first.startswith(STAMP) else script).encode("utf-8")).hexdigest()


def stamp_of(script: str) -> dict[str, str]:
    """The key=value pairs of the stamp line; empty if there is none."""
    first = script.partition("\n")[0]
    return dict(re.findall(r"(\w+)=(\S+)", first)) if first.startswith(STAMP) else {}


def packed_in(files: Packed, archive: str) -> Packed:
    """Everything in the bundle. `archive` is a Packed as JSON, compressed, in base 64; `files` then only lists it."""
    packed = dict(files)
    if archive:
        import base64
        import bz2

        packed.update(json.loads(bz2.decompress(base64.b64decode(archive))))
    return packed


def decoded(encoding: str, text: str) -> bytes:
    """The bytes of one file: `encoding` is "base64", or a codec's name, with " crlf" behind it if lines end so.

    Text begins with a newline that is not part of the file, to stand on lines of its own.
    """
    if encoding == "base64":
        import base64

        return base64.b64decode(text)
    codec, _, line_ends = encoding.partition(" ")
    return (text[1:].replace("\n", "\r\n") if line_ends else text[1:]).encode(codec)


def overrides_in(text: str) -> dict[str, object]:
    """Dotted paths and values from JSON; anything else ends the run."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SystemExit("coord: COORD_OVERRIDES is not a JSON object")
    return found


def overridden(config: dict[str, object], overrides: dict[str, object]) -> dict[str, object]:
    """The config with dotted paths replaced; a path that the config does not have ends the run."""
    result: dict[str, object] = json.loads(json.dumps(config))
    for path, value in overrides.items():
        *sections, name = path.split(".")
        inner: object = result
        for section in sections:
            inner = inner.get(section) if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or name not in inner:
            raise SystemExit(f"coord: COORD_OVERRIDES: the config has no {path}")
        inner[name] = value
    return result


def unpack(files: Packed, archive: str, digests: dict[str, str], directory: Path) -> None:
    """Writes the files into a new directory, each checked against its SHA-256."""
    try:
        contents = {path: decoded(encoding, text) for path, (_, encoding, text) in packed_in(files, archive).items()}
    except Exception as error:  # every encoding has errors of its own
        raise SystemExit(f"coord: the sources are damaged ({error}): build and push again") from None
    directory.mkdir()
    for path, data in contents.items():
        if hashlib.sha256(data).hexdigest() != digests.get(path):
            raise SystemExit(f"coord: {path} is not what was bundled (its SHA-256 differs): build and push again")
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)


def intact(directory: Path, digests: dict[str, str]) -> bool:
    """Whether the directory holds the files, all of them and no other.

    __pycache__ is not looked at: Python uses it only for a source of the same time and size, and sources that differ
    are taken away together with it.
    """
    found = {}
    for folder, names, files in os.walk(directory):
        names[:] = set(names) - {"__pycache__"}
        for path in map(Path(folder).joinpath, [*names, *files]):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                return False
            if path.is_file():
                found[path.relative_to(directory).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found == digests


def lock(directory: Path, how: int) -> int:
    """Opens and locks a directory, until the descriptor is closed or this process and its forks have ended."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, how)
        # While this process waited, another may have taken the directory away.
        if not os.path.samestat(os.fstat(descriptor), directory.stat()):
            raise FileNotFoundError(directory)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def take_away(directory: Path, session: Path) -> None:
    """Moves a directory into the session's own, to be removed with it. Raises BlockingIOError if it is in use."""
    descriptor = lock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        directory.rename(session / os.urandom(8).hex())
    finally:
        os.close(descriptor)


def clean(home: Path, session: Path) -> None:
    """Takes away what nobody has started for a week: sources, and sessions that were killed."""
    for directory in home.iterdir():
        try:
            if time.time() - directory.lstat().st_mtime > UNUSED:
                take_away(directory, session)
        except OSError:
            pass  # in use, or another session was faster


def sources_in(home: Path | None, session: Path, files: Packed, archive: str) -> Path:
    """The directory of the sources: in `home`, where they stay, or, where that cannot be, in the session's own."""
    digests = {path: sha256 for path, (sha256, _, _) in (files or packed_in(files, archive)).items()}
    name = hashlib.sha256(json.dumps(sorted(digests.items())).encode("utf-8")).hexdigest()[:16]
    own = session / name
    for _ in range(5):  # other sessions may be about the same
        if home is None:
            break
        try:
            descriptor = lock(home / name, fcntl.LOCK_SH)
            if intact(home / name, digests):
                os.utime(home / name)
                return home / name
            os.close(descriptor)
            take_away(home / name, session)
        except BlockingIOError:
            break  # another session runs it, as it is
        except FileNotFoundError:
            if not own.exists():
                unpack(files, archive, digests, own)
            try:
                own.rename(home / name)
            except OSError:
                if not (home / name).is_dir():
                    raise
    if not own.exists():
        unpack(files, archive, digests, own)
    return own


def place(files: Packed, archive: str, config: str) -> tuple[Path, Path]:
    """(the session's own directory, the sources' directory) in the first temporary directory that takes them.

    Never in the working directory: what lies there is the kernel's output.
    """
    failures = []
    for temporary in dict.fromkeys([os.environ.get("TMPDIR") or TEMPORARY[0], *TEMPORARY]):
        home, session = Path(temporary).absolute() / f"coord-{os.getuid()}", None
        try:
            try:
                home.mkdir(0o700)
            except FileExistsError:
                pass
            found = home.lstat()
            # Nothing is taken from a directory that somebody else has made or may write into.
            is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
            session = (
                home if is_ours else home.parent
            ) / f"{'session' if is_ours else home.name}-{os.urandom(8).hex()}"
            session.mkdir(0o700)
            atexit.register(remove, session, os.getpid())
            lock(session, fcntl.LOCK_SH)
            if is_ours:
                clean(home, session)
            if config:
                (session / "coord_config.json").write_text(config, encoding="utf-8")
            return session, sources_in(home if is_ours else None, session, files, archive)
        except OSError as error:
            failures.append(f"{temporary}: {error.strerror or error}")
            if session:
                remove(session, os.getpid())
    raise SystemExit(f"coord: the sources cannot be unpacked ({'; '.join(failures)})")


def remove(session: Path, owner: int) -> None:
    """Removes a session's directory. A forked worker may come here too when it ends: only its owner does."""
    if os.getpid() == owner:
        shutil.rmtree(session, ignore_errors=True)


def start(sources: Path, entry: str, loaded: Iterable[str] | None) -> None:
    """Runs the entry as `python -m module` or `python script.py` would in the directory of the sources."""
    is_script = entry.endswith(".py")
    path = sources / entry
    if not sys.flags.safe_path:
        del sys.path[0]  # the directory of this script
    sys.path[:0] = dict.fromkeys([str(path.parent if is_script else sources), str(sources)])
    if loaded is not None:
        # A module that was imported here must not stand for one of the program's that bears its name.
        local = {each.name.partition(".")[0] for each in [*path.parent.glob("*"), *sources.iterdir()]}
        for name in set(sys.modules).difference(loaded):
            if name.partition(".")[0] in local:
                del sys.modules[name]
    main = ModuleType("__main__")
    main.__dict__.update(
        {name: value for name, value in globals().items() if name in ("__annotations__", "__cached__")}
    )
    sys.modules["__main__"] = main
    sys.excepthook = without_bootstrap(sys.excepthook)
    if is_script:
        sys.argv[0] = main.__file__ = str(path)
        main.__loader__ = SourceFileLoader("__main__", str(path))
        exec(compile(path.read_bytes(), path, "exec", dont_inherit=True), main.__dict__)
    else:
        import runpy

        runpy._run_module_as_main(entry)  # type: ignore[attr-defined]  # what `python -m` calls


def without_bootstrap(hook: Hook) -> Hook:
    """The hook for uncaught exceptions, given tracebacks that begin with the program's own first line."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        while trace is not None and trace.tb_frame.f_globals is globals():
            trace = trace.tb_next
        hook(kind, error.with_traceback(trace), trace)

    return show


def run(
    *,
    files: Packed,
    archive: str,
    config: dict[str, object] | None,
    entry: str,
    experiment: str,
    loaded: Iterable[str] | None = None,
) -> None:
    """Unpacks the sources and runs `entry`: a module's name, or the path of a script among the sources.

    `loaded` are the modules that Python had loaded before this script imported any.
    """
    script = Path(__file__).read_text(encoding="utf-8")
    resolved = ""
    if config is not None:
        resolved = json.dumps(overridden(config, overrides_in(os.environ.get("COORD_OVERRIDES") or "{}")), indent=2)
    digest = digest_of(script)
    if stamp_of(script).get("digest", digest) != digest:
        print("coord: this script was edited after it was built; its digest is now", digest, file=sys.stderr)
    session, sources = place(files, archive, resolved)
    if resolved:
        os.environ["COORD_CONFIG"] = str(session / "coord_config.json")
    if experiment:
        os.environ["COORD_EXPERIMENT"] = experiment
    os.environ["COORD_RUN_ID"] = stamp_of(script).get("run", "-")
    os.environ["COORD_BUNDLE_DIGEST"] = digest
    # PYTHONPATH is for children: spawned workers and torchrun start a fresh interpreter.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(sources), os.environ.get("PYTHONPATH")]))
    start(sources, entry, loaded)
